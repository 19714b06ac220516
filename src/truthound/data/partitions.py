"""Columns that come from the names of folders: ``year=2024/month=05/part.parquet``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from urllib.parse import unquote

import polars as pl

from truthound.data.origin import Origin
from truthound.errors import MalformedDataError

_MISSING = "__HIVE_DEFAULT_PARTITION__"
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class Partitions:
    """The ``key=value`` folders of several files.

    Values are integers or ISO dates if all of a key are, else text.

    Args:
        origins: the files.
        taken: names of columns that the files have themselves.

    Attributes:
        column: the name under which a scan is to give each row's file.
        types: the columns that the folders make.

    Raises:
        MalformedDataError: the files lie in folders of different keys.
    """

    def __init__(self, origins: Sequence[Origin]) -> None:
        self.column: str = "\0file"
        # A scan tells a file's path for the address that it was given.
        self._files = [_address(origin) for origin in origins]
        self._columns: dict[str, pl.Series] = {}
        keys = [key for key, _ in origins[0].parts]
        for origin in origins:
            if [key for key, _ in origin.parts] != keys:
                raise MalformedDataError(
                    origin.name,
                    f"its folders have other keys than those of {origins[0].name}",
                )
        for place, key in enumerate(keys):
            self._columns[key] = _typed(o.parts[place][1] for o in origins)

    def __bool__(self) -> bool:
        return bool(self._columns)

    @property
    def types(self) -> dict[str, pl.DataType]:
        return {key: values.dtype for key, values in self._columns.items()}

    def check_apart(self, names: Iterable[str], source: str) -> None:
        """Make sure that the files do not have columns of the same names.

        Raises:
            MalformedDataError: one has.
        """
        names = set(names)
        for key in self._columns:
            if key in names:
                raise MalformedDataError(
                    source, f"{key!r} is the name of a column and of its folders"
                )
        while self.column in names:
            self.column = f"{self.column}\0"

    def file(self, origin: Origin) -> pl.Expr:
        """Return the column that a scan of one of the files would have."""
        return pl.lit(_address(origin), dtype=pl.String).alias(self.column)

    def values(self, wanted: Iterable[str] | None = None) -> list[pl.Expr]:
        """Return the expressions of the columns, made from each row's file."""
        names = set(self._columns if wanted is None else wanted)
        return [
            pl.col(self.column)
            .replace_strict(pl.Series(self._files), values, return_dtype=values.dtype)
            .alias(key)
            for key, values in self._columns.items()
            if key in names
        ]


def _address(origin: Origin) -> str:
    return os.path.abspath(origin.path or "")  # noqa: PTH100 - resolve() follows links


def parts_of(folders: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return the keys and values in the names of folders, from the outermost."""
    return tuple(
        (unquote(key), unquote(value))
        for key, equals, value in (folder.partition("=") for folder in folders)
        if equals and key
    )


def _typed(texts: Iterable[str]) -> pl.Series:
    values = [None if text == _MISSING else text for text in texts]
    known = [value for value in values if value is not None]
    if known and all(_WHOLE.fullmatch(value) for value in known):
        return pl.Series(values, dtype=pl.String).cast(pl.Int64)
    if known and all(_DATE.fullmatch(value) for value in known):
        dates = pl.Series(values, dtype=pl.String).str.to_date("%Y-%m-%d", strict=False)
        if dates.null_count() == len(values) - len(known):
            return dates
    return pl.Series(values, dtype=pl.String)
