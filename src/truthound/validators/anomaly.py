"""Options of the rules that look back: a number as it was in earlier runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from truthound._words import numbered
from truthound.errors import ConfigurationError
from truthound.store import Past
from truthound.validators.check import Finding
from truthound.validators.looking_back import (
    LAST,
    LASTING,
    LIMIT,
    MIN_RUNS,
    Expectation,
    expect,
    in_words,
    sound,
)
from truthound.validators.scope import Scope

Noise = Callable[[float], float]
Seen = Callable[[Mapping[str, Any]], Any]


@dataclass(kw_only=True, eq=False)
class LookingBack:
    """Options of a rule that may hold a number to what it was in earlier runs.

    Args:
        anomaly: hold the number to earlier runs, in place of bounds.
        limit: how many scales it may be off; see the page on looking back.
        min_runs: earlier runs without which the check passes and says so.
        last: how many earlier runs are looked at.
        lasting: runs out of place in a row, that agree with each other, after which
            they are taken for the new usual; 0: never.
    """

    not_own: ClassVar[frozenset[str]] = frozenset(
        {"anomaly", "limit", "min_runs", "last", "lasting", "learned"}
    )

    anomaly: bool = False
    limit: float = LIMIT
    min_runs: int = MIN_RUNS
    last: int = LAST
    lasting: int = LASTING

    def check_looking_back(self, looks: bool) -> None:
        """Refuse options that make no sense, or none without looking back.

        Raises:
            ConfigurationError: naming the option.
        """
        rule = getattr(self, "rule", "the rule")
        for option, default, least in (
            ("limit", LIMIT, 0),
            ("min_runs", MIN_RUNS, 1),
            ("last", LAST, 1),
            ("lasting", LASTING, 0),
        ):
            value = getattr(self, option)
            check_number(rule, option, value, least, whole=option != "limit")
            if value != default and not looks:
                raise ConfigurationError(
                    f"{option} of {rule} goes together with looking at earlier runs"
                )
        if self.last < self.min_runs:
            raise ConfigurationError(
                f"last ({self.last}) of {rule} is less than min_runs ({self.min_runs})"
            )

    def held_to_past(
        self,
        scope: Scope,
        seen: Seen,
        check: str,
        number: float,
        *,
        checked: int,
        noise: Noise | None = None,
        shown: Callable[[float], str] = in_words,
        least: float = -math.inf,
        unit: str = "",
    ) -> Finding:
        """Judge a number by what it was in earlier runs.

        Args:
            scope: as given to ``checks``.
            seen: returns the number of an earlier run.
            check: the name of the check: runs in which it failed are not learned from.
            number: what it is now.
            checked: rows that were judged.
            noise: the smallest scale for a forecast; None: a hundredth of it.
            shown: writes a number for people.
            least: it cannot be smaller.
            unit: of what, stands behind the bounds.
        """
        now = scope.clock.now()
        values = series(scope.past(self.last), seen, check, self.lasting)
        options: dict[str, Any] = {} if noise is None else {"noise": noise}
        expected = expect(
            values, now, limit=self.limit, min_runs=self.min_runs, **options
        )
        got = shown(number)
        if expected is None:
            return self.too_few(len(values), checked, number, got)
        low = max(least, expected.low)
        bounds = f"{shown(low)}–{shown(expected.high)}{unit}"
        told = f"{bounds} from {expected.runs} {numbered(expected.runs, 'run')}"
        return Finding(
            passed=expected.holds(number),
            checked=checked,
            observed=number,
            expected=told,
            message=f"expected {told}, got {got}",
            details=details_of(expected, low),
            whole_table=True,
        )

    def too_few(
        self, runs: int, checked: int, observed: Any = None, got: str = ""
    ) -> Finding:
        """Return the verdict while there is too little to look back at."""
        said = f"{runs} of {self.min_runs} earlier runs so far"
        return Finding(
            passed=True,
            checked=checked,
            observed=observed,
            message=f"{got}; {said}" if got else said,
            whole_table=True,
        )


def series(
    past: Sequence[Past], seen: Seen, check: str, lasting: int = LASTING
) -> list[tuple[datetime, float]]:
    """Return what a number was in earlier runs, without those that were out of place.

    Args:
        past: earlier runs, the oldest first.
        seen: returns the number of a run from its metrics by name.
        check: the name of the check; it failed where the number was out of place.
        lasting: see :class:`LookingBack`.
    """
    found = []
    for run in past:
        try:
            value = seen(run.values)
        except (LookupError, TypeError, ZeroDivisionError):
            continue  # that run did not ask, or could not know
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            continue
        if math.isfinite(value):
            held = not run.values.get(f"failed:{check}")
            found.append((run.at, float(value), held))
    return sound(found, lasting)


def details_of(expected: Expectation, low: float) -> dict[str, Any]:
    """Return what a result keeps of what was expected."""
    return {
        "low": low,
        "high": expected.high,
        "middle": expected.middle,
        "runs": expected.runs,
        "method": expected.method,
    }


def counting(middle: float) -> float:
    """Return the scale below which a number of rows is noise: as if they were drawn.

    The square root of what is expected, and a thousandth of it at least.
    """
    return max(1.0, math.sqrt(abs(middle)), 0.001 * abs(middle))


def check_number(
    rule: str, option: str, value: Any, least: int, *, whole: bool
) -> None:
    """Refuse what is no number, or too small.

    Raises:
        ConfigurationError: naming the option.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or (whole and value != int(value)):
        kind = "whole number" if whole else "number"
        raise ConfigurationError(f"{option} of {rule} is a {kind}, not {value!r}")
    if value < least or (not whole and value == 0):
        said = f"{least} or more" if whole else "above 0"
        raise ConfigurationError(f"{option} of {rule} is {said}, not {value!r}")
