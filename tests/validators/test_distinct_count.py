"""distinct_count: as a set of the values counts, on every engine."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import truthound
from engines import ENGINES, as_engine
from judging import FLAG, GROUP, tables
from naive import floats, texts
from truthound.errors import ConfigurationError
from truthound.validators import CheckResult


def check(data: Any, **options: Any) -> CheckResult:
    spec = {"distinct_count": {"column": "x", **options}}
    return truthound.check(data, [spec], allow_empty=True).checks[0]


def distinct(rows: list[dict[str, Any]]) -> int:
    values = [row["x"] for row in rows if row["x"] is not None]
    nan = any(isinstance(v, float) and math.isnan(v) for v in values)
    return nan + len(
        {v for v in values if not (isinstance(v, float) and math.isnan(v))}
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("strategy", "dtype"),
    [(texts, pl.String), (floats, pl.Float64), (st.booleans(), pl.Boolean)],
    ids=["text", "float", "boolean"],
)
@given(data=st.data(), low=st.integers(0, 5), span=st.integers(0, 3))
def test_count_is_that_of_a_set(
    engine: str, strategy: Any, dtype: Any, data: Any, low: int, span: int
) -> None:
    frame = data.draw(tables(x=(strategy, dtype)))
    table, rows = as_engine(engine, frame), frame.to_dicts()
    options = {"min": low, "max": low + span}

    plain = check(table, **options)
    where = check(table, where=f"{FLAG} = 1", **options)
    by = check(table, by=GROUP, **options)

    flagged = [row for row in rows if row[FLAG] == 1]
    for found, part in ((plain, rows), (where, flagged)):
        assert found.error is None
        assert found.checked == sum(row["x"] is not None for row in part)
        assert found.observed == distinct(part)
        assert found.success is (not part or low <= distinct(part) <= low + span)
    parts = {row[GROUP]: [r for r in rows if r[GROUP] == row[GROUP]] for row in rows}
    assert {g.group[GROUP]: g.observed for g in by.groups} == {
        name: distinct(part) for name, part in parts.items()
    }


def test_words_and_edges() -> None:
    nulls = pl.DataFrame({"x": pl.Series([None, None], dtype=pl.Int64)})
    assert check(nulls, equals=0).success
    assert check(nulls, min=1).severity == "critical"
    assert (
        check({"x": [1, 2]}, equals=1).message
        == "expected exactly 1 different value; 2"
    )
    assert check({"x": [1]}, min=2).message == "expected at least 2 different values; 1"
    assert check({"x": []}, min=2).message == "no rows"
    assert check({"x": [[1], [1], [2]]}, equals=2).success


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "needs min, max or both, or equals"),
        ({"min": 1, "equals": 1}, "needs min, max or both, or equals"),
        ({"min": -1}, "whole number from 0"),
        ({"min": 2, "max": 1}, "larger than max"),
        ({"min": 2, "mostly": 0.5}, "mostly does not apply"),
    ],
)
def test_faulty_options_are_refused(options: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        check({"x": [1]}, **options)
