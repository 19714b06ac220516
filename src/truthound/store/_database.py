"""A database that is open: its file, its connections, and its one writer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from truthound._clock import SYSTEM_CLOCK, Clock
from truthound._threads import Workers
from truthound.errors import StoreError
from truthound.secrets import without_password
from truthound.store import _recovery
from truthound.store._engine import make_engine, translated, url_of
from truthound.store._opening import Mark, count_commit, file_of, open_tables
from truthound.store._place import FILE, beside_configuration
from truthound.store._writer import Writer
from truthound.store.records import Owner

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

LEASE = 30.0  # seconds that an owner is held to live without a sign of it

logger: logging.Logger = logging.getLogger("truthound.store")


# Opening and closing may take as long as a server or a disk does.
_WORKERS = Workers(8, "truthound-store-opening")


async def in_thread(work: Callable[[], Any]) -> Any:
    """Await something that blocks, on a thread that never holds up the end."""
    return await asyncio.wrap_future(_WORKERS.submit(work))


class Database:
    """What a store is kept in; see :class:`truthound.store.Store`."""

    def __init__(
        self,
        place: str | os.PathLike[str] = FILE,
        *,
        durable: bool = False,
        lease: float = LEASE,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        text = os.fspath(place)
        self.url: URL = url_of(text)
        self.place: str = without_password(text)
        self.path: Path | None = file_of(self.url)
        self.lease: float = lease
        self.clock: Clock = clock
        self._durable = durable
        self._lock = threading.RLock()
        self._users = 0
        self._reset()
        _all.add(self)

    def _reset(self) -> None:
        self._writer: Writer | None = None
        self._engine: Engine | None = None  # writes
        self._readers: Engine | None = None
        self._mark: Mark | None = None
        self._connection: Connection | None = None  # of the writer's thread
        self._living: dict[str, Owner] = {}
        self._own: str | None = None  # the owner that stands for the whole process
        self._shown: set[str] = set()  # it, once others can see that it lives

    @classmethod
    def near(cls, start: str | os.PathLike[str] = ".", **options: Any) -> Self:
        """Return the one beside the nearest ``truthound.yaml`` upwards, else here.

        Args:
            start: the folder where the search begins.
            options: as for the class.
        """
        return cls(beside_configuration(start) / FILE, **options)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.place!r})"

    def open(self) -> Self:
        """Open it, unless it is open. Blocks.

        Raises:
            StoreError: it is damaged, of a newer release, or cannot be reached.
        """
        self._opened()
        return self

    def close(self) -> None:
        """Write what is there and close it; it can be opened again. Blocks."""
        with self._lock:
            writer, self._writer = self._writer, None
            lost = 0
            if writer is not None:
                if living := list(self._living):
                    with contextlib.suppress(StoreError):  # others find out
                        writer.call(lambda c: _recovery.forget(c, living)).result()
                lost = writer.close()
            self._drop_connection()
            if self._mark is not None:
                self._mark.close()
            for engine in (self._engine, self._readers):
                if engine is not None:
                    engine.dispose()
            self._reset()
        if lost:
            logger.error("the store %s: %s writes are lost", self.place, f"{lost:,}")

    def retain(self) -> Self:
        """Open it, and keep it open until :meth:`release` was called as often. Blocks.

        Raises:
            StoreError: see :meth:`open`.
        """
        with self._lock:
            self.open()
            self._users += 1
        return self

    def release(self) -> None:
        """Close it, if nobody else has it. Blocks."""
        with self._lock:
            self._users -= 1
            if self._users <= 0:
                self._users = 0
                self.close()

    def __enter__(self) -> Self:
        return self.retain()

    def __exit__(self, *_: object) -> None:
        self.release()

    async def __aenter__(self) -> Self:
        await in_thread(self.retain)
        return self

    async def __aexit__(self, *_: object) -> None:
        await in_thread(self.release)

    def _opened(self) -> Writer:
        with self._lock:
            if self._writer is None:
                with translated(self.place):
                    self._open()
            assert self._writer is not None
            return self._writer

    def _open(self) -> None:
        self._engine = make_engine(self.url, is_durable=self._durable)
        try:
            open_tables(self._engine, self.place)
            if self.path is not None:
                self._mark = Mark(self.path)
                with self._engine.connect() as connection:
                    self._tell_lacking(self._mark.lacking(connection))
        except BaseException:
            self._engine.dispose()
            if self._mark is not None:
                self._mark.close()
            self._reset()
            raise
        self._writer = Writer(
            self._transaction, self.place, self.clock, self._beat, self.lease / 3
        )

    def _tell_lacking(self, commits: int) -> None:
        if commits:
            logger.warning(
                "the store %s lacks its last %s: its -wal file was removed, an older "
                "copy was put in its place, or the machine lost power; runs since then "
                "are missing",
                self.place,
                "commit" if commits == 1 else f"{commits:,} commits",
            )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """Begin a transaction on the connection of the writer's thread."""
        assert self._engine is not None
        if self._connection is None:
            self._connection = self._engine.connect()
        number = None
        try:
            with self._alone(), self._connection.begin():
                yield self._connection
                if self._mark is not None:
                    number = count_commit(self._connection)
        except BaseException:
            self._drop_connection()
            raise
        if number is not None and self._mark is not None:
            with contextlib.suppress(OSError):
                self._mark.note(number)

    def _drop_connection(self) -> None:
        """Begin the next transaction on another connection: this one may be broken."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                if self.url.get_backend_name() == "postgresql":
                    connection.invalidate()
                connection.close()

    def _alone(self) -> contextlib.AbstractContextManager[Any]:
        """Keep others from the one connection that a database in memory has."""
        return contextlib.nullcontext()

    def _beat(self, connection: Connection) -> None:
        if self._living:
            living = list(self._living.values())
            _recovery.renew(connection, living, self.clock.now(), self.lease)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection that reads, beside the writer. Blocks.

        Raises:
            StoreError: whatever the database raises in the block.
        """
        with translated(self.place):
            self._opened()
            with self._lock:
                if self._readers is None:
                    self._readers = self._make_readers()
                engine = self._readers
            with self._alone(), engine.begin() as connection:
                yield connection

    def _make_readers(self) -> Engine:
        return make_engine(self.url, writes=False)

    def _do(self, call: Callable[[Connection], Any]) -> Any:
        """Do something in a transaction of the writer, and wait for it."""
        return self._opened().call(call).result()

    async def _call(self, call: Callable[[Connection], Any]) -> Any:
        writer = self._writer or await self._opening()
        return await writer.call(call, asyncio.get_running_loop())

    async def _opening(self) -> Writer:
        writer: Writer = await in_thread(self._opened)
        return writer


_all: weakref.WeakSet[Database] = weakref.WeakSet()


def _forget_parent() -> None:
    """Open anew in a child: its parent's thread and connections are not its own."""
    for database in list(_all):
        database._lock = threading.RLock()
        database._reset()


os.register_at_fork(after_in_child=_forget_parent)
