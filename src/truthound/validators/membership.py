"""Sets of values, as a column's type needs them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from truthound.data import Column
from truthound.errors import CheckError, ConfigurationError
from truthound.validators.bounds import bound_for

SHOWN = 8  # values that an expectation lists


def check_values(rule: str, values: object) -> None:
    """Refuse what is no list of values.

    Raises:
        ConfigurationError: it is empty, a single text, or holds a null.
    """
    if isinstance(values, str) or not isinstance(values, Sequence) or not values:
        raise ConfigurationError(f"{rule} needs values, a list, not {values!r}")
    if any(value is None for value in values):
        raise ConfigurationError(
            f"{rule} does not judge missing values: leave the null out of values "
            f"(not_null finds them)"
        )


def fitting(column: Column, values: Sequence[Any]) -> list[Any]:
    """Return the values as they compare with a column's.

    Raises:
        CheckError: a value of another type, which could never be found there.
    """
    if column.is_a("text"):
        return _all(column, values, str, "text")
    if column.kind == "boolean":
        return _all(column, values, bool, "true or false")
    if column.is_a("numeric"):
        numbers = [bound_for(column, "values", value) for value in values]
        if column.kind == "integer":
            # 2.0 is found among integers, 2.5 can't be.
            return [int(number) for number in numbers if number == int(number)]
        return [
            Decimal(str(n)) if column.kind == "decimal" else float(n) for n in numbers
        ]
    return [bound_for(column, "values", value) for value in values]


def member(column: Column, values: Sequence[Any], ns: Any) -> Any:
    """Return the expression that is true for values that are in the set."""
    wanted = fitting(column, values)
    found = ns.col(column.name)
    if column.kind == "categorical":
        found = found.cast(ns.String)
    if not wanted:
        return found.is_null()  # nothing that is there is in an empty set
    return found.is_in(wanted)


def listed(values: Sequence[Any]) -> str:
    """Say the values in words, the first few of many."""
    shown = ", ".join(str(value) for value in values[:SHOWN])
    more = len(values) - SHOWN
    return f"{shown} and {more:,} more" if more > 0 else shown


def _all(column: Column, values: Sequence[Any], kind: type, words: str) -> list[Any]:
    for value in values:
        if not isinstance(value, kind):
            raise CheckError(
                f"values holds {value!r}, but {column.name!r} is {column.dtype}: "
                f"expected {words}"
            )
    return list(values)
