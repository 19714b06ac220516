"""What a report is about: one item a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from truthound.validators import CheckResult, ValidationRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One run in a report.

    Attributes:
        title: the checkpoint's name, or the data's.
        status: error, failure, warning or success.
        run: what was found; None if the run could not be completed.
        source: the data.
        error: why it could not be completed, or which checks could not be evaluated.
        duration_ms: how long it took.
        actions: how the actions ended, as plain values.
    """

    title: str
    status: str
    run: ValidationRun | None
    source: str = ""
    error: str | None = None
    duration_ms: float = 0.0
    actions: Sequence[Mapping[str, Any]] = ()

    @property
    def notes(self) -> list[str]:
        """What there is to know beside the checks."""
        notes = list(self.run.warnings if self.run else ())
        for action in self.actions:
            details = action.get("details") or {}
            if action["status"] in ("error", "failure"):
                said = action["error"] or action["message"] or action["status"]
                again = " (it is tried again)" if details.get("owed") else ""
                notes.append(f"action {action['action_name']}: {said}{again}")
            elif until := _held_until(details):
                notes.append(f"action {action['action_name']}: put off until {until}")
        if self.run is not None and self.error and not self.errors:
            notes.append(self.error)
        return notes

    @property
    def issues(self) -> list[CheckResult]:
        """The failed checks, the worst first."""
        return self.run.issues if self.run else []

    @property
    def errors(self) -> list[CheckResult]:
        """The checks that could not be evaluated."""
        return self.run.errors if self.run else []

    @property
    def passed(self) -> list[CheckResult]:
        """The checks that hold, and failures too small to be issues."""
        if self.run is None:
            return []
        worse = {id(check) for check in (*self.issues, *self.errors)}
        return [check for check in self.run.checks if id(check) not in worse]


def _held_until(details: Mapping[str, Any]) -> str:
    """Say until when something is put off; empty: it is not."""
    until = details.get("held_until")
    if not isinstance(until, str):
        return ""
    owed = " (owed)" if details.get("owed") else ""
    return (
        f"{datetime.fromisoformat(until).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC{owed}"
    )


def items_of(results: Any) -> list[Item]:
    """Make items of a result, a run, or several of them.

    Args:
        results: a ``CheckpointResult``, a ``ValidationRun``, or any number of either.
    """
    if isinstance(results, Item):
        return [results]
    if isinstance(results, ValidationRun):
        return [_of_run(results)]
    if hasattr(results, "checkpoint_name"):
        return [_of_result(results)]
    if isinstance(results, Iterable):
        return [item for result in results for item in items_of(result)]
    raise TypeError(f"expected results or runs, not {type(results).__name__}")


def _of_run(run: ValidationRun) -> Item:
    status = "error" if run.errors else "success" if run.success else "failure"
    return Item(
        title=run.source,
        status=status,
        run=run,
        source=run.source,
        error="; ".join(f"{c.name}: {c.error}" for c in run.errors) or None,
        duration_ms=run.duration_ms,
    )


def _of_result(result: Any) -> Item:
    run = result.validation_run
    return Item(
        title=result.checkpoint_name,
        status=str(result.status),
        run=run if isinstance(run, ValidationRun) else None,
        source=result.data_asset,
        error=result.error,
        duration_ms=result.duration_ms,
        actions=[
            ended.to_dict()
            for ended in getattr(result, "action_results", ())
            if hasattr(ended, "action_name")
        ],
    )
