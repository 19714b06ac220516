"""monotonic: values only grow, or only fall, from row to row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from truthound.data import Column
from truthound.errors import CheckError, ConfigurationError, did_you_mean
from truthound.validators.base import Check, RowValidator, Scope

_DIRECTIONS = ("increasing", "decreasing")


@dataclass(kw_only=True, eq=False)
class MonotonicValidator(RowValidator):
    """Values must only grow, or only fall, in the order of the rows.

    A row fails if its value breaks the order with the last value before it. A missing
    value is passed over, and so are the rows that ``where`` leaves out; a NaN fails
    and is passed over. With ``by`` each group has an order of its own. Text goes by
    its code points. Needs rows that have an order, which those of a database do not.

    Args:
        direction: ``increasing`` or ``decreasing``.
        strict: equal neighbours fail too.

    Example:
        >>> import polars as pl, truthound
        >>> log = pl.DataFrame({"id": [1, 2, 5, 4]})
        >>> truthound.check(log, [{"monotonic": {"column": "id"}}]).checks[0].examples
        [{'row': 4, 'id': 4}]
    """

    rule = "monotonic"
    accepts: ClassVar[tuple[str, ...]] = ("numeric", "temporal", "string", "boolean")
    portable = False

    direction: str = "increasing"
    strict: bool = False

    def check_options(self) -> None:
        if self.direction not in _DIRECTIONS:
            raise ConfigurationError(
                f"direction is increasing or decreasing, not {self.direction!r}"
                f"{did_you_mean(str(self.direction), _DIRECTIONS)}"
            )

    def holds(self, column: Column, ns: Any) -> Any:
        return self._in_order(column, ns.col(column.name), (), ns)

    def expectation(self) -> str:
        return f"{'strictly ' if self.strict else ''}{self.direction} values"

    def checks(self, scope: Scope) -> Iterator[Check]:
        if not scope.ordered:
            raise CheckError(
                "monotonic needs rows that have an order; those of a table in a "
                "database have none"
            )
        yield from self.checks_across(scope, self._in_order)

    def _in_order(
        self, column: Column, values: Any, groups: tuple[str, ...], ns: Any
    ) -> Any:
        is_float = column.is_a("float")
        before = (values.fill_nan(None) if is_float else values).forward_fill()
        if groups:
            by = [ns.col(name) for name in groups]
            before = before.over(by).shift(1).over(by)
        else:
            before = before.shift(1)
        if self.direction == "increasing":
            right = values > before if self.strict else values >= before
        else:
            right = values < before if self.strict else values <= before
        right = right.fill_null(True)  # there is nothing before it, or it is missing
        return right & ~values.is_nan().fill_null(False) if is_float else right
