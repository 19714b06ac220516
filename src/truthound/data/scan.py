"""Parquet, Arrow and NDJSON files: typed columns, each read only if it is needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from truthound.data import memory
from truthound.data.expr import Batch, Metric, Showing
from truthound.data.origin import Origin
from truthound.data.reading import reading
from truthound.data.schema import Schema
from truthound.data.table import (
    FrameTable,
    LazyTable,
    Row,
    SampledTable,
    Table,
    exact,
    framed,
)
from truthound.errors import CheckError

# Bytes of one value in memory, and about what one byte of a file becomes there.
WIDEST, UNPACKED = 16, 4
SMALL = 1 << 27  # bytes of files


class ScannedTable(Table):
    """Files that Polars can scan column by column.

    The columns whose values a run needs are loaded, if they fit into memory: that is
    as fast as one lazy query, and what is asked next is then free. Where it is enough
    to know how many values are missing, the file is asked without keeping anything.

    Args:
        frame: the scan.
        name: how results call the source.
        origins: the files.
        sample_size: read only so many rows, spread evenly.
        cheap_nulls: whether to count missing values costs less than to load them.

    Raises:
        DataError: the columns cannot be found out.
    """

    addressable = True

    def __init__(
        self,
        frame: pl.LazyFrame,
        name: str,
        origins: Sequence[Origin],
        *,
        sample_size: int | None = None,
        cheap_nulls: bool = True,
    ) -> None:
        with reading(name):
            found = frame.collect_schema()
        super().__init__(name, Schema.of(found))
        self.frame = frame
        self._origins = origins
        self._sample_size = sample_size
        # To count what is missing costs as much time as to load it, and less memory.
        self._cheap_nulls = cheap_nulls and sum(o.size for o in origins) > SMALL
        self._fits = True
        self._loaded: FrameTable | None = None
        self._lazy = _Scan(frame, name, self.schema)

    def prepare(self, columns: frozenset[str], parsed: frozenset[str]) -> None:
        self._loaded = None
        if self._sample_size is not None:
            self._load_sample(columns, self._sample_size)
            return
        wanted = parsed if self._cheap_nulls else columns
        names = [name for name in self.schema if name in wanted]
        self._fits = memory.fits(self._estimate(names))
        if names and self._fits:
            self._load(names)

    def measure(self, batch: Batch) -> list[tuple[Any, ...]]:
        if self._sample_size is not None or self._has(batch.parsed | batch.reads):
            return self._present(batch.reads).measure(batch)
        if not self._fits:
            return self._asked(batch)
        if batch.by or batch.parsed:
            self._present(batch.parsed)
        if batch.by:
            return self._present(batch.reads).measure(batch)
        here = batch.subset(self._is_here)
        there = batch.subset(lambda metric: not self._is_here(metric))
        values: dict[Metric, Any] = {}
        if here.metrics:
            row = self._present(here.reads).measure(here)[0]
            values.update(zip(here.metrics, row, strict=True))
        if there.metrics:
            values.update(zip(there.metrics, self._asked(there)[0], strict=True))
        return [tuple(values[metric] for metric in batch.metrics)]

    def examples(self, wanted: Sequence[Showing]) -> list[list[Row]]:
        if self._sample_size is not None:
            return self._present(_needed(wanted)).examples(wanted)
        here = [showing for showing in wanted if self._has(_needed([showing]))]
        there = [showing for showing in wanted if showing not in here]
        found: dict[Showing, list[Row]] = {}
        if here and self._loaded is not None:
            found.update(zip(here, self._loaded.examples(here), strict=True))
        if there:  # only looked for in the files: of a few columns, for a few rows
            found.update(zip(there, self._lazy.examples(there), strict=True))
            self._check_unchanged()
        return [found[showing] for showing in wanted]

    def to_polars(self, columns: Iterable[str] | None = None) -> pl.LazyFrame:
        names = list(self.schema if columns is None else columns)
        if self._sample_size is not None:
            return self._present(frozenset(names)).to_polars(names)
        return self.frame.select(exact(names))

    def number(self, place: pl.Expr) -> pl.Expr | None:
        if self._sample_size is None:
            return place + 1
        return self._present(frozenset()).number(place)

    def _has(self, columns: Iterable[str]) -> bool:
        loaded = self._loaded
        return loaded is not None and set(columns) <= set(loaded.frame.columns)

    def _is_here(self, metric: Metric) -> bool:
        return self._has(metric.reads)

    def _asked(self, batch: Batch) -> list[tuple[Any, ...]]:
        rows = self._lazy.measure(batch)
        self._check_unchanged()
        return rows

    def _present(self, columns: frozenset[str]) -> FrameTable:
        if self._loaded is None or not self._has(columns):
            if self._sample_size is not None:
                known = self._loaded.frame.columns if self._loaded else ()
                self._load_sample(columns.union(known), self._sample_size)
            else:
                self._load([name for name in self.schema if name in columns])
        assert self._loaded is not None  # set by both
        return self._loaded

    def _load(self, names: list[str]) -> None:
        loaded = self._loaded
        known = loaded.frame.columns if loaded else []
        missing = [name for name in names if name not in known]
        # A frame without columns has no rows to count.
        missing = missing if missing or loaded else list(self.schema)[:1]
        with reading(self.name):
            # Streaming needs less memory on the way, in the same time.
            frame = self.frame.select(exact(missing)).collect(engine="streaming")
        self._check_unchanged()
        if loaded is not None:
            frame = loaded.frame.hstack(frame.get_columns())
        self._loaded = FrameTable(frame, self.name)

    def _load_sample(self, columns: Iterable[str], size: int) -> None:
        names = [n for n in self.schema if n in columns] or list(self.schema)[:1]
        chosen = self.frame.select(exact(names))
        place = pl.int_range(pl.len(), dtype=pl.Int64)
        with reading(self.name):
            height = self.frame.select(pl.len()).collect().item()
            if height > size and not memory.fits(self._estimate(names)):
                chosen = chosen.filter(place * size % height < size)
            frame = chosen.collect(engine="streaming")
        self._check_unchanged()
        if frame.height < height:
            self._loaded = SampledTable(frame, height, self.name)
        else:
            self._loaded = framed(frame, self.name, size)
        self.warnings.extend(w for w in self._loaded.warnings if w not in self.warnings)

    def _estimate(self, names: Sequence[str]) -> float:
        size = sum(origin.size for origin in self._origins)
        return size * UNPACKED * len(names) / max(1, len(self.schema))

    def _check_unchanged(self) -> None:
        for origin in self._origins:
            origin.check_unchanged()


def _needed(wanted: Sequence[Showing]) -> frozenset[str]:
    return frozenset[str]().union(*(s.predicate.reads.union(s.columns) for s in wanted))


class _Scan(LazyTable):
    """The same files, asked without keeping anything."""

    engine = "streaming"

    def collect(self, frame: pl.LazyFrame) -> pl.DataFrame:
        try:
            return super().collect(frame)
        except CheckError:
            # Is the file at fault, or the check? The file, if it cannot be read.
            with reading(self.name):
                self.frame.select(pl.all().null_count()).collect(engine="streaming")
            raise
