"""std: the standard deviation of a column lies between bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from truthound.data import Column, Predicate
from truthound.data.merging import Merge, deviation
from truthound.validators.statistic import StatisticValidator


@dataclass(kw_only=True, eq=False)
class StdValidator(StatisticValidator):
    """The standard deviation of a column must lie between bounds.

    It is that of a sample, ``sqrt(sum((x - mean)**2) / (n - 1))``, so that a single
    value has none, and fails.

    Example:
        >>> import polars as pl, truthound
        >>> rides = pl.DataFrame({"fare": [2.0, 4.0]})
        >>> rule = {"std": {"column": "fare", "max": 10}}
        >>> truthound.check(rides, [rule]).checks[0].observed
        1.4142135623730951
    """

    rule = "std"

    def number(self, values: Any, ns: Any) -> Any:
        return values.std()

    def merging(self, column: Column, where: Predicate | None) -> Merge:
        moments = (
            self.part("count", column, where, lambda values: values.count()),
            self.part("float mean", column, where, lambda values: values.mean()),
            self.part("variance", column, where, lambda values: values.var(ddof=0)),
        )
        return Merge(deviation, moments)
