"""The file of failing rows, so that bad rows can be set aside and good ones go on."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from truthound._atomic import replacing
from truthound.data.expr import POLARS, Predicate
from truthound.data.table import Table, engine_errors
from truthound.errors import ConfigurationError, StoreError, did_you_mean

ROW, CHECKS = "_row", "_failed_checks"
_IN_OS = re.compile(r"IO error: .*\(os error (\d+)\)")
_OS_NUMBER = re.compile(r" \(os error \d+\)$")
_SUFFIXES = (".parquet", ".csv")


def write_failing(
    table: Table,
    failing: Sequence[tuple[str, Predicate]],
    path: str | os.PathLike[str],
) -> int:
    """Write all rows that fail at least one check, as a whole file or not at all.

    Before the columns of the data come ``_row``, the row's number from 1 (if the
    source has an order), and ``_failed_checks``, the names of the checks that it
    fails: a list in Parquet, joined with ``"; "`` in CSV. Where the data has a column
    of that name, ours gets another underscore in front. Nested values are JSON in
    CSV, binary ones hexadecimal. Blocks.

    Args:
        table: what was checked.
        failing: names of checks with the condition that failing rows satisfy.
        path: ends with ``.parquet`` or ``.csv``; an existing file is replaced.

    Returns:
        How many rows were written; with none the file has columns only.

    Raises:
        ConfigurationError: another suffix, or the path of the data itself.
        CheckError: a condition cannot be evaluated.
        DataError: the data cannot be read.
        StoreError: the file cannot be written; an older one is left as it was.

    Example:
        >>> import polars as pl, tempfile
        >>> from truthound.data import FrameTable, Predicate
        >>> rides = FrameTable(pl.DataFrame({"fare": [12.5, -3.0]}))
        >>> below = Predicate(lambda ns: ns.col("fare") < 0, frozenset(["fare"]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "bad.csv")
        ...     write_failing(rides, [("fare not negative", below)], file)
        ...     file.read_text().splitlines()
        1
        ['_row,_failed_checks,fare', '2,fare not negative,-3.0']
    """
    final = Path(path)
    suffix = final.suffix.lower()
    if suffix not in _SUFFIXES:
        raise ConfigurationError(
            f"failing rows are written as {' or '.join(_SUFFIXES)}, not to {final}"
            f"{did_you_mean(suffix, _SUFFIXES) if suffix else ''}"
        )
    if Path(table.name).exists() and final.exists() and final.samefile(table.name):
        raise ConfigurationError(f"{final} is the data itself; choose another path")
    with engine_errors(table.name):
        rows = _failing_rows(table, failing)
        if suffix == ".csv":
            rows = _flat(rows)
        columns = rows.collect_schema().names()
    try:
        with replacing(final) as temporary, engine_errors(table.name, reads=False):
            if suffix == ".parquet":
                with _disk_errors():
                    rows.sink_parquet(temporary)
                written = pl.scan_parquet(temporary)
            else:
                rows.sink_csv(temporary, check_extension=False)
                text = dict.fromkeys(columns, pl.String())
                written = pl.scan_csv(temporary, schema=text, glob=False)
            return int(written.select(pl.len()).collect().item())
    except OSError as error:
        said = error.strerror or _OS_NUMBER.sub("", str(error).partition("\n")[0])
        raise StoreError(f"cannot write {final}: {said}") from error


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    """Raise as OSError what the writer of Parquet reports as an error of its own."""
    try:
        yield
    except pl.exceptions.ComputeError as error:
        number = _IN_OS.search(str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1]))) from error


def _failing_rows(
    table: Table, failing: Sequence[tuple[str, Predicate]]
) -> pl.LazyFrame:
    names = list(table.schema)
    place = _free("\0place", names)
    marks = [_free(f"\0{n}", names) for n in range(len(failing))]
    row, checks = _free(ROW, names), _free(CHECKS, names)
    # Before any row is left out: a condition may look at more than its own row.
    frame = table.to_polars().with_row_index(place)
    frame = frame.with_columns(
        predicate.build(POLARS).fill_null(False).alias(mark)
        for mark, (_, predicate) in zip(marks, failing, strict=True)
    )
    number = table.number(pl.col(place))
    told = [
        pl.when(pl.col(mark)).then(pl.lit(name, dtype=pl.String))
        for mark, (name, _) in zip(marks, failing, strict=True)
    ]
    said = pl.concat_list(told).list.drop_nulls() if told else _no_checks()
    return frame.filter(pl.any_horizontal(marks) if marks else pl.lit(False)).select(
        *([] if number is None else [number.alias(row)]),
        said.alias(checks),
        *(POLARS.col(name) for name in names),
    )


def _no_checks() -> pl.Expr:
    return pl.lit(None, dtype=pl.List(pl.String))


def _flat(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Return what CSV can hold: lists of text joined, nested values as JSON."""
    schema = frame.collect_schema()
    checks = schema.names()[0 if isinstance(schema.dtypes()[0], pl.List) else 1]
    made: list[pl.Expr] = []
    for name, dtype in schema.items():
        value = POLARS.col(name)
        if name == checks:
            made.append(value.list.join("; "))
        elif dtype.is_nested():
            # Of {"v":...}, what stands for the value.
            wrapped = pl.struct(value.alias("v")).struct.json_encode()
            inner = wrapped.str.slice(5).str.head(-1)
            made.append(pl.when(value.is_not_null()).then(inner).alias(name))
        elif isinstance(dtype, pl.Binary):
            made.append(value.bin.encode("hex"))
        elif isinstance(dtype, pl.Duration):
            made.append(value.dt.to_string("iso"))
    return frame.with_columns(made)


def _free(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name = f"_{name}"
    return name
