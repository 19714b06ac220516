"""Tables that stay in their own engine: DuckDB, Ibis, PySpark, Dask and the like.

Their metrics are computed where the data is, through Narwhals. What Narwhals cannot
say, and what is asked group by group, is computed by Polars, on the few columns that
it reads; those are then brought over once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import narwhals as nw
import polars as pl

from truthound.data.expr import Batch, Showing
from truthound.data.schema import Schema
from truthound.data.table import FrameTable, Row, Table
from truthound.errors import CheckError, DataError, TruthoundError


class PushdownTable(Table):
    """A lazy frame of another engine, asked through Narwhals.

    Its rows have no order, so examples have no row numbers.
    """

    ordered = False

    def __init__(self, frame: nw.LazyFrame[Any], name: str) -> None:
        with _engine_errors(name, DataError):
            schema = Schema.of(frame.collect_schema())
        super().__init__(name, schema)
        self.frame = frame
        self._brought: FrameTable | None = None

    def prepare(self, columns: frozenset[str], parsed: frozenset[str]) -> None:
        self._brought = None  # a new run looks anew

    def measure(self, batch: Batch) -> list[tuple[Any, ...]]:
        if batch.by:
            return self._local(batch.reads).measure(batch)
        there = batch.subset(lambda metric: metric.portable)
        here = batch.subset(lambda metric: not metric.portable)
        values: dict[Any, Any] = {}
        if there.metrics:
            # If not even the rows can be counted, then no check is at fault.
            only_rows = not batch.reads
            kind = DataError if only_rows else CheckError
            with _engine_errors(self.name, kind):
                found = self.frame.select(*there.expressions(nw)).collect("polars")
            row = (_plain(value) for value in found.row(0))
            values.update(zip(there.metrics, row, strict=True))
        if here.metrics:
            row_here = self._local(here.reads).measure(here)[0]
            values.update(zip(here.metrics, row_here, strict=True))
        return [tuple(values[metric] for metric in batch.metrics)]

    def examples(self, wanted: Sequence[Showing]) -> list[list[Row]]:
        local = [showing for showing in wanted if not showing.predicate.portable]
        if local:  # together, so that their columns are brought over once
            reads = [s.predicate.reads.union(s.columns) for s in local]
            self._local(frozenset[str]().union(*reads))
        return [self._shown(showing) for showing in wanted]

    def to_polars(self, columns: Iterable[str] | None = None) -> pl.LazyFrame:
        names = list(self.schema if columns is None else columns)
        return self._bring(names).lazy()

    def _shown(self, showing: Showing) -> list[Row]:
        predicate, columns = showing.predicate, list(showing.columns)
        if predicate.portable:
            with _engine_errors(self.name, CheckError):
                chosen = self.frame.filter(predicate.build(nw)).select(*columns)
                rows = chosen.head(showing.limit).collect("polars").rows()
            return [dict(zip(columns, row, strict=True)) for row in rows]
        found = self._local(predicate.reads.union(columns)).examples([showing])[0]
        return [{name: row[name] for name in columns} for row in found]

    def _local(self, columns: Iterable[str]) -> FrameTable:
        needed = set(columns)
        known = set(self._brought.frame.columns) if self._brought else set[str]()
        if self._brought is None or not needed <= known:
            # A frame without columns has no rows to count.
            names = [n for n in self.schema if n in needed | known]
            self._brought = FrameTable(
                self._bring(names or list(self.schema)[:1]), self.name
            )
        return self._brought

    def _bring(self, names: list[str]) -> pl.DataFrame:
        with _engine_errors(self.name, CheckError):
            frame = self.frame.select(*names).collect("polars").to_native()
        assert isinstance(frame, pl.DataFrame)
        return frame


def _plain(value: Any) -> Any:
    """Return a whole number as int: DuckDB adds integers up as DECIMAL(38, 0)."""
    if isinstance(value, Decimal) and value.as_tuple().exponent == 0:
        return int(value)
    return value


@contextlib.contextmanager
def _engine_errors(name: str, kind: type[TruthoundError]) -> Iterator[None]:
    """Turn whatever an engine raises into an error of ours.

    Narwhals lets the exceptions of each engine through, and they have no root in
    common (``duckdb.Error``, Py4J's, Ibis' ...).
    """
    try:
        yield
    except TruthoundError:
        raise
    except Exception as error:
        said = str(error).strip().partition("\n")[0] or type(error).__name__
        raise kind(f"{name}: {said}") from error
