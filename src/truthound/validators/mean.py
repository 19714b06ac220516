"""mean: the arithmetic mean of a column lies between bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from truthound.data import Column, Predicate
from truthound.data.merging import Merge, mean
from truthound.validators.statistic import StatisticValidator


@dataclass(kw_only=True, eq=False)
class MeanValidator(StatisticValidator):
    """The arithmetic mean of a column must lie between bounds.

    It is the sum of the values that are there, divided by their number.

    Example:
        >>> import polars as pl, truthound
        >>> rides = pl.DataFrame({"fare": [2.0, 4.0, None]})
        >>> rule = {"mean": {"column": "fare", "max": 10}}
        >>> truthound.check(rides, [rule]).checks[0].observed
        3.0
    """

    rule = "mean"

    def number(self, values: Any, ns: Any) -> Any:
        return values.mean()

    def merging(self, column: Column, where: Predicate | None) -> Merge:
        sums = self.part("float sum", column, where, _sum)
        return Merge(mean, (sums, self.part("count", column, where, _count)))


def _sum(values: Any) -> Any:
    return values.cast(pl.Float64).sum()


def _count(values: Any) -> Any:
    return values.count()
