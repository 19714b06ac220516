"""The keys of one source, to look up those of another in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from truthound.data.expr import POLARS
from truthound.data.schema import Column
from truthound.data.table import Table, engine_errors
from truthound.errors import CheckError

# Integers that Int64 cannot hold.
_WIDE = frozenset({"uint64", "int128", "uint128"})
_EXACT_KINDS = {
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    "time": pl.Time(),
    "duration": pl.Duration("ns"),
    "binary": pl.Binary(),
}


@dataclass(frozen=True, slots=True)
class Keys:
    """The different keys of a source.

    Attributes:
        values: each key once: a value, or a struct of several.
        types: the type in which each column is compared.
    """

    values: pl.Series
    types: tuple[pl.DataType, ...]

    def contain(self, columns: Sequence[str]) -> pl.Expr:
        """Return the condition that a row's key is among them.

        Null where a part of it is missing.
        """
        parts = [
            _as(POLARS.col(name), dtype).alias(f"{n}")
            for n, (name, dtype) in enumerate(zip(columns, self.types, strict=True))
        ]
        if len(parts) == 1:
            return parts[0].is_in(self.values.implode())
        complete = pl.all_horizontal(POLARS.col(name).is_not_null() for name in columns)
        return pl.when(complete).then(pl.struct(parts).is_in(self.values.implode()))


def distinct_keys(
    table: Table, columns: Sequence[str], wanted: Sequence[Column]
) -> Keys:
    """Return the different keys of a table. Blocks.

    A key in which something is missing, or is NaN, is left out: nothing equals it.
    Integers are compared with floats, and decimals with either, as floats of 64 bits.

    Args:
        table: where they are.
        columns: the columns of the key.
        wanted: those that will be looked up in them, in the same order.

    Raises:
        CheckError: there is no such column, or two of a pair have types that do not
            compare.
        DataError: the source cannot be read.
    """
    for name in columns:
        table.schema.column(name)
    frame = table.to_polars(dict.fromkeys(columns))
    # A text file may have turned out to hold other types than it seemed to.
    others = [table.schema.column(name) for name in columns]
    types = tuple(
        _common(column, other, table.name)
        for column, other in zip(wanted, others, strict=True)
    )
    values = [
        _as(POLARS.col(name), dtype, drop_nan=True).alias(f"{n}")
        for n, (name, dtype) in enumerate(zip(columns, types, strict=True))
    ]
    with engine_errors(table.name):
        found = frame.select(values).drop_nulls().unique().collect()
    return Keys(found.to_series() if len(values) == 1 else found.to_struct(), types)


def _as(values: pl.Expr, dtype: pl.DataType, *, drop_nan: bool = False) -> pl.Expr:
    if isinstance(dtype, pl.Datetime) and dtype.time_zone:
        values = values.dt.convert_time_zone(dtype.time_zone)
    values = values.cast(dtype)
    return values.fill_nan(None) if drop_nan and dtype.is_float() else values


def _common(column: Column, other: Column, source: str) -> pl.DataType:
    kinds = {column.kind, other.kind}
    if "null" in kinds:
        return pl.String()  # one of them has no value, so that nothing is equal
    if kinds == {"integer"}:
        wide = {column.dtype, other.dtype} & _WIDE
        return pl.Int128() if wide else pl.Int64()
    if column.is_a("numeric") and other.is_a("numeric"):
        return pl.Float64()
    if column.is_a("text") and other.is_a("text"):
        return pl.String()
    if kinds == {"datetime"} and _is_zoned(column) == _is_zoned(other):
        units = [c.dtype.removeprefix("datetime[")[:2] for c in (column, other)]
        finest = next((unit for unit in ("ns", "us") if unit in units), "ms")
        zone = "UTC" if _is_zoned(column) else None
        return pl.Datetime(finest, zone)  # type: ignore[arg-type]
    if len(kinds) == 1 and column.kind in _EXACT_KINDS:
        return _EXACT_KINDS[column.kind]
    raise CheckError(
        f"{column.name!r} ({column.dtype}) cannot be looked up in {other.name!r} of "
        f"{source} ({other.dtype})"
    )


def _is_zoned(column: Column) -> bool:
    return ", " in column.dtype
