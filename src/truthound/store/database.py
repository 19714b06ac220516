"""``Store``: runs, results, owed notifications and more in a database."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from truthound._clock import SYSTEM_CLOCK, Clock
from truthound.store import _outbox, _recovery
from truthound.store._asking import Asking
from truthound.store._database import LEASE, in_thread
from truthound.store._owing import Owing
from truthound.store._place import named
from truthound.store._processes import new_owner, this_process
from truthound.store._remembering import Remembering
from truthound.store._rows import (
    actions_text,
    as_json,
    as_text,
    document_text,
    outcome_columns,
    row_of_notice,
)
from truthound.store._tables import stamp
from truthound.store._writer import Rows
from truthound.store._writing import Refused
from truthound.store.records import (
    Notice,
    Outcome,
    Recovered,
    RunRecord,
    RunState,
    Settled,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine


class Store(Asking, Owing, Remembering):
    """Runs and their results, what they owe, and more, in one database.

    It is opened by its first use, and made if it is not there; ``close()``, or the end
    of a ``with`` or ``async with`` block, ends its thread and its connections. A runner
    or pool opens and closes the store that it is given.

    Args:
        place: the path of a SQLite file, or an address: ``sqlite:///PATH``,
            ``postgresql://…``. In SQLite the parent folder is made.
        durable: a commit survives the loss of power, not only of the process
            (``synchronous=FULL`` in SQLite; PostgreSQL does that in any case).
        lease: seconds after which a process on another machine is taken for dead if
            it gives no sign of life.
        clock: tells the time; for tests.

    Raises:
        ConfigurationError: the place is none where a store can be.

    Example:
        >>> from truthound.store import Store
        >>> Store("quality.db")
        Store('quality.db')
    """

    # ------------------------------------------------------------------- the journal

    def accept(self, records: Sequence[RunRecord]) -> Awaitable[Collection[str]]:
        """Write down accepted runs, in one transaction.

        Returns:
            What can be awaited: the ids of those that are not, as another run has their
            slot. They are written down whether anybody awaits it or not.

        Raises:
            StoreError: they cannot be written. They are kept in memory, and written as
                soon as that is possible.
        """
        ids = [record.run_id for record in records]
        writer, loop = self._writer, _running_loop()
        if writer is None or loop is None:
            return self._accept_later(records)

        def taken(refused: Refused) -> list[str]:
            if not refused:
                return []
            return [run_id for run_id in ids if refused.get(as_text(run_id))]

        found: Awaitable[list[str]] = writer.write(
            lambda: {"accepted": list(records)}, taken, loop
        )
        return found

    async def _accept_later(self, records: Sequence[RunRecord]) -> Collection[str]:
        await self._opening()
        return await self.accept(records)

    def begin(self, run_id: str, attempt: int, owner: str, at: datetime) -> None:
        """Write down that a run has begun, soon."""
        if self._writer is not None:
            row = {**_this(run_id, attempt, owner), "new_began_at": stamp(at)}
            self._writer.begin(run_id, row)

    async def begun(self, run_id: str, attempt: int, owner: str, at: datetime) -> None:
        """Write down that a run begins, and wait for that.

        Raises:
            StoreError: see :meth:`accept`.
        """
        row = {**_this(run_id, attempt, owner), "new_began_at": stamp(at)}
        writer = self._writer or await self._opening()
        loop = asyncio.get_running_loop()
        await writer.write(lambda: {"begun": [row]}, None, loop)

    async def found(
        self,
        run_id: str,
        attempt: int,
        owner: str,
        outcome: Outcome,
        owed: Sequence[Notice],
    ) -> bool:
        """Store the result of a run, with what it owes, before its actions begin.

        Returns:
            False: the run is not this owner's any more.

        Raises:
            StoreError: see :meth:`accept`.
        """
        this = _this(run_id, attempt, owner)

        def rows() -> Rows:
            document = document_text(outcome) or "{}"
            found = {**this, **outcome_columns(outcome), **_texts(outcome, document)}
            return {
                "found": [found],
                "owed": [{**this, **row_of_notice(notice)} for notice in owed],
            }

        writer = self._writer or await self._opening()
        is_ours: bool = await writer.write(
            rows, _is_ours(this["the_run"]), asyncio.get_running_loop()
        )
        return is_ours

    def end(
        self,
        run_id: str,
        attempt: int,
        owner: str,
        state: RunState,
        at: datetime,
        outcome: Outcome,
        settled: Sequence[Settled] = (),
    ) -> Awaitable[bool]:
        """Write down how a run ended, with its result and what became of its notices.

        Returns:
            What can be awaited, without a task of its own; False: the run is not this
            owner's any more, or has an end.

        Raises:
            StoreError: see :meth:`accept`.
        """
        writer, loop = self._writer, _running_loop()
        if writer is None or loop is None:
            return self._end_later(run_id, attempt, owner, state, at, outcome, settled)
        this = _this(run_id, attempt, owner)
        begun = writer.take_begin(run_id)

        def rows() -> Rows:
            ended = {
                **this,
                **outcome_columns(outcome),
                "new_state": state.value,
                "new_ended_at": stamp(at),
                "new_began_at": begun and begun["new_began_at"],
            }
            found: Rows = {"ended": [ended]}
            if settled:
                found["settled"] = [
                    _outbox.settle_row(run_id, owner, one, at) for one in settled
                ]
            document = document_text(outcome)
            if document is not None:
                found["documents"] = [{**this, **_texts(outcome, document)}]
            elif (actions := actions_text(outcome)) is not None:
                found["actions"] = [{**this, "the_actions": actions}]
            return found

        is_ours: Awaitable[bool] = writer.write(rows, _is_ours(this["the_run"]), loop)
        return is_ours

    async def _end_later(self, *ending: Any) -> bool:
        await self._opening()
        return await self.end(*ending)

    # -------------------------------------------------------------- owners and leases

    async def register(self, owner: str) -> None:
        """Hold an owner in this process for alive, until it is forgotten.

        Raises:
            StoreError: it cannot be written; it is tried again with each beat.
        """
        self._living[owner] = await in_thread(lambda: this_process(owner))
        await self._call(self._beat)

    async def present(self) -> str:
        """Return the owner that stands for this process, alive as long as it is open.

        Raises:
            StoreError: see :meth:`register`.
        """
        own = self.own
        if own not in self._shown:  # also if another has only begun to
            await self.register(own)
            self._shown.add(own)
        return own

    @property
    def own(self) -> str:
        """The name of the owner that stands for this process."""
        if self._own is None:
            self._own = new_owner()
        return self._own

    async def forget(self, owner: str) -> None:
        """Say that an owner has ended.

        Raises:
            StoreError: it cannot be written; others find out by themselves.
        """
        if self._living.pop(owner, None) is not None:
            await self._call(lambda connection: _recovery.forget(connection, [owner]))

    async def recover(
        self,
        owner: str,
        *,
        known: Collection[str] | None = None,
        again: Collection[str] = (),
        attempts: int = 3,
        is_start: bool = False,
    ) -> Recovered:
        """Take over what owners have left that are gone.

        A run whose result is stored has ended; another one is run again, or ends as
        interrupted. What was being sent is owed again.

        Args:
            owner: who asks, and gets the runs that are to be run again.
            known: checkpoints whose runs are looked at; None: all.
            again: of these, the ones whose runs are run again.
            attempts: how often a run may begin; the last one ends as failed.
            is_start: this owner has no runs yet.

        Raises:
            StoreError: the store cannot be read or written.
        """
        now = self.clock.now()

        def work(connection: Connection) -> Recovered:
            return _recovery.recover(
                connection,
                owner,
                now,
                known=known,
                again=again,
                attempts=attempts,
                is_start=is_start,
            )

        found: Recovered = await self._call(work)
        return found


class MemoryStore(Store):
    """A store in memory: the same in all but that it ends when it is closed.

    For tests, and for programs that want to look back and keep nothing.

    Args:
        lease: as for :class:`Store`.
        clock: tells the time; for tests.

    Example:
        >>> from truthound.store import MemoryStore
        >>> MemoryStore()
        MemoryStore('sqlite://')
    """

    def __init__(self, *, lease: float = LEASE, clock: Clock = SYSTEM_CLOCK) -> None:
        self._only = threading.RLock()
        super().__init__("sqlite://", lease=lease, clock=clock)

    def _alone(self) -> contextlib.AbstractContextManager[Any]:
        return self._only

    def _make_readers(self) -> Engine:
        assert self._engine is not None  # it is open
        return self._engine


Place = Store | str | os.PathLike[str] | Literal[False] | None


def store_of(place: Place = None) -> Store | None:
    """Return the store that an option means; None: there is none.

    Args:
        place: a store, a path or an address; None: what ``TRUTHOUND_STORE`` says;
            False: none in any case.

    Raises:
        ConfigurationError: the place is none where a store can be.
    """
    if isinstance(place, Store):
        return place
    if place is None:
        place = named()
    return None if place is None or place is False else Store(place)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _is_ours(run_id: str) -> Callable[[Refused], bool]:
    return lambda refused: refused.get(run_id) is not False


def _this(run_id: str, attempt: int, owner: str) -> dict[str, Any]:
    return {
        "the_run": as_text(run_id),
        "the_attempt": attempt,
        "the_owner": as_text(owner),
    }


def _texts(outcome: Outcome, document: str) -> dict[str, Any]:
    return {
        "the_metrics": as_json(outcome.metrics) if outcome.metrics else "{}",
        "the_document": document,
        "the_actions": None,
    }
