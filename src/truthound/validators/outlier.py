"""outlier: values that lie far from the rest."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from truthound.data import Column, Metric, Predicate, count
from truthound.errors import ConfigurationError, did_you_mean
from truthound.validators.base import Check, Finding, Question, RowValidator, Scope
from truthound.validators.metrics import extremes, nans_of, statistic

# Usual limits: J. W. Tukey (Exploratory Data Analysis, 1977) for the fences, three
# standard deviations, and B. Iglewicz and D. C. Hoaglin (How to Detect and Handle
# Outliers, 1993) for modified z-scores.
_LIMITS = {"iqr": 1.5, "zscore": 3.0, "mad": 3.5}
# What the median and the mean of |x - median| are of a standard normal distribution:
# divided by these, they are estimates of a standard deviation.
_MAD = 0.6745  # as Iglewicz and Hoaglin write it
_MEAN_DEVIATION = math.sqrt(2 / math.pi)
# Share by which the limits are moved outwards: the mean of equal values may come out a
# little beside them.
_ROUNDING = 1e-12


@dataclass(kw_only=True, eq=False)
class OutlierValidator(RowValidator):
    """Values must not lie far from the rest.

    The limits count as inside. They are computed from the finite values at hand (those
    of the group, with ``by``; those that satisfy ``where``). Infinities are outliers.
    Missing values and NaN are not judged; how many are NaN stands in the details,
    beside the limits.

    - ``iqr``: ``q1 - k * (q3 - q1)`` to ``q3 + k * (q3 - q1)``, with the quartiles
      interpolated linearly. If q1 = q3, as in a column of which more than three
      quarters are zero, any other value is outside: ``mad`` does better there.
    - ``zscore``: ``mean - k * std`` to ``mean + k * std``. A few extreme values move
      both; of n values none is further than ``(n - 1) / sqrt(n)`` standard deviations
      from the mean, so that ten or less have no outliers for k = 3.
    - ``mad``: ``0.6745 * |x - median| / MAD <= k``, where MAD is the median of
      ``|x - median|``. It is zero if more than half of the values are equal; then the
      mean of ``|x - median|`` takes its place, with ``sqrt(2 / pi)`` for 0.6745.

    Args:
        method: ``iqr`` (Tukey's fences), ``zscore`` or ``mad`` (the modified z-score of
            Iglewicz and Hoaglin), which a few extreme values cannot mislead.
        k: the limit; 1.5, 3 and 3.5 if not given.

    Example:
        >>> import polars as pl, truthound
        >>> rides = pl.DataFrame({"fare": [10.0, 11.0, 12.0, 11.0, 950.0]})
        >>> rule = {"outlier": {"column": "fare", "method": "mad"}}
        >>> truthound.check(rides, [rule]).checks[0].examples
        [{'row': 5, 'fare': 950.0}]
    """

    rule = "outlier"
    accepts: ClassVar[tuple[str, ...]] = ("numeric",)
    portable = False

    method: str = "iqr"
    k: float | None = None

    def check_options(self) -> None:
        if self.method not in _LIMITS:
            raise ConfigurationError(
                f"method is {', '.join(_LIMITS)}, not {self.method!r}"
                f"{did_you_mean(str(self.method), _LIMITS)}"
            )
        k = self.k
        if k is not None and (
            not isinstance(k, (int, float))
            or isinstance(k, bool)
            or not 0 < k < math.inf
        ):
            raise ConfigurationError(f"k is a number above 0, not {k!r}")

    @property
    def limit(self) -> float:
        """The limit that is used."""
        return _LIMITS[self.method] if self.k is None else self.k

    def holds(self, column: Column, ns: Any) -> Any:
        return self._inside(column, None, self.groups, ns)

    def expectation(self) -> str:
        return f"no outliers ({self.method}, k = {self.limit:g})"

    def checks(self, scope: Scope) -> Iterator[Check]:
        where = self.filter(scope)
        for column in self.selected(scope):
            yield self._check(scope, column, where)

    def _check(self, scope: Scope, column: Column, where: Predicate | None) -> Check:
        name = (column.name,)
        in_group = self.row_check(
            scope, name, lambda ns: self._inside(column, where, (), ns)
        )
        in_table = self.row_check(
            scope,
            name,
            lambda ns: self._inside(column, where, self.groups, ns),
            frozenset((column.name, *self.groups)),
        )
        rows, nulls, outside = in_group.metrics
        metrics = [rows, nulls, *self._numbers(column, where), *extremes(column, where)]
        # Limits that differ from group to group cannot be asked about in one more
        # select, as those of the whole table can: this costs a tenth there.
        metrics += [outside] if self.groups else []
        metrics += [nans_of(column.name, where)] if column.is_a("float") else []
        return Check(
            validator=self,
            columns=name,
            metrics=tuple(metrics),
            judge=partial(self._judge, column, where),
            failing=in_table.failing,
        )

    def _judge(
        self,
        column: Column,
        where: Predicate | None,
        rows: int,
        nulls: int,
        first: Any,
        second: Any,
        least: Any,
        most: Any,
        *more: int,
    ) -> Finding | Question:
        counts = [int(number or 0) for number in more]
        failed = counts.pop(0) if self.groups else None
        nans = counts.pop() if counts else 0
        checked = (rows or 0) - (nulls or 0) - nans
        details = {"nan": nans} if nans else {}
        if _no_number(first) or _no_number(second):
            return self.verdict(checked, 0, "too few values", details)
        low, high = self._limits(first, second)

        def judge(failed: int) -> Finding:
            failed = failed or 0
            limits = f"{low:.6g} to {high:.6g}"
            return self.verdict(
                checked,
                failed,
                f"the limits are {limits}",
                {"low": low, "high": high, **details},
            )

        if failed is not None:
            return judge(failed)
        if low <= least and most <= high:
            return judge(0)
        return Question((_outside(column, low, high, where),), judge)

    def _limits(self, first: Any, second: Any) -> tuple[Any, Any]:
        """Return the limits, of two numbers or of two expressions of them."""
        if self.method == "iqr":
            reach = (second - first) * self.limit
            low, high = first - reach, second + reach
        else:
            low, high = first - second * self.limit, first + second * self.limit
        return low - abs(low) * _ROUNDING, high + abs(high) * _ROUNDING

    def _inside(
        self, column: Column, where: Predicate | None, groups: tuple[str, ...], ns: Any
    ) -> Any:
        values = ns.col(column.name)
        judged = values if where is None else ns.when(where.build(ns)).then(values)
        finite = _finite(judged, column, ns)
        numbers = (number(finite, ns) for _, number, _ in _METHODS[self.method])
        low, high = self._limits(*numbers)
        if groups:
            names = [ns.col(name) for name in groups]
            low, high = low.over(names), high.over(names)
        inside = (values >= low) & (values <= high)
        return inside | values.is_nan() if column.is_a("float") else inside

    def _numbers(self, column: Column, where: Predicate | None) -> Iterator[Metric]:
        for kind, number, portable in _METHODS[self.method]:

            def build(values: Any, ns: Any, number: Any = number) -> Any:
                return number(_finite(values, column, ns), ns)

            # Of integers it is the number that other rules ask for, too.
            shared = column.kind == "integer"
            key = kind if shared else ("finite", kind)
            yield statistic(key, column.name, build, where, portable=portable)


def _no_number(value: Any) -> bool:
    return value is None or math.isnan(value)


def _outside(
    column: Column, low: float, high: float, where: Predicate | None
) -> Metric:
    def expression(values: Any, ns: Any) -> Any:
        outside = (values < low) | (values > high)
        return count(
            ns, outside & ~values.is_nan() if column.is_a("float") else outside
        )

    return statistic(("outside", low, high), column.name, expression, where)


def _finite(values: Any, column: Column, ns: Any) -> Any:
    if column.kind == "integer":
        return values
    values = values.cast(ns.Float64)
    return ns.when(values.is_finite()).then(values) if column.is_a("float") else values


def _quantile(q: float) -> Any:
    return (
        ("quantile", q),
        lambda values, ns: values.quantile(q, interpolation="linear"),
        True,
    )


def _spread(values: Any, ns: Any) -> Any:
    """Return the MAD as an estimate of a standard deviation, or what stands for it."""
    distances = (values - values.quantile(0.5, interpolation="linear")).abs()
    middle = distances.quantile(0.5, interpolation="linear")
    return (
        ns.when(middle > 0)
        .then(middle / _MAD)
        .otherwise(distances.mean() / _MEAN_DEVIATION)
    )


# The two numbers that the limits are made of: what they are called, how they are
# computed, and whether Narwhals can.
_METHODS: dict[str, tuple[Any, Any]] = {
    "iqr": (_quantile(0.25), _quantile(0.75)),
    "zscore": (
        ("mean", lambda values, ns: values.mean(), True),
        ("std", lambda values, ns: values.std(), True),
    ),
    "mad": (_quantile(0.5), ("spread", _spread, False)),
}
