"""blank: text must say something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from truthound.data import Column
from truthound.validators.base import RowValidator


@dataclass(kw_only=True, eq=False)
class BlankValidator(RowValidator):
    """Text must not be empty or made of white space only.

    Every text column is judged, if none is named.

    A missing value is not blank (see ``null``).

    Example:
        >>> import polars as pl, truthound
        >>> people = pl.DataFrame({"name": ["Ann", " ", None]})
        >>> run = truthound.check(people, ["blank"])
        >>> run.checks[0].checked, run.checks[0].examples
        (2, [{'row': 2, 'name': ' '}])
    """

    rule = "blank"
    row_by_row = True
    null_for_null = True
    default_columns: ClassVar[str | None] = "string"
    accepts: ClassVar[tuple[str, ...]] = ("string",)
    portable = False  # engines differ about what white space is

    def holds(self, column: Column, ns: Any) -> Any:
        return ns.col(column.name).str.contains(r"\S")

    def expectation(self) -> str:
        return "text that is not blank"
