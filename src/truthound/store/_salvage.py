"""Saving what can be read of a damaged store, row by row, into a new one."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from truthound import _atomic
from truthound._clock import SYSTEM_CLOCK, Clock
from truthound.errors import StoreError
from truthound.store._checking import check, fault_of, files_of
from truthound.store._engine import url_of
from truthound.store._opening import file_of, mark_of
from truthound.store._processes import is_gone
from truthound.store._tables import metadata
from truthound.store.records import Owner

_MAGIC = b"SQLite format 3\0"
PAGE = 4096  # bytes, in every store
_LEAF = 0x0D  # the first byte of a page with rows
_AT_ONCE = 500  # pages that are declared tables at once
_NUMBERS = ("seq", "id")  # columns that count the rows
# Runs first: results go with them.
_ORDER = ("runs", "results", "notices", "owners", "cursors", "parts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What became of a damaged store.

    Attributes:
        place: which.
        aside: where the damaged file lies now; None: it was sound and is as it was.
        saved: rows by table that are in the new one.
        lost: rows by table that were seen and make no sense any more.
        unread: tables of which a part could not be read; how much was in it is not
            known.
    """

    place: str
    aside: Path | None = None
    saved: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    unread: tuple[str, ...] = ()


def repair(place: str | os.PathLike[str], *, clock: Clock = SYSTEM_CLOCK) -> Repaired:
    """Save what can be read of a damaged store into a new one in its place. Blocks.

    The damaged file is kept beside it, with what belongs to it. A store that is sound
    is left as it is.

    Args:
        place: its path.
        clock: names the damaged file.

    Raises:
        StoreError: there is no such file, it is no file at all, a process uses it, it
            was written by a newer release, or the new one cannot be written.
        ConfigurationError: it is no place where a store can be.
    """
    text = os.fspath(place)
    path = file_of(url_of(text))
    if path is None:
        raise StoreError(f"{text} is no file; a server's own tools repair its data")
    if check(text).is_sound:
        return Repaired(place=text)
    path = Path(os.path.realpath(path))
    try:
        with tempfile.TemporaryDirectory(prefix=".salvage-", dir=path.parent) as folder:
            damaged = _copy(path, Path(folder))
            new = Path(folder) / "new.db"
            saved, lost, unread = _salvaged(damaged, new)
            _refuse_in_use(new, text)
            _keep_commits(new, path)
            _refuse_unsound(new, text)
            aside = _swapped(path, new, clock.now())
    except (OSError, sqlite3.Error, UnicodeError) as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"the store {text} cannot be repaired: {error}") from error
    return Repaired(place=text, aside=aside, saved=saved, lost=lost, unread=unread)


def _copy(path: Path, folder: Path) -> Path:
    """Copy a damaged store, and make its head such that SQLite opens the copy."""
    copy = folder / "damaged.db"
    shutil.copyfile(path, copy)
    wal = Path(f"{path}-wal")
    if wal.exists():
        shutil.copyfile(wal, f"{copy}-wal")
        with (
            contextlib.suppress(sqlite3.Error, UnicodeError),
            _opened(copy) as connection,
        ):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        for left in files_of(copy)[1:]:
            left.unlink(missing_ok=True)
    fresh = folder / "fresh.db"
    _make(fresh)
    page = bytearray(fresh.read_bytes())
    size = int.from_bytes(page[16:18], "big")
    with copy.open("r+b") as file:
        head = bytearray(file.read(size))
        if _has_tables(copy):
            page[:size] = head.ljust(size, b"\0")
        # All tables of ours begin where they begin in a new store: its first page says
        # where, if the one that is there does not.
        pages = -(-copy.stat().st_size // size)
        page[18:20] = b"\x01\x01"  # no -wal file
        page[28:32] = pages.to_bytes(4, "big")
        page[32:40] = bytes(8)  # no free pages
        page[92:96] = page[24:28]  # so that the number of pages is taken for right
        file.seek(0)
        file.write(page[:size])
        file.truncate(pages * size)
    return copy


def _has_tables(copy: Path) -> bool:
    """Tell whether the first page of a file says where the tables are."""
    head = copy.read_bytes()[:100]
    if head[:16] != _MAGIC or head[16:18] != (PAGE).to_bytes(2, "big"):
        return False
    # The number of pages there may not be the file's: it is told in a trial.
    trial = copy.with_name("trial.db")
    content = bytearray(copy.read_bytes())
    content[18:20] = b"\x01\x01"
    content[28:32] = (-(-len(content) // PAGE)).to_bytes(4, "big")
    content[92:96] = content[24:28]
    trial.write_bytes(content.ljust(-(-len(content) // PAGE) * PAGE, b"\0"))
    try:
        with _opened(trial) as connection:
            return all(
                [column.name for column in metadata.tables[name].columns]
                == [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
                for name in _ORDER
            )
    except (sqlite3.Error, UnicodeError):
        return False


def _make(path: Path) -> None:
    """Make an empty store."""
    from truthound.store.database import Store

    with Store(path):
        pass


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        yield connection
    finally:
        connection.close()


def _salvaged(
    damaged: Path, new: Path
) -> tuple[dict[str, int], dict[str, int], tuple[str, ...]]:
    """Copy what can be read; return what was saved, lost, and not read to the end."""
    _make(new)
    saved, lost, unread = {}, {}, []
    with _opened(new) as target:
        target.execute("PRAGMA foreign_keys = ON")
        target.execute("BEGIN IMMEDIATE")
        for name in _ORDER:
            table = _Table(damaged, name)
            saved[name], lost[name] = _copied(table, target, name)
            if not table.is_whole:
                unread.append(name)
        target.execute("COMMIT")
        target.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return saved, {n: k for n, k in lost.items() if k}, tuple(unread)


def _copied(table: _Table, target: sqlite3.Connection, name: str) -> tuple[int, int]:
    columns = [column.name for column in metadata.tables[name].columns]
    marks = ", ".join("?" for _ in columns)
    insert = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})"
    saved = lost = 0
    for row in table.rows():
        if name == "results":
            row = _with_sound_json(row)
        if fault_of(name, row):
            lost += 1
            continue
        try:
            target.execute(insert, [row[column] for column in columns])
            saved += 1
        except sqlite3.IntegrityError:
            lost += 1
    return saved, lost


def _with_sound_json(row: dict[str, Any]) -> dict[str, Any]:
    """Return a result of which a damaged document does not take the metrics along."""
    for name, empty in (("metrics", "{}"), ("actions", None), ("document", "{}")):
        only = {"seq": 1, "metrics": "{}", "actions": None, "document": "{}"}
        if fault_of("results", {**only, name: row[name]}):
            row = {**row, name: empty}
    return row


class _Table:
    """The rows of a table of which some pages may not be readable.

    Attributes:
        is_whole: whether every page was read, once ``rows`` is through.
    """

    def __init__(self, file: Path, name: str) -> None:
        self._file = file
        self._name = name
        self._columns = [column.name for column in metadata.tables[name].columns]
        self.is_whole = True

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows that can be read, each once."""
        seen: set[int] = set()
        with _opened(self._file) as source:
            for number, row in self._walk(source, self._name, "ASC"):
                seen.add(number)
                yield row
        if self._ended:
            return
        self.is_whole = False
        for number, row in self._in_leaves():
            # The rows of other tables are among them, and look like no row of this.
            if number not in seen and not fault_of(self._name, row):
                seen.add(number)
                yield row

    def _in_leaves(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield what looks like a row in any page of the file that can hold rows.

        Each such page is read as a table of its own, so that a damaged page above or
        beside it does not matter. A row that was removed may come back by that.
        """
        leaves = _leaves(self._file)
        for start in range(0, len(leaves), _AT_ONCE):
            some = leaves[start : start + _AT_ONCE]
            _declare(self._file, some, self._columns)
            with _opened(self._file) as source:
                for leaf in some:
                    yield from self._walk(source, f"leaf_{leaf}", "ASC")
                    if not self._ended:
                        yield from self._walk(source, f"leaf_{leaf}", "DESC")
        _declare(self._file, [], self._columns)

    def _walk(
        self, source: sqlite3.Connection, table: str, order: str
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        self._ended = False
        listed = ", ".join(f'"{column}"' for column in self._columns)
        asked = (
            f"SELECT rowid, {listed} FROM {table} NOT INDEXED ORDER BY rowid {order}"
        )
        try:
            for number, *values in source.execute(asked):
                yield number, dict(zip(self._columns, values, strict=True))
        except (sqlite3.Error, UnicodeError, OverflowError, MemoryError):
            return
        self._ended = True


def _leaves(file: Path) -> list[int]:
    """Return the numbers of the pages that say that they hold rows of a table."""
    found, number = [], 1
    with file.open("rb") as content:
        while page := content.read(PAGE):
            if number > 1 and page[0] == _LEAF:
                found.append(number)
            number += 1
    return found


def _declare(file: Path, leaves: list[int], columns: list[str]) -> None:
    """Make pages the first and only ones of tables that are named after them."""
    first = f'"{columns[0]}"' + (
        " INTEGER PRIMARY KEY" if columns[0] in _NUMBERS else ""
    )
    listed = ", ".join([first, *(f'"{column}"' for column in columns[1:])])
    with _opened(file) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("DELETE FROM sqlite_master WHERE name LIKE 'leaf_%'")
        connection.executemany(
            "INSERT INTO sqlite_master (type, name, tbl_name, rootpage, sql) "
            "VALUES ('table', :name, :name, :page, :sql)",
            [
                {
                    "name": f"leaf_{n}",
                    "page": n,
                    "sql": f"CREATE TABLE leaf_{n} ({listed})",
                }
                for n in leaves
            ],
        )


def _refuse_in_use(new: Path, place: str) -> None:
    """Raise if a process lives that uses the store: it would go on in the old file."""
    with _opened(new) as connection:
        found = connection.execute("SELECT owner, host, pid, process FROM owners")
        for name, host, pid, process in found.fetchall():
            owner = Owner(name=name, host=host, pid=pid, process=process)
            if is_gone(owner) is False and pid != os.getpid():
                raise StoreError(
                    f"the store {place} is in use by process {pid}; end it first"
                )


def _refuse_unsound(new: Path, place: str) -> None:
    found = check(new)
    if not found.is_sound:
        raise StoreError(
            f"the store {place} cannot be repaired: what was saved of it is not sound "
            f"({found.problems[0]}); nothing was changed"
        )


def _keep_commits(new: Path, path: Path) -> None:
    """Give the new store the number of commits that stands beside the old one."""
    try:
        noted = int.from_bytes(mark_of(path).read_bytes()[:8], "little")
    except OSError:
        return
    if 0 < noted < 1 << 31:
        with _opened(new) as connection:
            connection.execute(f"PRAGMA user_version = {noted}")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    mark_of(new).write_bytes(noted.to_bytes(8, "little"))


def _swapped(path: Path, new: Path, now: datetime) -> Path:
    """Put the new store in place of the old one, which stays beside it.

    At each moment there is a file at the path, so that no new store is begun.
    """
    aside = path.with_name(f"{path.name}.damaged-{now:%Y%m%dT%H%M%S%f}")
    for old, kept in zip(files_of(path), files_of(aside), strict=True):
        if old.exists():
            os.link(old, kept)
    for left in files_of(path)[1:]:
        left.unlink(missing_ok=True)
    new.chmod(0o600)
    with _atomic.replacing(path) as temporary:
        new.replace(temporary)
    return aside
