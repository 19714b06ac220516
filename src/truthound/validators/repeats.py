"""Repeated values and rows: what ``unique`` and ``duplicate`` count."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce
from typing import Any

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
    sortable: bool = False,
) -> tuple[Predicate, Callable[[int, int], Finding | Question]]:
    """Return the condition of failing rows, and the judge of a distinct count.

    The distinct count is asked first: it tells at half the cost whether anything
    repeats at all, and mostly nothing does.
    """
    condition = partial(repeated, key, validator.groups, where, nulls_count)
    failing = Predicate(
        condition,
        frozenset((*key, *validator.groups)) | (where.reads if where else frozenset()),
        portable=False,
        # What repeats among the first rows repeats in the whole table.
        prefix=where is None,
    )

    def repeats_in(ns: Any) -> Any:
        if not sortable or len(key) > 1 or nulls_count:
            return count(ns, condition(ns))
        # The lengths of runs of equals: for numbers a seventh of the time.
        values = ns.col(key[0])
        if where is not None:
            values = ns.when(where.build(ns)).then(values)
        runs = values.drop_nulls().sort().rle().struct.field("len")
        return runs.replace(1, 0).sum()

    repeats = Metric(
        ("repeated", key, validator.groups, nulls_count, where and where.key),
        repeats_in,
        failing.reads,
        portable=False,
    )

    def judge(checked: int, different: int) -> Finding | Question:
        too_many = checked - different
        if too_many <= 0:
            return validator.verdict(checked, 0)
        return Question(
            (repeats,),
            lambda failed: validator.verdict(
                checked, failed or 0, details={"surplus": too_many}
            ),
        )

    return failing, judge


def _key(names: Key, ns: Any) -> Any:
    return ns.col(names[0]) if len(names) == 1 else ns.struct(list(names))


def _mask(key: Key, where: Predicate | None, ns: Any, nulls_count: bool) -> Any:
    conditions = [] if nulls_count else [~ns.col(name).is_null() for name in key]
    if where is not None:
        conditions.append(where.build(ns).fill_null(False))
    return reduce(lambda a, b: a & b, conditions) if conditions else None
