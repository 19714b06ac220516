"""null: what is missing is counted, on every engine; what is empty or NaN is not."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import truthound
from engines import ENGINES, as_engine
from judging import agrees, each, tables
from naive import floats, texts


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("strategy", "dtype"),
    [(texts, pl.String), (floats, pl.Float64)],
    ids=["text", "float"],
)
@given(data=st.data())
def test_counts_are_those_of_a_loop(
    engine: str, strategy: Any, dtype: Any, data: Any
) -> None:
    frame = data.draw(tables(x=(strategy, dtype)))
    there = each(lambda row: row["x"] is not None)
    agrees(engine, frame, "null", {"column": "x"}, there)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_column_if_none_is_named(engine: str) -> None:
    frame = pl.DataFrame(
        {
            "a*": [1, None],
            "empty": ["", " "],
            "nan": [math.nan, None],
            "nothing": pl.Series([None, None], dtype=pl.String),
        }
    )
    run = truthound.check(as_engine(engine, frame), ["null"])
    assert [(check.column, check.failed, check.checked) for check in run.checks] == [
        ("a*", 1, 2),
        ("empty", 0, 2),
        ("nan", 1, 2),
        ("nothing", 2, 2),
    ]
    assert run.checks[3].severity == "critical"
    assert run.checks[0].message == "expected no missing values; 1 of 2 rows fails"


def test_both_names_and_a_column_of_nothing_else() -> None:
    frame = pl.DataFrame({"x": [None, None, None]})
    for name in ("null", "not_null"):
        assert truthound.check(frame, [name]).checks[0].failed == 3
