"""compare: two columns of a row, as a Python loop compares them, on every engine."""

from __future__ import annotations

import math
import operator
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import truthound
from engines import ENGINES, as_engine
from judging import agrees, each, tables
from naive import NAMES, floats, integers, texts
from truthound.errors import ConfigurationError

OPERATORS = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
}
symbols = st.sampled_from(list(OPERATORS))


def holds(symbol: str, left: str = "l", right: str = "r") -> Any:
    def one(row: dict[str, Any]) -> bool | None:
        a, b = row[left], row[right]
        if a is None or b is None:
            return None
        if any(isinstance(v, float) and math.isnan(v) for v in (a, b)):
            return False
        return bool(OPERATORS[symbol](a, b))

    return each(one)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("values", "left", "right"),
    [
        (integers, pl.Int64, pl.Int32),
        (integers, pl.Int8, pl.UInt64),
        (floats, pl.Float64, pl.Float64),
        (texts, pl.String, pl.String),
        (st.dates(), pl.Date, pl.Date),
    ],
    ids=["integer", "mixed sizes", "float", "text", "date"],
)
@given(data=st.data(), symbol=symbols)
def test_counts_are_those_of_a_loop(
    engine: str, values: Any, left: Any, right: Any, data: Any, symbol: str
) -> None:
    if right == pl.UInt64:
        values = st.integers(0, 100)
    frame = data.draw(tables(l=(values, left), r=(values, right)))
    options = {"column": "l", "operator": symbol, "other": "r"}

    agrees(engine, frame, "compare", options, holds(symbol))


@pytest.mark.parametrize("engine", ENGINES)
@given(
    rows=st.lists(st.tuples(floats, floats), max_size=12),
    symbol=symbols,
    tolerance=st.sampled_from([0.5, 1, 10]),
)
def test_tolerance_makes_neighbours_equal(
    engine: str, rows: list[Any], symbol: str, tolerance: float
) -> None:
    def right(a: float, b: float) -> bool:
        if math.isnan(a) or math.isnan(b):
            return False
        near = a == b or abs(a - b) <= tolerance
        if symbol == "==":
            return near
        if symbol == "!=":
            return not near
        ahead = OPERATORS[symbol[0]](a, b) and not near
        return bool(ahead or (near and "=" in symbol))

    frame = pl.DataFrame(
        {"l": [a for a, _ in rows], "r": [b for _, b in rows]},
        schema={"l": pl.Float64, "r": pl.Float64},
    )
    rule = {
        "column": "l",
        "operator": symbol,
        "other": "r",
        "tolerance": tolerance,
    }
    run = truthound.check(
        as_engine(engine, frame), [{"compare": rule}], allow_empty=True
    )
    assert run.checks[0].failed == sum(not right(a, b) for a, b in rows)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", [n for n in NAMES if n])
def test_odd_names(engine: str, name: str) -> None:
    frame = pl.DataFrame({name: [1, 5, None], "the other": [2, 4, 1]})
    rule = {"column": name, "operator": "<", "other": "the other"}
    check = truthound.check(as_engine(engine, frame), [{"compare": rule}]).checks[0]
    assert (check.checked, check.failed) == (2, 1)
    assert check.examples[0][name] == 5


def test_zones_and_categories_are_compared_by_value() -> None:
    frame = pl.DataFrame(
        {
            "utc": [datetime(2026, 1, 1, 12, tzinfo=UTC)] * 2,
            "c": pl.Series(["b", "a"], dtype=pl.Categorical),
            "s": ["a", "b"],
        }
    ).with_columns(here=pl.col("utc").dt.convert_time_zone("Europe/Helsinki"))
    rules = [
        {"compare": {"column": "here", "operator": "==", "other": "utc"}},
        {"compare": {"column": "c", "operator": "<", "other": "s"}},
    ]
    zones, categories = truthound.check(frame, rules).checks
    assert (zones.error, zones.failed) == (None, 0)
    assert (categories.error, categories.failed) == (None, 1)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ([1], ["1"]),
        ([date(2026, 1, 1)], [datetime(2026, 1, 1)]),
        ([datetime(2026, 1, 1)], [datetime(2026, 1, 1, tzinfo=UTC)]),
        ([True], [1]),
        ([[1]], [[1]]),
    ],
)
def test_types_that_do_not_compare_are_an_error(left: Any, right: Any) -> None:
    frame = pl.DataFrame({"l": left, "r": right})
    rule = {"compare": {"column": "l", "operator": "==", "other": "r"}}
    check = truthound.check(frame, [rule]).checks[0]
    assert check.status == "error"
    assert "cannot be compared with" in str(check.error)


def test_every_column_of_several_has_a_check_of_its_own() -> None:
    frame = pl.DataFrame({"a": [1, 9], "b": [1, 2], "top": [5, 5]})
    rule = {
        "columns": ["a", "b"],
        "operator": "<=",
        "other": "top",
        "name": "below the top",
    }
    checks = truthound.check(frame, [{"compare": rule}]).checks
    assert [(c.name, c.failed) for c in checks] == [
        ("below the top [a]", 1),
        ("below the top [b]", 0),
    ]
    assert checks[0].expected == "a <= top"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"operator": "=<", "other": "b"}, "operator is one of"),
        ({"operator": "<"}, "needs other"),
        ({"operator": "<", "other": "b", "tolerance": -1}, "tolerance is a number"),
        ({"operator": "<", "other": "b", "tolerance": math.nan}, "tolerance is a"),
    ],
)
def test_faulty_options_are_refused(options: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        truthound.check({"a": [1]}, [{"compare": {"column": "a", **options}}])


def test_missing_other_column_and_tolerance_on_text_are_errors() -> None:
    frame = pl.DataFrame({"start": ["a"], "end": ["b"]})
    rules = [
        {"compare": {"column": "start", "operator": "<", "other": "ende"}},
        {
            "compare": {
                "column": "start",
                "operator": "<",
                "other": "end",
                "tolerance": 1,
            }
        },
    ]
    missing, text = truthound.check(frame, rules).checks
    assert "did you mean 'end'" in str(missing.error)
    assert "tolerance is for numbers" in str(text.error)


def test_enumerations_are_compared_as_text_and_not_by_place() -> None:
    values = pl.Enum(["z", "a"])
    frame = pl.DataFrame({"l": ["z"], "r": ["a"]}, schema={"l": values, "r": values})
    rule = {"compare": {"column": "l", "operator": "<", "other": "r"}}
    assert truthound.check(frame, [rule]).checks[0].failed == 1
