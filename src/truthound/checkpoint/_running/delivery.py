"""The end of a run: written down, counted, told, and handed over. Each once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from truthound._clock import Clock
from truthound.checkpoint._callbacks import Callback, call_back, check_callback
from truthound.checkpoint._keeping import outcome_of
from truthound.checkpoint._running.active import ActiveRun
from truthound.checkpoint.model import CheckpointResult, CheckpointStatus
from truthound.errors import ActionError
from truthound.store import Journal, RunState

logger: logging.Logger = logging.getLogger("truthound.checkpoint")

# Seconds that a callback may take; a run keeps its slot until then.
LONGEST = 60.0


@dataclass(slots=True)
class Counts:
    """What was done so far.

    Attributes:
        accepted: runs.
        delivered: results.
        by_status: of them, how many ended how.
        consecutive_failures: the last ones in a row that ended as error, those not
            counted that somebody cut off.
    """

    accepted: int = 0
    delivered: int = 0
    by_status: dict[str, int] = field(default_factory=dict)
    consecutive_failures: int = 0

    def add(self, run: ActiveRun, result: CheckpointResult) -> None:
        """Count a result."""
        self.delivered += 1
        status = str(result.status)
        self.by_status[status] = self.by_status.get(status, 0) + 1
        if run.verdict is None:
            failed = result.status == CheckpointStatus.ERROR
            before = self.consecutive_failures
            self.consecutive_failures = before + 1 if failed else 0


class Delivery:
    """Brings results to those who wait for them, and errors to who wants to know.

    Whatever the code of others does here, a result goes all its way: what raises is
    reported, what hangs is given up after a minute, or when the runner stops.

    Args:
        journal: where the ends of runs are written.
        owner: who runs them.
        clock: tells the time.
        on_result: called with each result.
        on_error: called with what went wrong and has no result of its own.
        on_counted: called with each result before that.
        hand_over: takes each result at last, and may make the run wait.
    """

    def __init__(
        self,
        journal: Journal,
        owner: str,
        clock: Clock,
        on_result: Callback | None,
        on_error: Callback | None,
        on_counted: Callable[[ActiveRun, CheckpointResult], None] | None,
        hand_over: Callable[[ActiveRun, CheckpointResult], Awaitable[None]] | None,
    ) -> None:
        check_callback("result_callback", on_result)
        check_callback("error_callback", on_error)
        self.counts = Counts()
        self._journal = journal
        self._owner = owner
        self._clock = clock
        self._on_result = on_result
        self._on_error = on_error
        self._on_counted = on_counted
        self._hand_over = hand_over

    async def report(self, error: Exception) -> None:
        """Tell about something that went wrong and has no result."""
        if self._on_error is not None:
            await call_back(self._on_error, error, LONGEST)

    async def deliver(self, run: ActiveRun, result: CheckpointResult) -> None:
        """Write the end of a run down, and deliver its result."""
        await self._outside(run, "the journal", self._written(run, result))
        await self.tell(run, result)

    async def _written(self, run: ActiveRun, result: CheckpointResult) -> None:
        keeper, more = run.ticket.keeper, {}
        outcome = outcome_of(result)
        if keeper is not None:
            is_cut = run.verdict is not None
            outcome, more["settled"] = keeper.ending(result, is_cut=is_cut)
        state, now = _state(run, result), self._clock.now()
        is_ours = await self._journal.end(
            run.run_id, run.attempt, self._owner, state, now, outcome, **more
        )
        run.is_kept = is_ours is not False
        if is_ours is False:
            logger.warning("%s: its end was written by somebody else", run.run_id)

    async def tell(self, run: ActiveRun, result: CheckpointResult) -> None:
        """Deliver a result whose end is written down."""
        self.counts.add(run, result)
        for ended in result.action_results:
            if getattr(ended, "error", None):
                told = f"{run.name}: action {ended.action_name}: {ended.error}"
                logger.warning("%s", told)
                await self._told(run, ActionError(told))
        if self._on_counted is not None:
            self._on_counted(run, result)
        if self._on_result is not None:
            calling = call_back(self._on_result, result, LONGEST)
            error = await self._outside(run, "the callback", calling)
            if isinstance(error, Exception):
                await self._told(run, error)
        if not run.done.done():
            run.done.set_result(result)
        if self._hand_over is not None:
            await self._hand_over(run, result)

    async def _told(self, run: ActiveRun, error: Exception) -> None:
        if self._on_error is not None and not run.is_mute:
            cut = await self._outside(run, "error_callback", self.report(error))
            run.is_mute = cut is not None

    async def _outside(
        self, run: ActiveRun, what: str, work: Coroutine[Any, Any, Any]
    ) -> Any:
        """Await the code of others; what it raises is reported, the run goes on."""
        run.is_outside = True
        try:
            return await work
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not run.is_hurried or task is None:
                raise
            while task.cancelling():
                task.uncancel()
            logger.error("%s: %s was cut off at the end", run.run_id, what)
            return TimeoutError(f"{run.run_id}: {what} was cut off at the end")
        except Exception as error:
            logger.error("%s: %s failed", run.run_id, what, exc_info=error)
            run.is_outside = False
            await self._told(run, error)
            return None
        finally:
            run.is_outside = False


def _state(run: ActiveRun, result: CheckpointResult) -> RunState:
    if run.verdict is not None:
        return run.verdict[1]
    if result.status == CheckpointStatus.ERROR:
        return RunState.FAILED
    return RunState.FINISHED
