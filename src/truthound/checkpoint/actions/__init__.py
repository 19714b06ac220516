"""What to do with the result of a run: tell somebody, keep it, call something."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from truthound.checkpoint.actions.base import ActionConfig as ActionConfig
    from truthound.checkpoint.actions.base import ActionResult as ActionResult
    from truthound.checkpoint.actions.base import ActionStatus as ActionStatus
    from truthound.checkpoint.actions.base import BaseAction as BaseAction
    from truthound.checkpoint.actions.base import NotifyCondition as NotifyCondition
    from truthound.checkpoint.actions.custom import CustomAction as CustomAction
    from truthound.checkpoint.actions.custom import CustomConfig as CustomConfig
    from truthound.checkpoint.actions.data_docs import DataDocsConfig as DataDocsConfig
    from truthound.checkpoint.actions.data_docs import UpdateDataDocs as UpdateDataDocs
    from truthound.checkpoint.actions.github import GitHubAction as GitHubAction
    from truthound.checkpoint.actions.github import GitHubConfig as GitHubConfig
    from truthound.checkpoint.actions.openlineage import (
        OpenLineageAction as OpenLineageAction,
    )
    from truthound.checkpoint.actions.openlineage import (
        OpenLineageConfig as OpenLineageConfig,
    )
    from truthound.checkpoint.actions.slack import SlackConfig as SlackConfig
    from truthound.checkpoint.actions.slack import (
        SlackNotification as SlackNotification,
    )
    from truthound.checkpoint.actions.store_result import (
        StoreResultConfig as StoreResultConfig,
    )
    from truthound.checkpoint.actions.store_result import (
        StoreValidationResult as StoreValidationResult,
    )
    from truthound.checkpoint.actions.webhook import WebhookAction as WebhookAction
    from truthound.checkpoint.actions.webhook import WebhookConfig as WebhookConfig

_HOMES = {
    "ActionConfig": "base",
    "ActionResult": "base",
    "ActionStatus": "base",
    "BaseAction": "base",
    "CustomAction": "custom",
    "CustomConfig": "custom",
    "DataDocsConfig": "data_docs",
    "GitHubAction": "github",
    "GitHubConfig": "github",
    "NotifyCondition": "base",
    "OpenLineageAction": "openlineage",
    "OpenLineageConfig": "openlineage",
    "SlackConfig": "slack",
    "SlackNotification": "slack",
    "StoreResultConfig": "store_result",
    "StoreValidationResult": "store_result",
    "UpdateDataDocs": "data_docs",
    "WebhookAction": "webhook",
    "WebhookConfig": "webhook",
}
# By the word of a configuration file.
TYPES = {
    "custom": "CustomAction",
    "github": "GitHubAction",
    "openlineage": "OpenLineageAction",
    "slack": "SlackNotification",
    "store_result": "StoreValidationResult",
    "update_docs": "UpdateDataDocs",
    "webhook": "WebhookAction",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_HOMES[name]}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return __all__
