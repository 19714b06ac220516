"""``AsyncCheckpointRunner``: runs checkpoints when their triggers say so."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from truthound._clock import SYSTEM_CLOCK, Clock
from truthound._words import plural
from truthound.checkpoint._callbacks import Callback
from truthound.checkpoint._running.active import INSIDE, ActiveRun
from truthound.checkpoint._running.config import AsyncRunnerConfig
from truthound.checkpoint._running.entries import Entries
from truthound.checkpoint._running.ledger import used_store
from truthound.checkpoint._running.registered import Registered
from truthound.checkpoint._running.results import ResultQueue
from truthound.checkpoint._running.runs import Runs
from truthound.checkpoint._running.shutdown import Shutdown
from truthound.checkpoint._running.signals import serve
from truthound.checkpoint.model import CheckpointResult, CheckpointStatus
from truthound.errors import RunnerStoppedError
from truthound.store import Journal, RunState

if TYPE_CHECKING:
    from truthound.store.database import Place

logger: logging.Logger = logging.getLogger("truthound.checkpoint")


class AsyncCheckpointRunner(Registered):
    """Runs checkpoints when their triggers say so, or when it is asked to.

    Every run that it accepts ends as one result, which goes to the callback, to whoever
    asked for the run, and to the queue that ``iter_results_async()`` reads. A fault
    stays with its part: it is logged and told to ``error_callback``, and everything
    else goes on.

    Args:
        config: all options at once; or give them one by one.
        result_callback: called with each result; a function or coroutine function.
        error_callback: called with each error that has no result of its own: of a
            trigger, a callback, an action.
        journal: where the states of runs are written; None: in memory.
        store: where runs, results and what they owe are kept: a ``Store``, a path or an
            address; None for ``TRUTHOUND_STORE``, and if that is not set for none;
            False for none in any case.
        recovery: what becomes of runs in it whose process has ended: ``interrupted``,
            or ``rerun``, at most three times in all.
        clock: tells the time; for tests.
        options: fields of :class:`AsyncRunnerConfig`.

    Raises:
        ConfigurationError: an option that does not exist (a ``TypeError``, too) or is
            out of range (a ``ValueError``).

    Example::

        runner = AsyncCheckpointRunner(result_callback=print)
        runner.add_checkpoint(rides)
        async with runner:
            async for result in runner.iter_results_async():
                ...
    """

    def __init__(
        self,
        config: AsyncRunnerConfig | None = None,
        result_callback: Callback | None = None,
        error_callback: Callback | None = None,
        *,
        journal: Journal | None = None,
        store: Place = None,
        recovery: str = "interrupted",
        clock: Clock = SYSTEM_CLOCK,
        **options: Any,
    ) -> None:
        config = AsyncRunnerConfig.of(self, config, options)
        self.config: AsyncRunnerConfig = config
        self.clock = clock
        self.stopped_because: str | None = None
        self._runs = Runs(
            config.max_concurrent_checkpoints,
            clock=clock,
            journal=journal,
            on_result=result_callback,
            on_error=error_callback,
            hand_over=self._hand_over,
            on_counted=self._counted,
            store=used_store(store, journal),
            recovery=recovery,
            registered=lambda: self.checkpoints,
        )
        self._entries = Entries(self._runs, clock, config.trigger_poll_interval)
        self._result_queue = ResultQueue(
            config.result_queue_size, self._runs.report_soon
        )
        self._is_running = False
        self._guests = 0  # calls of run_once_async and run_all_async without a start
        self._shutdown: Shutdown | None = None  # of the last start

    def __repr__(self) -> str:
        state = "running" if self._is_running else "not running"
        number = plural(len(self._entries), "checkpoint")
        return f"AsyncCheckpointRunner({number}, {state})"

    @property
    def running(self) -> bool:
        """Whether it was started and is not yet being stopped."""
        return self._is_running

    async def run_once_async(
        self, checkpoint: Any, context: Mapping[str, Any] | None = None
    ) -> CheckpointResult:
        """Run a checkpoint now, in one of the slots, and return its result.

        If cancelled, so is the run, and the cancellation goes on when it has ended.
        Without a start the result goes to the queue only if that has a place.

        Args:
            checkpoint: one of the runner's by name, or any.
            context: copied into the result's ``metadata``.

        Raises:
            UnknownNameError: there is none of that name (a ``ValueError``).
        """
        async with self._opened():
            (result,) = await self._ran([self._found(checkpoint)], context)
            return result

    async def run_all_async(
        self, context: Mapping[str, Any] | None = None
    ) -> list[CheckpointResult]:
        """Run all checkpoints now, and return their results in the order of adding.

        Args:
            context: copied into the ``metadata`` of each result.
        """
        async with self._opened():
            checkpoints = [entry.checkpoint for entry in self._entries.all()]
            return await self._ran(checkpoints, context)

    def run_now(self, name: str, context: Mapping[str, Any] | None = None) -> str:
        """Start a run of a checkpoint without waiting for it.

        Returns:
            The run's id.

        Raises:
            UnknownNameError: there is none of that name.
            NotRunningError: the runner does not run.
        """
        return self._entries.get(name).start_run(None, context or {})

    async def run_now_async(
        self, name: str, context: Mapping[str, Any] | None = None
    ) -> str:
        """Start a run, and return its id when it is written down that it was accepted.

        With a store the run is not lost from then on, whatever becomes of the process:
        it has an end there, if not from this process then from the next one.

        Args:
            name: of the checkpoint.
            context: copied into the result's ``metadata``.

        Raises:
            UnknownNameError: there is none of that name.
            NotRunningError: the runner does not run.
            StoreError: it cannot be written down for now; the run goes on.
        """
        run_id = self.run_now(name, context)
        await self._runs.written(run_id)
        return run_id

    def cancel_run(self, run_id: str) -> bool:
        """Cancel a run; its result is an error that says so.

        Returns:
            Whether it was under way.
        """
        run = self._runs.active.get(run_id)
        return run is not None and self._runs.cut(run, "cancelled", RunState.CANCELLED)

    def active_runs(self) -> list[dict[str, Any]]:
        """Return what waits and what runs: id, checkpoint, state, trigger, times."""
        return self._runs.described()

    async def start_async(self) -> None:
        """Start the triggers. Where it runs already nothing happens.

        Raises:
            ConfigurationError: checkpoints wait for each other in a circle.
            StoreError: the store is damaged, or cannot be reached.
        """
        if self._is_running:
            return
        if self._shutdown is not None:
            await self._shutdown.over()
        self._entries.check_circles()
        self._is_running, self.stopped_because = True, None
        self._runs.delivery.counts.consecutive_failures = 0
        self._result_queue.open()
        self._shutdown = Shutdown(self._end_triggers, self._end_runs)
        try:
            await self._runs.open()
            await self._entries.begin()
        except BaseException:
            await self._stop(0.0)
            raise

    async def stop_async(self, wait: bool = True) -> None:
        """Stop: begin nothing more, wait for what runs, then cut it off.

        Runs that wait for a slot are not begun; runs that have not ended after
        ``graceful_shutdown_timeout`` are cut off. Both come as results with the status
        error and ``error="interrupted…"``. After this the queue holds all results that
        nobody has read yet, whatever its size.

        If cancelled, it cuts off at once, and the cancellation goes on after that.

        Args:
            wait: False: cut off at once.
        """
        await self._stop(self.config.graceful_shutdown_timeout if wait else 0.0)

    async def __aenter__(self) -> AsyncCheckpointRunner:
        await self.start_async()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop_async(wait=error is None)

    async def serve_async(self) -> int | None:
        """Start, and run until somebody stops it or the process is told to end.

        SIGINT (Ctrl-C) and SIGTERM stop it as :meth:`stop_async` does, a second one
        cuts off at once. Where handlers cannot be set (not the main thread, Windows)
        only the first of these holds.

        Returns:
            The number of the signal; None without one.
        """
        return await serve(self)

    async def wait_stopped_async(self) -> None:
        """Wait until the runner is stopped, by itself or by somebody."""
        if self._shutdown is not None:
            await self._shutdown.over()

    async def iter_results_async(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - the documented name
    ) -> AsyncIterator[CheckpointResult]:
        """Yield results as they come, until the runner has stopped and none is left.

        Each result goes to one of those who iterate.

        Args:
            timeout: end when no result has come for so many seconds, too.

        Raises:
            ConfigurationError: there is no queue (``result_queue_size=None``).
        """
        async for result in self._result_queue.iterate(timeout):
            yield result

    async def get_results_async(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - the documented name
        max_results: int = 100,
    ) -> list[CheckpointResult]:
        """Return results that are there, waiting for the first one.

        Args:
            timeout: seconds to wait for it; None: 0.1.
            max_results: at most so many.
        """
        return await self._result_queue.some(timeout, max_results)

    async def wait_for_completion_async(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - the documented name
    ) -> bool:
        """Wait until no run is under way; False: not within ``timeout`` seconds."""
        return await self._runs.idle(timeout)

    def get_stats(self) -> dict[str, Any]:
        """Return what it does and has done; the page on scheduling explains it all."""
        entries = self._entries.all()
        return {
            "running": self._is_running,
            "checkpoints": len(entries),
            **self._runs.stats(),
            "waiting_results": self._result_queue.waiting,
            "queued_results": self._result_queue.qsize(),
            "consecutive_failures": self._runs.delivery.counts.consecutive_failures,
            "missed_times": self._entries.missed,
            "paused": sorted(entry.name for entry in entries if entry.is_paused),
            "stopped_because": self.stopped_because,
        }

    async def _ran(
        self, checkpoints: list[Any], context: Mapping[str, Any] | None
    ) -> list[CheckpointResult]:
        runs = self._runs.accept(checkpoints, context, has_caller=True)
        for run in runs:
            run.is_guest = not self._is_started()
            self._entries.count(run)
        return await self._runs.results_of(runs)

    def _found(self, checkpoint: Any) -> Any:
        if isinstance(checkpoint, str):
            return self._entries.get(checkpoint).checkpoint
        return checkpoint

    @contextlib.asynccontextmanager
    async def _opened(self) -> AsyncIterator[None]:
        """Accept runs in the block, also while the runner does not run."""
        if self._is_started():
            yield
            return
        self._guests += 1
        try:
            await self._runs.open()
            yield
        finally:
            self._guests -= 1
            if not self._guests and not self._is_started():
                await self._runs.stop(None)

    def _is_started(self) -> bool:
        shutdown = self._shutdown
        return self._is_running or (shutdown is not None and shutdown.is_under_way)

    def _counted(self, run: ActiveRun, result: CheckpointResult) -> None:
        self._entries.has_ended(result)
        if run.verdict is not None or not self._is_running:
            return
        if result.status != CheckpointStatus.ERROR:
            return
        number = self._runs.delivery.counts.consecutive_failures
        if self.config.stop_on_error:
            self._stop_itself(f"stop_on_error: {result.summary()}")
        elif number >= self.config.max_consecutive_failures:
            self._stop_itself(
                f"max_consecutive_failures: {number} runs in a row ended as error, the "
                f"last one {result.summary()}"
            )

    def _stop_itself(self, why: str) -> None:
        if self._is_running and self._shutdown is not None:
            self._is_running, self.stopped_because = False, why
            logger.error("the runner stops: %s", why)
            self._runs.report_soon(RunnerStoppedError(why))
            self._shutdown.begin(self.config.graceful_shutdown_timeout)

    async def _stop(self, grace: float) -> None:
        self._is_running = False
        # Code that the runner waits for cannot wait for the end of the runner.
        waits = INSIDE.get() is not self._runs
        if self._shutdown is not None:
            await self._shutdown.finish(grace, waits=waits)
        if self._guests and waits:
            await self._runs.stop(grace)

    async def _end_triggers(self) -> None:
        self._runs.is_open = False
        await self._entries.end()

    async def _end_runs(self, grace: float) -> None:
        try:
            await self._runs.stop(grace, self._result_queue.lift)
        finally:
            self._result_queue.finish()

    async def _hand_over(self, run: ActiveRun, result: CheckpointResult) -> None:
        if run.is_guest:
            self._result_queue.offer(result)
        else:
            await self._result_queue.deliver(result)
