"""The same rows in every engine that the package supports, for tests.

``as_engine(name, frame)`` turns a Polars frame into what a user of that engine holds.
"""

from __future__ import annotations

from typing import Any

import polars as pl

ENGINES = ("polars", "lazy", "pandas", "pyarrow", "duckdb")


def as_engine(name: str, frame: pl.DataFrame) -> Any:
    """Return the rows of ``frame`` as that engine holds them."""
    if name == "polars":
        return frame
    if name == "lazy":
        return frame.lazy()
    if name == "pandas":
        # NumPy columns cannot tell NaN from missing; Arrow-backed ones can.
        return frame.to_pandas(use_pyarrow_extension_array=True)
    if name == "pyarrow":
        return frame.to_arrow()
    if name == "duckdb":
        import duckdb

        # A connection of its own: it keeps the registered rows alive.
        connection = duckdb.connect()
        connection.register("rows", frame.to_arrow())
        return connection.table("rows")
    raise ValueError(name)
