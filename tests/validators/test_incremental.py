"""Incremental runs: the results of a full read, from the new files alone."""

from __future__ import annotations

import gzip
import math
import os
import random
import shutil
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeping import InMemory, spoil, write
from truthound.checkpoint import Checkpoint
from truthound.data import sketches
from truthound.errors import ConfigurationError, DataError
from truthound.store import MemoryStore
from truthound.validators import RowValidator
from truthound.validators.validation import Validation

SCHEMA = {
    "n": pl.Int64,
    "x": pl.Float64,
    "s": pl.String,
    "day": pl.Date,
    "at": pl.Datetime("us", "Europe/Helsinki"),
    "took": pl.Duration("ms"),
    "clock": pl.Time,
    "price": pl.Decimal(20, 2),
    "ok": pl.Boolean,
    "* odd^$": pl.Int32,
}
RULES = [
    "null",
    "blank",
    {"row_count": {"min": 3}},
    {"row_count": {"min": 2, "where": "n > 1"}},
    {"column_count": {"equals": 10}},
    {"range": {"columns": ["n", "x", "price", "* odd^$"], "min": -2, "max": 5}},
    {"range": {"column": "at", "min": "2024-10-27T00:00", "where": "ok"}},
    {"date_range": {"column": "day", "min": "2024-01-02"}},
    {"in_set": {"column": "s", "values": ["a", "bb"], "where": "n IS NOT NULL"}},
    {"not_in_set": {"column": "n", "values": [3]}},
    {"regex": {"column": "s", "pattern": "^a"}},
    {"not_regex": {"column": "s", "pattern": "b"}},
    {"length": {"column": "s", "max": 1}},
    {"format": {"column": "s", "format": "email"}},
    {"type": {"column": "s", "type": "integer"}},
    {"compare": {"column": "n", "operator": "<=", "other": "x"}},
    {"expression": {"expression": "n + x > 1"}},
    {"mean": {"columns": ["n", "x", "price"], "max": 1}},
    {"std": {"columns": ["n", "x"], "max": 2}},
    {"sum": {"columns": ["n", "x", "price"], "max": 9}},
    {"min": {"columns": ["n", "x", "price"], "min": 1}},
    {"max": {"columns": ["day"], "max": "2024-01-03"}},
    {"max": {"column": "at", "max": "2024-10-27T03:30"}},
    {"max": {"column": "took", "max": 3}},
    {"min": {"column": "clock", "min": "02:00"}},
    {"median": {"columns": ["n", "x"], "max": 1}},
    {"quantile": {"column": "x", "q": 0.9, "max": 2}},
    {"distinct_count": {"columns": ["n", "x", "s", "ok", "at"], "max": 2}},
    {"freshness": {"column": "at", "max_age": "1d"}},
]


def _row():
    maybe = lambda values: st.one_of(st.none(), values)  # noqa: E731
    back = datetime(2024, 10, 26, 23, tzinfo=UTC)  # clocks are set back at 01:00 UTC
    return st.fixed_dictionaries(
        {
            "n": maybe(st.integers(-3, 6)),
            "x": maybe(
                st.sampled_from([0.1, -2.0, 1e9, math.nan, math.inf, 3.5, -0.0])
            ),
            "s": maybe(st.sampled_from(["a", "bb", "", " ", "7", "a@b.org"])),
            "day": maybe(st.dates(date(2024, 1, 1), date(2024, 1, 5))),
            "at": maybe(st.integers(0, 300).map(lambda m: back + timedelta(minutes=m))),
            "took": maybe(st.integers(0, 5).map(lambda s: timedelta(seconds=s))),
            "clock": maybe(st.integers(0, 23).map(time)),
            "price": maybe(st.integers(-400, 900).map(lambda n: Decimal(n) / 100)),
            "ok": maybe(st.booleans()),
            "* odd^$": maybe(st.integers(-3, 9)),
        }
    )


tables = st.lists(_row(), max_size=6)


def _same(found, expected):
    if isinstance(found, float) and isinstance(expected, float):
        return found == pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True)
    return found == expected


def _check_equal(found, expected):
    assert found.row_count == expected.row_count
    for one, other in zip(found.checks, expected.checks, strict=True):
        for part in ("name", "status", "checked", "failed", "severity", "details"):
            if one.validator == "freshness" and part == "details":
                continue  # an age, by the clock
            assert getattr(one, part) == getattr(other, part), (one, other)
        assert _same(one.observed, other.observed), (one, other)
        assert repr(one.examples) == repr(other.examples)  # NaN is not equal to itself


def _both(rules=RULES, source="in", **options):
    plain = Validation.of(rules, name="c", **options)
    grows = Validation.of(rules, name="c", incremental=True, **options)
    parts = InMemory()

    def run(full=False):
        found = grows.run(source, parts=parts, full=full)
        _check_equal(found, plain.run(source))
        return found

    return run, parts


def _frame(*values):
    return pl.DataFrame({"n": values}, schema={"n": pl.Int64})


def _counts(run):
    return run.metadata["incremental"]


@pytest.mark.timeout(150)
@pytest.mark.parametrize("suffix", ["parquet", "ipc"])
@settings(max_examples=15)
@given(
    first=st.lists(tables, min_size=1, max_size=3), then=tables, place=st.integers(0, 9)
)
def test_typed_files_give_what_a_full_read_gives(suffix, first, then, place):
    shutil.rmtree("in", ignore_errors=True)
    names = [f"in/{n}.{suffix}" for n in range(1, 10, 3)]
    for name, rows in zip(names, first, strict=False):
        write(name, pl.DataFrame(rows, schema=SCHEMA))
    run, _ = _both()
    run()
    write(f"in/{place}.{suffix}", pl.DataFrame(then, schema=SCHEMA), at=10**18)
    assert not run().warnings
    if len(list(Path("in").iterdir())) > 1:
        Path(names[0]).unlink()
        run()


@given(
    first=st.lists(
        st.lists(st.tuples(st.integers(-3, 6), st.sampled_from("ab ")), max_size=5),
        min_size=1,
        max_size=3,
    ),
    then=st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(-3, 9), st.floats(0, 1)),
            st.sampled_from(["a", None, ""]),
        ),
        max_size=4,
    ),
)
def test_text_files_give_what_a_full_read_gives(first, then):
    shutil.rmtree("in", ignore_errors=True)
    for number, rows in enumerate(first):
        write(
            f"in/{number}.csv",
            pl.DataFrame(rows, schema=["n", "s"], orient="row")
            if rows
            else pl.DataFrame(schema={"n": pl.Int64, "s": pl.String}),
        )
    rules = ["null", {"not_in_set": {"column": "s", "values": ["b"]}}]
    if all(first):
        rules += [
            {"range": {"column": "n", "min": 0}},
            {"sum": {"column": "n", "min": 3}},
        ]
    run, _ = _both(rules, allow_empty=True)
    try:
        run()
    except DataError:
        return
    Path("in/9.csv").write_text(
        "n,s\n" + "".join(f"{'' if n is None else n},{s or ''}\n" for n, s in then)
    )
    os.utime("in/9.csv", ns=(10**18, 10**18))
    run()
    run()


def _folder(suffix="parquet"):
    for number in range(3):
        write(f"in/{number}.{suffix}", _frame(number, number + 1, None))


@pytest.mark.parametrize("suffix", ["parquet", "ipc", "ndjson", "json", "csv"])
def test_only_a_new_file_is_read(suffix):
    _folder(suffix)
    run, parts = _both(
        [{"range": {"column": "n", "max": 9}}, {"mean": {"column": "n", "max": 9}}]
    )
    assert _counts(run()) == {"files": 3, "files_read": 3}
    assert _counts(run()) == {"files": 3, "files_read": 0}
    write(f"in/1a.{suffix}", _frame(7))
    assert _counts(run()) == {"files": 4, "files_read": 1}
    assert list(parts.sources["c in"]) == [
        f"{n}.{suffix}" for n in ("0", "1", "2", "1a")
    ]


def test_a_file_that_did_not_change_is_not_looked_at():
    _folder()
    rules = [{"range": {"column": "n", "max": 9}}]
    grows = Validation.of(rules, name="c", incremental=True)
    parts = InMemory()
    grows.run("in", parts=parts)
    for number in range(3):
        spoil(f"in/{number}.parquet")
    write("in/3.parquet", _frame(8))
    run = grows.run("in", parts=parts)
    assert run.success
    assert run.row_count == 10
    with pytest.raises(DataError, match=r"0\.parquet"):
        grows.run("in", parts=parts, full=True)


def test_a_file_that_was_changed_is_read_again():
    _folder()
    run, _ = _both([{"sum": {"column": "n", "max": 9}}])
    run()
    write("in/1.parquet", _frame(50, 51, None))  # another identity or time
    os.utime("in/1.parquet", ns=(10**18, 10**18))
    found = run()
    assert _counts(found)["files_read"] == 1
    assert found.checks[0].observed == 107
    os.utime("in/1.parquet", ns=(10**18 + 1, 10**18 + 1))
    assert _counts(run())["files_read"] == 1


def test_a_file_with_a_new_name_is_a_new_file():
    _folder()
    run, parts = _both([{"range": {"column": "n", "max": 9}}])
    run()
    Path("in/0.parquet").rename("in/7.parquet")
    assert _counts(run())["files_read"] == 1
    assert sorted(parts.sources["c in"]) == ["1.parquet", "2.parquet", "7.parquet"]


def test_a_file_that_was_changed_just_now_is_read_once_more():
    _folder()
    run, _ = _both([{"range": {"column": "n", "max": 9}}])
    now = int(datetime.now(UTC).timestamp()) * 10**9  # whole seconds: coarse times
    os.utime("in/1.parquet", ns=(now, now))
    run()
    assert _counts(run())["files_read"] == 1


def test_examples_have_the_numbers_and_values_of_a_full_read():
    for number in range(4):
        write(f"in/{number}.parquet", _frame(*range(number * 10, number * 10 + 10)))
    run, _ = _both([{"not_in_set": {"column": "n", "values": [14, 15, 33]}}])
    run()
    found = run()
    assert [row["row"] for row in found.checks[0].examples] == [15, 16, 34]
    assert _counts(found) == {"files": 4, "files_read": 2}  # those with failing rows


def test_folders_of_partitions_are_columns():
    write("in/day=1/a.parquet", _frame(1))
    write("in/day=2/a.parquet", _frame(2))
    run, _ = _both(
        [{"range": {"column": "day", "max": 9}}, {"min": {"column": "day", "min": 2}}]
    )
    run()
    write("in/day=3/a.parquet", _frame(2))
    assert _counts(run())["files_read"] == 1
    write("in/day=x/a.parquet", _frame(2))  # now all of them are texts
    assert run().errors


def test_other_columns_in_a_new_file_are_the_error_of_a_full_read():
    _folder()
    grows = Validation.of(["null"], name="c", incremental=True)
    parts = InMemory()
    grows.run("in", parts=parts)
    write("in/3.parquet", pl.DataFrame({"n": ["text"]}))
    with pytest.raises(DataError) as ordinary:
        Validation.of(["null"]).run("in")
    with pytest.raises(DataError) as incremental:
        grows.run("in", parts=parts)
    assert str(incremental.value) == str(ordinary.value)


@pytest.mark.parametrize("late", ["x", "2.5"])
def test_a_type_that_changes_late_makes_all_files_be_read(late):
    _folder("csv")
    run, _ = _both(
        [
            {"max": {"column": "n", "max": 9}},
            {"distinct_count": {"column": "n", "max": 99}},
        ]
    )
    run()
    rows = [str(n) for n in range(3_000)]
    Path("in/3.csv").write_text("\n".join(["n", *rows, late]) + "\n")
    for _ in range(2):
        found = run()
        assert any("not of the type" in warning for warning in found.warnings)
        assert _counts(found)["files_read"] == 4


def test_short_rows_of_a_known_file_are_told_again():
    Path("in").mkdir()
    Path("in/0.csv").write_text("a,b\n1,2\n3\n")
    os.utime("in/0.csv", ns=(10**18, 10**18))
    run, _ = _both([{"range": {"column": "a", "min": 0}}])
    first = run().warnings
    assert "shorter than the header" in first[0]
    assert run().warnings == first


def test_compressed_text_is_read_once_too():
    Path("in").mkdir()
    for number in range(2):
        Path(f"in/{number}.csv.gz").write_bytes(gzip.compress(b"a\n1\n2\n"))
        os.utime(f"in/{number}.csv.gz", ns=(10**18, 10**18))
    run, _ = _both([{"range": {"column": "a", "min": 0}}])
    run()
    assert _counts(run())["files_read"] == 0


def test_a_single_file_is_a_source_of_one():
    write("one.parquet", _frame(1, 2))
    run, _ = _both([{"range": {"column": "n", "min": 0}}], source="one.parquet")
    run()
    assert _counts(run()) == {"files": 1, "files_read": 0}


class EvenValidator(RowValidator):
    """Of the user's own."""

    rule = "even"
    row_by_row = True

    def holds(self, column, ns):
        return ns.col(column.name) % 2 == 0


def _odd(values):
    return values % 2 == 1


@pytest.mark.parametrize(
    "rule",
    [
        {"unique": {"column": "n"}},
        "duplicate",
        {"monotonic": {"column": "n"}},
        {"outlier": {"column": "n"}},
        {"range": {"column": "n", "min": 1, "by": "n"}},
        {"custom": {"column": "n", "function": _odd}},
        {"expression": {"expression": "n < 2 * AVG(n)"}},
        {"range": {"column": "n", "min": 1, "where": pl.col("n") > pl.col("n").mean()}},
        {"referential": {"column": "n", "references": {"source": {"n": [1, 2]}}}},
        EvenValidator("n"),
    ],
    ids=range(10),
)
def test_what_cannot_be_merged_is_asked_of_all_files(rule):
    _folder()
    run, _ = _both([rule, {"sum": {"column": "n", "min": 0}}])
    run()
    found = run()
    name = found.checks[0].name
    assert any(f"all files were read for {name}" in text for text in found.warnings)
    assert _counts(found)["files_read"] == 3


def test_moments_relative_to_the_run_are_asked_of_all_files():
    write("in/0.parquet", pl.DataFrame({"at": [datetime(2024, 1, 1)]}))
    run, _ = _both([{"date_range": {"column": "at", "max": "now"}}])
    assert "all files were read for date_range(at)" in run().warnings[0]


def test_a_quantile_that_is_shared_with_outlier_is_exact():
    _folder()
    run, _ = _both(
        [
            {"outlier": {"column": "n", "method": "iqr"}},
            {"quantile": {"column": "n", "q": 0.25, "max": 9}},
        ]
    )
    run()
    assert "sketch" not in run().checks[1].details


def _many():
    shuffled = list(range(90_000))
    random.Random(7).shuffle(shuffled)
    for number in range(3):
        write(f"in/{number}.parquet", _frame(*shuffled[number::3]))


def test_a_sketch_far_from_the_bounds_decides_and_says_its_error():
    _many()
    rules = [
        {"median": {"column": "n", "max": 60_000}},
        {"distinct_count": {"column": "n", "min": 80_000}},
    ]
    grows = Validation.of(rules, name="c", incremental=True)
    parts = InMemory()
    grows.run("in", parts=parts)
    found = grows.run("in", parts=parts)
    assert _counts(found)["files_read"] == 0
    median, distinct = found.checks
    assert found.success
    assert median.observed == pytest.approx(45_000, abs=90_000 * 0.0068 * 1.5)
    assert median.details == {"sketch": "KLL sketch, rank error 0.68%"}
    assert median.message.endswith("(KLL sketch, rank error 0.68%)")
    assert distinct.observed == pytest.approx(90_000, rel=0.047)
    assert distinct.details == {"sketch": "theta sketch, error 4.7%"}
    full = grows.run("in", parts=parts, full=True)
    assert [check.observed for check in full.checks] == [44_999.5, 90_000]


@pytest.mark.parametrize("bound", [44_999, 45_000])
def test_a_sketch_near_the_bounds_is_decided_by_reading_all(bound):
    _many()
    run, _ = _both([{"median": {"column": "n", "max": bound}}])
    run()
    found = run()
    assert found.checks[0].observed == 44_999.5
    assert _counts(found)["files_read"] == 3


def test_without_the_library_of_sketches_all_files_are_read(monkeypatch):
    _folder()
    monkeypatch.setattr(sketches, "find_spec", lambda name: None)
    sketches.available.cache_clear()
    try:
        run, _ = _both(
            [{"median": {"column": "n", "max": 9}}, {"sum": {"column": "n", "max": 99}}]
        )
        run()
        (warning,) = run().warnings
        assert "read for median(n)" in warning
        assert "truthound-async[sketches]" in warning
    finally:
        sketches.available.cache_clear()


def test_damaged_states_are_read_again_with_a_warning():
    _folder()
    run, parts = _both([{"sum": {"column": "n", "max": 99}}])
    run()
    files = parts.sources["c in"]
    kept = files["1.parquet"]
    files["1.parquet"] = type(kept)(
        file=kept.file, fingerprint=kept.fingerprint, state=kept.state[:-1] + b"\x00"
    )
    found = run()
    assert "what was kept of 1 file is damaged" in found.warnings[0]
    assert _counts(found)["files_read"] == 1
    assert not run().warnings


def test_other_options_of_reading_make_states_useless():
    Path("in").mkdir()
    Path("in/0.csv").write_text("a\n1\nx\n")
    os.utime("in/0.csv", ns=(10**18, 10**18))
    parts = InMemory()
    for nulls in ([], ["x"]):
        read = {"null_values": nulls} if nulls else {}
        checkpoint = Checkpoint(
            "c",
            data_source="in",
            validators=["null"],
            read_options=read,
            incremental=True,
        )
        checkpoint.parts = parts
        failed = checkpoint.run().validation_run.checks[0].failed
        assert failed == len(nulls)


def test_a_store_that_fails_is_a_warning():
    _folder()
    run, parts = _both([{"sum": {"column": "n", "max": 99}}])
    parts.broken = True
    assert [w for w in run().warnings if "the store is gone" in w] == run().warnings
    assert len(run().warnings) == 2  # neither loaded nor saved


@pytest.mark.parametrize("source", [pl.DataFrame({"n": [1]}), {"n": [1]}])
def test_a_frame_is_read_as_always(source):
    validation = Validation.of(["null"], incremental=True)
    run = validation.run(source, parts=InMemory())
    assert "has no files" in run.warnings[0]
    assert "incremental" not in run.metadata


def test_without_a_store_all_is_read():
    _folder()
    run = Validation.of(["null"], incremental=True).run("in")
    assert run.warnings == [
        "incremental: nothing is kept without a store; all files were read"
    ]
    assert run.row_count == 9


def test_a_sample_does_not_grow():
    with pytest.raises(ConfigurationError, match="sample_size"):
        Checkpoint("c", data_source="in", incremental=True, sample_size=5)


@pytest.mark.parametrize("way", ["run", "run_async"])
async def test_a_checkpoint_reads_all_if_told_so(way):
    import asyncio

    _folder()
    checkpoint = Checkpoint(
        "c",
        data_source="in",
        validators=[{"sum": {"column": "n", "max": 99}}],
        incremental=True,
    )

    async def go(**more):
        if way == "run":
            result = await asyncio.to_thread(checkpoint.run, **more)
        else:
            result = await checkpoint.run_async(**more)
        return _counts(result.validation_run)["files_read"]

    async with MemoryStore() as store:
        checkpoint.store = store
        read = [await go(), await go(), await go(full=True), await go()]

    assert read == [3, 0, 3, 0]
    assert checkpoint.to_dict()["incremental"] is True
