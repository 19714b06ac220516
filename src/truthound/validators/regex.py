"""regex: text must match a regular expression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from truthound.data import Column
from truthound.validators.base import RowValidator
from truthound.validators.patterns import check_pattern


@dataclass(kw_only=True, eq=False)
class RegexValidator(RowValidator):
    """Text must match a regular expression.

    A match anywhere in the text counts; ``^`` and ``$`` tie it to the whole. An empty
    text is judged like any other.

    Args:
        pattern: in the syntax of Rust's ``regex``, which is Python's without
            look-around and back references, and whose time grows with the length of
            the text only.

    Example:
        >>> import polars as pl, truthound
        >>> planes = pl.DataFrame({"tail": ["N14228", "14228", ""]})
        >>> rule = {"regex": {"column": "tail", "pattern": "^N[0-9]+$"}}
        >>> truthound.check(planes, [rule]).checks[0].failed
        2
    """

    rule = "regex"
    row_by_row = True
    null_for_null = True
    accepts: ClassVar[tuple[str, ...]] = ("string",)
    portable = False  # the classes (\\w, \\d) differ between engines

    pattern: str = ""

    def check_options(self) -> None:
        check_pattern(self.rule, self.pattern)

    def holds(self, column: Column, ns: Any) -> Any:
        return ns.col(column.name).str.contains(self.pattern)

    def expectation(self) -> str:
        return f"a match of {self.pattern}"
