"""Base of the rules that hold a number over a column between bounds."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Any, ClassVar, TypeGuard

from truthound._words import plural
from truthound.data import Column, Metric, Predicate
from truthound.data.merging import Merge
from truthound.errors import CheckError, ConfigurationError
from truthound.validators._options import refuse
from truthound.validators.anomaly import LookingBack
from truthound.validators.base import Check, Finding, Question, Scope, Validator
from truthound.validators.bounds import Bound, bound_for, interval
from truthound.validators.check import check_name
from truthound.validators.metrics import (
    name_of,
    nans_of,
    nulls_of,
    rows_of,
    statistic,
)
from truthound.validators.moments import crossed, shifted
from truthound.validators.precision import fitted

# How far a number that is computed from floats may be from ``equals``, as a share:
# it depends a little on the order in which an engine adds up.
ROUNDING = 1e-9


@dataclass(kw_only=True, eq=False)
class StatisticValidator(LookingBack, Validator):
    """A number over the values of a column must lie between bounds.

    Bounds count as inside. Missing values are left out. A column with a NaN has no
    such number, and fails; so does one without any value, or whose infinite values
    leave the number undefined. Where there is no row at all there is nothing to judge:
    that a table is empty is an issue of its own.

    Args:
        min: the smallest number allowed.
        max: the largest number allowed.
        equals: the number itself, instead of the two; one that is computed from
            floats may differ from it by a billionth.
        tolerance: how far the number may be from ``equals``, in the column's unit;
            seconds for dates, moments and durations.
        anomaly: about what it was in earlier runs, in place of bounds; for numbers, and
            with a store. ``limit``, ``min_runs`` and ``last`` go with it.
    """

    short_forms: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "anomaly": {"anomaly": True}
    }

    accepts: ClassVar[tuple[str, ...]] = ("numeric",)
    # Whether the number is one of the column's own values, as a minimum is and a mean
    # of integers is not.
    in_column_type: ClassVar[bool] = False

    min: Bound | None = None
    max: Bound | None = None
    equals: Bound | None = None
    tolerance: float = 0.0

    def check_options(self) -> None:
        refuse(self, "mostly")
        self.check_looking_back(self.anomaly)
        between = self.min is not None or self.max is not None
        if (between, self.equals is not None, bool(self.anomaly)).count(True) != 1:
            raise ConfigurationError(
                f"{self.rule} needs min, max or both, or equals, or anomaly"
            )
        if self.anomaly and self.by is not None:
            raise ConfigurationError("by does not go together with anomaly")
        if not _is_number(self.tolerance) or not 0 <= self.tolerance < math.inf:
            raise ConfigurationError(
                f"tolerance is a number from 0, not {self.tolerance!r}"
            )
        if self.tolerance and self.equals is None:
            raise ConfigurationError("tolerance goes together with equals")
        for option in ("min", "max", "equals"):
            value = getattr(self, option)
            if value is not None and not self._may_bound(value):
                raise ConfigurationError(
                    f"{option} of {self.rule} is a number, not {value!r}"
                )
        if _is_number(self.min) and _is_number(self.max) and self.min > self.max:
            raise ConfigurationError(
                f"min ({self.min}) is larger than max ({self.max})"
            )

    @property
    def looks_back(self) -> bool:
        return self.anomaly

    def _may_bound(self, value: Any) -> bool:
        return _is_number(value) or (
            self.in_column_type and not isinstance(value, (bool, int, float, Decimal))
        )

    @abstractmethod
    def number(self, values: Any, ns: Any) -> Any:
        """Return the expression of the number."""

    def kind(self) -> Any:
        """Return what tells the number apart from others of the same column."""
        return self.rule

    def prepared(self, values: Any, column: Column, ns: Any) -> Any:
        """Return the values as they are reckoned with.

        Engines disagree on decimals, and what they do in 32 bits is coarse.
        """
        if self.in_column_type or column.kind == "integer" or column.dtype == "float64":
            return values
        return values.cast(ns.Float64)

    def metric(self, column: Column, where: Predicate | None) -> Metric:
        """Return the metric of the number."""
        return statistic(
            self.kind(),
            column.name,
            lambda values, ns: self.number(self.prepared(values, column, ns), ns),
            where,
            merge=self.merging(column, where),
        )

    def merging(self, column: Column, where: Predicate | None) -> Merge | None:
        """Return how the number follows from numbers over parts of the rows."""
        return None

    def part(
        self, kind: Any, column: Column, where: Predicate | None, build: Any
    ) -> Metric:
        """Return a number over a part of the rows, made of the values as they count."""
        return statistic(
            kind,
            column.name,
            lambda values, ns: build(self.prepared(values, column, ns)),
            where,
            portable=False,
        )

    def checks(self, scope: Scope) -> Iterator[Check]:
        where = self.filter(scope)
        for column in self.selected(scope):
            if self.anomaly:
                yield self._as_before(scope, column, where)
                continue
            low, high = self.bounds(column)

            def judge(
                rows: int,
                nulls: int,
                number: Any,
                nans: int = 0,
                column: Column = column,
                low: Any = low,
                high: Any = high,
            ) -> Finding | Question:
                rows, nans = rows or 0, int(nans or 0)
                checked = rows - (nulls or 0)
                if not nans and _is_nan(number):
                    return self.undefined(checked, column, where, low, high)
                return self.verdict(checked, rows, number, nans, low, high)

            yield Check(
                validator=self,
                columns=(column.name,),
                metrics=(
                    rows_of(where),
                    nulls_of(column.name, where),
                    self.metric(column, where),
                    *((nans_of(column.name, where),) if column.is_a("float") else ()),
                ),
                judge=judge,
            )

    def _as_before(
        self, scope: Scope, column: Column, where: Predicate | None
    ) -> Check:
        """Return the check that holds the number to earlier runs."""
        if not column.is_a("numeric"):
            raise CheckError(
                f"anomaly is for numbers, but {column.name!r} is {column.dtype}"
            )
        metric = self.metric(column, where)

        def judge(
            rows: int, nulls: int, number: Any, nans: int = 0
        ) -> Finding | Question:
            checked = (rows or 0) - (nulls or 0)
            if nans or number is None or _is_nan(number) or not math.isfinite(number):
                nothing = None if nans else number
                return self.verdict(checked, rows or 0, nothing, nans or 0, None, None)
            return self.held_to_past(
                scope,
                itemgetter(name_of(metric)),
                check_name(self, (column.name,)),
                float(number),
                checked=checked,
            )

        is_float = column.is_a("float")
        return Check(
            validator=self,
            columns=(column.name,),
            metrics=(
                rows_of(where),
                nulls_of(column.name, where),
                metric,
                *((nans_of(column.name, where),) if is_float else ()),
            ),
            judge=judge,
        )

    def undefined(
        self, checked: int, column: Column, where: Predicate | None, low: Any, high: Any
    ) -> Finding | Question:
        """Judge a number that is NaN although no value is; it may ask for others."""
        return self.verdict(checked, checked, math.nan, 0, low, high)

    def bounds(self, column: Column) -> tuple[Any, Any]:
        """Return the bounds as the number compares with them.

        Raises:
            CheckError: an option does not fit the column's type.
        """
        typed = column
        if not self.in_column_type:
            typed = Column(column.name, "float", "float64")
        if self.equals is None:
            low = bound_for(typed, "min", self.min)
            high = bound_for(typed, "max", self.max)
        else:
            low, high = _around(
                typed, bound_for(typed, "equals", self.equals), self.tolerance
            )
        if crossed(low, high):
            raise CheckError(f"min ({low}) is larger than max ({high})")
        return fitted(typed, low, high) if typed.dtype == "float32" else (low, high)

    def expectation(self) -> str:
        """Say in words what is expected of the number."""
        if self.anomaly:
            return "about what it was in earlier runs"
        if self.equals is None:
            return interval(self.min, self.max)
        if self.tolerance:
            return f"{self.equals} ± {self.tolerance:g}"
        return f"exactly {self.equals}"

    def verdict(
        self, checked: int, rows: int, number: Any, nans: int, low: Any, high: Any
    ) -> Finding:
        """Judge the number."""
        expected = self.expectation()
        if not rows:
            return Finding(
                passed=True,
                checked=0,
                expected=expected,
                message="no rows",
                whole_table=True,
            )
        missing = self._missing(checked, number, nans)
        if missing:
            return Finding(
                passed=False,
                checked=checked,
                observed="NaN" if nans else None,
                expected=expected,
                message=f"expected {expected}; {missing}",
                details={"nan": nans} if nans else {},
                whole_table=True,
            )
        return Finding(
            passed=self._holds(number, low, high),
            checked=checked,
            observed=number,
            expected=expected,
            whole_table=True,
        )

    def _missing(self, checked: int, number: Any, nans: int) -> str:
        """Say why there is no number; nothing if there is one."""
        if nans:
            values = plural(checked, "value")
            return f"{nans:,} of {values} {'is' if nans == 1 else 'are'} NaN"
        if not checked:
            return "no values"
        if number is None:
            return "too few values"
        if _is_nan(number):
            return "undefined, as values are infinite"
        return ""

    def _holds(self, number: Any, low: Any, high: Any) -> bool:
        if isinstance(number, Decimal):
            low, high = _exact(low), _exact(high)
        if not (crossed(low, number) or crossed(number, high)):
            return True
        exact = self.in_column_type or not isinstance(number, float)
        return (
            not exact
            and _is_number(self.equals)
            and math.isclose(
                number,
                self.equals,
                rel_tol=ROUNDING,
                abs_tol=self.tolerance * (1 + ROUNDING),
            )
        )


def _is_number(value: Any) -> TypeGuard[float]:
    return (
        isinstance(value, (int, float, Decimal))
        and not isinstance(value, bool)
        and not math.isnan(value)
    )


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _around(column: Column, middle: Any, tolerance: float) -> tuple[Any, Any]:
    if not tolerance:
        return middle, middle
    if column.kind == "time":
        raise CheckError(f"tolerance does not apply to {column.name!r}, a time of day")
    if column.is_a("temporal"):
        reach: Any = timedelta(seconds=tolerance)
    else:
        reach = Decimal(str(tolerance)) if isinstance(middle, Decimal) else tolerance
    return shifted(middle, -reach), shifted(middle, reach)


def _exact(bound: Any) -> Any:
    """Return a bound as the decimal that was written: 0.1 is 0.1."""
    return Decimal(repr(bound)) if isinstance(bound, float) else bound
