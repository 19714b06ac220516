"""Acceptances: runs are written down before they begin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from truthound.checkpoint._running.active import ActiveRun, Once
from truthound.checkpoint._running.ledger import Ledger
from truthound.store import Journal, RunRecord, RunState


class Acceptance:
    """Has runs written down as accepted.

    Args:
        journal: where.
        owner: in whose name.
        ledger: of the store, if the journal is one.
    """

    def __init__(self, journal: Journal, owner: str, ledger: Ledger | None) -> None:
        self._journal = journal
        self._owner = owner
        self._ledger = ledger

    def of(self, made: Sequence[ActiveRun]) -> Once:
        """Have runs written down as accepted; return what they wait for.

        A store is handed them at once, so that those that wait for a slot are in it,
        too. They begin when that is committed: what ends this process must be known.
        """
        ledger, is_alone = self._ledger, len(made) == 1
        if ledger is None or not ledger.is_present:
            return Once(lambda: self._accepted(made), is_alone)
        writing = self._journal.accept([self._record(run) for run in made])
        return Once(lambda: self._answered(made, writing), is_alone)

    async def written(self, run: ActiveRun) -> None:
        """Wait until a run is written down as accepted.

        Raises:
            StoreError: it cannot be, for now; the run goes on.
        """
        if run.written is not None:
            run.written.begin()
            await run.written.done()

    async def _accepted(self, made: Sequence[ActiveRun]) -> None:
        if self._ledger is not None:
            await self._ledger.present()
        records = [self._record(run) for run in made]
        await self._answered(made, self._journal.accept(records))

    async def _answered(self, made: Sequence[ActiveRun], writing: Any) -> None:
        """Wait for the answer: another process may have the same due time."""
        refused = await writing
        for run in made:
            run.is_refused = bool(refused) and run.run_id in refused
            run.is_stored = self._ledger is not None and not run.is_refused

    def _record(self, run: ActiveRun) -> RunRecord:
        return RunRecord(
            run_id=run.run_id,
            checkpoint=run.name,
            state=RunState.ACCEPTED,
            owner=self._owner,
            accepted_at=run.accepted_at,
            trigger=run.trigger,
            context=run.context or {},
            slot=run.slot and run.slot[0],
            slot_ends=run.slot is not None and run.slot[1],
        )
