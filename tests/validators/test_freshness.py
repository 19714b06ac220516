"""freshness: how old the newest value is, by a clock of the test's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import truthound
from engines import ENGINES, as_engine
from naive import NAMES
from truthound._clock import Clock
from truthound.errors import ConfigurationError
from truthound.validators import CheckResult
from truthound.validators.spans import time_span
from truthound.validators.validation import Validation

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class AtNoon(Clock):
    def now(self) -> datetime:
        return NOON


def checked(data: Any, **options: Any) -> CheckResult:
    """Check the column ``at`` at noon of the tenth of March 2026."""
    rule = {"freshness": {"column": "at", "max_age": "24h", **options}}
    validation = Validation.of([rule], clock=AtNoon(), allow_empty=True)
    return validation.run(data).checks[0]


around_noon = st.none() | st.integers(-72 * 60, 60).map(
    lambda minutes: NOON + timedelta(minutes=minutes)
)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("zoned", [True, False], ids=["zoned", "naive"])
@given(rows=st.lists(st.tuples(around_noon, st.integers(0, 1), st.sampled_from("ab"))))
def test_verdict_is_that_of_a_loop(engine: str, zoned: bool, rows: list[Any]) -> None:
    def fresh(values: list[datetime | None]) -> bool:
        there = [value for value in values if value is not None]
        if not there:
            return False
        age = NOON - max(there)
        return timedelta(minutes=-5) <= age <= timedelta(days=1)

    frame = pl.DataFrame(
        {
            "at": [at for at, _, _ in rows],
            "flag": [flag for _, flag, _ in rows],
            "group": [group for _, _, group in rows],
        },
        schema={"at": pl.Datetime("us", "UTC"), "flag": pl.Int64, "group": pl.String},
    )
    if not zoned:
        frame = frame.with_columns(pl.col("at").dt.replace_time_zone(None))
    data = as_engine(engine, frame)

    plain, where = checked(data), checked(data, where="flag = 1")
    grouped = checked(data, by="group")

    assert plain.success is fresh([at for at, _, _ in rows])
    assert plain.checked == sum(at is not None for at, _, _ in rows)
    assert where.success is fresh([at for at, flag, _ in rows if flag])
    assert {g.group["group"]: g.passed for g in grouped.groups} == {
        name: fresh([at for at, _, group in rows if group == name])
        for name in {group for _, _, group in rows}
    }


@pytest.mark.parametrize(
    ("newest", "max_age", "fresh", "told"),
    [
        (date(2026, 3, 10), "0s", True, "is 0s old"),
        (date(2026, 3, 9), "12h", True, "is 12h old"),
        (date(2026, 3, 9), "11h", False, "is 12h old"),
        (date(2026, 3, 11), "7d", False, "lies 12h in the future"),
        (datetime(2026, 3, 9, 11, 59), "24h", False, "is 1d 1m old"),
        (datetime(2026, 3, 10, 11, 58, 30), 90, True, "is 1m 30s old"),
        (datetime(2026, 3, 10, 12, 4), "24h", True, "lies 4m in the future"),
        (datetime(2026, 3, 10, 12, 6), "24h", False, "lies 6m in the future"),
        (datetime(2026, 3, 1), timedelta(days=9), False, "is 9d 12h old"),
    ],
)
def test_age_and_future_are_told(
    newest: Any, max_age: Any, fresh: bool, told: str
) -> None:
    check = checked(pl.DataFrame({"at": [newest, None]}), max_age=max_age)
    assert check.success is fresh
    assert check.message.endswith(told)
    assert check.observed == newest


def test_tolerance_for_the_future_can_be_widened() -> None:
    tomorrow = pl.DataFrame({"at": [date(2026, 3, 11)]})
    assert checked(tomorrow, tolerance="12h").success


def test_zone_is_that_of_the_column() -> None:
    # 13:30 in Helsinki is 11:30 in UTC.
    at = pl.Series([datetime(2026, 3, 10, 13, 30)]).dt.replace_time_zone(
        "Europe/Helsinki"
    )
    check = checked(pl.DataFrame({"at": at}))
    assert check.details == {"age_seconds": 1800.0}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rows", [0, 2], ids=["empty", "all null"])
def test_where_there_is_no_value_nothing_is_fresh(engine: str, rows: int) -> None:
    frame = pl.DataFrame({"at": [None] * rows}, schema={"at": pl.Datetime("us")})
    check = checked(as_engine(engine, frame))
    assert (check.status, check.severity) == ("failed", "critical")
    assert "there are no values" in check.message


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", [n for n in NAMES if n])
def test_odd_names(engine: str, name: str) -> None:
    frame = pl.DataFrame({name: [datetime(2020, 1, 1)]})
    rule = {"freshness": {"column": name, "max_age": "1d", "severity": "low"}}
    check = truthound.check(as_engine(engine, frame), [rule]).checks[0]
    assert (check.error, check.status, check.severity) == (None, "failed", "low")


def test_column_of_text_is_an_error() -> None:
    check = checked(pl.DataFrame({"at": ["2026-03-10"]}))
    assert "freshness judges date or datetime columns" in str(check.error)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_age": ""}, "needs max_age"),
        ({"max_age": "a day"}, "max_age is a number of seconds or a text"),
        ({"max_age": -1}, "max_age is not negative"),
        ({"tolerance": "x"}, "tolerance is a number of seconds"),
        ({"mostly": 0.5}, "mostly does not apply to freshness"),
    ],
)
def test_faulty_options_are_refused(options: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        checked(pl.DataFrame({"at": [NOON]}), **options)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30m", 1800), ("1d 12h", 129_600), ("1.5h", 5400), ("2W", 1_209_600), (5, 5)],
)
def test_spans_as_people_write_them(text: Any, seconds: float) -> None:
    assert time_span("x", text) == timedelta(seconds=seconds)
