"""The queue under `AsyncQueue`: bounded, first come first served, can be closed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Generator
from typing import Generic, TypeVar

from truthound.async_core._stream_sources import (
    Chunked,
    Chunks,
    Turns,
    Want,
    everything,
)
from truthound.errors import QueueClosed

T = TypeVar("T")

_FULL = "the queue is closed: nothing can be put into it any more"
_DRAINED = "the queue is closed, and all that was in it has been taken out"


class _Done:
    """To be awaited or not: what it stands for has happened."""

    def __await__(self) -> Generator[None, None, None]:
        yield from ()


class _Line:
    """Who waits, in order. Each is told True (it is your turn) or False (closed).

    Whoever is told that it is his turn has a promise: an item, or a place, which
    nobody else gets before he has run. If he is cancelled just then, the promise goes
    to the next in line; so nothing is lost, and nobody waits beside a queue that has
    what he waits for.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self.promised = 0

    def call_next(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                self.promised += 1
                turn.set_result(True)
                return

    def send_away(self) -> None:
        for turn in self._waiting:
            if not turn.done():
                turn.set_result(False)
        self._waiting.clear()

    async def wait(self) -> None:
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            kept = await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.result():
                self.promised -= 1
                self.call_next()
            elif turn in self._waiting:
                self._waiting.remove(turn)
            raise
        if kept:
            self.promised -= 1


class ClosableQueue(Chunked[T], Generic[T]):
    """What `AsyncQueue` does, but for the stream."""

    def __init__(self, maxsize: int) -> None:
        self.maxsize = maxsize
        self._items: deque[T] = deque()
        self._getters = _Line()
        self._putters = _Line()
        self._is_closed = False

    def qsize(self) -> int:
        """Return how many items can be taken out at once."""
        return len(self._items) - self._getters.promised

    def empty(self) -> bool:
        """Tell whether ``get`` would have to wait."""
        return self.qsize() <= 0

    def full(self) -> bool:
        """Tell whether ``put`` would have to wait."""
        return 0 < self.maxsize <= len(self._items) + self._putters.promised

    async def put(self, item: T) -> None:
        """Put an item in, waiting for a place.

        If cancelled, the item is not in the queue.

        Raises:
            QueueClosed: the queue is closed, or was while this waited.
        """
        if self.full() and not self._is_closed:
            await self._putters.wait()
        self.put_nowait(item)

    def put_nowait(self, item: T) -> None:
        """Put an item in if there is a place.

        Raises:
            asyncio.QueueFull: there is none.
            QueueClosed: the queue is closed.
        """
        if self._is_closed:
            raise QueueClosed(_FULL)
        if self.full():
            raise asyncio.QueueFull(f"the queue holds {self.maxsize:,} items already")
        self._items.append(item)
        self._getters.call_next()

    async def get(self) -> T:
        """Take the first item out, waiting for one.

        If cancelled, no item is taken out.

        Raises:
            QueueClosed: the queue is closed and empty.
        """
        if self.empty() and not self._is_closed:
            await self._getters.wait()
        return self.get_nowait()

    def get_nowait(self) -> T:
        """Take the first item out if there is one.

        Raises:
            asyncio.QueueEmpty: there is none.
            QueueClosed: there is none, and none can come.
        """
        if not self.empty():
            item = self._items.popleft()
            if not self._is_closed:
                self._putters.call_next()
            return item
        if self._is_closed:
            raise QueueClosed(_DRAINED)
        raise asyncio.QueueEmpty("the queue holds nothing")

    def close(self) -> Awaitable[None]:
        """Take nothing more in; what is in the queue can still be taken out.

        Everybody who waits is woken, with `QueueClosed`. Closing twice is closing
        once.

        Returns:
            Something that may be awaited, and need not be: it is done already.
        """
        self._is_closed = True
        self._getters.send_away()
        self._putters.send_away()
        return _Done()

    async def _chunks(self, want: Want) -> Chunks[T]:
        # One by one: what is read ahead would be missing in the queue when the
        # consumer leaves early.
        turns = Turns()
        while want() > 0:
            try:
                item = await self.get()
            except QueueClosed:
                return
            yield [item]
            await turns.after(1)

    async def __aiter__(self) -> AsyncIterator[T]:
        async for chunk in self._chunks(everything):
            yield chunk[0]
