"""Runs of a store as a file: JSON lines or Parquet."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from sqlalchemy import Connection, select

from truthound import _atomic
from truthound.errors import ConfigurationError, StoreError, did_you_mean
from truthound.store._reading import selected
from truthound.store._rows import from_json
from truthound.store._tables import moment, results, runs

BATCH = 2_000  # runs that are in memory at once
SUFFIXES = (".parquet", ".jsonl", ".ndjson")
# What is written of a run, and of which kind it is.
COLUMNS = {
    "run_id": "text",
    "checkpoint": "text",
    "state": "text",
    "status": "text",
    "source": "text",
    "row_count": "integer",
    "duration_ms": "number",
    "accepted_at": "moment",
    "began_at": "moment",
    "ended_at": "moment",
    "attempt": "integer",
    "trigger": "text",
    "owner": "text",
    "summary": "text",
    "error": "text",
    "context": "text",
    "metrics": "text",
}
_JSON = ("context", "metrics", "document", "actions")


def refuse_other(path: str | os.PathLike[str]) -> str:
    """Return the suffix of a file that runs can be exported to.

    Raises:
        ConfigurationError: it is another one.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        hint = did_you_mean(suffix, SUFFIXES) if suffix else ""
        raise ConfigurationError(
            f"runs are exported as {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}, "
            f"not to {os.fspath(path)}{hint}"
        )
    return suffix


def export(
    connection: Connection,
    path: str | os.PathLike[str],
    *,
    documents: bool = False,
    limit: int | None = None,
    **filters: Any,
) -> int:
    """Write runs to a file, the newest first, whole or not at all; return how many.

    In Parquet what holds several values (``context``, ``metrics``, the documents) is
    JSON in a text.

    Args:
        connection: that reads.
        path: ends with ``.parquet``, ``.jsonl`` or ``.ndjson``; an existing file is
            replaced.
        documents: with the whole result of each run, and what its actions did.
        limit: how many at the most; None: all.
        filters: as for ``runs``.

    Raises:
        ConfigurationError: another suffix.
        StoreError: the store cannot be read, or the file not be written.
    """
    suffix = refuse_other(path)
    written = 0

    def batches() -> Iterator[list[dict[str, Any]]]:
        nonlocal written
        for batch in _batches(connection, documents, limit, filters):
            written += len(batch)
            yield batch

    columns = {
        **COLUMNS,
        **({"document": "text", "actions": "text"} if documents else {}),
    }
    try:
        if suffix == ".parquet":
            from truthound.data.records_file import write_parquet

            with _atomic.replacing(path) as temporary:
                write_parquet(temporary, columns, batches())
        else:
            with _atomic.opened(path) as file:
                _write_lines(file, batches())
    except StoreError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(f"cannot write {os.fspath(path)}: {reason}") from error
    return written


def _batches(
    connection: Connection,
    documents: bool,
    limit: int | None,
    filters: Mapping[str, Any],
) -> Iterator[list[dict[str, Any]]]:
    last = [results.c.document, results.c.actions] if documents else []
    columns = [runs.c[name] for name in COLUMNS if name != "metrics"]
    asked = selected(
        select(*columns, results.c.metrics, *last).outerjoin(
            results, results.c.seq == runs.c.seq
        ),
        **filters,
    ).limit(limit)
    found = connection.execution_options(yield_per=BATCH).execute(asked)
    for rows in found.mappings().partitions():
        yield [_record(row) for row in rows]


def _record(row: Mapping[Any, Any]) -> dict[str, Any]:
    record = dict(row)
    for name in ("accepted_at", "began_at", "ended_at"):
        record[name] = None if row[name] is None else moment(row[name])
    return record


def _write_lines(file: BinaryIO, batches: Iterable[Sequence[dict[str, Any]]]) -> None:
    encoder = msgspec.json.Encoder()
    for batch in batches:
        lines = (encoder.encode(_with_values(record)) for record in batch)
        file.writelines(line + b"\n" for line in lines)


def _with_values(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with the values of its JSON texts."""
    for name in _JSON:
        if record.get(name) is not None:
            what = f"the {name} of run {record['run_id']}"
            record[name] = from_json(record[name], what)
    return record
