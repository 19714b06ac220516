"""Delimited text: CSV and TSV, read whole or refused.

What Polars would pass over in silence is found here: it reads a row that is too long
without a word unless all columns are read, so all are (the unneeded ones are not
kept); it fills short rows up, so these are counted in a second look if the last
column has a missing value; and a type that was guessed from the first rows and does
not fit the later ones makes the column text.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any

import polars as pl

from truthound._words import plural
from truthound.data.damage import SecondLook
from truthound.data.dates import Notation, notation_of
from truthound.data.expr import POLARS
from truthound.data.header import check_same, read_header
from truthound.data.options import ReadOptions
from truthound.data.origin import HEAD, Origin
from truthound.data.partitions import Partitions
from truthound.data.reading import read_error, reading
from truthound.data.retyping import Misfit, are_fractions, first_where, misfits
from truthound.data.schema import Schema
from truthound.data.table import exact
from truthound.data.types import overridden
from truthound.errors import MalformedDataError

GUESSED = 1_000  # rows from which types are guessed
SAMPLED_FILES = 10
_PARSING = (pl.exceptions.ComputeError, pl.exceptions.SchemaError)
_PARSER_COLUMN = re.compile(r"\(column number (\d+)\)")

Types = dict[str, pl.DataType]


class DelimitedFiles:
    """One or more delimited files of the same columns, with what is known of them.

    Args:
        origins: the files, in the order of their rows.
        options: how they are read.
        name: how results call the source.
        delimiter: the character between fields.

    Attributes:
        types: what each column is read as; dates as text first.
        notations: the columns that hold dates or times, and how they are written.
        partitions: columns that come from the folders' names.
        warnings: what was noticed so far.

    Raises:
        MalformedDataError: the beginning of a file is not what it should be.
        DataError: it cannot be read.
        ConfigurationError: an option does not fit the columns.
    """

    def __init__(
        self,
        origins: Sequence[Origin],
        options: ReadOptions,
        name: str,
        delimiter: str,
    ) -> None:
        self.origins = origins
        self.options = options
        self.name = name
        self.warnings: list[str] = []
        headers = [read_header(o, options, delimiter) for o in origins]
        self._headers = headers
        self._header = headers[0]
        for origin, other in zip(origins, headers, strict=True):
            check_same(origin, self._header, other)
        self.names: list[str] = list(self._header.names)
        self.partitions: Partitions = Partitions(origins)
        self.partitions.check_apart(self.names, name)
        self.types: Types = {column: pl.String() for column in self.names}
        self.notations: dict[str, Notation] = {}
        self._text = dict(self.types)
        self._renamed: dict[str, str] = {}  # our name of a column to that of Polars
        self._look = SecondLook(origins, headers, len(self.names))
        self._find_types(overridden(options.schema_overrides, self.names))

    @property
    def schema(self) -> Schema:
        """The columns as they are now known, those of the folders last."""
        dated = {name: notation.dtype for name, notation in self.notations.items()}
        return Schema.of({**self.types, **dated, **self.partitions.types})

    def only(self, place: int) -> DelimitedFiles:
        """Return one of the files by itself, to be read as it would be among them."""
        one = copy.copy(self)
        one.origins = [self.origins[place]]
        one.name = self.origins[place].name
        one.warnings = []
        one.types, one.notations = dict(self.types), dict(self.notations)
        headers = [self._headers[place]]
        one._look = SecondLook(one.origins, headers, len(self.names))
        return one

    @property
    def size(self) -> int:
        """Bytes of the files; of compressed ones about what they unpack to."""
        return sum(origin.size * (5 if origin.packed else 1) for origin in self.origins)

    def scan(self) -> pl.LazyFrame:
        """Return all columns, dates as text; the folders' ones apart."""
        return self._scan(self.types)

    def load(self, names: Sequence[str]) -> pl.DataFrame:
        """Return some columns, dates as text, after making sure of all others.

        Raises:
            MalformedDataError: a file is damaged; nothing of it is returned.
            DataError: it cannot be read, or was changed meanwhile.
        """
        own = [name for name in names if name in self.types]
        frame = self._collected(self._kept(own))
        ragged = bool(frame.to_series(-1).any()) or self._ends_in_a_quote()
        frame = frame.select(
            *exact(own), *([self.partitions.column] if self.partitions else [])
        )
        blank = self.look_again() if ragged else None
        if blank is not None:
            frame = frame.filter(without(blank))
        return frame.select(*exact(own), *self.partitions.values(names))

    def verify(self) -> tuple[int, pl.Series | None]:
        """Read through the files without keeping anything.

        Returns:
            The number of rows, and the places of empty lines if there are any.
        """
        gaps = [POLARS.col(name).null_count().alias(name) for name in self.names]
        row = self._collected([pl.len().alias(_free("\0n", self.names)), *gaps]).row(0)
        blank = self.look_again() if row[-1] or self._ends_in_a_quote() else None
        return row[0] - (0 if blank is None else len(blank)), blank

    def look_again(self) -> pl.Series | None:
        """Count short rows and empty lines; return the places of the latter.

        Raises:
            MalformedDataError: there are short rows, and ``strict`` refuses them.
        """
        if len(self.names) == 1:
            return None  # no row can be too short
        damage = self._look.uneven()
        if damage is not None:
            raise damage
        surveys = self._look.surveys()
        short = [(o, found) for o, found in surveys if len(found.short)]
        if short:
            origin, first = short[0]
            row = first.row(first.short[0])
            if self.options.strict:
                fields = f"fewer fields than the header, which has {len(self.names)}"
                raise MalformedDataError(origin.name, fields, row)
            count = sum(len(found.short) for _, found in short)
            where = f" of {origin.name}" if len(surveys) > 1 else ""
            verb = "is" if count == 1 else "are"
            self.warn(
                f"{plural(count, 'row')} {verb} shorter than the header (first: row "
                f"{row:,}{where}); missing values were filled in"
            )
        places, before = [], 0
        for _, found in surveys:
            places.append(found.blank.cast(pl.UInt32) + before)
            before += found.records
        blank = pl.concat(places)
        if blank.is_empty():
            return None
        verb = "was" if len(blank) == 1 else "were"
        self.warn(f"{plural(len(blank), 'empty line')} {verb} left out")
        return blank

    def parsed(self, frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
        """Return a loaded frame with some text columns read as what they hold.

        A column in which a later value is of another notation stays text, with a
        warning, and has that type in the schema from then on.
        """
        for name in columns:
            notation = self.notations.get(name)
            if notation is None or frame.schema[name] != pl.String:
                continue
            values = frame.select(notation.parse(POLARS.col(name))).to_series()
            if values.null_count() == frame[name].null_count():
                frame = frame.with_columns(values)
            else:
                self._check_notations(frame.lazy(), [name])
        return frame

    def check_dates(self, columns: Sequence[str]) -> None:
        """Make sure that the dates of files that are not loaded can be read."""
        dated = [name for name in columns if name in self.notations]
        if dated:
            with reading(self.name):
                self._check_notations(self.scan(), dated)

    def warn(self, text: str) -> None:
        """Note something, once."""
        if text not in self.warnings:
            self.warnings.append(text)

    def _scan(
        self, types: Types | None, sources: list[Any] | None = None, **more: Any
    ) -> pl.LazyFrame:
        """Scan the data rows; without types these are guessed."""
        options = self.options
        nulls = options.null_values
        files: Any = sources or [origin.reads for origin in self.origins]
        # Without a header Polars would take the width of a first row that is short.
        has_header = self.options.has_header
        renamed = {} if types is None else self._renamed
        return pl.scan_csv(
            files,
            schema=types and {renamed.get(n, n): dtype for n, dtype in types.items()},
            has_header=has_header,
            skip_lines=self._header.above,
            separator=self._header.delimiter,
            null_values=nulls if nulls is None or isinstance(nulls, str) else [*nulls],
            raise_if_empty=False,
            glob=False,
            storage_options=self.origins[0].storage,
            include_file_paths=self.partitions.column
            if self.partitions and not sources
            else None,
            **more,
        ).rename({theirs: ours for ours, theirs in renamed.items()})

    def _find_types(self, given: Types) -> None:
        with reading(self.name):
            try:
                guessed, head = self._first_rows()
            except _PARSING as error:
                damage = self._look.damage(error)
                raise damage or read_error(self.name, error) from error
        # A first row may be short: a column that was not seen is text.
        types = dict(zip(self.names, guessed, strict=False)) | given
        for name in self.names:
            dtype = types.get(name, self._text[name])
            if not (isinstance(dtype, pl.String) or dtype.is_temporal()):
                self.types[name] = dtype
            elif name not in given or dtype.is_temporal():
                self._find_notation(name, given.get(name), head[name])

    def _first_rows(self) -> tuple[list[pl.DataType], pl.DataFrame]:
        """Return the types of the first rows, and these rows as text.

        They are cut from the first bytes: to ask the scan for its first rows costs
        as much as to parse megabytes.
        """
        heads = [origin.head() for origin in self.origins[:SAMPLED_FILES]]
        rows: list[Any] = [h if len(h) < HEAD else _whole_lines(h) for h in heads]
        enough = self._header.lines + 10
        if any(
            len(head) >= HEAD and row.count(b"\n") <= enough
            for head, row in zip(heads, rows, strict=True)
        ):  # read by address: to guess types, Polars maps what is given by its path
            rows = [origin.unmapped().reads for origin in self.origins]
        guess = self._scan(None, rows, infer_schema_length=GUESSED).collect_schema()
        if self.options.has_header:
            theirs = zip(self.names, guess.names(), strict=False)
            self._renamed = {our: their for our, their in theirs if our != their}
        head = self._scan(self._text, rows, n_rows=GUESSED).collect()
        return guess.dtypes(), head

    def _find_notation(
        self, name: str, wanted: pl.DataType | None, texts: pl.Series
    ) -> None:
        texts = texts.alias("text")  # a series called * finds no column of its name
        notation = notation_of(texts, wanted)
        if notation is None and wanted is not None:
            if texts.null_count() < len(texts):
                place = int(texts.is_not_null().arg_max() or 0)
                self.warn(Misfit(name, wanted, place, texts[place]).told(True))
                return
            notation = Notation(wanted, "%Y-%m-%d")  # there is nothing to read
        if notation is not None:
            self.notations[name] = notation

    def _kept(self, own: list[str]) -> list[pl.Expr]:
        """Return what a load keeps: last, whether the last field is missing.

        All columns take part, since a row that is too long is noticed only then;
        those that are not wanted leave a bit a row.
        """
        taken = [*own, self.partitions.column]
        others = [name for name in self.names if name not in own]
        keep = [POLARS.col(name) for name in own]
        if self.partitions:
            keep.append(pl.col(self.partitions.column))
        if others:
            gap = pl.any_horizontal(c.is_null() for c in exact(others))
            keep.append(gap.alias(_free("\0o", taken)))
        gap = POLARS.col(self.names[-1]).is_null()
        return [*keep, gap.alias(_free("\0l", taken))]

    def _collected(self, expressions: list[pl.Expr]) -> pl.DataFrame:
        """Run a select; a late change of type is settled on the way."""
        while True:
            try:
                with reading(self.name):
                    query = self.scan().select(expressions)
                    frame = query.collect(engine="streaming")
            except MalformedDataError as error:
                self._settle(error)
                continue
            self._check_unchanged()
            return frame

    def _settle(self, error: MalformedDataError) -> None:
        """Make sense of a failure: raise if a file is damaged, else change a type."""
        self._check_unchanged()
        cause = error.__cause__
        if not isinstance(cause, _PARSING):
            raise error
        damage = self._look.damage(cause)
        if damage is not None:
            raise damage from cause
        typed = {n: t for n, t in self.types.items() if not isinstance(t, pl.String)}
        text = self._scan(self._text)
        with reading(self.name):
            found = misfits(text, typed) or _named_by(cause, self.names, typed)
            for misfit in found:
                whole = misfit.dtype.is_integer() and misfit.place is not None
                if whole and are_fractions(text, misfit.name):
                    self._retype(misfit, pl.Float64(), "float64")
                else:
                    self._retype(misfit, pl.String(), "text")
        if not found:
            raise error

    def _check_notations(self, frame: pl.LazyFrame, columns: Sequence[str]) -> None:
        text = {name: self.notations[name] for name in columns}
        bad = {
            name: POLARS.col(name).is_not_null()
            & notation.parse(POLARS.col(name)).is_null()
            for name, notation in text.items()
        }
        for name, place, value in first_where(frame, bad):
            misfit = Misfit(name, text[name].dtype, place, value)
            self._retype(misfit, pl.String(), "text")

    def _retype(self, misfit: Misfit, dtype: pl.DataType, becomes: str) -> None:
        given = misfit.name in self.options.schema_overrides
        if given and not isinstance(dtype, pl.String):
            dtype, becomes = pl.String(), "text"  # no other type than the user's
        self.types[misfit.name] = dtype
        self.notations.pop(misfit.name, None)
        self.warn(misfit.told(given, becomes))

    def _ends_in_a_quote(self) -> bool:
        # To Polars a last field of "x"" is complete, but the file is cut there.
        return any(origin.tail(2) == b'""' for origin in self.origins)

    def _check_unchanged(self) -> None:
        for origin in self.origins:
            origin.check_unchanged()


def without(places: pl.Series) -> pl.Expr:
    """Return the condition that a row is at none of some places."""
    place = pl.int_range(pl.len(), dtype=pl.UInt32)
    return ~place.is_in(places.implode())


def _whole_lines(head: bytes) -> bytes:
    """Return what comes before the last line end that is outside of quotes."""
    end = head.rfind(b"\n") + 1
    while end and head.count(b'"', 0, end) % 2:
        end = head.rfind(b"\n", 0, end - 1) + 1
    return head[:end]


def _named_by(cause: Exception, names: Sequence[str], typed: Types) -> list[Misfit]:
    """Return the column that the parser names in its message, as the last resort."""
    found = _PARSER_COLUMN.search(str(cause))
    if found is None or int(found[1]) > len(names):
        return []
    name = names[int(found[1]) - 1]
    return [Misfit(name, typed[name])] if name in typed else []


def _free(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name += "\0"
    return name
