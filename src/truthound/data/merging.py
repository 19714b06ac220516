"""How a number over a whole follows from numbers over its parts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from truthound.data.expr import Metric  # noqa: TC004 - it imports this module

_DIGITS = 80  # twice as many as a decimal can have


@dataclass(frozen=True, slots=True)
class Merge:
    """How the value of a metric is made of what was measured of each part.

    Attributes:
        combine: called with one list for each metric of ``parts``, in which its values
            of all parts stand in their order; returns the value over the whole.
        parts: what is measured of each part; empty: the metric itself.
        sketch: says how far the value may be from the exact one; empty if it is exact.
    """

    combine: Callable[..., Any]
    parts: tuple[Metric, ...] = ()
    sketch: str = ""


def total(values: Iterable[Any]) -> Any:
    """Add up numbers, missing ones left out; None if all are missing."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    if isinstance(known[0], float):
        try:
            return math.fsum(known)
        except (OverflowError, ValueError):  # too large, or infinities of both signs
            return sum(known)
    if isinstance(known[0], Decimal):
        with localcontext(prec=_DIGITS):
            return sum(known)
    return sum(known)


def least(values: Iterable[Any]) -> Any:
    """Return the smallest value, NaN only if there is nothing else."""
    return min(_comparable(values), key=_rank, default=None)


def most(values: Iterable[Any]) -> Any:
    """Return the largest value, NaN only if there is nothing else."""
    return max(_comparable(values), key=_rank, default=None)


def mean(sums: Sequence[float | None], counts: Sequence[int]) -> float | None:
    """Return the mean of values of which parts have these sums and counts."""
    count = sum(counts)
    return total(sums) / count if count else None


def deviation(
    counts: Sequence[int], means: Sequence[float | None], variances: Sequence[Any]
) -> float | None:
    """Return the standard deviation of a sample from the moments of its parts.

    Two parts are merged after T. F. Chan, G. H. Golub and R. J. LeVeque, Updating
    Formulae and a Pairwise Algorithm for Computing Sample Variances (1979), formula
    2.1; see also P. Pébay, SAND2008-6212, for higher moments.

    Args:
        counts: of values that are there.
        means: of these.
        variances: of these, divided by their number (not by one less).
    """
    size, middle, squares = 0, 0.0, 0.0
    for count, part, variance in zip(counts, means, variances, strict=True):
        if not count or part is None:
            continue
        apart = part - middle
        squares += variance * count + apart * apart * size * count / (size + count)
        size += count
        middle += apart * count / size
    return math.sqrt(squares / (size - 1)) if size > 1 else None


TOTAL = Merge(total)
LEAST = Merge(least)
MOST = Merge(most)


def _comparable(values: Iterable[Any]) -> list[Any]:
    known = [value for value in values if value is not None]
    return [value for value in known if value == value] or known[:1]


def _rank(value: Any) -> Any:
    """Return what orders moments by their instant, and not by the clock on the wall."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    return value
