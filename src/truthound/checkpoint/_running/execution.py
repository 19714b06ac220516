"""What a run does between its slot and its result."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable

from truthound import telemetry
from truthound._clock import Clock
from truthound.checkpoint._run import TICKET
from truthound.checkpoint._running.active import (
    ActiveRun,
    broken_result,
    checked,
    cut_result,
)
from truthound.checkpoint._running.delivery import Delivery
from truthound.checkpoint.model import CheckpointResult
from truthound.store import Journal

logger: logging.Logger = logging.getLogger("truthound.checkpoint")


class Execution:
    """Runs checkpoints, once they have all that they need.

    Args:
        journal: where it is written down that they begin.
        owner: who runs them.
        clock: tells the time.
        delivery: gets what goes wrong and has no result.
    """

    def __init__(
        self, journal: Journal, owner: str, clock: Clock, delivery: Delivery
    ) -> None:
        self._journal = journal
        self._owner = owner
        self._clock = clock
        self._delivery = delivery

    async def of(self, run: ActiveRun) -> CheckpointResult:
        """Run a checkpoint; whatever happens, it has a result."""
        try:
            if run.written is not None:
                await self._reported(run.written.done())
            if run.verdict is None and not run.is_refused:
                run.state = "running"
                run.began_at = self._clock.now()
                run.began = self._clock.monotonic()
                await self._reported(self._begun(run))
                TICKET.set(run.ticket)
                return await self._result(run)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if run.verdict is None or task is None:
                raise
            while task.cancelling():
                task.uncancel()
        return cut_result(run, self._clock)

    async def _begun(self, run: ActiveRun) -> None:
        assert run.began_at is not None
        self._journal.begin(run.run_id, run.attempt, self._owner, run.began_at)

    async def _reported(self, work: Awaitable[None]) -> None:
        """Write to the journal; that it cannot is no reason to stop."""
        try:
            await work
        except Exception as error:
            logger.error("the journal failed", exc_info=error)
            await self._delivery.report(error)

    async def _result(self, run: ActiveRun) -> CheckpointResult:
        """Run the checkpoint; what it raises becomes a result."""
        task = asyncio.current_task()
        try:
            if telemetry.is_on():
                with telemetry.span("checkpoint.run", checkpoint=run.name) as span:
                    result = checked(await run.checkpoint.run_async(run.context))
                    span.set_attribute("status", str(result.status))
            else:
                result = checked(await run.checkpoint.run_async(run.context))
        except asyncio.CancelledError as error:
            if task is None or task.cancelling():
                raise
            said = f"the checkpoint raised CancelledError({error})"
            return broken_result(run, self._clock, said)
        except Exception as error:
            logger.error("%s failed", run.run_id, exc_info=error)
            await self._delivery.report(error)
            return broken_result(run, self._clock, f"{type(error).__name__}: {error}")
        if task is not None and task.cancelling():
            raise asyncio.CancelledError  # which the checkpoint kept to itself
        return result
