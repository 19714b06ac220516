"""Numbers held to what they were in earlier runs."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truthound._clock import Clock
from truthound.checkpoint import Checkpoint
from truthound.data import ReadOptions  # noqa: F401 - the room is loaded before threads
from truthound.errors import ConfigurationError, StoreError, UnknownOptionError
from truthound.store import MemoryStore, Past
from truthound.validators.looking_back import (
    LASTING,
    MIN_RUNS,
    expect,
    extremes_of,
    sound,
)
from truthound.validators.pooled import pooled_grids, pooled_shares
from truthound.validators.registry import build
from truthound.validators.validation import Validation

MONDAY = datetime(2026, 3, 2, 6, tzinfo=UTC)
DAY = timedelta(days=1)
finite = st.floats(-1e6, 1e6)


def daily(values, step=DAY):
    return [(MONDAY + n * step, float(value)) for n, value in enumerate(values)]


def after(values, step=DAY):
    return MONDAY + len(values) * step


# ------------------------------------------------------------------ the mathematics


@given(st.lists(finite, max_size=MIN_RUNS - 1))
def test_nothing_is_expected_of_too_few(values):
    assert expect(daily(values), after(values)) is None


@given(st.lists(finite, min_size=MIN_RUNS, max_size=40))
def test_same_past_gives_same_bounds_around_the_forecast(values):
    first = expect(daily(values), after(values))
    again = expect(daily(values), after(values))

    assert first == again
    assert first.low <= first.middle <= first.high
    assert first.runs == len(values)


@given(
    st.lists(st.integers(-1000, 1000), min_size=MIN_RUNS, max_size=30),
    st.integers(-500, 500),
    st.sampled_from([0.5, 2.0, 4.0]),
)
def test_bounds_move_and_grow_with_the_values(values, shift, factor):
    silent = {"noise": lambda middle: 0.0}
    plain = expect(daily(values), after(values), **silent)
    moved = [value * factor + shift for value in values]

    other = expect(daily(moved), after(values), **silent)

    assert other.method == plain.method
    assert other.low == pytest.approx(plain.low * factor + shift, abs=1e-6)
    assert other.high == pytest.approx(plain.high * factor + shift, abs=1e-6)


def test_constant_past_puts_up_with_noise_and_not_with_a_fault():
    expected = expect(daily([10_000] * 28), after([0] * 28))

    assert expected.holds(10_001)
    assert expected.holds(9_700)
    assert not expected.holds(4_012)
    assert expected.method == "level"


def test_weekdays_are_told_apart():
    drawn = random.Random(1)
    values = [(2_000 if n % 7 > 4 else 10_000) + drawn.gauss(0, 50) for n in range(70)]

    monday = expect(daily(values), after(values))
    saturday = expect(daily(values), after(values) + 5 * DAY)

    assert (monday.method, saturday.method) == ("weekday", "weekday")
    assert monday.holds(10_050)
    assert not monday.holds(2_000)
    assert saturday.holds(1_950)
    assert not saturday.holds(10_000)


def test_line_is_followed():
    drawn = random.Random(2)
    values = [1_000 + 100 * n + drawn.gauss(0, 20) for n in range(40)]

    expected = expect(daily(values), after(values))

    assert expected.method in {"trend", "step"}
    assert expected.holds(5_000)
    assert not expected.holds(3_000)


def test_single_outliers_do_not_widen_the_bounds():
    values = [100 + n % 3 for n in range(40)]
    spoilt = [*values]
    spoilt[10], spoilt[25] = 10_000, -10_000

    assert not expect(daily(spoilt), after(spoilt)).holds(130)


def test_few_values_out_of_place_are_left_out_and_a_lasting_level_is_kept():
    held = [(at, value, True) for at, value in daily(range(10))]
    wild = [(at, 1e4 * n, False) for n, (at, _, _) in enumerate(held)]
    assert sound([*held, *wild]) == daily(range(10))
    never = [(at, 99.0, False) for at, _, _ in held]
    assert sound([*held, *never], 0) == daily(range(10))
    strange = [(MONDAY + n * DAY, 99.0, False) for n in range(10, 10 + LASTING)]

    assert sound([*held, *strange[:-1]]) == daily(range(10))
    assert sound([*held, *strange])[-LASTING:] == [(at, v) for at, v, _ in strange]
    later = (MONDAY + 20 * DAY, 5.0, True)
    assert sound([*held, *strange[:2], later])[-1] == (later[0], 5.0)
    assert len(sound([*held, *strange[:2], later])) == 11


@given(st.lists(st.tuples(finite, finite), min_size=1, max_size=30))
def test_extremes_bound_the_medians(pairs):
    lows, highs = [min(p) for p in pairs], [max(p) for p in pairs]

    low, high, runs = extremes_of(lows, highs)

    assert low <= sorted(lows)[len(lows) // 2]
    assert high >= sorted(highs)[(len(highs) - 1) // 2]
    assert runs == len(pairs)


def grid_of(values):
    from truthound.data.samples import grid_of as measured

    frame = pl.DataFrame({"v": pl.Series(values, dtype=pl.Float64)})
    return frame.select(measured(pl.col("v"), 101)).item().to_list()


@given(st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=30), min_size=1))
def test_pooled_counts_are_those_of_all_values_where_runs_know_them(runs):
    pooled = pooled_grids([grid_of(values) for values in runs])
    every = sorted(value for values in runs for value in values)

    assert pooled["rows"] == len(every)
    assert pooled["quantiles"][0] == every[0]
    assert pooled["quantiles"][-1] == every[-1]
    assert pooled["quantiles"] == sorted(pooled["quantiles"])
    assert pooled["up_to"][-1] == len(every)
    assert pooled["below"][0] == 0


def test_pooled_shares_add_up():
    runs = [
        [{"value": "a", "count": 3}, {"value": "b", "count": 1}],
        [{"value": "a", "count": 1}, {"value": "c", "count": 5}],
    ]

    known = pooled_shares(runs)

    assert known["rows"] == 10
    assert known["shares"] == {"c": 0.5, "a": 0.4, "b": 0.1}
    assert pooled_shares([[]]) is None
    assert pooled_grids([[None] * 101]) is None


# ------------------------------------------------------------------------ the rules


class Fixed(Clock):
    """A clock that stands where it is put."""

    at = MONDAY

    def now(self):
        return Fixed.at


def runs(store, frames, rules, **options):
    """Run one frame a day; return the results."""
    found = []
    for frame in frames:
        Fixed.at += DAY
        checkpoint = Checkpoint(
            "c",
            data_source=frame,
            validators=rules,
            store=store,
            clock=Fixed(),
            **options,
        )
        found.append(checkpoint.run())
    return found


@pytest.fixture(autouse=True)
def _begin_on_a_monday():
    Fixed.at = MONDAY


def frame(rows=100, factor=1, missing=0, kind="ab"):
    values = [factor * (10 + n % 5) for n in range(rows)]
    values[:missing] = [None] * missing
    return pl.DataFrame({"v": values, "k": [kind[n % len(kind)] for n in range(rows)]})


def first_check(result):
    assert result.error is None, result.error
    return result.validation_run.checks[0]


@pytest.mark.parametrize(
    ("rule", "usual", "odd", "told"),
    [
        (
            {"row_count": {"anomaly": True}},
            [frame(100 + n % 2) for n in range(12)],
            frame(20),
            "rows from 12 runs, got 20",
        ),
        (
            {"mean": {"column": "v", "anomaly": True}},
            [frame() for _ in range(12)],
            frame(factor=3),
            "from 12 runs, got 36",
        ),
        (
            {"median": {"column": "v", "anomaly": True}},
            [frame() for _ in range(12)],
            frame(factor=3),
            "from 12 runs, got 36",
        ),
        (
            {"distinct_count": {"column": "k", "anomaly": True}},
            [frame() for _ in range(12)],
            frame(kind="abcdefghijklmnopqrstuvwxyz"),
            "different values from 12 runs, got 26",
        ),
        (
            {"null": {"column": "v", "anomaly": True}},
            [frame(missing=3 + n % 3) for n in range(12)],
            frame(missing=60),
            "missing from 12 runs, got 60.00%",
        ),
        (
            {"range": {"column": "v", "learned": True}},
            [frame() for _ in range(12)],
            frame(factor=3),
            "10–14 from 12 runs",
        ),
        (
            {"distribution": {"column": "v", "last": 12}},
            [frame() for _ in range(12)],
            frame(factor=3),
            "from 12 runs",
        ),
        (
            {"distribution": {"column": "k", "last": 12}},
            [frame() for _ in range(12)],
            frame(kind="c"),
            "from 12 runs",
        ),
    ],
    ids=lambda p: next(iter(p)) if isinstance(p, dict) else "",
)
def test_rule_is_silent_then_usual_then_tells(rule, usual, odd, told):
    with MemoryStore() as store:
        results = runs(store, [*usual, odd, usual[0]], [rule])

    assert all(r.success for r in results[:-2]), [r.summary() for r in results]
    found = first_check(results[-2])
    assert found.status == "failed"
    assert told.split(" from ")[-1] in f"{found.message} {found.expected}"
    assert found.details["runs"] == 12
    assert results[-1].success  # the fault did not become the usual


@pytest.mark.parametrize(
    "rule",
    ["row_count", "mean", "null", "distribution"],
)
def test_silence_says_how_many_runs_there_are(rule):
    options = {"last": 12} if rule == "distribution" else {"anomaly": True}
    if rule != "row_count":
        options["column"] = "v"
    with MemoryStore() as store:
        results = runs(store, [frame(), frame(), frame(5)], [{rule: options}])

    assert "2 of 8 earlier runs so far" in first_check(results[-1]).message
    assert results[-1].success


def test_range_learns_a_baseline_until_there_are_enough_runs():
    rule = {"range": {"column": "v", "learned": True}}
    with MemoryStore() as store:
        results = runs(store, [frame(), frame(), frame(factor=9)], [rule])

    assert "learned" in first_check(results[0]).message
    assert first_check(results[2]).status == "failed"  # against the baseline


def test_new_level_is_learned_when_it_lasts():
    rule = {"row_count": {"anomaly": True}}
    frames = [frame(100)] * 12 + [frame(300)] * (LASTING + 3)
    with MemoryStore() as store:
        results = runs(store, frames, [rule])

    held = [result.success for result in results[12:]]
    assert held[:LASTING] == [False] * LASTING
    assert held[-1]


def test_outage_of_all_kinds_of_numbers_never_becomes_usual():
    rule = {"row_count": {"anomaly": True}}
    odd = [frame(n) for n in (1, 900, 30, 2_000, 5, 700, 20, 1_500, 9, 800)]
    with MemoryStore() as store:
        results = runs(store, [*[frame(100)] * 20, *odd, frame(100), frame(40)], [rule])

    assert not any(result.success for result in results[20:30])
    assert [result.success for result in results[30:]] == [True, False]


def test_freshness_knows_when_something_new_should_have_come():
    rule = {"freshness": {"column": "at", "anomaly": True}}

    def feed():
        return pl.DataFrame({"at": [Fixed.at]})

    with MemoryStore() as store:
        for _ in range(12):
            Fixed.at += DAY
            last = feed()
            checkpoint = Checkpoint(
                "c", data_source=last, validators=[rule], store=store, clock=Fixed()
            )
            assert checkpoint.run().success
        Fixed.at += timedelta(hours=20)
        soon = checkpoint.run()
        Fixed.at += timedelta(days=3)
        late = checkpoint.run()

    assert soon.success
    assert late.status == "failure"
    assert "from 11 times that something new came" in first_check(late).message


def test_decimals_and_redacted_columns():
    rows = pl.DataFrame({"v": [Decimal("1.10"), Decimal("2.30")]})
    rule = {"mean": {"column": "v", "anomaly": True}}
    with MemoryStore() as store:
        plain = runs(store, [rows] * 10, [rule])
        assert store.past("c")[-1].values["mean v"] == pytest.approx(1.7)
    with MemoryStore() as store:
        hidden = runs(store, [rows] * 10, [rule], redact="v")
        kept = store.past("c")[-1].values

    assert "from 9 runs" in first_check(plain[-1]).message
    assert "0 of 8" in first_check(hidden[-1]).message
    assert "mean v" not in kept
    assert 1.7 not in kept.values()
    assert kept["nulls v"] == 0


def test_without_a_store_the_rules_pass_and_say_so():
    for rule in ({"row_count": "anomaly"}, {"mean": {"column": "v", "anomaly": True}}):
        result = Checkpoint("c", data_source=frame(), validators=[rule]).run()
        assert "0 of 8 earlier runs so far" in first_check(result).message


def test_store_that_cannot_be_read_is_an_error_of_the_check():
    def broken(source, limit):
        raise StoreError("the store x: gone")

    validation = Validation.of([{"row_count": "anomaly"}, "null"])
    run = validation.run(frame(), past=broken)

    assert [check.status for check in run.checks] == ["error", "passed", "passed"]
    assert "the store x: gone" in run.checks[0].error


def test_earlier_runs_of_another_kind_are_passed_over():
    odd = [
        Past(run_id=str(n), at=MONDAY, status="success", values={"rows": value})
        for n, value in enumerate([None, True, "many", [1], float("nan"), 10])
    ]
    run = Validation.of([{"row_count": "anomaly"}]).run(frame(), past=lambda s, n: odd)

    assert "1 of 8 earlier runs so far" in run.checks[0].message


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"row_count": {"anomaly": True, "min": 1}}, "row_count needs"),
        ({"row_count": {"min": 1, "limit": 2}}, "limit of row_count goes together"),
        ({"row_count": {"anomaly": True, "limit": 0}}, "limit of row_count is above 0"),
        ({"row_count": {"anomaly": True, "min_runs": 2.5}}, "min_runs"),
        ({"row_count": {"anomaly": True, "last": 3}}, "less than min_runs"),
        ({"row_count": {"anomaly": True, "by": "k"}}, "by does not go together"),
        ({"mean": {"column": "v", "anomaly": True, "min": 1}}, "mean needs"),
        ({"range": {"column": "v", "learned": True, "min": 1}}, "neither min nor max"),
        ({"range": {"column": "v", "anomaly": True}}, "anomaly does not apply"),
        ({"freshness": {"column": "at"}}, "or anomaly: true"),
        ({"freshness": {"column": "at", "max_age": "1h", "anomaly": True}}, "max_age"),
        (
            {"distribution": {"column": "v", "last": 5, "mean": 1, "std": 1}},
            "last goes",
        ),
        ({"distribution": {"column": "v", "last": 3}}, "min_runs (8)"),
        ({"null": {"column": "v", "anomaly": True, "mostly": 0.5}}, "mostly"),
        ({"range": "lerned"}, "did you mean 'learned'"),
        ({"unique": "anomaly"}, "expected its options as a mapping"),
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused(spec, said):
    with pytest.raises((ConfigurationError, UnknownOptionError)) as caught:
        build(spec)
    assert said in str(caught.value)


def test_text_is_no_number_to_look_back_at():
    result = Checkpoint(
        "c",
        data_source=frame(),
        validators=[{"range": {"column": "k", "learned": True}}],
    ).run()
    assert result.status == "error"


def test_short_forms_in_yaml(tmp_path):
    from truthound.checkpoint import load_checkpoints

    file = tmp_path / "truthound.yaml"
    file.write_text(
        "checkpoints:\n"
        "  - name: c\n"
        "    data_source: x.csv\n"
        "    validators: [row_count: anomaly, range: learned]\n"
    )
    (checkpoint,) = load_checkpoints(file)
    count, bounds = checkpoint._validation().validators
    assert (count.anomaly, bounds.learned) == (True, True)
