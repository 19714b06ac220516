"""Acceptances: runs are written down before they begin."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from truthound.checkpoint._running.active import ActiveRun, Once
from truthound.checkpoint._running.ledger import Ledger
from truthound.store import Journal, RunRecord, RunState

logger: logging.Logger = logging.getLogger("truthound.checkpoint")


class Acceptance:
    """Has runs written down as accepted.

    Args:
        journal: where.
        owner: in whose name.
        ledger: of the store, if the journal is one.
        report_soon: told what cannot be written.
    """

    def __init__(
        self,
        journal: Journal,
        owner: str,
        ledger: Ledger | None,
        report_soon: Callable[[Exception], None],
    ) -> None:
        self._journal = journal
        self._owner = owner
        self._ledger = ledger
        self._report_soon = report_soon

    def of(self, made: Sequence[ActiveRun]) -> Once | None:
        """Have runs written down as accepted; return what they are to wait for.

        What a store is handed first it also writes first: nobody waits, but for the
        answer to whether another process has the same due time.
        """
        ledger = self._ledger
        if ledger is None or not ledger.is_present or not made or made[0].slot:
            return Once(lambda: self._accepted(made), len(made) == 1)
        writing = self._journal.accept([self._record(run) for run in made])
        if not isinstance(writing, asyncio.Future):  # it is not open
            return Once(lambda: self._answered(made, writing), False)
        writing.add_done_callback(self._has_accepted)
        for run in made:
            run.accepting = writing
        return None

    async def _accepted(self, made: Sequence[ActiveRun]) -> None:
        if self._ledger is not None:
            await self._ledger.present()
        records = [self._record(run) for run in made]
        await self._answered(made, self._journal.accept(records))

    async def _answered(self, made: Sequence[ActiveRun], writing: Any) -> None:
        refused = await writing
        for run in made:
            run.is_refused = bool(refused) and run.run_id in refused

    async def written(self, run: ActiveRun) -> None:
        """Wait until a run that was accepted in this turn is written down as such.

        Raises:
            StoreError: it cannot be, for now; the run goes on.
        """
        if run.accepting is not None:
            await asyncio.shield(run.accepting)
        elif run.written is not None:
            run.written.begin()
            await run.written.done()

    def _has_accepted(self, writing: asyncio.Future[Any]) -> None:
        error = None if writing.cancelled() else writing.exception()
        if isinstance(error, Exception):
            logger.error("the journal failed", exc_info=error)
            self._report_soon(error)

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
