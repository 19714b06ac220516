"""Whether a store is sound: its pages, its rows, and the JSON in them."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from truthound.errors import StoreError
from truthound.secrets import without_password
from truthound.store._engine import url_of
from truthound.store._opening import HEAD, file_of, mark_of
from truthound.store._rows import notice_of_row, run_of_row
from truthound.store._tables import metadata

MOST = 20  # faults of one kind that are listed
_JSON = {"results": ("metrics", "actions", "document"), "cursors": ("value",)}
_RECORDS = {"runs": run_of_row, "notices": notice_of_row}


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was found out about a store.

    Attributes:
        place: which.
        problems: what is damaged; none: it is sound.
        notes: what else there is to know.
        version: of its tables; None if it does not say.
        size: of its file with what belongs to it, in bytes; None: it is none.
        counts: rows by table, and runs and notices by state, as far as it can be read.
    """

    place: str
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    version: str | None = None
    size: int | None = None
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def is_sound(self) -> bool:
        """Whether nothing is damaged."""
        return not self.problems


def check(place: str | os.PathLike[str]) -> Findings:
    """Look a store through: every page, every row, every JSON text. Blocks.

    Nothing is changed. How long it takes grows with the store.

    Args:
        place: its path or address.

    Raises:
        StoreError: there is no such file, or the server does not answer.
        ConfigurationError: it is no place where a store can be.
    """
    text = os.fspath(place)
    path = file_of(url_of(text))
    if path is None:
        return _check_server(text)
    if not path.is_file():
        raise StoreError(f"there is no store {text}: no such file")
    size = sum(p.stat().st_size for p in files_of(path) if p.exists())
    problems: list[str] = []
    notes: list[str] = []
    version, counts = None, {}
    try:
        with reading(path) as connection:
            problems += _pages(connection)
            version = _version(connection, problems)
            counts = _rows(connection, problems)
            lacking = _lacking(connection, path)
            if lacking:
                notes.append(
                    f"it lacks its last {lacking:,} commits: its -wal file was "
                    "removed, or an older copy was put in its place"
                )
    except (sqlite3.Error, UnicodeError) as error:
        problems.append(f"it cannot be read: {error}")
    return Findings(
        place=text,
        problems=tuple(dict.fromkeys(problems)),
        notes=tuple(notes),
        version=version,
        size=size,
        counts=dict(counts),
    )


def files_of(path: Path) -> list[Path]:
    """Return the file of a store and those that belong to it."""
    return [path, Path(f"{path}-wal"), Path(f"{path}-shm")]


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection that changes nothing and reads what is no UTF-8 as text."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    try:
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        connection.row_factory = sqlite3.Row
        yield connection
    finally:
        connection.close()


def _pages(connection: sqlite3.Connection) -> list[str]:
    problems = []
    for row in connection.execute(f"PRAGMA integrity_check({MOST})"):
        problems += [line for line in str(row[0]).splitlines() if line != "ok"]
    orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
    if orphans:
        problems.append(f"{len(orphans):,} results belong to no run")
    return problems


def _version(connection: sqlite3.Connection, problems: list[str]) -> str | None:
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except (sqlite3.Error, UnicodeError) as error:
        problems.append(f"it does not say of which release it is: {error}")
        return None
    version = None if row is None else str(row[0])
    if version != HEAD:
        problems.append(
            f"its version is {version or 'missing'}; this release knows {HEAD}"
        )
    return version


def _rows(connection: sqlite3.Connection, problems: list[str]) -> dict[str, int]:
    """Count the rows of each table, and read all of them."""
    found: Counter[str] = Counter(dict.fromkeys(metadata.tables, 0))
    for name in metadata.tables:
        try:
            rows = connection.execute(f"SELECT * FROM {name} NOT INDEXED")
            _table(name, map(dict, rows), found, problems)
        except (sqlite3.Error, UnicodeError) as error:
            problems.append(f"{name}: it cannot be read to the end: {error}")
    return dict(found)


def _table(
    name: str,
    rows: Iterable[dict[str, Any]],
    found: Counter[str],
    problems: list[str],
) -> None:
    wrong = 0
    for row in rows:
        found[name] += 1
        if name in _RECORDS:
            found[f"{name} {row['state']}"] += 1
        if said := fault_of(name, row):
            wrong += 1
            if wrong <= MOST:
                problems.append(said)
    if wrong > MOST:
        problems.append(f"{name}: {wrong - MOST:,} more rows are damaged")


def fault_of(table: str, row: dict[str, Any]) -> str | None:
    """Return what is wrong with a row; None: nothing."""
    which = row.get("run_id") or next(iter(row.values()), "")
    for column in metadata.tables[table].columns:
        value = row.get(column.name)
        if not _fits(column, value):
            return f"{table} {which}: {column.name} is no {column.type}"
    for name in _JSON.get(table, ()):
        if row.get(name) is not None and not _is_json(row[name]):
            return f"{table} {which}: {name} is no JSON"
    if table in _RECORDS:
        try:
            _RECORDS[table](_Attributes(row))
        except StoreError as error:
            return str(error).partition("; '")[0]
    return None


class _Attributes:
    def __init__(self, row: dict[str, Any]) -> None:
        self.__dict__ = row


def _fits(column: Any, value: Any) -> bool:
    if value is None:
        return bool(column.nullable)
    kind = column.type.python_type
    kinds: Any = (int, float) if kind is float else kind
    return isinstance(value, kinds) and not (kind is str and "\0" in value)


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True


def _lacking(connection: sqlite3.Connection, path: Path) -> int:
    try:
        noted = int.from_bytes(mark_of(path).read_bytes()[:8], "little")
    except OSError:
        return 0
    there = int(connection.execute("PRAGMA user_version").fetchone()[0])
    return max(0, noted - there)


def _check_server(place: str) -> Findings:
    from sqlalchemy import select

    from truthound.store.database import Store

    problems: list[str] = []
    counts: Counter[str] = Counter(dict.fromkeys(metadata.tables, 0))
    with Store(place) as store, store.reading() as connection:
        for name, table in metadata.tables.items():
            asked = connection.execution_options(yield_per=1_000)
            rows = asked.execute(select(table)).mappings()
            _table(name, map(dict, rows), counts, problems)
    return Findings(
        place=without_password(place),
        problems=tuple(problems),
        version=HEAD,
        counts=dict(counts),
    )
