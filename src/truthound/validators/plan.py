"""The fused plan: all metrics of all checks in one select, examples for what failed.

A plan is made once for a set of validators and a schema and can be run again on
every table of that schema. A run is made of rounds: the first asks for every metric
of every check (one select, and one more for each ``by``); a further round follows
only if a check asks back (:class:`~truthound.validators.base.Question`), as ``unique``
does for the rows in groups of equals once a distinct count says that there are some.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from truthound._words import plural
from truthound.data import Predicate, Schema, Showing, Table
from truthound.errors import CheckError, ConfigurationError, TruthoundError
from truthound.validators.base import Check, Finding, Scope, Validator
from truthound.validators.examples import Examples
from truthound.validators.execution import (
    Ask,
    Execution,
    Outcome,
    rounds_of,
    unevaluated,
)
from truthound.validators.metrics import ROWS, name_of
from truthound.validators.result import CheckResult

__all__ = ["Outcome", "Plan"]

logger: logging.Logger = logging.getLogger("truthound.validators")


class Plan:
    """The checks of some validators on tables of one schema.

    Args:
        validators: in the order in which they are reported.
        scope: what they may know. A validator that cannot state its checks becomes
            a result of status ``error``; the others are planned all the same.

    Attributes:
        reusable: whether it holds for other tables of the schema too: False if a
            check was stated from something outside the table (a baseline, another
            source).
    """

    def __init__(self, validators: Sequence[Validator], scope: Scope) -> None:
        self.schema: Schema = scope.schema
        self.slots: list[Check | CheckResult] = []
        self._showings: dict[tuple[int, Examples], Showing] = {}
        for validator in validators:
            self.slots.extend(_state(validator, scope))
        self.reusable: bool = scope.reusable
        checks = [(n, c) for n, c in enumerate(self.slots) if isinstance(c, Check)]
        # The number of rows is asked for in any case, together with the ungrouped.
        self._rounds = rounds_of(
            [Ask(n, c.metrics, c.judge, c.validator.groups) for n, c in checks],
            always=(ROWS,),
        )
        self.reads: frozenset[str] = frozenset[str]().union(
            *(round_.batch.reads for round_ in self._rounds),
            *(c.failing.reads for _, c in checks if c.failing),
        )
        self.parsed: frozenset[str] = frozenset[str]().union(
            *(round_.batch.parsed for round_ in self._rounds)
        )

    @property
    def checks(self) -> list[Check]:
        """The checks that could be stated."""
        return [slot for slot in self.slots if isinstance(slot, Check)]

    def run(self, table: Table, examples: Examples) -> Outcome:
        """Ask the table and judge.

        Blocks. A check on which the engine fails becomes a result of status
        ``error``; the others are evaluated without it.

        Raises:
            DataError: the source itself cannot be read.
        """
        shown = frozenset(n for n in examples.with_columns if n in self.schema)
        table.prepare(self.reads | shown, self.parsed | shown)
        execution = Execution(self.slots, table)
        execution.ask(self._rounds)
        wanted = {
            number: self._showing(number, check, execution.quicker(number), examples)
            for number, check in enumerate(self.slots)
            if examples.limit
            and isinstance(check, Check)
            and check.failing
            and execution.fails(number)
        }
        return execution.report(execution.examples(wanted), examples)

    def _showing(
        self, number: int, check: Check, quicker: Predicate | None, examples: Examples
    ) -> Showing:
        failing = quicker or check.failing
        assert failing is not None  # or there is nothing to show
        known = self._showings.get((number, examples))
        if known is None or quicker:
            shown = dict.fromkeys(
                (
                    *check.columns,
                    *check.validator.groups,
                    *(n for n in self.schema if n in failing.reads),
                    *(n for n in examples.with_columns if n in self.schema),
                )
            )
            known = Showing(failing, list(shown), examples.limit)
            self._showings[number, examples] = known
        return known

    def failing(self) -> list[tuple[str, Predicate]]:
        """Return each row check's name with the condition of its failing rows."""
        return [(c.name, c.failing) for c in self.checks if c.failing is not None]

    def explain(self) -> str:
        """Say in words what a run will ask the data."""
        checks = self.checks
        asked = sum(len(check.metrics) for check in checks)
        distinct = sum(len(round_.batch.metrics) for round_ in self._rounds)
        lines = [
            f"{plural(len(checks), 'check')}, {plural(asked, 'metric')}, "
            f"{distinct:,} of them different, in "
            f"{plural(len(self._rounds), 'select')}.",
            f"Columns read: {', '.join(sorted(self.reads)) or 'none'}.",
        ]
        for round_ in self._rounds:
            by = f", by {', '.join(round_.batch.by)}" if round_.batch.by else ""
            lines.append(f"Select{by}:")
            lines += [f"  {name_of(metric)}" for metric in round_.batch.metrics]
        for slot in self.slots:
            if isinstance(slot, CheckResult):
                lines.append(f"Cannot be evaluated: {slot.name}: {slot.error}")
        lines.append(
            "A check that fails may ask for more numbers; its example rows are "
            "fetched last."
        )
        return "\n".join(lines)


def _state(validator: Validator, scope: Scope) -> list[Check | CheckResult]:
    try:
        for name in validator.groups:
            scope.schema.column(name)
        return [*validator.checks(scope)]
    except Exception as error:
        if not isinstance(error, (CheckError, ConfigurationError)):
            if isinstance(error, TruthoundError):
                raise  # a baseline that cannot be read is no fault of the check
            # A validator may be the user's own.
            logger.error(
                "%s could not state its checks", validator.rule, exc_info=error
            )
            error = CheckError(f"{type(error).__name__}: {error}")
        given = validator.column or validator.columns or ()
        columns = (given,) if isinstance(given, str) else tuple(given)
        check = Check(
            validator=validator, columns=columns, metrics=(), judge=_never_asked
        )
        return [unevaluated(check, error)]


def _never_asked(*_: object) -> Finding:
    raise AssertionError("a check that could not be stated is not judged")
