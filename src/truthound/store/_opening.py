"""Opening a store: made if it is not there, brought up to date, never begun anew."""

from __future__ import annotations

import contextlib
import logging
import os
import struct
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, inspect, text

from truthound import _atomic
from truthound.errors import StoreError
from truthound.store._engine import make_engine, url_of
from truthound.store._tables import metadata

HEAD = "0001"  # the newest migration
_LOCK = 0x7472757468  # for two processes that open a new PostgreSQL store at once
_MARK = struct.Struct("<Q")
_WRAP = 1 << 31  # the number of commits that SQLite keeps for us is of 31 bits

logger: logging.Logger = logging.getLogger("truthound.store")


def open_tables(engine: Engine, place: str) -> None:
    """Make the tables if there are none, or bring them up to date. Blocks.

    Args:
        engine: writes.
        place: how people call the store.

    Raises:
        StoreError: it is damaged, of a newer release, or something else.
    """
    path = file_of(engine.url)
    if path is not None:
        _make_file(path, place)
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        _bring_up_to_date(connection, place, is_new=path is None)
    if path is not None:  # it is ours: a database of others stays as it is
        with contextlib.closing(engine.raw_connection()) as raw:
            raw.cursor().execute("PRAGMA journal_mode = WAL")


def file_of(url: URL) -> Path | None:
    """Return the file of a store; None if it is not one."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    return Path(url.database)


def _make_file(path: Path, place: str) -> None:
    """Make a database beside the final path, and move it there when it is whole.

    So an empty or half-made file is never one of ours that was only begun.
    """
    if path.exists():
        if not path.is_file():
            raise StoreError(f"the store {place} is no file")
        if not path.stat().st_size:
            raise StoreError(
                f"the store {place} is an empty file: it was cut off, or is none; "
                "remove it to begin a new one"
            )
        return
    left = [p for p in (Path(f"{path}-wal"), mark_of(path)) if p.exists()]
    if left and not path.exists():  # nobody has made it meanwhile
        raise StoreError(
            f"the store {place} is not there, but {left[0].name} is: the file was "
            "moved or removed; put it back, or remove the rest to begin a new one"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _atomic.replacing(path, 0o600, must_be_new=True) as temporary:
            engine = make_engine(url_of(str(temporary)))
            with engine.begin() as connection:
                _bring_up_to_date(connection, place, is_new=True)
            engine.dispose()
    except FileExistsError:
        return  # another process was faster


def _bring_up_to_date(connection: Connection, place: str, *, is_new: bool) -> None:
    known = set(inspect(connection).get_table_names())
    version = _version(connection) if "alembic_version" in known else None
    if version == HEAD:
        return
    if version is None:
        if known & set(metadata.tables):
            raise StoreError(
                f"the store {place} is damaged: it does not say of which release it "
                "is; 'truthound store repair' saves what can be read"
            )
        if not is_new:
            raise StoreError(
                f"{place} is a database, but no store of truthound; name another "
                "place for the store"
            )
        metadata.create_all(connection)
        connection.execute(text("CREATE TABLE alembic_version (version_num text)"))
        connection.execute(text(f"INSERT INTO alembic_version VALUES ('{HEAD}')"))
        return
    _migrate(connection, place, version)


def _version(connection: Connection) -> str | None:
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def _migrate(connection: Connection, place: str, version: str) -> None:
    # Imported when there is something to do: it takes a quarter of a second.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    folder = Path(__file__).parent / "_migrations"
    config.set_main_option("script_location", str(folder))
    config.attributes["connection"] = connection
    known = {
        script.revision for script in ScriptDirectory(str(folder)).walk_revisions()
    }
    if version not in known:
        raise StoreError(
            f"the store {place} was written by a newer release (version {version}, "
            f"this one knows {', '.join(sorted(known))}); update truthound"
        )
    logger.info("the store %s is brought from version %s to %s", place, version, HEAD)
    command.upgrade(config, "head")


def mark_of(path: Path) -> Path:
    """Return the file that says how many commits a store has had."""
    return path.with_name(f"{path.name}-mark")


class Mark:
    """The number of commits of a store in a file, outside of the file.

    SQLite does not notice that its ``-wal`` file was removed: whatever had not been
    moved from there is gone without a word. The number in the database is then smaller
    than the one beside it.

    Args:
        path: the file of the store.
    """

    def __init__(self, path: Path) -> None:
        self._path = mark_of(path)
        self._file: Any = None

    def lacking(self, connection: Connection) -> int:
        """Return how many commits the database lacks, and take its number as right."""
        try:
            noted = _MARK.unpack(self._path.read_bytes())[0]
        except (FileNotFoundError, struct.error):
            noted = 0
        there = commits_of(connection)
        self.note(there)
        return noted - there if there < noted else 0

    def note(self, commits: int) -> None:
        """Write the number down; not flushed to the disk, the process may be killed."""
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        os.pwrite(self._file, _MARK.pack(commits), 0)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def commits_of(connection: Connection) -> int:
    """Return how many commits a SQLite store has had."""
    driver: Any = connection.connection.driver_connection
    return int(driver.execute("PRAGMA user_version").fetchone()[0])


def count_commit(connection: Connection) -> int:
    """Count the commit that the current transaction ends with; return its number."""
    number = (commits_of(connection) + 1) % _WRAP
    driver: Any = connection.connection.driver_connection
    driver.execute(f"PRAGMA user_version = {number}")
    return number
