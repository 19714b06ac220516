"""Numbers over a whole from numbers over its parts."""

from __future__ import annotations

import math
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truthound.data import Metric, native_predicate, sql_predicate
from truthound.data.merging import deviation, least, mean, most, total
from truthound.data.parts import Known, key_digest, packed, unpacked
from truthound.data.sketches import (
    Estimate,
    distinct_merge,
    kll,
    quantile_merge,
    theta,
)

numbers = st.floats(-1e6, 1e6)
parts_of_numbers = st.lists(st.lists(numbers, max_size=8), min_size=1, max_size=5)


@given(parts_of_numbers)
def test_moments_of_parts_are_those_of_the_whole(parts):
    whole = pl.Series([x for part in parts for x in part], dtype=pl.Float64)
    series = [pl.Series(part, dtype=pl.Float64) for part in parts]
    counts = [s.count() for s in series]
    found = mean([s.sum() for s in series], counts)
    assert (found is None) == (whole.mean() is None)
    assert found is None or found == pytest.approx(whole.mean(), rel=1e-9, abs=1e-6)
    found = deviation(
        counts, [s.mean() for s in series], [s.var(ddof=0) for s in series]
    )
    assert (found is None) == (whole.std() is None)
    assert found is None or found == pytest.approx(whole.std(), rel=1e-9, abs=1e-6)


def test_sums_of_decimals_keep_all_digits():
    large = Decimal("1" * 30 + ".01")
    assert total([large, large]) == Decimal("2" * 30 + ".02")


def test_sums_of_infinities_of_both_signs_are_undefined():
    assert math.isnan(total([math.inf, -math.inf]))
    assert total([None, None]) is None


def test_extremes_pass_over_nan_and_what_is_missing():
    values = [None, math.nan, 3.0, -1.0]
    assert (least(values), most(values)) == (-1.0, 3.0)
    assert math.isnan(least([math.nan, None]))
    assert most([None]) is None


def test_extremes_of_moments_go_by_the_instant_when_clocks_are_set_back():
    zone = ZoneInfo("Europe/Helsinki")
    early = datetime(2024, 10, 27, 3, 50, tzinfo=zone)  # before the change
    late = datetime(2024, 10, 27, 3, 10, tzinfo=zone, fold=1)
    assert most([early, late]) is late
    assert least([early, late]) is early


@given(st.lists(st.lists(st.integers(-50, 50), max_size=20), min_size=1, max_size=4))
def test_small_sketches_are_exact(parts):
    whole = pl.Series([x for part in parts for x in part], dtype=pl.Int64)
    frames = [pl.DataFrame({"x": pl.Series(part, dtype=pl.Int64)}) for part in parts]
    metric = Metric(("any",), lambda ns: ns.len(), frozenset())
    sketches = [f.select(kll(pl.col("x"))).item() for f in frames]
    for share in (0.0, 0.3, 0.5, 1.0):
        found = quantile_merge(metric, share).combine(sketches)
        assert found == pytest.approx(whole.quantile(share, interpolation="linear"))
    sketches = [f.select(theta(pl.col("x"))).item() for f in frames]
    assert distinct_merge(metric).combine(sketches) == whole.n_unique()


def test_large_sketches_hold_the_exact_number_between_their_bounds():
    metric = Metric(("any",), lambda ns: ns.len(), frozenset())
    frames = [
        pl.DataFrame({"x": pl.int_range(n, 400_000, 7, eager=True)}) for n in range(5)
    ]
    whole = pl.concat(frames)["x"]
    sketches = [f.select(kll(pl.col("x"))).item() for f in frames]
    for share in (0.01, 0.5, 0.999):
        found = quantile_merge(metric, share).combine(sketches)
        assert isinstance(found, Estimate)
        exact = whole.quantile(share, interpolation="linear")
        assert found.low <= exact <= found.high
        assert found.high - found.low < 400_000 * 0.03
    found = distinct_merge(metric).combine(
        [f.select(theta(pl.col("x"))).item() for f in frames]
    )
    assert found.low <= whole.n_unique() <= found.high
    assert found.plain == pytest.approx(whole.n_unique(), rel=0.05)


@pytest.mark.parametrize(
    "text",
    [
        "a > 3",
        "a IN (1, 2) AND NOT b IS NULL",
        "ABS(a) BETWEEN 1 AND 2 OR UPPER(s) = 'A'",
        "s LIKE 'x%' AND LENGTH(s) > 2",
        "CASE WHEN a > 1 THEN b ELSE 0 END < 4",
        "day > DATE '2024-01-01'",
    ],
)
def test_conditions_on_the_row_alone_are_proven(text):
    assert sql_predicate(text).alone


@pytest.mark.parametrize(
    "condition",
    [
        pl.col("a") > pl.col("a").mean(),
        pl.col("a").shift(1) > 1,
        pl.col("a").cum_sum() > 1,
        pl.col("a").rank() > 1,
        pl.col("a").sum().over("b") > 1,
        pl.col("a").is_duplicated(),
        pl.col("a").is_in(pl.col("b").implode()),
        pl.col("a").forward_fill() > 1,
        pl.col("a").fill_null(pl.col("a").max()) > 1,
        pl.col("a").map_batches(lambda values: values > 1, return_dtype=pl.Boolean),
        pl.col("s").str.to_date() > pl.date(2020, 1, 1),  # guesses from all rows
        pl.int_range(pl.len()) > pl.col("a"),
        pl.sql_expr("a > AVG(a)"),
    ],
)
def test_conditions_on_other_rows_are_not(condition):
    assert not native_predicate(condition).alone


def test_keys_are_the_same_in_every_process():
    key = ("fails", "range", ("a",), (("min", "0"),), None)
    where = native_predicate(pl.col("a") > 3).key
    program = (
        "import polars as pl; from truthound.data import native_predicate\n"
        "from truthound.data.parts import key_digest\n"
        f"print(key_digest({key!r}))\n"
        "print(key_digest(('rows', native_predicate(pl.col('a') > 3).key)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [key_digest(key), key_digest(("rows", where))]


def test_a_key_that_holds_an_object_is_not_kept():
    assert key_digest(("fails", object())) is None


VALUES = [
    *(None, True, 5, -(2**100), 2.5, "text", b"bytes", Decimal("1.10")),
    *(date(2024, 2, 29), time(1, 2, 3, 4), timedelta(days=-1, microseconds=1)),
    *(datetime(2024, 1, 1, 5), datetime(2024, 1, 1, tzinfo=UTC)),
    datetime(2024, 10, 27, 3, 10, tzinfo=ZoneInfo("Europe/Helsinki"), fold=1),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_come_back_as_they_were(value):
    known = unpacked(
        packed(Known("schema", {"key": value}, ["a warning"]), "how"), "how"
    )
    assert known is not None
    found = known.values["key"]
    assert (type(found), found) == (type(value), value)
    assert getattr(found, "fold", 0) == getattr(value, "fold", 0)
    assert known.warnings == ["a warning"]


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_damaged_state_is_no_state(place, change):
    state = bytearray(packed(Known("schema", {"key": 5, "other": 2.5}), "how"))
    state[place % len(state)] ^= change
    assert unpacked(bytes(state), "how") is None
    assert unpacked(bytes(state[: place % len(state)]), "how") is None


def test_a_state_of_other_options_is_no_state():
    assert unpacked(packed(Known("schema"), "how"), "otherwise") is None
