"""`AsyncStream`: the plan; what its stages do is in the modules beside this one."""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Iterable,
)
from functools import partial
from typing import Any, Generic, TypeVar, overload

from truthound.async_core import _stream_stages as stages
from truthound.async_core import _stream_tasks as tasks
from truthound.async_core._stream_sources import (
    Chunked,
    Chunks,
    Opener,
    Source,
    Want,
    each,
    everything,
    is_awaitable,
    opener,
    reading,
)

T = TypeVar("T")
U = TypeVar("U")


class AsyncStream(Chunked[T], Generic[T]):
    """A source and what is to be done with its items; each method returns a new one.

    Args:
        source: any iterable or async iterable. One that can be iterated only once (a
            generator) makes a stream that can be run only once.

    Raises:
        TypeError: the source is neither.

    Example::

        stream = AsyncStream([1, 2, 3, 4, 5])
        doubled = stream.map(lambda x: x * 2).filter(lambda x: x > 5)
        assert await doubled.collect() == [6, 8, 10]
    """

    __slots__ = ("_before", "_steps")

    def __init__(self, source: Source[T]) -> None:
        self._before: Opener[Any] = opener(source, "the source of a stream")
        self._steps: tuple[stages.Step, ...] = ()  # run together, after ``before``

    @overload
    def map(
        self,
        func: Callable[[T], Awaitable[U]],
        *,
        concurrency: int = 1,
        ordered: bool = True,
    ) -> AsyncStream[U]: ...
    @overload
    def map(
        self, func: Callable[[T], U], *, concurrency: int = 1, ordered: bool = True
    ) -> AsyncStream[U]: ...
    def map(
        self, func: Callable[[T], Any], *, concurrency: int = 1, ordered: bool = True
    ) -> AsyncStream[Any]:
        """Replace each item by what a function makes of it.

        Args:
            func: takes an item; what it returns is awaited if it is awaitable.
            concurrency: how many calls run at once, each in one of as many tasks. At
                most twice as many are begun and not yet delivered, so a slow consumer
                holds up the calls. Worth it for functions that wait.
            ordered: deliver in the order of the items; False: as they are done.

        Raises:
            TypeError: ``func`` cannot be called, ``concurrency`` is no whole number.
            ValueError: ``concurrency`` is less than 1.
        """
        check_callable(func, "map()")
        if at_least(1, concurrency, "concurrency") == 1:
            return self._with_step(stages.Step(func, is_filter=False))
        return self._then(
            partial(tasks.map_at_once, self._chunks, func, concurrency, ordered)
        )

    def filter(self, predicate: Callable[[T], object]) -> AsyncStream[T]:
        """Keep the items for which a function returns something true.

        Args:
            predicate: takes an item; what it returns is awaited if it is awaitable.

        Raises:
            TypeError: it cannot be called.
        """
        check_callable(predicate, "filter()")
        return self._with_step(stages.Step(predicate, is_filter=True))

    @overload
    def flat_map(self, func: Callable[[T], AsyncIterable[U]]) -> AsyncStream[U]: ...
    @overload
    def flat_map(self, func: Callable[[T], Iterable[U]]) -> AsyncStream[U]: ...
    @overload
    def flat_map(self, func: Callable[[T], Awaitable[Source[U]]]) -> AsyncStream[U]: ...
    def flat_map(self, func: Callable[[T], Any]) -> AsyncStream[Any]:
        """Replace each item by the items of what a function makes of it, in order.

        Args:
            func: takes an item and returns an iterable or an async iterable, or an
                awaitable of one.

        Raises:
            TypeError: it cannot be called; while iterating, what it returned cannot
                be iterated.
        """
        check_callable(func, "flat_map()")
        return self._then(partial(stages.flatten, self._chunks, func))

    def take(self, number: int) -> AsyncStream[T]:
        """Stop after so many items, and read no more of the source than it takes.

        Args:
            number: of items; 0 makes an empty stream.

        Raises:
            TypeError: it is no whole number.
            ValueError: it is negative.
        """
        at_least(0, number, "number")
        return self._then(partial(stages.take, self._chunks, number))

    def batch(self, size: int) -> AsyncStream[list[T]]:
        """Group items into lists of a size; the last may be shorter.

        Args:
            size: items in a list. A list waits until it is full.

        Raises:
            TypeError: it is no whole number.
            ValueError: it is less than 1.
        """
        at_least(1, size, "size")
        return self._then(partial(stages.batch, self._chunks, size))

    def window(self, size: int, step: int = 1) -> AsyncStream[list[T]]:
        """Show runs of neighbours: items 0 to size - 1, step to step + size - 1, ….

        A rest that does not fill a window is not shown.

        Args:
            size: items in each window.
            step: items from the beginning of one window to that of the next; more
                than ``size`` leaves items out.

        Raises:
            TypeError: one of them is no whole number.
            ValueError: one of them is less than 1.
        """
        at_least(1, size, "size")
        at_least(1, step, "step")
        return self._then(partial(stages.window, self._chunks, size, step))

    def merge(self, *others: Source[T]) -> AsyncStream[T]:
        """Deliver the items of this stream and of others as they come.

        See `async_merge`.
        """
        return AsyncStream._merged(self, *others)

    async def collect(self) -> list[T]:
        """Return all items in a list."""
        items: list[T] = []
        async with reading(self._chunks(everything)) as chunks:
            async for chunk in chunks:
                items += chunk
        return items

    @overload
    async def reduce(self, func: Callable[[U, T], Awaitable[U]], initial: U) -> U: ...
    @overload
    async def reduce(self, func: Callable[[U, T], U], initial: U) -> U: ...
    async def reduce(self, func: Callable[[Any, T], Any], initial: Any) -> Any:
        """Return ``func(… func(func(initial, first), second) …, last)``.

        Args:
            func: takes the value so far and an item; what it returns is awaited if it
                is awaitable.
            initial: the first value, and the result of an empty stream.

        Raises:
            TypeError: ``func`` cannot be called.
        """
        check_callable(func, "reduce()")
        value = initial
        async with reading(self._chunks(everything)) as chunks:
            async for chunk in chunks:
                for item in chunk:
                    value = func(value, item)
                    if is_awaitable(value):
                        value = await value
        return value

    async def count(self) -> int:
        """Return how many items there are."""
        number = 0
        async with reading(self._chunks(everything)) as chunks:
            async for chunk in chunks:
                number += len(chunk)
        return number

    def __aiter__(self) -> AsyncGenerator[T, None]:
        return each(self._chunks, everything)

    def _chunks(self, want: Want) -> Chunks[T]:
        if not self._steps:
            return self._before(want)
        return stages.apply(self._before, self._steps, want)

    def _with_step(self, step: stages.Step) -> AsyncStream[Any]:
        if len(self._steps) == 1 and stages.fits(self._steps[0], step):
            return self._then(self._before, (*self._steps, step))
        return self._then(self._chunks if self._steps else self._before, (step,))

    @staticmethod
    def _merged(*sources: Source[U]) -> AsyncStream[U]:
        befores = [opener(source, "what is merged") for source in sources]
        return AsyncStream._then(partial(tasks.merge, befores))

    @staticmethod
    def _then(
        before: Opener[Any], steps: tuple[stages.Step, ...] = ()
    ) -> AsyncStream[Any]:
        stream: AsyncStream[Any] = AsyncStream.__new__(AsyncStream)
        stream._before = before
        stream._steps = steps
        return stream


def check_callable(value: object, owner: str) -> None:
    """Refuse what is no function."""
    if not callable(value):
        raise TypeError(f"{owner} expects a function, not {type(value).__name__}")


def at_least(least: int, value: int, name: str) -> int:
    """Refuse what is no whole number, or too small a one."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, not {type(value).__name__}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {value}")
    return value
