"""What a trigger of one's own derives from, when it blocks."""

from __future__ import annotations

from truthound.checkpoint._trigger import (
    BaseTrigger,
    TriggerConfig,
    TriggerResult,
    TriggerStatus,
)

__all__ = ["BaseTrigger", "TriggerConfig", "TriggerResult", "TriggerStatus"]
