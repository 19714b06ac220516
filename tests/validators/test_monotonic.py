"""monotonic: the order of the rows, as a Python loop sees it."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import truthound
from engines import ENGINES
from judging import agrees, tables
from naive import NAMES, floats, integers, texts
from truthound.errors import ConfigurationError

ORDERED = [engine for engine in ENGINES if engine != "duckdb"]


def in_order(direction: str, strict: bool) -> Any:
    def judge(rows: Any) -> list[bool | None]:
        verdicts: list[bool | None] = []
        last = None
        for row in rows:
            value = row["x"]
            if value is None:
                verdicts.append(None)
            elif isinstance(value, float) and math.isnan(value):
                verdicts.append(False)
            else:
                rises = last is None or value > last or (value == last and not strict)
                falls = last is None or value < last or (value == last and not strict)
                verdicts.append(rises if direction == "increasing" else falls)
                last = value
        return verdicts

    return judge


@pytest.mark.parametrize("engine", ORDERED)
@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (integers, pl.Int64),
        (floats, pl.Float64),
        (texts, pl.String),
        (st.dates(), pl.Date),
        (st.booleans(), pl.Boolean),
    ],
    ids=["integer", "float", "text", "date", "boolean"],
)
@given(
    data=st.data(),
    direction=st.sampled_from(["increasing", "decreasing"]),
    strict=st.booleans(),
)
def test_counts_are_those_of_a_loop(
    engine: str, values: Any, dtype: Any, data: Any, direction: str, strict: bool
) -> None:
    frame = data.draw(tables(x=(values, dtype)))
    options = {"column": "x", "direction": direction, "strict": strict}
    agrees(engine, frame, "monotonic", options, in_order(direction, strict))


def test_examples_of_groups_break_the_order_of_their_group() -> None:
    frame = pl.DataFrame({"day": ["a", "b", "a", "b", "a"], "n": [1, 9, 2, 8, 3]})
    rule = {"monotonic": {"column": "n", "by": "day"}}
    check = truthound.check(frame, [rule]).checks[0]
    assert check.failed == 1
    assert check.examples == [{"row": 4, "n": 8, "day": "b"}]


@pytest.mark.parametrize("name", [n for n in NAMES if n])
def test_odd_names(name: str) -> None:
    frame = pl.DataFrame({name: [1, 3, 2]})
    check = truthound.check(frame, [{"monotonic": {"column": name}}]).checks[0]
    assert (check.error, check.failed) == (None, 1)


def test_rows_without_an_order_are_an_error_that_says_so() -> None:
    import duckdb

    with duckdb.connect() as connection:
        rows = connection.sql("select 1 as x")
        check = truthound.check(rows, [{"monotonic": {"column": "x"}}]).checks[0]
    assert check.status == "error"
    assert "rows that have an order" in str(check.error)


def test_empty_and_all_null_columns_hold() -> None:
    frame = pl.DataFrame({"x": [None, None]}, schema={"x": pl.Int64})
    for data in (frame, frame.head(0)):
        run = truthound.check(data, [{"monotonic": {"column": "x"}}], allow_empty=True)
        assert run.success
        assert run.checks[0].checked == 0


def test_unknown_direction_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'increasing'"):
        truthound.check({"x": [1]}, [{"monotonic": {"direction": "increase"}}])
