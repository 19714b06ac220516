"""Each file format, and the table that reads it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import polars as pl

from truthound.data.csv import DelimitedFiles
from truthound.data.delimited import DelimitedTable
from truthound.data.options import ReadOptions
from truthound.data.origin import Origin
from truthound.data.partitions import Partitions
from truthound.data.reading import reading
from truthound.data.scan import ScannedTable
from truthound.data.table import Table, framed
from truthound.data.types import overridden
from truthound.errors import MalformedDataError

# The options that make sense for each format.
_TEXT = ("format", "schema_overrides", "sample_size", "storage_options", "encoding")
_OPTIONS: dict[str, tuple[str, ...]] = {
    "csv": (
        *(*_TEXT, "delimiter", "null_values", "has_header", "column_names"),
        "strict",
    ),
    "ndjson": _TEXT,
    "json": _TEXT,
    "parquet": ("format", "sample_size", "storage_options"),
    "arrow": ("format", "sample_size", "storage_options"),
}
_OPTIONS["tsv"] = _OPTIONS["csv"]
DELIMITERS = {"csv": ",", "tsv": "\t"}  # between fields, unless another is given


def open_files(
    origins: Sequence[Origin],
    kind: str,
    name: str,
    options: ReadOptions,
    partitions: Partitions | None = None,
) -> Table:
    """Open files of one format as one table.

    Args:
        origins: the files, in the order of their rows.
        kind: one of ``FORMATS``.
        name: how results call them.
        options: how they are read.
        partitions: the columns of the folders, if these are all but some of the files;
            not for delimited ones.

    Raises:
        ConfigurationError: an option does not apply.
        MalformedDataError: a file is damaged, or they do not fit together.
        DataError: a file cannot be read.
    """
    if kind in DELIMITERS:
        return DelimitedTable(delimited(origins, kind, name, options))
    options.refuse_but(f"{kind} files", *_OPTIONS[kind])
    if partitions is None:
        partitions = Partitions(origins)
    if kind == "json":
        return _open_json(origins, name, options, partitions)
    return _open_scan(origins, kind, name, options, partitions)


def delimited(
    origins: Sequence[Origin], kind: str, name: str, options: ReadOptions
) -> DelimitedFiles:
    """Look at the beginnings of delimited files; for arguments see ``open_files``."""
    options.refuse_but(f"{kind} files", *_OPTIONS[kind])
    delimiter = options.delimiter or DELIMITERS[kind]
    return DelimitedFiles(origins, options, name, delimiter)


def _open_scan(
    origins: Sequence[Origin],
    kind: str,
    name: str,
    options: ReadOptions,
    partitions: Partitions,
) -> Table:
    _check_same_columns(origins, kind, name, options)
    frame = _scan(origins, kind, options)
    if partitions:
        with reading(name):
            partitions.check_apart(frame.collect_schema(), name)
        frame = _scan(origins, kind, options, partitions.column)
        frame = frame.with_columns(partitions.values()).drop(partitions.column)
    return ScannedTable(
        frame,
        name,
        origins,
        sample_size=options.sample_size,
        cheap_nulls=kind == "parquet",
    )


def _scan(
    origins: Sequence[Origin],
    kind: str,
    options: ReadOptions,
    file_column: str | None = None,
) -> pl.LazyFrame:
    sources: Any = [origin.reads for origin in origins]
    more: dict[str, Any] = {
        "storage_options": origins[0].storage,
        "include_file_paths": file_column,
    }
    with reading(_name(origins)):
        if kind == "parquet":
            return pl.scan_parquet(sources, glob=False, hive_partitioning=False, **more)
        if kind == "arrow":
            return pl.scan_ipc(sources, glob=False, hive_partitioning=False, **more)
        # All rows decide about the types: a key that only a late row has would
        # else be left out without a word.
        frame = pl.scan_ndjson(sources, infer_schema_length=None, **more)
        schema = frame.collect_schema()
        types = overridden(options.schema_overrides, schema)
        if not types:
            return frame
        return pl.scan_ndjson(sources, schema={**schema, **types}, **more)


def _check_same_columns(
    origins: Sequence[Origin], kind: str, name: str, options: ReadOptions
) -> None:
    if len(origins) == 1 or kind == "ndjson":
        return
    first: pl.Schema | None = None
    for origin in origins:
        with reading(origin.name):
            schema = _scan([origin], kind, options).collect_schema()
        if first is None:
            first = schema
            continue
        if dict(schema) == dict(first):
            continue
        differing = [
            f"{column} is {schema.get(column, 'missing')}, not {dtype}"
            for column, dtype in first.items()
            if schema.get(column) != dtype
        ] + [f"{column} is new" for column in schema if column not in first]
        raise MalformedDataError(
            origin.name,
            f"its columns differ from those of {origins[0].name}: "
            f"{'; '.join(differing[:5])}",
        )


def _open_json(
    origins: Sequence[Origin], name: str, options: ReadOptions, partitions: Partitions
) -> Table:
    frames: list[pl.DataFrame] = []
    first: pl.Schema | None = None
    for origin in origins:
        with reading(origin.name):
            content = _text(origin)
            if not content.lstrip().startswith(b"["):
                hint = "; if each line is an object, give format='ndjson'"
                raise MalformedDataError(
                    origin.name,
                    "expected an array of objects"
                    + (hint if content.lstrip().startswith(b"{") else ""),
                )
            frame = pl.read_json(io.BytesIO(content), infer_schema_length=None)
            types = overridden(options.schema_overrides, frame.columns)
            if types:
                frame = pl.read_json(
                    io.BytesIO(content), schema={**frame.schema, **types}
                )
        origin.check_unchanged()
        first = first or frame.schema
        if frame.schema != first:
            raise MalformedDataError(
                origin.name, f"its columns differ from those of {origins[0].name}"
            )
        if partitions:
            partitions.check_apart(frame.columns, name)
            frame = frame.with_columns(partitions.file(origin))
        frames.append(frame)
    whole = pl.concat(frames)
    if partitions:
        whole = whole.with_columns(partitions.values()).drop(partitions.column)
    table = framed(whole, name, options.sample_size)
    table.addressable = True
    return table


def _text(origin: Origin) -> bytes:
    remote = origin.path is None or origin.path.suffix.lower() == ".zst"
    if remote and not isinstance(origin.reads, bytes):
        return "\n".join(origin.lines().collect()["line"]).encode()
    return origin.content().removeprefix(b"\xef\xbb\xbf")


def _name(origins: Sequence[Origin]) -> str:
    return origins[0].name if len(origins) == 1 else f"{origins[0].name} and others"
