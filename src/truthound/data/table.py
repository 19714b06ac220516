"""Tables: a schema, one select of aggregates, a few rows by a condition.

Everything here blocks, and is called from a worker thread (see
``truthound.checkpoint``), or in place for a small frame outside an event loop.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import compress, count, islice
from typing import Any

import polars as pl

from truthound.data.expr import FEW_ROWS, POLARS, Batch, Showing
from truthound.data.schema import Schema
from truthound.errors import CheckError, DataError, TruthoundError

ROW_NUMBER = "row"
Row = dict[str, Any]


class RetypedError(CheckError):
    """Raised when the data turns out to have other types than the schema said.

    The table's schema is then as it should be, and the checks are to be stated anew.
    """


class Table(ABC):
    """Data that was opened, of whatever engine.

    Attributes:
        name: how results call it: the path, the address or the kind of frame.
        schema: its columns.
        warnings: what a reader of the result should know about the reading.
    """

    ordered = True  # whether its rows have an order, and so numbers
    addressable = False  # whether the name alone leads to the data again

    def __init__(self, name: str, schema: Schema) -> None:
        self.name = name
        self.schema = schema
        self.warnings: list[str] = []

    def prepare(self, columns: frozenset[str], parsed: frozenset[str]) -> None:
        """Say which columns the run will read, and which of them by value."""

    @abstractmethod
    def measure(self, batch: Batch) -> list[tuple[Any, ...]]:
        """Compute a batch: one row, or with ``by`` one row a group.

        A row of a group begins with the values of the ``by`` columns; then come the
        metrics in the order of ``batch.metrics``.
        """

    @abstractmethod
    def examples(self, wanted: Sequence[Showing]) -> list[list[Row]]:
        """Return the rows that each of several is to show.

        A row has its number under ``"row"``, counted from 1, where the engine has an
        order.
        """

    @abstractmethod
    def to_polars(self, columns: Iterable[str] | None = None) -> pl.LazyFrame:
        """Return the data, or some columns of it, as a lazy Polars frame."""

    def number(self, place: pl.Expr) -> pl.Expr | None:
        """Return the number of a row of that frame from its place, from 0.

        None where rows have no order.
        """
        return place + 1 if self.ordered else None


class FrameTable(Table):
    """A Polars frame in memory."""

    FIRST = 65_536  # rows that are searched for examples before all of them are
    SMALL = 20_000  # cells; about 0.1 ms of work, the price of a thread hop

    def __init__(
        self, frame: pl.DataFrame, name: str = "DataFrame", schema: Schema | None = None
    ) -> None:
        if schema is None:
            schema = _schema_of(tuple(zip(frame.columns, frame.dtypes, strict=True)))
        super().__init__(name, schema)
        self.frame = frame

    def measure(self, batch: Batch) -> list[tuple[Any, ...]]:
        frame = self.frame
        with engine_errors(self.name):
            if batch.by:
                grouped = frame.group_by(exact(batch.by), maintain_order=True)
                return grouped.agg(batch.expressions(POLARS)).rows()
            return [batch.measure(frame)]

    def examples(self, wanted: Sequence[Showing]) -> list[list[Row]]:
        found = self._places(wanted, self.frame.height)
        return [
            self._at(places, showing.columns)
            for places, showing in zip(found, wanted, strict=True)
        ]

    def _places(self, wanted: Sequence[Showing], height: int) -> list[list[int]]:
        """Find the rows to show, among the first ones where these can tell."""
        if height > self.FIRST and any(s.predicate.prefix for s in wanted):
            head = FrameTable(self.frame.head(self.FIRST), self.name, self.schema)
            quick = [showing for showing in wanted if showing.predicate.prefix]
            found = dict(zip(quick, head._places(quick, self.FIRST), strict=True))
            late = [s for s in wanted if len(found.get(s, ())) < s.limit]
            if late:
                found.update(zip(late, self._search(late), strict=True))
            return [found[showing] for showing in wanted]
        return self._search(wanted)

    def _search(self, wanted: Sequence[Showing]) -> list[list[int]]:
        frame = self.frame
        if frame.height <= FEW_ROWS:  # a select costs more than to look at each row
            marks = frame.select(
                showing.condition.alias(str(n)) for n, showing in enumerate(wanted)
            )
            return [
                list(islice(compress(count(), mark.to_list()), showing.limit))
                for mark, showing in zip(marks, wanted, strict=True)
            ]
        if len(wanted) == 1:  # a third of the time of a general select
            return [frame.select(wanted[0].places).to_series().to_list()]
        return list(
            frame.select(
                showing.places.implode().alias(str(n))
                for n, showing in enumerate(wanted)
            ).row(0)
        )

    def _at(self, places: Sequence[int], columns: Sequence[str]) -> list[Row]:
        frame = self.frame
        if frame.width > len(columns) + 10:
            frame = frame.select(exact(columns))
        names = frame.columns
        indices = [names.index(name) for name in columns]
        keys = (number_key(columns), *columns)
        rows = []
        for place in places:
            row = frame.row(place)
            values = (place + 1, *[row[index] for index in indices])
            rows.append(dict(zip(keys, values, strict=True)))
        return rows

    def to_polars(self, columns: Iterable[str] | None = None) -> pl.LazyFrame:
        lazy = self.frame.lazy()
        return lazy if columns is None else lazy.select(exact(columns))


class LazyTable(Table):
    """A lazy Polars frame: asked again for each batch, nothing is kept."""

    engine: Any = "auto"  # of Polars

    def __init__(
        self, frame: pl.LazyFrame, name: str = "LazyFrame", schema: Schema | None = None
    ) -> None:
        super().__init__(name, schema or Schema.of(collect_schema(frame, name)))
        self.frame = frame

    def measure(self, batch: Batch) -> list[tuple[Any, ...]]:
        if batch.by:
            grouped = self.frame.group_by(exact(batch.by), maintain_order=True)
            return self.collect(grouped.agg(batch.expressions(POLARS))).rows()
        return self.collect(self.frame.select(batch.expressions(POLARS))).rows()

    def examples(self, wanted: Sequence[Showing]) -> list[list[Row]]:
        # One head() a predicate: each stops reading when it has its rows.
        hidden = "\x00row"
        while hidden in self.schema:
            hidden += "\x00"
        numbered = self.frame.with_row_index(hidden, offset=1)
        plans = [
            numbered.filter(s.condition).head(s.limit).select(hidden, *exact(s.columns))
            for s in wanted
        ]
        with engine_errors(self.name):
            frames = pl.collect_all(plans)
        return [
            numbered_rows(frame, showing.columns)
            for frame, showing in zip(frames, wanted, strict=True)
        ]

    def to_polars(self, columns: Iterable[str] | None = None) -> pl.LazyFrame:
        return self.frame if columns is None else self.frame.select(exact(columns))

    def collect(self, frame: pl.LazyFrame) -> pl.DataFrame:
        """Run a query; a subclass adds what it knows about the source."""
        with engine_errors(self.name):
            return frame.collect(engine=self.engine)


class SampledTable(FrameTable):
    """Rows of a frame, spread evenly over it, that keep their numbers.

    Of h rows, the k-th of n chosen ones is the one at ceil(k * h / n).
    """

    def __init__(self, frame: pl.DataFrame, height: int, name: str) -> None:
        super().__init__(frame, name)
        self.height = height
        self.warnings.append(
            f"a sample: {frame.height:,} of {height:,} rows were checked "
            f"(sample_size={frame.height})"
        )

    def number(self, place: pl.Expr) -> pl.Expr:
        size = self.frame.height
        return (place.cast(pl.Int64) * self.height + size - 1) // size + 1

    def _at(self, places: Sequence[int], columns: Sequence[str]) -> list[Row]:
        rows = super()._at(places, columns)
        key = number_key(columns)
        for place, row in zip(places, rows, strict=True):
            row[key] = -(-place * self.height // self.frame.height) + 1
        return rows


def framed(
    frame: pl.DataFrame, name: str = "DataFrame", sample_size: int | None = None
) -> FrameTable:
    """Return a frame, or so many rows spread evenly over it, as a table."""
    height = frame.height
    if sample_size is None or height <= sample_size:
        return FrameTable(frame, name)
    places = (pl.int_range(sample_size, eager=True) * height + sample_size - 1) // (
        sample_size
    )
    return SampledTable(frame[places], height, name)


class LoadedTable(Table):
    """Data of which the columns that a run reads are loaded into memory, once.

    Used for frames of other libraries (pandas, PyArrow): what is asked after the
    first select, about what failed, is then nearly free.

    Args:
        load: reads the columns named.
        name: how results call the data.
        schema: its columns.
        sample_size: keep only so many rows of what was loaded.
    """

    def __init__(
        self,
        load: Callable[[list[str]], pl.DataFrame],
        name: str,
        schema: Schema,
        sample_size: int | None = None,
    ) -> None:
        super().__init__(name, schema)
        self._load = load
        self._sample_size = sample_size
        self._loaded: FrameTable | None = None

    def prepare(self, columns: frozenset[str], parsed: frozenset[str]) -> None:
        # A frame without columns has no rows to count.
        names = [n for n in self.schema if n in columns] or list(self.schema)[:1]
        self._loaded = framed(self._load(names), self.name, self._sample_size)
        self.warnings.extend(w for w in self._loaded.warnings if w not in self.warnings)

    def measure(self, batch: Batch) -> list[tuple[Any, ...]]:
        return self._with(batch.reads).measure(batch)

    def examples(self, wanted: Sequence[Showing]) -> list[list[Row]]:
        names = frozenset[str]().union(
            *(s.predicate.reads.union(s.columns) for s in wanted)
        )
        return self._with(names).examples(wanted)

    def to_polars(self, columns: Iterable[str] | None = None) -> pl.LazyFrame:
        names = list(self.schema if columns is None else columns)
        return self._with(frozenset(names)).to_polars(names)

    def number(self, place: pl.Expr) -> pl.Expr | None:
        return self._with(frozenset()).number(place)

    def _with(self, columns: frozenset[str]) -> FrameTable:
        loaded = self._loaded
        known = frozenset(loaded.frame.columns) if loaded else frozenset[str]()
        if loaded is None or not columns <= known:
            self.prepare(columns | known, frozenset())
            loaded = self._loaded
        assert loaded is not None  # prepare() has set it
        return loaded


@lru_cache(maxsize=256)
def _schema_of(dtypes: tuple[tuple[str, Any], ...]) -> Schema:
    # A checkpoint on frames runs again and again on the same few schemas.
    return Schema.of(dict(dtypes))


@contextlib.contextmanager
def engine_errors(source: str, reads: bool = True) -> Iterator[None]:
    """Turn what Polars raises while it evaluates a check into a CheckError.

    Errors of reading are told apart: they are the source's fault, and no check's.

    Args:
        source: as results call it.
        reads: False to let an OSError through: it is not of reading.
    """
    try:
        yield
    except (OSError, pl.exceptions.NoDataError) as error:
        if not reads:
            raise
        raise DataError(f"{source}: {error}") from error
    except (CheckError, pl.exceptions.PolarsError) as error:
        # A CheckError comes from a function of the user's, inside the engine.
        raise CheckError(_first_line(error)) from error
    except TruthoundError:
        raise
    except Exception as error:
        # A function of the user's, which an expression calls, raised it.
        raise CheckError(f"{type(error).__name__}: {_first_line(error)}") from error
    except BaseException as error:
        # A panic in the engine's own code is not an Exception for Python, but it is
        # no more than a failed query for us.
        if type(error).__name__ != "PanicException":
            raise
        raise CheckError(f"the engine failed: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


def exact(names: Iterable[str]) -> list[pl.Expr]:
    """Return columns by their names, also where Polars would take one for a pattern."""
    return [POLARS.col(name) for name in names]


def number_key(columns: Sequence[str]) -> str:
    """Return what a row's number is called among its values: ``row``, or ``_row``."""
    key = ROW_NUMBER
    while key in columns:
        key = f"_{key}"
    return key


def numbered_rows(frame: pl.DataFrame, columns: Sequence[str]) -> list[Row]:
    """Return rows of which the first column is their number."""
    names = (number_key(columns), *columns)
    return [dict(zip(names, row, strict=True)) for row in frame.rows()]


def collect_schema(frame: pl.LazyFrame, name: str) -> pl.Schema:
    """Resolve a lazy frame's columns; what fails there is the source's fault."""
    try:
        return frame.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{name}: {error}") from error


__all__ = [
    "ROW_NUMBER",
    "CheckError",
    "FrameTable",
    "LazyTable",
    "LoadedTable",
    "RetypedError",
    "Row",
    "SampledTable",
    "Table",
    "collect_schema",
    "framed",
]
