"""Dates and times in text files, by their notation.

Only notations that begin with the year are taken for dates unasked: ``01/02/2024`` is
the first of February to some and the second of January to others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import compress
from typing import Any

import polars as pl

_DATES = ("%Y-%m-%d", "%Y/%m/%d")
_DATES_IF_ASKED = (*_DATES, "%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y", "%Y%m%d")
_TIMES = ("%H:%M:%S", "%H:%M:%S%.f")
# The one without fractions of a second is read three times as fast.
_MOMENTS = tuple(
    f"{day}{between}{time}"
    for day in _DATES
    for between in (" ", "T")
    for time in ("%H:%M:%S", "%H:%M:%S%.f", "%H:%M")
)
_BEGINS = re.compile(r"[\s+-]*\d")
_ZONED = tuple(f"%Y-%m-%d{between}%H:%M:%S%.f%#z" for between in ("T", " "))


@dataclass(frozen=True, slots=True)
class Notation:
    """How a column writes its dates.

    Attributes:
        dtype: Date, Datetime or Time.
        format: the notation, in the letters of ``strftime``.
    """

    dtype: pl.DataType
    format: str

    def parse(self, text: pl.Expr) -> pl.Expr:
        """Return the values; null for a text of another notation."""
        parsed = text.str.strptime(self._parsed_as, self.format, strict=False)
        return parsed if self._parsed_as == self.dtype else parsed.cast(self.dtype)

    @property
    def _parsed_as(self) -> Any:
        if not isinstance(self.dtype, pl.Datetime):
            return self.dtype
        zone = "UTC" if "%#z" in self.format else None
        return pl.Datetime(self.dtype.time_unit, zone)


def notation_of(texts: pl.Series, wanted: pl.DataType | None = None) -> Notation | None:
    """Return the notation in which all of some texts are written, if there is one.

    Args:
        texts: from the beginning of a column.
        wanted: the type that the user says it has; None to find out.
    """
    texts = texts.drop_nulls()
    if texts.is_empty() or not _BEGINS.match(texts[0]):
        return None
    notations = [
        Notation(dtype, form) for dtype, forms in _candidates(wanted) for form in forms
    ]
    # Hardly any is that of the first text, and it takes one query to know.
    fits = pl.select(
        notation.parse(pl.lit(texts[0])).is_not_null().alias(str(n))
        for n, notation in enumerate(notations)
    ).row(0)
    for notation in compress(notations, fits):
        if not pl.select(notation.parse(pl.lit(texts))).to_series().has_nulls():
            return notation
    return None


def _candidates(
    wanted: pl.DataType | None,
) -> Iterable[tuple[pl.DataType, tuple[str, ...]]]:
    if wanted is None:
        yield pl.Date(), _DATES
        yield pl.Datetime("us"), _MOMENTS
        yield pl.Datetime("us", "UTC"), _ZONED
        yield pl.Time(), _TIMES
    elif isinstance(wanted, pl.Date):
        yield wanted, _DATES_IF_ASKED
    elif isinstance(wanted, pl.Time):
        yield wanted, (*_TIMES, "%H:%M")
    elif isinstance(wanted, pl.Datetime):
        yield wanted, (*_ZONED, *_MOMENTS, *_DATES_IF_ASKED)
