"""Threads for blocking work: few, and never in the way of the process's end.

The pool of the standard library joins its threads when the interpreter exits, so one
hung read would keep the process alive. These threads are daemons, and a job that is
given up (its time is over) frees its place at once although the thread lives on.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")
_Job = tuple["Future[Any]", Callable[[], Any]]


class Workers:
    """A fixed number of daemon threads that take jobs in order.

    Args:
        size: how many jobs run at once.
        name: prefix of the threads' names.
    """

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._reset()
        # Threads do not survive a fork; a child begins with none and makes its own.
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._alive = 0  # threads that take jobs
        self._waiting = 0  # of these, how many have none
        self._queued = 0  # jobs that no thread has taken
        self._running: set[Future[Any]] = set()
        self._started = 0

    def submit(self, work: Callable[[], Result]) -> Future[Result]:
        """Run ``work`` on a thread; never blocks."""
        future: Future[Result] = Future()
        with self._lock:
            self._jobs.put((future, work))
            self._queued += 1
            # Both numbers change together, when a thread says that it has taken a job:
            # one that has, and has not said so yet, counts in both.
            if self._waiting < self._queued and self._alive < self._size:
                self._start()
        return future

    def give_up(self, future: Future[Any]) -> None:
        """Stop waiting for a job: one that is queued never runs.

        A running one cannot be stopped from outside; its thread ends with it, and
        another takes its place among those that take jobs.
        """
        if future.cancel():
            return
        with self._lock:
            if future not in self._running:
                return  # it has just ended
            self._running.discard(future)
            self._alive -= 1
            if self._waiting < self._queued:
                self._start()

    def _start(self) -> None:
        self._alive += 1
        self._started += 1
        threading.Thread(
            target=self._work, name=f"{self._name}-{self._started}", daemon=True
        ).start()

    def _work(self) -> None:
        jobs = self._jobs
        while True:
            with self._lock:
                self._waiting += 1
            job = jobs.get()
            with self._lock:
                self._waiting -= 1
                self._queued -= 1
            future, work = job
            if future.set_running_or_notify_cancel() and not self._run(future, work):
                return
            del future, work, job

    def _run(self, future: Future[Any], work: Callable[[], Any]) -> bool:
        """Run one job; tell whether the thread is still one of those that do."""
        with self._lock:
            self._running.add(future)
        result: Any = None
        failure: BaseException | None = None
        try:
            result = work()
        except asyncio.CancelledError as error:
            # Would look to an awaiting task as if somebody had cancelled it.
            failure = RuntimeError(f"the work raised CancelledError({error})")
        except BaseException as error:  # noqa: BLE001 - handed to the waiter
            failure = error  # belongs to whoever waits, SystemExit included
        with self._lock:
            still_ours = future in self._running
            self._running.discard(future)
        if failure is not None:
            future.set_exception(failure)
        else:
            future.set_result(result)
        return still_ours
