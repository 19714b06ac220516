"""not_regex: text must not match a regular expression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from truthound.data import Column
from truthound.validators.base import RowValidator
from truthound.validators.patterns import check_pattern


@dataclass(kw_only=True, eq=False)
class NotRegexValidator(RowValidator):
    """Text must not match a regular expression anywhere.

    Args:
        pattern: see ``regex``.

    Example:
        >>> import polars as pl, truthound
        >>> notes = pl.DataFrame({"note": ["paid", "TODO: ask"]})
        >>> rule = {"not_regex": {"column": "note", "pattern": "TODO"}}
        >>> truthound.check(notes, [rule]).checks[0].examples
        [{'row': 2, 'note': 'TODO: ask'}]
    """

    rule = "not_regex"
    row_by_row = True
    null_for_null = True
    accepts: ClassVar[tuple[str, ...]] = ("string",)
    portable = False  # the classes (\\w, \\d) differ between engines

    pattern: str = ""

    def check_options(self) -> None:
        check_pattern(self.rule, self.pattern)

    def holds(self, column: Column, ns: Any) -> Any:
        return ~ns.col(column.name).str.contains(self.pattern)

    def expectation(self) -> str:
        return f"no match of {self.pattern}"
