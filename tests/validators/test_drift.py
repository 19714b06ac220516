"""The formulas behind distribution: against SciPy, and against chance itself."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import distance
from scipy.stats import chi2, norm

from truthound.validators.drift import (
    EMPTY,
    FARTHEST,
    LIMITS,
    chi_squared,
    jensen_shannon,
    ks_at,
    normal_deciles,
    psi,
    shares,
    usual_limit,
)

counts = st.lists(st.integers(0, 50), min_size=2, max_size=6).filter(any)


@given(left=counts, right=counts)
def test_jensen_shannon_is_that_of_scipy(left: list[int], right: list[int]) -> None:
    size = max(len(left), len(right))
    p = np.pad(left, (0, size - len(left))) / sum(left)
    q = np.pad(right, (0, size - len(right))) / sum(right)

    found = jensen_shannon(
        {str(n): share for n, share in enumerate(p)},
        {str(n): share for n, share in enumerate(q) if share},
    )

    assert found == pytest.approx(distance.jensenshannon(p, q, base=2), abs=1e-7)
    assert 0 <= found <= 1 + 1e-12


def test_jensen_shannon_of_nothing_in_common_is_1() -> None:
    assert jensen_shannon({"a": 1.0}, {"b": 1.0}) == 1.0
    assert jensen_shannon({"a": 1.0}, {"a": 1.0}) == 0.0


@given(left=counts, right=counts)
def test_psi_is_that_of_numpy(left: list[int], right: list[int]) -> None:
    size = min(len(left), len(right))
    e = np.array(left[:size]) / (sum(left[:size]) or 1)
    a = np.array(right[:size]) / (sum(right[:size]) or 1)

    found = psi(list(e), list(a))

    e, a = np.maximum(e, EMPTY), np.maximum(a, EMPTY)
    assert found == pytest.approx(float(np.sum((a - e) * np.log(a / e))), abs=1e-12)
    assert found >= 0


def test_psi_of_a_textbook_table() -> None:
    # (0.2 - 0.1) ln 2 + (0.3 - 0.4) ln 0.75, by hand
    assert psi([0.1, 0.4, 0.5], [0.2, 0.3, 0.5]) == pytest.approx(0.098083, abs=1e-6)


def test_shares_of_bins_from_counts_up_to_their_edges() -> None:
    assert shares([1, 3], 4) == [0.25, 0.5, 0.25]
    assert shares([0, 0], 0) == [0.0, 0.0, 0.0]
    assert ks_at([0.1, 0.5], [0.2, 0.2]) == 0.3


def test_normal_deciles_are_those_of_scipy() -> None:
    expected = norm(3, 2).ppf(np.arange(1, 10) / 10)
    assert normal_deciles(3, 2) == pytest.approx(list(expected))


@pytest.mark.parametrize("freedom", [1, 2, 9, 50, 999])
def test_chi_squared_is_near_that_of_scipy(freedom: int) -> None:
    assert chi_squared(freedom, 0.99) == pytest.approx(
        chi2.ppf(0.99, freedom), rel=0.01
    )


@pytest.mark.parametrize("method", ["psi", "ks", "js"])
def test_many_rows_leave_the_limit_as_it_is(method: str) -> None:
    assert usual_limit(method, 100_000, 100_000, 10) == LIMITS[method]
    assert usual_limit(method, 100_000, None, 10) == LIMITS[method]
    assert usual_limit(method, 2, 2, 10) == FARTHEST[method]


@pytest.mark.parametrize("method", ["psi", "ks", "js"])
@pytest.mark.parametrize("rows", [100, 200])
def test_chance_alone_seldom_passes_the_limit(method: str, rows: int) -> None:
    dice = random.Random(7)
    runs, alarms, raw = 400, 0, 0

    for _ in range(runs):
        left = [dice.random() for _ in range(rows)]
        right = [dice.random() for _ in range(rows)]
        found, bins = _measure(method, left, right)
        alarms += found > usual_limit(method, rows, rows, bins)
        raw += found > LIMITS[method]

    assert alarms <= 0.05 * runs
    assert rows > 100 or raw > 2 * alarms  # what a fixed limit would have said


def _measure(method: str, left: list[float], right: list[float]) -> tuple[float, int]:
    if method == "ks":
        points = sorted({*left, *right})
        both = [
            [sum(v <= p for v in side) / len(side) for p in points]
            for side in (left, right)
        ]
        return ks_at(*both), 0
    bins = 10 if method == "psi" else 4
    edges = sorted(left)[len(left) // bins - 1 :: len(left) // bins][: bins - 1]
    e, a = (
        shares([sum(v <= edge for v in side) for edge in edges], len(side))
        for side in (left, right)
    )
    if method == "psi":
        return psi(e, a), bins
    names = [str(n) for n in range(len(e))]
    named = [dict(zip(names, side, strict=True)) for side in (e, a)]
    return jensen_shannon(*named), bins


def test_measures_are_zero_for_what_has_not_moved() -> None:
    assert psi([0.2, 0.8], [0.2, 0.8]) == 0.0
    assert math.isclose(jensen_shannon({"a": 0.3, "b": 0.7}, {"a": 0.3, "b": 0.7}), 0)
