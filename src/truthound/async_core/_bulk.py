"""Many awaitables at once: a few workers that take them from one iterator.

A task for each would cost 4 µs, with a semaphore 9; a worker that goes on with the
next one 0.1 to 0.2 (measurements of the design, 3.1), and as many are in memory as run.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Iterable,
    Iterator,
    Sized,
)
from itertools import islice
from typing import Any, TypeVar

from truthound import telemetry
from truthound.async_core._scheduler import TaskScheduler
from truthound.async_core._slots import TaskPriority
from truthound.async_core._stream_sources import Chunked, Chunks, Want
from truthound.async_core._tasks import stop, wake

T = TypeVar("T")
R = TypeVar("R")

# Items that never wait are done in one go, as many as that takes; then the others on
# the loop get their turn.
TURN = 0.005  # seconds
MOST = 256  # items
LEVEL = TaskPriority.NORMAL

# Takes some items and does them one by one; False: there was none.
Do = Callable[[Iterator[Any]], Coroutine[Any, Any, bool]]


async def gather(
    scheduler: TaskScheduler, awaitables: Iterable[Awaitable[T]], keep_errors: bool
) -> list[Any]:
    """Await all of them in the slots of a scheduler; results in their order."""
    source = iter(awaitables)
    results: list[Any] = []
    number = len(awaitables) if isinstance(awaitables, Sized) else None
    try:
        async with scheduler.entered() as is_job:
            with telemetry.span("tasks.gather", number=number):
                crew = _Crew(scheduler, source, is_job)
                crew.do = _collecting(results, crew, keep_errors)
                await crew.all_done()
    finally:
        if isinstance(awaitables, Collection):
            _close(source)
    return results


def _close(left: Iterator[Any]) -> None:
    """Close coroutines that were not begun, so that nobody is warned of them."""
    for item in left:
        if asyncio.iscoroutine(item):
            item.close()


def _collecting(results: list[Any], crew: _Crew, keep_errors: bool) -> Do:
    async def do(go: Iterator[Awaitable[Any]]) -> bool:
        some = False
        turns = crew.turns
        for item in go:
            some = True
            place = len(results)
            results.append(None)
            try:
                results[place] = await item
            except Exception as error:
                if not keep_errors:
                    raise
                results[place] = error
            except asyncio.CancelledError as error:
                if not keep_errors or _is_cancelled():
                    raise
                results[place] = error  # of its own making
            if crew.turns != turns:
                break
        return some

    return do


class Mapped(Chunked[R]):
    """The results of a function for each of some items, in their order."""

    def __init__(
        self,
        scheduler: TaskScheduler,
        func: Callable[[Any], Awaitable[R]],
        items: Iterable[Any],
    ) -> None:
        self._scheduler = scheduler
        self._func = func
        self._items = items

    async def _chunks(self, want: Want) -> Chunks[R]:
        async with self._scheduler.entered() as is_job:
            crew = _Crew(self._scheduler, iter(self._items), is_job)
            runs = _Runs(self._func, crew, want)
            try:
                while chunk := await runs.next():
                    yield chunk
            finally:
                await stop(crew.tasks)


class _Run:
    """Results of one worker, of items that follow one another."""

    __slots__ = ("error", "is_ended", "results")

    def __init__(self) -> None:
        self.results: list[Any] = []
        self.error: Exception | None = None
        self.is_ended = False


class _Runs:
    """Results in the order of their items, in runs.

    A worker that never waits makes a single run, whose results cost a list's append
    and a step of its iterator. One that does wait ends its run, as others may have
    taken the items that follow.
    """

    def __init__(
        self, func: Callable[[Any], Awaitable[Any]], crew: _Crew, want: Want
    ) -> None:
        self._func = func
        self._crew = crew
        self._runs: deque[_Run] = deque()
        self._begun = 0  # and not delivered
        window = 2 * crew.size
        crew.do = self._do
        crew.room = lambda: min(window, want()) - self._begun

    async def _do(self, go: Iterator[Any]) -> bool:
        run = _Run()
        self._runs.append(run)
        func, crew = self._func, self._crew
        append = run.results.append
        turns = crew.turns
        some = False
        try:
            for item in go:
                some = True
                self._begun += 1
                append(await func(item))
                if crew.turns != turns:
                    break
        except Exception as error:  # noqa: BLE001 - raised at its place
            run.error = error
            crew.close()
        run.is_ended = True
        return some

    async def next(self) -> list[Any]:
        """Wait for the next results in their order; none: there are no more."""
        while True:
            if self._runs:
                run = self._runs[0]
                if run.results:
                    # Not the list itself: what its worker waits for comes into it.
                    chunk = run.results[:]
                    run.results.clear()
                    self._begun -= len(chunk)
                    self._crew.grow()
                    return chunk
                if run.error is not None:
                    raise run.error
                if run.is_ended:
                    self._runs.popleft()
                    continue
            if not await self._crew.turn():
                return []


class _Crew:
    """Workers in the slots of a scheduler; one more is begun whenever one waits.

    Attributes:
        tasks: the workers there are.
        size: how many there may be.
        do: what they do.
        room: how many items may be begun now.
        turns: grows whenever the event loop has had a turn since a worker was given its
            items; as long as it has not, nobody else has done anything.
    """

    do: Do

    def __init__(
        self, scheduler: TaskScheduler, source: Iterator[Any], is_job: bool
    ) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self.room: Callable[[], int] = lambda: MOST
        self.turns = 0
        self.size = scheduler.max_concurrent
        self._scheduler = scheduler
        self._source = source
        self._has_slot = is_job  # that of the job which waits for this crew
        self._is_open = True
        self._is_armed = False  # to see the loop's next turn
        self._go = 1  # items at a time
        self._queued: set[asyncio.Task[None]] = set()  # for a slot
        self._waiter: asyncio.Future[None] | None = None
        self._failure: BaseException | None = None

    async def all_done(self) -> None:
        """Wait until nothing is left; if this ends early, stop the workers."""
        try:
            while await self.turn():
                pass
        finally:
            await stop(self.tasks)

    async def turn(self) -> bool:
        """Wait until something was done; False: nothing more will be."""
        if self._failure is not None:
            raise self._failure
        self.grow()
        if self.tasks:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
            return True
        return False

    def grow(self) -> None:
        """Begin another worker if there may be something for it to do."""
        if self._is_open and len(self.tasks) < self.size and self.room() > 0:
            task = asyncio.create_task(self._work(), name="truthound-bulk")
            self.tasks.add(task)
            self._scheduler.adopt(task)
            task.add_done_callback(self._ended)

    def _turned(self) -> None:
        self._is_armed = False
        self.turns += 1
        self.grow()
        wake(self._waiter)

    def close(self) -> None:
        """Begin nothing more; what was begun comes to its end."""
        self._is_open = False
        for task in self._queued:
            task.cancel()

    async def _work(self) -> None:
        if self._has_slot:
            self._has_slot = False
            await self._in_slot(may_give_way=False)
            self._has_slot = True
            return
        slots = self._scheduler.slots
        me = asyncio.current_task()
        assert me is not None
        self._queued.add(me)
        await slots.acquire(LEVEL)
        self._queued.discard(me)
        try:
            await self._in_slot(may_give_way=True)
        finally:
            slots.release()

    async def _in_slot(self, may_give_way: bool) -> None:
        loop = asyncio.get_running_loop()
        slots = self._scheduler.slots
        since = before = loop.time()
        while self._is_open and (room := self.room()) > 0:
            if not self._is_armed:
                self._is_armed = True
                loop.call_soon(self._turned)
            turns = self.turns
            if not await self.do(islice(self._source, min(self._go, room))):
                self.close()
                return
            now = loop.time()
            if self.turns != turns:
                since = now
            if may_give_way and slots.waiting and slots.is_wanted(LEVEL):
                await slots.give_way(LEVEL)
            elif now - since > TURN:
                await asyncio.sleep(0)
                since = loop.time()
            is_quick = now - before < TURN / 4
            self._go = min(2 * self._go, MOST) if is_quick else max(1, self._go // 2)
            before = now

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        self._scheduler.release(task)
        if task.cancelled():
            failure: BaseException | None = asyncio.CancelledError()
            if task in self._queued and not self._is_open:
                failure = None  # it waited for a slot that is not needed any more
            self._queued.discard(task)
        else:
            failure = task.exception()
        if failure is not None and self._failure is None:
            self._failure = failure
            self.close()
        wake(self._waiter)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
