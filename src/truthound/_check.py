"""The one-call way to validate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from truthound.data import ReadOptions
from truthound.validators import Examples, Severity, ValidationRun
from truthound.validators.validation import Validation


def check(
    data: Any,
    validators: Any = None,
    *,
    name: str | None = None,
    sample_rows: int = 5,
    id_columns: str | Sequence[str] = (),
    redact: str | Sequence[str] = (),
    min_severity: Severity | str | None = None,
    allow_empty: bool = False,
    **read_options: Any,
) -> ValidationRun:
    """Check data once and return what was found. Blocks.

    Args:
        data: a path, glob or folder (CSV, TSV, Parquet, NDJSON, JSON, Arrow, also
            compressed), an http, s3, gs or az address, a Polars, pandas or PyArrow
            frame, a DuckDB relation or any other frame that Narwhals knows, a dict
            of columns, or a function that returns one of these.
        validators: a list of names (``"null"``), mappings of a name to its options
            (``{"range": {"column": "fare", "min": 0}}``) or objects; None for
            ``null``, ``blank`` and ``duplicate``, which fit any table.
        name: under which learned baselines are kept. Without one they are kept for
            files, under ``check``, and not for frames.
        sample_rows: example rows for each failing check; 0 for none.
        id_columns: columns that are shown with each example row.
        redact: columns (names or globs) whose values never appear in the result.
        min_severity: failures below it are reported, but are no issues.
        allow_empty: accept a table without rows.
        read_options: how the data is read: ``delimiter``, ``null_values``,
            ``encoding``, ``schema_overrides``, ``sample_size``, ...

    Raises:
        DataError: the data cannot be read.
        ConfigurationError: an option or a validator is wrong.

    Example:
        >>> import polars as pl, truthound
        >>> run = truthound.check(pl.DataFrame({"id": [1, 2, 2]}), ["duplicate"])
        >>> run.success, run.checks[0].failed
        (False, 2)
    """
    return Validation.of(
        validators,
        name=name,
        read=ReadOptions.of(read_options),
        examples=Examples.of(sample_rows, id_columns, redact),
        min_severity=None if min_severity is None else Severity.parse(min_severity),
        allow_empty=allow_empty,
    ).run(data)
