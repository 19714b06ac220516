"""Records that tests of a store write, and what they look at in its tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from truthound._clock import Clock
from truthound.store import (
    Notice,
    NoticeState,
    Outcome,
    RunRecord,
    RunState,
    Store,
)

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
GOOD = Outcome(status="success", document=lambda: {"status": "success"})


class Moved(Clock):
    """A clock whose wall time is so many seconds off."""

    def __init__(self, seconds: float) -> None:
        object.__setattr__(self, "seconds", seconds)

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.seconds)  # type: ignore[attr-defined]


def run(run_id: str = "r", owner: str = "me", **said: Any) -> RunRecord:
    """Return a run that is accepted."""
    known = {"checkpoint": "rides", "state": RunState.ACCEPTED, "accepted_at": NOW}
    return RunRecord(run_id=run_id, owner=owner, **{**known, **said})


def notice(run_id: str = "r", position: int = 0, **said: Any) -> Notice:
    """Return a notification that the run itself tries first."""
    known = {
        "checkpoint": "rides",
        "action": f"a{position}",
        "action_type": "act",
        "state": NoticeState.SENDING,
        "attempts": 1,
        "due_at": NOW,
        "created_at": NOW,
        "owner": "me",
    }
    return Notice(run_id=run_id, position=position, **{**known, **said})


def rows(store: Store, query: str) -> Sequence[Any]:
    """Return the rows of a query."""
    with store.reading() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def states(store: Store) -> dict[str, str]:
    """Return the states of all runs."""
    return dict(rows(store, "SELECT run_id, state FROM runs"))


def owed(store: Store) -> dict[tuple[str, int], str]:
    """Return the states of all notifications."""
    found = rows(store, "SELECT run_id, position, state FROM notices")
    return {(run_id, position): state for run_id, position, state in found}
