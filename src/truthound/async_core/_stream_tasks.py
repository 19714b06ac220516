"""The stages of a stream that run several things at once, each in a task it owns."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Generic, TypeVar

from truthound.async_core._stream_sources import (
    CHUNK,
    Chunks,
    Opener,
    Want,
    is_awaitable,
    raise_unless_cancelled,
    reading,
)
from truthound.async_core._tasks import reraise, stop, wake

T = TypeVar("T")

# Turns of the event loop, and no waiting, for which a merge looks whether more streams
# have something. An async source that never waits needs that many to hand over a
# chunk, a list one: without them the list would have the merge for itself.
PATIENCE = 3


async def map_at_once(
    before: Opener[T],
    call: Callable[[T], Any],
    concurrency: int,
    ordered: bool,
    want: Want,
) -> Chunks[Any]:
    """Run up to ``concurrency`` calls at once."""
    crew: _Crew[T] = _Crew(before, call, concurrency, ordered, want)
    async with crew:
        while chunk := await crew.take():
            yield chunk


class _Job:
    """A call that was begun."""

    __slots__ = ("failure", "is_done", "result")

    def __init__(self) -> None:
        self.is_done = False
        self.result: Any = None
        self.failure: BaseException | None = None


class _Crew(Generic[T]):
    """Workers that take items one by one and call the function.

    A worker that finds no item reads the next chunk itself, unless another one does.
    Whoever takes an item sees to it that somebody looks for the next one; with that,
    workers are started only as they are needed, and woken one at a time.

    At most twice as many items as there may be workers are begun and not yet taken by
    the consumer: as many running, as many done and waiting for a slow one before them
    or for the consumer.
    """

    def __init__(
        self,
        before: Opener[T],
        call: Callable[[T], Any],
        concurrency: int,
        ordered: bool,
        want: Want,
    ) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self._call = call
        self._concurrency = concurrency
        self._ordered = ordered
        self._want = want
        self._items: deque[T] = deque()  # read, not begun
        self._jobs: deque[_Job] = deque()  # in the order in which they are delivered
        self._begun = 0  # and not delivered
        self._is_reading = False
        self._ended = False  # nothing more is read or begun
        self._failure: BaseException | None = None  # of the stage before
        self._idle: deque[asyncio.Future[None]] = deque()
        self._taker: asyncio.Future[None] | None = None
        self._upstream = before(lambda: want() - self._begun)

    def _has_room(self) -> bool:
        return self._begun < min(2 * self._concurrency, self._want())

    async def __aenter__(self) -> None:
        self._see_to_it()

    async def __aexit__(self, _: object, error: object, __: object) -> None:
        self._end()
        async with reading(self._upstream):
            await stop(self._tasks)

    def _see_to_it(self) -> None:
        """Have a worker look for an item, if there may be one and it may be begun."""
        done = not self._items and (self._ended or self._is_reading)
        if done or not self._has_room():
            return
        while self._idle:
            worker = self._idle.popleft()
            if not worker.done():
                worker.set_result(None)
                return
        if len(self._tasks) < self._concurrency:
            self._tasks.append(
                asyncio.create_task(self._work(), name="truthound-stream-map")
            )

    async def take(self) -> list[Any]:
        """Return the results there are, waiting for the first; none at the end."""
        results: list[Any] = []
        while True:
            while self._jobs and self._jobs[0].is_done:
                if self._jobs[0].failure is not None:
                    if results:
                        break  # these first
                    raise self._jobs[0].failure
                results.append(self._jobs.popleft().result)
            if results:
                self._begun -= len(results)
                self._see_to_it()
                return results
            if self._ended and not self._begun and not self._items:
                if self._failure is not None:
                    raise self._failure
                return results
            self._taker = asyncio.get_running_loop().create_future()
            await self._taker

    async def _work(self) -> None:
        while await self._find():
            job = _Job()
            item = self._items.popleft()
            self._begun += 1
            if self._ordered:
                self._jobs.append(job)
            self._see_to_it()
            try:
                result = self._call(item)
                job.result = await result if is_awaitable(result) else result
            except BaseException as error:
                job.failure = error
                self._end()
                if not isinstance(error, Exception):
                    raise
            finally:
                job.is_done = True
                if not self._ordered:
                    self._jobs.append(job)
                wake(self._taker)

    async def _find(self) -> bool:
        """Wait until there is an item that may be begun; False: never again."""
        while self._items or not self._ended:
            if self._has_room() and self._items:
                return True
            if self._has_room() and not self._is_reading:
                await self._read()
            else:
                idle = asyncio.get_running_loop().create_future()
                self._idle.append(idle)
                await idle
        return False

    async def _read(self) -> None:
        self._is_reading = True
        try:
            self._items.extend(await anext(self._upstream))
        except StopAsyncIteration:
            self._end()
        except BaseException as error:
            self._failure = error
            self._end()
            if not isinstance(error, Exception):
                raise
        finally:
            self._is_reading = False

    def _end(self) -> None:
        self._ended = True
        self._items.clear()
        for worker in self._idle:
            wake(worker)
        self._idle.clear()
        wake(self._taker)


async def merge(befores: Sequence[Opener[Any]], want: Want) -> Chunks[Any]:
    """Deliver the items of several streams as they come, taking turns."""
    most = max(1, CHUNK // max(1, len(befores)))
    async with _Meeting(befores, lambda: min(most, want())) as meeting:
        while chunk := await meeting.take():
            yield chunk
            meeting.go_on()


class _Meeting:
    """Tasks that read one stream each and hold one chunk each until it is taken."""

    def __init__(self, befores: Sequence[Opener[Any]], want: Want) -> None:
        self._befores = befores
        self._want = want
        # What there is, each with the future for which its task waits.
        self._chunks: list[tuple[list[Any], asyncio.Future[None]]] = []
        self._taken: list[asyncio.Future[None]] = []
        self._taker: asyncio.Future[None] | None = None
        self._running = len(befores)
        self._closing = False
        self._failure: BaseException | None = None

    async def __aenter__(self) -> _Meeting:
        self._tasks = [
            asyncio.create_task(self._carry(before), name="truthound-stream-merge")
            for before in self._befores
        ]
        return self

    async def __aexit__(self, _: object, error: object, __: object) -> None:
        self._closing = True
        await stop(self._tasks)
        if self._failure is not None:
            raise_unless_cancelled(self._failure, error)

    async def _carry(self, before: Opener[Any]) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with reading(before(self._want)) as upstream:
                async for chunk in upstream:
                    if self._closing:  # and something kept the cancellation
                        return
                    holder = loop.create_future()
                    self._chunks.append((chunk, holder))
                    wake(self._taker)
                    await holder
        except BaseException as error:
            is_ours = self._closing and isinstance(error, asyncio.CancelledError)
            if self._failure is None and not is_ours:
                self._failure = error
            if not isinstance(error, Exception):
                raise
        finally:
            self._running -= 1
            wake(self._taker)

    async def take(self) -> list[Any]:
        """Return what there is, waiting for the first; nothing at the end."""
        while not self._chunks:
            failure, self._failure = self._failure, None
            if failure is not None:
                reraise(failure)
            if not self._running:
                return []
            self._taker = asyncio.get_running_loop().create_future()
            await self._taker
        for _ in range(PATIENCE):
            if len(self._chunks) >= self._running:
                break
            await asyncio.sleep(0)
        chunks, self._chunks = self._chunks, []
        # As many of each: who has more keeps the rest for the next time.
        number = min(len(chunk) for chunk, _ in chunks)
        for chunk, holder in chunks:
            if len(chunk) > number:
                self._chunks.append((chunk[number:], holder))
            else:
                self._taken.append(holder)
        together = zip(*(chunk[:number] for chunk, _ in chunks), strict=True)
        return list(chain.from_iterable(together))

    def go_on(self) -> None:
        """Let the streams go on whose chunks were used up."""
        for holder in self._taken:
            wake(holder)
        self._taken = []
