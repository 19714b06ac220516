"""What a column of numbers is expected to be distributed like."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from truthound.data import Column, samples
from truthound.errors import CheckError
from truthound.validators.drift import ks_at, normal_deciles

POINTS = 101  # quantiles that a baseline keeps


@dataclass(frozen=True, slots=True, order=True)
class Cut:
    """A place between two bins: values up to it come before, or only those below it."""

    value: float
    included: bool


class Expected(ABC):
    """A distribution of numbers that is expected.

    Attributes:
        rows: how many values it was made of; None if it is a formula.
    """

    rows: int | None = None

    @abstractmethod
    def bins(self) -> tuple[list[Cut], list[int], int]:
        """Return the cuts between bins, how many come before each, and how many in all.

        The cuts are the deciles. A value that is several of them is a bin of its own:
        else nobody would see it become smaller.
        """

    @abstractmethod
    def ks(self, numbers: Any) -> Any:
        """Return the expression that ``distance`` needs the value of."""

    def distance(self, measured: Any, rows: int) -> float:
        """Return the Kolmogorov-Smirnov statistic.

        Args:
            measured: the value of the expression.
            rows: how many values there were.
        """
        return float(measured)

    def key(self) -> tuple[Any, ...]:
        """Return what tells it apart from others."""
        return (id(self),)


class Normal(Expected):
    """A normal distribution."""

    def __init__(self, mean: float, std: float) -> None:
        self.mean = mean
        self.std = std

    def bins(self) -> tuple[list[Cut], list[int], int]:
        deciles = normal_deciles(self.mean, self.std)
        return [Cut(v, True) for v in deciles], list(range(1, 10)), 10

    def ks(self, numbers: Any) -> Any:
        return samples.ks_normal(numbers, self.mean, self.std)

    def key(self) -> tuple[Any, ...]:
        return (self.mean, self.std)


class Sample(Expected):
    """The values of a reference.

    Args:
        ranked: sorted, as floats, without NaN.
        name: what messages call the column.

    Raises:
        CheckError: there are none.
    """

    def __init__(self, ranked: Any, name: str) -> None:
        self.rows: int | None = len(ranked)
        self._ranked = ranked
        finite = ranked.filter(ranked.is_finite())
        if not len(finite):
            raise CheckError(f"the reference of {name!r} has no values")
        self._deciles = _deciles(
            [finite.quantile(n / 10, interpolation="linear") for n in range(11)]
        )

    def bins(self) -> tuple[list[Cut], list[int], int]:
        before = [
            self._ranked.search_sorted(cut.value, "right" if cut.included else "left")
            for cut in self._deciles
        ]
        return self._deciles, [int(count) for count in before], len(self._ranked)

    def ks(self, numbers: Any) -> Any:
        return samples.ks_two_samples(numbers, self._ranked)


class Grid(Expected):
    """What a baseline keeps: quantiles, and how many values are below and up to each.

    Between two neighbours nothing is known of the values that may lie there: a
    hundredth of them all or, where they are few, a single one. The statistic that is
    found at the quantiles themselves is exact but for that: the true one is never
    smaller, and larger by the share of those values at most.

    Args:
        known: as ``learned`` made it.
    """

    def __init__(self, known: Mapping[str, Any]) -> None:
        self.rows: int = int(known["rows"])
        quantiles, below, up_to = known["quantiles"], known["below"], known["up_to"]
        self._cuts = {
            Cut(value, included): int(count)
            for included, counts in ((False, below), (True, up_to))
            for value, count in zip(quantiles, counts, strict=True)
        }
        self._points = sorted(set(quantiles))
        self._deciles = _deciles(quantiles[:: (len(quantiles) - 1) // 10])

    def bins(self) -> tuple[list[Cut], list[int], int]:
        return self._deciles, [self._cuts[cut] for cut in self._deciles], self.rows

    def ks(self, numbers: Any) -> Any:
        return samples.counts_at(numbers, self._points)

    def distance(self, measured: Any, rows: int) -> float:
        expected = [
            self._cuts[Cut(value, included)] / self.rows
            for included in (False, True)
            for value in self._points
        ]
        return ks_at(expected, [count / rows for count in measured])


def learned(
    measured: Sequence[float | None], rows: int, mean: Any, std: Any
) -> dict[str, Any] | None:
    """Return what a baseline keeps of a column of numbers; None of one without any.

    Args:
        measured: what ``samples.grid_of`` found.
        rows: how many values there are.
        mean: of the finite ones.
        std: of the finite ones.
    """
    if measured[0] is None:
        return None
    below, up_to = measured[POINTS : 2 * POINTS], measured[2 * POINTS :]
    return {
        "rows": rows,
        "mean": mean,
        "std": std,
        "quantiles": list(measured[:POINTS]),
        "below": [int(count or 0) for count in below],
        "up_to": [int(count or 0) for count in up_to],
    }


def readable(value: float, column: Column) -> str:
    """Return a number as people write a value of the column."""
    try:
        if column.kind == "duration":
            return str(timedelta(seconds=value))
        if column.is_a("temporal"):
            moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value)
            text = moment.replace(tzinfo=None).isoformat(" ", "seconds")
            parts = {"date": text[:10], "time": text[11:]}
            return parts.get(column.kind, text)
    except OverflowError:
        pass  # beyond the years that Python knows
    return f"{value:.6g}"


def _deciles(grid: Sequence[float]) -> list[Cut]:
    """Make cuts of eleven quantiles, the ends included."""
    cuts = [Cut(value, True) for value in sorted(set(grid[1:-1]))]
    repeated = {a for a, b in pairwise(grid) if a == b}
    return sorted([*cuts, *(Cut(value, False) for value in repeated)])
