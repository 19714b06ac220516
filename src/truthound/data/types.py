"""Types by the names that our schemas print: ``int64``, ``datetime[us, UTC]``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from truthound.errors import ConfigurationError, did_you_mean

_NAMED: dict[str, Any] = {
    dtype.__name__.lower(): dtype()
    for dtype in (
        *(pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.Int128),
        *(pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64),
        *(pl.Float32, pl.Float64, pl.String, pl.Boolean, pl.Date, pl.Time),
        pl.Categorical,
    )
} | {"datetime": pl.Datetime("us")}

_FORMS = ("datetime[us]", "datetime[us, UTC]", "decimal[10,2]")
_DATETIME = re.compile(r"datetime\[(ms|us|ns)(?:,\s*([\w/+-]+))?\]")
_DECIMAL = re.compile(r"decimal\[(\d+),\s*(\d+)\]")


def type_named(name: str) -> pl.DataType:
    """Return the type of a name.

    Raises:
        ConfigurationError: there is none; the nearest is suggested.
    """
    plain = name.strip()
    if plain.lower() in _NAMED:
        found: pl.DataType = _NAMED[plain.lower()]
        return found
    if found_datetime := _DATETIME.fullmatch(plain):
        unit, zone = found_datetime.groups()
        return pl.Datetime(unit, zone)  # type: ignore[arg-type]
    if found_decimal := _DECIMAL.fullmatch(plain):
        return pl.Decimal(int(found_decimal[1]), int(found_decimal[2]))
    known = [*_NAMED, *_FORMS]
    raise ConfigurationError(
        f"schema_overrides: there is no type {name!r}{did_you_mean(name, known)} "
        f"(types are {', '.join(known)})"
    )


def overridden(
    overrides: Mapping[str, Any], columns: Iterable[str]
) -> dict[str, pl.DataType]:
    """Return the types that a user gives to columns of a text file.

    Raises:
        ConfigurationError: a column or a type that does not exist.
    """
    columns = list(columns)
    types: dict[str, pl.DataType] = {}
    for name, dtype in overrides.items():
        if name not in columns:
            raise ConfigurationError(
                f"schema_overrides: there is no column {name!r}"
                f"{did_you_mean(name, columns)}"
            )
        if isinstance(dtype, str):
            types[name] = type_named(dtype)
        elif isinstance(dtype, pl.DataType):
            types[name] = dtype
        elif isinstance(dtype, type) and issubclass(dtype, pl.DataType):
            types[name] = dtype()
        else:
            raise ConfigurationError(
                f"schema_overrides: the type of {name!r} is a name such as "
                f"'string' or 'int64', not {dtype!r}"
            )
    return types
