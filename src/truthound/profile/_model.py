"""What is in the columns of a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from truthound.validators import to_plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """How many values lie between edges.

    Attributes:
        edges: one more than there are counts, from the smallest value to the largest.
        counts: values from each edge (not included, but for the first) to the next.
    """

    edges: Sequence[float]
    counts: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """What is in one column.

    Attributes:
        name: as the data has it.
        dtype: its type.
        kind: the kind of its type, such as integer, float, string or datetime.
        rows: of the table.
        nulls: missing values.
        nans: values that are not a number; 0 for any other type than float.
        distinct: different values, without missing ones; None for nested columns.
        min: the smallest value, of numbers, dates and times.
        max: the largest.
        mean: of numbers.
        std: of numbers, that of a sample.
        quantiles: the quartiles of numbers, by share.
        shortest: characters of the shortest text.
        longest: of the longest.
        top: the most frequent values of texts and booleans, with their counts.
        histogram: of numbers and times.
    """

    name: str
    dtype: str
    kind: str
    rows: int
    nulls: int
    nans: int = 0
    distinct: int | None = None
    min: Any = None
    max: Any = None
    mean: float | None = None
    std: float | None = None
    quantiles: dict[float, float] = dataclasses.field(default_factory=dict)
    shortest: int | None = None
    longest: int | None = None
    top: Sequence[tuple[str, int]] = ()
    histogram: Histogram | None = None

    @property
    def values(self) -> int:
        """Rows in which the column is not missing."""
        return self.rows - self.nulls


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What is in the columns of one source.

    Attributes:
        source: the data, as results call it.
        row_count: its rows.
        columns: its columns, or those that were asked for.
        warnings: what there is to know about the reading.
    """

    source: str
    row_count: int
    columns: Sequence[ColumnProfile]
    warnings: Sequence[str] = ()

    def __iter__(self) -> Iterator[ColumnProfile]:
        return iter(self.columns)

    def __getitem__(self, name: str) -> ColumnProfile:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        plain: dict[str, Any] = to_plain(dataclasses.asdict(self))
        return plain
