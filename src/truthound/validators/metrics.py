"""The metrics that several rules share, so that they are computed once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

from truthound.data import Column, Metric, Predicate, count
from truthound.data.expr import ROWS
from truthound.data.merging import LEAST, MOST, TOTAL, Merge

__all__ = [
    "ROWS",
    "counted",
    "extremes",
    "learned_key",
    "name_of",
    "nans_of",
    "nulls_of",
    "rows_of",
    "statistic",
]


def rows_of(where: Predicate | None = None) -> Metric:
    """Rows of the table, or those that satisfy a condition."""
    if where is None:
        return ROWS
    return Metric(
        ("rows", _key(where)),
        lambda ns: count(ns, where.build(ns)),
        where.reads,
        where.portable,
        merge=TOTAL if where.alone else None,
    )


def nulls_of(columns: str | Sequence[str], where: Predicate | None = None) -> Metric:
    """Rows in which a column, or any one of several, is missing."""
    names = (columns,) if isinstance(columns, str) else tuple(columns)
    if where is None and len(names) == 1:
        name = names[0]
        return Metric(
            ("nulls", names),
            lambda ns: ns.col(name).null_count(),
            frozenset(names),
            parsed=False,
            known=lambda frame: frame.get_column(name).null_count(),
            merge=TOTAL,
        )

    def missing(ns: Any) -> Any:
        anyone = reduce(lambda a, b: a | b, (ns.col(n).is_null() for n in names))
        return anyone if where is None else anyone & where.build(ns)

    return Metric(
        ("nulls", names, _key(where)),
        lambda ns: count(ns, missing(ns)),
        frozenset(names) | (where.reads if where else frozenset()),
        where is None or where.portable,
        parsed=where is not None,
        merge=TOTAL if where is None or where.alone else None,
    )


def nans_of(column: str, where: Predicate | None = None) -> Metric:
    """Values of a float column that are not a number."""
    return statistic(
        "nans",
        column,
        lambda values, ns: count(ns, values.is_nan()),
        where,
        merge=TOTAL,
    )


def extremes(column: Column, where: Predicate | None = None) -> tuple[Metric, Metric]:
    """Return the smallest and the largest value of a column, NaN left out."""

    def numbers(values: Any, ns: Any) -> Any:
        # Polars passes NaN over, unless there is nothing else; for DuckDB it is the
        # largest number of all.
        if not column.is_a("float") or ns.__name__ == "polars":
            return values
        return ns.when(~values.is_nan()).then(values)

    name = column.name
    return (
        statistic("min", name, lambda v, ns: numbers(v, ns).min(), where, merge=LEAST),
        statistic("max", name, lambda v, ns: numbers(v, ns).max(), where, merge=MOST),
    )


def statistic(
    kind: str | tuple[Hashable, ...],
    column: str,
    build: Callable[[Any, Any], Any],
    where: Predicate | None = None,
    *,
    portable: bool = True,
    merge: Merge | None = None,
) -> Metric:
    """One number over the values of a column.

    Args:
        kind: the name of the number, with its parameters; metrics of one kind,
            column and condition are computed once.
        column: the column.
        build: makes the expression from the values and the namespace.
        where: only the values of the rows that satisfy it.
        portable: False if only Polars can compute it.
        merge: how it follows from numbers over parts of the rows.
    """

    def expression(ns: Any) -> Any:
        values = ns.col(column)
        if where is not None:
            values = ns.when(where.build(ns)).then(values)
        return build(values, ns)

    return Metric(
        (kind, column, _key(where)),
        expression,
        frozenset((column,)) | (where.reads if where else frozenset()),
        portable and (where is None or where.portable),
        merge=merge if where is None or where.alone else None,
    )


def counted(failing: Predicate, count: Metric) -> Predicate:
    """Return a condition that knows how many rows satisfy it, if parts can tell."""
    return failing if count.merge is None else replace(failing, count=count)


def learned_key(rule: str, column: Column, where: Predicate | None) -> str:
    """Return the key of what a rule learns of a column, or of some of its rows."""
    key = f"{rule}:{column.name}"
    return key if where is None else f"{key} where {where.key}"


def name_of(metric: Metric) -> str:
    """Return what a metric is called in words: ``nulls fare``."""
    return " ".join(_words(metric.key))


def _words(key: Any) -> list[str]:
    if key is None or key == ():
        return []
    if isinstance(key, tuple):
        return [word for part in key for word in _words(part)]
    return [str(key)]


def _key(where: Predicate | None) -> Hashable:
    return None if where is None else where.key
