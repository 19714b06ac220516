"""Types guessed from the first rows of a text file that do not fit the later ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from truthound.data.expr import POLARS
from truthound.data.schema import Schema

# A number with a point or an exponent; an integer of too many digits is none.
_FRACTION = r"^[+-]?(\d+[.]\d*|[.]\d+|\d+)([eE][+-]?\d+)?$"


@dataclass(frozen=True, slots=True)
class Misfit:
    """The first value of a column that is not of its type.

    Attributes:
        name: the column.
        dtype: the type.
        place: its row, from 0; None if unknown.
        value: as the file has it.
    """

    name: str
    dtype: pl.DataType
    place: int | None = None
    value: str | None = None

    def told(self, given: bool, becomes: str = "text") -> str:
        """Say what became of the column.

        Args:
            given: the type was given, and not guessed.
            becomes: as what it was read.
        """
        begins = "it was given as" if given else "its first rows are"
        dtype = Schema.of({"": self.dtype})[""].dtype
        said = f"column {self.name!r} was read as {becomes}: {begins} {dtype}"
        if self.place is None:
            return f"{said}, and a later one is not"
        return f"{said}, but row {self.place + 1:,} has {_short(self.value)}"


def misfits(text: pl.LazyFrame, types: Mapping[str, pl.DataType]) -> list[Misfit]:
    """Return the first misfit of each column that has one.

    Args:
        text: the columns as text.
        types: what they should be.
    """
    bad = {
        name: POLARS.col(name).is_not_null() & _cast(POLARS.col(name), dtype).is_null()
        for name, dtype in types.items()
    }
    found = first_where(text, bad)
    return [Misfit(name, types[name], place, value) for name, place, value in found]


def are_fractions(text: pl.LazyFrame, name: str) -> bool:
    """Tell whether the values of a column that are no integers are fractions."""
    value = POLARS.col(name)
    odd = value.is_not_null() & value.cast(pl.Int64, strict=False).is_null()
    fine = value.str.contains(_FRACTION) & value.str.contains("[.eE]")
    answer = text.select((odd & ~fine).any()).collect(engine="streaming")
    return not answer.item()


def first_where(
    frame: pl.LazyFrame, conditions: Mapping[str, pl.Expr]
) -> list[tuple[str, int, str]]:
    """Return the column, the row from 0 and the value for each condition met."""
    places = frame.select(
        pl.arg_where(condition).first().alias(name)
        for name, condition in conditions.items()
    )
    values = frame.select(
        POLARS.col(name).filter(condition).first()
        for name, condition in conditions.items()
    )
    where, what = (f.row(0, named=True) for f in pl.collect_all([places, values]))
    return [(n, where[n], what[n]) for n in conditions if where[n] is not None]


def _cast(text: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.Boolean):
        return pl.when(text.is_in(["true", "false"])).then(text == "true")
    return text.cast(dtype, strict=False)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
