"""date_range: moments between two others, as a Python loop judges them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import truthound
from engines import ENGINES, as_engine
from judging import agrees, each, tables
from naive import NAMES
from truthound._clock import Clock
from truthound.errors import ConfigurationError
from truthound.validators.validation import Validation

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Fixed(Clock):
    moment: datetime = NOON

    def now(self) -> datetime:
        return self.moment


def failed(values: Sequence[Any], dtype: Any = None, **options: Any) -> list[Any]:
    """Return the values that fail at noon of the tenth of March 2026."""
    frame = pl.DataFrame({"at": pl.Series(values, dtype=dtype)})
    rule = {"date_range": {"column": "at", **options}}
    check = Validation.of([rule], clock=Fixed()).run(frame).checks[0]
    assert check.error is None
    return [example["at"] for example in check.examples]


days = st.dates(date(2025, 12, 25), date(2026, 2, 5))
moments = st.datetimes(datetime(2025, 12, 31), datetime(2026, 2, 2)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
LOW, HIGH = date(2026, 1, 1), date(2026, 1, 31)


@pytest.mark.parametrize("engine", ENGINES)
@given(frame=tables(at=(days, pl.Date)))
def test_dates_are_counted_as_in_a_loop(engine: str, frame: pl.DataFrame) -> None:
    def judge(row: dict[str, Any]) -> bool | None:
        return None if row["at"] is None else LOW <= row["at"] <= HIGH

    options = {"column": "at", "min": "2026-01-01", "max": HIGH}
    agrees(engine, frame, "date_range", options, each(judge))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@given(frame=st.data())
def test_moments_are_counted_as_in_a_loop(engine: str, unit: Any, frame: Any) -> None:
    def judge(row: dict[str, Any]) -> bool | None:
        return None if row["at"] is None else LOW <= row["at"].date() <= HIGH

    rows = frame.draw(tables(at=(moments, pl.Datetime(unit))))
    options = {"column": "at", "min": LOW, "max": "2026-01-31"}
    agrees(engine, rows, "date_range", options, each(judge))


written = st.one_of(
    days.map(date.isoformat),
    moments.map(lambda m: m.isoformat(sep=" ")),
    moments.map(lambda m: m.strftime("%Y-%m-%dT%H:%M")),
    moments.map(lambda m: m.isoformat() + "Z"),
    st.tuples(moments, st.integers(-14 * 60, 14 * 60)).map(
        lambda pair: (
            pair[0].replace(tzinfo=timezone(timedelta(minutes=pair[1]))).isoformat()
        )
    ),
    st.sampled_from(["", "soon", "2026-02-30", "2026-1-1", "20260101", " 2026-01-01"]),
    st.sampled_from(["2026-01-01T25:00", "01/02/2026", "2026-01-31T23:59:60"]),
)
SHAPE = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d:?\d\d)?)?"
)


@pytest.mark.parametrize("engine", ENGINES)
@given(frame=tables(at=(written, pl.String)))
def test_text_is_read_as_in_a_loop(engine: str, frame: pl.DataFrame) -> None:
    low = datetime.combine(LOW, time(), UTC)
    high = datetime.combine(HIGH, time.max, UTC)

    def judge(row: dict[str, Any]) -> bool | None:
        text = row["at"]
        if text is None:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return False
        if not SHAPE.fullmatch(text):
            return False
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return low <= moment <= high

    options = {"column": "at", "min": LOW, "max": HIGH}
    agrees(engine, frame, "date_range", options, each(judge))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", [n for n in NAMES if n])
def test_odd_names(engine: str, name: str) -> None:
    frame = pl.DataFrame({name: ["2026-01-01", "2027-01-01", None]})
    rule = {"date_range": {"column": name, "max": "2026-12-31"}}
    check = truthound.check(as_engine(engine, frame), [rule]).checks[0]
    assert (check.error, check.checked, check.failed) == (None, 2, 1)


def test_date_as_max_means_the_end_of_that_day() -> None:
    values = [datetime(2026, 1, 31, 23, 59, 59, 999_999), datetime(2026, 2, 1)]
    assert failed(values, max="2026-01-31") == [datetime(2026, 2, 1)]
    assert failed(["2026-01-31T23:59", "2026-02-01"], max="2026-01-31") == [
        "2026-02-01"
    ]
    zoned = pl.Series(values).dt.replace_time_zone("America/New_York")
    assert len(failed(zoned, max="2026-01-31")) == 1


@pytest.mark.parametrize(
    ("options", "bad"),
    [
        ({"max": "now"}, [NOON + timedelta(seconds=1)]),
        ({"max": "now+1h"}, [NOON + timedelta(hours=2)]),
        ({"max": "+1h"}, [NOON + timedelta(hours=2)]),
        ({"min": "-7d"}, [NOON - timedelta(days=7, seconds=1)]),
        ({"min": "now - 7d"}, [NOON - timedelta(days=7, seconds=1)]),
        ({"min": "today"}, [NOON - timedelta(hours=13)]),
        ({"max": "today"}, [NOON + timedelta(hours=12)]),
        ({"max": "today-1d"}, [NOON - timedelta(hours=12)]),
        ({"min": "today-36h"}, [NOON - timedelta(hours=49)]),
    ],
)
def test_bounds_relative_to_the_run(options: Any, bad: list[datetime]) -> None:
    good = {"min": NOON, "max": NOON - timedelta(days=2)}[next(iter(options))]
    assert failed([good, *bad], pl.Datetime("us", "UTC"), **options) == bad
    naive = [moment.replace(tzinfo=None) for moment in [good, *bad]]
    assert failed(naive, pl.Datetime("us"), **options) == naive[1:]
    texts = [moment.isoformat() for moment in [good, *bad]]
    assert failed(texts, **options) == texts[1:]


def test_relative_bounds_move_with_the_clock() -> None:
    clock = Fixed(NOON)
    frame = pl.DataFrame({"at": [NOON]})
    rule = {"date_range": {"column": "at", "min": "-1h"}}
    validation = Validation.of([rule], clock=clock)
    assert validation.run(frame).success
    object.__setattr__(clock, "moment", NOON + timedelta(hours=2))
    assert not validation.run(frame).success


def test_dates_against_moments() -> None:
    values = [date(2026, 3, 10), date(2026, 3, 11)]
    assert failed(values, max="now") == [date(2026, 3, 11)]
    assert failed(values, min="now") == []


@pytest.mark.parametrize(
    "bad", ["yesterday", "", "2026-13-01", "now-7x", "7d", "today-"]
)
def test_bound_that_is_no_moment_is_refused(bad: str) -> None:
    with pytest.raises(ConfigurationError, match=r"m(in|ax)"):
        truthound.check({"at": [NOON]}, [{"date_range": {"column": "at", "min": bad}}])


def test_missing_and_crossed_bounds() -> None:
    with pytest.raises(ConfigurationError, match="needs min, max or both"):
        truthound.check({"at": [NOON]}, [{"date_range": {"column": "at"}}])
    with pytest.raises(ConfigurationError, match="beyond the calendar"):
        spec = {"date_range": {"column": "at", "min": "-9999999d"}}
        truthound.check({"at": [NOON]}, [spec])
    crossed = {"date_range": {"column": "at", "min": "2026-02-01", "max": "2026-01-01"}}
    check = truthound.check({"at": [NOON]}, [crossed]).checks[0]
    assert "min (2026-02-01) is after max" in str(check.error)


def test_column_of_numbers_is_an_error() -> None:
    check = truthound.check({"x": [1]}, [{"date_range": {"column": "x", "min": LOW}}])
    assert "date_range judges date or datetime or string" in str(check.checks[0].error)
