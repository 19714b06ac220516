"""not_in_set: values must not be among those that are forbidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from truthound.data import Column
from truthound.validators.base import RowValidator
from truthound.validators.membership import check_values, listed, member


@dataclass(kw_only=True, eq=False)
class NotInSetValidator(RowValidator):
    """Values must not be among those that are forbidden.

    Args:
        values: those; see ``in_set``.

    Example:
        >>> import polars as pl, truthound
        >>> people = pl.DataFrame({"name": ["Ann", "test"]})
        >>> rule = {"not_in_set": {"column": "name", "values": ["test", "n/a"]}}
        >>> truthound.check(people, [rule]).checks[0].failed
        1
    """

    rule = "not_in_set"
    row_by_row = True
    null_for_null = True
    accepts: ClassVar[tuple[str, ...]] = ("text", "numeric", "boolean", "temporal")

    values: Sequence[Any] = ()

    def check_options(self) -> None:
        check_values(self.rule, self.values)

    def holds(self, column: Column, ns: Any) -> Any:
        return ~member(column, self.values, ns)

    def expectation(self) -> str:
        return f"none of {listed(self.values)}"
