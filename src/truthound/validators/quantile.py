"""quantile: a quantile of a column lies between bounds."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

from truthound.data import Column, Metric, Predicate
from truthound.data.merging import Merge
from truthound.data.sketches import kll, quantile_merge
from truthound.errors import ConfigurationError
from truthound.validators.base import Finding, Question
from truthound.validators.metrics import statistic
from truthound.validators.statistic import StatisticValidator


@dataclass(kw_only=True, eq=False)
class QuantileBase(StatisticValidator):
    """Base of the rules about a quantile, whichever it is."""

    @property
    @abstractmethod
    def share(self) -> float:
        """Which quantile, 0 to 1."""

    def kind(self) -> Any:
        return ("quantile", float(self.share))

    def number(self, values: Any, ns: Any) -> Any:
        return values.quantile(self.share, interpolation="linear")

    def merging(self, column: Column, where: Predicate | None) -> Merge:
        return quantile_merge(self.part("kll", column, where, kll), self.share)

    def undefined(
        self, checked: int, column: Column, where: Predicate | None, low: Any, high: Any
    ) -> Finding | Question:
        # Polars reckons with the difference of the two neighbours, which leads to NaN
        # if the lower one is infinite. Their sum tells -inf from what is undefined.
        sides = [self._side(side, column, where) for side in ("lower", "higher")]
        return Question(
            tuple(sides),
            lambda below, above: self.verdict(
                checked, checked, below + above, 0, low, high
            ),
        )

    def _side(self, side: str, column: Column, where: Predicate | None) -> Metric:
        return statistic(
            (side, float(self.share)),
            column.name,
            lambda values, ns: values.quantile(self.share, interpolation=side),
            where,
            portable=False,
        )


@dataclass(kw_only=True, eq=False)
class QuantileValidator(QuantileBase):
    """A quantile of a column must lie between bounds.

    Of n sorted values it stands at position ``q * (n - 1)``, counted from 0; between
    two values it is interpolated linearly (type 7 of R. J. Hyndman and Y. Fan, Sample
    quantiles in statistical packages, 1996).

    Args:
        q: which one, 0 to 1; 0.5 is the median, 0.99 the 99th percentile.

    Example:
        >>> import polars as pl, truthound
        >>> rides = pl.DataFrame({"fare": [1.0, 2.0, 3.0]})
        >>> rule = {"quantile": {"column": "fare", "q": 0.75, "max": 2}}
        >>> truthound.check(rides, [rule]).checks[0].observed
        2.5
    """

    rule = "quantile"

    q: float = 0.5

    @property
    def share(self) -> float:
        return self.q

    def check_options(self) -> None:
        super().check_options()
        q = self.q
        if not isinstance(q, (int, float)) or isinstance(q, bool) or not 0 <= q <= 1:
            raise ConfigurationError(f"q is a number from 0 to 1, not {q!r}")
