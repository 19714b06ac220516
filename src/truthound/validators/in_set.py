"""in_set: values must be among those that are allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from truthound.data import Column
from truthound.validators.base import RowValidator
from truthound.validators.membership import check_values, listed, member


@dataclass(kw_only=True, eq=False)
class InSetValidator(RowValidator):
    """Values must be among those that are allowed.

    Args:
        values: those; texts for a column of texts, numbers for one of numbers, dates
            as ISO 8601 text. Upper and lower case differ.

    Example:
        >>> import polars as pl, truthound
        >>> rides = pl.DataFrame({"kind": ["card", "cash", "n/a"]})
        >>> rule = {"in_set": {"column": "kind", "values": ["card", "cash"]}}
        >>> truthound.check(rides, [rule]).checks[0].examples
        [{'row': 3, 'kind': 'n/a'}]
    """

    rule = "in_set"
    row_by_row = True
    null_for_null = True
    accepts: ClassVar[tuple[str, ...]] = ("text", "numeric", "boolean", "temporal")

    values: Sequence[Any] = ()

    def check_options(self) -> None:
        check_values(self.rule, self.values)

    def holds(self, column: Column, ns: Any) -> Any:
        return member(column, self.values, ns)

    def expectation(self) -> str:
        return f"one of {listed(self.values)}"
