"""From whatever the user hands in as data to a table."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import Any

import polars as pl

from truthound.data.options import ReadOptions
from truthound.data.table import (
    FrameTable,
    LazyTable,
    SampledTable,
    Table,
    engine_errors,
    framed,
)
from truthound.errors import DataError, MalformedDataError
from truthound.secrets import Reference

_NONE = ReadOptions()


def open_source(source: object, options: ReadOptions | None = None) -> Table:
    """Open data of any supported kind.

    Blocks: files are looked at (their header, not their rows), and a function is
    called. What is needed for the checks is read by the table itself.

    Raises:
        DataNotFoundError: there is no such file.
        UnsupportedDataError: data of this kind cannot be read.
        MalformedDataError: the file is damaged or ambiguous.
        DataError: reading failed in another way.
    """
    if isinstance(source, Table):
        return source
    options = options or _NONE
    if isinstance(source, pl.DataFrame):
        if options.given:
            options.refuse_but("a DataFrame", "sample_size")
            return framed(source, "DataFrame", options.sample_size)
        return FrameTable(source)
    if isinstance(source, pl.LazyFrame):
        return _lazy(source, options)
    if isinstance(source, Reference):
        return _referred(source, options)
    if isinstance(source, (str, os.PathLike)):
        from truthound.data.files import open_path

        return open_path(os.fspath(source), options)
    if isinstance(source, Mapping) and all(isinstance(k, str) for k in source):
        options.refuse_but("a dict", "sample_size")
        try:
            frame = pl.DataFrame(source)
        except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
            raise MalformedDataError("dict", str(error)) from error
        return framed(frame, "dict", options.sample_size)
    if callable(source):
        return open_source(_called(source), options)
    from truthound.data.frames import open_frame

    return open_frame(source, options)


def _referred(source: Reference, options: ReadOptions) -> Table:
    from truthound.data.files import open_path

    try:
        table = open_path(os.fspath(source), options)
    except DataError as error:
        error.args = (source.hidden(str(error)),)
        raise
    table.name = str(source)  # as it was written, not as it was looked up
    return table


def _lazy(frame: pl.LazyFrame, options: ReadOptions) -> Table:
    options.refuse_but("a LazyFrame", "sample_size")
    size = options.sample_size
    if size is None:
        return LazyTable(frame)
    name = "LazyFrame"
    try:
        height = frame.select(pl.len()).collect().item()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{name}: {error}") from error
    if height <= size:
        return LazyTable(frame)
    place = pl.int_range(pl.len(), dtype=pl.Int64)
    with engine_errors(name):
        chosen = frame.filter(place * size % height < size).collect()
    return SampledTable(chosen, height, name)


async def called(source: object) -> object:
    """Call a source that is a function and await what it returns, if it must be.

    Anything else comes back as it is.
    """
    if not callable(source) or isinstance(source, Table):
        return source
    result = source()
    return await result if inspect.isawaitable(result) else result


def _called(source: Any) -> object:
    result = source()
    if inspect.isawaitable(result):
        import asyncio

        # No loop runs in a worker thread; see AsyncCheckpoint for the other case.
        async def wait() -> object:
            return await result

        return asyncio.run(wait())
    return result
