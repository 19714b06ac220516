"""Where the items of a stream come from, and the pace at which they are read.

Between the stages of a stream flow lists ("chunks") of at most `CHUNK` items, never
empty. A stage is an async generator of chunks that opens the stage before it, asks it
for one chunk at a time and closes it, however it ends.

`Want` flows the other way: it says how many items the consumer can use at most, so
that ``take(3)`` reads three items of a source and not a thousand.
"""

from __future__ import annotations

import asyncio
import inspect
from abc import ABC, abstractmethod
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Sequence,
)
from functools import partial
from itertools import islice
from types import CoroutineType
from typing import Generic, TypeAlias, TypeVar, cast

from truthound._clock import SYSTEM_CLOCK
from truthound.async_core._tasks import reraise, stop, wake

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Want: TypeAlias = Callable[[], int]
Chunks: TypeAlias = AsyncGenerator[list[T], None]
Opener: TypeAlias = Callable[[Want], Chunks[T]]
Source: TypeAlias = AsyncIterable[T] | Iterable[T]

CHUNK = 1024  # items that go from stage to stage at once, at most
SLICE = 0.005  # seconds of work, about, between two turns of the event loop

# What functions mostly return, and what is never awaitable.
_PLAIN: frozenset[type] = frozenset(
    {
        type(None),
        bool,
        bytes,
        dict,
        float,
        frozenset,
        int,
        list,
        set,
        str,
        tuple,
    }
)
_monotonic = SYSTEM_CLOCK.monotonic


class Chunked(ABC, Generic[T_co]):
    """What can be read by the chunk: a stream, a queue."""

    @abstractmethod
    def _chunks(self, want: Want) -> Chunks[T_co]:
        """Begin to read."""


def everything() -> int:
    """Want all there is."""
    return CHUNK


def is_awaitable(value: object) -> bool:
    """Tell whether a function's answer has yet to be awaited."""
    kind = type(value)
    return kind is CoroutineType or (kind not in _PLAIN and inspect.isawaitable(value))


class Pace:
    """How many items to read at once: about as many as are used up in `SLICE`.

    It begins with one, doubles while a chunk takes less than half of that and is
    halved when one takes longer. So a slow consumer finds little read ahead of it, and
    a slow function does not hold the event loop for a thousand calls.
    """

    def __init__(self) -> None:
        self.size = 1

    def adapt(self, spent: float) -> None:
        """Take note of the seconds that making and using up a chunk took."""
        if spent > SLICE:
            self.size = max(1, self.size // 2)
        elif spent * 2 < SLICE:
            self.size = min(CHUNK, self.size * 2)


class Turns:
    """Lets other tasks run after `CHUNK` items or `SLICE` seconds."""

    def __init__(self) -> None:
        self._items = 0
        self._since = _monotonic()

    async def after(self, items: int) -> None:
        """Give way to others if it is time to, now that so many items are done."""
        self._items += items
        if self._items >= CHUNK or _monotonic() - self._since >= SLICE:
            await asyncio.sleep(0)
            self._items = 0
            self._since = _monotonic()


async def each(before: Opener[T], want: Want) -> AsyncGenerator[T, None]:
    """Deliver the items of chunks one by one."""
    async with reading(before(want)) as chunks:
        async for chunk in chunks:
            for item in chunk:
                yield item


class reading(Generic[T]):  # noqa: N801 - stands after "async with", as aclosing does
    """Closes what is read when the block ends, and lets no cancellation get lost.

    An error while closing is raised, unless the block was cancelled: the cancellation
    goes on, and the error is reported to the event loop's exception handler.
    """

    def __init__(self, chunks: AsyncGenerator[T, None]) -> None:
        self._chunks = chunks

    async def __aenter__(self) -> AsyncGenerator[T, None]:
        return self._chunks

    async def __aexit__(self, _: object, error: object, __: object) -> None:
        try:
            await self._chunks.aclose()
        except Exception as failure:  # noqa: BLE001 - raised or reported
            raise_unless_cancelled(failure, error)


def raise_unless_cancelled(failure: BaseException, error: object) -> None:
    """Raise what closing raised, or report it where ``error`` is a cancellation."""
    if not isinstance(error, asyncio.CancelledError):
        reraise(failure)
    asyncio.get_running_loop().call_exception_handler(
        {
            "message": "closing the source of a cancelled stream failed",
            "exception": failure,
        }
    )


def opener(source: Source[T], what: str) -> Opener[T]:
    """Return how to read a source; nothing is read yet.

    Raises:
        TypeError: it is not iterable.
    """
    if isinstance(source, Chunked):
        return cast("Chunked[T]", source)._chunks
    if isinstance(source, AsyncIterable):
        return partial(_read_async, source)
    if is_awaitable(source):  # futures have __iter__ all the same
        hint = "; await it"
    elif type(source) in {list, tuple}:
        return partial(_read_list, cast("Sequence[T]", source))
    elif isinstance(source, Iterable):
        return partial(_read, source)
    else:
        hint = "; call it" if callable(source) else ""
    raise TypeError(
        f"{what} must be an iterable or an async iterable, "
        f"not {type(source).__name__}{hint}"
    )


async def _read_list(source: Sequence[T], want: Want) -> Chunks[T]:
    """Read a list or a tuple, which is cut faster than iterated."""
    pace, turns = Pace(), Turns()
    at = 0
    while True:
        begun = _monotonic()
        part = source[at : at + max(1, min(pace.size, want()))]
        chunk = part if isinstance(part, list) else list(part)
        if not chunk:
            return
        at += len(chunk)
        yield chunk
        pace.adapt(_monotonic() - begun)
        await turns.after(len(chunk))


async def _read(source: Iterable[T], want: Want) -> Chunks[T]:
    """Read a sync iterable."""
    pace, turns = Pace(), Turns()
    iterator = iter(source)
    try:
        while True:
            begun = _monotonic()
            limit = max(1, min(pace.size, want()))
            chunk: list[T] = []
            failure: Exception | None = None
            try:
                # What came before an error stays in the list, and goes on its way.
                chunk.extend(islice(iterator, limit))
            except Exception as error:  # noqa: BLE001 - raised below, in its turn
                failure = error
            count = len(chunk)
            if chunk:
                yield chunk
            if failure is not None:
                reraise(failure)
            if count < limit:
                return
            pace.adapt(_monotonic() - begun)
            await turns.after(count)
    finally:
        if isinstance(iterator, Generator):
            iterator.close()


async def _read_async(source: AsyncIterable[T], want: Want) -> Chunks[T]:
    """Read an async iterable, by a task that fills a chunk until the source waits."""
    pace = Pace()
    async with _Feed(source) as feed:
        while True:
            begun = _monotonic()
            limit = max(1, min(pace.size, want()))
            chunk = await feed.take(limit)
            if not chunk:
                return
            # A chunk that is not full was cut off by a source that waits: that time
            # is not work.
            begun = begun if len(chunk) == limit else _monotonic()
            yield chunk
            pace.adapt(_monotonic() - begun)


class _Feed(Generic[T]):
    """An async iterable and the task that reads it.

    Reading takes a task of its own, because only what runs beside a source can see
    that it waits. (Stepping the source by hand and leaving it in the middle of a step
    would do without, but then a timeout inside the source strikes the consumer.) The
    task reads only while the consumer waits: what it has begun to read when the
    consumer goes away to work is all that is read ahead.
    """

    __slots__ = (
        "_asked",
        "_closing",
        "_ended",
        "_failure",
        "_items",
        "_limit",
        "_look_up",
        "_paused",
        "_source",
        "_task",
    )

    def __init__(self, source: AsyncIterable[T]) -> None:
        self._source = source
        self._items: list[T] = []
        self._limit = 0  # items the consumer can take
        self._look_up = True  # the reader is to see what the consumer wants now
        self._asked: asyncio.Future[None] | None = None  # the consumer waits
        self._paused: asyncio.Future[None] | None = None  # the reader waits
        self._ended = False
        self._closing = False
        self._failure: BaseException | None = None

    async def __aenter__(self) -> _Feed[T]:
        self._task = asyncio.create_task(self._run(), name="truthound-stream-source")
        return self

    async def __aexit__(self, _: object, error: object, __: object) -> None:
        self._closing = True
        self._look_up = True
        await stop([self._task])
        if self._failure is not None:
            raise_unless_cancelled(self._failure, error)

    async def _run(self) -> None:
        try:
            iterator = aiter(self._source)
            try:
                await self._read_all(iterator)
            finally:
                close = getattr(iterator, "aclose", None)
                if close is not None:
                    await close()
        except BaseException as error:
            is_ours = self._closing and isinstance(error, asyncio.CancelledError)
            if not is_ours:
                self._failure = error
            if not isinstance(error, Exception):
                raise
        finally:
            self._ended = True
            wake(self._asked)

    async def _read_all(self, iterator: AsyncIterator[T]) -> None:
        items = self._items
        left = await self._room()
        async for item in _Begun(iterator):
            items.append(item)
            left -= 1  # counting is cheaper than asking the list for its length
            if not left or self._look_up:
                left = await self._room()
                if self._closing:  # and the source kept the cancellation for itself
                    return

    async def _room(self) -> int:
        """Tell the consumer what there is; return how many more it can take."""
        if self._items:
            wake(self._asked)
        while len(self._items) >= self._limit and not self._closing:
            self._paused = asyncio.get_running_loop().create_future()
            await self._paused
        self._look_up = not self._items
        return self._limit - len(self._items)

    async def take(self, limit: int) -> list[T]:
        """Return what there is as soon as the source waits; nothing at its end."""
        self._limit = limit
        self._look_up = True
        wake(self._paused)
        if self._items and not self._ended:
            await asyncio.sleep(0)  # beside the one read ahead there may be more
        while not self._items and not self._ended:
            self._asked = asyncio.get_running_loop().create_future()
            await self._asked
        self._limit = 0
        self._look_up = True
        items = self._items[:]
        self._items.clear()
        if not items and self._failure is not None:
            failure, self._failure = self._failure, None
            reraise(failure)
        return items


class _Begun(Generic[T]):
    """An iterator that need not be iterable itself."""

    def __init__(self, iterator: AsyncIterator[T]) -> None:
        self._iterator = iterator

    def __aiter__(self) -> AsyncIterator[T]:
        return self._iterator
