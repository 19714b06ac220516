"""Paths, folders, patterns and addresses; every format and compression."""

from __future__ import annotations

import gzip
import os
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import truthound
from truthound.data import (
    ROWS,
    Batch,
    Metric,
    Predicate,
    ReadOptions,
    Showing,
    memory,
    open_source,
    scan,
)
from truthound.errors import (
    CheckError,
    ConfigurationError,
    DataError,
    DataNotFoundError,
    MalformedDataError,
    UnsupportedDataError,
)
from webserver import serving

FRAME = pl.DataFrame({"id": [1, 2, 3], "name": ["a", None, "c"], "size": [0.5, 1.5, 9]})
NULLS = Metric(
    ("nulls",),
    lambda ns: ns.col("name").null_count(),
    frozenset(["name"]),
    parsed=False,
)
TOTAL = Metric(("sum",), lambda ns: ns.col("size").sum(), frozenset(["size"]))
LARGE = Predicate(lambda ns: ns.col("size") > 1, frozenset(["size"]))


@pytest.fixture(params=[scan.SMALL, 0], ids=["small", "large"], autouse=True)
def _size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the files for what they are, and for large ones."""
    monkeypatch.setattr(scan, "SMALL", request.param)


def as_json(file: Any) -> None:
    Path(file).write_text(FRAME.write_json())


WRITERS: dict[str, Callable[[str], Any]] = {
    "csv": lambda file: FRAME.write_csv(file),
    "tsv": lambda file: FRAME.write_csv(file, separator="\t"),
    "parquet": lambda file: FRAME.write_parquet(file),
    "pq": lambda file: FRAME.write_parquet(file),
    "ndjson": lambda file: FRAME.write_ndjson(file),
    "jsonl": lambda file: FRAME.write_ndjson(file),
    "json": as_json,
    "arrow": lambda file: FRAME.write_ipc(file),
    "feather": lambda file: FRAME.write_ipc(file, compression="zstd"),
    "ipc": lambda file: FRAME.write_ipc(file),
}
TEXT = ["csv", "tsv", "ndjson", "json"]


def packed_with(packing: str, kind: str) -> str:
    WRITERS[kind](f"plain.{kind}")
    content = Path(f"plain.{kind}").read_bytes()
    name = f"data.{kind}.{packing}"
    if packing == "gz":
        Path(name).write_bytes(gzip.compress(content))
    elif packing == "zst":
        lines = pl.LazyFrame({"line": content.decode().splitlines()})
        plain = {"quote_style": "never", "include_header": False, "separator": "\x01"}
        lines.sink_csv(name, compression="zstd", check_extension=False, **plain)  # type: ignore[call-overload]
    else:
        with zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"inner/data.{kind}", content)
    return name


@pytest.fixture(params=[0.5, 0.0], ids=["load", "scan"])
def share(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> float:
    """Load files into memory, or scan them as if they did not fit."""
    chosen: float = request.param
    monkeypatch.setattr(memory, "SHARE", chosen)
    return chosen


def assert_is_frame(source: Any, **options: Any) -> None:
    table = open_source(source, ReadOptions.of(options))
    table.prepare(frozenset(["name", "size"]), frozenset(["size"]))

    assert table.addressable
    assert [column.kind for column in table.schema.values()] == [
        "integer",
        "string",
        "float",
    ]
    assert table.measure(Batch([NULLS, ROWS])) == [(1, 3)]
    assert table.measure(Batch([TOTAL, NULLS, ROWS])) == [(11, 1, 3)]
    assert table.examples([Showing(LARGE, ["id", "size"], 1)]) == [
        [{"row": 2, "id": 2, "size": 1.5}]
    ]
    assert sorted(table.measure(Batch([NULLS, ROWS], by=["id"]))) == [
        (1, 0, 1),
        (2, 1, 1),
        (3, 0, 1),
    ]
    assert table.to_polars().collect().rows() == FRAME.rows()


@pytest.mark.parametrize("kind", WRITERS)
def test_each_format_is_read(kind: str, share: float) -> None:
    name = f"some data.{kind}"
    WRITERS[kind](name)

    assert_is_frame(name)
    assert open_source(name).name == name


@pytest.mark.parametrize("kind", TEXT)
@pytest.mark.parametrize("packing", ["gz", "zst", "zip"])
def test_each_compression_is_read(kind: str, packing: str, share: float) -> None:
    assert_is_frame(packed_with(packing, kind))


@pytest.mark.parametrize(
    "make", [Path, os.path.abspath, os.fsencode], ids=["path", "text", "bytes"]
)
def test_path_may_be_of_any_kind(make: Callable[[str], Any]) -> None:
    FRAME.write_parquet("data.parquet")

    assert_is_frame(make("data.parquet") if make is not os.fsencode else "data.parquet")


def test_address_of_a_file_is_a_path() -> None:
    FRAME.write_parquet("data.parquet")

    assert_is_frame(Path("data.parquet").absolute().as_uri())


@pytest.mark.parametrize("kind", ["csv", "parquet", "ndjson", "arrow", "json"])
@pytest.mark.parametrize("name", ["a*b", "[x]", "a?", "é ü", "100%", "#1", "k=v"])
def test_odd_file_names_are_taken_literally(kind: str, name: str) -> None:
    WRITERS[kind](f"{name}.{kind}")
    WRITERS[kind](f"aXXb.{kind}")

    assert_is_frame(f"{name}.{kind}")


def test_format_can_be_given() -> None:
    FRAME.write_csv("data.txt", separator="\t")

    assert_is_frame("data.txt", format="tsv")
    with pytest.raises(UnsupportedDataError, match="of no format that is known"):
        open_source("data.txt")


@pytest.mark.parametrize("kind", ["csv", "parquet", "ndjson", "json", "arrow"])
@pytest.mark.parametrize("source", ["folder", "folder/*", "folder/**/*", "f*/p*"])
def test_folder_and_pattern_are_one_table(kind: str, source: str, share: float) -> None:
    Path("folder").mkdir()
    for part in range(3):
        path = f"folder/part{part}.{kind}"
        WRITERS[kind](path)
    Path("folder/_SUCCESS").touch()
    for hidden in ("folder/_delta_log", "folder/.tmp"):
        Path(hidden).mkdir()
        WRITERS[kind](f"{hidden}/part.{kind}")

    if "**" in source:  # a pattern means what it says, save for names with a dot
        Path(f"folder/_delta_log/part.{kind}").unlink()
    table = open_source(source if source == "folder" else f"{source}.{kind}")

    table.prepare(frozenset(["size", "name"]), frozenset(["size"]))
    assert table.measure(Batch([ROWS, TOTAL, NULLS])) == [(9, 33, 3)]


@pytest.mark.parametrize("kind", ["csv", "parquet", "ndjson", "json", "arrow"])
@pytest.mark.parametrize("source", ["lake", "lake/*/*/*", "lake/year=20*/**/*"])
def test_hive_folders_become_columns(kind: str, source: str, share: float) -> None:
    for year, city in [(2023, "Oslo"), (2024, "K%C3%B6ln"), (2024, "x y")]:
        Path(f"lake/year={year}/city={city}").mkdir(parents=True)
        WRITERS[kind](f"lake/year={year}/city={city}/0.{kind}")

    table = open_source(source if source == "lake" else f"{source}.{kind}")

    assert [c.dtype for c in table.schema.values()][-2:] == ["int64", "string"]
    table.prepare(frozenset(["year", "city"]), frozenset(["year", "city"]))
    assert sorted(table.measure(Batch([ROWS], by=["year", "city"]))) == [
        (2023, "Oslo", 3),
        (2024, "Köln", 3),
        (2024, "x y", 3),
    ]
    found = table.to_polars(["city", "id"]).collect()
    assert found.rows()[:3] in (
        [("Oslo", 1), ("Oslo", 2), ("Oslo", 3)],
        [("Köln", 1), ("Köln", 2), ("Köln", 3)],
    )


def test_hive_dates_and_missing_values_are_recognised() -> None:
    for day in ["2024-01-31", "__HIVE_DEFAULT_PARTITION__"]:
        Path(f"lake/day={day}").mkdir(parents=True)
        FRAME.write_parquet(f"lake/day={day}/0.parquet")

    run = truthound.check("lake", [{"null": {"column": "day"}}])

    assert open_source("lake").schema["day"].dtype == "date"
    assert run.checks[0].failed == 3


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_hive_keys_that_do_not_fit_are_refused(kind: str) -> None:
    for folder in ["a/year=2023", "a/month=1", "b/id=7"]:
        Path(folder).mkdir(parents=True)
        WRITERS[kind](f"{folder}/0.{kind}")

    with pytest.raises(MalformedDataError, match="its folders have other keys"):
        open_source("a")
    with pytest.raises(MalformedDataError, match="'id' is the name of a column and"):
        open_source("b")


@pytest.mark.parametrize("kind", ["csv", "parquet", "json", "arrow"])
@pytest.mark.parametrize(
    "other",
    [FRAME.drop("size"), FRAME.with_columns(more=1), FRAME.rename({"id": "key"})],
    ids=["less", "more", "renamed"],
)
def test_file_with_other_columns_is_named(kind: str, other: pl.DataFrame) -> None:
    Path("folder").mkdir()
    WRITERS[kind](f"folder/a.{kind}")
    writer = {
        "csv": other.write_csv,
        "parquet": other.write_parquet,
        "json": other.write_json,
        "arrow": other.write_ipc,
    }[kind]
    writer(f"folder/b.{kind}")

    with pytest.raises(MalformedDataError, match=rf"b\.{kind}: its columns differ"):
        open_source("folder")


def test_several_formats_are_refused() -> None:
    FRAME.write_csv("a.csv")
    FRAME.write_parquet("b.parquet")

    with pytest.raises(MalformedDataError, match="several formats: csv, parquet"):
        open_source(".")


@pytest.mark.parametrize("packed", [False, True])
def test_damaged_file_among_several_is_named(packed: bool, share: float) -> None:
    end = ".csv.gz" if packed else ".csv"
    for n in range(3):
        text = "a,b\n" + "1,2\n" * 100 + ("1,2,3\n" if n == 1 else "")
        content = text.encode()
        Path(f"f{n}{end}").write_bytes(gzip.compress(content) if packed else content)

    with pytest.raises(MalformedDataError, match=rf"f1{end}, row 101: 3 fields"):
        truthound.check(f"f*{end}", ["null"])


def test_short_rows_and_empty_lines_of_several_files_are_told(share: float) -> None:
    Path("a.csv").write_text("x,y\n1,2\n\n3,\n")
    Path("b.csv").write_text("x,y\n1,2\n\n4\n")

    run = truthound.check("*.csv", ["null"])

    assert run.row_count == 4
    assert [example["row"] for example in run.checks[1].examples] == [2, 4]
    assert run.warnings == [
        "1 row is shorter than the header (first: row 2 of b.csv); missing values "
        "were filled in",
        "2 empty lines were left out",
    ]


@pytest.mark.parametrize(
    ("source", "error", "said"),
    [
        ("data.cvs", DataNotFoundError, "no file data.cvs, did you mean 'data.csv'?"),
        ("nowhere/x.csv", DataNotFoundError, "there is no folder nowhere either"),
        ("", DataNotFoundError, "the path of the data is empty"),
        ("a\0b.csv", DataNotFoundError, r"no file 'a\\x00b.csv'"),
        ("x" * 5000 + ".csv", DataNotFoundError, "there is no file x"),
        ("*.parquet", DataNotFoundError, r"there is no file like \*.parquet"),
        ("empty", DataNotFoundError, "no file in empty of a format that is known"),
        ("others", DataNotFoundError, "only others such as readme.txt"),
        ("loop.csv", DataError, "loop.csv"),
        ("dangling.csv", DataNotFoundError, "dangling.csv"),
        ("data.parquett", DataNotFoundError, "data.parquett"),
        ("x.parquets", UnsupportedDataError, "did you mean '.parquet'"),
        ("noname", UnsupportedDataError, "the name does not tell the format"),
        ("x.parquet.gz", UnsupportedDataError, "is compressed inside; unpack it"),
        ("pipe.csv", UnsupportedDataError, "pipe.csv is no regular file"),
        ("socket.csv", UnsupportedDataError, "socket.csv is no regular file"),
        ("/dev/null", UnsupportedDataError, "/dev/null is no regular file"),
        ("/dev/zero", UnsupportedDataError, "/dev/zero is no regular file"),
        ("htps://h/x.csv", UnsupportedDataError, "did you mean 'https'"),
        ("ftp://h/x.csv", UnsupportedDataError, "no way to read ftp://"),
        ("https://h/x", UnsupportedDataError, "the name does not tell the format"),
        ("https://h/x.csv.zip", UnsupportedDataError, "from a local file only"),
    ],
)
def test_what_cannot_be_opened_is_said_at_once(
    source: str, error: type[DataError], said: str
) -> None:
    Path("data.csv").write_text("a\n1\n")
    Path("empty").mkdir()
    Path("others").mkdir()
    for name in ["others/readme.txt", "x.parquets", "noname", "x.parquet.gz"]:
        Path(name).touch()
    Path("loop.csv").symlink_to("loop.csv")
    Path("dangling.csv").symlink_to("nothing.csv")
    os.mkfifo("pipe.csv")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind("socket.csv")

        with pytest.raises(error, match=said):
            open_source(source)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:hush@host/db",
        "mysql+pymysql://me:hush@host/db",
        "sqlite:///file.db",
        "snowflake://host/db?password=hush",
    ],
)
def test_database_is_refused_without_showing_its_password(address: str) -> None:
    with pytest.raises(
        UnsupportedDataError, match="databases cannot be read"
    ) as caught:
        open_source(address)

    assert "hush" not in str(caught.value)
    assert "DuckDB relation" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("data.parquet", {"delimiter": ";"}, "delimiter does not apply to parquet"),
        ("data.parquet", {"encoding": "latin-1"}, "encoding does not apply"),
        ("data.parquet", {"schema_overrides": {"id": "string"}}, "schema_overrides"),
        ("data.ndjson", {"null_values": "x"}, "null_values does not apply to ndjson"),
        ("data.json", {"strict": True}, "strict does not apply to json"),
        ("data.arrow", {"has_header": False}, "has_header does not apply to arrow"),
        ("https://h/x.csv", {"encoding": "latin-1"}, "does not apply to addresses"),
    ],
)
def test_option_that_does_not_apply_is_refused(
    name: str, options: dict[str, Any], said: str
) -> None:
    kind = name.rpartition(".")[2]
    if "://" not in name:
        WRITERS[kind](name)

    with pytest.raises(ConfigurationError, match=said):
        open_source(name, ReadOptions.of(options))


@pytest.mark.parametrize("kind", ["ndjson", "json"])
def test_types_of_json_can_be_given(kind: str) -> None:
    WRITERS[kind](f"data.{kind}")
    options = ReadOptions(schema_overrides={"id": "string"})

    table = open_source(f"data.{kind}", options)

    assert table.schema["id"].kind == "string"
    assert table.to_polars(["id"]).collect()["id"].to_list() == ["1", "2", "3"]


@pytest.mark.parametrize("kind", WRITERS)
def test_sample_keeps_row_numbers(kind: str, share: float) -> None:
    frame = pl.DataFrame({"id": range(1000), "name": None, "size": 1.5})
    global FRAME
    before, FRAME = FRAME, frame
    try:
        WRITERS[kind](f"data.{kind}")
    finally:
        FRAME = before
    table = open_source(f"data.{kind}", ReadOptions(sample_size=30))
    table.prepare(frozenset(["size"]), frozenset(["size"]))

    rows = table.examples([Showing(LARGE, ["id"], 99)])[0]

    assert table.measure(Batch([ROWS])) == [(30,)]
    assert len(rows) == 30
    assert all(row["row"] == row["id"] + 1 for row in rows)
    assert table.to_polars().collect().height == 30
    assert table.warnings == [
        "a sample: 30 of 1,000 rows were checked (sample_size=30)"
    ]


def test_key_that_only_a_late_row_has_is_no_less_a_column() -> None:
    lines = ['{"a": 1}'] * 2_000 + ['{"a": "x", "late": true}']
    Path("data.ndjson").write_text("\n".join(lines))
    Path("data.json").write_text(f"[{','.join(lines)}]")

    for name in ["data.ndjson", "data.json"]:
        run = truthound.check(name, ["null"])
        assert [(c.name, c.failed) for c in run.checks] == [
            ("null(a)", 0),
            ("null(late)", 2_000),
        ]


BROKEN: dict[str, bytes] = {
    "x.ndjson": b'{"a": 1}\n{"a": 2',
    "empty.ndjson": b"",
    "x.json": b'[{"a": 1},',
    "object.json": b'{"a": 1}',
    "numbers.json": b"[1, 2]",
    "empty.json": b"",
    "empty.parquet": b"",
    "x.arrow": b"ARROW1\0\0",
    "x.csv.gz": gzip.compress(b"a,b\n" + b"1,2\n" * 90_000)[:-40],
    "begin.csv.gz": gzip.compress(b"a,b\n1,2\n")[:15],
    "none.csv.gz": b"",
    "crc.csv.gz": gzip.compress(b"a,b\n1,2\n")[:-8] + b"\0" * 8,
    "x.ndjson.gz": gzip.compress(b'{"a": 1}\n' * 9_000)[:-20],
    "x.json.gz": gzip.compress(b"[]")[:-2],
    "x.csv.zst": b"\x28\xb5\x2f\xfd\x04",
    "x.csv.zip": b"PK\x03\x04",
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_file_is_an_error_that_names_it(name: str) -> None:
    Path(name).write_bytes(BROKEN[name])

    with pytest.raises(MalformedDataError) as caught:
        truthound.check(name, ["null"])

    assert str(caught.value).startswith(name)


def test_zip_must_hold_one_file() -> None:
    for name, members in {"two.zip": "ab", "none.zip": ""}.items():
        with zipfile.ZipFile(name, "w") as archive:
            for member in members:
                archive.writestr(f"{member}.csv", "x\n1\n")

    with pytest.raises(MalformedDataError, match=r"holds 2 \(a.csv, b.csv\)"):
        open_source("two.zip")
    with pytest.raises(MalformedDataError, match="holds 0"):
        open_source("none.zip")


def test_parquet_cut_at_any_of_its_last_bytes_is_refused() -> None:
    FRAME.write_parquet("whole.parquet")
    content = Path("whole.parquet").read_bytes()

    for length in range(len(content) - 64, len(content)):
        Path("cut.parquet").write_bytes(content[:length])
        with pytest.raises(MalformedDataError, match=r"^cut\.parquet: "):
            truthound.check("cut.parquet", ["null"])


@pytest.mark.parametrize("kind", ["parquet", "arrow", "ndjson", "csv"])
@pytest.mark.parametrize("rule", ["null", "range"])
def test_file_that_changes_or_goes_after_it_was_opened(
    kind: str, rule: str, share: float
) -> None:
    name = f"data.{kind}"
    parsed = frozenset(["size"] if rule == "range" else [])
    for change in (Path.unlink, lambda path: os.utime(path, ns=(1, 1))):
        WRITERS[kind](name)
        table = open_source(name)
        change(Path(name))

        with pytest.raises(DataError, match=name):
            table.prepare(frozenset(["size"]), parsed)
            table.measure(Batch([NULLS, ROWS]))


@pytest.mark.parametrize("parsed", [True, False])
def test_damaged_page_of_parquet_is_the_fault_of_the_file(
    parsed: bool, share: float
) -> None:
    frame = pl.DataFrame({"size": range(50_000), "name": ["some text"] * 50_000})
    frame.write_parquet("data.parquet", statistics=False, compression="zstd")
    content = bytearray(Path("data.parquet").read_bytes())
    content[4:4000] = b"\xff" * 3996
    Path("data.parquet").write_bytes(content)

    with pytest.raises(DataError, match=r"data\.parquet"):
        table = open_source("data.parquet")
        table.prepare(frozenset(["size"]), frozenset(["size"] if parsed else []))
        table.measure(Batch([TOTAL, ROWS]))


def test_fault_of_a_check_is_not_that_of_the_file(share: float) -> None:
    FRAME.write_parquet("data.parquet")
    table = open_source("data.parquet")
    bad = Metric(
        ("x",), lambda ns: ns.col("name").cast(ns.Int8).sum(), frozenset(["name"])
    )

    with pytest.raises(CheckError):
        table.measure(Batch([bad]))


@pytest.mark.parametrize("name", ["", " ", "a\nb", "é", "row", "\0row", "*", "^.*$"])
@pytest.mark.parametrize("kind", ["csv", "parquet", "ndjson", "json"])
def test_odd_column_names_are_read(kind: str, name: str, share: float) -> None:
    frame = pl.DataFrame({name: [1.5, None, 3.5], "number": ["a", None, "c"]})
    getattr(frame, f"write_{kind}")(f"data.{kind}")

    run = truthound.check(
        f"data.{kind}", ["null", {"null": {"column": name, "by": name}}]
    )

    assert [check.failed for check in run.checks] == [1, 1, 1]
    assert run.checks[0].examples[0][name] is None


@pytest.mark.parametrize("kind", ["csv", "parquet", "ndjson", "json", "arrow"])
def test_files_are_read_over_http(kind: str) -> None:
    Path("web").mkdir()
    WRITERS[kind](f"web/data.{kind}")

    with serving(Path("web")) as address:
        assert_is_frame(f"{address}data.{kind}")
        assert_is_frame(f"{address}data.{kind}?token=hush")


@pytest.mark.parametrize("packing", ["gz", "zst"])
def test_compressed_files_are_read_over_http(packing: str) -> None:
    Path("web").mkdir()
    name = packed_with(packing, "csv")
    Path(name).rename(f"web/{name}")

    with serving(Path("web")) as address:
        assert_is_frame(f"{address}{name}")


def test_damage_over_http_is_named_without_secrets() -> None:
    Path("web").mkdir()
    Path("web/data.csv").write_text("a,b\n" + "1,2\n" * 500 + "1,2,3\n")

    with serving(Path("web")) as address:
        source = address.replace("//", "//me:hush@") + "data.csv?api_key=hush"
        with pytest.raises(MalformedDataError, match="row 501: 3 fields") as caught:
            truthound.check(source, ["null"])
        with pytest.raises(DataNotFoundError, match="there is no file") as missing:
            truthound.check(source.replace("data", "nothing"), ["null"])

    for error in (caught.value, missing.value):
        assert "hush" not in str(error)
        assert "me:***@" in str(error)
        assert error.__cause__ is None or "hush" not in str(error.__cause__)


def test_server_that_is_busy_is_asked_again() -> None:
    Path("web").mkdir()
    WRITERS["parquet"]("web/data.parquet")

    with serving(Path("web"), unavailable=2) as address:
        assert_is_frame(f"{address}data.parquet")


def test_memory_is_asked_of_the_machine() -> None:
    assert memory.fits(1)
    assert not memory.fits(1e18)
    assert memory.available() > 1_000_000
