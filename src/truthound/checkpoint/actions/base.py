"""What an action of one's own derives from, when it blocks."""

from __future__ import annotations

from truthound.checkpoint._action import ActionConfig, BaseAction, NotifyCondition
from truthound.checkpoint.model import ActionResult, ActionStatus

__all__ = [
    "ActionConfig",
    "ActionResult",
    "ActionStatus",
    "BaseAction",
    "NotifyCondition",
]
