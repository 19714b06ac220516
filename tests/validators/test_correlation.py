"""correlation: as SciPy has it, on every engine."""

from __future__ import annotations

import math
import warnings
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr

import truthound
from engines import ENGINES, as_engine
from judging import FLAG, GROUP, tables
from truthound.errors import ConfigurationError
from truthound.validators import CheckResult, Severity

METHODS = {"pearson": pearsonr, "spearman": spearmanr}


def check(data: Any, **options: Any) -> CheckResult:
    spec = {"correlation": {"column": "x", "other": "y", "min": 0, **options}}
    return truthound.check(data, [spec], allow_empty=True).checks[0]


def naive(method: str, rows: list[dict[str, Any]]) -> tuple[int, float | None]:
    """Return how many pairs there are, and their correlation."""
    pairs = [
        (r["x"], r["y"]) for r in rows if r["x"] is not None and r["y"] is not None
    ]
    if len(pairs) < 2 or any(math.isnan(value) for pair in pairs for value in pair):
        return len(pairs), None
    left, right = zip(*pairs, strict=True)
    if len(set(left)) == 1 or len(set(right)) == 1:
        return len(pairs), None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a p-value, or of infinities
        found = float(METHODS[method](left, right)[0])
    return len(pairs), None if math.isnan(found) else found


def agrees(found: Any, passed: bool, rows: list[dict[str, Any]], method: str) -> None:
    pairs, expected = naive(method, rows)
    assert found.checked == pairs
    if expected is None:
        assert passed is (not rows)
    else:
        assert found.observed == pytest.approx(expected, abs=1e-9)
        if abs(expected) > 1e-9:
            assert passed is (expected >= 0)


values = st.integers(-9, 9)
floats = values.map(float) | st.sampled_from([math.nan, math.inf, 0.1])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kinds", ["integers", "mixed"])
@given(data=st.data())
def test_correlation_is_that_of_scipy(
    engine: str, method: str, kinds: str, data: Any
) -> None:
    other = (values, pl.Int64) if kinds == "integers" else (floats, pl.Float64)
    frame = data.draw(tables(x=(values, pl.Int64), y=other))
    table, rows = as_engine(engine, frame), frame.to_dicts()

    plain = check(table, method=method)
    where = check(table, method=method, where=f"{FLAG} = 1")
    by = check(table, method=method, by=GROUP)

    assert (plain.error, where.error, by.error) == (None, None, None)
    agrees(plain, plain.success, rows, method)
    agrees(where, where.success, [row for row in rows if row[FLAG] == 1], method)
    assert {group.group[GROUP] for group in by.groups} == {row[GROUP] for row in rows}
    for group in by.groups:
        part = [row for row in rows if row[GROUP] == group.group[GROUP]]
        agrees(group, group.passed, part, method)


@pytest.mark.parametrize(
    ("x", "y", "method", "why"),
    [
        ([0.1, 0.1, 0.1], [1, 2, 3], "pearson", "none, as a column is constant"),
        ([1e8, 1e8, 1e8], [0.1, 0.2, 0.3], "spearman", "none, as a column is constant"),
        ([1, 2, None], [None, 2, 3], "pearson", "none of 1 pair"),
        ([None, None], [1, 2], "pearson", "none of 0 pairs"),
        ([1.0, math.nan], [1, 2], "pearson", "NaN in 1 of 2 pairs"),
        ([1.0, 2.0, math.nan], [1, 2, 3], "spearman", "NaN in 1 of 3 pairs"),
        (
            [1.0, 2.0, math.inf],
            [1, 2, 3],
            "pearson",
            "undefined, as values are infinite",
        ),
    ],
)
def test_no_correlation_fails_and_says_why(
    x: Any, y: Any, method: str, why: str
) -> None:
    frame = pl.DataFrame({"x": x, "y": y}, schema_overrides={"x": pl.Float64})

    found = check(frame, min=-1, method=method)

    assert not found.success
    assert found.severity == Severity.CRITICAL
    assert found.message.endswith(f"; {why}")


def test_nan_beside_a_missing_value_is_no_pair() -> None:
    found = check({"x": [1.0, 2.0, math.nan], "y": [1, 2, None]})
    assert (found.observed, found.checked) == (1.0, 2)


def test_infinity_has_a_rank() -> None:
    assert check({"x": [1.0, 2.0, math.inf], "y": [1, 2, 3]}, method="spearman").success


def test_perfect_correlation_reaches_1() -> None:
    x = [0.1 * n for n in range(1, 50)]
    found = check({"x": x, "y": [3.7 * value + 0.3 for value in x]}, min=1)
    assert found.success
    assert found.observed <= 1


def test_empty_table_and_several_columns() -> None:
    assert (
        check(pl.DataFrame(schema={"x": pl.Int64, "y": pl.Int64})).message == "no rows"
    )
    frame = pl.DataFrame({"a*": [1, 2, 3], "b": [3, 2, 1], "y": [1, 2, 3]})
    rule = {"correlation": {"columns": ["a*", "b"], "other": "y", "min": 0}}
    run = truthound.check(frame, [rule])
    assert [check.name for check in run.checks] == [
        "correlation(a*, y)",
        "correlation(b, y)",
    ]
    assert [check.success for check in run.checks] == [True, False]
    assert run.checks[1].message == ("expected pearson correlation at least 0; -1.0")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"other": ""}, "needs other, the second column"),
        ({"min": None}, "needs min, max or both"),
        ({"min": 2}, "min of correlation is a number from -1 to 1"),
        ({"min": 0.5, "max": 0.1}, "is larger than max"),
        ({"method": "kendall"}, "method is pearson or spearman, not 'kendall'"),
        ({"mostly": 0.5}, "mostly does not apply"),
    ],
)
def test_faulty_options_are_refused(options: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        check({"x": [1], "y": [1]}, **options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"other": "t"}, "'t' is string"),
        ({"other": "yy"}, "did you mean 'y'"),
        ({"other": "x"}, "cannot be compared with itself"),
        ({"column": "t"}, "'t' is string"),
    ],
)
def test_columns_that_do_not_fit_are_an_error(options: Any, said: str) -> None:
    assert said in str(check({"x": [1], "y": [1], "t": ["a"]}, **options).error)
