"""One validation: what a first run learns, and that later ones leave it as it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import truthound
from truthound import Checkpoint
from truthound._clock import Clock
from truthound.errors import DataError, StoreError
from truthound.store import Baselines
from truthound.validators.validation import Validation

LEARNING = ["schema", {"range": {"column": "fare"}}]
FIRST = pl.DataFrame({"fare": [0.0, 10.0], "who": ["a", "b"]})
WORSE = pl.DataFrame({"fare": [0.0, 500.0], "who": ["a", None]})


def kept() -> Path:
    (path,) = Path(".truthound/baselines").glob("*.json")
    return path


def test_first_run_learns_and_says_so() -> None:
    run = truthound.check(FIRST, LEARNING, name="rides")
    assert run.success
    assert [check.message for check in run.checks] == [
        "learned: 2 columns",
        "learned: between 0.0 and 10.0",
    ]
    assert sorted(run.learned) == ["range:fare", "schema"]
    assert run.warnings == [
        "learned a baseline for 2 checks of DataFrame (truthound baseline show rides)"
    ]


def test_later_run_is_held_against_it_and_never_changes_it() -> None:
    truthound.check(FIRST, LEARNING, name="rides")
    before = kept().read_bytes()
    for _ in range(2):
        run = truthound.check(WORSE, LEARNING, name="rides")
        schema, fare = run.checks
        assert (schema.details, schema.severity) == ({"nulls": {"who": 1}}, "critical")
        assert (fare.failed, fare.expected) == (1, "between -1.0 and 11.0")
        assert not run.learned
        assert not run.warnings
    assert kept().read_bytes() == before


def test_validator_that_comes_later_learns_later() -> None:
    truthound.check(FIRST, ["schema"], name="rides")
    run = truthound.check(WORSE, LEARNING, name="rides")
    assert [check.success for check in run.checks] == [False, True]
    assert list(run.learned) == ["range:fare"]
    values = json.loads(kept().read_text())["values"]
    assert values["range:fare"] == {"min": 0.0, "max": 500.0}
    assert values["schema"]["who"] == {"type": "string", "nullable": False}


def test_stamp_is_of_the_clock() -> None:
    @dataclass(frozen=True, slots=True)
    class Noon(Clock):
        def now(self) -> datetime:
            return datetime(2026, 3, 10, 12, tzinfo=UTC)

    run = Validation.of(["schema"], name="rides", clock=Noon()).run(FIRST)
    assert run.run_time == datetime(2026, 3, 10, 12, tzinfo=UTC)
    assert run.run_id.startswith("20260310_120000_")
    assert json.loads(kept().read_text())["learned_at"] == "2026-03-10T12:00:00+00:00"


def test_each_source_and_name_learns_for_itself() -> None:
    for name, low in (("a.csv", 0), ("b.csv", 100)):
        Path(name).write_text(f"x\n{low}\n{low + 10}\n")
    rule = [{"range": {"column": "x"}}]
    assert truthound.check("a.csv", rule).learned
    assert truthound.check("b.csv", rule).learned
    assert truthound.check("a.csv", rule, name="mine").learned
    assert not truthound.check("b.csv", rule).learned
    assert len(list(Path(".truthound/baselines").glob("*.json"))) == 3


def test_frame_without_a_name_is_not_remembered() -> None:
    run = truthound.check(FIRST, LEARNING)
    assert run.success
    assert "the data has no name" in run.warnings[0]
    assert not Path(".truthound").exists()


def test_nothing_is_touched_where_nothing_is_learned() -> None:
    assert truthound.check(FIRST, ["null"], name="rides").success
    assert not Path(".truthound").exists()


def test_place_that_cannot_be_written_is_a_warning() -> None:
    Path(".truthound").write_text("in the way")
    run = truthound.check(FIRST, LEARNING, name="rides")
    assert run.success
    assert "cannot keep the baseline in" in run.warnings[0]
    assert run.learned


def test_damaged_baseline_is_an_error_and_is_left_as_it_is() -> None:
    truthound.check(FIRST, LEARNING, name="rides")
    kept().write_text("{")
    with pytest.raises(StoreError, match="truthound baseline reset"):
        truthound.check(FIRST, LEARNING, name="rides")
    assert kept().read_text() == "{"
    assert truthound.check(FIRST, ["blank"], name="rides").success

    result = Checkpoint("rides", data_source=FIRST, validators=LEARNING).run()
    assert result.status == "error"
    assert "cannot be read" in str(result.error)


def test_learned_schema_of_another_release_is_an_error_of_its_check() -> None:
    truthound.check(FIRST, LEARNING, name="rides")
    record = json.loads(kept().read_text())
    record["values"]["schema"] = {"fare": {"type": "quaternion"}}
    kept().write_text(json.dumps(record))
    run = truthound.check(FIRST, LEARNING, name="rides")
    assert [check.status for check in run.checks] == ["error", "passed"]


def test_failing_run_learns_what_did_not_fail() -> None:
    rules = [{"range": {"column": "fare"}}, {"null": {"column": "who"}}]
    run = truthound.check(WORSE, rules, name="rides")
    assert not run.success
    assert list(run.learned) == ["range:fare"]


def test_own_place_for_baselines(tmp_path: Path) -> None:
    store = Baselines(tmp_path / "mine")
    Validation.of(["schema"], name="rides", baselines=store).run(FIRST)
    found = store.get("rides", "DataFrame")
    assert found is not None
    assert list(found.values) == ["schema"]
    assert not Path(".truthound").exists()


@pytest.mark.parametrize("allow", [True, False])
def test_empty_table_is_an_issue_of_its_own(allow: bool) -> None:
    run = truthound.check(FIRST.head(0), ["null"], allow_empty=allow)
    assert run.success is allow
    assert [(c.name, c.severity) for c in run.issues] == (
        [] if allow else [("empty", "high")]
    )


def test_plan_is_made_once_for_a_schema() -> None:
    validation = Validation.of(["null"])
    validation.run(FIRST)
    plan = validation._plan
    validation.run(WORSE)
    assert validation._plan is plan
    validation.run(pl.DataFrame({"other": [1]}))
    assert validation._plan is not plan


def test_type_that_changes_late_restates_the_checks(tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    path.write_text("n\n" + "\n".join(map(str, range(5_000))) + "\nn/a\n")
    run = truthound.check(path, [{"type": {"column": "n", "type": "integer"}}])
    assert run.checks[0].examples == [{"row": 5_001, "n": "n/a"}]
    assert "was read as text" in run.warnings[0]


def test_failing_rows_of_unordered_data_are_written_without_order() -> None:
    import duckdb

    rules = [{"monotonic": {"column": "x"}}, {"range": {"column": "x", "min": 2}}]
    validation = Validation.of(rules)
    with duckdb.connect() as connection:
        rows = connection.sql("select * from (values (3), (1)) as t(x)")
        assert validation.write_failing(rows, "bad.csv") == 1
    assert Path("bad.csv").read_text().splitlines() == [
        "_failed_checks,x",
        "range(x),1",
    ]


def test_source_that_cannot_be_read_is_raised() -> None:
    with pytest.raises(DataError, match=r"none\.csv"):
        truthound.check("none.csv", ["null"])


def test_severity_floor_hides_issues_but_no_results() -> None:
    frame: Any = pl.DataFrame({"x": [None] * 2 + [1] * 98})
    run = truthound.check(frame, ["null"], min_severity="high")
    assert run.success
    assert run.checks[0].severity == "medium"
