"""The threads for what blocks: one kind each for data, actions and triggers.

A hung action or trigger must never hold up a validation, so each kind has its own. The
threads are daemons: none of them holds up the end of the process.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import os
from asyncio import AbstractEventLoop
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any
from weakref import WeakKeyDictionary

from truthound._threads import Workers

# The engine has threads of its own inside: more of ours than cores only compete.
VALIDATION = Workers(max(2, min(8, os.cpu_count() or 2)), "truthound-validation")
# Runs of microseconds have a thread of their own: they need not wait for long ones, and
# a second thread would only fight for the interpreter.
SMALL = Workers(1, "truthound-small")
# These wait for networks and disks, not for a processor; a thread is made when it is
# needed.
ACTIONS = Workers(64, "truthound-action")
TRIGGERS = Workers(64, "truthound-trigger")
SOURCES = Workers(32, "truthound-source")  # functions that return the data

# Small runs that one hop takes along: enough to make the hop cheap, few enough that
# the first result need not wait long (0.1 ms each) and that runs which were begun
# together do not go on together for ever.
BATCH = 8


async def in_thread(work: Callable[[], Any], workers: Workers = VALIDATION) -> Any:
    """Await a job of some threads; given up when cancelled.

    The job sees the context variables of its caller.
    """
    run = contextvars.copy_context().run
    future = workers.submit(lambda: run(_without_stop, work))
    try:
        return await asyncio.wrap_future(future)
    except asyncio.CancelledError:
        future.add_done_callback(_discard)
        raise
    finally:
        workers.give_up(future)


def _without_stop(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except StopIteration as error:
        # A future cannot raise it: whoever awaits would wait for ever.
        raise RuntimeError(f"the work raised {error!r}") from error


def _discard(future: Future[Any]) -> None:
    """Close a coroutine that nobody will await any more."""
    if not future.cancelled() and future.exception() is None:
        result = future.result()
        if inspect.iscoroutine(result):
            result.close()


async def in_batch(work: Callable[[], Any]) -> Any:
    """Await a job that takes no time to speak of, in one hop with others like it.

    A hop costs as much as such a job (0.09 ms each). What is asked for in the same
    turn of the loop goes together; whoever is cancelled meanwhile gets nothing.
    """
    loop = asyncio.get_running_loop()
    batch = _batches.get(loop)
    if batch is None or len(batch.jobs) >= BATCH:
        batch = _batches[loop] = _Batch(loop)
        loop.call_soon(batch.leave)
    future: asyncio.Future[Any] = loop.create_future()
    batch.jobs.append((work, future))
    return await future


class _Batch:
    """Jobs that wait for their thread together."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop = loop
        self.jobs: list[tuple[Callable[[], Any], asyncio.Future[Any]]] = []
        self._outcomes: list[tuple[Any, BaseException | None]] = []

    def leave(self) -> None:
        """Hand the jobs to a thread; what comes later makes another batch."""
        if _batches.get(self.loop) is self:
            del _batches[self.loop]
        SMALL.submit(self._work)

    def _work(self) -> None:
        for work, future in self.jobs:
            if future.cancelled():
                self._outcomes.append((None, None))
                continue
            try:
                self._outcomes.append((work(), None))
            except BaseException as error:  # noqa: BLE001 - belongs to who waits
                self._outcomes.append((None, error))
        try:
            self.loop.call_soon_threadsafe(self._tell)
        except RuntimeError:  # the loop is closed: nobody waits
            return

    def _tell(self) -> None:
        for (_, future), (result, error) in zip(self.jobs, self._outcomes, strict=True):
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            elif isinstance(error, asyncio.CancelledError | StopIteration):
                # The first would look as if somebody had cancelled the run, the
                # second cannot be raised by a future.
                future.set_exception(RuntimeError(f"the work raised {error!r}"))
            else:
                future.set_exception(error)


_batches: WeakKeyDictionary[AbstractEventLoop, _Batch] = WeakKeyDictionary()


def blocking(make: Callable[[], Any]) -> Any:
    """Run a coroutine to its end in a loop of its own, and return its result. Blocks.

    Works inside a running loop, too, which it then holds up.

    Args:
        make: returns the coroutine.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(make())
    future = ACTIONS.submit(lambda: asyncio.run(make()))
    try:
        return future.result()
    finally:
        ACTIONS.give_up(future)
