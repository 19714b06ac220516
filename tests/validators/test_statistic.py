"""mean, median, std, sum, quantile, min, max: as the standard library reckons them."""

from __future__ import annotations

import datetime as dt
import math
import statistics
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import truthound
from engines import ENGINES, as_engine
from naive import NAMES, columns_of
from truthound.errors import ConfigurationError
from truthound.validators import CheckResult, Severity

RULES = ("mean", "median", "std", "sum", "quantile", "min", "max")
Q = 0.3


def quantile(values: list[Any], q: float) -> float:
    ranked = sorted(float(value) for value in values)
    place = q * (len(ranked) - 1)
    below = math.floor(place)
    if below == place or ranked[below] == ranked[below + 1]:
        return float(ranked[below])
    part = place - below
    return (1 - part) * ranked[below] + part * ranked[below + 1]


def naive(rule: str, values: list[Any]) -> Any:
    """Return the number, NaN where it is undefined and None where there is none."""
    values = [value for value in values if value is not None]
    if not values or (rule == "std" and len(values) < 2):
        return None
    if any(math.isnan(value) for value in values):
        return math.nan
    infinite = [v for v in values if math.isinf(v)]
    if rule in {"mean", "sum"} and infinite:
        return sum(infinite)
    if rule == "std" and infinite:
        return math.nan
    return {
        "mean": statistics.mean,
        "median": lambda vs: quantile(vs, 0.5),
        "std": statistics.stdev,
        "sum": math.fsum if isinstance(values[0], float) else sum,
        "quantile": lambda vs: quantile(vs, Q),
        "min": min,
        "max": max,
    }[rule](values)


def options(rule: str, **more: Any) -> dict[str, Any]:
    return {rule: {"column": "x", **({"q": Q} if rule == "quantile" else {}), **more}}


def check(data: Any, rule: str, **more: Any) -> CheckResult:
    return truthound.check(data, [options(rule, **more)], allow_empty=True).checks[0]


def close(seen: Any, expected: Any) -> bool:
    return math.isclose(float(seen), float(expected), rel_tol=1e-9, abs_tol=1e-9)


integers = st.integers(-1000, 1000)
floats = st.floats(-1e6, 1e6, width=32).map(lambda v: round(v, 3)) | st.sampled_from(
    [math.nan, math.inf, -math.inf, 0.0, -0.0]
)
finite = st.floats(-1e6, 1e6, allow_nan=False).map(lambda v: round(v, 3))
cents = st.decimals(-1000, 1000, places=2, allow_nan=False, allow_infinity=False)
KINDS = [
    ("int64", integers, pl.Int64),
    ("int32", integers, pl.Int32),
    ("float", floats, pl.Float64),
    ("finite", finite, pl.Float64),
    ("decimal", cents, pl.Decimal(12, 2)),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("strategy", "dtype"), [kind[1:] for kind in KINDS], ids=[k[0] for k in KINDS]
)
@given(data=st.data(), low=st.integers(-500, 500), span=st.integers(0, 500))
def test_numbers_and_verdicts_are_those_of_a_loop(
    engine: str, strategy: Any, dtype: Any, data: Any, low: int, span: int
) -> None:
    values = data.draw(columns_of(strategy))
    frame = pl.DataFrame({"x": pl.Series(values, dtype=dtype)})
    rules = [options(rule, min=low, max=low + span) for rule in RULES]

    run = truthound.check(as_engine(engine, frame), rules, allow_empty=True)

    for found in run.checks:
        expected = naive(found.validator, values)
        assert found.error is None
        assert (found.checked, found.failed) == (len(values) - values.count(None), 0)
        if not values:
            assert (found.success, found.message) == (True, "no rows")
        elif expected is None or math.isnan(expected):
            assert not found.success
            assert found.observed in {None, "NaN"}
            nans = sum(math.isnan(v) for v in values if v is not None)
            assert found.details == ({"nan": nans} if nans else {})
        else:
            assert found.observed == expected or close(found.observed, expected)
            edge = min(abs(float(expected) - low), abs(float(expected) - low - span))
            if edge > 1e-6 or found.validator in {"min", "max"}:
                assert found.success is (low <= expected <= low + span)
        if not found.success:
            assert found.severity == Severity.CRITICAL
            assert found.message.startswith("expected ")


rows_of = st.lists(
    st.tuples(st.none() | integers, st.integers(0, 1), st.sampled_from(["a", None])),
    max_size=12,
)


@pytest.mark.parametrize("engine", ENGINES)
@given(rows=rows_of, limit=integers)
def test_where_and_by_judge_parts_of_the_rows(
    engine: str, rows: list[Any], limit: int
) -> None:
    schema = {"x": pl.Int64, "flag": pl.Int64, "group": pl.String}
    data = as_engine(engine, pl.DataFrame(rows, schema=schema, orient="row"))
    where = "flag = 1"
    filtered = [options(rule, max=limit, where=where) for rule in RULES]
    grouped = [options(rule, max=limit, by="group") for rule in RULES]
    both = [options(rule, max=limit, where=where, by="group") for rule in RULES]

    run = truthound.check(data, filtered + grouped + both, allow_empty=True)

    flagged = [row for row in rows if row[1] == 1]
    for found in run.checks[: len(RULES)]:
        _agrees(found.validator, found, found.success, flagged)
    for n, by in enumerate(run.checks[len(RULES) :]):
        judged = rows if n < len(RULES) else flagged
        assert {group.group["group"] for group in by.groups} == {r[2] for r in rows}
        for group in by.groups:
            part = [row for row in judged if row[2] == group.group["group"]]
            _agrees(by.validator, group, group.passed, part)
        assert by.success is all(group.passed for group in by.groups)


def _agrees(rule: str, found: Any, passed: bool, rows: list[Any]) -> None:
    values = [row[0] for row in rows]
    number = naive(rule, values)
    assert found.checked == sum(value is not None for value in values)
    if number is None:
        assert passed is (not rows)
    else:
        assert close(found.observed, number)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", [name for name in NAMES if name])
def test_odd_column_names(engine: str, name: str) -> None:
    data = as_engine(engine, pl.DataFrame({name: [1.0, 3.0], "z": [0.0, 0.0]}))
    specs = [{rule: {"column": name, "min": 0}} for rule in RULES]

    run = truthound.check(data, specs)

    seen = [check.observed for check in run.checks]
    assert seen == [2.0, 2.0, pytest.approx(2**0.5), 4.0, 2.0, 1.0, 3.0]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("dtype", "value"),
    [(pl.Int32, 2**31 - 1), (pl.Int64, 2**62), (pl.UInt64, 2**63), (pl.Int8, 127)],
)
def test_sum_does_not_go_round(engine: str, dtype: Any, value: int) -> None:
    frame = pl.DataFrame({"x": pl.Series([value] * 4, dtype=dtype)})

    found = check(as_engine(engine, frame), "sum", equals=4 * value)

    assert found.success
    assert found.observed == 4 * value


@pytest.mark.parametrize("engine", ENGINES)
def test_sum_of_small_floats_and_decimals_is_not_coarse(engine: str) -> None:
    coarse = pl.DataFrame({"x": pl.Series([16_777_216.0, 1.0, 1.0], dtype=pl.Float32)})
    exact = pl.DataFrame(
        {"x": pl.Series([Decimal("0.10")] * 3, dtype=pl.Decimal(5, 2))}
    )

    assert check(as_engine(engine, coarse), "sum", equals=16_777_218).success
    assert check(as_engine(engine, exact), "sum", equals=0.3).success
    assert check(as_engine(engine, exact), "sum", equals=Decimal("0.3")).success
    assert not check(as_engine(engine, exact), "sum", min=0.3001).success


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        (
            [dt.date(2026, 1, 5), None, dt.date(2025, 1, 1)],
            "2025-01-01",
            dt.date(2026, 1, 5),
        ),
        (
            [dt.datetime(2026, 1, 5, 3), dt.datetime(2025, 1, 1)],
            "2025-01-01",
            "2026-01-05T03:00",
        ),
        (
            [dt.datetime(2026, 1, 5, tzinfo=dt.UTC)],
            "2026-01-05",
            "2026-01-05T01:00+01:00",
        ),
        ([dt.time(8, 30), dt.time(17)], "08:30", "17:00"),
        ([dt.timedelta(minutes=1), dt.timedelta(hours=1)], 60, 3600),
        ([Decimal("0.10"), Decimal("2.30")], 0.1, 2.3),
    ],
    ids=["date", "datetime", "zoned", "time", "duration", "decimal"],
)
def test_min_and_max_in_the_type_of_the_column(
    engine: str, values: list[Any], low: Any, high: Any
) -> None:
    if engine == "duckdb" and isinstance(values[0], (dt.time, dt.timedelta)):
        return  # Narwhals does not know the one, Polars cannot take in the other
    data = as_engine(engine, pl.DataFrame({"x": values}))
    present = [value for value in values if value is not None]

    least, most = check(data, "min", equals=low), check(data, "max", max=high)

    assert (least.error, most.error) == (None, None)
    assert (least.observed, most.observed) == (min(present), max(present))
    assert least.success
    assert most.success
    assert not check(data, "min", max=low, min=low, where="FALSE").checked
    assert check(data, "max", min=high).success


def test_bound_of_a_32_bit_column_is_rounded_as_its_values_are() -> None:
    frame = pl.DataFrame({"x": pl.Series([0.1], dtype=pl.Float32)})
    assert check(frame, "max", max=0.1).success
    assert check(frame, "min", equals=0.1).success
    assert not check(frame, "max", max=0.0999).success
    assert check(frame, "max", max=1e300).success


def test_tolerance_is_in_the_unit_of_the_column() -> None:
    frame = pl.DataFrame(
        {"x": [1.0, 2.0], "d": [dt.date(2026, 1, 1), dt.date(2026, 1, 10)]}
    )
    mean = {"mean": {"column": "x", "equals": 1.6, "tolerance": 0.1}}
    day = {"max": {"column": "d", "equals": "2026-01-08", "tolerance": 2 * 86_400}}
    far = {"max": {"column": "d", "equals": "2026-01-07", "tolerance": 2 * 86_400}}

    run = truthound.check(frame, [mean, day, far])

    assert [check.success for check in run.checks] == [True, True, False]
    assert run.checks[0].expected == "1.6 ± 0.1"
    assert run.checks[2].message == "expected 2026-01-07 ± 172800; 2026-01-10"


def test_equals_forgives_rounding_but_no_more() -> None:
    frame = pl.DataFrame({"x": [0.1] * 3})
    assert check(frame, "sum", equals=0.3).success  # 0.30000000000000004
    assert not check(frame, "sum", equals=0.300001).success
    assert not check({"x": [10**12]}, "sum", equals=10**12 + 1).success


@pytest.mark.parametrize("engine", ENGINES)
def test_equal_numbers_are_computed_once(engine: str) -> None:
    from truthound.data import open_source
    from truthound.validators import Plan
    from truthound.validators.base import Scope
    from truthound.validators.registry import build_all

    rules = [
        {"range": {"column": "x", "min": 0}},
        {"min": {"column": "x", "min": 0}},
        {"max": {"column": "x", "max": 9}},
        {"median": {"column": "x", "max": 9}},
        {"quantile": {"column": "x", "q": 0.5, "max": 9}},
    ]
    table = open_source(as_engine(engine, pl.DataFrame({"x": [1, 2]})))
    plan = Plan(build_all(rules), Scope(table.schema))

    # rows, nulls, failing rows of range, min, max, median
    assert "6 of them different" in plan.explain()


@pytest.mark.parametrize(
    ("rule", "values", "message"),
    [
        ("mean", [None, None], "expected at least 0; no values"),
        ("sum", [None], "expected at least 0; no values"),
        ("std", [1.0], "expected at least 0; too few values"),
        ("mean", [1.0, math.nan], "expected at least 0; 1 of 2 values is NaN"),
        ("min", [math.nan] * 2, "expected at least 0; 2 of 2 values are NaN"),
        ("std", [1.0, math.inf], "expected at least 0; undefined, as values are infin"),
        ("mean", [math.inf], "expected at least 0; inf"),
        ("mean", [-1.0], "expected at least 0; -1.0"),
    ],
)
def test_message_says_why(rule: str, values: list[Any], message: str) -> None:
    frame = pl.DataFrame({"x": pl.Series(values, dtype=pl.Float64)})
    assert check(frame, rule, min=0).message.startswith(message)


def test_group_without_values_fails_alone() -> None:
    frame = pl.DataFrame({"x": [1.0, None], "g": ["a", "b"]})

    found = check(frame, "mean", min=0, by="g", severity="low")

    assert [group.group["g"] for group in found.groups if not group.passed] == ["b"]
    assert found.severity == "low"


@pytest.mark.parametrize(
    ("rule", "more", "said"),
    [
        ("mean", {}, "mean needs min, max or both, or equals"),
        ("mean", {"min": 1, "equals": 1}, "mean needs min, max or both, or equals"),
        ("mean", {"min": 2, "max": 1}, r"min \(2\) is larger than max \(1\)"),
        ("mean", {"min": "2026-01-01"}, "min of mean is a number"),
        ("mean", {"max": math.nan}, "max of mean is a number"),
        ("mean", {"max": True}, "mean.max: Expected"),
        ("min", {"max": math.nan}, "max of min is a number"),
        ("sum", {"min": 1, "tolerance": 1}, "tolerance goes together with equals"),
        ("sum", {"equals": 1, "tolerance": -1}, "tolerance is a number from 0"),
        ("sum", {"equals": 1, "mostly": 0.5}, "mostly does not apply to sum"),
        ("quantile", {"max": 1, "q": 1.5}, "q is a number from 0 to 1"),
        ("quantile", {"max": 1, "q": math.nan}, "q is a number from 0 to 1"),
    ],
)
def test_faulty_options_are_refused(rule: str, more: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        check({"x": [1]}, rule, **more)


@pytest.mark.parametrize(
    ("rule", "values", "more", "said"),
    [
        ("mean", ["a"], {"min": 1}, "mean judges numeric columns, but 'x' is string"),
        ("max", ["a"], {"min": "a"}, "max judges numeric or temporal columns"),
        ("max", [dt.date(2026, 1, 1)], {"min": "soon"}, "expected a date"),
        (
            "max",
            [dt.date(2026, 1, 1)],
            {"min": "2026-02-01", "max": "2026-01-01"},
            "larg",
        ),
        ("max", [dt.time(8)], {"equals": "08:00", "tolerance": 9}, "time of day"),
        ("max", [1], {"min": "1"}, "expected a number"),
    ],
)
def test_what_does_not_fit_the_column_is_an_error_of_the_check(
    rule: str, values: list[Any], more: Any, said: str
) -> None:
    found = check({"x": values}, rule, **more)
    assert found.status == "error"
    assert said in (found.error or "")
