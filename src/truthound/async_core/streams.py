"""Streams of items: lazy, pulled by the consumer, bounded in memory.

A stream is a plan: a source and what is to be done with its items. Nothing runs before
somebody iterates, collects, reduces or counts, and each of these runs the plan anew.

::

    stream = AsyncStream(rows()).map(parse).filter(is_valid).batch(100)
    async for rows in stream:
        await save(rows)

What holds for every stage:

- Functions may be sync, async, or sync and return an awaitable; a sync one costs no
  await.
- An item is delivered as soon as its source waits. While a source does not wait, items
  go from stage to stage in chunks: at first of one, then of about as many as are used
  up in 5 ms, at most 1,024. So much is read ahead of the consumer, except by
  ``take(n)``, which reads no more than it can use, and from an `AsyncQueue`, which is
  read item by item.
- Other tasks get their turn after each chunk and about every 5 ms of work.
- When the consumer stops early, fails or is cancelled, each stage closes the one
  before it, and the source is closed (``aclose()``, or ``close()`` of a generator)
  before the error goes on. ``async for`` does not tell an iterator that the loop was
  left: Python closes it in the next turns of the event loop. To have it closed at
  once, iterate over ``aiter(stream)`` inside ``async with contextlib.aclosing(…)``, or
  say how much you want with ``take``.
- The items before an error are delivered before it is raised.
- An async source is iterated, and closed, by one task of its own, which ends with the
  iteration; so it sees a copy of the consumer's context variables.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Any, Generic, Protocol, TypeVar, overload

from truthound.async_core._stream import AsyncStream, at_least, check_callable
from truthound.async_core._stream_queue import ClosableQueue
from truthound.async_core._stream_sources import Source
from truthound.errors import QueueClosed

__all__ = [
    "AsyncPipeline",
    "AsyncQueue",
    "AsyncStream",
    "QueueClosed",
    "Stage",
    "async_batch",
    "async_filter",
    "async_map",
    "async_merge",
    "async_window",
]

T = TypeVar("T")
U = TypeVar("U")
In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)


class AsyncQueue(ClosableQueue[T], Generic[T]):
    """A queue between tasks that makes producers wait when it is full, and ends.

    Whoever waits is served in the order of coming.

    Args:
        maxsize: how many items it holds; `put` waits while it is full. 0: any number.

    Raises:
        TypeError: ``maxsize`` is no whole number.
        ValueError: it is negative.

    Example::

        queue = AsyncQueue[int](maxsize=10)
        await queue.put(42)
        queue.close()
        assert await queue.get() == 42  # the next get() raises QueueClosed
    """

    def __init__(self, maxsize: int = 0) -> None:
        super().__init__(at_least(0, maxsize, "maxsize"))

    def stream(self) -> AsyncStream[T]:
        """Stream what is taken out, until the queue is closed and empty.

        Several streams of one queue share its items, each item going to one.
        """
        return AsyncStream(self)


class Stage(Protocol[Out]):
    """What a pipeline is made of: takes a stream, returns something to iterate.

    An async generator function that takes a stream is one.
    """

    def __call__(self, source: Any, /) -> AsyncIterable[Out]:
        """Return what to iterate; nothing of the source is read yet."""


class _Stage(Generic[In, Out]):
    """A method of `AsyncStream`, to be applied to a source later."""

    def __init__(self, apply: Callable[[AsyncStream[Any]], AsyncStream[Any]]) -> None:
        self._apply = apply

    def __call__(self, source: Source[In], /) -> AsyncStream[Out]:
        return self._apply(AsyncStream(source))


class AsyncPipeline:
    """Stages in a row, to be used for any number of sources.

    A pipeline is a stage itself: called with a source, it returns a stream.

    Example::

        pipeline = AsyncPipeline()
        pipeline.add_stage(async_map(lambda x: x * 2))
        pipeline.add_stage(async_filter(lambda x: x > 50))
        assert await pipeline.process([20, 30]) == [60]
    """

    def __init__(self) -> None:
        self.stages: list[Stage[Any]] = []

    def add_stage(self, stage: Stage[Any]) -> AsyncPipeline:
        """Add a stage at the end; returns this pipeline, to go on with.

        Args:
            stage: what `async_map` and the others return, a pipeline, or a function
                that takes a stream and returns something to iterate.

        Raises:
            TypeError: it cannot be called.
        """
        check_callable(stage, "add_stage()")
        self.stages.append(stage)
        return self

    def __call__(self, source: Source[Any], /) -> AsyncStream[Any]:
        """Return the stream that comes out; nothing runs yet."""
        return functools.reduce(
            lambda stream, stage: AsyncStream(stage(stream)),
            self.stages,
            AsyncStream(source),
        )

    async def process(self, source: Source[Any]) -> list[Any]:
        """Return all that comes out, in a list."""
        return await self(source).collect()

    def compose(self, *others: AsyncPipeline) -> AsyncPipeline:
        """Return a new pipeline: the stages of this one, then those of others."""
        composed = AsyncPipeline()
        composed.stages = [*self.stages]
        for other in others:
            if not isinstance(other, AsyncPipeline):
                raise TypeError(
                    f"compose() expects pipelines, not {type(other).__name__}; "
                    "add_stage() takes a single stage"
                )
            composed.stages += other.stages
        return composed


@overload
def async_map(
    func: Callable[[T], Awaitable[U]], *, concurrency: int = 1, ordered: bool = True
) -> _Stage[T, U]: ...
@overload
def async_map(
    func: Callable[[T], U], *, concurrency: int = 1, ordered: bool = True
) -> _Stage[T, U]: ...
def async_map(
    func: Callable[[Any], Any], *, concurrency: int = 1, ordered: bool = True
) -> _Stage[Any, Any]:
    """Return a stage that replaces items; see `AsyncStream.map`."""
    AsyncStream(()).map(func, concurrency=concurrency, ordered=ordered)  # refuse now
    return _Stage(lambda s: s.map(func, concurrency=concurrency, ordered=ordered))


def async_filter(predicate: Callable[[T], object]) -> _Stage[T, T]:
    """Return a stage that keeps items; see `AsyncStream.filter`."""
    check_callable(predicate, "filter()")
    return _Stage(lambda stream: stream.filter(predicate))


def async_batch(size: int) -> _Stage[Any, list[Any]]:
    """Return a stage that groups items; see `AsyncStream.batch`."""
    at_least(1, size, "size")
    return _Stage(lambda stream: stream.batch(size))


def async_window(size: int, step: int = 1) -> _Stage[Any, list[Any]]:
    """Return a stage that shows windows; see `AsyncStream.window`."""
    at_least(1, size, "size")
    at_least(1, step, "step")
    return _Stage(lambda stream: stream.window(size, step))


def async_merge(*streams: Source[T]) -> AsyncStream[T]:
    """Deliver the items of several streams as they come.

    Each stream is read by a task of its own, which holds one chunk until it is used
    up; none is read further while the consumer works. Of streams that have items at
    the same time, each delivers one in turn. The first error ends all of them.

    If cancelled or left early, all tasks end and all streams are closed before the
    cancellation goes on. What a task held then is gone.

    Args:
        streams: iterables or async iterables; none make an empty stream.

    Raises:
        TypeError: one of them is neither.
    """
    return AsyncStream._merged(*streams)
