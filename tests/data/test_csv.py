"""Delimited files: read whole or refused, whatever was done to them."""

from __future__ import annotations

import csv
import gzip
import io
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import truthound
from truthound.data import ROWS, Batch, ReadOptions, Table, memory, open_source
from truthound.errors import ConfigurationError, DataError, MalformedDataError
from truthound.validators import ValidationRun

LOADED_OR_SCANNED = pytest.mark.parametrize("share", [0.5, 0.0], ids=["load", "scan"])
FILLERS = [0, 12_000]  # good rows before the bad one


def write(content: str | bytes, name: str = "data.csv") -> str:
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    return name


def rows(number: int) -> str:
    return "".join(f"{n},name {n},{n / 4}\n" for n in range(number))


def look(path: str, column: str | None = None, **options: Any) -> ValidationRun:
    spec = "null" if column is None else {"null": {"column": column}}
    return truthound.check(path, [spec], **options)


@pytest.fixture(params=[0.5, 0.0], ids=["load", "scan"])
def share(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> float:
    """Load files into memory, or scan them as if they did not fit."""
    chosen: float = request.param
    monkeypatch.setattr(memory, "SHARE", chosen)
    return chosen


HEADER = "id,name,size\n"
DAMAGED: dict[str, tuple[Callable[[str], str | bytes], str]] = {
    "long row": (lambda good: f"{HEADER}{good}1,x,2,3\n{good}", "4 fields, but the h"),
    "long by an empty field": (lambda good: f"{HEADER}{good}1,x,2,\n", "4 fields"),
    "much longer": (lambda good: f"{HEADER}{good}1,x,2,,,,,7\n{good}", "8 fields"),
    "long after a short one": (lambda g: f"{HEADER}{g}1\n1,x,2,3,4\n", "5 fields"),
    "open quote": (lambda good: f'{HEADER}{good}1,"x,2\n{good}', "quote is never"),
    "open quote at the end": (lambda g: f'{HEADER}{g}1,x,"2', "quote is never"),
    "cut in an escaped quote": (lambda g: f'{HEADER}{g}1,x,"2""', "quote is never"),
    "bad bytes": (
        lambda good: f"{HEADER}{good}1,".encode() + b"\xe9\xff,2\n",
        "0xE9 is not UTF-8; give the encoding",
    ),
}


@pytest.mark.parametrize("kind", DAMAGED)
@pytest.mark.parametrize("filler", FILLERS)
@pytest.mark.parametrize("column", ["id", "name", "size", None])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_damaged_row_is_named_whatever_is_read(
    kind: str, filler: int, column: str | None, packed: bool, share: float
) -> None:
    make, said = DAMAGED[kind]
    content = make(rows(filler))
    data = content.encode() if isinstance(content, str) else content
    path = write(data)
    if packed:
        path = write(gzip.compress(data, 1), "data.csv.gz")
        if kind == "cut in an escaped quote":
            pytest.skip("the last bytes are looked at in plain files only")
    row = filler + (2 if kind == "long after a short one" else 1)

    with pytest.raises(MalformedDataError) as caught:
        look(path, column)

    assert str(caught.value).startswith(f"{path}, row {row:,}: ")
    assert said in str(caught.value)
    assert caught.value.row == row


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the file is empty"),
        ("\n\n\n", "nothing but line ends"),
        ("\r\n\r\n", "nothing but line ends"),
        ("\r\r\r", "carriage return alone|nothing but line ends"),
        ("a,b\r1,2\r", "carriage return alone"),
        ("a,b,a\n1,2,3\n", "several columns are called 'a'; give column_names"),
        ("a,,\n1,2,3\n", "several columns are called ''"),
        ("a;b\n1;2\n", "give delimiter=';'"),
        ("a\tb\n1\t2\n", r"give delimiter='\\t'"),
        ("a,b\n1,2\n".encode("utf-16"), "give encoding='utf-16'"),
        ("a,b\n1,2\n".encode("utf-32"), "give encoding='utf-32'"),
        ("a,b\n1,2\n".encode("utf-16-le"), "give encoding='utf-16-le'"),
        ("a,b\n1,2\n".encode("utf-16-be"), "give encoding='utf-16-be'"),
        ("é,b\n1,2\n".encode("latin-1"), "the header is not UTF-8"),
        (b"PAR1....", "another kind \\(Parquet\\)"),
        (b"PK\x03\x04....", "another kind \\(zip\\)"),
    ],
    ids=str,
)
def test_wrong_file_is_refused_by_its_first_bytes(
    content: str | bytes, said: str
) -> None:
    path = write(content)

    with pytest.raises(MalformedDataError, match=said) as caught:
        open_source(path)

    assert str(caught.value).startswith(path)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_other_encoding_is_read_when_named(encoding: str, packed: bool) -> None:
    content = "naïve,b\né,2\n,3\n".encode(encoding)
    name = write(gzip.compress(content), "data.csv.gz") if packed else write(content)

    run = look(name, encoding=encoding)

    assert [(check.name, check.failed) for check in run.checks] == [
        ("null(naïve)", 1),
        ("null(b)", 0),
    ]


def test_text_that_is_not_in_the_named_encoding_is_refused() -> None:
    path = write("a,b\né,2\n")

    with pytest.raises(MalformedDataError, match=r"data\.csv: the text is not ascii"):
        look(path, encoding="ascii")


FINE: dict[str, tuple[str | bytes, int, list[int]]] = {
    "byte order mark": ("\ufeffa,b\n1,\n2,3\n", 2, [0, 1]),
    "CRLF": ('a,b\r\n1,"x\r\ny"\r\n,3\r\n', 2, [1, 0]),
    "no end of line": ("a,b\n1,\n2,3", 2, [0, 1]),
    "header only": ("a,b\n", 0, [0, 0]),
    "header without end": ("a,b", 0, [0, 0]),
    "NaN and infinities": ("a,b\nNaN,1\ninf,2\n-inf,\n", 3, [0, 1]),
    "mixed types": ("a,b\n1,x\ny,2\n2024-01-01,\n", 3, [0, 1]),
    "NUL bytes": ("a,b\n1,x\0y\n2,\n", 2, [0, 1]),
    "empty lines": ("a,b\n\n1,2\n\n\n,3\n\n", 2, [1, 0]),
    "empty lines first": ("\n\na,b\n1,2\n,3\n", 2, [1, 0]),
    "empty string": ('a,b\n"",1\n,2\n', 2, [1, 0]),
    "quoted header": ('"a","b, c"\n1,\n', 1, [0, 1]),
    "header of two lines": ('"a\nA",b\n1,\n', 1, [0, 1]),
    "one column": ("a\n1\n\n3\n", 3, [1]),
    "wide": (
        ",".join(f"c{n}" for n in range(5000)) + "\n" + "1," * 4999 + "\n",
        1,
        [0] * 4999 + [1],
    ),
    "huge field": (f'a,b\n"{"x" * 5_000_000}",2\n,3\n', 2, [1, 0]),
    "hostile names": ('<script>,*,"a\nb",^x$\n1,,3,\n', 1, [0, 1, 0, 1]),
}


@pytest.mark.parametrize("kind", FINE)
def test_unusual_but_sound_file_is_read_whole(kind: str, share: float) -> None:
    content, height, missing = FINE[kind]

    run = look(write(content), allow_empty=True)

    assert run.row_count == height
    assert [check.failed for check in run.checks] == missing


@pytest.mark.parametrize("filler", FILLERS)
def test_short_rows_are_filled_up_with_a_warning(filler: int, share: float) -> None:
    path = write(f"{HEADER}{rows(filler)}1,x\n\n2,y,3\n4\n")

    run = look(path)

    assert run.row_count == filler + 3
    assert [check.failed for check in run.checks] == [0, 1, 2]
    assert run.warnings == [
        f"2 rows are shorter than the header (first: row {filler + 1:,}); missing "
        f"values were filled in",
        "1 empty line was left out",
    ]


def test_rows_before_an_empty_line_keep_their_numbers(share: float) -> None:
    run = look(write("a,b\n1,2\n\n3,\n\n5,\n"), "b")

    assert [example["row"] for example in run.checks[0].examples] == [2, 3]


@pytest.mark.parametrize("column", ["id", "size"])
def test_strict_refuses_short_rows(column: str, share: float) -> None:
    path = write(f"{HEADER}1,x,2\n\n1,x\n")

    with pytest.raises(MalformedDataError, match="row 2: fewer fields than"):
        look(path, column, strict=True)


def test_missing_last_field_is_no_short_row() -> None:
    run = look(write('a,b\n1,\n2,"x,\n\ny"\n3,\n'), strict=True)

    assert run.row_count == 3
    assert run.warnings == []


LATE = [
    ("1", "two", "range", "text", "int64"),
    ("1.5", "n/a", "range", "text", "float64"),
    ("true", "maybe", "null", "text", "boolean"),
    ("2024-05-01", "soon", "range", "text", "date"),
    ("2024-05-01 10:00:00", "2024-05-02", "range", "text", "datetime[us]"),
    ("10:00:00", "noon", "range", "text", "time"),
    ("1", "99999999999999999999999", "range", "text", "int64"),
    ("1", "2.5", "range", "float64", "int64"),
    ("7", "1e3", "range", "float64", "int64"),
]


@pytest.mark.parametrize(("early", "late", "rule", "becomes", "first"), LATE, ids=str)
def test_late_change_of_type_makes_the_column_text(
    early: str, late: str, rule: str, becomes: str, first: str, share: float
) -> None:
    filler = 4_000
    path = write("a,b\n" + f"{early},1\n" * filler + f"{late},\n" + f"{early},2\n" * 9)
    bounds = {"min": "2000-01-01"} if first.startswith("date") else {"min": -1}
    bounds = {"min": "00:00:00"} if first == "time" else bounds
    specs: list[Any] = ["null", {"range": {"column": "b", "min": 0}}]
    if rule == "range":
        specs.append({"range": {"column": "a", **bounds}})

    run = truthound.check(path, specs)

    assert run.row_count == filler + 10
    assert [check.failed for check in run.checks[:3]] == [0, 1, 0]
    assert run.warnings == [
        f"column 'a' was read as {becomes}: its first rows are {first}, but row "
        f"{filler + 1:,} has {late!r}"
    ]
    if rule == "range" and becomes == "text":
        assert run.checks[3].status == "error"
        assert "'a' is string" in str(run.checks[3].error)
    elif rule == "range":
        assert run.checks[3].status == "passed"


def test_late_change_of_two_columns_is_told_for_both(share: float) -> None:
    path = write("a,b,c\n" + "1,2024-01-01,1.5\n" * 3_000 + "x,y,z\n")

    run = truthound.check(path, [{"range": {"columns": ["a", "b", "c"]}}])

    assert sorted(w.partition(" was")[0] for w in run.warnings) == [
        "column 'a'",
        "column 'b'",
        "column 'c'",
    ]


def test_null_check_alone_does_not_parse_dates() -> None:
    path = write("a,b\n" + "2024-01-01,1\n" * 2_000 + "soon,2\n")

    run = look(path)

    assert run.warnings == []
    assert run.row_count == 2_001


def kinds(path: str, **options: Any) -> dict[str, str]:
    schema = open_source(path, ReadOptions.of(options)).schema
    return {name: column.dtype for name, column in schema.items()}


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        ("12", "int64"),
        ("1.5", "float64"),
        ("true", "boolean"),
        ("abc", "string"),
        ("", "string"),
        ("2024-01-31", "date"),
        ("2024/01/31", "date"),
        ("2024-01-31 10:20:30", "datetime[us]"),
        ("2024-01-31T10:20:30.25", "datetime[us]"),
        ("2024-01-31T10:20:30Z", "datetime[us, UTC]"),
        ("2024-01-31 10:20:30+02:00", "datetime[us, UTC]"),
        ("10:20:30", "time"),
        ("31/01/2024", "string"),
        ("01/02/2024", "string"),
        ("2024-13-45", "string"),
    ],
)
def test_types_are_found_out(value: str, dtype: str) -> None:
    assert kinds(write(f"a,b\n{value},x\n,y\n")) == {"a": dtype, "b": "string"}


def test_dates_are_compared_as_dates(share: float) -> None:
    path = write("day,at\n2024-01-31,2024-01-31T10:00:00Z\n2024-02-01,\n")

    run = truthound.check(
        path,
        [
            {"range": {"column": "day", "min": "2024-02-01"}},
            {"range": {"column": "at", "min": "2024-01-31T09:00:00+00:00"}},
        ],
    )

    assert [check.failed for check in run.checks] == [1, 0]


@pytest.mark.parametrize(
    ("given", "value", "dtype"),
    [
        ("string", "007", "string"),
        ("float64", "7", "float64"),
        ("int8", "7", "int8"),
        ("decimal[10,2]", "7.25", "decimal[10,2]"),
        ("date", "31.01.2024", "date"),
        ("date", "31/01/2024", "date"),
        ("datetime[ms]", "2024-01-31", "datetime[ms]"),
        ("datetime[us, UTC]", "2024-01-31T10:00:00Z", "datetime[us, UTC]"),
        ("categorical", "x", "categorical"),
    ],
)
def test_given_type_is_taken(given: str, value: str, dtype: str) -> None:
    path = write(f"a,b\n{value},1\n")
    table = open_source(path, ReadOptions(schema_overrides={"a": given}))

    assert table.schema["a"].dtype == dtype
    found = table.to_polars().collect()
    assert found["a"].null_count() == 0
    assert truthound.check(path, ["null"], schema_overrides={"a": given}).success


@pytest.mark.parametrize("given", ["int64", "date"])
def test_given_type_that_does_not_fit_is_told(given: str) -> None:
    run = look(write("a,b\nxyz,1\n"), schema_overrides={"a": given})

    assert run.warnings == [
        f"column 'a' was read as text: it was given as {given}, but row 1 has 'xyz'"
    ]


def test_null_values_are_missing_and_only_if_named() -> None:
    path = write("a,b\nn/a,1\n-,2\nx,3\n")

    assert look(path, "a").checks[0].failed == 0
    assert look(path, "a", null_values="n/a").checks[0].failed == 1
    assert look(path, "a", null_values=["n/a", "-"]).checks[0].failed == 2


def test_delimiter_header_and_names_can_be_given() -> None:
    path = write("1;2\n3;\n")

    assert kinds(path, delimiter=";", has_header=False) == {
        "column_1": "int64",
        "column_2": "int64",
    }
    named = look(path, delimiter=";", has_header=False, column_names=["p", "q"])
    assert (named.row_count, named.checks[1].failed) == (2, 1)
    assert look(path, delimiter=";", column_names=["p", "q"]).row_count == 1
    with pytest.raises(ConfigurationError, match=r"has 1 name, but data\.csv has 2"):
        look(path, delimiter=";", column_names=["p"])


def test_tab_is_the_delimiter_of_tsv() -> None:
    assert kinds(write("a\tb,c\n1\t2\n", "data.tsv")) == {"a": "int64", "b,c": "int64"}


def test_duplicate_names_can_be_replaced() -> None:
    path = write("a,b,a\n1,2,\n")

    run = look(path, column_names=["a", "b", "c"])

    assert [check.failed for check in run.checks] == [0, 0, 1]


@pytest.mark.parametrize("size", [1, 7, 100, 4_000])
def test_sample_is_even_and_keeps_row_numbers(size: int, share: float) -> None:
    path = write("a,b\n" + "".join(f"{n},\n" for n in range(2_000)))

    run = look(path, "b", sample_size=size, sample_rows=5_000, id_columns=["a"])

    examples = run.checks[0].examples
    assert run.row_count == len(examples) == min(size, 2_000)
    assert all(example["row"] == example["a"] + 1 for example in examples)
    assert len(run.warnings) == (size < 2_000)


def test_damage_outside_of_the_sample_is_found_too(share: float) -> None:
    path = write("a,b\n" + "1,2\n" * 5_000 + "1,2,3\n" + "1,2\n" * 50)

    with pytest.raises(MalformedDataError, match="row 5,001"):
        look(path, "a", sample_size=2)


def cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(len(HEADER) + 30)


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"1,x,2\n")


def replace(path: Path) -> None:
    path.unlink()
    path.write_text(HEADER + rows(9))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (cut, "data.csv was changed while it was read"),
        (grow, "data.csv was changed while it was read"),
        (replace, "data.csv was changed while it was read"),
        (Path.unlink, "data.csv"),
    ],
    ids=["cut", "grown", "replaced", "gone"],
)
def test_file_that_changes_after_it_was_opened_is_refused(
    change: Callable[[Path], None], said: str, share: float
) -> None:
    path = write(HEADER + rows(100))
    table = open_source(path)
    change(Path(path))

    with pytest.raises(DataError, match=said):
        table.prepare(frozenset(["id"]), frozenset(["id"]))


def test_file_that_is_rewritten_all_the_time_is_whole_or_an_error() -> None:
    content = (HEADER + rows(30_000)).encode()
    path = Path(write(content))
    stop = threading.Event()

    def disturb() -> None:
        while not stop.is_set():
            path.write_bytes(content[: len(content) // 2])
            path.write_bytes(content)

    writer = threading.Thread(target=disturb)
    writer.start()
    try:
        for _ in range(40):
            try:
                assert look(str(path), "id").row_count == 30_000
            except DataError as error:
                assert "data.csv" in str(error)
    finally:
        stop.set()
        writer.join()


def opened(table: Table) -> int:
    height: int = table.measure(Batch([ROWS]))[0][0]
    return height


def test_table_reads_more_columns_when_it_is_asked_for_them() -> None:
    table = open_source(write("a,b,c\n1,2024-01-01,x\n2,2024-01-02,\n"))
    table.prepare(frozenset("a"), frozenset("a"))

    assert opened(table) == 2
    assert table.to_polars(["b", "c"]).collect().dtypes == [pl.Date(), pl.String()]
    assert table.to_polars().collect().width == 3


cells = st.text(
    alphabet=st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=6
)
FIELDS = st.one_of(
    cells,
    st.sampled_from(["", '"', ",", "\n", '"",', "a\n\n,b", "1", "2.5", "2024-01-01"]),
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[list[str]], str, int]:
    width = draw(st.integers(2, 4))
    records = st.lists(FIELDS, min_size=1, max_size=width + draw(st.integers(0, 1)))
    full = st.lists(FIELDS, min_size=width, max_size=width)
    found = draw(st.lists(st.one_of(full, full, full, records), max_size=30))
    return found, draw(st.sampled_from(["\n", "\r\n"])), width


@given(tables())
def test_counts_agree_with_the_csv_module(
    table: tuple[list[list[str]], str, int],
) -> None:
    records, end, width = table
    text = io.StringIO(newline="")
    names = [f"c{n}" for n in range(width)]
    # Quoted, an empty field is an empty string for us, else it is missing.
    writer = csv.writer(text, lineterminator=end)
    writer.writerows([names, *records])
    path = write(text.getvalue())
    read = [r for r in csv.reader(io.StringIO(text.getvalue(), newline="")) if r][1:]
    overrides = dict.fromkeys(names, "string")

    if any(len(record) > width for record in read):
        with pytest.raises(MalformedDataError, match="fields, but the header has"):
            look(path, "c0", schema_overrides=overrides)
        return
    run = look(path, schema_overrides=overrides, allow_empty=True)

    assert run.row_count == len(read)
    filled = [[*r, *[""] * (width - len(r))] for r in read]
    # What the csv module writes between quotes is not missing, even if empty.
    empty = [sum(row[n] == "" for row in filled) for n in range(width)]
    assert [c.failed for c in run.checks if c.validator == "null"] == empty
    short = sum(len(record) < width for record in read)
    assert any("shorter than the header" in w for w in run.warnings) == bool(short)
    found = open_source(path, ReadOptions(schema_overrides=overrides))
    values = found.to_polars().collect().fill_null("").rows()
    assert values == [tuple(row) for row in filled]
