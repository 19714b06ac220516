"""Outlines: the columns of data with three numbers each, in one select."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from truthound.data import ROWS, Batch, Column, Metric, ReadOptions, open_source
from truthound.validators.metrics import nulls_of
from truthound.validators.repeats import distinct

# Kinds of which different values are not counted.
UNCOUNTED = frozenset({"nested", "other", "binary", "null"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnOutline:
    """The least there is to know about one column.

    Attributes:
        name: as the data has it.
        dtype: its type, such as ``int64`` or ``datetime[us, UTC]``.
        kind: the kind of its type, such as integer, float, string or datetime.
        nulls: rows in which it is missing.
        distinct: different values, without missing ones; None where they are not
            counted (nested and binary columns).
    """

    name: str
    dtype: str
    kind: str
    nulls: int
    distinct: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """The least there is to know about one source.

    Attributes:
        source: the data, as results call it.
        row_count: its rows.
        columns: its columns, in their order.
    """

    source: str
    row_count: int
    columns: Sequence[ColumnOutline]


def outline(data: Any, **read_options: Any) -> Outline:
    """Count rows, missing and different values of all columns in one select. Blocks.

    Args:
        data: whatever ``truthound.check`` takes.
        read_options: how the data is read; see ``truthound.check``.

    Raises:
        DataError: the data cannot be read.

    Example:
        >>> from truthound.profile import outline
        >>> found = outline({"fare": [1.0, 2.0, None, 2.0]})
        >>> found.row_count, found.columns[0].nulls, found.columns[0].distinct
        (4, 1, 2)
    """
    table = open_source(data, ReadOptions.of(read_options))
    while True:
        schema = table.schema
        asked = {name: _metrics(column) for name, column in schema.items()}
        batch = Batch([ROWS, *(m for some in asked.values() for m in some)])
        found = dict(zip(batch.metrics, table.measure(batch)[0], strict=True))
        if table.schema == schema:
            break
        # A text file has other types than its first rows made believe; each time a
        # column loses a type, so this comes to an end.
    columns = []
    for column in schema.values():
        nulls, *rest = (found[metric] or 0 for metric in asked[column.name])
        columns.append(
            ColumnOutline(
                name=column.name,
                dtype=column.dtype,
                kind=column.kind,
                nulls=nulls,
                distinct=rest[0] if rest else None,
            )
        )
    return Outline(source=table.name, row_count=found[ROWS], columns=columns)


def _metrics(column: Column) -> list[Metric]:
    metrics = [nulls_of(column.name)]
    if column.kind not in UNCOUNTED:
        metrics.append(distinct((column.name,), None))
    return metrics
