"""Actions under their asynchronous names; each is the same class as without."""

from __future__ import annotations

from truthound.checkpoint.actions.custom import CustomAction as AsyncCustomAction
from truthound.checkpoint.actions.slack import (
    SlackNotification as AsyncSlackNotification,
)
from truthound.checkpoint.actions.store_result import (
    StoreValidationResult as AsyncStoreValidationResult,
)
from truthound.checkpoint.actions.webhook import WebhookAction as AsyncWebhookAction

__all__ = [
    "AsyncCustomAction",
    "AsyncSlackNotification",
    "AsyncStoreValidationResult",
    "AsyncWebhookAction",
]
