"""What to do with the result of a run: tell somebody, keep it, call something."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from truthound.checkpoint.actions.apprise import AppriseAction as AppriseAction
    from truthound.checkpoint.actions.apprise import AppriseConfig as AppriseConfig
    from truthound.checkpoint.actions.base import ActionConfig as ActionConfig
    from truthound.checkpoint.actions.base import ActionResult as ActionResult
    from truthound.checkpoint.actions.base import ActionStatus as ActionStatus
    from truthound.checkpoint.actions.base import BaseAction as BaseAction
    from truthound.checkpoint.actions.base import NotifyCondition as NotifyCondition
    from truthound.checkpoint.actions.custom import CustomAction as CustomAction
    from truthound.checkpoint.actions.custom import CustomConfig as CustomConfig
    from truthound.checkpoint.actions.data_docs import DataDocsConfig as DataDocsConfig
    from truthound.checkpoint.actions.data_docs import UpdateDataDocs as UpdateDataDocs
    from truthound.checkpoint.actions.discord import DiscordConfig as DiscordConfig
    from truthound.checkpoint.actions.discord import (
        DiscordNotification as DiscordNotification,
    )
    from truthound.checkpoint.actions.github import GitHubAction as GitHubAction
    from truthound.checkpoint.actions.github import GitHubConfig as GitHubConfig
    from truthound.checkpoint.actions.heartbeat import (
        HeartbeatAction as HeartbeatAction,
    )
    from truthound.checkpoint.actions.heartbeat import (
        HeartbeatConfig as HeartbeatConfig,
    )
    from truthound.checkpoint.actions.mail import EmailConfig as EmailConfig
    from truthound.checkpoint.actions.mail import EmailNotification as EmailNotification
    from truthound.checkpoint.actions.openlineage import (
        OpenLineageAction as OpenLineageAction,
    )
    from truthound.checkpoint.actions.openlineage import (
        OpenLineageConfig as OpenLineageConfig,
    )
    from truthound.checkpoint.actions.opsgenie import OpsGenieAction as OpsGenieAction
    from truthound.checkpoint.actions.opsgenie import OpsGenieConfig as OpsGenieConfig
    from truthound.checkpoint.actions.pagerduty import (
        PagerDutyAction as PagerDutyAction,
    )
    from truthound.checkpoint.actions.pagerduty import (
        PagerDutyConfig as PagerDutyConfig,
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
    from truthound.checkpoint.actions.teams import TeamsConfig as TeamsConfig
    from truthound.checkpoint.actions.teams import (
        TeamsNotification as TeamsNotification,
    )
    from truthound.checkpoint.actions.telegram import TelegramConfig as TelegramConfig
    from truthound.checkpoint.actions.telegram import (
        TelegramNotification as TelegramNotification,
    )
    from truthound.checkpoint.actions.webhook import WebhookAction as WebhookAction
    from truthound.checkpoint.actions.webhook import WebhookConfig as WebhookConfig

_HOMES = {
    "ActionConfig": "base",
    "ActionResult": "base",
    "ActionStatus": "base",
    "AppriseAction": "apprise",
    "AppriseConfig": "apprise",
    "BaseAction": "base",
    "CustomAction": "custom",
    "CustomConfig": "custom",
    "DataDocsConfig": "data_docs",
    "DiscordConfig": "discord",
    "DiscordNotification": "discord",
    "EmailConfig": "mail",
    "EmailNotification": "mail",
    "GitHubAction": "github",
    "GitHubConfig": "github",
    "HeartbeatAction": "heartbeat",
    "HeartbeatConfig": "heartbeat",
    "NotifyCondition": "base",
    "OpenLineageAction": "openlineage",
    "OpenLineageConfig": "openlineage",
    "OpsGenieAction": "opsgenie",
    "OpsGenieConfig": "opsgenie",
    "PagerDutyAction": "pagerduty",
    "PagerDutyConfig": "pagerduty",
    "SlackConfig": "slack",
    "SlackNotification": "slack",
    "StoreResultConfig": "store_result",
    "StoreValidationResult": "store_result",
    "TeamsConfig": "teams",
    "TeamsNotification": "teams",
    "TelegramConfig": "telegram",
    "TelegramNotification": "telegram",
    "UpdateDataDocs": "data_docs",
    "WebhookAction": "webhook",
    "WebhookConfig": "webhook",
}
# By the word of a configuration file.
TYPES = {
    "apprise": "AppriseAction",
    "custom": "CustomAction",
    "discord": "DiscordNotification",
    "email": "EmailNotification",
    "github": "GitHubAction",
    "heartbeat": "HeartbeatAction",
    "openlineage": "OpenLineageAction",
    "opsgenie": "OpsGenieAction",
    "pagerduty": "PagerDutyAction",
    "slack": "SlackNotification",
    "store_result": "StoreValidationResult",
    "teams": "TeamsNotification",
    "telegram": "TelegramNotification",
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
