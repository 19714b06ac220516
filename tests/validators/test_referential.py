"""referential: orphans as a Python loop finds them, on every engine."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import truthound
from engines import ENGINES, as_engine
from judging import agrees, each, tables
from naive import NAMES, floats, texts
from truthound.errors import ConfigurationError
from truthound.validators import CheckResult

small = st.integers(0, 5)


def lookup(data: Any, source: Any, column: Any = "x", **names: Any) -> CheckResult:
    references = {"source": source, **names}
    key = "columns" if isinstance(column, list) else "column"
    rule = {"referential": {key: column, "references": references}}
    return truthound.check(data, [rule], allow_empty=True).checks[0]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("values", "dtype", "other"),
    [
        (small, pl.Int64, pl.Int8),
        (small, pl.UInt64, pl.Int64),
        (small, pl.Int64, pl.Float64),
        (floats, pl.Float64, pl.Float64),
        (texts, pl.String, pl.String),
        (st.dates(date(2026, 1, 1), date(2026, 1, 5)), pl.Date, pl.Date),
        (st.booleans(), pl.Boolean, pl.Boolean),
    ],
    ids=["sizes", "unsigned", "in floats", "float", "text", "date", "boolean"],
)
@given(data=st.data())
def test_counts_are_those_of_a_loop(
    engine: str, values: Any, dtype: Any, other: Any, data: Any
) -> None:
    frame = data.draw(tables(x=(values, dtype)))
    known = data.draw(st.lists(st.none() | values, max_size=5))
    references = {
        "source": as_engine(engine, pl.DataFrame({"k": pl.Series(known, dtype=other)})),
        "column": "k",
    }

    def judge(row: dict[str, Any]) -> bool | None:
        value = row["x"]
        if value is None:
            return None
        return any(value == one for one in known)  # a NaN is equal to none

    options = {"column": "x", "references": references}
    agrees(engine, frame, "referential", options, each(judge))


@pytest.mark.parametrize("engine", ENGINES)
@given(
    frame=tables(a=(small, pl.Int64), b=(texts, pl.String)),
    known=st.lists(st.tuples(st.none() | small, st.none() | texts), max_size=6),
)
def test_keys_of_several_columns(engine: str, frame: pl.DataFrame, known: Any) -> None:
    other = pl.DataFrame(
        {"a": [a for a, _ in known], "c": [c for _, c in known]},
        schema={"a": pl.Int16, "c": pl.String},
    )

    def judge(row: dict[str, Any]) -> bool | None:
        key = (row["a"], row["b"])
        return None if None in key else key in known

    options = {
        "columns": ["a", "b"],
        "references": {"source": other, "columns": ["a", "c"]},
    }
    agrees(engine, frame, "referential", options, each(judge))


def test_orphans_are_counted_once_each() -> None:
    check = lookup({"x": [1, 2, 2, 3, None]}, {"x": [1, None]})
    assert (check.checked, check.failed, check.details) == (4, 3, {"orphans": 2})
    assert check.observed == "2 different values are unknown"


def test_reference_is_read_once_for_a_key() -> None:
    calls = []

    def planes() -> pl.DataFrame:
        calls.append(1)
        return pl.DataFrame({"tail": ["N1"]})

    frame = pl.DataFrame({"tail": ["N1", "N2"], "by": ["a", "b"]})
    rule = {"column": "tail", "by": "by", "references": {"source": planes}}
    run = truthound.check(frame, [{"referential": rule}])
    assert (run.checks[0].failed, len(calls)) == (1, 1)


def test_two_rules_of_one_shape_are_not_confused() -> None:
    rules = [
        {"referential": {"column": "x", "references": {"source": {"x": known}}}}
        for known in ([1], [1, 2], [])
    ]
    checks = truthound.check({"x": [1, 2]}, rules).checks
    assert [check.failed for check in checks] == [1, 0, 2]


def test_a_new_run_reads_the_references_anew(tmp_path: Path) -> None:
    path = tmp_path / "known.csv"
    spec = {"referential": {"column": "x", "references": {"source": str(path)}}}
    checkpoint = truthound.Checkpoint(
        "x", data_source=pl.DataFrame({"x": [1, 2]}), validators=[spec]
    )
    path.write_text("x\n1\n")
    assert checkpoint.run().validation_run.checks[0].failed == 1
    path.write_text("x\n1\n2\n")
    assert checkpoint.run().validation_run.checks[0].failed == 0


def test_late_change_of_type_in_the_references_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "known.csv"
    path.write_text("x,y\n" + "".join(f"{n},1\n" for n in range(20_000)) + "n/a,1\n")
    check = lookup({"x": [1]}, str(path))
    assert "cannot be looked up in 'x'" in str(check.error)
    assert lookup({"x": ["n/a", "17", "no"]}, str(path)).failed == 1


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ([1], ["1"]),
        ([True], [1]),
        ([date(2026, 1, 1)], [datetime(2026, 1, 1)]),
        ([datetime(2026, 1, 1)], [datetime(2026, 1, 1, tzinfo=UTC)]),
        ([[1]], [[1]]),
    ],
)
def test_types_that_do_not_compare_are_an_error(left: Any, right: Any) -> None:
    check = lookup({"x": left}, {"x": right})
    assert check.status == "error"
    assert "cannot be looked up in 'x' of dict" in str(check.error)


@pytest.mark.parametrize(
    ("left", "right", "failed"),
    [
        ([Decimal("1.10"), Decimal("2.50")], [1.1], 1),
        ([2.5, 2.0], [2], 1),
        ([300, 1], pl.Series([44], dtype=pl.Int8), 2),
        ([2**63, 5], pl.Series([5], dtype=pl.Int64), 1),
        (pl.Series(["a", "b"], dtype=pl.Categorical), ["b"], 1),
        ([math.nan, 1.0], [math.nan], 2),
        (
            [datetime(2026, 1, 1, 12, tzinfo=UTC)],
            pl.Series([datetime(2026, 1, 1, 12)])
            .dt.replace_time_zone("UTC")
            .dt.convert_time_zone("Asia/Tokyo"),
            0,
        ),
        (
            pl.Series([datetime(2026, 1, 1)], dtype=pl.Datetime("ns")),
            pl.Series([datetime(2026, 1, 1)], dtype=pl.Datetime("ms")),
            0,
        ),
    ],
)
def test_types_are_compared_by_value(left: Any, right: Any, failed: int) -> None:
    check = lookup(pl.DataFrame({"x": left}), pl.DataFrame({"x": right}))
    assert (check.error, check.failed) == (None, failed)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", [n for n in NAMES if n])
def test_odd_names(engine: str, name: str) -> None:
    frame = pl.DataFrame({name: [1, 2], "0": [5, 6]})
    other = as_engine(engine, frame.head(1))
    data = as_engine(engine, frame)
    alone = lookup(data, other, name)
    together = lookup(data, other, [name, "0"])
    assert [(c.error, c.failed) for c in (alone, together)] == [(None, 1)] * 2
    assert alone.examples[0][name] == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"column": "x"}, "references needs source"),
        ({"column": "x", "references": {"sorce": 1}}, "did you mean 'source'"),
        (
            {
                "column": "x",
                "references": {"source": {}, "column": "a", "columns": "b"},
            },
            "column or columns, not both",
        ),
    ],
)
def test_faulty_options_are_refused(options: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        truthound.check({"x": [1]}, [{"referential": options}])


def test_what_cannot_be_looked_up_is_an_error_of_the_check(tmp_path: Path) -> None:
    torn = tmp_path / "torn.csv"
    torn.write_text('x,y\n1,"2\n')
    data = {"x": [1], "y": [2]}
    cases = [
        (lookup(data, tmp_path / "none.csv"), "there is no file"),
        (lookup(data, torn), "torn.csv"),
        (lookup(data, {"z": [1]}), "there is no column 'x'"),
        (lookup(data, {"x": [1]}, ["x", "y"], columns="x"), "a key of 2"),
        (lookup(data, 42), "cannot read data of type int"),
    ]
    for check, said in cases:
        assert check.status == "error"
        assert said in str(check.error)
