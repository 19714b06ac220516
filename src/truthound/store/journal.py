"""The journal: every run's states, written down as they change.

A run is accepted, then running, and in the end finished, failed, interrupted or
cancelled. A journal that outlives the process lets the next one see what was under way.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from truthound.store.records import Outcome, RunRecord, RunState

KEPT = 1_000  # ended runs that a MemoryJournal remembers


class Journal(Protocol):
    """Where a runner writes the states of its runs.

    ``accept`` and ``end`` are waited for; ``begin`` is not. A change applies only to a
    run that this owner has, in this attempt, and that has not ended.
    """

    def accept(self, records: Sequence[RunRecord]) -> Awaitable[Collection[str] | None]:
        """Write down accepted runs, all or none.

        Returns:
            The ids of those that are not, as another run has their slot; None: none.
        """
        ...

    def begin(self, run_id: str, attempt: int, owner: str, at: datetime) -> None:
        """Write down that a run has begun, soon."""
        ...

    def end(
        self,
        run_id: str,
        attempt: int,
        owner: str,
        state: RunState,
        at: datetime,
        outcome: Outcome,
    ) -> Awaitable[bool]:
        """Write down how a run ended, with its result; False: it was not ours.

        Args:
            run_id: which run.
            attempt: as it was accepted.
            owner: as it was accepted.
            state: an end.
            at: when.
            outcome: what is to be kept of its result.
        """
        ...


class MemoryJournal:
    """A journal that ends with the process: what runs, and the last runs that ended.

    Args:
        kept: how many of these.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self.kept = kept
        # By id: what was accepted, when it began, where it ended and when.
        self._active: dict[str, _Entry] = {}
        self._ended: OrderedDict[str, _Entry] = OrderedDict()

    async def accept(self, records: Sequence[RunRecord]) -> None:
        """Write down accepted runs."""
        for record in records:
            self._active[record.run_id] = _Entry(record)

    def begin(self, run_id: str, attempt: int, owner: str, at: datetime) -> None:
        """Write down that a run has begun."""
        entry = self._mine(run_id, attempt, owner)
        if entry is not None:
            entry.state, entry.began_at = RunState.RUNNING, at

    async def end(
        self,
        run_id: str,
        attempt: int,
        owner: str,
        state: RunState,
        at: datetime,
        outcome: Outcome,
    ) -> bool:
        """Write down how a run ended; results are not kept."""
        entry = self._mine(run_id, attempt, owner)
        if entry is None:
            return False
        del self._active[run_id]
        entry.state, entry.ended_at = state, at
        self._ended[run_id] = entry
        if len(self._ended) > self.kept:
            self._ended.popitem(last=False)
        return True

    def runs(self) -> list[RunRecord]:
        """Return what is known, in the order of its end or acceptance."""
        entries = [*self._ended.values(), *self._active.values()]
        return [
            replace(e.record, state=e.state, began_at=e.began_at, ended_at=e.ended_at)
            for e in entries
        ]

    def _mine(self, run_id: str, attempt: int, owner: str) -> _Entry | None:
        entry = self._active.get(run_id)
        if entry is None:
            return None
        record = entry.record
        is_mine = record.attempt == attempt and record.owner == owner
        return entry if is_mine else None


class _Entry:
    """A run in memory: made once, and changed after that."""

    __slots__ = ("began_at", "ended_at", "record", "state")

    def __init__(self, record: RunRecord) -> None:
        self.record = record
        self.state = record.state
        self.began_at: datetime | None = None
        self.ended_at: datetime | None = None
