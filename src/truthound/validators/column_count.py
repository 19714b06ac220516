"""column_count: how many columns the table has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from truthound._words import numbered
from truthound.errors import ConfigurationError
from truthound.validators._options import OF_ROWS, check_counts, refuse
from truthound.validators.base import Check, Finding, Scope, Validator
from truthound.validators.bounds import interval
from truthound.validators.metrics import ROWS


@dataclass(kw_only=True, eq=False)
class ColumnCountValidator(Validator):
    """The table must have so many columns.

    Args:
        min: at least so many.
        max: at most so many.
        equals: exactly so many.

    Example:
        >>> import polars as pl, truthound
        >>> rides = pl.DataFrame({"id": [1], "fare": [2.0]})
        >>> rule = {"column_count": {"equals": 3}}
        >>> truthound.check(rides, [rule]).checks[0].message
        'expected exactly 3 columns; 2'
    """

    rule = "column_count"

    min: int | None = None
    max: int | None = None
    equals: int | None = None

    def check_options(self) -> None:
        refuse(self, *OF_ROWS)
        check_counts(self.rule, min=self.min, max=self.max, equals=self.equals)
        between = self.min is not None or self.max is not None
        if between == (self.equals is not None):
            raise ConfigurationError("column_count needs min, max or both, or equals")

    def checks(self, scope: Scope) -> Iterator[Check]:
        low = self.min if self.equals is None else self.equals
        high = self.max if self.equals is None else self.equals
        columns = len(scope.schema)
        finding = Finding(
            passed=(low is None or columns >= low)
            and (high is None or columns <= high),
            checked=columns,
            observed=columns,
            expected=f"{interval(low, high)} "
            f"{numbered(low if high is None else high, 'column')}",
            whole_table=True,
        )
        yield Check(
            validator=self, columns=(), metrics=(ROWS,), judge=lambda _: finding
        )
