"""Run coroutines: many at once, in order of urgency, with shared resources.

- :class:`AsyncRunner`: ``gather`` and ``map`` for many, ``submit`` for single jobs.
- :class:`TaskScheduler`: the slots and the queue below it.
- :class:`ResourcePool`: connections and the like, made once and handed round.
- :func:`async_run`, :func:`async_timeout`, :func:`async_background`.

Every task has an owner that waits for it: who submitted a job gets its result or its
error, and cancels it by being cancelled; who leaves the runner's ``async with`` block
leaves no job behind.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from types import TracebackType
from typing import Any, Literal, TypeVar, overload

from truthound._settings import settings
from truthound.async_core import _bulk
from truthound.async_core._limit import Limit, check_count, limit
from truthound.async_core._pool import PoolStats, ResourcePool
from truthound.async_core._scheduler import (
    SchedulerStats,
    TaskScheduler,
    not_a_coroutine,
)
from truthound.async_core._slots import TaskPriority
from truthound.async_core._stream import AsyncStream, check_callable
from truthound.errors import ConfigurationError, NotRunningError

__all__ = [
    "AsyncRunner",
    "NotRunningError",
    "PoolStats",
    "ResourcePool",
    "SchedulerStats",
    "TaskPriority",
    "TaskScheduler",
    "async_background",
    "async_run",
    "async_timeout",
]

T = TypeVar("T")
R = TypeVar("R")

_logger = logging.getLogger(__name__)

# The loop itself holds its tasks weakly.
_background: set[asyncio.Task[Any]] = set()


class AsyncRunner(TaskScheduler):
    """Run coroutines, at most ``max_workers`` of them at once.

    A :class:`TaskScheduler` that is open from the beginning, with ``gather`` and
    ``map`` for many at once. All that it is asked for shares its slots: two calls of
    ``gather`` and some of ``submit`` together run no more than ``max_workers``. Leaving
    the ``async with`` block waits for what was submitted; when the block raises or is
    cancelled, that is cancelled. It works without the block, too, until ``shutdown()``.

    Args:
        max_workers: 1 or more. None: ``TRUTHOUND_ASYNC_WORKERS``, else 10.

    Raises:
        ConfigurationError: ``max_workers`` is less than 1.

    Example:
        >>> async def double(number):
        ...     return number * 2
        >>> async def main():
        ...     async with AsyncRunner(max_workers=2) as runner:
        ...         return await runner.gather(double(n) for n in range(4))
        >>> asyncio.run(main())
        [0, 2, 4, 6]
    """

    def __init__(self, max_workers: int | None = None) -> None:
        if max_workers is None:
            max_workers = settings().workers
        check_count("max_workers", max_workers)
        super().__init__(max_workers)
        self.open()

    @property
    def max_workers(self) -> int:
        """How many coroutines run at once."""
        return self.max_concurrent

    async def __aenter__(self) -> AsyncRunner:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.shutdown(wait=error is None)

    @overload
    async def gather(
        self,
        coros: Iterable[Awaitable[T]],
        return_exceptions: Literal[False] = False,
    ) -> list[T]: ...
    @overload
    async def gather(
        self, coros: Iterable[Awaitable[T]], return_exceptions: bool
    ) -> list[T | BaseException]: ...
    async def gather(
        self, coros: Iterable[Awaitable[T]], return_exceptions: bool = False
    ) -> list[Any]:
        """Await many and return their results in the order given.

        They are taken one by one as slots come free, from a generator too, so that only
        those are made that run. Each counts as a job of priority NORMAL at the moment
        it is taken. They share the tasks and contexts of a few workers: what has to be
        cancelled alone, or sets context variables, is for ``submit``.

        Args:
            coros: coroutines or other awaitables, in a list or from a generator.
            return_exceptions: put exceptions into the list. If not, the first one is
                raised, after the others were cancelled and have ended.

        Raises:
            NotRunningError: the runner is shut down.
            Exception: the first that one of them raised.
        """
        return await _bulk.gather(self, coros, return_exceptions)

    def map(
        self, func: Callable[[T], Awaitable[R]], items: Iterable[T]
    ) -> AsyncStream[R]:
        """Return a stream of ``await func(item)`` for each item, in their order.

        For any number of items, at the pace of whoever reads the stream: at most
        ``2 * max_workers`` are begun and not yet delivered. An error of ``func`` is
        raised when its turn comes; what is under way is then cancelled, as it is when
        the stream is left early.

        Args:
            func: a coroutine function of one argument.
            items: any iterable, also an endless one. For an asynchronous one there is
                ``AsyncStream(items).map(func, concurrency=n)``.

        Raises:
            NotRunningError: when it is read, if the runner is shut down.
            TypeError: ``func`` cannot be called, ``items`` cannot be iterated.

        Example:
            >>> async def double(number):
            ...     return number * 2
            >>> async def main():
            ...     async with AsyncRunner(max_workers=2) as runner:
            ...         return await runner.map(double, range(4)).batch(2).collect()
            >>> asyncio.run(main())
            [[0, 2], [4, 6]]
        """
        check_callable(func, "map()")
        if not isinstance(items, Iterable):
            raise TypeError(
                f"items: expected an iterable, got {type(items).__name__}; an "
                "asynchronous one is for AsyncStream(items).map(func, concurrency=n)"
            )
        chunks: Any = _bulk.Mapped(self, func, items)
        return AsyncStream(chunks)


def async_run(coro: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in an event loop of its own and return its result.

    Raises:
        RuntimeError: called where a loop runs already; ``await`` it there.
        TypeError: ``coro`` is not a coroutine.
    """
    if not asyncio.iscoroutine(coro):
        raise TypeError(not_a_coroutine(coro))
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coro)
    coro.close()
    raise RuntimeError("an event loop runs here already: await the coroutine instead")


def async_timeout(seconds: float | None) -> Limit:
    """Limit the time of an ``async with`` block.

    Args:
        seconds: for the whole block; 0 or less ends it at its first await, None never.

    Raises:
        TimeoutError: by the block, when the time went by; what it awaited was cancelled
            and has ended. Its message tells the limit.
        ConfigurationError: ``seconds`` is not a number.
    """
    # No number is unequal to itself but NaN.
    is_number = isinstance(seconds, (int, float)) and seconds == seconds
    if not is_number and seconds is not None:
        raise ConfigurationError(f"seconds={seconds!r}: expected a number, or None")
    return limit(seconds, "it took longer than {seconds} s")


def async_background(
    coro: Coroutine[Any, Any, T], *, name: str | None = None
) -> asyncio.Task[T]:
    """Start a coroutine that runs beside its caller, and return its task.

    The task is held on to until it ends. If it fails, that is logged with its
    traceback, whether or not somebody awaits it. It ends with the event loop at the
    latest; what must not be cut off is better submitted to a runner.

    Args:
        coro: what to run.
        name: of the task, for messages; None: the name of the coroutine function.

    Raises:
        TypeError: ``coro`` is not a coroutine.
        RuntimeError: no event loop runs here.
    """
    if not asyncio.iscoroutine(coro):
        raise TypeError(not_a_coroutine(coro))
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        coro.close()
        raise
    task = loop.create_task(coro, name=name or getattr(coro, "__qualname__", None))
    _background.add(task)
    task.add_done_callback(_ended)
    return task


def _ended(task: asyncio.Task[Any]) -> None:
    _background.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        _logger.error("background task %s failed", task.get_name(), exc_info=error)
