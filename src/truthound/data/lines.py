"""A second look at a text file, line by line, where the reader saw something odd.

Polars says that a file is malformed, but not always in which row, and fills short
rows up without a word. This counts the fields of each record exactly; it costs about
as much as reading the file again, and happens only then.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

# What lies between quotes, doubled quotes included, is no place for a delimiter.
_QUOTED = r'(?s)"[^"]*"'


@dataclass(frozen=True, slots=True)
class Survey:
    """Records of a file that have another number of fields than they should.

    Attributes:
        short: rows with too few fields, from 0, in order; blank ones apart.
        long: rows with too many.
        blank: empty lines, which are no rows of their own.
        fields: fields of the first row that is too long, or else too short.
        unclosed: the row in which a quote opens that never closes.
        records: rows in all, blank ones included.
    """

    short: pl.Series
    long: pl.Series
    blank: pl.Series
    fields: int
    unclosed: int | None
    records: int

    def row(self, place: int) -> int:
        """Return a row's number as people count: from 1, without empty lines."""
        return place + 1 - int((self.blank < place).sum())


def survey(
    lines_of_file: pl.LazyFrame, delimiter: str, skip: int, width: int
) -> Survey:
    """Count the fields of every record of a text file.

    Args:
        lines_of_file: all its lines, in a column ``line``.
        delimiter: one character.
        skip: lines before the first record.
        width: fields that a record should have.

    Raises:
        pl.exceptions.PolarsError, OSError: it cannot be read at all.
    """
    lines = lines_of_file.slice(skip).with_row_index("place")
    text = pl.col("line")
    odd = text.str.count_matches('"', literal=True) % 2 == 1
    counted = lines.select(
        "place",
        _fields(text, delimiter).alias("fields"),
        (text == "").alias("blank"),
        odd.alias("odd"),
    )
    unusual = counted.filter(
        (pl.col("fields") != width) | pl.col("odd") | pl.col("blank")
    )
    found, height = pl.collect_all(
        [unusual, lines.select(pl.len())], engine="streaming"
    )
    unclosed = None
    records = height.item()
    if found["odd"].any():  # records of several lines: put them together
        found, unclosed, records = _put_together(lines.collect(), delimiter)
    return _surveyed(found, width, unclosed, records)


def _surveyed(
    found: pl.DataFrame, width: int, unclosed: int | None, records: int
) -> Survey:
    blank = pl.col("blank")
    # In a file of one column an empty line is a row with a missing value.
    blanks = found.filter(blank & (width > 1))
    rest = found.filter(~blank)
    short = rest.filter(pl.col("fields") < width)
    long = rest.filter(pl.col("fields") > width)
    first = [*long["fields"].head(1), *short["fields"].head(1), width][0]
    return Survey(
        short=short["place"],
        long=long["place"],
        blank=blanks["place"],
        fields=first,
        unclosed=unclosed,
        records=records,
    )


def _fields(text: pl.Expr, delimiter: str) -> pl.Expr:
    bare = (
        pl.when(text.str.contains('"', literal=True))
        .then(text.str.replace_all(_QUOTED, ""))
        .otherwise(text)
    )
    return bare.str.count_matches(delimiter, literal=True) + 1


def _put_together(
    lines: pl.DataFrame, delimiter: str
) -> tuple[pl.DataFrame, int | None, int]:
    quotes = pl.col("line").str.count_matches('"', literal=True).cast(pl.Int64)
    inside = quotes.cum_sum() % 2 == 1  # after the line, a quote is still open
    marked = lines.with_columns(inside.alias("inside")).with_columns(
        # A line begins a record unless the line before it left a quote open.
        ((~pl.col("inside").shift(1, fill_value=False)).cum_sum() - 1).alias("place")
    )
    records = marked.group_by("place", maintain_order=True).agg(
        pl.col("line").str.join("\n"), pl.col("inside").last()
    )
    text = pl.col("line")
    counted = records.select(
        pl.col("place").cast(pl.UInt32),
        _fields(text, delimiter).alias("fields"),
        (text == "").alias("blank"),
        pl.lit(False).alias("odd"),
    )
    still_open = bool(records["inside"].last()) if records.height else False
    unclosed = records.height - 1 if still_open else None
    return counted, unclosed, records.height
