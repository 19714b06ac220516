"""expression: a user's condition, as a Python loop evaluates it, on every engine."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given

import truthound
from engines import ENGINES, as_engine
from judging import agrees, each, tables
from naive import integers, texts
from truthound.errors import ConfigurationError


def less(row: dict[str, Any]) -> bool | None:
    a, b = row["a"], row["b"]
    return None if a is None or b is None else a < 2 * b


CONDITIONS = [
    pytest.param("a < 2 * b", id="sql"),
    pytest.param(pl.col("a") < 2 * pl.col("b"), id="polars"),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("condition", CONDITIONS)
@given(frame=tables(a=(integers, pl.Int64), b=(integers, pl.Int64)))
def test_counts_are_those_of_a_loop(
    engine: str, condition: Any, frame: pl.DataFrame
) -> None:
    agrees(engine, frame, "expression", {"expression": condition}, each(less))


@pytest.mark.parametrize("engine", ENGINES)
@given(frame=tables(s=(texts, pl.String)))
def test_null_logic_is_that_of_sql(engine: str, frame: pl.DataFrame) -> None:
    def judge(row: dict[str, Any]) -> bool | None:
        return None if row["s"] is None else row["s"] in {"a", ""}

    options = {"expression": "s = 'a' OR s = ''"}
    agrees(engine, frame, "expression", options, each(judge))


@pytest.mark.parametrize("engine", ENGINES)
def test_aggregates_are_of_the_table_or_of_the_group(engine: str) -> None:
    frame = pl.DataFrame({"g": ["a", "a", "b", "b"], "x": [1, 3, 10, 30]})
    above = pl.col("x") <= pl.col("x").mean()
    rules = [
        {"expression": {"expression": above}},
        {"expression": {"expression": above, "by": "g"}},
    ]
    table, groups = truthound.check(as_engine(engine, frame), rules).checks

    assert (table.checked, table.failed) == (4, 1)
    assert [example["x"] for example in table.examples] == [30]
    assert (groups.checked, groups.failed) == (4, 2)
    assert sorted(example["x"] for example in groups.examples) == [3, 30]


def test_aggregate_alone_holds_for_all_rows_or_for_none() -> None:
    frame = pl.DataFrame({"x": [1, 2, 3]})
    rules = [{"expression": {"expression": f"sum(x) > {n}"}} for n in (5, 6)]
    yes, no = truthound.check(frame, rules).checks
    assert (yes.checked, yes.failed) == (3, 0)
    assert (no.checked, no.failed, len(no.examples)) == (3, 3, 3)


@pytest.mark.parametrize("engine", ENGINES)
def test_window_looks_at_other_rows(engine: str) -> None:
    frame = pl.DataFrame({"g": ["a", "b", "a"], "x": [1, 5, 3]})
    sql = "x >= max(x) OVER (PARTITION BY g)"
    check = truthound.check(
        as_engine(engine, frame), [{"expression": {"expression": sql}}]
    )
    assert check.checks[0].failed == 1


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("x", "is Int64, expected a condition"),
        (pl.col("x") + 1, "is Int64, expected a condition"),
        ("s", "is String, expected a condition"),
        ("x >", "not an SQL condition"),
        ("y > 1", "there is no column 'y'"),
        ("s > 1", "cannot compare string with numeric"),
        ("1 = 1", "reads no column"),
        (pl.col("x").unique() > 1, "mismatch|lengths"),
        (pl.all() > 1, "reads no column|cannot compare|conditions"),
        (42, "expected an SQL condition"),
    ],
)
def test_what_is_no_condition_is_an_error(condition: Any, said: str) -> None:
    frame = pl.DataFrame({"x": [1, 1, 2], "s": ["a", "b", "c"]})
    run = truthound.check(frame, [{"expression": {"expression": condition}}, "null"])
    assert run.checks[0].status == "error"
    assert __import__("re").search(said, str(run.checks[0].error)), run.checks[0].error
    assert [check.status for check in run.checks[1:]] == ["passed", "passed"]


def test_number_for_a_condition_is_an_error_where_types_have_no_name() -> None:
    frame = pl.DataFrame({"x": [1], "l": [[1]]})
    expression = pl.col("l").list.first() + pl.col("x")
    check = truthound.check(frame, [{"expression": {"expression": expression}}])
    assert check.checks[0].status == "error"


def test_functions_in_an_expression_are_told_apart_and_may_raise() -> None:
    frame = pl.DataFrame({"x": [1, 2, 3]})

    def made(limit: int) -> pl.Expr:
        return pl.col("x").map_batches(
            lambda values: 6 // limit >= values, return_dtype=pl.Boolean
        )

    rules = [{"expression": {"expression": made(n)}} for n in (2, 6, 0)]
    three, one, raises = truthound.check(frame, rules).checks
    assert (three.failed, one.failed) == (0, 2)
    assert "ZeroDivisionError" in str(raises.error)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "needs expression"),
        ({"expression": " "}, "needs expression"),
        ({"expression": "x > 1", "column": "x"}, "names its columns itself"),
    ],
)
def test_faulty_options_are_refused(options: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        truthound.check({"x": [1]}, [{"expression": options}])
