"""unique: values, or combinations of values, must not repeat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from truthound.data import Column, Predicate
from truthound.validators.base import Check, RowValidator, Scope
from truthound.validators.metrics import nulls_of, rows_of
from truthound.validators.repeats import repeated, repeats_check


@dataclass(kw_only=True, eq=False)
class UniqueValidator(RowValidator):
    """Values must not repeat.

    ``column`` is judged by itself (each of them, if it means several), ``columns``
    together, as a key made of several columns. A row in which a value is missing is
    left out and hides nothing: of ``1, 1, null`` two fail. All rows of a group of
    equals count as failing; how many of them are too many stands in
    ``details["surplus"]``.

    Example:
        >>> import polars as pl, truthound
        >>> rides = pl.DataFrame({"id": [1, 1, 2, None, None]})
        >>> check = truthound.check(rides, [{"unique": {"column": "id"}}]).checks[0]
        >>> check.checked, check.failed, check.details
        (3, 2, {'surplus': 1})
    """

    rule = "unique"
    portable = False

    def holds(self, column: Column, ns: Any) -> Any:
        return ~repeated((column.name,), self.groups, None, False, ns)

    def expectation(self) -> str:
        return "no value twice"

    def checks(self, scope: Scope) -> Iterator[Check]:
        where = self.filter(scope)
        columns = self.selected(scope)
        together = self.columns is not None
        keys = [columns] if together else [[column] for column in columns]
        for key in keys:
            yield self._check(tuple(column.name for column in key), where)

    def _check(self, key: tuple[str, ...], where: Predicate | None) -> Check:
        failing, repeats, judge = repeats_check(self, key, where, nulls_count=False)
        return Check(
            validator=self,
            columns=key,
            metrics=(rows_of(where), nulls_of(key, where), repeats),
            judge=lambda rows, nulls, found: judge((rows or 0) - (nulls or 0), found),
            failing=failing,
        )
