"""Reading options: what they take, and where they do not apply."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from truthound.data import ReadOptions
from truthound.data.types import overridden, type_named
from truthound.errors import ConfigurationError, UnknownOptionError


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"delimiter": ";;"}, "delimiter is one ASCII character"),
        ({"delimiter": "é"}, "delimiter is one ASCII character"),
        ({"delimiter": '"'}, "delimiter is one ASCII character"),
        ({"delimiter": 7}, "delimiter is one ASCII character"),
        ({"sample_size": 0}, "sample_size is a number of rows from 1"),
        ({"sample_size": True}, "sample_size is a number of rows from 1"),
        ({"sample_size": "9"}, "sample_size is a number of rows from 1"),
        ({"format": "parket"}, "did you mean 'parquet'"),
        ({"encoding": "utf-99"}, "no encoding 'utf-99'"),
        ({"encoding": 8}, "no encoding 8"),
        ({"null_values": 7}, "null_values is a text or a list of texts"),
        ({"null_values": [None]}, "null_values is a text or a list of texts"),
        ({"column_names": "a"}, "column_names is a list of names"),
        ({"column_names": ["a", "a"]}, "the same name twice"),
        ({"schema_overrides": "int64"}, "schema_overrides maps column names"),
    ],
    ids=str,
)
def test_value_that_makes_no_sense_is_refused(
    options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        ReadOptions.of(options)


def test_unknown_option_names_the_nearest() -> None:
    with pytest.raises(UnknownOptionError, match="did you mean 'delimiter'"):
        ReadOptions.of({"delimeter": ";"})


def test_given_lists_what_differs_from_the_defaults() -> None:
    assert ReadOptions().given == ()
    assert ReadOptions(has_header=False, strict=True).given == ("has_header", "strict")


def test_keys_of_object_stores_are_not_printed() -> None:
    assert "hush" not in repr(ReadOptions(storage_options={"secret": "hush"}))


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("string", pl.String()),
        ("INT64", pl.Int64()),
        (" float32 ", pl.Float32()),
        ("datetime", pl.Datetime("us")),
        ("datetime[ms, UTC]", pl.Datetime("ms", "UTC")),
        ("decimal[10,2]", pl.Decimal(10, 2)),
    ],
    ids=str,
)
def test_types_are_known_by_the_names_that_schemas_print(
    name: str, dtype: pl.DataType
) -> None:
    assert type_named(name) == dtype


def test_unknown_type_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="'strng', did you mean 'string'"):
        type_named("strng")


def test_override_takes_types_of_polars_too() -> None:
    given = {"a": pl.Int8, "b": pl.Datetime("ms"), "c": "date"}

    assert overridden(given, "abc") == {
        "a": pl.Int8(),
        "b": pl.Datetime("ms"),
        "c": pl.Date(),
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [({"nme": "string"}, "did you mean 'name'"), ({"name": 3}, "is a name such as")],
    ids=str,
)
def test_override_that_fits_nothing_is_refused(
    given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        overridden(given, ["name"])
