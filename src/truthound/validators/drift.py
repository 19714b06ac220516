"""Measures of how far a distribution has moved, as formulas over shares and counts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist

# Share that stands for an empty bin, whose logarithm would be infinite.
EMPTY = 1e-4

# The largest value of a measure that is allowed if nothing else is said. 0.25 is the
# usual limit of the PSI; a Kolmogorov-Smirnov statistic of 0.1 says that ten percent of
# the rows have moved past some value, and a Jensen-Shannon distance of 0.1 is what it
# makes if about a tenth of the rows move from one of two categories to the other.
LIMITS = {"psi": 0.25, "ks": 0.1, "js": 0.1}
# Where there are few rows, chance alone makes more than that. The limit is then what
# chance exceeds in one of a hundred runs, but no more than this, which is far.
FARTHEST = {"psi": 2.0, "ks": 0.5, "js": 0.5}
CHANCE = 0.01


def psi(expected: Sequence[float], actual: Sequence[float]) -> float:
    """Return the population stability index of two lists of shares.

    ``sum((a - e) * ln(a / e))`` over the bins, with a share below 0.0001 as 0.0001. By
    custom (N. Siddiqi, Credit Risk Scorecards, 2006) up to 0.1 is stable, 0.25 and more
    a shift.
    """
    return math.fsum(psi_part(e, a) for e, a in zip(expected, actual, strict=True))


def psi_part(expected: float, actual: float) -> float:
    """Return what one bin adds to the population stability index."""
    e, a = max(expected, EMPTY), max(actual, EMPTY)
    return (a - e) * math.log(a / e)


def jensen_shannon(left: Mapping[str, float], right: Mapping[str, float]) -> float:
    """Return the Jensen-Shannon distance of two mappings of shares, 0 to 1.

    The square root of the mean Kullback-Leibler divergence, to base 2, of both from
    their mean (J. Lin, Divergence measures based on the Shannon entropy, 1991).
    """
    parts = []
    for key in {*left, *right}:
        p, q = left.get(key, 0.0), right.get(key, 0.0)
        mean = (p + q) / 2
        parts += [x * math.log2(x / mean) / 2 for x in (p, q) if x > 0]
    return math.sqrt(max(math.fsum(parts), 0.0))


def ks_at(expected: Sequence[float], actual: Sequence[float]) -> float:
    """Return the largest difference of two cumulative distributions at some points.

    The Kolmogorov-Smirnov statistic is the largest anywhere, and so not smaller.
    """
    pairs = zip(expected, actual, strict=True)
    return max((abs(e - a) for e, a in pairs), default=0.0)


def usual_limit(method: str, rows: int, expected_rows: int | None, bins: int) -> float:
    """Return the largest value of a measure that is no reason for alarm.

    Let two samples of n and m rows be of one distribution, and ``s = 1/n + 1/m``. Then
    ``PSI / s`` is distributed like chi squared with ``bins - 1`` degrees of freedom (B.
    Yurdakul, Statistical properties of population stability index, 2018), and so is
    ``8 ln(2) * JS**2 / s``; a Kolmogorov-Smirnov statistic exceeds ``sqrt(-s * ln(p/2)
    / 2)`` with probability p (N. V. Smirnov, 1948).

    Args:
        method: psi, ks or js.
        rows: how many were looked at.
        expected_rows: how many what is expected was made of; None for a formula.
        bins: of PSI, or categories, in which there is anything.
    """
    if not rows:
        return LIMITS[method]
    scale = 1 / rows + (1 / expected_rows if expected_rows else 0)
    if method == "ks":
        chance = math.sqrt(-math.log(CHANCE / 2) / 2 * scale)
    else:
        chance = chi_squared(max(bins - 1, 1), 1 - CHANCE) * scale
        if method == "js":
            chance = math.sqrt(chance / (8 * math.log(2)))
    return min(max(LIMITS[method], chance), FARTHEST[method])


def chi_squared(freedom: int, share: float) -> float:
    """Return a quantile of the chi squared distribution.

    By the formula of E. B. Wilson and M. M. Hilferty (1931), within 2 % for the upper
    hundredth.
    """
    part = 2 / (9 * freedom)
    root = 1 - part + NormalDist().inv_cdf(share) * math.sqrt(part)
    return freedom * max(root, 0.0) ** 3


def shares(cumulative: Sequence[float], total: float) -> list[float]:
    """Return the share of each bin from the counts up to each edge.

    There is one bin more than edges: the last one is above all of them.
    """
    before, found = 0.0, []
    for count in (*cumulative, total):
        found.append((count - before) / total if total else 0.0)
        before = count
    return found


def normal_deciles(mean: float, std: float) -> list[float]:
    """Return the nine values between which a normal has a tenth of its share."""
    normal = NormalDist(mean, std)
    return [normal.inv_cdf(n / 10) for n in range(1, 10)]
