"""correlation: how two columns go together."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any, ClassVar

from truthound._words import plural
from truthound.data import Column, Metric, Predicate, count
from truthound.errors import CheckError, ConfigurationError, did_you_mean
from truthound.validators._options import refuse
from truthound.validators.base import Check, Finding, Scope, Validator
from truthound.validators.bounds import interval
from truthound.validators.metrics import nulls_of, rows_of

_METHODS = ("pearson", "spearman")
_ROUNDING = 1e-12  # a perfect correlation may come out as 0.9999999999999998


@dataclass(kw_only=True, eq=False)
class CorrelationValidator(Validator):
    """The correlation of two columns must lie between bounds.

    Rows in which either is missing are left out. There is none, and the check fails,
    if a column is constant over the rows that are left, holds NaN there, or if these
    are less than two; nor is there Pearson's with infinite values.

    - ``pearson``: ``sum((x - mx) * (y - my)) / sqrt(sum((x - mx)**2) * sum((y -
      my)**2))``, how close the pairs are to a straight line.
    - ``spearman``: the same of the ranks, with the mean rank for equal values: how
      close the pairs are to any rising or falling curve.

    Args:
        other: the second column.
        min: the smallest correlation allowed, -1 to 1.
        max: the largest.
        method: ``pearson`` or ``spearman``.

    Example:
        >>> import polars as pl, truthound
        >>> rides = pl.DataFrame({"miles": [1.0, 2.0, 3.0], "fare": [5.0, 9.0, 13.0]})
        >>> rule = {"correlation": {"column": "miles", "other": "fare", "min": 0.9}}
        >>> truthound.check(rides, [rule]).success
        True
    """

    rule = "correlation"
    accepts: ClassVar[tuple[str, ...]] = ("numeric",)

    other: str = ""
    min: float | None = None
    max: float | None = None
    method: str = "pearson"

    def check_options(self) -> None:
        refuse(self, "mostly")
        if not self.other or not isinstance(self.other, str):
            raise ConfigurationError("correlation needs other, the second column")
        if self.min is None and self.max is None:
            raise ConfigurationError("correlation needs min, max or both")
        for option in ("min", "max"):
            bound = getattr(self, option)
            if bound is not None and (
                not isinstance(bound, (int, float))
                or isinstance(bound, bool)
                or not -1 <= bound <= 1
            ):
                raise ConfigurationError(
                    f"{option} of correlation is a number from -1 to 1, not {bound!r}"
                )
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ConfigurationError(
                f"min ({self.min}) is larger than max ({self.max})"
            )
        if self.method not in _METHODS:
            raise ConfigurationError(
                f"method is pearson or spearman, not {self.method!r}"
                f"{did_you_mean(str(self.method), _METHODS)}"
            )

    def checks(self, scope: Scope) -> Iterator[Check]:
        other = scope.schema.column(self.other)
        if not other.is_a("numeric"):
            raise CheckError(
                f"correlation judges numeric columns, but {other.name!r} is "
                f"{other.dtype}"
            )
        for column in self.selected(scope):
            if column.name == other.name:
                raise CheckError(f"{column.name!r} cannot be compared with itself")
            yield self._check(scope, column, other)

    def _check(self, scope: Scope, column: Column, other: Column) -> Check:
        where = self.filter(scope)
        pair = (column, other)
        names = (column.name, other.name)
        floats = [c.name for c in pair if c.is_a("float")]
        nans = _metric("nan pairs", pair, where, lambda ns: _nan_pairs(pair, where, ns))
        return Check(
            validator=self,
            columns=names,
            metrics=(
                rows_of(where),
                nulls_of(names, where),
                _metric(
                    self.method, pair, where, partial(_correlation, self, pair, where)
                ),
                *((nans,) if floats else ()),
            ),
            judge=self._judge,
        )

    def _judge(
        self, rows: int, nulls: int, found: float | None, nans: int = 0
    ) -> Finding:
        expected = f"{self.method} correlation {interval(self.min, self.max)}"
        checked = (rows or 0) - (nulls or 0)
        if not rows:
            return Finding(passed=True, checked=0, expected=expected, message="no rows")
        missing = _missing(checked, found, int(nans or 0))
        if found is None or missing:
            return Finding(
                passed=False,
                checked=checked,
                observed="NaN" if nans else None,
                expected=expected,
                message=f"expected {expected}; {missing}",
                details={"nan": int(nans)} if nans else {},
                whole_table=True,
            )
        found = max(-1.0, min(1.0, found))
        return Finding(
            passed=(self.min is None or found >= self.min - _ROUNDING)
            and (self.max is None or found <= self.max + _ROUNDING),
            checked=checked,
            observed=found,
            expected=expected,
            whole_table=True,
        )


def _missing(checked: int, found: float | None, nans: int) -> str:
    """Say why there is no correlation; nothing if there is one."""
    if nans:
        return f"NaN in {nans:,} of {plural(checked, 'pair')}"
    if checked < 2:
        return f"none of {plural(checked, 'pair')}"
    if found is None:
        return "none, as a column is constant"
    return "undefined, as values are infinite" if math.isnan(found) else ""


def _metric(
    kind: str, pair: tuple[Column, Column], where: Predicate | None, build: Any
) -> Metric:
    names = tuple(column.name for column in pair)
    return Metric(
        (kind, names, where and where.key),
        build,
        frozenset(names) | (where.reads if where else frozenset()),
        portable=False,
    )


def _complete(pair: tuple[Column, Column], where: Predicate | None, ns: Any) -> Any:
    both = reduce(
        lambda a, b: a & b, (ns.col(column.name).is_not_null() for column in pair)
    )
    return both if where is None else both & where.build(ns).fill_null(False)


def _nan_pairs(pair: tuple[Column, Column], where: Predicate | None, ns: Any) -> Any:
    floats = (ns.col(c.name).is_nan() for c in pair if c.is_a("float"))
    return count(ns, _complete(pair, where, ns) & reduce(lambda a, b: a | b, floats))


def _correlation(
    validator: CorrelationValidator,
    pair: tuple[Column, Column],
    where: Predicate | None,
    ns: Any,
) -> Any:
    complete = _complete(pair, where, ns)
    left, right = (
        ns.col(column.name).cast(ns.Float64).filter(complete) for column in pair
    )
    # Of equal values, rounding would make a correlation.
    varies = (left.min() < left.max()) & (right.min() < right.max())
    found = ns.corr(left, right, method=validator.method)
    return ns.when(varies).then(found)
