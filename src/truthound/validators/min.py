"""min: the smallest value of a column lies between bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from truthound.data import Column, Metric, Predicate
from truthound.validators.metrics import extremes
from truthound.validators.statistic import StatisticValidator


@dataclass(kw_only=True, eq=False)
class MinValidator(StatisticValidator):
    """The smallest value of a column must lie between bounds.

    Of numbers, dates, moments, times of day and durations. Bounds of times are ISO
    8601 texts, or dates and times of Python; of durations, seconds. Texts are not
    judged: engines do not agree on their order.

    Example:
        >>> import polars as pl, truthound
        >>> rides = pl.DataFrame({"fare": [2.0, -4.0]})
        >>> rule = {"min": {"column": "fare", "min": 0}}
        >>> truthound.check(rides, [rule]).checks[0].observed
        -4.0
    """

    rule = "min"
    accepts: ClassVar[tuple[str, ...]] = ("numeric", "temporal")
    in_column_type = True

    def number(self, values: Any, ns: Any) -> Any:
        return values.min()

    def metric(self, column: Column, where: Predicate | None) -> Metric:
        return extremes(column, where)[0]
