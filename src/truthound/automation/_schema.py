"""The schema of a site's data, and how it differs from the run before."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from truthound import _atomic
from truthound.automation._names import file_name
from truthound.checkpoint import CheckpointResult
from truthound.errors import StoreError
from truthound.profile import ColumnOutline, Outline

FOLDER = "schema"
# A share of missing values has moved if it did by so many of 100 points.
NULL_POINTS = 5.0
# A number of different values has moved if it is at least so many times what it was,
# or the other way round, and by so many values.
DISTINCT_TIMES = 2.0
DISTINCT_LEAST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One column in a site's data.

    Attributes:
        name: of the column.
        dtype: its type in this run.
        nulls: rows in which it is missing.
        null_share: of all rows, 0 to 1; None if there are none.
        distinct: different values, without missing ones; None where not counted.
        known_type: its type in the last run in which it had values, None if it never
            had any. Types are compared by it: an empty column of a text file has none.
        drift: what has changed since the run before, in words.
        changed: whether its type has.
    """

    name: str
    dtype: str
    nulls: int
    null_share: float | None
    distinct: int | None
    known_type: str | None
    drift: tuple[str, ...] = ()
    changed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSchema:
    """The columns of a site's data in its last completed run.

    Attributes:
        version: of this form.
        site: the site.
        run_id: of the run.
        run_time: when it began, as ISO 8601.
        source: the data, without any password.
        row_count: its rows.
        columns: its columns, in their order.
        gone: columns that the run before had.
        compared_with: the columns of the run before, until all that this run found is
            written; None after that. A run that was cut off in between is then tried
            again with the same comparison.
    """

    version: Literal[1] = 1
    site: str
    run_id: str
    run_time: str
    source: str
    row_count: int
    columns: tuple[Field, ...]
    gone: tuple[str, ...] = ()
    compared_with: tuple[Field, ...] | None = None

    @property
    def reasons(self) -> list[str]:
        """Why the columns are not what they were, a line each; empty if they are."""
        lines = [f"the column {name} is gone" for name in self.gone]
        lines += [
            f"the type of {field.name} has changed: {field.drift[0]}"
            for field in self.columns
            if field.changed
        ]
        return lines

    def settled(self) -> SiteSchema:
        """Return the same without what it was compared with."""
        return dataclasses.replace(self, compared_with=None)

    def encoded(self) -> bytes:
        """Return it as the content of its file."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


def schema_of(
    site: str,
    result: CheckpointResult,
    outline: Outline,
    before: Sequence[Field] | None,
) -> SiteSchema:
    """Return the schema of what a run has read.

    Args:
        site: whose run it was.
        result: the run's.
        outline: of its data.
        before: the columns of the run before; None if there was none.
    """
    rows = outline.row_count
    known = None if before is None else {field.name: field for field in before}
    columns = tuple(_field(column, rows, known) for column in outline.columns)
    names = {column.name for column in columns}
    gone = tuple(name for name in known or () if name not in names)
    drifts = bool(gone) or any(field.drift for field in columns)
    return SiteSchema(
        site=site,
        run_id=result.run_id,
        run_time=result.run_time.isoformat(),
        source=result.data_asset,
        row_count=rows,
        columns=columns,
        gone=gone,
        compared_with=tuple(before or ()) if drifts else None,
    )


def path_of(output: Path, site: str) -> Path:
    """Return where a site's schema is kept."""
    return output / FOLDER / f"{file_name(site)}.json"


def read_schema(path: Path) -> tuple[SiteSchema, bytes]:
    """Return a schema and the content of its file.

    Raises:
        FileNotFoundError: there is none.
        StoreError: it cannot be read, or is damaged; the message names it.
    """
    try:
        content = path.read_bytes()
        found = msgspec.json.decode(content, type=SiteSchema)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreError(f"{path} is damaged: {error}") from error
    if f"{file_name(found.site)}.json" != path.name:
        raise StoreError(f"{path} is damaged: it is of the site {found.site!r}")
    return found, content


def write(path: Path, content: bytes) -> None:
    """Write a file as a whole, and the folders on its way.

    Raises:
        StoreError: that is not possible; the message names the file.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _atomic.write_bytes(path, content)
    except OSError as error:
        why = error.strerror or error
        raise StoreError(f"{path} cannot be written: {why}") from error


def _field(
    column: ColumnOutline, rows: int, known: Mapping[str, Field] | None
) -> Field:
    before = None if known is None else known.get(column.name)
    share = column.nulls / rows if rows else None
    kept = before.known_type if before else None
    if rows > column.nulls:
        kept = column.dtype
    found = Field(
        name=column.name,
        dtype=column.dtype,
        nulls=column.nulls,
        null_share=share,
        distinct=column.distinct,
        known_type=kept,
    )
    if known is None:
        return found
    if before is None:
        return dataclasses.replace(found, drift=("new",))
    changed = before.known_type is not None and kept != before.known_type
    words = [f"{before.known_type} -> {kept}"] if changed else []
    words += [*_null_drift(before, found), *_distinct_drift(before, found)]
    return dataclasses.replace(found, drift=tuple(words), changed=changed)


def _null_drift(before: Field, now: Field) -> list[str]:
    if before.null_share is None or now.null_share is None:
        return []
    if abs(now.null_share - before.null_share) * 100 < NULL_POINTS:
        return []
    return [f"null share {percent(before.null_share)} -> {percent(now.null_share)}"]


def _distinct_drift(before: Field, now: Field) -> list[str]:
    old, new = before.distinct, now.distinct
    if old is None or new is None or abs(new - old) < DISTINCT_LEAST:
        return []
    if max(old, new) < DISTINCT_TIMES * min(old, new):
        return []
    return [f"distinct {old:,} -> {new:,}"]


def percent(share: float) -> str:
    """Return a share of 1 as ``35 %``; what is neither none nor all never reads so."""
    if 0 < share < 0.0005:
        return "< 0.1 %"
    if 0.9995 < share < 1:
        return "> 99.9 %"
    return f"{share * 100:.1f}".removesuffix(".0") + " %"
