"""A check: the numbers that it needs, and the function that judges them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from truthound.data import Metric, Predicate

if TYPE_CHECKING:
    from truthound.validators.base import (  # noqa: TC004 - it imports this module
        Validator,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A verdict on the whole table, or on one group of it.

    Attributes:
        passed: whether the check holds.
        checked: rows that were judged.
        failed: rows that failed.
        observed: what was seen, as a number or in words.
        expected: what should have been seen.
        message: why it failed, in one line; made from the rest if empty.
        details: whatever else is worth keeping, as plain values.
        whole_table: the check is of the table, not of its rows: a failure is
            critical unless the validator says otherwise.
        learned: what to keep as baseline, if this run is the one that learns.
        failing: a condition that finds the failing rows faster than the check's own,
            made from what the judge has come to know.
    """

    passed: bool
    checked: int
    failed: int = 0
    observed: Any = None
    expected: Any = None
    message: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    whole_table: bool = False
    learned: Any = None
    failing: Predicate | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """More metrics that a judge needs before it can say; asked in one more select."""

    metrics: tuple[Metric, ...]
    judge: Judge


# Receives the values of the metrics in their order.
Judge = Callable[..., "Finding | Question"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One validator bound to the columns of one table.

    Attributes:
        validator: whose check it is.
        columns: the columns it is about; empty for the table as such.
        metrics: the numbers that it needs at first.
        judge: called with their values.
        failing: the condition that failing rows satisfy, where rows can fail.
        learns: the key of its baseline, if it has one.
    """

    validator: Validator
    columns: tuple[str, ...]
    metrics: tuple[Metric, ...]
    judge: Judge
    failing: Predicate | None = None
    learns: str | None = None

    @property
    def name(self) -> str:
        """The name in results: the validator's own, or ``rule(columns)``."""
        return check_name(self.validator, self.columns)

    @property
    def rule(self) -> str:
        """The validator's registered name."""
        return self.validator.rule


def check_name(validator: Validator, columns: tuple[str, ...]) -> str:
    """Return what results call the check of a validator on some columns."""
    given, listed = validator.name, ", ".join(columns)
    if given is None:
        return f"{validator.rule}({listed})" if listed else validator.rule
    if len(columns) == 1 and validator.column != columns[0]:
        return f"{given} [{listed}]"  # one name, many columns
    return given
