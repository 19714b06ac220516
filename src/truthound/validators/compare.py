"""compare: two columns of a row stand in a relation."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from truthound.data import Column
from truthound.errors import CheckError, ConfigurationError
from truthound.validators.base import Check, RowValidator, Scope
from truthound.validators.bounds import zone_of

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
}
# Types that can be compared with each other.
_COMPARABLE = ("numeric", "text", "boolean", "date", "datetime", "time", "duration")


@dataclass(kw_only=True, eq=False)
class CompareValidator(RowValidator):
    """A column's value must stand in a relation to another column's in the same row.

    A row in which either is missing is not judged. NaN stands in no relation, not
    even ``!=``. Numbers compare with numbers, text with text, and so on; moments with
    and without a time zone do not compare.

    Args:
        operator: ``<``, ``<=``, ``==``, ``!=``, ``>=`` or ``>``.
        other: the column on the right.
        tolerance: numbers that differ by no more than this count as equal.

    Example:
        >>> import polars as pl, truthound
        >>> trips = pl.DataFrame({"start": [1, 5], "end": [2, 4]})
        >>> rule = {"compare": {"column": "start", "operator": "<=", "other": "end"}}
        >>> truthound.check(trips, [rule]).checks[0].examples
        [{'row': 2, 'start': 5, 'end': 4}]
    """

    rule = "compare"
    row_by_row = True

    operator: str = ""
    other: str = ""
    tolerance: float = 0.0

    def check_options(self) -> None:
        if self.operator not in _OPERATORS:
            raise ConfigurationError(
                f"operator is one of {' '.join(_OPERATORS)}, not {self.operator!r}"
            )
        if not isinstance(self.other, str) or not self.other:
            raise ConfigurationError("compare needs other, the column on the right")
        number = isinstance(self.tolerance, (int, float))
        if not number or not 0 <= self.tolerance < math.inf:
            raise ConfigurationError(
                f"tolerance is a number from 0, not {self.tolerance!r}"
            )

    def holds(self, column: Column, ns: Any) -> Any:
        return _OPERATORS[self.operator](ns.col(column.name), ns.col(self.other))

    def expectation(self) -> str:
        within = f" (within {self.tolerance})" if self.tolerance else ""
        return f"{self.column or 'value'} {self.operator} {self.other}{within}"

    def checks(self, scope: Scope) -> Iterator[Check]:
        other = scope.schema.column(self.other)
        columns = self.selected(scope)
        for column in columns:
            self._check_types(column, other)
            one = self
            if len(columns) > 1 or self.column is None:
                name = self.name and f"{self.name} [{column.name}]"
                one = replace(self, column=column.name, columns=None, name=name)
            names = tuple(dict.fromkeys((column.name, other.name)))
            yield one.row_check(scope, names, partial(one._compared, column, other))

    def _check_types(self, column: Column, other: Column) -> None:
        fits = any(column.is_a(group) and other.is_a(group) for group in _COMPARABLE)
        if fits and column.kind == "datetime":
            fits = (zone_of(column) is None) == (zone_of(other) is None)
        if not fits:
            raise CheckError(
                f"{column.name!r} ({column.dtype}) cannot be compared with "
                f"{other.name!r} ({other.dtype})"
            )
        if self.tolerance and not column.is_a("numeric"):
            raise CheckError(
                f"tolerance is for numbers, but {column.name!r} is {column.dtype}"
            )

    def _compared(self, column: Column, other: Column, ns: Any) -> Any:
        left, right = _values(column, ns), _values(other, ns)
        if self.tolerance:
            held = self._nearly(left, right, ns)
        else:
            held = _OPERATORS[self.operator](left, right)
        for side in (column, other):
            if side.is_a("float"):  # engines differ about what NaN is larger than
                held = held & ~ns.col(side.name).is_nan()
        return held

    def _nearly(self, left: Any, right: Any, ns: Any) -> Any:
        difference = left.cast(ns.Float64) - right.cast(ns.Float64)
        # Infinities of one sign are equal, and their difference is not a number.
        equal = left == right
        near = equal | (difference.abs() <= self.tolerance)
        match self.operator:
            case "==":
                return near
            case "!=":
                return ~near
            case "<=" | "<":
                ahead = difference < -self.tolerance
            case _:
                ahead = difference > self.tolerance
        ahead = ahead & ~equal
        return ahead | near if "=" in self.operator else ahead


def _values(column: Column, ns: Any) -> Any:
    """Return the values in a type that compares with others of its group."""
    values = ns.col(column.name)
    if column.kind == "categorical":
        return values.cast(ns.String)
    if zone_of(column) is not None and column.kind == "datetime":
        return values.dt.convert_time_zone("UTC")  # zones must be the same
    return values
