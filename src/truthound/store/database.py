"""``Store``: runs, results, owed notifications and more in a database."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from truthound._clock import SYSTEM_CLOCK, Clock
from truthound.store import _kept, _outbox, _recovery
from truthound.store._database import LEASE, Database
from truthound.store._place import named
from truthound.store._processes import new_owner, this_process
from truthound.store._rows import (
    actions_text,
    as_json,
    document_text,
    outcome_columns,
    row_of_notice,
)
from truthound.store._tables import stamp
from truthound.store._writer import Rows
from truthound.store.records import (
    Notice,
    NoticeState,
    Outcome,
    Part,
    Recovered,
    RunRecord,
    RunState,
    Settled,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

OPEN = (NoticeState.OWED, NoticeState.DEAD, NoticeState.DROPPED)


class Store(Database):
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

    async def accept(self, records: Sequence[RunRecord]) -> Collection[str]:
        """Write down accepted runs, in one transaction.

        Returns:
            The ids of those that are not: another run has their slot.

        Raises:
            StoreError: they cannot be written. They are kept in memory, and written as
                soon as that is possible.
        """
        ids = [record.run_id for record in records]
        writer = self._writer or await self._opening()
        loop = asyncio.get_running_loop()
        refused = await writer.write(lambda: {"accepted": list(records)}, ids, loop)
        return [run_id for run_id, is_taken in refused.items() if is_taken]

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
        await writer.write(lambda: {"begun": [row]}, [run_id], loop)

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
        refused = await writer.write(rows, [run_id], asyncio.get_running_loop())
        return refused.get(run_id, True) is not False

    async def end(
        self,
        run_id: str,
        attempt: int,
        owner: str,
        state: RunState,
        at: datetime,
        outcome: Outcome,
        settled: Sequence[Settled] = (),
    ) -> bool:
        """Write down how a run ended, with its result and what became of its notices.

        Returns:
            False: the run is not this owner's any more, or has an end.

        Raises:
            StoreError: see :meth:`accept`.
        """
        writer = self._writer or await self._opening()
        loop = asyncio.get_running_loop()
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
            found: Rows = {
                "ended": [ended],
                "settled": [_outbox.settle_row(run_id, owner, s, at) for s in settled],
            }
            document = document_text(outcome)
            if document is not None:
                found["documents"] = [{**this, **_texts(outcome, document)}]
            elif (actions := actions_text(outcome)) is not None:
                found["actions"] = [{**this, "the_actions": actions}]
            return found

        refused = await writer.write(rows, [run_id], loop)
        return refused.get(run_id, True) is not False

    # -------------------------------------------------------------- owners and leases

    async def register(self, owner: str) -> None:
        """Hold an owner in this process for alive, until it is forgotten.

        Raises:
            StoreError: it cannot be written; it is tried again with each beat.
        """
        self._living[owner] = await asyncio.to_thread(this_process, owner)
        await self._call(self._beat)

    async def present(self) -> str:
        """Return the owner that stands for this process, alive as long as it is open.

        Raises:
            StoreError: see :meth:`register`.
        """
        if self._own is None:
            # Two who ask at once may get two; neither has one that others do not know.
            own = new_owner()
            await self.register(own)
            self._own = own
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
    ) -> Recovered:
        """Take over what owners have left that are gone.

        A run whose result is stored has ended; another one is run again, or ends as
        interrupted. What was being sent is owed again.

        Args:
            owner: who asks, and gets the runs that are to be run again.
            known: checkpoints whose runs are looked at; None: all.
            again: of these, the ones whose runs are run again.
            attempts: how often a run may begin; the last one ends as failed.

        Raises:
            StoreError: the store cannot be read or written.
        """
        now = self.clock.now()

        def work(connection: Connection) -> Recovered:
            return _recovery.recover(
                connection, owner, now, known=known, again=again, attempts=attempts
            )

        found: Recovered = await self._call(work)
        return found

    # --------------------------------------------------------------------- the outbox

    async def claim(
        self,
        owner: str,
        checkpoints: Collection[str],
        *,
        limit: int = 50,
        only: _outbox.Selection | None = None,
    ) -> list[Notice]:
        """Take notifications that are due, to send them; nobody else gets them.

        Args:
            owner: who sends them.
            checkpoints: of which checkpoints.
            limit: how many at the most.
            only: of these run ids and positions.

        Raises:
            StoreError: the store cannot be read or written.
        """
        now = self.clock.now()

        def work(connection: Connection) -> list[Notice]:
            return _outbox.claim(
                connection, owner, now, checkpoints=checkpoints, limit=limit, only=only
            )

        found: list[Notice] = await self._call(work)
        return found

    async def settle(self, run_id: str, owner: str, settled: Settled) -> bool:
        """Write down what became of a try; False: somebody else has it now.

        Raises:
            StoreError: it cannot be written; it is kept, and written later.
        """
        writer = self._writer or await self._opening()
        loop = asyncio.get_running_loop()
        row = _outbox.settle_row(run_id, owner, settled, self.clock.now())
        await writer.write(lambda: {"settled": [row]}, [], loop)
        return True

    async def next_due(self, checkpoints: Collection[str]) -> datetime | None:
        """Return when the next notification is due; None: there is none.

        Raises:
            StoreError: the store cannot be read.
        """
        found: datetime | None = await self._call(
            lambda connection: _outbox.next_due(connection, checkpoints)
        )
        return found

    def retry_notices(
        self,
        selection: _outbox.Selection | None = None,
        states: Collection[NoticeState] = OPEN,
    ) -> int:
        """Make notifications owed and due, with all their tries before them. Blocks.

        Args:
            selection: run ids and positions; None: all in one of the states.
            states: in which they may be.

        Returns:
            How many there were.

        Raises:
            StoreError: the store cannot be written.
        """
        now = self.clock.now()
        return int(self._do(lambda c: _outbox.put_back(c, now, selection, states)))

    def drop_notices(
        self,
        selection: _outbox.Selection | None = None,
        states: Collection[NoticeState] = (NoticeState.OWED, NoticeState.DEAD),
    ) -> int:
        """Say of notifications that they need not be sent. Blocks.

        Args:
            selection: run ids and positions; None: all in one of the states.
            states: in which they may be.

        Returns:
            How many there were.

        Raises:
            StoreError: the store cannot be written.
        """
        now = self.clock.now()
        return int(self._do(lambda c: _outbox.drop(c, now, selection, states)))

    # --------------------------------------------------------------- cursors and parts

    def cursor(self, name: str) -> Any:
        """Return how far a trigger has come; None if it has not said. Blocks.

        Raises:
            StoreError: the store cannot be read.
        """
        with self.reading() as connection:
            return _kept.cursor(connection, name)

    async def set_cursor(self, name: str, value: Any) -> None:
        """Write down how far a trigger has come, as plain values.

        Raises:
            StoreError: the store cannot be written.
        """
        text, now = as_json(value), self.clock.now()
        await self._call(lambda c: _kept.set_cursor(c, name, text, now))

    def load(self, source: str) -> list[Part]:
        """Return what is known of the files of a source that grows. Blocks.

        Raises:
            StoreError: the store cannot be read.
        """
        with self.reading() as connection:
            return _kept.parts(connection, source)

    def save(
        self, source: str, parts: Sequence[Part], removed: Collection[str] = ()
    ) -> None:
        """Keep what is known of some files of a source, and forget others. Blocks.

        Args:
            source: which.
            parts: the files, in place of what was known of them.
            removed: files that are not there any more.

        Raises:
            StoreError: the store cannot be written.
        """
        self._do(lambda c: _kept.save_parts(c, source, parts, removed))

    def document(self, run_id: str) -> dict[str, Any]:
        """Return the result of a run as plain values. Blocks.

        Raises:
            StoreError: there is no such run, or what is stored is damaged.
        """
        from sqlalchemy import select

        from truthound.errors import StoreError
        from truthound.store._rows import from_json
        from truthound.store._tables import results, runs

        with self.reading() as connection:
            row = connection.execute(
                select(runs, results.c.document, results.c.actions)
                .outerjoin(results, results.c.seq == runs.c.seq)
                .where(runs.c.run_id == run_id)
            ).one_or_none()
        if row is None or row.document is None:
            raise StoreError(f"the store {self.place} has no result of {run_id}")
        found: dict[str, Any] = from_json(row.document, f"the result of {run_id}")
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


def store_of(place: Store | str | os.PathLike[str] | None = None) -> Store | None:
    """Return the store that an option means; None: there is none.

    Args:
        place: a store, a path or an address; None: what ``TRUTHOUND_STORE`` says.

    Raises:
        ConfigurationError: the place is none where a store can be.
    """
    if isinstance(place, Store):
        return place
    if place is None:
        place = named()
    return None if place is None else Store(place)


def _this(run_id: str, attempt: int, owner: str) -> dict[str, Any]:
    return {"the_run": run_id, "the_attempt": attempt, "the_owner": owner}


def _texts(outcome: Outcome, document: str) -> dict[str, Any]:
    return {
        "the_metrics": as_json(dict(outcome.metrics)),
        "the_document": document,
        "the_actions": None,
    }
