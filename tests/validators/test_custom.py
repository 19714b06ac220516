"""custom: functions of the user's own, what they may do, and what they may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given

import truthound
from engines import ENGINES, as_engine
from judging import agrees, each, tables
from naive import NAMES, floats, integers, texts
from truthound.errors import ConfigurationError
from truthound.validators import CheckResult, CustomValidator


def is_even(values: Any) -> Any:
    return values % 2 == 0


def on_x(data: Any, function: Any, **options: Any) -> CheckResult:
    rule = {"custom": {"column": "x", "function": function, **options}}
    return truthound.check(data, [rule]).checks[0]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("mode", ["expression", "value"])
@given(frame=tables(x=(integers, pl.Int64)))
def test_both_forms_count_as_a_loop(
    engine: str, mode: str, frame: pl.DataFrame
) -> None:
    def judge(row: dict[str, Any]) -> bool | None:
        return None if row["x"] is None else row["x"] % 2 == 0

    options = {"column": "x", "function": is_even, "mode": mode}
    agrees(engine, frame, "custom", options, each(judge))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("values", "dtype", "function"),
    [
        (floats, pl.Float64, lambda v: v == v and v > 0),
        (texts, pl.String, lambda v: v == v.strip()),
    ],
    ids=["float", "text"],
)
@given(data=__import__("hypothesis").strategies.data())
def test_plain_functions_see_plain_values(
    engine: str, values: Any, dtype: Any, function: Any, data: Any
) -> None:
    def judge(row: dict[str, Any]) -> bool | None:
        return None if row["x"] is None else function(row["x"])

    frame = data.draw(tables(x=(values, dtype)))
    options = {"column": "x", "function": function, "mode": "value"}
    agrees(engine, frame, "custom", options, each(judge))


def test_function_of_a_value_is_called_once_for_each_and_not_for_others() -> None:
    seen: list[int] = []

    def note(value: int) -> bool:
        seen.append(value)
        return value < 3

    frame = pl.DataFrame({"x": [1, 1, 2, 3, None, 9], "ok": [1, 1, 1, 1, 1, 0]})
    check = on_x(frame, note, mode="value", where="ok = 1", mostly=0.7)
    assert (check.checked, check.failed, check.success) == (4, 1, True)
    assert sorted(seen) == [1, 2, 3]


def test_aggregate_of_an_expression_is_of_the_group() -> None:
    frame = pl.DataFrame({"g": ["a", "a", "b", "b"], "x": [1, 3, 10, 30]})

    def at_most_the_mean(values: Any) -> Any:
        return values <= values.mean()

    assert on_x(frame, at_most_the_mean).failed == 1
    check = on_x(frame, at_most_the_mean, by="g")
    assert check.failed == 2
    assert [example["x"] for example in check.examples] == [3, 30]


@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_function_raises_is_the_error_of_its_check(engine: str) -> None:
    frame = as_engine(engine, pl.DataFrame({"x": [1, 0]}))

    def inverse(value: int) -> bool:
        return 1 / value > 0

    rules = [
        {"custom": {"column": "x", "function": inverse, "mode": "value"}},
        {"range": {"column": "x", "min": 1}},
    ]
    mine, other = truthound.check(frame, rules).checks
    assert mine.error == "0: ZeroDivisionError: division by zero"
    assert (other.status, other.failed) == ("failed", 1)


@pytest.mark.parametrize("answer", [1, None, "yes", [True]])
def test_answer_that_is_neither_true_nor_false_is_an_error(answer: Any) -> None:
    check = on_x({"x": [1]}, lambda _: answer, mode="value")
    assert "expected True or False" in str(check.error)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda values: True, "returned True, expected a boolean expression"),
        (lambda values: len(values) > 1, "say mode='value'"),
        (lambda values: values > 0 and values < 9, "say mode='value'"),
        (lambda values: values + 1, "Int64 and Boolean"),
        (lambda values: values.missing(), "AttributeError"),
        (lambda values: values.drop_nulls() > 1, "height|length"),
    ],
)
def test_expression_that_is_no_condition_is_an_error(function: Any, said: str) -> None:
    check = on_x({"x": [1, 2, None]}, function)
    assert check.status == "error"
    assert __import__("re").search(said, str(check.error)), check.error


def test_false_for_a_missing_value_is_no_failure() -> None:
    check = on_x({"x": [1, None]}, lambda values: values.is_not_null())
    assert (check.checked, check.failed) == (1, 0)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", [n for n in NAMES if n])
def test_odd_names(engine: str, name: str) -> None:
    frame = as_engine(engine, pl.DataFrame({name: [2, 3]}))
    for mode in ("expression", "value"):
        rule = {"custom": {"column": name, "function": is_even, "mode": mode}}
        check = truthound.check(frame, [rule]).checks[0]
        assert (check.error, check.failed) == (None, 1)


def test_function_is_imported_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_rules_a.py").write_text(
        "class Rules:\n    @staticmethod\n    def even(v):\n        return v % 2 == 0\n"
    )
    (tmp_path / "own_rules_b.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert on_x({"x": [1, 2]}, "own_rules_a:Rules.even").failed == 1
    for path, said in [
        ("own_rules_a:Rules.evn", "did you mean 'even'"),
        ("own_rules_a", "'module:name'"),
        ("no_such_module:x", "No module named"),
        ("own_rules_b:x", "ZeroDivisionError"),
    ]:
        with pytest.raises(ConfigurationError, match=said):
            CustomValidator(column="x", function=path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "function is a callable"),
        ({"function": 3}, "function is a callable"),
        ({"function": is_even, "mode": "values"}, "did you mean 'value'"),
    ],
)
def test_faulty_options_are_refused(options: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        CustomValidator(column="x", **options)


def test_small_frame_with_a_function_is_not_evaluated_in_place() -> None:
    from truthound.validators.validation import Validation

    frame = pl.DataFrame({"x": [1]})
    own = Validation.of([{"custom": {"column": "x", "function": is_even}}])
    assert not own.runs_in_place(frame)
    assert Validation.of(["null"]).runs_in_place(frame)
