"""What stands more than once, counted by sorting, against a plain Python loop."""

from __future__ import annotations

import math
from collections import Counter
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import truthound
from truthound.data import expr
from truthound.validators import repeats

# A few values of each type, with the pairs that look different and are equal.
FEW: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "integer": (pl.Int64, st.sampled_from([0, 1, -1, 2**63 - 1, -(2**63)])),
    "unsigned": (pl.UInt64, st.sampled_from([0, 1, 2**64 - 1])),
    "float": (
        pl.Float64,
        st.sampled_from([0.0, -0.0, 1.5, math.nan, -math.nan, math.inf, -math.inf]),
    ),
    "decimal": (pl.Decimal(10, 2), st.sampled_from([Decimal("1.10"), Decimal("2.00")])),
    "text": (pl.String, st.sampled_from(["", "a", "A", "ab", "é", "a\x00"])),
    "binary": (pl.Binary, st.sampled_from([b"", b"a", b"\x00"])),
    "boolean": (pl.Boolean, st.booleans()),
    "category": (pl.Categorical, st.sampled_from(["x", "y", "z"])),
    "date": (pl.Date, st.sampled_from([date(2024, 2, 29), date(1900, 1, 1)])),
    "time": (
        pl.Datetime("us", "Europe/Berlin"),
        st.sampled_from([datetime(2024, 1, 1), datetime(2024, 1, 1, 0, 0, 0, 1)]),
    ),
    "duration": (pl.Duration("ms"), st.sampled_from([timedelta(0), timedelta(1)])),
    "list": (pl.List(pl.Int64), st.sampled_from([[], [1], [1, 2]])),
    "nested": (
        pl.Struct({"f": pl.Float64, "s": pl.String}),
        st.sampled_from([{"f": 0.0, "s": None}, {"f": -0.0, "s": None}]),
    ),
}


def same(value: Any) -> Any:
    """Return what equal values have in common, as a key of a dict."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value + 0.0
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, dict):
        return tuple((name, same(part)) for name, part in value.items())
    return value


@st.composite
def columns(draw: st.DrawFn) -> pl.DataFrame:
    height = draw(st.integers(0, 12))
    kinds = draw(st.lists(st.sampled_from(sorted(FEW)), min_size=1, max_size=3))
    data = {}
    for n, kind in enumerate(kinds):
        dtype, values = FEW[kind]
        some = draw(st.lists(st.none() | values, min_size=height, max_size=height))
        data[f"c{n}"] = pl.Series(some, dtype=dtype, strict=False)
    return pl.DataFrame(data)


@pytest.fixture(params=[0, 1_000], ids=["sorted", "few"], autouse=True, scope="module")
def _few(request: pytest.FixtureRequest) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(expr, "FEW_ROWS", request.param)
        yield


@given(columns(), st.integers(0, 3))
def test_unique_counts_and_shows_what_a_loop_does(
    frame: pl.DataFrame, limit: int
) -> None:
    rows = [tuple(map(same, row)) for row in frame.rows()]
    counted = Counter(row for row in rows if None not in row)
    bad = [n for n, row in enumerate(rows, 1) if counted[row] > 1]
    for data in (frame, frame.lazy()):
        check = truthound.check(
            data,
            [{"unique": {"columns": frame.columns}}],
            sample_rows=limit,
            allow_empty=True,
        ).checks[0]
        assert (check.checked, check.failed) == (counted.total(), len(bad))
        assert check.details.get("surplus", 0) == counted.total() - len(counted)
        assert [row["row"] for row in check.examples] == bad[:limit]


@given(columns())
def test_duplicate_counts_missing_values_as_equal(frame: pl.DataFrame) -> None:
    rows = [tuple(map(same, row)) for row in frame.rows()]
    counted = Counter(rows)
    bad = [n for n, row in enumerate(rows, 1) if counted[row] > 1]
    check = truthound.check(frame, ["duplicate"], allow_empty=True).checks[-1]
    assert (check.checked, check.failed) == (len(rows), len(bad))
    assert check.details.get("surplus", 0) == len(rows) - len(counted)
    assert [row["row"] for row in check.examples] == bad[:5]


@given(columns())
def test_only_the_rows_of_where_can_repeat(frame: pl.DataFrame) -> None:
    frame = frame.with_row_index("n")
    rows = [tuple(map(same, row[1:])) for row in frame.rows()]
    counted = Counter(row for row in rows[::2] if None not in row)
    bad = [n for n in range(1, len(rows) + 1, 2) if counted[rows[n - 1]] > 1]
    rule = {"columns": frame.columns[1:], "where": "n % 2 = 0"}
    check = truthound.check(frame, [{"unique": rule}], allow_empty=True).checks[-1]
    assert (check.checked, check.failed) == (counted.total(), len(bad))
    assert [row["row"] for row in check.examples] == bad[:5]


def test_more_repeated_keys_than_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(repeats, "MANY_KEYS", 3)
    frame = pl.DataFrame({"id": [*range(50), *range(40, 50)]})
    check = truthound.check(frame, [{"unique": {"column": "id"}}]).checks[0]
    assert (check.failed, check.details["surplus"]) == (20, 10)
    assert [row["row"] for row in check.examples] == [41, 42, 43, 44, 45]
