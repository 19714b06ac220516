"""sum: the sum of a column lies between bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from truthound.data import Column, Predicate
from truthound.data.merging import TOTAL, Merge
from truthound.validators.statistic import StatisticValidator

# Of these, a sum may not fit into 64 bits.
_WIDE = frozenset({"int64", "uint64", "int128", "uint128"})


@dataclass(kw_only=True, eq=False)
class SumValidator(StatisticValidator):
    """The sum of a column must lie between bounds.

    Integers and decimals are added up exactly, also beyond 64 bits. A column without
    any value has no sum, and fails.

    Example:
        >>> import polars as pl, truthound
        >>> rides = pl.DataFrame({"fare": [2.0, 4.0, None]})
        >>> rule = {"sum": {"column": "fare", "min": 6}}
        >>> truthound.check(rides, [rule]).checks[0].observed
        6.0
    """

    rule = "sum"

    def prepared(self, values: Any, column: Column, ns: Any) -> Any:
        if column.kind == "decimal":
            return values
        if column.kind != "integer" or ns.__name__ != "polars":
            return super().prepared(values, column, ns)
        # Polars adds up in the column's own type, and goes round at its end.
        return values.cast(ns.Int128 if column.dtype in _WIDE else ns.Int64)

    def number(self, values: Any, ns: Any) -> Any:
        return values.sum()

    def merging(self, column: Column, where: Predicate | None) -> Merge:
        return TOTAL
