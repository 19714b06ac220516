"""``CheckpointRunner``: the runner for programs without an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import Any, TypeVar

from truthound._clock import SYSTEM_CLOCK, Clock
from truthound.async_core.runner import async_background
from truthound.checkpoint._callbacks import Callback
from truthound.checkpoint._running.config import AsyncRunnerConfig
from truthound.checkpoint._running.runner import AsyncCheckpointRunner
from truthound.checkpoint.model import CheckpointResult
from truthound.store import Journal

T = TypeVar("T")


class CheckpointRunner:
    """An :class:`AsyncCheckpointRunner` in a thread of its own; its methods block.

    Callbacks are called in that thread. As ``with`` block it is stopped at the end.

    Args:
        config: all options at once; or give them one by one.
        result_callback: called with each result.
        error_callback: called with each error that has no result of its own.
        journal: where the states of runs are written; None: in memory.
        clock: tells the time; for tests.
        options: fields of :class:`AsyncRunnerConfig`.

    Raises:
        UnknownOptionError: an option that does not exist (a ``TypeError``).
        ConfigurationError: an option out of range (a ``ValueError``).

    Example::

        with CheckpointRunner(result_callback=print) as runner:
            runner.add_checkpoint(rides)
            for result in runner.iter_results(timeout=60):
                ...
    """

    def __init__(
        self,
        config: AsyncRunnerConfig | None = None,
        result_callback: Callback | None = None,
        error_callback: Callback | None = None,
        *,
        journal: Journal | None = None,
        clock: Clock = SYSTEM_CLOCK,
        **options: Any,
    ) -> None:
        self._runner = AsyncCheckpointRunner(
            config,
            result_callback,
            error_callback,
            journal=journal,
            clock=clock,
            **options,
        )
        self._lock = threading.Lock()
        self._users = 0  # calls that need the thread, and a start is one
        self._is_started = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._ended: asyncio.Event | None = None

    def __repr__(self) -> str:
        return repr(self._runner).replace("Async", "", 1)

    @property
    def config(self) -> AsyncRunnerConfig:
        """The options."""
        return self._runner.config

    @property
    def running(self) -> bool:
        """Whether it was started and is not yet being stopped."""
        return self._runner.running

    @property
    def checkpoints(self) -> dict[str, Any]:
        """The checkpoints by their names; a copy."""
        return self._runner.checkpoints

    def add_checkpoint(self, checkpoint: Any) -> CheckpointRunner:
        """Add a checkpoint, and return the runner; see the asynchronous one."""
        self._do(lambda: self._runner.add_checkpoint(checkpoint))
        return self

    def remove_checkpoint(self, name: str) -> bool:
        """Remove a checkpoint; tell whether there was one of that name."""
        return self._do(lambda: self._runner.remove_checkpoint(name))

    def start(self) -> None:
        """Start the triggers, in a thread."""
        self._enter()
        try:
            self._await(self._runner.start_async)
        except BaseException:
            self._leave()
            raise
        with self._lock:
            was_started, self._is_started = self._is_started, True
        if was_started:
            self._leave()

    def stop(self, wait: bool = True) -> None:
        """Stop in two steps; see ``stop_async`` of the asynchronous runner.

        Called by a callback it returns at once, and the runner stops after that.
        """
        with self._lock:
            was_started, self._is_started = self._is_started, False
        if not was_started:
            return
        if threading.current_thread() is self._thread:
            async_background(self._stop_later(wait))
            return
        try:
            self._await(lambda: self._runner.stop_async(wait))
        finally:
            self._leave()

    async def _stop_later(self, wait: bool) -> None:
        try:
            await self._runner.stop_async(wait)
            await self._runner.wait_stopped_async()
        finally:
            self._leave()

    def __enter__(self) -> CheckpointRunner:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop(wait=error is None)

    def run_once(
        self, checkpoint: Any, context: Mapping[str, Any] | None = None
    ) -> CheckpointResult:
        """Run a checkpoint now and return its result."""
        return self._alone(lambda: self._runner.run_once_async(checkpoint, context))

    def run_all(
        self, context: Mapping[str, Any] | None = None
    ) -> list[CheckpointResult]:
        """Run all checkpoints now and return their results, in the order of adding."""
        return self._alone(lambda: self._runner.run_all_async(context))

    def pause(self, name: str | None = None) -> None:
        """Let the triggers of a checkpoint, or of all, start no runs."""
        self._do(lambda: self._runner.pause(name))

    def resume(self, name: str | None = None) -> None:
        """Let them start runs again."""
        self._do(lambda: self._runner.resume(name))

    def cancel_run(self, run_id: str) -> bool:
        """Cancel a run; tell whether it was under way."""
        return self._do(lambda: self._runner.cancel_run(run_id))

    def get_results(
        self, timeout: float | None = None, max_results: int = 100
    ) -> list[CheckpointResult]:
        """Return results that are there, waiting for the first one."""
        return self._alone(lambda: self._runner.get_results_async(timeout, max_results))

    def iter_results(self, timeout: float | None = None) -> Iterator[CheckpointResult]:
        """Yield results as they come, until the runner has stopped and none is left.

        Args:
            timeout: end when no result has come for so many seconds, too.
        """

        async def one() -> CheckpointResult | None:
            async for result in self._runner.iter_results_async(timeout):
                return result
            return None

        while (result := self._alone(one)) is not None:
            yield result

    def wait_for_completion(self, timeout: float | None = None) -> bool:
        """Wait until no run is under way; False: not within ``timeout`` seconds."""
        return self._alone(lambda: self._runner.wait_for_completion_async(timeout))

    def get_stats(self) -> dict[str, Any]:
        """Return what it does and has done; see the asynchronous runner."""
        return self._do(self._runner.get_stats)

    def _alone(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Await something; without a start in a thread that ends with it."""
        self._enter()
        try:
            return self._await(make)
        finally:
            self._leave()

    def _await(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if threading.current_thread() is self._thread:
            raise RuntimeError(
                "called by a callback, in the runner's own thread, which it would hold "
                "up for ever: use the AsyncCheckpointRunner there"
            )
        assert self._loop is not None
        future: Future[T] = asyncio.run_coroutine_threadsafe(make(), self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _do(self, call: Callable[[], T]) -> T:
        if self._thread is None or threading.current_thread() is self._thread:
            return call()

        async def called() -> T:
            return call()

        return self._alone(called)

    def _enter(self) -> None:
        """Have a thread with a loop, until :meth:`_leave`."""
        with self._lock:
            self._users += 1
            if self._loop is None:
                ready: Future[asyncio.AbstractEventLoop] = Future()
                self._thread = threading.Thread(
                    target=lambda: asyncio.run(self._live(ready)),
                    name="truthound-runner",
                    daemon=True,
                )
                self._thread.start()
                self._loop = ready.result()

    async def _live(self, ready: Future[asyncio.AbstractEventLoop]) -> None:
        self._ended = asyncio.Event()
        ready.set_result(asyncio.get_running_loop())
        await self._ended.wait()

    def _leave(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users:
                return
            loop, thread, ended = self._loop, self._thread, self._ended
            self._loop = self._thread = None
        if loop is not None and thread is not None and ended is not None:
            loop.call_soon_threadsafe(ended.set)
            if thread is not threading.current_thread():
                thread.join()
