"""median: the median of a column lies between bounds."""

from __future__ import annotations

from dataclasses import dataclass

from truthound.validators.quantile import QuantileBase


@dataclass(kw_only=True, eq=False)
class MedianValidator(QuantileBase):
    """The median of a column must lie between bounds.

    Of an even number of values it is the mean of the two in the middle. It is the
    same number as the quantile with ``q`` of 0.5, and computed once with it.

    Example:
        >>> import polars as pl, truthound
        >>> rides = pl.DataFrame({"fare": [1.0, 2.0, 4.0, 90.0]})
        >>> rule = {"median": {"column": "fare", "max": 10}}
        >>> truthound.check(rides, [rule]).checks[0].observed
        3.0
    """

    rule = "median"

    @property
    def share(self) -> float:
        return 0.5
