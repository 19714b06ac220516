"""Profiles and suggestions."""

from __future__ import annotations

import json
import math
import statistics
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import truthound
from engines import ENGINES, as_engine
from naive import NAMES, columns_of, floats, integers, texts
from truthound.errors import CheckError
from truthound.profile import profile, suggest, to_yaml
from truthound.report import render_profile


@pytest.mark.parametrize("engine", ENGINES)
@given(values=columns_of(integers, 30))
def test_numbers_are_those_of_a_loop(engine: str, values: list[Any]) -> None:
    frame = pl.DataFrame({"n": pl.Series(values, dtype=pl.Int64)})

    found = profile(as_engine(engine, frame), bins=4)["n"]

    there = [value for value in values if value is not None]
    assert found.rows == len(values)
    assert found.nulls == len(values) - len(there)
    assert found.distinct == len(set(there))
    assert found.min == min(there, default=None)
    assert found.max == max(there, default=None)
    if there:
        assert found.mean == pytest.approx(statistics.fmean(there))
        assert found.quantiles[0.5] == pytest.approx(statistics.median(there))
        assert found.histogram is not None
        assert sum(found.histogram.counts) == len(there)
        assert len(found.histogram.edges) == len(found.histogram.counts) + 1


@given(values=columns_of(floats, 30))
def test_floats_with_nan_and_infinities(values: list[Any]) -> None:
    frame = pl.DataFrame({"x": pl.Series(values, dtype=pl.Float64)})

    found = profile(frame)["x"]

    assert found.nans == sum(v is not None and math.isnan(v) for v in values)
    json.dumps(profile(frame).to_dict(), allow_nan=False)
    assert render_profile(profile(frame))


def test_every_kind_of_column() -> None:
    frame = pl.DataFrame(
        {
            "list": [[1], [2, 3]],
            "struct": [{"a": 1}, {"a": 2}],
            "none": [None, None],
            "flag": [True, None],
            "kind": pl.Series(["a", "b"], dtype=pl.Categorical),
            "bytes": [b"a", b"b"],
            "day": pl.Series(["2026-01-01", "2026-01-31"]).str.to_date(),
        }
    )
    found = profile(frame)
    assert found["none"].nulls == 2
    assert found["flag"].top == [("true", 1)]
    assert found["day"].histogram is not None
    for form in ("table", "json", "markdown", "html"):
        text = render_profile(found, form)
        for name in frame.columns:
            assert name in text


def test_empty_and_wide_tables() -> None:
    assert profile(pl.DataFrame({"a": pl.Series([], dtype=pl.Int64)})).row_count == 0
    wide = pl.DataFrame({f"c{n}": [n, n + 1] for n in range(2_000)})
    assert len(profile(wide).columns) == 2_000


def test_columns_are_chosen_and_hidden() -> None:
    frame = pl.DataFrame({"name": ["Ann", "Ann"], "age": [30, 41]})

    assert [c.name for c in profile(frame, columns="numeric")] == ["age"]
    with pytest.raises(CheckError, match="did you mean 'age'"):
        profile(frame, columns="agee")

    hidden = profile(frame, redact=["*"])
    text = "".join(render_profile(hidden, f) for f in ("table", "json", "html"))
    assert "Ann" not in text
    assert "41" not in text
    assert hidden["name"].distinct == 1


@given(
    name=st.sampled_from(NAMES),
    data=st.data(),
    kind=st.sampled_from(["integers", "floats", "texts"]),
    copies=st.integers(1, 30),
)
def test_the_data_passes_what_is_suggested(
    name: str, data: st.DataObject, kind: str, copies: int
) -> None:
    strategy, dtype = {
        "integers": (integers, pl.Int64),
        "floats": (floats, pl.Float64),
        "texts": (texts, pl.String),
    }[kind]
    values = data.draw(columns_of(strategy)) * copies
    frame = pl.DataFrame({name: pl.Series(values, dtype=dtype)})

    rules = suggest(frame)
    run = truthound.check(frame, rules, allow_empty=True)
    assert run.success, [(c.name, c.message) for c in run.checks if not c.success]

    text = to_yaml(rules, "data.csv")
    (checkpoint,) = yaml.safe_load(text)["checkpoints"]
    assert checkpoint["name"] == "data"
    assert checkpoint["validators"] == json.loads(json.dumps(rules))
