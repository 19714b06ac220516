"""What earlier runs have seen of a column, taken together."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from truthound.validators.comparisons import shares_of
from truthound.validators.expected import POINTS


def pooled_grids(grids: Sequence[Sequence[Any]]) -> dict[str, Any] | None:
    """Return one grid of several, as if all of their values were of one run.

    Between two quantiles of a run its values are taken to lie evenly.

    Args:
        grids: as ``samples.grid_of`` found them: the quantiles, and how many values are
            below and up to each.

    Returns:
        What ``Grid`` takes; None if there are no values at all.
    """
    runs = [_Run(grid) for grid in grids if grid and grid[0] is not None]
    rows = sum(run.rows for run in runs)
    if not rows:
        return None
    weighted = sorted((q, run.rows / POINTS) for run in runs for q in run.quantiles)
    points, passed, place = [], 0.0, 0
    for n in range(POINTS):
        wanted = rows * n / (POINTS - 1)
        while place < len(weighted) - 1 and passed + weighted[place][1] < wanted:
            passed += weighted[place][1]
            place += 1
        points.append(weighted[place][0])
    points[0], points[-1] = weighted[0][0], weighted[-1][0]
    return {
        "rows": rows,
        "quantiles": points,
        "below": [round(sum(run.below(p) for run in runs)) for p in points],
        "up_to": [round(sum(run.up_to(p) for run in runs)) for p in points],
    }


class _Run:
    """The grid of one run."""

    def __init__(self, grid: Sequence[Any]) -> None:
        self.quantiles = [float(value) for value in grid[:POINTS]]
        self._below = [float(n or 0) for n in grid[POINTS : 2 * POINTS]]
        self._up_to = [float(n or 0) for n in grid[2 * POINTS :]]
        self.rows = int(self._up_to[-1])

    def below(self, value: float) -> float:
        """Return how many values are smaller."""
        place = bisect_left(self.quantiles, value)
        if place < POINTS and self.quantiles[place] == value:
            return self._below[place]
        return self._between(place, value)

    def up_to(self, value: float) -> float:
        """Return how many values are not larger."""
        place = bisect_right(self.quantiles, value)
        if place and self.quantiles[place - 1] == value:
            return self._up_to[place - 1]
        return self._between(place, value)

    def _between(self, place: int, value: float) -> float:
        if place == 0:
            return 0.0
        if place == POINTS:
            return float(self.rows)
        low, high = self.quantiles[place - 1], self.quantiles[place]
        begin, end = self._up_to[place - 1], self._below[place]
        if not high - low < float("inf"):
            return begin
        return begin + max(0.0, end - begin) * (value - low) / (high - low)


def pooled_shares(
    runs: Sequence[Sequence[Mapping[str, Any]]],
) -> dict[str, Any] | None:
    """Return the shares of categories in several runs; None if there are no values.

    Args:
        runs: of each, its categories with their counts.
    """
    counts: Counter[str] = Counter()
    for run in runs:
        for entry in run:
            counts[entry["value"]] += int(entry["count"])
    rows = counts.total()
    return shares_of(counts.most_common(), rows) if rows else None
