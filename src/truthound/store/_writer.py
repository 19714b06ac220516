"""One thread that writes, in groups: what came while it was busy goes together."""

from __future__ import annotations

import contextlib
import logging
import threading
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from truthound._clock import Clock
from truthound.errors import StoreError
from truthound.store._engine import explained, is_outage
from truthound.store._writing import Group, Row, write_group

logger: logging.Logger = logging.getLogger("truthound.store")

MOST = 100_000  # writes that wait while the database cannot be written
AGAIN = 1.0  # seconds between two tries of such
Call = Callable[[Connection], Any]
Rows = dict[str, list[Any]]  # by the names of a Group's attributes
Transaction = Callable[[], "contextlib.AbstractContextManager[Connection]"]


class Waiter:
    """Somebody who waits for a commit: a coroutine, or a thread.

    Args:
        loop: of the coroutine; None for a thread.
    """

    __slots__ = ("future", "loop")

    def __init__(self, loop: AbstractEventLoop | None) -> None:
        self.loop = loop
        self.future: Any = Future() if loop is None else loop.create_future()

    def tell(self, value: Any, error: BaseException | None) -> None:
        """Give the outcome; in the loop, if there is one."""
        if self.future.done():
            return  # nobody waits any more
        if error is None:
            self.future.set_result(value)
        else:
            self.future.set_exception(error)


@dataclass(slots=True)
class _Write:
    """What somebody wants to have written, in a group with others.

    Attributes:
        make: returns what goes where in a :class:`Group`; called on the thread.
        runs: what it is about: the ids of runs, or of notifications.
        waiter: who waits for it; None: nobody.
        call: something else to be done in the transaction.
        is_told: whether its waiter was told that it could not be written yet.
    """

    make: Callable[[], Rows] = dict
    runs: Sequence[Any] = ()
    waiter: Waiter | None = None
    call: Call | None = None
    is_told: bool = False
    _rows: Rows | None = None

    @property
    def rows(self) -> Rows:
        """What goes where, made once."""
        if self._rows is None:
            self._rows = self.make()
        return self._rows


class Writer:
    """Writes what it is handed, in one transaction for each group of writes.

    While the database cannot be written, those who wait are told so, and the writes
    are kept, in their order, and tried again.

    Args:
        transaction: begins one, and commits it at the end.
        place: how people call the store.
        clock: tells the time between two beats.
        beat: called in a transaction of its own every ``pause`` seconds.
        pause: seconds.
    """

    def __init__(
        self,
        transaction: Transaction,
        place: str,
        clock: Clock,
        beat: Call,
        pause: float,
    ) -> None:
        self._transaction = transaction
        self._place = place
        self._clock = clock
        self._beat = beat
        self._pause = pause
        self._lock = threading.Condition()
        self._writes: deque[_Write] = deque()
        self._begun: dict[str, Row] = {}
        self._kept: deque[_Write] = deque()  # that could not be written
        self._under_way = 0  # writes that are being tried
        self._is_closing = False
        self._is_busy = False
        self._failure: StoreError | None = None  # the last one, if there are such
        self._again_at = 0.0
        self._next_beat = clock.monotonic() + pause
        self._thread = threading.Thread(
            target=self._work, name="truthound-store", daemon=True
        )
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many writes have not been written."""
        with self._lock:
            return len(self._writes) + len(self._kept) + self._under_way

    def write(
        self,
        make: Callable[[], Rows],
        runs: Sequence[Any] = (),
        loop: AbstractEventLoop | None = None,
    ) -> Any:
        """Have rows written; return a future of the runs that were refused.

        Args:
            make: returns them; called on the thread of the writer.
            runs: the ids of the runs that they are about.
            loop: of who awaits the future; None for one that a thread waits for.
        """
        return self._add(_Write(make, runs, Waiter(loop)))

    def call(self, call: Call, loop: AbstractEventLoop | None = None) -> Any:
        """Have something done in a transaction; return a future of what it returns."""
        return self._add(_Write(waiter=Waiter(loop), call=call))

    def begin(self, run_id: str, row: Row) -> None:
        """Have the begin of a run written with the next group, or with its end."""
        with self._lock:
            self._begun[run_id] = row
            if not self._is_busy:
                self._lock.notify()

    def take_begin(self, run_id: str) -> Row | None:
        """Return the begin of a run if it has not been written, to be written now."""
        with self._lock:
            return self._begun.pop(run_id, None)

    def close(self) -> int:
        """Write what is there, end the thread, and return how many writes are lost."""
        with self._lock:
            self._is_closing = True
            self._lock.notify()
        if self._thread is not threading.current_thread():
            self._thread.join()
        lost = self._kept
        for write in lost:
            _tell([(write, None, StoreError(f"the store {self._place} was closed"))])
        return len(lost)

    def _add(self, write: _Write) -> Any:
        assert write.waiter is not None
        with self._lock:
            full = len(self._writes) + len(self._kept) >= MOST
            closed = self._is_closing
            if not full and not closed:
                self._writes.append(write)
                if not self._is_busy:
                    self._lock.notify()
                return write.waiter.future
        why = "is closed" if closed else f"cannot be written, and {MOST:,} writes wait"
        write.waiter.tell(None, StoreError(f"the store {self._place} {why}"))
        return write.waiter.future

    def _work(self) -> None:
        while self._wait():
            self._write_all()
            self._under_way = 0
            if self._clock.monotonic() >= self._next_beat:
                self._next_beat = self._clock.monotonic() + self._pause
                self._write([_Write(call=self._beat)])

    def _wait(self) -> bool:
        """Wait for something to do; False: there is no more."""
        with self._lock:
            self._is_busy = False
            if not self._writes and not self._begun and not self._is_closing:
                pause = AGAIN if self._kept else self._pause
                left = max(0.0, self._next_beat - self._clock.monotonic())
                self._lock.wait(min(pause, left))
            self._is_busy = True
            if self._is_closing and not self._writes and not self._begun:
                self._last_try()
                return False
            return True

    def _last_try(self) -> None:
        kept, self._kept = self._kept, deque()
        if kept:
            self._write(list(kept))

    def _write_all(self) -> None:
        with self._lock:
            writes = [*self._kept, *self._writes]
            self._kept.clear()
            self._writes.clear()
            self._under_way = len(writes)
            begun, self._begun = self._begun, {}
        if begun:
            rows = list(begun.values())
            # Behind the acceptances, should they go one by one.
            writes.append(_Write(lambda: {"begun": rows}))
        if not writes:
            return
        if self._failure is not None and self._clock.monotonic() < self._again_at:
            self._keep(writes, self._failure)  # it has just failed
        else:
            self._failure = None
            self._write(writes)

    def _write(self, writes: list[_Write]) -> None:
        """Write some things together; one by one, if one of them makes it fail."""
        try:
            outcomes = self._written(writes)
        except Exception as error:
            if is_outage(error):
                self._failure = explained(self._place, error)
                self._again_at = self._clock.monotonic() + AGAIN
                logger.error("%s; it is tried again", self._failure)
                self._keep(writes, self._failure)
            elif len(writes) == 1:
                failure = explained(self._place, error)
                logger.error("%s", failure, exc_info=error)
                _tell([(writes[0], None, failure)])
            else:
                self._one_by_one(writes)
            return
        _tell(outcomes)

    def _one_by_one(self, writes: list[_Write]) -> None:
        """Write what can be written, up to an outage: what follows waits its turn."""
        for number, write in enumerate(writes):
            self._write([write])
            if self._failure is not None:
                self._keep(writes[number + 1 :], self._failure)
                return

    def _written(self, writes: list[_Write]) -> list[tuple[_Write, Any, None]]:
        group = Group()
        for write in writes:
            for name, rows in write.rows.items():
                getattr(group, name).extend(rows)
        with self._transaction() as connection:
            refused = write_group(connection, group)
            return [
                (write, write.call(connection), None)
                if write.call
                else (write, {r: refused[r] for r in write.runs if r in refused}, None)
                for write in writes
            ]

    def _keep(self, writes: list[_Write], error: StoreError) -> None:
        """Keep what could not be written, and tell those who wait."""
        told = []
        for write in writes:
            if write.call is not None:
                told.append((write, None, error))  # a question: to be asked anew
                continue
            if not write.is_told:
                told.append((write, None, error))
                write.is_told = True
            self._kept.append(write)
        _tell(told)


def _tell(outcomes: Sequence[tuple[_Write, Any, BaseException | None]]) -> None:
    """Tell those who wait: each loop is woken once."""
    loops: dict[AbstractEventLoop, list[tuple[Waiter, Any, BaseException | None]]] = {}
    for write, value, error in outcomes:
        waiter = write.waiter
        if waiter is None or (write.is_told and error is None):
            continue
        if waiter.loop is None:
            waiter.tell(value, error)
        else:
            loops.setdefault(waiter.loop, []).append((waiter, value, error))
    for loop, some in loops.items():
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(_tell_in_loop, some)


def _tell_in_loop(some: list[tuple[Waiter, Any, BaseException | None]]) -> None:
    for waiter, value, error in some:
        waiter.tell(value, error)
