"""Jobs in slots: each one a task that belongs to whoever submitted it."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import current_task
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from types import CoroutineType
from typing import Any, TypeVar

from truthound import telemetry
from truthound.async_core._limit import check_count, check_seconds, limit
from truthound.async_core._slots import Slots, TaskPriority
from truthound.async_core._tasks import wake
from truthound.errors import ConfigurationError, NotRunningError

T = TypeVar("T")
Job = Coroutine[Any, Any, T]


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerStats:
    """What a scheduler has done so far, and what it does now.

    Attributes:
        max_concurrent: slots there are.
        running: slots in use.
        waiting: who waits for a slot: jobs, and calls of ``gather`` and ``map``.
        submitted: jobs that were accepted.
        completed: jobs that returned.
        failed: jobs that raised; those that ran out of time, too.
        cancelled: jobs that were cancelled, before they began or later.
    """

    max_concurrent: int
    running: int
    waiting: int
    submitted: int
    completed: int
    failed: int
    cancelled: int


class TaskScheduler:
    """Run jobs in a number of slots, the most urgent first.

    Strict priority: a job waits as long as a more urgent one does. Within a level jobs
    begin in the order in which they were submitted. A job that submits another one and
    waits for it lends it its own slot, so that they cannot wait for each other.

    Args:
        max_concurrent: jobs that run at once, 1 or more.

    Attributes:
        max_concurrent: as given.
        slots: what jobs run in.

    Raises:
        ConfigurationError: ``max_concurrent`` is less than 1.

    Example:
        >>> async def double(number):
        ...     return number * 2
        >>> async def main():
        ...     scheduler = TaskScheduler(max_concurrent=2)
        ...     await scheduler.start()
        ...     result = await scheduler.submit(double(4), TaskPriority.HIGH)
        ...     await scheduler.shutdown()
        ...     return result
        >>> asyncio.run(main())
        8
    """

    def __init__(self, max_concurrent: int = 10) -> None:
        check_count("max_concurrent", max_concurrent)
        self.max_concurrent = max_concurrent
        self.slots: Slots = Slots(max_concurrent)
        self._tasks: set[asyncio.Task[Any]] = set()
        # These tasks, and those that run a job inline: whoever holds a slot.
        self._holders: set[asyncio.Task[Any] | None] = set()
        # Once started, it need not be asked for; that takes 0.15 µs.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_open = False
        self._was_open = False
        self._guests = 0  # calls of gather and map
        self._is_empty: asyncio.Future[None] | None = None
        self._submitted = self._completed = self._failed = self._cancelled = 0

    async def start(self) -> None:
        """Accept jobs, from now on or again."""
        self._loop = asyncio.get_running_loop()
        self.open()

    async def submit(
        self,
        coro: Job[T],
        priority: TaskPriority = TaskPriority.NORMAL,
        timeout: float | None = None,  # noqa: ASYNC109 - the documented name
        *,
        deadline: float | None = None,
        inline: bool = False,
    ) -> T:
        """Run a coroutine as a job and return its result.

        The job runs in a task and a context of its own. If the waiting caller is
        cancelled, so is the job, and the caller goes on when the job has ended. What
        the job raises comes out of here with its traceback, ``CancelledError`` too.

        Args:
            coro: what to run. It is closed if it cannot be.
            priority: who goes first when slots are short.
            timeout: seconds for which the job may run, from its begin; None: any time.
            deadline: seconds from now in which it must be done, waiting included.
            inline: run it in the caller's own task and context if a slot is free and
                no time limit given. That saves a task, about 5 µs; a cancellation of
                the caller is then one of the job, and ``shutdown`` waits for its end.

        Raises:
            NotRunningError: not started yet, or shut down.
            TimeoutError: ``timeout`` or ``deadline`` went by; the job has ended.
            TypeError: ``coro`` is not a coroutine.
            ConfigurationError: no such priority, or a time that is not above 0.
        """
        caller = current_task(self._loop)
        slots, holders = self.slots, self._holders
        is_lent = caller in holders  # who waits has no use for its slot
        is_inline = (
            inline
            and self._is_open
            and timeout is None
            and deadline is None
            and priority.__class__ is TaskPriority
            and coro.__class__ is CoroutineType
            and (is_lent or slots.free > 0)
        )
        if not is_inline:
            priority = self._admitted(coro, priority, timeout, deadline)
            if deadline is not None:
                told = "the job was not done within {seconds} s, waiting included"
                async with limit(deadline, told):
                    return await self.submit(coro, priority, timeout)
        self._submitted += 1
        try:
            if is_inline:
                if not is_lent:
                    slots.free -= 1
                    holders.add(caller)
                result = await coro
            else:
                result = await self._placed(coro, priority, timeout, caller, is_lent)
        except asyncio.CancelledError:
            self._cancelled += 1
            raise
        except BaseException:
            self._failed += 1
            raise
        else:
            self._completed += 1
            return result
        finally:
            if is_inline and not is_lent:
                holders.discard(caller)
                slots.release()
            if self._is_empty is not None:
                self._tell()

    async def shutdown(self, wait: bool = True) -> None:
        """Accept no more jobs and return when none is left.

        Args:
            wait: let all that was submitted come to its end, queued jobs too. If not,
                or if this call is cancelled, jobs are cancelled, and those who wait
                for them get ``CancelledError``.

        Raises:
            RuntimeError: called by a job, which would wait for itself.
        """
        if current_task() in self._holders:
            raise RuntimeError(
                "a job cannot shut down its own runner: it would wait for itself"
            )
        self._is_open, self._loop = False, None
        if not wait:
            self._cancel_all()
        try:
            await self._emptied()
        except asyncio.CancelledError:
            self._cancel_all()
            await self._emptied()
            raise

    def stats(self) -> SchedulerStats:
        """Return what was done so far and what is done now."""
        return SchedulerStats(
            max_concurrent=self.max_concurrent,
            running=self.max_concurrent - self.slots.free,
            waiting=self.slots.waiting,
            submitted=self._submitted,
            completed=self._completed,
            failed=self._failed,
            cancelled=self._cancelled,
        )

    def open(self) -> None:
        """Accept jobs; what ``start()`` does."""
        self._is_open = self._was_open = True

    def _check_open(self) -> None:
        if not self._is_open:
            raise NotRunningError(
                "no job is accepted any more: it was shut down"
                if self._was_open
                else "no job is accepted yet: call start() first"
            )

    def _admitted(
        self, coro: Any, priority: Any, seconds: float | None, deadline: float | None
    ) -> TaskPriority:
        if coro.__class__ is not CoroutineType and not asyncio.iscoroutine(coro):
            raise TypeError(not_a_coroutine(coro))
        try:
            self._check_open()
            if seconds is not None:
                check_seconds("timeout", seconds)
            if deadline is not None:
                check_seconds("deadline", deadline)
            if priority.__class__ is TaskPriority:
                return priority
            return _priority(priority)
        except BaseException:
            coro.close()
            raise

    async def _placed(
        self,
        coro: Job[T],
        priority: TaskPriority,
        seconds: float | None,
        caller: asyncio.Task[Any] | None,
        is_lent: bool,
    ) -> T:
        """Wait for a slot, and for the job in a task of its own."""
        loop = asyncio.get_running_loop()
        before = caller.cancelling() if caller else 0
        work = coro
        if telemetry.is_on():
            work = _recorded(coro, priority, seconds, loop.time())
        elif seconds is not None:
            work = _timed(coro, seconds)
        try:
            if not is_lent:
                await self.slots.acquire(priority)
            try:
                task = loop.create_task(work)
                self.adopt(task)
                try:
                    result = await task  # which a cancellation cancels
                finally:
                    self.release(task)
            finally:
                if not is_lent:
                    self.slots.release()
        except BaseException:
            work.close()  # if it never began
            coro.close()
            raise
        if caller and caller.cancelling() > before:
            raise asyncio.CancelledError  # which the job kept to itself
        return result

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Count a task as one that holds a slot, and that shutdown may cancel."""
        self._tasks.add(task)
        self._holders.add(task)

    def release(self, task: asyncio.Task[Any]) -> None:
        """Forget a task that has ended."""
        self._tasks.discard(task)
        self._holders.discard(task)

    @contextlib.asynccontextmanager
    async def entered(self) -> AsyncIterator[bool]:
        """Be one of those for whom shutdown waits; tells whether this is in a job."""
        self._check_open()
        self._guests += 1
        try:
            yield current_task() in self._holders
        finally:
            self._guests -= 1
            self._tell()

    def _count(self) -> int:
        done = self._completed + self._failed + self._cancelled
        return self._submitted - done + self._guests

    def _tell(self) -> None:
        if not self._count():
            wake(self._is_empty)

    async def _emptied(self) -> None:
        while self._count():
            if self._is_empty is None or self._is_empty.done():
                self._is_empty = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._is_empty)  # several may wait

    def _cancel_all(self) -> None:
        for waiter in self.slots.waiters():
            waiter.cancel()
        for task in list(self._tasks):
            task.cancel()


async def _timed(coro: Job[T], seconds: float | None) -> T:
    if seconds is None:
        return await coro
    async with limit(seconds, "the job took longer than {seconds} s"):
        return await coro


async def _recorded(
    coro: Job[T], priority: TaskPriority, seconds: float | None, asked: float
) -> T:
    name = getattr(coro, "__qualname__", type(coro).__name__)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    telemetry.record("truthound.task.wait", begun - asked, priority=priority.name)
    outcome = "failed"
    try:
        with telemetry.span("task.run", task=name, priority=priority.name):
            result = await _timed(coro, seconds)
        outcome = "completed"
        return result
    except asyncio.CancelledError:
        outcome = "cancelled"
        raise
    finally:
        telemetry.record(
            "truthound.task.duration",
            loop.time() - begun,
            priority=priority.name,
            outcome=outcome,
        )


def _priority(value: Any) -> TaskPriority:
    try:
        return TaskPriority(value)
    except ValueError:
        levels = ", ".join(f"{p.name} {p.value}" for p in TaskPriority)
        raise ConfigurationError(
            f"priority={value!r}: expected a TaskPriority ({levels})"
        ) from None


def not_a_coroutine(given: Any) -> str:
    if asyncio.iscoroutinefunction(given):
        name = getattr(given, "__name__", "task")
        return f"expected a coroutine, got the function itself: call it, {name}(...)"
    if asyncio.isfuture(given):
        return "expected a coroutine, got a task or future, which runs by itself"
    return f"expected a coroutine, got {type(given).__name__}: {given!r}"
