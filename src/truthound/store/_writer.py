"""One thread that writes, in groups: what came while it was busy goes together."""

from __future__ import annotations

import contextlib
import logging
import threading
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from sqlalchemy import Connection

from truthound._clock import Clock
from truthound.errors import StoreError
from truthound.store._engine import explained, is_lost, is_outage
from truthound.store._writing import Group, Refused, Row, write_group

logger: logging.Logger = logging.getLogger("truthound.store")

MOST = 100_000  # writes that wait while the database cannot be written
# Under load a group waits for more: a commit costs as much as a dozen rows. PostgreSQL
# has the same (commit_delay, commit_siblings).
GATHER = 0.003  # seconds that it waits at the most
ENOUGH = 32  # writes with which it waits no longer
SIBLINGS = 4  # writes of the last group from which on there is load
SOON = 0.05  # seconds until a begin is written for which no end has come
AGAIN = 1.0  # seconds between two tries of such
Call = Callable[[Connection], Any]
Rows = dict[str, list[Any]]  # by the names of a Group's attributes
Answer = Callable[[Refused], Any]
Transaction = Callable[[], "contextlib.AbstractContextManager[Connection]"]


class _Write:
    """What somebody wants to have written, in a group with others.

    Args:
        make: returns what goes where in a :class:`Group`; called on the thread.
        answer: makes what the waiter gets of the runs that were refused.
        call: something else to be done in the transaction; the waiter gets what it
            returns.
        loop: where a coroutine waits; None: a thread does, or nobody.

    Attributes:
        future: of who waits.
        is_told: whether the waiter was told that it could not be written yet.
    """

    __slots__ = ("_make", "_rows", "answer", "call", "future", "is_told", "loop")

    def __init__(
        self,
        make: Callable[[], Rows] = dict,
        answer: Answer | None = None,
        call: Call | None = None,
        loop: AbstractEventLoop | None = None,
    ) -> None:
        self._make = make
        self._rows: Rows | None = None
        self.answer = answer
        self.call = call
        self.loop = loop
        self.future: Any = Future() if loop is None else loop.create_future()
        self.is_told = False

    @property
    def rows(self) -> Rows:
        """What goes where, made once."""
        if self._rows is None:
            self._rows = self._make()
        return self._rows

    def tell(self, value: Any, error: BaseException | None) -> None:
        """Give the outcome; in the loop, if there is one."""
        if self.future.done():
            return  # nobody waits any more
        if error is None:
            self.future.set_result(value)
        else:
            self.future.set_exception(error)


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
        # What was asked for in this turn of a loop goes together: handed over when the
        # turn is over. The thread would else begin with the first, and fight for the
        # interpreter with whoever asks for the others.
        self._coming: dict[AbstractEventLoop, list[_Write]] = {}
        self._begun: dict[str, tuple[float, Row]] = {}
        self._kept: deque[_Write] = deque()  # that could not be written
        self._under_way = 0  # writes that are being tried
        self._is_closing = False
        self._is_busy = False
        self._is_gathering = False
        self._last = 0  # writes of the last group
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
            return self._number()

    def write(
        self,
        make: Callable[[], Rows],
        answer: Answer | None = None,
        loop: AbstractEventLoop | None = None,
    ) -> Any:
        """Have rows written; return a future.

        Args:
            make: returns them, by the names of a :class:`Group`'s attributes; called on
                the thread of the writer.
            answer: makes the future's result of the runs that were refused.
            loop: of who awaits the future; None for one that a thread waits for.
        """
        return self._add(_Write(make, answer, None, loop))

    def call(self, call: Call, loop: AbstractEventLoop | None = None) -> Any:
        """Have something done in a transaction; return a future of what it returns."""
        return self._add(_Write(call=call, loop=loop))

    def begin(self, run_id: str, row: Row) -> None:
        """Have the begin of a run written soon, or with its end if that comes first."""
        with self._lock:
            if not self._begun and not self._is_busy:
                self._lock.notify()
            self._begun[run_id] = self._clock.monotonic() + SOON, row

    def take_begin(self, run_id: str) -> Row | None:
        """Return the begin of a run if it has not been written, to be written now."""
        with self._lock:
            begun = self._begun.pop(run_id, None)
        return None if begun is None else begun[1]

    def close(self) -> int:
        """Write what is there, end the thread, and return how many writes are lost."""
        with self._lock:
            for coming in self._coming.values():
                self._writes.extend(coming)
            self._coming.clear()
            self._is_closing = True
            self._lock.notify()
        if self._thread is not threading.current_thread():
            self._thread.join()
        lost = self._kept
        for write in lost:
            _tell([(write, None, StoreError(f"the store {self._place} was closed"))])
        return len(lost)

    def _add(self, write: _Write) -> Any:
        loop = write.loop
        with self._lock:
            full, closed = self._number() >= MOST, self._is_closing
            if not full and not closed:
                if loop is None:
                    self._writes.append(write)
                    self._lock.notify()
                elif loop in self._coming:
                    self._coming[loop].append(write)
                else:
                    self._coming[loop] = [write]
                    loop.call_soon(self._hand_over, loop)
                return write.future
        why = "is closed" if closed else f"cannot be written, and {MOST:,} writes wait"
        write.tell(None, StoreError(f"the store {self._place} {why}"))
        return write.future

    def _hand_over(self, loop: AbstractEventLoop) -> None:
        with self._lock:
            self._writes.extend(self._coming.pop(loop, ()))
            if not self._is_gathering or len(self._writes) >= ENOUGH:
                self._lock.notify()

    def _number(self) -> int:
        coming = sum(map(len, self._coming.values()))
        return len(self._writes) + len(self._kept) + self._under_way + coming

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
            if not self._writes and not self._is_closing:
                self._lock.wait(self._idle())
            self._gather()
            self._is_busy = True
            if self._is_closing and not self._writes and not self._begun:
                self._last_try()
                return False
            return True

    def _gather(self) -> None:
        """Wait a moment for more to write, under load."""
        if self._last < SIBLINGS or len(self._writes) >= ENOUGH or self._is_closing:
            return
        self._is_gathering = True
        self._lock.wait(GATHER)
        self._is_gathering = False

    def _idle(self) -> float:
        """Return how many seconds there is nothing to do."""
        now = self._clock.monotonic()
        ends = [self._next_beat]
        if self._kept:
            ends.append(now + AGAIN)
        if self._begun:
            ends.append(next(iter(self._begun.values()))[0])
        return max(0.0, min(ends) - now)

    def _last_try(self) -> None:
        kept, self._kept = self._kept, deque()
        if kept:
            self._failure = None
            self._write(list(kept))

    def _write_all(self) -> None:
        with self._lock:
            now = self._clock.monotonic()
            failure = self._failure if now < self._again_at else None
            writes = list(self._writes)
            self._last = len(writes)
            if failure is None:
                writes = [*self._kept, *writes]
                self._kept.clear()
            self._writes.clear()
            self._under_way = len(writes)
            due = [
                run_id
                for run_id, (at, _) in self._begun.items()
                if at <= now or self._is_closing
            ]
            rows = [self._begun.pop(run_id)[1] for run_id in due]
        if rows:
            # Behind the acceptances, should they go one by one.
            writes.append(_Write(lambda: {"begun": rows}))
        if not writes:
            return
        if failure is not None:
            self._keep(writes, failure)  # it has just failed
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

    def _written(self, writes: list[_Write]) -> list[_Told]:
        group = Group()
        for write in writes:
            for name, rows in write.rows.items():
                getattr(group, name).extend(rows)
        is_again = False
        while True:
            is_whole = False
            try:
                with self._transaction() as connection:
                    refused = write_group(connection, group)
                    outcomes = _outcomes(connection, writes, refused)
                    is_whole = True
                return outcomes
            except Exception as error:
                # Not even begun to be committed: a new connection may serve at once.
                if is_again or is_whole or not is_lost(error):
                    raise
            is_again = True

    def _keep(self, writes: list[_Write], error: StoreError) -> None:
        """Keep what could not be written, and tell those who wait."""
        told: list[_Told] = []
        for write in writes:
            if write.call is not None:
                told.append((write, None, error))  # a question: to be asked anew
                continue
            if not write.is_told:
                told.append((write, None, error))
            self._kept.append(write)
        _tell(told)
        for write in writes:
            write.is_told = True


def _outcomes(
    connection: Connection, writes: Sequence[_Write], refused: Refused
) -> list[_Told]:
    """Return what those get who wait."""
    return [
        (write, write.call(connection) if write.call else None, None)
        if write.answer is None
        else (write, write.answer(refused), None)
        for write in writes
    ]


def _tell(outcomes: Sequence[_Told]) -> None:
    """Tell those who wait: each loop is woken once."""
    loops: dict[AbstractEventLoop, list[_Told]] = {}
    for told in outcomes:
        write, value, error = told
        if write.is_told and error is None:
            continue  # that it could not be written; it is by now
        if write.loop is None:
            write.tell(value, error)
        else:
            loops.setdefault(write.loop, []).append(told)
    for loop, some in loops.items():
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(_tell_in_loop, some)


def _tell_in_loop(some: list[_Told]) -> None:
    for write, value, error in some:
        write.tell(value, error)


_Told = tuple[_Write, Any, BaseException | None]
