"""Repeated values and rows: what ``unique`` and ``duplicate`` count."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial, reduce
from typing import Any

import polars as pl
import polars.selectors as cs

from truthound.data import Metric, Predicate, count
from truthound.validators.base import Finding, Question, RowValidator

Key = tuple[str, ...]


def distinct(key: Key, where: Predicate | None, *, nulls_count: bool = False) -> Metric:
    """Return the metric of how many different keys there are.

    Args:
        key: the columns.
        where: only the rows that satisfy it.
        nulls_count: a missing value is a value like any other; else a key in which one
            is missing is left out.
    """

    def expression(ns: Any) -> Any:
        mask = _mask(key, where, ns, nulls_count)
        if ns.__name__ != "polars":
            # One column, no condition: see ``portable`` below.
            values = ns.col(key[0])
            some_null = (values.null_count() > 0).cast(ns.Int64)
            return values.n_unique() - some_null
        values = _key(key, ns)
        if mask is None or (len(key) == 1 and where is None):
            return (values if nulls_count else values.drop_nulls()).n_unique()
        return values.filter(mask).n_unique()

    return Metric(
        ("distinct", key, nulls_count, where and where.key),
        expression,
        frozenset(key) | (where.reads if where else frozenset()),
        portable=len(key) == 1 and where is None and not nulls_count,
    )


def repeated(
    key: Key,
    groups: Key,
    where: Predicate | None,
    nulls_count: bool,
    ns: Any,
) -> Any:
    """Return the condition of rows whose key stands in another row as well.

    With ``groups`` a key is compared within its group only.
    """
    mask = _mask(key, where, ns, nulls_count)
    whole = (*key, *(name for name in groups if name not in key))
    if mask is None:
        return _key(whole, ns).is_duplicated()
    if where is None:
        # A row with a missing part is equal to none without one.
        return _key(whole, ns).is_duplicated() & mask
    return ns.when(mask).then(_key(whole, ns)).is_duplicated() & mask


def repeats_check(
    validator: RowValidator,
    key: Key,
    where: Predicate | None,
    *,
    nulls_count: bool,
) -> tuple[Predicate, Metric, Callable[[int, Any], Finding | Question]]:
    """Return the condition of failing rows, the metric to ask, and its judge.

    Polars tells in one go how many rows repeat (:func:`tally`). Another engine, and
    a table that is judged by groups, is asked for the distinct count first: it tells
    at half the cost whether anything repeats at all, and mostly nothing does.
    """
    condition = partial(repeated, key, validator.groups, where, nulls_count)
    failing = Predicate(
        condition,
        frozenset((*key, *validator.groups)) | (where.reads if where else frozenset()),
        portable=False,
        # What repeats among the first rows repeats in the whole table.
        prefix=where is None,
    )
    different = distinct(key, where, nulls_count=nulls_count)
    repeats = Metric(
        ("repeated", key, validator.groups, nulls_count, where and where.key),
        lambda ns: count(ns, condition(ns)),
        failing.reads,
        portable=False,
    )

    def tallied(ns: Any) -> Any:
        if ns.__name__ != "polars":
            return different.build(ns)
        mask = _mask(key, where, ns, nulls_count)
        values = _key(key, ns)
        return (values if mask is None else values.filter(mask)).map_batches(
            tally, return_dtype=_TALLY, returns_scalar=True
        )

    def judge(checked: int, found: Any) -> Finding | Question:
        if isinstance(found, dict):
            return _finding(validator, checked, **found, failing=among(found["hashes"]))
        surplus = checked - (found or 0)
        if surplus <= 0:
            return _finding(validator, checked, 0, 0)
        return Question(
            (repeats,), lambda rows: _finding(validator, checked, rows or 0, surplus)
        )

    def among(hashes: list[int]) -> Predicate | None:
        if not hashes:
            return None
        known = pl.Series(hashes, dtype=pl.UInt64).implode()

        def condition(ns: Any) -> Any:
            mask = _mask(key, where, ns, nulls_count)
            found = _key(key, ns).map_batches(
                lambda values: _hashed(values).is_in(known), return_dtype=pl.Boolean
            )
            return found if mask is None else found & mask

        return replace(failing, build=condition, prefix=True)

    if validator.groups:
        return failing, different, judge
    asked = replace(different, key=("repeats", *different.key[1:]), build=tallied)
    return failing, asked, judge


def _finding(
    validator: RowValidator,
    checked: int,
    rows: int,
    surplus: int,
    hashes: object = None,
    failing: Predicate | None = None,
) -> Finding:
    details = {"surplus": surplus} if surplus else {}
    return replace(validator.verdict(checked, rows, details=details), failing=failing)


MANY_KEYS = 10_000  # repeated ones that are remembered, to find their rows again
FEW_ROWS = 1_000  # a table of all values is made faster than so few are sorted
_TALLY = pl.Struct(
    {"rows": pl.Int64, "surplus": pl.Int64, "hashes": pl.List(pl.UInt64)}
)


def tally(values: pl.Series) -> pl.Series:
    """Count the values that stand in a column more than once.

    Equal values, or for texts and rows their equal hashes, lie side by side once they
    are sorted. That costs a fifth of a table of all values; whatever shares its hash
    with another is then compared by itself.

    Returns:
        One struct: how many ``rows`` stand in groups of equals; how many are
        ``surplus``, beyond the first of each group; the ``hashes`` of the repeated
        values, unless these are too many to remember.
    """
    rows = surplus = 0
    known = pl.Series([], dtype=pl.UInt64)
    if len(values) > FEW_ROWS or values.n_unique() < len(values):
        repeated = _suspects(values)
        repeated = repeated.filter(repeated.is_duplicated())
        if rows := len(repeated):
            different = repeated.unique()
            surplus = rows - len(different)
            if len(different) <= MANY_KEYS and _is_hashable(values.dtype):
                known = _hashed(different)
    found = {"rows": [rows], "surplus": [surplus], "hashes": [known]}
    return pl.DataFrame(found, schema=_TALLY.to_schema()).to_struct()


def _suspects(values: pl.Series) -> pl.Series:
    """Return the values that share their hash, or sort key, with another."""
    dtype = values.dtype
    if dtype.is_numeric() or dtype.is_temporal():
        keys = values
    elif _is_hashable(dtype):
        keys = _hashed(values)
    else:
        return values
    in_order = keys.sort()
    shared = in_order[1:].filter(in_order[1:].eq_missing(in_order[:-1]))
    if not len(shared):
        return values.clear()
    if len(shared) * 2 > len(values):
        return values  # hardly one that is not
    return values.filter(keys.is_in(shared.unique().implode(), nulls_equal=True))


def _is_hashable(dtype: pl.DataType) -> bool:
    """Tell whether equal values of a type have equal hashes; those of lists do not."""
    if isinstance(dtype, pl.Struct):
        return not any(inner.is_nested() for inner in dtype.to_schema().values())
    return not dtype.is_nested() and dtype != pl.Object


def _hashed(values: pl.Series) -> pl.Series:
    if isinstance(values.dtype, pl.Struct):
        # The zeros, and the NaNs, are equal, but their hashes in a struct are not.
        frame = values.struct.unnest()
        values = frame.with_columns((cs.float() + 0.0).fill_nan(math.nan)).to_struct()
    return values.hash()


def _key(names: Key, ns: Any) -> Any:
    return ns.col(names[0]) if len(names) == 1 else ns.struct(list(names))


def _mask(key: Key, where: Predicate | None, ns: Any, nulls_count: bool) -> Any:
    conditions = [] if nulls_count else [~ns.col(name).is_null() for name in key]
    if where is not None:
        conditions.append(where.build(ns).fill_null(False))
    return reduce(lambda a, b: a & b, conditions) if conditions else None
