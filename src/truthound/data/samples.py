"""Expressions over a whole column that need more than an aggregate: sorted, counted.

They are Polars only; each is evaluated once, by the engine, on the column as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from truthound.data.expr import POLARS, unnamed
from truthound.data.schema import Column
from truthound.data.table import Table, engine_errors

_LISTED = pl.List(pl.Struct({"value": pl.String, "count": pl.Int64}))


def as_numbers(values: pl.Expr, column: Column) -> pl.Expr:
    """Return the values of a column as floats.

    Dates and moments become seconds since 1970 (UTC), times of day seconds since
    midnight, durations seconds.
    """
    if column.kind in {"date", "datetime"}:
        return values.dt.timestamp("us") / 1e6
    if column.kind == "time":
        return values.to_physical() / 1e9
    if column.kind == "duration":
        return values.dt.total_microseconds() / 1e6
    return values.cast(pl.Float64)


def finite(values: pl.Expr) -> pl.Expr:
    """Return a column as floats, without what is missing, infinite or no number."""
    numbers = values.to_physical().cast(pl.Float64)
    return pl.when(numbers.is_finite()).then(numbers)


def counts_up_to(values: pl.Expr, edges: Sequence[float]) -> pl.Expr:
    """Return one list: how many values are not larger than each edge."""
    size = len(edges)
    counts = counts_at(values.to_physical().cast(pl.Float64), edges)
    return counts.list.slice(size, size)


def counts_at(numbers: pl.Expr, points: Sequence[float]) -> pl.Expr:
    """Return one list: how many are below each point, then how many are up to each."""

    def count(column: pl.Series) -> pl.Series:
        return pl.Series([_counts_at(column.sort(), points)], dtype=pl.List(pl.Int64))

    return numbers.drop_nulls().map_batches(
        count, return_dtype=pl.List(pl.Int64), returns_scalar=True
    )


def grid_of(numbers: pl.Expr, points: int) -> pl.Expr:
    """Return one list: quantiles at evenly spaced shares, and the counts at them.

    The ends are included. Infinities and NaN have no part in the quantiles, which are
    null where nothing else is there.
    """

    def measure(column: pl.Series) -> pl.Series:
        column = unnamed(column)
        column = column.filter(column.is_not_nan()).sort()
        usual = column.filter(column.is_finite())
        grid: list[Any] = [
            usual.quantile(n / (points - 1), interpolation="linear")
            for n in range(points)
        ]
        counts = _counts_at(column, grid) if len(usual) else []
        return pl.Series([[*grid, *counts]], dtype=pl.List(pl.Float64))

    return numbers.drop_nulls().map_batches(
        measure, return_dtype=pl.List(pl.Float64), returns_scalar=True
    )


def _counts_at(ranked: pl.Series, points: Sequence[float]) -> list[int]:
    edges = pl.Series(points, dtype=pl.Float64)
    below = ranked.search_sorted(edges, "left").to_list()
    return [*below, *ranked.search_sorted(edges, "right").to_list()]


def ks_two_samples(numbers: pl.Expr, reference: pl.Series) -> pl.Expr:
    """Return the two-sample Kolmogorov-Smirnov statistic, against a sorted sample."""

    def statistic(ranked: pl.Series) -> pl.Series:
        size = len(reference)
        below = reference.search_sorted(ranked, "left") / size
        return _ks(ranked, below, reference.search_sorted(ranked, "right") / size)

    return _over_ranked(numbers, statistic)


def ks_normal(numbers: pl.Expr, mean: float, std: float) -> pl.Expr:
    """Return the Kolmogorov-Smirnov statistic of values against a normal."""
    scale = -std * math.sqrt(2)

    def statistic(ranked: pl.Series) -> pl.Series:
        share = pl.select(((pl.lit(ranked) - mean) / scale).erfc() / 2).to_series()
        return _ks(ranked, share, share)

    return _over_ranked(numbers, statistic)


def _over_ranked(numbers: pl.Expr, statistic: Any) -> pl.Expr:
    def measure(column: pl.Series) -> pl.Series:
        if not len(column):
            return pl.Series([None], dtype=pl.Float64)
        found: pl.Series = statistic(unnamed(column).sort())
        return found

    return numbers.drop_nulls().map_batches(
        measure, return_dtype=pl.Float64, returns_scalar=True
    )


def _ks(ranked: pl.Series, below: pl.Series, up_to: pl.Series) -> pl.Series:
    """Return the largest distance of a sorted sample from a cumulative distribution.

    The sample's own share jumps at its values, so the distance is largest at one of
    them, or just below one. Of equal values the last counts there, the first here.

    Args:
        ranked: the sample.
        below: the share that the distribution has below each value.
        up_to: the share up to each value, with itself.
    """
    size = len(ranked)
    above = pl.int_range(1, size + 1, eager=True) / size - up_to
    under = below - pl.int_range(size, eager=True) / size
    found: list[Any] = [above.max(), under.max()]
    return pl.Series([max(found)], dtype=pl.Float64)


def frequencies(values: pl.Expr, known: Sequence[str], others: int) -> pl.Expr:
    """Return one list of values, as text, with their counts.

    Args:
        values: the column.
        known: those that are counted in any case.
        others: how many others at the most, the most frequent first.
    """

    def count(column: pl.Series) -> pl.Series:
        found = _counted(column)
        among = found["value"].is_in(pl.Series(known, dtype=pl.String).implode())
        chosen = pl.concat([found.filter(among), found.filter(~among).head(others)])
        return pl.Series([chosen.to_struct("found")], dtype=_LISTED)

    return values.map_batches(count, return_dtype=_LISTED, returns_scalar=True)


def most_frequent(values: pl.Expr, limit: int) -> pl.Expr:
    """Return one list of the most frequent values, as text, with their counts."""
    return frequencies(values, (), limit)


def _counted(column: pl.Series) -> pl.DataFrame:
    return (
        unnamed(column)
        .drop_nulls()
        .cast(pl.String)
        .alias("value")
        .value_counts(name="count")
        .cast({"count": pl.Int64})
        .sort(["count", "value"], descending=[True, False])
    )


def columns_of(table: Table, names: Iterable[str]) -> pl.DataFrame:
    """Read some columns of a table. Blocks.

    Raises:
        DataError: it cannot be read.
        CheckError: the engine fails.
    """
    with engine_errors(table.name):
        return table.to_polars(list(names)).collect()


def ranked_numbers(frame: pl.DataFrame, column: Column) -> pl.Series:
    """Return a column as sorted floats, without missing ones and NaN."""
    numbers = as_numbers(POLARS.col(column.name), column).drop_nulls()
    found = unnamed(frame.select(numbers).to_series())
    return found.filter(found.is_not_nan()).sort()


def categories(frame: pl.DataFrame, column: Column) -> list[tuple[str, int]]:
    """Return the different values of a column, as text, with their counts."""
    return _counted(frame.select(POLARS.col(column.name)).to_series()).rows()
