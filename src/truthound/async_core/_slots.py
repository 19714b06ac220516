"""A number of slots, handed out by priority and in the order of asking."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Generator, Iterator
from enum import IntEnum
from types import coroutine

# Waiters that gave up stay in their queue until it comes to them, or until there are
# this many more of them than of the others.
GONE = 64


class TaskPriority(IntEnum):
    """How urgent a job is: a lower number goes first."""

    CRITICAL = 0
    HIGH = 1
    NORMAL = 2
    LOW = 3
    BACKGROUND = 4


Waiter = asyncio.Future[None]


class Slots:
    """Slots, and for each priority the queue of those who wait for one.

    Five queues instead of a heap: 2.7 µs a job against 3.7 (measurements of the
    design, 3.2).

    Attributes:
        free: slots that nobody holds.
        waiting: how many wait for one; none as long as one is free.
    """

    __slots__ = ("_fresh", "_gone", "_queues", "free", "waiting")

    def __init__(self, number: int) -> None:
        self.free: int = number
        self.waiting: int = 0
        self._gone = 0
        self._fresh: list[_Fresh] = []
        self._queues: tuple[deque[Waiter], ...] = tuple(deque() for _ in TaskPriority)

    async def acquire(self, priority: TaskPriority) -> None:
        """Wait for a slot; if cancelled, none is taken and the cancellation goes on.

        Even if one is free it is had in the loop's next turn only: by then all are
        there that ask in the same turn, and the most urgent of them is first.
        """
        if self.take():
            fresh = _Fresh(priority)
            self._fresh.append(fresh)
            try:
                await _turn()
            except BaseException:
                self._settle()
                self._give_up(fresh.waiter)
                raise
            if self._fresh:
                self._settle()
            if fresh.waiter is None:
                return
            waiter = fresh.waiter
        else:
            waiter = asyncio.get_running_loop().create_future()
            self._queues[priority].append(waiter)
            self.waiting += 1
        try:
            await waiter
        except BaseException:
            self._give_up(waiter)
            raise

    def take(self) -> bool:
        """Take a slot if one is free."""
        if self.free > 0:
            self.free -= 1
            return True
        return False

    async def give_way(self, priority: TaskPriority) -> None:
        """Give the slot to who is first, and wait for the next one.

        If cancelled, the slot counts as held, for the holder to release.
        """
        self.release()
        try:
            await self.acquire(priority)
        except BaseException:
            self.free -= 1
            raise

    def release(self) -> None:
        """Give a slot back; who waits longest among the most urgent gets it."""
        self.free += 1
        if self.waiting:
            self._deal()

    def is_wanted(self, priority: TaskPriority) -> bool:
        """Tell whether somebody at least as urgent waits."""
        return self.waiting > 0 and any(self._queues[: priority + 1])

    def waiters(self) -> Iterator[Waiter]:
        """Return those who wait, the most urgent first."""
        for queue in self._queues:
            yield from (waiter for waiter in list(queue) if not waiter.done())

    def _settle(self) -> None:
        """Let those who took a slot last keep it, unless somebody is before them."""
        fresh, self._fresh = self._fresh, []
        if not self.waiting:
            return
        loop = asyncio.get_running_loop()
        for one in reversed(fresh):  # each before those who queued since
            one.waiter = loop.create_future()
            self._queues[one.priority].appendleft(one.waiter)
        self.waiting += len(fresh)
        self.free += len(fresh)
        self._deal()

    def _deal(self) -> None:
        for queue in self._queues:
            while queue and self.free > 0:
                waiter = queue.popleft()
                if waiter.done():
                    self._gone -= 1
                else:
                    self.free -= 1
                    self.waiting -= 1
                    waiter.set_result(None)

    def _give_up(self, waiter: Waiter | None) -> None:
        if waiter is not None and not waiter.done():
            waiter.cancel()
        if waiter is None or not (waiter.cancelled() or waiter.exception()):
            self.release()  # it was handed over in the same turn
            return
        self.waiting -= 1
        self._gone += 1
        if self._gone > GONE + self.waiting:
            for queue in self._queues:
                left = [waiter for waiter in queue if not waiter.done()]
                queue.clear()
                queue.extend(left)
            self._gone = 0


class _Fresh:
    """Somebody who took a slot in this turn of the loop."""

    __slots__ = ("priority", "waiter")

    def __init__(self, priority: TaskPriority) -> None:
        self.priority = priority
        self.waiter: Waiter | None = None


@coroutine
def _turn() -> Generator[None, None, None]:
    # asyncio.sleep(0) without its questions.
    yield
