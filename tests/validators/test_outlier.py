"""outlier: counted as a loop over the values counts, and as SciPy measures."""

from __future__ import annotations

import math
import statistics
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import iqr, median_abs_deviation

import truthound
from engines import ENGINES, as_engine
from judging import FLAG, GROUP, tables
from truthound.errors import ConfigurationError
from truthound.validators import CheckResult

METHODS = ("iqr", "zscore", "mad")
USUAL = {"iqr": 1.5, "zscore": 3.0, "mad": 3.5}


def quantile(values: list[float], q: float) -> float:
    ranked = sorted(values)
    place = q * (len(ranked) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] + (place - below) * (ranked[above] - ranked[below])


def limits(method: str, k: float, values: list[Any]) -> tuple[float, float] | None:
    usual = [float(v) for v in values if v is not None and math.isfinite(v)]
    if not usual or (method == "zscore" and len(usual) < 2):
        return None
    if method == "iqr":
        q1, q3 = quantile(usual, 0.25), quantile(usual, 0.75)
        return q1 - k * (q3 - q1), q3 + k * (q3 - q1)
    if method == "zscore":
        middle, reach = statistics.mean(usual), k * statistics.stdev(usual)
    else:
        middle = statistics.median(usual)
        distances = [abs(value - middle) for value in usual]
        mad = statistics.median(distances)
        reach = k * mad / 0.6745
        if not mad:
            reach = k * statistics.mean(distances) * math.sqrt(math.pi / 2)
    return middle - reach, middle + reach


def verdicts(method: str, k: float, values: list[Any]) -> list[bool | None]:
    """Say of each value whether it is inside; None of what is not judged."""
    found = limits(method, k, values)
    judged = [value is not None and not math.isnan(value) for value in values]
    if found is None:
        return [True if there else None for there in judged]
    low, high = found
    near = 1e-9 * max(1.0, abs(low), abs(high))
    return [
        low - near <= value <= high + near if there else None
        for value, there in zip(values, judged, strict=True)
    ]


def check(data: Any, **options: Any) -> CheckResult:
    spec = {"outlier": {"column": "x", **options}}
    return truthound.check(data, [spec], allow_empty=True).checks[0]


numbers = st.integers(-9, 9) | st.sampled_from([50, 1000, -400])
floats = numbers.map(float) | st.sampled_from([math.nan, math.inf, -math.inf, 0.1])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("strategy", "dtype"),
    [(numbers, pl.Int64), (floats, pl.Float64)],
    ids=["int", "float"],
)
@given(data=st.data(), k=st.sampled_from([None, 0.5, 1.0, 2.0]))
def test_counts_are_those_of_a_loop(
    engine: str, method: str, strategy: Any, dtype: Any, data: Any, k: float | None
) -> None:
    frame = data.draw(tables(x=(strategy, dtype)))
    rows = frame.to_dicts()
    options = {"method": method, "mostly": 0.7, "k": k}
    limit = USUAL[method] if k is None else k
    table = as_engine(engine, frame)
    rules = [
        {"outlier": {"column": "x", **options, **more}}
        for more in ({}, {"where": f"{FLAG} = 1"}, {"by": GROUP})
    ]

    run = truthound.check(table, rules, allow_empty=True)

    assert [check.error for check in run.checks] == [None] * 3
    plain, where, by = run.checks
    for found, part in ((plain, rows), (where, [r for r in rows if r[FLAG] == 1])):
        expected = verdicts(method, limit, [row["x"] for row in part])
        _agrees(found, expected)
        assert len(found.examples) == (0 if found.success else min(5, found.failed))
    failing = 0
    for group in by.groups:
        part = [row for row in rows if row[GROUP] == group.group[GROUP]]
        expected = verdicts(method, limit, [row["x"] for row in part])
        _agrees(group, expected)
        failing += group.failed
    assert len(by.groups) == len({row[GROUP] for row in rows})
    assert len(by.examples) == (0 if by.success else min(5, failing))
    if not plain.success and engine != "duckdb":
        expected = verdicts(method, limit, [row["x"] for row in rows])
        places = [n for n, verdict in enumerate(expected, 1) if verdict is False]
        assert [example["row"] for example in plain.examples] == places[:5]


def _agrees(found: Any, expected: list[bool | None]) -> None:
    judged = [verdict for verdict in expected if verdict is not None]
    assert (found.checked, found.failed) == (len(judged), judged.count(False))


@given(values=st.lists(st.integers(-50, 50), min_size=5, max_size=40))
def test_limits_are_those_of_scipy(values: list[int]) -> None:
    mad = median_abs_deviation(values)
    found = check({"x": values}, method="mad", k=2)
    if mad:
        reach = 2 * mad / 0.6745
        middle = statistics.median(values)
        assert found.details["low"] == pytest.approx(middle - reach)
        assert found.details["high"] == pytest.approx(middle + reach)
    found = check({"x": values})
    reach = iqr(values)
    assert found.details["high"] - found.details["low"] == pytest.approx(4 * reach)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [0.1, 1e17 / 3, -7e-9])
def test_equal_values_are_no_outliers(method: str, value: float) -> None:
    found = check({"x": [value] * 1_001}, method=method)
    assert found.success
    assert found.failed == 0


def test_mean_deviation_stands_in_where_most_values_are_equal() -> None:
    values = [0] * 60 + [1, 2] * 19 + [500, 600]
    assert check({"x": values}, method="mad").failed == 2
    assert check({"x": [0] * 9 + [1]}, method="mad").failed == 1


def test_quartiles_that_are_equal_leave_no_room() -> None:
    found = check({"x": [0] * 80 + [1] * 20})
    assert (found.failed, found.details) == (20, {"low": 0.0, "high": 0.0})


def test_nan_is_counted_apart_and_infinity_is_far() -> None:
    found = check({"x": [1.0, 2.0, 3.0, math.nan, None, math.inf]})
    assert (found.checked, found.failed) == (4, 1)
    assert found.details["nan"] == 1
    assert found.observed == "the limits are 0 to 4"
    assert found.message == (
        "expected no outliers (iqr, k = 1.5); the limits are 0 to 4"
    )


@pytest.mark.parametrize("values", [[], [None], [math.nan], [math.inf]])
def test_nothing_to_measure_by_is_no_outlier(values: list[Any]) -> None:
    frame = pl.DataFrame({"x": pl.Series(values, dtype=pl.Float64)})
    for method in METHODS:
        found = check(frame, method=method)
        assert found.success
        assert found.observed == "too few values"


def test_decimals_and_small_floats() -> None:
    decimals = pl.DataFrame({"x": [Decimal("0.10")] * 9 + [Decimal("9.50")]})
    small = pl.DataFrame({"x": pl.Series([0.1] * 9 + [9.5], dtype=pl.Float32)})
    for frame in (decimals, small):
        assert check(frame).failed == 1
        assert check(frame, method="mad").failed == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_odd_names(engine: str) -> None:
    frame = pl.DataFrame({"a*": [1, 1, 2, 2, 99], "^x$": ["g"] * 5})
    rule = {"outlier": {"column": "a*", "by": "^x$"}}
    assert truthound.check(as_engine(engine, frame), [rule]).checks[0].failed == 1


def test_numbers_are_shared_with_other_rules() -> None:
    rules = [
        {"outlier": {"column": "x"}},
        {"quantile": {"column": "x", "q": 0.25, "min": 0}},
        {"quantile": {"column": "x", "q": 0.75, "min": 0}},
    ]
    from truthound.validators.registry import build_all
    from truthound.validators.validation import Validation

    plan = Validation(validators=build_all(rules)).plan({"x": [1, 2]})
    # rows, nulls, two quartiles, the smallest and the largest
    assert "6 of them different" in plan.explain()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "iqrr"}, "method is iqr, zscore, mad, not 'iqrr', did you mean"),
        ({"k": 0}, "k is a number above 0"),
        ({"k": math.inf}, "k is a number above 0"),
    ],
)
def test_faulty_options_are_refused(options: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        check({"x": [1]}, **options)


def test_text_has_no_outliers() -> None:
    assert "judges numeric columns" in str(check({"x": ["a"]}).error)
