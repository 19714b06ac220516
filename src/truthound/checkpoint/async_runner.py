"""Running checkpoints asynchronously: one, several, many, or when triggers say so.

- :func:`run_checkpoint_async` for one, :func:`run_checkpoints_parallel` and
  :func:`run_checkpoints_async` for several.
- :class:`CheckpointPool` for many, through a number of workers.
- :class:`AsyncCheckpointRunner` with :class:`AsyncRunnerConfig`: those with triggers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from truthound._clock import SYSTEM_CLOCK
from truthound.async_core._limit import check_count
from truthound.checkpoint._callbacks import Callback
from truthound.checkpoint._running.active import check_checkpoint
from truthound.checkpoint._running.config import AsyncRunnerConfig
from truthound.checkpoint._running.pool import CheckpointPool
from truthound.checkpoint._running.runner import AsyncCheckpointRunner
from truthound.checkpoint._running.runs import Runs
from truthound.checkpoint.model import CheckpointResult
from truthound.checkpoint.registry import get_checkpoint

__all__ = [
    "AsyncCheckpointRunner",
    "AsyncRunnerConfig",
    "CheckpointPool",
    "run_checkpoint_async",
    "run_checkpoints_async",
    "run_checkpoints_parallel",
]


async def run_checkpoint_async(
    checkpoint: Any, context: Mapping[str, Any] | None = None
) -> CheckpointResult:
    """Run a checkpoint and return its result.

    If cancelled, the run is given up and the cancellation goes on.

    Args:
        checkpoint: a checkpoint, or the name of a registered one.
        context: copied into the result's ``metadata``.

    Raises:
        UnknownNameError: none is registered under that name (a ``KeyError``).
        TypeError: it is no checkpoint.
    """
    found = _found(checkpoint)
    result: CheckpointResult = await found.run_async(context)
    return result


async def run_checkpoints_parallel(
    checkpoints: Sequence[Any],
    max_concurrent: int = 5,
    context: Mapping[str, Any] | None = None,
    on_complete: Callback | None = None,
) -> list[CheckpointResult]:
    """Run several checkpoints side by side and return their results, in their order.

    If cancelled, the runs are cut off, and the cancellation goes on when they ended.

    Args:
        checkpoints: checkpoints, or names of registered ones.
        max_concurrent: how many run at once.
        context: copied into the ``metadata`` of each result.
        on_complete: called with each result as soon as it is there; a function or
            coroutine function. What it raises is logged.

    Raises:
        ConfigurationError: ``max_concurrent`` is less than 1 (a ``ValueError``).
        UnknownNameError: none is registered under a name (a ``KeyError``).
        TypeError: something is no checkpoint.
    """
    check_count("max_concurrent", max_concurrent)
    found = [_found(checkpoint) for checkpoint in checkpoints]
    runs = Runs(max_concurrent, clock=SYSTEM_CLOCK, on_result=on_complete)
    await runs.open()
    try:
        results = await runs.results_of(runs.accept(found, context, has_caller=True))
        await runs.stop(None)
        return results
    except BaseException:
        await runs.stop(0.0)
        raise


async def run_checkpoints_async(
    checkpoints: Sequence[Any],
    max_concurrent: int = 5,
    context: Mapping[str, Any] | None = None,
) -> list[CheckpointResult]:
    """Run several checkpoints; :func:`run_checkpoints_parallel` without a callback."""
    return await run_checkpoints_parallel(checkpoints, max_concurrent, context)


def _found(checkpoint: Any) -> Any:
    if isinstance(checkpoint, str):
        return get_checkpoint(checkpoint)
    check_checkpoint(checkpoint)
    return checkpoint
