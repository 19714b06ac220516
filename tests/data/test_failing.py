"""The file of failing rows: which rows, which checks, and the file whole or not."""

from __future__ import annotations

import csv
import datetime as dt
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import truthound
from engines import ENGINES, as_engine
from truthound.data import FrameTable, Predicate, ReadOptions, memory, open_source
from truthound.data.failing import write_failing
from truthound.errors import (
    CheckError,
    ConfigurationError,
    DataError,
    MalformedDataError,
    StoreError,
)

FRAME = pl.DataFrame(
    {"x": [1.0, None, 700.0, -3.0, 800.0], "s": ["a", 'b "q", c', None, "d\ne", "f"]}
)
LARGE = ("x <= 100", Predicate(lambda ns: ns.col("x") > 100, frozenset("x")))
MISSING = ("s known", Predicate(lambda ns: ns.col("s").is_null(), frozenset("s")))
REPEATED = Predicate(lambda ns: ns.col("x").is_duplicated(), frozenset("x"), False)
WANTED = [
    {"_row": 3, "_failed_checks": ["x <= 100", "s known"], "x": 700.0, "s": None},
    {"_row": 5, "_failed_checks": ["x <= 100"], "x": 800.0, "s": "f"},
]


def names() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


@pytest.mark.parametrize("engine", ENGINES)
def test_failing_rows_of_every_engine_are_written(engine: str) -> None:
    table = open_source(as_engine(engine, FRAME))

    number = write_failing(table, [LARGE, MISSING], "bad.parquet")

    found = pl.read_parquet("bad.parquet").to_dicts()
    assert number == 2
    if engine == "duckdb":  # rows have no order there
        assert found == [{k: v for k, v in r.items() if k != "_row"} for r in WANTED]
    else:
        assert found == WANTED


@pytest.mark.parametrize("kind", ["csv", "parquet", "ndjson"])
@pytest.mark.parametrize("share", [0.5, 0.0], ids=["load", "scan"])
def test_failing_rows_of_files_are_written(
    kind: str, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "SHARE", share)
    getattr(FRAME, f"write_{kind}")(f"data.{kind}")

    number = write_failing(open_source(f"data.{kind}"), [LARGE, MISSING], "bad.parquet")

    assert number == 2
    assert pl.read_parquet("bad.parquet").to_dicts() == WANTED


def test_csv_joins_the_checks() -> None:
    number = write_failing(FrameTable(FRAME), [LARGE, MISSING], "bad.csv")

    with Path("bad.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["_row", "_failed_checks", "x", "s"],
            ["3", "x <= 100; s known", "700.0", ""],
            ["5", "x <= 100", "800.0", "f"],
        ]
    assert number == 2


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_rows_that_fail_nothing_are_not_written(suffix: str) -> None:
    path = f"bad.{suffix}"

    assert write_failing(FrameTable(FRAME), [], path) == 0
    assert write_failing(FrameTable(FRAME.clear()), [LARGE], path) == 0
    read = pl.read_csv if suffix == "csv" else pl.read_parquet
    assert read(path).columns == ["_row", "_failed_checks", "x", "s"]


def test_condition_sees_all_rows() -> None:
    table = FrameTable(pl.DataFrame({"x": [1, 2, 1, 3]}))

    write_failing(table, [LARGE, ("unique", REPEATED)], "bad.parquet")

    assert pl.read_parquet("bad.parquet")["_row"].to_list() == [1, 3]


def test_columns_of_our_names_stay() -> None:
    frame = pl.DataFrame({"_row": [7], "__row": [8], "_failed_checks": ["x"]})
    bad = Predicate(lambda ns: ns.col("_row") == 7, frozenset(["_row"]))

    write_failing(FrameTable(frame), [("no", bad)], "bad.parquet")

    assert pl.read_parquet("bad.parquet").to_dicts() == [
        {
            "___row": 1,
            "__failed_checks": ["no"],
            "_row": 7,
            "__row": 8,
            "_failed_checks": "x",
        }
    ]


@pytest.mark.parametrize("name", ["*", "^.*$", "", "\0place", "0"])
def test_odd_column_names_are_written(name: str) -> None:
    frame = pl.DataFrame({name: [1, 2], "other": [3, 4]})
    bad = Predicate(lambda ns: ns.col(name) == 2, frozenset([name]))

    assert write_failing(FrameTable(frame), [("no", bad)], "bad.csv") == 1
    assert Path("bad.csv").read_text().splitlines()[-1] == "2,no,2,4"


def test_values_that_csv_cannot_hold_become_text() -> None:
    frame = pl.DataFrame(
        {
            "x": [200],
            "list": [[1, None]],
            "struct": [{"a": 'q"', "b": [1.5]}],
            "none": pl.Series([None], dtype=pl.List(pl.Int8)),
            "bytes": [b"\x00\xff"],
            "time": [dt.timedelta(hours=1)],
        }
    )

    write_failing(FrameTable(frame), [LARGE], "bad.csv")

    with Path("bad.csv").open(newline="") as file:
        assert list(csv.reader(file))[1] == [
            *("1", "x <= 100", "200", "[1,null]", '{"a":"q\\"","b":[1.5]}', ""),
            *("00ff", "PT1H"),
        ]


@pytest.mark.parametrize("share", [0.5, 0.0], ids=["load", "scan"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_sampled_rows_keep_their_numbers(
    kind: str, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "SHARE", share)
    frame = pl.DataFrame({"x": range(1000)})
    getattr(frame, f"write_{kind}")(f"data.{kind}")
    table = open_source(f"data.{kind}", ReadOptions(sample_size=7))

    assert write_failing(table, [LARGE], "bad.parquet") == 6
    found = pl.read_parquet("bad.parquet")
    assert found["_row"].to_list() == [x + 1 for x in found["x"]]


@pytest.mark.parametrize(
    ("path", "error", "said"),
    [
        ("bad.xlsx", ConfigurationError, "as .parquet or .csv, not to bad.xlsx"),
        ("bad", ConfigurationError, "as .parquet or .csv, not to bad"),
        ("bad.parket", ConfigurationError, "did you mean '.parquet'"),
        ("data.parquet", ConfigurationError, "is the data itself"),
        ("nowhere/bad.csv", StoreError, "cannot write nowhere/bad.csv: No such"),
        ("folder.csv", StoreError, "cannot write folder.csv"),
    ],
)
def test_path_that_cannot_be_written_is_said(
    path: str, error: type[Exception], said: str
) -> None:
    FRAME.write_parquet("data.parquet")
    Path("folder.csv").mkdir()

    with pytest.raises(error, match=said):
        write_failing(open_source("data.parquet"), [LARGE], path)

    assert names() == ["data.parquet", "folder.csv"]
    assert pl.read_parquet("data.parquet").height == 5


def test_fault_leaves_the_old_file() -> None:
    Path("bad.csv").write_text("old")
    nothing = Predicate(lambda ns: ns.col("zz") > 1, frozenset(["zz"]))
    Path("data.csv").write_text("x,s\n1,a\n1,2,3\n")

    with pytest.raises(CheckError, match="zz"):
        write_failing(FrameTable(FRAME), [("no", nothing)], "bad.csv")
    with pytest.raises(DataError, match=r"data\.csv") as caught:
        write_failing(open_source("data.csv"), [LARGE], "bad.csv")

    assert isinstance(caught.value, MalformedDataError)
    assert Path("bad.csv").read_text() == "old"
    assert names() == ["bad.csv", "data.csv"]


FULL_DISK = """
import resource, signal, sys
import polars as pl
from truthound.data import FrameTable, Predicate
from truthound.data.failing import write_failing
from truthound.errors import StoreError

# A file that grows beyond the limit fails as on a full disk, instead of the signal.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
numbers = pl.DataFrame({"x": range(100_000)}).with_columns(y=pl.col("x").hash())
bad = Predicate(lambda ns: ns.col("x") >= 0, frozenset("x"))
try:
    write_failing(FrameTable(numbers), [("no", bad)], sys.argv[1])
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize("path", ["bad.csv", "bad.parquet"])
def test_full_disk_leaves_the_old_file(path: str) -> None:
    Path(path).write_text("old")

    source = str(Path(truthound.__file__).parents[1])
    done: Any = subprocess.run(
        [sys.executable, "-c", FULL_DISK, path],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": source},
    )

    assert done.stdout.startswith(f"cannot write {path}: "), done.stderr
    assert names() == [path]
    assert Path(path).read_text() == "old"
