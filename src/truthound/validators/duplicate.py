"""duplicate: rows must not repeat as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from truthound.data import Column
from truthound.validators.base import Check, RowValidator, Scope
from truthound.validators.metrics import rows_of
from truthound.validators.repeats import repeated, repeats_check


@dataclass(kw_only=True, eq=False)
class DuplicateValidator(RowValidator):
    """No row may stand in the table twice.

    Rows are equal if all their values are, and here two missing values are equal too
    (``unique`` leaves them out). With ``column`` or ``columns`` only these are
    compared. All rows of a group of equals count as failing; how many of them are too
    many stands in ``details["surplus"]``.

    Example:
        >>> import polars as pl, truthound
        >>> rides = pl.DataFrame({"id": [1, 1, 2], "fare": [None, None, 5.0]})
        >>> check = truthound.check(rides, ["duplicate"]).checks[0]
        >>> check.failed, check.details
        (2, {'surplus': 1})
    """

    rule = "duplicate"
    default_columns: ClassVar[str | None] = "all"
    nulls_fail = True
    portable = False

    def holds(self, column: Column, ns: Any) -> Any:
        return ~repeated((column.name,), self.groups, None, True, ns)

    def expectation(self) -> str:
        return "no row twice"

    def checks(self, scope: Scope) -> Iterator[Check]:
        where = self.filter(scope)
        key = tuple(column.name for column in self.selected(scope))
        if not key:
            return  # a table without columns has no rows to compare
        failing, repeats, judge = repeats_check(self, key, where, nulls_count=True)
        given = self.column is not None or self.columns is not None
        yield Check(
            validator=self,
            columns=key if given else (),
            metrics=(rows_of(where), repeats),
            judge=lambda rows, found: judge(rows or 0, found),
            failing=failing,
        )
