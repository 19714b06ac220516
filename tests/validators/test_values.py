"""Rules about values count what a plain Python loop counts, on every engine."""

from __future__ import annotations

import math
import re
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import truthound
from engines import ENGINES
from naive import (
    NAMES,
    booleans,
    columns_of,
    count_failures,
    count_repeats,
    floats,
    integers,
    run_on,
    texts,
)
from truthound.errors import ConfigurationError, UnknownNameError

INT, FLOAT, TEXT, BOOL = pl.Int64, pl.Float64, pl.String, pl.Boolean


def in_range(low: float | None, high: float | None) -> Any:
    def holds(value: float) -> bool:
        if math.isnan(value):
            return False
        return (low is None or value >= low) and (high is None or value <= high)

    return holds


RULES: list[tuple[str, Any, Any, dict[str, Any], Any]] = [
    ("range", integers, INT, {"min": -3, "max": 20}, in_range(-3, 20)),
    ("range", integers, INT, {"max": 7}, in_range(None, 7)),
    ("range", floats, FLOAT, {"min": -3, "max": 20}, in_range(-3, 20)),
    ("range", floats, FLOAT, {"min": 0}, in_range(0, None)),
    ("range", floats, FLOAT, {"max": 0}, in_range(None, 0)),
    ("in_set", integers, INT, {"values": [1, 2, 3.0]}, lambda v: v in {1, 2, 3}),
    (
        "in_set",
        texts,
        TEXT,
        {"values": ["a", "", "n/a"]},
        {"a", "", "n/a"}.__contains__,
    ),
    ("in_set", booleans, BOOL, {"values": [True]}, lambda v: v is True),
    ("not_in_set", texts, TEXT, {"values": ["n/a"]}, lambda v: v != "n/a"),
    ("not_in_set", floats, FLOAT, {"values": [0]}, lambda v: v != 0),
    ("blank", texts, TEXT, {}, lambda v: bool(v.strip())),
    ("regex", texts, TEXT, {"pattern": "a|^$"}, lambda v: bool(re.search("a|^\\Z", v))),
    ("regex", texts, TEXT, {"pattern": "^[a-z]"}, lambda v: bool(re.match("[a-z]", v))),
    (
        "not_regex",
        texts,
        TEXT,
        {"pattern": "[0-9]"},
        lambda v: not re.search("[0-9]", v),
    ),
    ("length", texts, TEXT, {"min": 1, "max": 2}, lambda v: 1 <= len(v) <= 2),
    ("length", texts, TEXT, {"equals": 0}, lambda v: not v),
    (
        "type",
        texts,
        TEXT,
        {"type": "integer"},
        lambda v: bool(re.fullmatch(r"[+-]?[0-9]+", v)),
    ),
    (
        "custom",
        texts,
        TEXT,
        {"function": str.islower, "mode": "value"},
        lambda v: v.islower(),
    ),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("rule", "strategy", "dtype", "options", "holds"),
    RULES,
    ids=[f"{r[0]}-{n}" for n, r in enumerate(RULES)],
)
@given(data=st.data(), name=st.sampled_from(NAMES))
def test_counts_are_those_of_a_loop(
    engine: str,
    rule: str,
    strategy: Any,
    dtype: Any,
    options: dict[str, Any],
    holds: Any,
    data: st.DataObject,
    name: str,
) -> None:
    values = data.draw(columns_of(strategy))
    name = name or ("x" if engine == "duckdb" else "")  # DuckDB gives it another

    check = run_on(engine, {name: (values, dtype)}, {rule: {"column": name, **options}})

    checked, failed = count_failures(values, holds)
    assert check.error is None
    assert (check.checked, check.failed) == (checked, failed)
    assert check.success is (failed == 0)
    assert len(check.examples) == min(failed, 5)
    for example in check.examples:
        assert example[name] is not None
        assert not holds(example[name])
        if engine != "duckdb":
            there = values[example["_row" if name == "row" else "row"] - 1]
            assert there == example[name] or math.isnan(there)


@pytest.mark.parametrize("engine", ENGINES)
@given(values=columns_of(floats), name=st.sampled_from(NAMES))
def test_null_counts_missing_values_only(
    engine: str, values: list[Any], name: str
) -> None:
    name = name or ("x" if engine == "duckdb" else "")  # DuckDB gives it another

    check = run_on(engine, {name: (values, FLOAT)}, {"not_null": {"column": name}})

    assert check.checked == len(values)
    assert check.failed == values.count(None)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("strategy", "dtype"), [(texts, TEXT), (floats, FLOAT)])
@given(data=st.data())
def test_unique_leaves_missing_values_out(
    engine: str, strategy: Any, dtype: Any, data: st.DataObject
) -> None:
    values = data.draw(columns_of(strategy))

    check = run_on(engine, {"k": (values, dtype)}, {"unique": {"column": "k"}})

    checked, groups, surplus = count_repeats([v for v in values if v is not None])
    assert check.error is None
    assert (check.checked, check.failed) == (checked, groups)
    assert check.details.get("surplus", 0) == surplus


pairs = st.lists(
    st.tuples(
        st.none() | st.integers(0, 2),
        st.none() | st.sampled_from(["a", "b"]),
        st.none() | st.integers(1, 2),
    ),
    max_size=12,
)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rule", ["unique", "duplicate"])
@given(rows=pairs)
def test_combined_keys(engine: str, rule: str, rows: list[Any]) -> None:
    data = {
        name: ([row[n] for row in rows], dtype)
        for n, (name, dtype) in enumerate([("a", INT), ("b", TEXT), ("g", INT)])
    }

    check = run_on(engine, data, {rule: {"columns": ["a", "b"]}})

    keys = [row[:2] for row in rows if rule == "duplicate" or None not in row[:2]]
    checked, groups, surplus = count_repeats(keys)
    assert (check.checked, check.failed) == (checked, groups)
    assert check.details.get("surplus", 0) == surplus
    shown = [(e["a"], e["b"]) for e in check.examples]
    assert len(shown) == min(groups, 5)
    assert all(keys.count(key) > 1 for key in shown)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("spec", "judge"),
    [
        ({"unique": {"column": "a"}}, lambda ks: count_repeats(ks)[:2]),
        (
            {"range": {"column": "a", "max": 0}},
            lambda ks: count_failures(ks, lambda v: v <= 0),
        ),
        ({"not_null": {"column": "a"}}, None),
    ],
    ids=["unique", "range", "null"],
)
@given(rows=pairs)
def test_where_and_by_judge_parts_of_the_rows(
    engine: str, spec: Any, judge: Any, rows: list[Any]
) -> None:
    data = {
        name: ([row[n] for row in rows], dtype)
        for n, (name, dtype) in enumerate([("a", INT), ("b", TEXT), ("g", INT)])
    }
    ((rule, options),) = spec.items()

    def expect(part: list[Any]) -> tuple[int, int]:
        if judge is None:
            return len(part), sum(row[0] is None for row in part)
        return tuple(judge([row[0] for row in part if row[0] is not None]))

    where = run_on(engine, data, {rule: {**options, "where": "b = 'a'"}})
    assert (where.checked, where.failed) == expect([r for r in rows if r[1] == "a"])
    assert len(where.examples) == min(where.failed, 5)

    by = run_on(engine, data, {rule: {**options, "by": "g"}})
    groups = {row[2]: [r for r in rows if r[2] == row[2]] for row in rows}
    expected = {g: expect(part) for g, part in groups.items()}
    found = {g.group["g"]: (g.checked, g.failed) for g in by.groups}
    assert found == expected
    assert by.failed == sum(failed for _, failed in expected.values())
    assert by.success is (by.failed == 0)
    assert len(by.examples) == min(by.failed, 5)


@given(values=columns_of(integers, 40), mostly=st.floats(0, 1))
def test_mostly_is_the_share_that_must_hold(values: list[Any], mostly: float) -> None:
    check = run_on(
        "polars",
        {"a": (values, INT)},
        {"range": {"column": "a", "min": 0, "mostly": mostly}},
    )

    checked, failed = count_failures(values, lambda v: v >= 0)
    if failed == 0:
        assert check.success
    elif abs(failed - (1 - mostly) * checked) > 1e-3:
        assert check.success is (failed / checked < 1 - mostly)


def test_a_tenth_may_fail_when_nine_tenths_must_hold() -> None:
    frame = pl.DataFrame({"a": [None] + [1] * 9})
    rule = {"not_null": {"column": "a", "mostly": 0.9}}
    assert truthound.check(frame, [rule]).success
    rule["not_null"]["mostly"] = 0.901
    assert not truthound.check(frame, [rule]).success


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"range": {"column": "t", "min": 0}}, "'t' is string"),
        ({"range": {"column": "a", "min": "zero"}}, "min='zero'"),
        ({"range": {"column": "a", "min": 5, "max": 1}}, "larger than max"),
        ({"regex": {"column": "a", "pattern": "x"}}, "'a' is int64"),
        ({"in_set": {"column": "a", "values": ["x"]}}, "expected a number"),
        ({"in_set": {"column": "t", "values": [1]}}, "expected text"),
        ({"null": {"column": "b"}}, "no column 'b'"),
        ({"null": {"columns": ["a", "zz*"]}}, "no column matches 'zz*'"),
        ({"null": {"column": "temporal"}}, "type group 'temporal'"),
        ({"null": {"column": "a", "where": "nope = 1"}}, "no column 'nope'"),
        ({"null": {"column": "a", "where": "a ="}}, "not an SQL condition"),
        ({"null": {"column": "a", "by": "nope"}}, "no column 'nope'"),
        ({"range": {"min": 0}}, "needs a column"),
        ({"range": {"column": "a", "by": "t"}}, "learns no bounds for groups"),
    ],
)
def test_what_cannot_be_evaluated_is_an_error_of_its_check(
    spec: Any, words: str
) -> None:
    frame = pl.DataFrame({"a": [1, 2], "t": ["x", "y"]})

    run = truthound.check(frame, [spec, {"not_null": {"column": "t"}}])

    assert run.checks[0].status == "error"
    assert words in (run.checks[0].error or "")
    assert run.checks[1].success
    assert not run.success


@pytest.mark.parametrize(
    ("spec", "kind", "words"),
    [
        ({"regex": {"column": "t", "pattern": "("}}, ConfigurationError, "unclosed"),
        ({"regex": {"column": "t"}}, ConfigurationError, "pattern"),
        ({"format": {"column": "t", "format": "emial"}}, UnknownNameError, "email"),
        ({"type": {"column": "t", "type": "intger"}}, UnknownNameError, "integer"),
        ({"in_set": {"column": "t"}}, ConfigurationError, "values"),
        ({"in_set": {"column": "t", "values": [None]}}, ConfigurationError, "null"),
        ({"length": {"column": "t"}}, ConfigurationError, "min, max or equals"),
        ({"length": {"column": "t", "min": -1}}, ConfigurationError, "0 or more"),
        ({"range": {"column": "t", "margin": -1}}, ConfigurationError, "margin"),
        ({"null": {"column": "t", "columns": ["a"]}}, ConfigurationError, "either"),
        ({"null": {"column": "t", "severity": "bad"}}, ConfigurationError, "critical"),
        ({"nul": {}}, UnknownNameError, "'null'"),
        ({"null": {"colum": "t"}}, TypeError, "'column'"),
        ({"null": {"column": 3}}, ConfigurationError, "str"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    spec: Any, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        truthound.check({"t": ["x"]}, [spec])
