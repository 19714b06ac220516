"""null / not_null: values must not be missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from truthound.data import Column
from truthound.validators.base import Check, RowValidator, Scope
from truthound.validators.metrics import counted, nulls_of, rows_of


@dataclass(kw_only=True, eq=False)
class NullValidator(RowValidator):
    """Values must not be missing; every column, if none is named.

    An empty string is a value (see ``blank``), and so is NaN.

    Example:
        >>> import polars as pl, truthound
        >>> people = pl.DataFrame({"name": ["Ann", None, "Cem"]})
        >>> run = truthound.check(people, [{"not_null": {"column": "name"}}])
        >>> run.checks[0].failed, run.checks[0].examples
        (1, [{'row': 2, 'name': None}])
    """

    rule = "null"
    row_by_row = True
    default_columns: ClassVar[str | None] = "all"
    nulls_fail = True

    def holds(self, column: Column, ns: Any) -> Any:
        return ~ns.col(column.name).is_null()

    def expectation(self) -> str:
        return "no missing values"

    def checks(self, scope: Scope) -> Iterator[Check]:
        where = self.filter(scope)
        for column in self.selected(scope):
            reads = frozenset((column.name,))
            # The count of nulls is in a file's own statistics, the predicate would have
            # to be computed.
            missing = nulls_of(column.name, where)
            failing = self.failing(partial(self.holds, column), reads, where)
            yield Check(
                validator=self,
                columns=(column.name,),
                metrics=(rows_of(where), missing),
                judge=lambda rows, nulls: self.verdict(rows, nulls or 0),
                failing=counted(failing, missing),
            )
