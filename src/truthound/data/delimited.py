"""The table of delimited files: loaded if the needed columns fit, else scanned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from truthound.data import memory
from truthound.data.csv import DelimitedFiles, without
from truthound.data.expr import POLARS, Batch, Showing
from truthound.data.table import (
    FrameTable,
    LazyTable,
    RetypedError,
    Row,
    SampledTable,
    Table,
    exact,
    framed,
)

# A value in memory against its text in the file: short texts and numbers grow.
GROWTH = 1.5


class DelimitedTable(Table):
    """CSV and TSV files of the same columns.

    Every run reads the files anew, as a whole, and keeps the columns that it needs.
    Text that stands for dates is parsed only when a check looks at the values: to
    know whether they are missing it need not be.
    """

    addressable = True

    def __init__(self, files: DelimitedFiles) -> None:
        super().__init__(files.name, files.schema)
        self._files = files
        self.warnings: list[str] = files.warnings
        self._raw: pl.DataFrame | None = None
        self._table: FrameTable | LazyTable | None = None
        self._blank: pl.Series | None = None
        self._dates_checked = frozenset[str]()

    def prepare(self, columns: frozenset[str], parsed: frozenset[str]) -> None:
        self._read(columns, parsed)
        if self._settle_schema():
            raise RetypedError(self.warnings[-1])

    def measure(self, batch: Batch) -> list[tuple[Any, ...]]:
        return self._with(batch.reads, batch.parsed).measure(batch)

    def examples(self, wanted: Sequence[Showing]) -> list[list[Row]]:
        names = frozenset[str]().union(
            *(s.predicate.reads.union(s.columns) for s in wanted)
        )
        return self._with(names, names).examples(wanted)

    def to_polars(self, columns: Iterable[str] | None = None) -> pl.LazyFrame:
        names = list(self.schema if columns is None else columns)
        table = self._with(frozenset(names), frozenset(names))
        return table.to_polars(names)

    def number(self, place: pl.Expr) -> pl.Expr | None:
        return self._with(frozenset(), frozenset()).number(place)

    def _with(
        self, columns: frozenset[str], parsed: frozenset[str]
    ) -> FrameTable | LazyTable:
        raw, table = self._raw, self._table
        if table is None or (raw is not None and not columns <= set(raw.columns)):
            self._read(columns.union(raw.columns if raw is not None else ()), parsed)
        elif isinstance(table, FrameTable):
            self._parse(parsed)
        else:
            self._check_dates(parsed)
        if self._settle_schema() and self._raw is None:
            self._table = LazyTable(self._scan(), self.name, self.schema)
        assert self._table is not None
        return self._table

    def _read(self, columns: frozenset[str], parsed: frozenset[str]) -> None:
        files = self._files
        # A frame without columns has no rows to count.
        names = [n for n in self.schema if n in columns] or list(self.schema)[:1]
        share = len(names) / len(self.schema)
        if memory.fits(files.size * GROWTH * share):
            self._raw, self._table = files.load(names), None
            self._parse(parsed)
            return
        self._raw, self._dates_checked = None, frozenset()
        height, self._blank = files.verify()
        self._check_dates(parsed)
        size = files.options.sample_size
        if size is None or height <= size:
            self._table = LazyTable(self._scan(), self.name, files.schema)
            return
        place = pl.int_range(pl.len(), dtype=pl.Int64)
        chosen = self._scan().select(exact(names)).filter(place * size % height < size)
        self._raw = chosen.collect(engine="streaming")
        self._table = SampledTable(self._raw, height, self.name)
        self._note_sample()

    def _check_dates(self, parsed: frozenset[str]) -> None:
        new = parsed - self._dates_checked
        if new:
            self._files.check_dates(sorted(new))
            self._dates_checked |= new

    def _scan(self) -> pl.LazyFrame:
        files = self._files
        frame = files.scan().with_columns(
            notation.parse(POLARS.col(name))
            for name, notation in files.notations.items()
        )
        if files.partitions:
            frame = frame.with_columns(files.partitions.values())
        if self._blank is not None:
            frame = frame.filter(without(self._blank))
        return frame.select(exact(files.schema))

    def _parse(self, columns: Iterable[str]) -> None:
        assert self._raw is not None  # asked of what was loaded
        wanted = [name for name in columns if name in self._raw.columns]
        frame = self._files.parsed(self._raw, wanted)
        if self._table is None or frame is not self._raw:
            self._raw = frame
            self._table = framed(frame, self.name, self._files.options.sample_size)
            self._note_sample()

    def _note_sample(self) -> None:
        assert self._table is not None
        self.warnings.extend(w for w in self._table.warnings if w not in self.warnings)

    def _settle_schema(self) -> bool:
        """Take the types over that reading has found; tell whether they changed."""
        found = self._files.schema
        if dict(found) == dict(self.schema):
            return False
        self.schema = found
        return True
