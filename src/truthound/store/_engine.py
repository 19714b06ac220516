"""Connections to the databases that can be a store, and their errors as ours."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, make_url
from sqlalchemy.pool import NullPool, StaticPool

from truthound.errors import (
    ConfigurationError,
    MissingDependencyError,
    StoreError,
    did_you_mean,
)
from truthound.secrets import without_password

PATIENCE = 30.0  # seconds to wait for another process that writes to the same file
_KINDS = ("sqlite", "postgresql")
_TOO_LARGE = "54"  # the class of PostgreSQL's errors that say so
_ENDED = ("57P", "08")  # those that say that the server ends the connection
_WRITABLE = "; it, its folder and what lies beside it must be there and be writable"
_HINTS = {"unable to open": _WRITABLE, "readonly": _WRITABLE, "Read-only": _WRITABLE}
_DAMAGED = ("malformed", "not a database", "disk image", "corrupt")


def url_of(place: str) -> URL:
    """Return the address of a database: of a path, or as it was written.

    Raises:
        ConfigurationError: it is of no kind that can be a store.
    """
    if "://" not in place:
        return URL.create("sqlite", database=str(Path(place).expanduser()))
    try:
        url = make_url(place)
    except (exc.ArgumentError, ValueError):
        raise ConfigurationError(
            f"store: {without_password(place)} is no address of a database"
        ) from None
    kind = "postgresql" if url.drivername == "postgres" else url.get_backend_name()
    if kind not in _KINDS:
        raise ConfigurationError(
            f"store: {kind}:// cannot be a store{did_you_mean(kind, _KINDS)}; it is a "
            "path, sqlite:///PATH, sqlite:// (in memory) or postgresql://…"
        )
    return url.set(drivername="postgresql+psycopg" if kind == "postgresql" else kind)


def make_engine(url: URL, *, is_durable: bool = False, writes: bool = True) -> Engine:
    """Return an engine whose connections are set up as a store needs them.

    Args:
        url: from :func:`url_of`.
        is_durable: a commit survives the loss of power, too.
        writes: False: the connections only read.

    Raises:
        MissingDependencyError: the driver is not installed.
    """
    if url.get_backend_name() == "postgresql":
        return _postgresql(url)
    if not url.database:
        options: dict[str, Any] = {"poolclass": StaticPool}
    else:
        options = {"poolclass": NullPool}
    engine = create_engine(
        url,
        connect_args={"timeout": PATIENCE, "check_same_thread": False},
        **options,
    )

    def connected(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # the transactions are ours
        ask = connection.execute
        if url.database:
            if not writes:
                ask("PRAGMA query_only = ON")
            ask(f"PRAGMA synchronous = {'FULL' if is_durable else 'NORMAL'}")
        ask("PRAGMA foreign_keys = ON")
        ask("PRAGMA cache_size = -16000")  # KiB

    def begun(connection: Connection) -> None:
        # Whoever means to write says so at once: else two who have read first would
        # be refused, not made to wait.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
    return engine


def _postgresql(url: URL) -> Engine:
    try:
        return create_engine(
            url,
            pool_size=2,
            max_overflow=8,
            pool_pre_ping=True,
            connect_args={"connect_timeout": 10, "application_name": "truthound"},
        )
    except ImportError:
        raise MissingDependencyError(
            "psycopg", "postgres", "a store in PostgreSQL"
        ) from None


def is_outage(error: BaseException) -> bool:
    """Tell whether the database is at fault, and the same may succeed later.

    A full disk, a file system that is read-only, a server that is gone.
    """
    if isinstance(error, StoreError):
        return False  # said by us, of what is stored
    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return True
    # What is too large for PostgreSQL stays so, and would hold up all that follows.
    state = getattr(getattr(error, "orig", None) or error, "sqlstate", None) or ""
    if state.startswith(_TOO_LARGE):
        return False
    if isinstance(error, (OSError, exc.TimeoutError)) or _is_damage(error):
        return True
    # As SQLAlchemy calls them, or the drivers themselves: PEP 249 has the names.
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"OperationalError", "InterfaceError"})


def is_lost(error: BaseException) -> bool:
    """Tell whether the server has ended the connection, so that another may serve.

    It does so with one that was idle for long, or when it is started anew.
    """
    if isinstance(error, exc.DBAPIError):
        return error.connection_invalidated
    # Of psycopg itself, where SQLAlchemy was left out; without a state the connection
    # was found closed. Errors of SQLite have no such attribute.
    state = getattr(error, "sqlstate", "")
    names = {kind.__name__ for kind in type(error).__mro__}
    return "OperationalError" in names and (state is None or state.startswith(_ENDED))


@contextlib.contextmanager
def translated(place: str) -> Iterator[None]:
    """Turn what a database raises into an error that names the store.

    Args:
        place: how people call it.
    """
    try:
        yield
    except (exc.SQLAlchemyError, sqlite3.Error, OSError, UnicodeError) as error:
        if isinstance(error, StoreError):
            raise
        raise explained(place, error) from error


def explained(place: str, error: BaseException) -> StoreError:
    """Return an error that names the store, says what is wrong and what to do."""
    if isinstance(error, StoreError):
        return error
    cause = error.orig if isinstance(error, exc.DBAPIError) and error.orig else error
    said = without_password(" ".join(str(cause).split())) or type(cause).__name__
    if _is_damage(error):
        return StoreError(
            f"the store {place} is damaged ({said}); 'truthound store check' says how "
            "far, 'truthound store repair' saves what can be read"
        )
    hint = next((text for word, text in _HINTS.items() if word in said), "")
    return StoreError(f"the store {place}: {said}{hint}")


def _is_damage(error: BaseException) -> bool:
    if isinstance(error, UnicodeError):  # what stands there, or a message about it
        return True
    text = str(getattr(error, "orig", None) or error)
    is_sqlite = isinstance(getattr(error, "orig", None) or error, sqlite3.DatabaseError)
    return is_sqlite and any(word in text for word in _DAMAGED)
