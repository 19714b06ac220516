"""schema: what is missing, extra, of another type, out of order, or null."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import truthound
from engines import ENGINES, as_engine
from naive import NAMES
from truthound.data import open_source
from truthound.errors import ConfigurationError, StoreError
from truthound.secrets import Reference
from truthound.validators import CheckResult
from truthound.validators.schema_file import (
    describe_schema,
    read_schema,
    schema_as_yaml,
    write_schema,
)

ROWS = pl.DataFrame({"id": [1, 2], "fare": [5.0, None], "who": ["a", "b"]})


def against(schema: Any, data: Any = ROWS, **options: Any) -> CheckResult:
    rule = {"schema": {"schema": schema, **options}}
    return truthound.check(data, [rule], allow_empty=True).checks[0]


@pytest.mark.parametrize("engine", ENGINES)
@given(
    wanted=st.permutations(list("abcd")).flatmap(
        lambda names: st.integers(1, 4).map(lambda size: names[:size])
    ),
    found=st.permutations(list("abcd")).flatmap(
        lambda names: st.integers(1, 4).map(lambda size: names[:size])
    ),
    floats=st.sets(st.sampled_from("abcd")),
    nulls=st.sets(st.sampled_from("abcd")),
    strict=st.booleans(),
    ordered=st.booleans(),
)
def test_says_what_a_loop_finds(
    engine: str,
    wanted: list[str],
    found: list[str],
    floats: set[str],
    nulls: set[str],
    strict: bool,
    ordered: bool,
) -> None:
    frame = pl.DataFrame(
        {
            name: pl.Series(
                [1, None if name in nulls else 2],
                dtype=pl.Float64 if name in floats else pl.Int64,
            )
            for name in found
        }
    )
    schema = {name: {"type": "int64", "nullable": False} for name in wanted}
    both = [name for name in wanted if name in found]
    in_place = [name for name in found if name in wanted]
    expected = {
        "missing": [name for name in wanted if name not in found],
        "extra": [name for name in found if name not in wanted] if strict else [],
        "types": {
            name: {"expected": "int64", "observed": "float64"}
            for name in both
            if name in floats
        },
        "order": {"expected": both, "observed": in_place}
        if ordered and both != in_place
        else {},
        "nulls": {name: 1 for name in both if name in nulls},
    }
    expected = {part: said for part, said in expected.items() if said}

    check = against(schema, as_engine(engine, frame), strict=strict, ordered=ordered)

    assert check.error is None
    assert check.details == expected
    assert check.success is (not expected)
    assert check.severity == ("critical" if expected else None)


def test_message_names_all_that_is_wrong() -> None:
    schema = {
        "who": "string",
        "id": "text",
        "fares": "float64",
        "fare": {"type": "numeric", "nullable": False},
    }
    data = ROWS.with_columns(fares_=pl.lit(1))
    assert against(schema, data, ordered=True).message == (
        "'fares' is missing (is it 'fares_'?); 'fares_' is not expected; "
        "'id' is int64, expected text; 'id' stands where 'who' is expected; "
        "'fare' misses 1 value"
    )


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ("int64", True),
        ("integer", True),
        ("int", True),
        ("numeric", True),
        ("all", True),
        ("int32", False),
        ("float", False),
        ("text", False),
    ],
)
def test_types_are_exact_or_groups(wanted: str, fits: bool) -> None:
    assert against({"x": wanted}, {"x": [1]}).success is fits


def test_column_without_a_value_fits_every_type(tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    for text in ("a,b\n", "a,b\n1,\n2,\n"):
        path.write_text(text)
        assert against({"a": "integer", "b": "date"}, path).success
    assert against({"x": "int64"}, pl.DataFrame({"x": [None]})).success
    typed = pl.DataFrame({"x": [None]}, schema={"x": pl.Float64})
    assert not against({"x": "int64"}, typed).success


def test_type_that_changes_late_in_a_text_file_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    lines = [f"{n},2026-01-01" for n in range(5_000)]
    path.write_text("n,day\n" + "\n".join([*lines, "x,soon"]) + "\n")
    check = against({"n": "integer", "day": "date"}, path)
    assert sorted(check.details["types"]) == ["day", "n"]


@pytest.mark.parametrize("engine", ENGINES)
@given(
    rows=st.lists(
        st.tuples(st.none() | st.integers(0, 9), st.none() | st.text("ab", max_size=2))
    )
)
def test_described_schema_is_the_one_of_the_data(engine: str, rows: Any) -> None:
    frame = pl.DataFrame(
        {"a b": [n for n, _ in rows], "no": [t for _, t in rows]},
        schema={"a b": pl.Int64, "no": pl.String},
    )
    data = as_engine(engine, frame)

    found = describe_schema(open_source(data))

    assert found == {
        "a b": {"type": "int64", "nullable": any(n is None for n, _ in rows)},
        "no": {"type": "string", "nullable": any(t is None for _, t in rows)},
    }
    assert against(found, data, ordered=True).success


@pytest.mark.parametrize("suffix", ["yaml", "json"])
@given(
    names=st.lists(
        st.sampled_from(
            [*NAMES, "no", "2024", "null", "a: b", "- x", "#", "\t\n", "}"]
        ),
        min_size=1,
        unique=True,
    )
)
def test_files_come_back_as_they_were_written(suffix: str, names: list[str]) -> None:
    columns = {
        name: {"type": kind, "nullable": kind == "date"}
        for name, kind in zip(names, ["int64", "date", "datetime[us, UTC]"] * 9)  # noqa: B905
    }
    path = Path(f"schema.{suffix}")
    write_schema(columns, path)
    assert read_schema(path) == columns
    assert list(read_schema(path)) == names
    assert against(str(path), pl.DataFrame({"zzz": [1]})).details["missing"] == names


def test_yaml_is_a_line_a_column_that_others_can_read() -> None:
    columns = {"id": {"type": "int64", "nullable": False}, "é": {"type": "date"}}
    text = schema_as_yaml(columns)
    assert text == "id: {type: int64, nullable: false}\né: {type: date}\n"
    assert yaml.safe_load(text) == columns


def test_short_form_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "# ours\nid: integer\nfare:\n  type: float\n  nullable: true\nwho: text\n"
    )
    assert against(path).success
    assert against(Reference("s.yaml", tmp_path)).success


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("s.yaml", "a: int64\na: date\n", "'a' stands there twice"),
        ("s.json", '{"a": "int64", "a": "date"}', "'a' stands there twice"),
        ("s.yaml", "a: [int64\n", "s.yaml"),
        ("s.json", "{", "s.json"),
        ("s.yaml", "- a\n", "a mapping of columns"),
        ("s.yaml", "", "schema is a mapping"),
        ("s.json", "{}", "names no column"),
        ("s.yaml", "a: integr\n", "did you mean 'integer'"),
        ("s.yaml", "a: {typ: int64}\n", "did you mean 'type'"),
        ("s.yaml", "a: {nullable: maybe}\n", "is true or false"),
        ("s.yaml", "? [a]\n: int64\n", "a column name is a text"),
        ("s.yaml", "a: !!python/object/apply:os.system [ls]\n", "a"),
    ],
)
def test_faulty_file_is_an_error_that_names_it(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    (tmp_path / name).write_text(text)
    check = against(str(tmp_path / name))
    assert check.status == "error"
    assert said in str(check.error)
    assert name in str(check.error)


def test_missing_file_and_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_bytes(b"\xff\xfe\x00")
    assert "is not UTF-8" in str(against(tmp_path / "s.yaml").error)
    assert "cannot read" in str(against(tmp_path / "none.yaml").error)


def test_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"none.*s\.yaml"):
        write_schema({"a": {"type": "date"}}, tmp_path / "none" / "s.yaml")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"schema": 3}, "mapping of columns to types, or the path"),
        ({"schema": {}}, "names no column"),
        ({"schema": {"a": "integr"}}, "did you mean 'integer'"),
        ({"schema": {1: "int64"}}, "1 is no column name"),
        ({"schema": {"a": None}}, "needs a type"),
        ({"schema": {"a": {"type": 3}}}, "is a name such as int64"),
        ({"column": "a"}, "column does not apply to schema"),
        ({"by": "a"}, "by does not apply to schema"),
    ],
)
def test_faulty_options_are_refused(options: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        truthound.check({"a": [1]}, [{"schema": options}])


def test_learned_by_the_first_run_and_held_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "rides.csv"
    path.write_text("id,fare\n1,2.5\n2,\n")
    checkpoint = truthound.Checkpoint("rides", data_source=path, validators=["schema"])
    first = checkpoint.run().validation_run
    assert first.checks[0].message == "learned: 2 columns"
    (kept,) = Path(".truthound/baselines").glob("*.json")
    assert json.loads(kept.read_text())["values"]["schema"] == {
        "id": {"type": "int64", "nullable": False},
        "fare": {"type": "float64", "nullable": True},
    }
    assert checkpoint.run().validation_run.checks[0].message == "as expected"

    path.write_text("id,tip\n1,\nx,2\n")
    check = checkpoint.run().validation_run.checks[0]
    assert check.details == {
        "missing": ["fare"],
        "extra": ["tip"],
        "types": {"id": {"expected": "int64", "observed": "string"}},
    }


def test_nothing_is_learned_of_a_table_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "rides.csv"
    path.write_text("id\n")
    checkpoint = truthound.Checkpoint("rides", data_source=path, validators=["schema"])
    assert not checkpoint.run().validation_run.learned
    path.write_text("id\n1\n")
    assert "schema" in checkpoint.run().validation_run.learned
