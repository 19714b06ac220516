"""The end of runs that do not come to it by themselves."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from truthound.checkpoint._running.active import ActiveRun, cut_result
from truthound.store import RunState
from truthound.store.records import HOOKS

if TYPE_CHECKING:
    from truthound.checkpoint._running.runs import Runs

logger: logging.Logger = logging.getLogger("truthound.checkpoint")

# Seconds that a run that was cut off has to come to its end; an action may catch its
# cancellation. After that its result is delivered without it.
PATIENCE = 5.0


async def cut_off(runs: Runs, why: str) -> None:
    """Cut off whatever runs, and deliver the results of what does not end.

    Args:
        runs: all but the caller's own.
        why: stands in the results.
    """
    for run in runs.left():
        if not runs.cut(run, why, RunState.INTERRUPTED):
            _hurry(run)
    if await runs.idle(PATIENCE):
        return
    for run in runs.left():
        if run.state == "delivering":
            _hurry(run)  # it was not yet that far
        else:
            logger.error("%s does not end; it is left behind", run.run_id)
            if run.task is not None:
                _left_behind.add(run.task)  # the loop holds its tasks weakly
                run.task.add_done_callback(_left_behind.discard)
            run.is_abandoned = run.is_hurried = True
            await runs.delivery.deliver(run, cut_result(run, runs.clock))
            runs.forget(run)
    await runs.idle(PATIENCE)


def is_left(runs: Runs, run: ActiveRun) -> bool:
    """Leave a run that waits to the next start, if that runs it; False: it does not.

    Whoever sent a request was told that it is accepted, and sends it no more.
    """
    ledger = runs.ledger
    if (
        ledger is None
        or run.slot is None
        or not run.slot[0].startswith(HOOKS)
        or not run.is_stored
        or not ledger.runs_again(run.name)
    ):
        return False
    runs.line.give_up(run)
    runs.delivery.counts.accepted -= 1  # it is the next one's
    runs.forget(run)
    logger.info("%s is left to the next start", run.run_id)
    return True


def _hurry(run: ActiveRun) -> None:
    """Give up the code of others that the delivery of a run waits for."""
    run.is_hurried = True
    if run.is_outside and run.task is not None:
        run.task.cancel()


_left_behind: set[asyncio.Task[Any]] = set()
