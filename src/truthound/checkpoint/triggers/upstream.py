"""``UpstreamTrigger``: after another checkpoint of the same runner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from truthound.checkpoint._trigger import PushTrigger, TriggerConfig, TriggerResult
from truthound.checkpoint.model import CheckpointResult, CheckpointStatus
from truthound.errors import ConfigurationError, did_you_mean

STATUSES = ("success", "warning", "failure", "error")


@dataclass
class UpstreamConfig(TriggerConfig):
    """Options of an :class:`UpstreamTrigger`.

    Attributes:
        checkpoint: after which one, or after any of several.
        statuses: with which its run has to end: success, warning, failure, error.
    """

    checkpoint: str | Sequence[str] = ""
    statuses: str | Sequence[str] = ("success",)

    def check(self) -> None:
        super().check()
        for option in ("checkpoint", "statuses"):
            given: Any = getattr(self, option)
            given = [given] if isinstance(given, str) else given
            texts = isinstance(given, (list, tuple)) and all(
                isinstance(item, str) and item for item in given
            )
            if not texts or not given:
                raise ConfigurationError(
                    f"{option} is a text, or a list of texts, and not empty; not "
                    f"{getattr(self, option)!r}"
                )
        given = self.statuses
        for status in [given] if isinstance(given, str) else given:
            if status not in STATUSES:
                raise ConfigurationError(
                    f"statuses are {', '.join(STATUSES)}, not {status!r}"
                    f"{did_you_mean(str(status), STATUSES)}"
                )

    def names(self) -> list[str]:
        """Return the names of the checkpoints."""
        given = self.checkpoint
        return [given] if isinstance(given, str) else list(given)


class UpstreamTrigger(PushTrigger[UpstreamConfig]):
    """Runs after a run of another checkpoint that ended as wanted.

    Runs that end while the checkpoint cannot run go into one run after that. A run's
    metadata has the last one as ``upstream``: its checkpoint, run id and status.

    Example:
        >>> UpstreamTrigger(checkpoint="rides", statuses=["success", "warning"])
        UpstreamTrigger('upstream')
    """

    trigger_type: str = "upstream"

    def __init__(self, config: UpstreamConfig | None = None, **options: Any) -> None:
        super().__init__(config, **options)
        self._last: dict[str, Any] | None = None

    def has_ended(self, result: CheckpointResult) -> None:
        """Note the end of a run; called by the runner, for every run."""
        given = self._config.statuses
        wanted = [given] if isinstance(given, str) else given
        if (
            result.checkpoint_name in self._config.names()
            and CheckpointStatus(result.status) in wanted
        ):
            self._last = {
                "checkpoint": result.checkpoint_name,
                "run_id": result.run_id,
                "status": str(result.status),
            }
            self.news()

    def wait_for(self, now: float) -> float | None:
        return None if self._last is None else 0.0

    def take(self) -> TriggerResult:
        last, self._last = self._last, None
        name = last["checkpoint"] if last else ""
        return TriggerResult(True, f"after {name}", context={"upstream": last})
