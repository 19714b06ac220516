"""range: values between bounds, given and learned, as a Python loop judges them."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import truthound
from engines import ENGINES, as_engine
from truthound.errors import ConfigurationError
from truthound.store import Baselines
from truthound.validators import CheckResult

UTC, BERLIN = dt.UTC, ZoneInfo("Europe/Berlin")
DAY, MICRO = dt.timedelta(days=1), dt.timedelta(microseconds=1)
# Twice in Berlin, where the clock is set back in between.
SUMMER = dt.datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
WINTER = dt.datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def frame_of(values: Sequence[Any], dtype: Any) -> pl.DataFrame:
    return pl.DataFrame({"x": pl.Series(values, dtype=dtype, strict=False)})


def check(data: Any, **options: Any) -> CheckResult:
    spec = {"range": {"column": "x", **options}}
    return truthound.check(data, [spec], allow_empty=True).checks[0]


def learn(data: Any, **options: Any) -> CheckResult:
    spec = {"range": {"column": "x", **options}}
    return truthound.check(data, [spec], name="c", allow_empty=True).checks[0]


def forget() -> None:
    for file in Path(".truthound").rglob("*.json"):
        file.unlink()


def learned() -> Any:
    (kept,) = Baselines.near().all()
    return kept.values["range:x"]


@dataclass(frozen=True)
class Kind:
    """Values of one type, as a column and a loop have them."""

    dtype: Any
    values: st.SearchStrategy[Any]
    bounds: st.SearchStrategy[Any]
    place: Callable[[Any], Any] = Fraction  # on the line of numbers
    engines: Sequence[str] = ENGINES

    def among(self, value: Any, low: Any, high: Any) -> bool:
        """Say what a loop says of one value."""
        if isinstance(value, float) and math.isnan(value):
            return False
        if isinstance(value, float) and math.isinf(value):
            return (high is None) if value > 0 else (low is None)
        place = self.place(value)
        return (low is None or self._bound(low) <= place) and (
            high is None or place <= self._bound(high)
        )

    def _bound(self, bound: Any) -> Any:
        return bound if isinstance(bound, Fraction) else self.place(bound)


def days_of(value: dt.date) -> Fraction:
    return Fraction(value.toordinal())


def seconds_of(value: Any) -> Fraction:
    if isinstance(value, dt.datetime):
        value -= dt.datetime(1970, 1, 1, tzinfo=value.tzinfo and UTC)
    return Fraction(value // MICRO, 1_000_000)


# Full quarters, so that what a loop and an engine reckon is exactly the same.
quarters = st.integers(-80, 80).map(lambda n: n / 4)
odd = st.sampled_from([math.nan, math.inf, -math.inf])
whole = st.integers(-20, 20)
dates = st.dates(dt.date(2026, 1, 1), dt.date(2026, 1, 20))
moments = st.integers(-40, 40).map(lambda n: dt.datetime(2026, 3, 29) + n * DAY / 32)
finer = st.tuples(moments, st.sampled_from([0, 1, 500, 999])).map(
    lambda pair: pair[0] + pair[1] * MICRO
)
around_autumn = st.integers(-16, 16).map(lambda n: WINTER + n * DAY / 96)
spans = st.integers(-20, 20).map(lambda n: n * dt.timedelta(milliseconds=500))
NO_DUCKDB = [engine for engine in ENGINES if engine != "duckdb"]
KINDS = {
    "int": Kind(pl.Int64, whole, whole | quarters),
    "int8": Kind(pl.Int8, whole, whole | st.sampled_from([-1000, 1000, 10**50])),
    "uint64": Kind(pl.UInt64, st.integers(0, 20), whole),
    "float": Kind(pl.Float64, quarters | odd, quarters | whole),
    "float32": Kind(pl.Float32, quarters | odd, quarters | st.just(1e300)),
    "decimal": Kind(
        pl.Decimal(12, 2),
        quarters.map(Decimal),
        st.one_of(quarters, quarters.map(lambda n: Decimal(n) + Decimal("0.001"))),
    ),
    "date": Kind(pl.Date, dates, dates, days_of),
    "ms": Kind(pl.Datetime("ms"), moments, finer, seconds_of),
    "us": Kind(pl.Datetime("us"), finer, finer, seconds_of),
    "ns": Kind(pl.Datetime("ns"), moments, finer, seconds_of),
    "zoned ms": Kind(
        pl.Datetime("ms", "Europe/Berlin"), around_autumn, around_autumn, seconds_of
    ),
    "zoned us": Kind(
        pl.Datetime("us", "America/New_York"),
        around_autumn,
        around_autumn.map(lambda m: m.astimezone(BERLIN)),
        seconds_of,
    ),
    "utc ns": Kind(
        pl.Datetime("ns", "UTC"), around_autumn, around_autumn, seconds_of, NO_DUCKDB
    ),
    "duration": Kind(pl.Duration("ms"), spans, spans, seconds_of, NO_DUCKDB),
    "time": Kind(
        pl.Time,
        finer.map(dt.datetime.time),
        finer.map(dt.datetime.time),
        lambda t: seconds_of(dt.datetime.combine(dt.date(2026, 1, 1), t)),
        NO_DUCKDB,
    ),
}
ROWS = 6
FEWER = settings(max_examples=settings().max_examples // 2)  # of many columns each


@st.composite
def columns(draw: Any, engine: str, tables: int) -> list[dict[str, list[Any]]]:
    """Draw tables with a column of each kind that the engine has."""
    rows = [draw(st.integers(0, ROWS)) for _ in range(tables)]
    return [
        {
            name: [draw(st.none() | kind.values) for _ in range(size)]
            for name, kind in KINDS.items()
            if engine in kind.engines
        }
        for size in rows
    ]


def as_table(engine: str, values: dict[str, list[Any]]) -> Any:
    schema = {name: KINDS[name].dtype for name in values}
    return as_engine(engine, pl.DataFrame(values, schema=schema, strict=False))


@pytest.mark.parametrize("engine", ENGINES)
@FEWER
@given(data=st.data())
def test_given_bounds_are_those_of_a_loop(engine: str, data: st.DataObject) -> None:
    (table,) = data.draw(columns(engine, 1))
    bounds = {}
    for name in table:
        both = st.tuples(KINDS[name].bounds, KINDS[name].bounds)
        low, high = sorted(data.draw(both), key=KINDS[name].place)
        bounds[name] = data.draw(
            st.sampled_from([(low, high), (low, None), (None, high)])
        )
    specs = [
        {"range": {"column": name, "min": low, "max": high}}
        for name, (low, high) in bounds.items()
    ]

    run = truthound.check(as_table(engine, table), specs, allow_empty=True)

    for found, (name, (low, high)) in zip(run.checks, bounds.items(), strict=True):
        judged = [value for value in table[name] if value is not None]
        wrong = [v for v in judged if not KINDS[name].among(v, low, high)]
        assert found.error is None
        assert (found.checked, found.failed) == (len(judged), len(wrong)), name
        assert found.expected.startswith(
            ("between ", "exactly ", "at least ", "at most ")
        )


@pytest.mark.parametrize("engine", ENGINES)
@FEWER
@given(data=st.data())
def test_learned_bounds_are_those_of_a_loop(engine: str, data: st.DataObject) -> None:
    forget()
    before, today = data.draw(columns(engine, 2))
    specs = [{"range": {"column": name, "margin": 0.5}} for name in before]

    first, same, other = [
        truthound.check(as_table(engine, table), specs, name="c", allow_empty=True)
        for table in (before, before, today)
    ]

    for n, name in enumerate(before):
        checks = [run.checks[n] for run in (first, same, other)]
        assert [found.error for found in checks] == [None] * 3
        there = [v for v in before[name] if v is not None and v == v]
        nans = sum(v is not None for v in before[name]) - len(there)
        assert [found.failed for found in checks[:2]] == [nans, nans], name
        low, high = bounds_of(KINDS[name], there)
        judged = [value for value in today[name] if value is not None]
        wrong = [v for v in judged if not KINDS[name].among(v, low, high)]
        assert checks[2].failed == len(wrong), name


def bounds_of(kind: Kind, values: list[Any]) -> tuple[Any, Any]:
    """Return what a loop learns, as places, and half of the span on both sides."""
    if not values:
        return None, None
    low, high = [
        None if isinstance(v, float) and math.isinf(v) else kind.place(v)
        for v in (min(values), max(values))
    ]
    if low is None or high is None or kind.dtype == pl.Time:
        return low, high
    extra = (high - low) / 2
    extra = math.ceil(extra) if kind.dtype == pl.Date else extra
    return low - extra, high + extra


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("before", "kept", "said", "fails"),
    [
        ([1.0, math.inf], {"min": 1.0, "max": None}, "at least 1.0", [0.9, -math.inf]),
        ([-math.inf, 1.0], {"min": None, "max": 1.0}, "at most 1.0", [1.1, math.inf]),
        ([-math.inf, math.inf], {"min": None, "max": None}, "any value", []),
        ([1.0, math.nan, 2.0], {"min": 1.0, "max": 2.0}, "between 1.0 and 2.0", [9]),
        # The largest numbers are no infinities, and their margin is not one either.
        (
            [-1.7e308, 1.7e308],
            {"min": -1.7e308, "max": 1.7e308},
            "between -1.7e+308 and 1.7e+308",
            [math.inf, -math.inf],
        ),
    ],
)
def test_infinite_values_leave_their_side_open(
    engine: str, before: list[float], kept: Any, said: str, fails: list[float]
) -> None:
    frame = frame_of(before, pl.Float64)
    nans = sum(map(math.isnan, before))

    first = learn(as_engine(engine, frame))
    second = learn(as_engine(engine, frame))
    third = learn(as_engine(engine, frame_of([*fails, math.nan, None], pl.Float64)))

    assert learned() == kept
    assert first.message == f"learned: {said}{'; 1 NaN' if nans else ''}"
    assert (first.failed, second.failed) == (nans, nans)
    if None in kept.values():
        assert second.expected == said
    assert third.failed == third.checked == len(fails) + 1


@pytest.mark.parametrize("engine", ENGINES)
def test_nan_teaches_nothing_and_fails(engine: str) -> None:
    data = as_engine(engine, frame_of([math.nan, None], pl.Float64))
    for found in (learn(data), learn(data)):
        assert (found.status, found.failed) == ("failed", 1)
        assert found.message == "nothing learned: no values; 1 NaN"


EXTREMES: list[tuple[Any, list[Any], list[str]]] = [
    (pl.Int64, [-(2**63), 2**63 - 1], ENGINES),
    (pl.UInt64, [0, 2**64 - 1], ENGINES),
    (pl.Int8, [-128, 127], ENGINES),
    (pl.Int128, [-(2**127) + 1, 2**127 - 1], ["polars", "lazy"]),
    (pl.Decimal(38, 18), [Decimal("12345678901234567890.123456789012345678")], ENGINES),
    (pl.Float32, [-3.4028234663852886e38, 0.1], ENGINES),
    (pl.Date, [dt.date.min, dt.date.max], ENGINES),
    (pl.Date, [dt.date(2026, 1, 1), dt.date.max], ENGINES),
    (pl.Datetime("us"), [dt.datetime.min, dt.datetime.max], ENGINES),
    (pl.Datetime("us", "UTC"), [dt.datetime.min, dt.datetime.max], ENGINES),
    (pl.Duration("us"), [-1_000_000 * DAY, 1_000_000 * DAY], NO_DUCKDB),
    (pl.Time, [dt.time.min, dt.time.max], NO_DUCKDB),
]


@pytest.mark.parametrize("margin", [0.1, 1e4], ids=str)
@pytest.mark.parametrize(("dtype", "values", "engines"), EXTREMES, ids=str)
def test_extremes_of_a_type_are_learned_and_in_range(
    dtype: Any, values: list[Any], engines: Sequence[str], margin: float
) -> None:
    for engine in engines:
        forget()
        data = as_engine(engine, frame_of(values, dtype))
        first, second = learn(data, margin=margin), learn(data, margin=margin)
        assert (first.error, second.error) == (None, None)
        assert (first.success, second.success) == (True, True)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("values", [[SUMMER], [WINTER], [SUMMER, WINTER]])
def test_hour_that_comes_twice_is_learned(engine: str, values: list[Any]) -> None:
    zoned = pl.Datetime("us", "Europe/Berlin")
    data = as_engine(engine, frame_of(values, zoned))

    learn(data)
    second = learn(data)
    other = learn(as_engine(engine, frame_of([SUMMER - DAY, WINTER + DAY], zoned)))

    assert learned() == {
        "min": values[0].isoformat(),
        "max": values[-1].isoformat(),
    }
    assert second.success
    assert other.failed == 2


def test_bounds_within_the_hour_that_comes_twice() -> None:
    data = frame_of([SUMMER, WINTER], pl.Datetime("us", "Europe/Berlin"))
    early, late = SUMMER + DAY / 96, WINTER - DAY / 96  # 02:45 and then 02:15
    assert check(data, min=early, max=late).failed == 2
    crossed = check(data, min=WINTER, max=SUMMER)
    assert "is larger than max" in str(crossed.error)
    for rule, bound in (("min", {"max": SUMMER}), ("max", {"min": WINTER})):
        spec = {rule: {"column": "x", **bound}}
        assert truthound.check(data, [spec]).success
    rule = {"max": {"column": "x", "equals": WINTER, "tolerance": 60}}
    assert truthound.check(data, [rule]).success


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("rule", ["range", "date_range", "min"])
@pytest.mark.parametrize(
    "bound",
    [
        "2026-01-01T05:00",
        "2026-01-01T04:00+00:00",
        dt.datetime(2026, 1, 1, 4, tzinfo=UTC),
        dt.datetime(2026, 1, 1, 5),
        dt.datetime(2026, 1, 1, 5, tzinfo=BERLIN),
    ],
    ids=str,
)
def test_bound_without_a_zone_is_in_that_of_the_column(
    bound: Any, rule: str, unit: Any
) -> None:
    five = dt.datetime(2026, 1, 1, 5, tzinfo=BERLIN)
    data = frame_of([five, five - MICRO * 1_000], pl.Datetime(unit, "Europe/Berlin"))
    spec = {rule: {"column": "x", "min": bound}}
    good = truthound.check(data.head(1), [spec]).checks[0]
    bad = truthound.check(data, [spec]).checks[0]
    assert (good.status, bad.status) == ("passed", "failed")


def test_bound_that_no_clock_shows_is_the_moment_after() -> None:
    # On that day two o'clock in Berlin is followed by three.
    at = dt.datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    data = frame_of([at, at - MICRO], pl.Datetime("us", "Europe/Berlin"))
    assert check(data, min="2026-03-29T02:30").failed == 1


@pytest.mark.parametrize("bound", ["2026-01-01T05:00Z", SUMMER], ids=str)
def test_bound_with_a_zone_does_not_fit_a_column_without(bound: Any) -> None:
    data = frame_of([dt.datetime(2026, 1, 1)], pl.Datetime("us"))
    for rule in ("range", "min"):
        found = truthound.check(data, [{rule: {"column": "x", "min": bound}}])
        error = str(found.checks[0].error)
        assert "does not fit 'x', which is datetime[us]" in error
        assert error.endswith("expected a moment without a time zone")


@pytest.mark.parametrize(
    ("dtype", "bound", "expected"),
    [
        (pl.Int64, "5", "a number"),
        (pl.Float64, math.nan, "a number"),
        (pl.Decimal(10, 2), Decimal("NaN"), "a number"),
        (pl.Decimal(10, 2), "1.5", "a number"),
        (pl.Float64, dt.date(2026, 1, 1), "a number"),
        (pl.Date, 20260131, "a date such as 2026-01-31"),
        (pl.Date, "January", "a date such as 2026-01-31"),
        (pl.Datetime("us"), 20260131, "a moment such as 2026-01-31T09:00"),
        (
            pl.Datetime("us", "Europe/Berlin"),
            "0001-01-01T00:00+14:00",
            "a moment of the years 1 to 9999",
        ),
        (pl.Time, 3, "a time such as 23:59:00"),
        (pl.Time, "10:00+02:00", "a time such as 23:59:00"),
        (pl.Duration("us"), "1h", "seconds, or a timedelta"),
        (pl.Duration("us"), math.inf, "seconds, or a timedelta"),
    ],
    ids=str,
)
def test_bound_of_another_type_is_an_error(
    dtype: Any, bound: Any, expected: str
) -> None:
    found = check(frame_of([None], dtype), min=bound)
    assert found.status == "error"
    assert str(found.error).startswith("min=")
    assert "does not fit 'x', which is " in str(found.error)
    assert str(found.error).endswith(f": expected {expected}")


@pytest.mark.parametrize("bound", [math.inf, Decimal("Infinity"), 10**400], ids=str)
@pytest.mark.parametrize(
    "dtype", [pl.Int64, pl.Float32, pl.Float64, pl.Decimal(10, 2)], ids=str
)
def test_bound_beyond_all_numbers(dtype: Any, bound: Any) -> None:
    for engine in ENGINES:
        data = as_engine(engine, frame_of([1, 2], dtype))
        assert check(data, max=bound).success
        assert check(data, min=-bound).success
        assert check(data, min=bound).failed == 2
        assert check(data, max=-bound).failed == 2


def test_crossed_bounds_are_an_error() -> None:
    for dtype, low, high in (
        (pl.Int64, 5, 1),
        (pl.Date, "2026-02-01", "2026-01-01"),
        (pl.Duration("us"), 2, 1),
    ):
        found = check(frame_of([None], dtype), min=low, max=high)
        assert (found.status, found.column) == ("error", "x")
        assert "is larger than max" in str(found.error)
    # Nothing whole lies between them, but they are in order.
    assert check({"x": [2, 3]}, min=2.2, max=2.8).failed == 2


@pytest.mark.parametrize("margin", [-1, math.nan, math.inf])
def test_margin_that_is_none_is_refused(margin: Any) -> None:
    with pytest.raises(ConfigurationError, match="margin is a number from 0"):
        check({"x": [1]}, margin=margin)


def test_column_that_cannot_be_ordered_is_an_error() -> None:
    found = check({"x": ["a"]})
    assert "range judges numeric or temporal columns, but 'x' is string" in str(
        found.error
    )


def test_decimals_are_kept_exactly_and_read_by_other_numbers() -> None:
    cents = [Decimal("0.10"), Decimal("12345678901234567890.12")]
    learn(frame_of(cents, pl.Decimal(38, 2)))
    assert learned() == {"min": "0.10", "max": "12345678901234567890.12"}
    for dtype in (pl.Decimal(38, 4), pl.Float64):
        assert learn(frame_of(cents, dtype)).success
    assert learn(frame_of([1], pl.Int64)).success


def test_column_that_changed_its_kind_says_to_learn_anew() -> None:
    for before, today in ((1, dt.date(2026, 1, 1)), (dt.date(2026, 1, 1), 1)):
        forget()
        learn({"x": [before]})
        found = learn({"x": [today]})
        assert found.status == "error"
        assert "what was learned of 'x' does not fit its type" in str(found.error)
        assert "truthound baseline reset" in str(found.error)
