"""Frames of other libraries: eager ones become Polars frames, lazy ones are asked.

A pandas or PyArrow frame is converted column by column, and only the columns that a
run reads: that costs less than asking the library itself, and gives one meaning to
nulls, NaN and quantiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import narwhals as nw
import polars as pl

from truthound.data.options import ReadOptions
from truthound.data.pushdown import PushdownTable
from truthound.data.schema import Schema
from truthound.data.table import LoadedTable, Table, framed
from truthound.errors import DataError, MalformedDataError, UnsupportedDataError

# What pandas finds in an object column, and the type that it then has in Polars.
# Any other finding is settled by converting the column.
_OBJECTS: dict[str, Any] = {
    "string": pl.String(),
    "integer": pl.Int64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    "bytes": pl.Binary(),
    "empty": pl.Null(),
}


def open_frame(frame: object, options: ReadOptions) -> Table:
    """Open a frame of any library that Narwhals knows, or an Arrow stream.

    Raises:
        UnsupportedDataError: it is no frame.
        MalformedDataError: its columns have no usable names.
        DataError: its columns cannot be found out.
    """
    name = type(frame).__name__
    try:
        known: Any = nw.from_native(frame)
    except TypeError:
        return _opened_stream(frame, name, options)
    except nw.exceptions.DuplicateError as error:
        raise _duplicates(name, error) from error
    if isinstance(known, nw.LazyFrame):
        options.refuse_all(f"a {name}")
        return PushdownTable(known, name)
    options.refuse_but(f"a {name}", "sample_size")
    types = _types(known, name)
    load = _loader(known, name)
    return LoadedTable(load, name, Schema.of(types), options.sample_size)


def _opened_stream(frame: Any, name: str, options: ReadOptions) -> Table:
    """Open what can export itself as an Arrow stream; it is read at once."""
    if not hasattr(frame, "__arrow_c_stream__") or hasattr(frame, "to_frame"):
        hint = "; make a frame of it first" if hasattr(frame, "to_frame") else ""
        raise UnsupportedDataError(
            f"cannot read data of type {name}{hint}: expected a path, glob or folder, "
            f"an address (http, s3, gs, az), a Polars, pandas or PyArrow frame, a "
            f"DuckDB relation or another frame that Narwhals knows, a dict of "
            f"columns, or a function that returns one of these"
        )
    options.refuse_but(f"a {name}", "sample_size")
    try:
        read = pl.DataFrame(frame)
    except (pl.exceptions.PolarsError, ValueError, TypeError) as error:
        raise MalformedDataError(name, str(error)) from error
    return framed(read, name, options.sample_size)


def _types(frame: nw.DataFrame[Any], name: str) -> dict[str, Any]:
    """Return the columns' types; those of pandas' object columns are found out."""
    try:
        names = frame.columns
        for label in names:
            if not isinstance(label, str):
                raise MalformedDataError(
                    name,
                    f"column labels must be text, but there is {label!r} "
                    f"({type(label).__name__}); rename the columns first: "
                    f"frame.columns = frame.columns.map(str)",
                )
        types: dict[str, Any] = dict(frame.schema)
    except nw.exceptions.DuplicateError as error:
        raise _duplicates(name, error) from error
    except nw.exceptions.NarwhalsError as error:
        raise DataError(f"{name}: {error}") from error
    if frame.implementation.is_pandas_like():
        objects = [n for n, found in frame.to_native().dtypes.items() if found == "O"]
        load = _loader(frame, name)
        for column in objects:
            types[column] = _object_type(frame, column, load)
    return types


def _duplicates(name: str, error: Exception) -> MalformedDataError:
    said = " ".join(str(error).split())
    return MalformedDataError(
        name, f"column names must differ from each other ({said})"
    )


def _object_type(
    frame: nw.DataFrame[Any], column: str, load: Callable[[list[str]], pl.DataFrame]
) -> Any:
    import pandas as pd

    found = pd.api.types.infer_dtype(frame.to_native()[column], skipna=True)
    if found in _OBJECTS:
        return _OBJECTS[found]
    try:
        return load([column]).schema[column]
    except MalformedDataError:
        return pl.Object()  # an error only if a check reads it


def _loader(frame: nw.DataFrame[Any], name: str) -> Callable[[list[str]], pl.DataFrame]:
    def load(names: list[str]) -> pl.DataFrame:
        try:
            return _converted(frame, names)
        except Exception as error:
            # The other library and Arrow's conversion share no root of exceptions.
            raise _blamed(frame, names, name, error) from error

    return load


def _converted(frame: nw.DataFrame[Any], names: Iterable[str]) -> pl.DataFrame:
    names = list(names)
    converted = frame.select(names).to_polars()
    converted.columns = names  # Arrow's empty name would come back as column_0
    return converted


def _blamed(
    frame: nw.DataFrame[Any], names: Iterable[str], source: str, error: Exception
) -> MalformedDataError:
    """Name the column that cannot be converted."""
    for name in names:
        try:
            _converted(frame, [name])
        except Exception as fault:  # noqa: BLE001 - as in _loader
            said = str(fault).strip().partition("\n")[0]
            return MalformedDataError(
                source,
                f"column {name!r} cannot be read ({said}); if it mixes types, give "
                f"it one: frame[{name!r}] = frame[{name!r}].astype(str)",
            )
    return MalformedDataError(source, str(error))
