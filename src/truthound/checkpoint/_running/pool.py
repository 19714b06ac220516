"""``CheckpointPool``: many runs through a number of workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from truthound._clock import SYSTEM_CLOCK, Clock
from truthound.async_core._limit import check_count, limit
from truthound.async_core._slots import TaskPriority
from truthound.checkpoint._action import check_number
from truthound.checkpoint._callbacks import Callback
from truthound.checkpoint._running.ledger import used_store
from truthound.checkpoint._running.runs import Runs
from truthound.checkpoint.model import CheckpointResult
from truthound.store import Journal

if TYPE_CHECKING:
    from truthound.store.database import Place


class CheckpointPool:
    """Runs checkpoints, at most ``workers`` at once, the most urgent first.

    Leaving the ``async with`` block waits for all that was submitted; when the block
    raises or is cancelled, that is cut off. Every submit resolves: with its result
    (``error="interrupted…"`` if it was cut off) or, if the caller is cancelled, with
    that.

    Args:
        workers: how many runs at once, 1 or more.
        result_callback: called with each result; a function or coroutine function.
        error_callback: called with each error that has no result of its own: of a
            callback, an action.
        graceful_shutdown_timeout: seconds that runs have to end after ``stop()``.
        journal: where the states of runs are written; None: in memory.
        store: where runs, results and what they owe are kept: a ``Store``, a path or an
            address; None for ``TRUTHOUND_STORE``, and if that is not set for none;
            False for none in any case.
        clock: tells the time; for tests.

    Raises:
        ConfigurationError: an option is out of range (a ``ValueError``).

    Example::

        async with CheckpointPool(workers=10) as pool:
            result = await pool.submit(rides)
            results = await pool.submit_many([fares, people])
    """

    def __init__(
        self,
        workers: int = 5,
        result_callback: Callback | None = None,
        error_callback: Callback | None = None,
        *,
        graceful_shutdown_timeout: float = 30.0,
        journal: Journal | None = None,
        store: Place = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        check_count("workers", workers)
        check_number("graceful_shutdown_timeout", graceful_shutdown_timeout)
        self.workers = workers
        self.graceful_shutdown_timeout = graceful_shutdown_timeout
        self._runs = Runs(
            workers,
            clock=clock,
            journal=journal,
            on_result=result_callback,
            on_error=error_callback,
            store=used_store(store, journal),
        )

    def __repr__(self) -> str:
        return f"CheckpointPool(workers={self.workers})"

    async def start(self) -> None:
        """Accept checkpoints, from now on or again.

        Raises:
            StoreError: the store is damaged, or cannot be reached.
        """
        await self._runs.open()

    async def stop(self, wait: bool = True) -> None:
        """Accept and begin no more, let what runs end, and cut off the rest.

        What waits for a worker is not begun; what has not ended after
        ``graceful_shutdown_timeout`` is cut off. Both come as results with
        ``error="interrupted…"``.

        Args:
            wait: False: cut off at once.
        """
        await self._runs.stop(self.graceful_shutdown_timeout if wait else 0.0)

    async def __aenter__(self) -> CheckpointPool:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                await self._runs.idle(None)
        finally:
            await self._runs.stop(None if error is None else 0.0)

    async def submit(
        self,
        checkpoint: Any,
        context: Mapping[str, Any] | None = None,
        *,
        priority: TaskPriority | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as TaskScheduler has it
    ) -> CheckpointResult:
        """Run a checkpoint and return its result.

        If cancelled, so is the run, and the cancellation goes on when it has ended.

        Args:
            checkpoint: what to run.
            context: copied into the result's ``metadata``.
            priority: who goes first; None: as the checkpoint says.
            timeout: seconds until the result, waiting included; None: any time.

        Raises:
            NotRunningError: the pool was not started, or was stopped.
            TimeoutError: ``timeout`` went by; the run was cancelled.
            TypeError: it is no checkpoint.
        """
        (run,) = self._runs.accept(
            [checkpoint], context, priority=priority, has_caller=True
        )
        if timeout is None:
            return (await self._runs.results_of([run]))[0]
        told = f"{checkpoint.name} was not done within {{seconds}} s, waiting included"
        async with limit(timeout, told):
            return (await self._runs.results_of([run]))[0]

    async def submit_many(
        self,
        checkpoints: Sequence[Any],
        context: Mapping[str, Any] | None = None,
        *,
        priority: TaskPriority | None = None,
    ) -> list[CheckpointResult]:
        """Run several checkpoints and return their results, in their order.

        They are accepted together or not at all. If cancelled, so are they.

        Args:
            checkpoints: what to run.
            context: copied into the ``metadata`` of each result.
            priority: who goes first; None: as each checkpoint says.

        Raises:
            NotRunningError: the pool was not started, or was stopped.
            TypeError: one of them is no checkpoint.
        """
        runs = self._runs.accept(
            list(checkpoints), context, priority=priority, has_caller=True
        )
        return await self._runs.results_of(runs)

    def active_runs(self) -> list[dict[str, Any]]:
        """Return what waits and what runs: id, checkpoint, state, since when."""
        return self._runs.described()

    def get_stats(self) -> dict[str, Any]:
        """Return what it does and has done.

        ``running``: whether it accepts checkpoints; ``workers``; ``pending_tasks``:
        runs that are accepted and not delivered, of these ``running_runs`` and
        ``waiting_runs``; ``accepted_runs``, ``delivered_results``, ``by_status``.
        """
        return {
            "running": self._runs.is_open,
            "workers": self.workers,
            **self._runs.stats(),
        }
