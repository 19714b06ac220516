"""Cursors of triggers, and what is known of the files of sources that grow."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from truthound.store._rows import as_text, from_json
from truthound.store._tables import cursors, stamp
from truthound.store._tables import parts as parts_table
from truthound.store.records import Part


def cursor(connection: Connection, name: str, *, is_alone: bool = False) -> Any:
    """Return the value of a cursor, None if there is none.

    Args:
        connection: in a transaction, if it is to be alone.
        name: of the cursor.
        is_alone: nobody else is to read it so until the transaction ends. SQLite has
            one writer in any case; in PostgreSQL a row that is not there yet cannot be
            locked, but its name can.
    """
    if is_alone and connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(name))))
    found = connection.scalar(select(cursors.c.value).where(cursors.c.name == name))
    return None if found is None else from_json(found, f"the cursor {name}")


def cursors_of(connection: Connection, prefix: str) -> dict[str, Any]:
    """Return the values of the cursors whose names begin so, by their names."""
    rows = connection.execute(
        select(cursors.c.name, cursors.c.value)
        .where(cursors.c.name.startswith(prefix, autoescape=True))
        .order_by(cursors.c.name)
    )
    return {row.name: from_json(row.value, f"the cursor {row.name}") for row in rows}


def set_cursor(connection: Connection, name: str, text: str, now: datetime) -> None:
    """Write the value of a cursor down."""
    connection.execute(delete(cursors).where(cursors.c.name == name))
    row = {"name": name, "value": text, "changed_at": stamp(now)}
    connection.execute(insert(cursors), [row])


def parts(connection: Connection, source: str) -> list[Part]:
    """Return what is known of the files of a source."""
    rows = connection.execute(
        select(parts_table)
        .where(parts_table.c.source == source)
        .order_by(parts_table.c.file)
    )
    return [
        Part(file=row.file, fingerprint=row.fingerprint, state=row.state)
        for row in rows
    ]


def save_parts(
    connection: Connection,
    source: str,
    found: Sequence[Part],
    removed: Collection[str],
) -> None:
    """Keep what is known of some files, and forget others.

    A file whose name no database can hold is looked at anew each time.
    """
    found = [part for part in found if as_text(part.file) == part.file]
    gone = {*map(as_text, removed), *(part.file for part in found)}
    if gone:
        connection.execute(
            delete(parts_table).where(
                parts_table.c.source == source,
                parts_table.c.file == bindparam("the_file"),
            ),
            [{"the_file": file} for file in sorted(gone)],
        )
    if found:
        connection.execute(
            insert(parts_table),
            [
                {
                    "source": source,
                    "file": part.file,
                    "fingerprint": as_text(part.fingerprint),
                    "state": part.state,
                }
                for part in found
            ],
        )
