"""Records as a Parquet file, written a piece at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

_TYPES: dict[str, pl.DataType] = {
    "text": pl.String(),
    "integer": pl.Int64(),
    "number": pl.Float64(),
    "moment": pl.Datetime("us", "UTC"),
}


def write_parquet(
    path: Path,
    columns: Mapping[str, str],
    batches: Iterable[Sequence[Mapping[str, Any]]],
) -> None:
    """Write records to a Parquet file, without holding all of them in memory. Blocks.

    Args:
        path: the file; of another name until it is whole (``_atomic.replacing``).
        columns: names, with text, integer, number or moment.
        batches: the records.

    Raises:
        OSError: it cannot be written.
    """
    schema = {name: _TYPES[kind] for name, kind in columns.items()}
    raised: list[BaseException] = []

    def frames(
        with_columns: list[str] | None,
        predicate: pl.Expr | None,
        n_rows: int | None,
        batch_size: int | None,
    ) -> Iterator[pl.DataFrame]:
        try:
            for batch in batches:
                yield pl.DataFrame(batch, schema=schema, orient="row")
        except Exception as error:  # Polars would make one of its own of it
            raised.append(error)
            raise

    try:
        register_io_source(io_source=frames, schema=schema).sink_parquet(path)
    except pl.exceptions.PolarsError:
        if raised:
            raise raised[0] from None
        raise
