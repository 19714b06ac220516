"""Repeated values and rows: what ``unique`` and ``duplicate`` count."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial, reduce
from typing import Any

import polars as pl
import polars.selectors as cs

from truthound.data import Metric, Predicate, count, unnamed
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
    asked = _Repeats(validator, key, where, nulls_count)
    return asked.failing, asked.metric, asked.judge


class _Repeats:
    """What is asked about repeated keys, and how the answer is judged."""

    def __init__(
        self,
        validator: RowValidator,
        key: Key,
        where: Predicate | None,
        nulls_count: bool,
    ) -> None:
        self.validator = validator
        self.key = key
        self.where = where
        self.nulls_count = nulls_count
        reads = where.reads if where else frozenset[str]()
        self.failing = Predicate(
            partial(repeated, key, validator.groups, where, nulls_count),
            reads.union(key, validator.groups),
            portable=False,
            # What repeats among the first rows repeats in the whole table.
            prefix=where is None,
        )
        self.different = distinct(key, where, nulls_count=nulls_count)

    @property
    def metric(self) -> Metric:
        if self.validator.groups:
            return self.different
        key = ("repeats", *self.different.key[1:])
        return replace(
            self.different, key=key, build=self._tallied, small=self._counted
        )

    def judge(self, checked: int, found: Any) -> Finding | Question:
        if isinstance(found, dict):
            hashes = found.get("hashes")
            failing = self._among(hashes) if hashes else None
            return self._finding(checked, found["rows"], found["surplus"], failing)
        surplus = checked - (found or 0)
        if surplus <= 0:
            return self._finding(checked, 0, 0)
        where, groups = self.where, self.validator.groups
        rows = Metric(
            ("repeated", self.key, groups, self.nulls_count, where and where.key),
            lambda ns: count(ns, self.failing.build(ns)),
            self.failing.reads,
            portable=False,
        )
        return Question((rows,), lambda n: self._finding(checked, n or 0, surplus))

    def _finding(
        self, checked: int, rows: int, surplus: int, failing: Predicate | None = None
    ) -> Finding:
        details = {"surplus": surplus} if surplus else None
        finding = self.validator.verdict(checked, rows, details=details)
        return finding if failing is None else replace(finding, failing=failing)

    def _tallied(self, ns: Any) -> Any:
        if ns.__name__ != "polars":
            return self.different.build(ns)
        return self._present(ns).map_batches(
            tally, return_dtype=_TALLY, returns_scalar=True
        )

    def _counted(self, ns: Any) -> Any:
        values = self._present(ns)
        return ns.struct(
            values.is_duplicated().sum().alias("rows"),
            (values.len() - values.n_unique()).alias("surplus"),
        )

    def _present(self, ns: Any) -> Any:
        values = _key(self.key, ns)
        if len(self.key) == 1 and self.where is None:
            return values if self.nulls_count else values.drop_nulls()
        mask = self._mask(ns)
        return values if mask is None else values.filter(mask)

    def _mask(self, ns: Any) -> Any:
        return _mask(self.key, self.where, ns, self.nulls_count)

    def _among(self, hashes: Sequence[int]) -> Predicate:
        """Return the condition of rows whose key has one of these hashes."""
        known = pl.Series(hashes, dtype=pl.UInt64).implode()

        def condition(ns: Any) -> Any:
            mask = self._mask(ns)
            found = _key(self.key, ns).map_batches(
                lambda values: _hashed(unnamed(values)).is_in(known),
                return_dtype=pl.Boolean,
            )
            return found if mask is None else found & mask

        return replace(self.failing, build=condition, prefix=True)


MANY_KEYS = 10_000  # repeated ones that are remembered, to find their rows again
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
    values = unnamed(values)
    if values.dtype.is_numeric() or values.dtype.is_temporal():
        repeated = _shared(values)
        different = repeated.unique()
        surplus = len(repeated)
    else:
        repeated = _suspects(values)
        repeated = repeated.filter(repeated.is_duplicated())
        different = repeated.unique()
        surplus = len(repeated) - len(different)
    known = pl.Series([], dtype=pl.UInt64)
    if len(different) <= MANY_KEYS and _is_hashable(values.dtype):
        known = _hashed(different)
    found = {
        "rows": [surplus + len(different)],
        "surplus": [surplus],
        "hashes": [known],
    }
    return pl.DataFrame(found, schema=_TALLY.to_schema()).to_struct()


def _shared(keys: pl.Series) -> pl.Series:
    """Return each key as often as it stands there, less one."""
    in_order = keys.sort()
    return in_order[1:].filter(in_order[1:].eq_missing(in_order[:-1]))


def _suspects(values: pl.Series) -> pl.Series:
    """Return the values that share their hash with another."""
    if not _is_hashable(values.dtype):
        return values
    hashes = _hashed(values)
    shared = _shared(hashes)
    if not len(shared):
        return values.clear()
    if len(shared) * 2 > len(values):
        return values  # hardly one that does not
    return values.filter(hashes.is_in(shared.unique().implode()))


def _is_hashable(dtype: pl.DataType) -> bool:
    """Tell whether equal values of a type have equal hashes; those of lists do not."""
    if isinstance(dtype, pl.Struct):
        return not any(inner.is_nested() for inner in dtype.to_schema().values())
    return not dtype.is_nested() and dtype != pl.Object


def _hashed(values: pl.Series) -> pl.Series:
    if isinstance(values.dtype, pl.Struct):
        # The zeros, and the NaNs, are equal, but their hashes in a struct are not.
        frame = values.struct.unnest()
        frame.columns = [str(n) for n in range(frame.width)]
        values = frame.with_columns((cs.float() + 0.0).fill_nan(math.nan)).to_struct()
    return values.hash()


def _key(names: Key, ns: Any) -> Any:
    columns = [ns.col(name) for name in names]
    return columns[0] if len(columns) == 1 else ns.struct(columns)


def _mask(key: Key, where: Predicate | None, ns: Any, nulls_count: bool) -> Any:
    conditions = [] if nulls_count else [~ns.col(name).is_null() for name in key]
    if where is not None:
        conditions.append(where.build(ns).fill_null(False))
    return reduce(lambda a, b: a & b, conditions) if conditions else None
