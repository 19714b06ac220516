"""The plan: what is asked, how often, and that one check's fault stays its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import truthound
from truthound.data import Batch, FrameTable, Metric, Showing
from truthound.errors import CheckError, DataError
from truthound.validators import (
    Check,
    Examples,
    Finding,
    NullValidator,
    Plan,
    Question,
    RowValidator,
    Scope,
    Validator,
    build_all,
)

ROWS = pl.DataFrame(
    {"id": [1, 2, 2, 4], "fare": [5.0, None, -3.0, 7.5], "vendor": ["a", "a", "b", "b"]}
)


class Watched(FrameTable):
    """A frame that notes what it is asked."""

    def __init__(self, frame: pl.DataFrame) -> None:
        super().__init__(frame)
        self.batches: list[Batch] = []
        self.shown: list[Sequence[Showing]] = []

    def measure(self, batch: Batch) -> list[tuple[Any, ...]]:
        self.batches.append(batch)
        return super().measure(batch)

    def examples(self, wanted: Sequence[Showing]) -> list[list[dict[str, Any]]]:
        self.shown.append(wanted)
        return super().examples(wanted)


def run(validators: Any, frame: pl.DataFrame = ROWS, **examples: Any) -> Any:
    table = Watched(frame)
    plan = Plan(build_all(validators), Scope(table.schema))
    return table, plan.run(table, Examples(**examples))


def keys(batch: Batch) -> list[str]:
    return [str(metric.key[0]) for metric in batch.metrics]


def test_all_metrics_are_asked_in_one_select_each_once() -> None:
    table, outcome = run(
        [
            "null",
            {"range": {"column": "fare", "min": -10}},
            {"range": {"column": "fare", "min": -20, "name": "another"}},
            {"row_count": {"min": 1}},
            {"expression": {"expression": "id > 0"}},
        ]
    )
    assert len(table.batches) == 1
    asked = [metric.key for metric in table.batches[0].metrics]
    assert len(asked) == len(set(asked))
    assert keys(table.batches[0]).count("rows") == 1
    assert asked.count(("nulls", ("fare",))) == 1
    assert asked.count(("min", "fare", None)) == 1
    assert outcome.row_count == 4
    assert len(outcome.checks) == 7


def test_conditions_are_shared_by_what_they_say() -> None:
    rule = {"column": "fare", "min": 0}
    same = [
        {"range": {**rule, "where": "vendor = 'a'"}},
        {"range": {**rule, "where": "vendor = 'a'", "mostly": 0.1}},
        {"range": {**rule, "where": pl.col("vendor") == "b"}},
        {"range": {**rule, "where": pl.col("vendor") == "b", "severity": "low"}},
    ]
    table, outcome = run(same)
    assert keys(table.batches[0]).count("fails") == 2
    assert [check.failed for check in outcome.checks] == [0, 0, 1, 1]


def test_long_conditions_that_look_alike_are_told_apart() -> None:
    # Polars prints of a long list its ends only.
    ids = list(range(100)), [*range(50), *range(150, 199), 99]
    frame = pl.DataFrame({"id": list(range(100)), "x": [None] * 100})
    rules = [{"null": {"column": "x", "where": pl.col("id").is_in(i)}} for i in ids]
    _, outcome = run(rules, frame)
    assert [check.failed for check in outcome.checks] == [100, 51]


def test_one_more_select_for_each_grouping() -> None:
    table, outcome = run(
        [
            "null",
            {"row_count": {"min": 1, "by": "vendor"}},
            {"null": {"column": "fare", "by": "vendor"}},
            {"row_count": {"min": 1, "by": ["vendor", "id"]}},
        ]
    )
    assert [batch.by for batch in table.batches] == [(), ("vendor",), ("vendor", "id")]
    by_vendor = outcome.checks[4]
    assert [(dict(g.group), g.passed, g.failed) for g in by_vendor.groups] == [
        ({"vendor": "a"}, False, 1),
        ({"vendor": "b"}, True, 0),
    ]
    assert by_vendor.observed == "fails in 1 of 2 groups"


def test_examples_are_fetched_once_and_only_for_what_failed() -> None:
    table, outcome = run(["null", {"range": {"column": "fare", "min": 0}}])
    assert len(table.shown) == 1
    assert len(table.shown[0]) == 2
    shown = {check.name: check.examples for check in outcome.checks if check.examples}
    assert shown == {
        "null(fare)": [{"row": 2, "fare": None}],
        "range(fare)": [{"row": 3, "fare": -3.0}],
    }


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_limit_of_examples(limit: int) -> None:
    rule = {"range": {"column": "id", "min": 9}}
    table, outcome = run([rule], limit=limit)
    assert len(outcome.checks[0].examples) == limit
    assert len(table.shown) == bool(limit)


def test_nothing_is_fetched_when_all_holds() -> None:
    table, _ = run([{"null": {"column": "id"}}])
    assert table.shown == []


def test_identifying_columns_are_shown_and_hidden_ones_are_not() -> None:
    rules = [
        {"range": {"column": "fare", "min": 0}},
        {"null": {"column": "fare", "by": "vendor"}},
        {"expression": {"expression": "fare < id"}},
    ]
    _, outcome = run(rules, with_columns=("id", "none"), redact=("f*", "vendor"))
    one, grouped, two = outcome.checks
    assert one.examples == [{"row": 3, "fare": "***", "id": 2}]
    assert grouped.examples == [{"row": 2, "fare": "***", "vendor": "***", "id": 2}]
    assert {group.group["vendor"] for group in grouped.groups} == {"***"}
    assert two.examples[0] == {"row": 1, "id": 1, "fare": "***"}


class Faulty(RowValidator):
    """Fails where it is told to."""

    rule = "faulty"

    def holds(self, column: Any, ns: Any) -> Any:
        return ns.col(column.name).str.to_uppercase() == "A"  # not of numbers


class Unsaid(Validator):
    rule = "unsaid"

    def checks(self, scope: Scope) -> Iterator[Check]:
        raise ZeroDivisionError("on purpose")
        yield


class Judging(Validator):
    rule = "judging"

    def checks(self, scope: Scope) -> Iterator[Check]:
        def judge(*_: Any) -> Finding:
            raise KeyError("on purpose")

        yield Check(validator=self, columns=(), metrics=(), judge=judge)


@pytest.mark.parametrize(
    ("faulty", "said"),
    [
        (Faulty(column="id"), "expected String|String"),
        (Unsaid(), "ZeroDivisionError: on purpose"),
        (Judging(), "KeyError: 'on purpose'"),
        ({"null": {"column": "fares"}}, "did you mean 'fare'"),
        ({"range": {"column": "vendor", "min": 1}}, "range judges numeric"),
        ({"null": {"column": "id", "where": "id >"}}, "not an SQL condition"),
        ({"null": {"column": "id", "where": "idd > 1"}}, "did you mean 'id'"),
        ({"null": {"column": "id", "by": "vendors"}}, "did you mean 'vendor'"),
        ({"null": {"column": "id", "where": pl.col("vendor") > 3}}, "compare string"),
        (
            {"range": {"min": 0, "where": 3, "column": "id"}},
            "expected an SQL condition",
        ),
    ],
)
def test_faulty_check_fails_alone(faulty: Any, said: str) -> None:
    rules = ["null", faulty, {"range": {"column": "fare", "min": 0}}]
    _, outcome = run(rules)
    bad = [check for check in outcome.checks if check.status == "error"]
    assert len(bad) == 1
    assert __import__("re").search(said, bad[0].error or ""), bad[0].error
    good = {c.name: c.failed for c in outcome.checks if c.status != "error"}
    expected = {"null(id)": 0, "null(fare)": 1, "null(vendor)": 0, "range(fare)": 1}
    assert good == expected
    assert outcome.row_count == 4


def test_source_that_cannot_be_read_is_no_fault_of_a_check() -> None:
    class Torn(FrameTable):
        def measure(self, batch: Batch) -> list[tuple[Any, ...]]:
            raise DataError("torn")

    table = Torn(ROWS)
    with pytest.raises(DataError, match="torn"):
        Plan(build_all(["null"]), Scope(table.schema)).run(table, Examples())


class Asking(Validator):
    """Asks for the largest value, then for the number of rows that have it."""

    rule = "asking"

    def checks(self, scope: Scope) -> Iterator[Check]:
        def count(most: int) -> Question:
            metric = Metric(
                ("at most", most),
                lambda ns: (ns.col("id") == most).sum(),
                frozenset({"id"}),
            )
            return Question((metric,), lambda rows: said(most, rows))

        def said(most: int, rows: int) -> Finding:
            return Finding(passed=True, checked=rows, observed=(most, rows))

        most = Metric(("most",), lambda ns: ns.col("id").max(), frozenset({"id"}))
        yield Check(validator=self, columns=("id",), metrics=(most,), judge=count)


def test_questions_are_asked_together_in_one_more_round() -> None:
    table, outcome = run([Asking(), Asking(), "null"])
    assert len(table.batches) == 2
    assert keys(table.batches[1]) == ["at most"]
    assert [check.observed for check in outcome.checks[:2]] == [(4, 1)] * 2


def test_each_group_may_ask_back() -> None:
    _, outcome = run([Asking(by="vendor")])
    assert {g.group["vendor"]: g.observed for g in outcome.checks[0].groups} == {
        "a": (2, 1),
        "b": (4, 1),
    }


def test_severity_of_groups_is_that_of_the_worst() -> None:
    frame = pl.DataFrame({"g": ["a"] * 98 + ["b"] * 2, "x": [1] * 99 + [None]})
    _, outcome = run([{"null": {"column": "x", "by": "g"}}], frame)
    check = outcome.checks[0]
    assert (check.checked, check.failed, check.severity) == (100, 1, "high")


def test_plan_is_reused_for_tables_of_the_schema_only() -> None:
    table = Watched(ROWS)
    plan = Plan(build_all(["null"]), Scope(table.schema))
    assert plan.reusable
    assert plan.run(Watched(ROWS.head(1)), Examples()).row_count == 1
    learning = Plan(build_all(["schema"]), Scope(table.schema))
    assert not learning.reusable


def test_explain_says_what_is_asked() -> None:
    rules = [
        "null",
        {"range": {"column": "fare", "min": 0, "by": "vendor"}},
        {"null": {"column": "nothing"}},
    ]
    text = Plan(build_all(rules), Scope(Watched(ROWS).schema)).explain()
    lines = text.splitlines()
    assert lines[0].startswith("4 checks, 12 metrics, 10 of them different")
    assert "2 selects" in lines[0]
    assert lines[1] == "Columns read: fare, id, vendor."
    assert "Select, by vendor:" in lines
    assert "  nulls fare" in lines
    assert any("Cannot be evaluated" in line and "nothing" in line for line in lines)


rules = st.lists(
    st.sampled_from(
        [
            "null",
            "duplicate",
            {"unique": {"column": "a"}},
            {"unique": {"columns": ["a", "g"]}},
            {"range": {"column": "a", "min": -3, "max": 3}},
            {"range": {"column": "a", "min": 0, "where": "g = 'x'"}},
            {"range": {"column": "a", "min": 0, "by": "g"}},
            {"in_set": {"column": "g", "values": ["x"], "mostly": 0.5}},
            {"mean": {"column": "a", "min": 0}},
            {"mean": {"column": "a", "min": 0, "by": "g"}},
            {"monotonic": {"column": "a"}},
            {"compare": {"column": "a", "operator": "<", "other": "b"}},
            {"expression": {"expression": "a + b > 0"}},
            {"regex": {"column": "a", "pattern": "x"}},
            {"row_count": {"min": 3}},
            {"null": {"column": "missing"}},
        ]
    ),
    max_size=6,
)
small = st.none() | st.integers(-5, 5)


@given(
    specs=rules,
    rows=st.lists(
        st.tuples(small, small, st.sampled_from(["x", "y", None])), max_size=8
    ),
    lazy=st.booleans(),
)
def test_together_checks_find_what_each_finds_alone(
    specs: list[Any], rows: list[Any], lazy: bool
) -> None:
    frame = pl.DataFrame(
        rows, schema={"a": pl.Int64, "b": pl.Int64, "g": pl.String}, orient="row"
    )
    data: Any = frame.lazy() if lazy else frame

    together = truthound.check(data, specs, allow_empty=True).checks
    alone = [
        check
        for spec in specs
        for check in truthound.check(data, [spec], allow_empty=True).checks
    ]
    assert list(together) == alone


def test_check_error_keeps_its_own_words() -> None:
    class Refusing(NullValidator):
        rule = "refusing"

        def checks(self, scope: Scope) -> Iterator[Check]:
            raise CheckError("not today")

    _, outcome = run([Refusing(column="id")])
    assert (outcome.checks[0].error, outcome.checks[0].columns) == (
        "not today",
        ("id",),
    )


def test_rows_are_counted_even_if_nobody_else_could_ask() -> None:
    _, outcome = run([Faulty(column="id"), Asking()])
    assert [check.status for check in outcome.checks] == ["error", "passed"]
    assert outcome.row_count == 4
