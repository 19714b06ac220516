"""Frames of every engine give the same numbers; what is no frame is refused."""

from __future__ import annotations

import datetime as dt
import itertools
from decimal import Decimal
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import truthound
from engines import ENGINES, as_engine
from truthound.data import (
    ROWS,
    Batch,
    Metric,
    Predicate,
    ReadOptions,
    Showing,
    open_source,
)
from truthound.errors import (
    CheckError,
    ConfigurationError,
    DataError,
    MalformedDataError,
    UnsupportedDataError,
)

NAN = float("nan")
FRAME = pl.DataFrame(
    {
        "x": [1.0, None, NAN, 700.0, -3.0],
        "s": ["a", "", None, "c", "d"],
        "g": [1, 1, 2, 2, 2],
        "d": [dt.date(2024, 1, 1), None, *[dt.date(2024, 5, 1)] * 3],
    }
)


def metric(name: str, build: Any, *reads: str, portable: bool = True) -> Metric:
    return Metric((name,), build, frozenset(reads), portable)


SUM = metric("sum", lambda ns: ns.col("g").sum(), "g")
NULLS = metric("nulls", lambda ns: ns.col("s").null_count(), "s")
LONGEST = metric(
    "longest", lambda ns: ns.col("s").str.len_chars().max(), "s", portable=False
)


@pytest.mark.parametrize("engine", ENGINES)
def test_metrics_agree_on_every_engine(engine: str) -> None:
    table = open_source(as_engine(engine, FRAME))

    values = table.measure(Batch([LONGEST, ROWS, SUM, NULLS]))

    assert values == [(1, 5, 8, 1)]
    assert all(type(value) is int for value in values[0])


@pytest.mark.parametrize("engine", ENGINES)
def test_groups_agree_on_every_engine(engine: str) -> None:
    table = open_source(as_engine(engine, FRAME))

    assert sorted(table.measure(Batch([ROWS, NULLS], by=["g"]))) == [
        (1, 2, 0),
        (2, 3, 1),
    ]


@pytest.mark.parametrize("name", ["m0", "m", "m_0", ""])
def test_group_column_may_be_called_like_a_result(name: str) -> None:
    table = open_source(pl.DataFrame({name: [1, 1, 2]}))

    assert table.measure(Batch([ROWS], by=[name])) == [(1, 2), (2, 1)]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("portable", [True, False])
def test_examples_agree_on_every_engine(engine: str, portable: bool) -> None:
    table = open_source(as_engine(engine, FRAME))
    below = Predicate(lambda ns: ns.col("x") < 0, frozenset("x"), portable)
    missing = Predicate(lambda ns: ns.col("s").is_null(), frozenset("s"), portable)

    found = table.examples([Showing(below, ["x", "g"], 2), Showing(missing, ["g"], 2)])

    ordered = engine != "duckdb"
    assert found == [
        [{**({"row": 5} if ordered else {}), "x": -3.0, "g": 2}],
        [{**({"row": 3} if ordered else {}), "g": 2}],
    ]


@pytest.mark.parametrize("engine", ENGINES)
def test_schema_agrees_on_every_engine(engine: str) -> None:
    schema = open_source(as_engine(engine, FRAME)).schema

    assert [column.kind for column in schema.values()] == [
        "float",
        "string",
        "integer",
        "date",
    ]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("frame", [FRAME.clear(), FRAME.head(1)], ids=["none", "one"])
def test_to_polars_returns_the_rows(engine: str, frame: pl.DataFrame) -> None:
    table = open_source(as_engine(engine, frame))

    found = table.to_polars(["g", "s"]).collect()

    assert found.rows() == frame.select("g", "s").rows()


@pytest.mark.parametrize("engine", ENGINES)
def test_predicate_on_a_missing_column_is_a_check_error(engine: str) -> None:
    table = open_source(as_engine(engine, FRAME))

    with pytest.raises(CheckError):
        table.measure(Batch([metric("no", lambda ns: ns.col("zz").min(), "x")]))


def test_pandas_nan_is_missing_and_arrow_nan_is_not() -> None:
    numpy = pd.DataFrame({"x": [1.0, NAN]})
    arrow = pd.DataFrame({"x": pd.array(pa.array([1.0, NAN]), "double[pyarrow]")})
    nulls = metric("n", lambda ns: ns.col("x").null_count(), "x")

    assert open_source(numpy).measure(Batch([nulls])) == [(1,)]
    assert open_source(arrow).measure(Batch([nulls])) == [(0,)]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["a", None], "string"),
        ([1, None], "integer"),
        ([True, None], "boolean"),
        ([dt.date(2024, 1, 1), None], "date"),
        ([Decimal("1.5"), None], "decimal"),
        ([b"a", None], "binary"),
        ([[1], None], "nested"),
        ([None, None], "null"),
        ([1, "a"], "other"),
    ],
    ids=str,
)
def test_pandas_object_columns_get_their_true_type(
    values: list[Any], kind: str
) -> None:
    table = open_source(pd.DataFrame({"o": pd.Series(values, dtype=object)}))

    assert table.schema["o"].kind == kind


def test_mixed_pandas_column_is_an_error_only_if_it_is_read() -> None:
    frame = pd.DataFrame({"fine": [1, 2], "mixed": pd.Series([1, "a"], dtype=object)})

    assert truthound.check(frame, [{"null": {"column": "fine"}}]).success
    with pytest.raises(MalformedDataError, match="column 'mixed' cannot be read"):
        truthound.check(frame, [{"null": {"column": "mixed"}}])


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (pd.DataFrame({0: [1]}), r"labels must be text, but there is 0 \(int\)"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "must differ.*'a' 2 times"),
        (pa.table([[1], [2]], names=["a", "a"]), "must differ.*'a' 2 times"),
    ],
    ids=["number", "pandas twice", "arrow twice"],
)
def test_unusable_column_names_are_refused(frame: Any, said: str) -> None:
    with pytest.raises(MalformedDataError, match=said):
        open_source(frame)


@pytest.mark.parametrize(
    "source", [42, [1, 2], object()], ids=["number", "list", "object"]
)
def test_what_is_no_frame_is_refused(source: object) -> None:
    with pytest.raises(UnsupportedDataError, match="expected a path, glob or folder"):
        open_source(source)


@pytest.mark.parametrize("source", [pl.Series("a", [1]), pd.Series([1])], ids=type)
def test_series_is_refused_with_a_way_out(source: object) -> None:
    with pytest.raises(UnsupportedDataError, match="make a frame of it first"):
        open_source(source)


def test_arrow_stream_is_read() -> None:
    reader = pa.table({"a": [1, 2]}).to_reader()

    assert open_source(reader).measure(Batch([ROWS])) == [(2,)]


def test_dict_of_columns_is_read_and_uneven_one_refused() -> None:
    assert open_source({"a": [1, 2]}).measure(Batch([ROWS])) == [(2,)]
    with pytest.raises(MalformedDataError):
        open_source({"a": [1, 2], "b": [1, 2, 3]})


async def _async_frame() -> pl.DataFrame:
    return FRAME


@pytest.mark.parametrize("source", [lambda: FRAME, _async_frame], ids=["sync", "async"])
def test_function_is_called_for_its_frame(source: Any) -> None:
    assert open_source(source).measure(Batch([ROWS])) == [(5,)]


def test_error_of_a_lazy_frame_names_it() -> None:
    lazy = FRAME.lazy().select(pl.col("nothing"))

    with pytest.raises(DataError, match="LazyFrame"):
        open_source(lazy)


@pytest.mark.parametrize("engine", [e for e in ENGINES if e != "duckdb"])
@pytest.mark.parametrize("size", [1, 3, 10, 99, 1000, 5000])
def test_sample_is_even_deterministic_and_keeps_row_numbers(
    engine: str, size: int
) -> None:
    frame = pl.DataFrame({"x": range(1000)})
    options = ReadOptions(sample_size=size)
    table = open_source(as_engine(engine, frame), options)
    every = Predicate(lambda ns: ns.col("x") >= 0, frozenset("x"))

    rows = table.examples([Showing(every, ["x"], 5000)])[0]

    assert len(rows) == min(size, 1000)
    assert all(row["row"] == row["x"] + 1 for row in rows)
    gaps = {b["x"] - a["x"] for a, b in itertools.pairwise(rows)}
    assert not gaps or max(gaps) - min(gaps) <= 1
    assert table.warnings == (
        []
        if size >= 1000
        else [f"a sample: {size:,} of 1,000 rows were checked (sample_size={size})"]
    )


def test_column_called_row_keeps_its_values_in_a_sample() -> None:
    table = open_source({"row": range(0, 100, 10)}, ReadOptions(sample_size=2))
    every = Predicate(lambda ns: ns.col("row") >= 0, frozenset(["row"]))

    assert table.examples([Showing(every, ["row"], 9)]) == [
        [{"_row": 1, "row": 0}, {"_row": 6, "row": 50}]
    ]


@pytest.mark.parametrize("engine", ENGINES)
def test_options_of_files_do_not_apply_to_frames(engine: str) -> None:
    with pytest.raises(ConfigurationError, match="delimiter does not apply"):
        open_source(as_engine(engine, FRAME), ReadOptions(delimiter=";"))


def test_pushed_down_table_cannot_be_sampled() -> None:
    with pytest.raises(ConfigurationError, match="sample_size does not apply"):
        open_source(as_engine("duckdb", FRAME), ReadOptions(sample_size=2))


def test_engine_error_of_duckdb_is_a_check_error() -> None:
    table = open_source(as_engine("duckdb", FRAME))
    bad = metric("bad", lambda ns: ns.col("s").cast(ns.Int64).max(), "s")

    with pytest.raises(CheckError, match="DuckDBPyRelation: Conversion Error"):
        table.measure(Batch([bad]))


def test_columns_of_duckdb_are_brought_over_once() -> None:
    table = open_source(as_engine("duckdb", FRAME))
    table.measure(Batch([LONGEST]))
    brought = table._brought  # type: ignore[attr-defined]

    table.measure(Batch([LONGEST, ROWS]))

    assert table._brought is brought  # type: ignore[attr-defined]


ODD = ["", " ", "a\nb", "é", "row", "m0", "\0row", "*", "^.*$", "^n.*$", "numeric"]


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("engine", ["polars", "lazy", "pandas", "pyarrow"])
def test_odd_column_names_are_read(engine: str, name: str) -> None:
    columns = {name: [1.5, None, 3.5], "number": ["a", None, "c"]}
    source: Any = pl.DataFrame(columns)
    if engine == "lazy":
        source = source.lazy()
    elif engine == "pandas":
        source = pd.DataFrame(columns)
    elif engine == "pyarrow":
        if "\0" in name:
            pytest.skip("Arrow has no such names")
        source = pa.table(columns)

    run = truthound.check(source, ["null", {"null": {"column": name, "by": name}}])

    assert [check.failed for check in run.checks] == [1, 1, 1]
    assert run.checks[0].examples[0][name] is None
