"""freshness: the newest value is not old."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from truthound.data import Column
from truthound.data.merging import MOST
from truthound.errors import ConfigurationError
from truthound.validators._options import refuse
from truthound.validators.base import Check, Finding, Scope, Validator
from truthound.validators.metrics import nulls_of, rows_of, statistic
from truthound.validators.spans import time_span

_DAY = timedelta(days=1)


@dataclass(kw_only=True, eq=False)
class FreshnessValidator(Validator):
    """The newest value of a column of times must not be older than a length of time.

    A moment without a time zone is taken to be in UTC. A date stands for its whole
    day, in UTC: its age counts from the end of that day, and today's is 0. A newest
    value that lies in the future, further than ``tolerance``, fails too: it would
    hide that nothing new has come. Where there is no value at all, nothing is fresh.

    Args:
        max_age: seconds, a timedelta, or a text such as ``"30m"``, ``"24h"``, ``"7d"``.
        tolerance: how far in the future the newest value may lie.

    Example:
        >>> import polars as pl, truthound
        >>> from datetime import UTC, datetime
        >>> feed = pl.DataFrame({"at": [datetime(2020, 1, 1, tzinfo=UTC)]})
        >>> rule = {"freshness": {"column": "at", "max_age": "24h"}}
        >>> truthound.check(feed, [rule]).success
        False
    """

    rule = "freshness"
    accepts: ClassVar[tuple[str, ...]] = ("date", "datetime")

    max_age: str | float | timedelta = ""
    tolerance: str | float | timedelta = "5m"

    def check_options(self) -> None:
        refuse(self, "mostly")
        if self.max_age == "":
            raise ConfigurationError("freshness needs max_age, such as '24h'")
        time_span("max_age", self.max_age)
        time_span("tolerance", self.tolerance)

    def checks(self, scope: Scope) -> Iterator[Check]:
        where = self.filter(scope)
        for column in self.selected(scope):
            yield Check(
                validator=self,
                columns=(column.name,),
                metrics=(
                    rows_of(where),
                    nulls_of(column.name, where),
                    statistic(
                        "max", column.name, lambda v, ns: v.max(), where, merge=MOST
                    ),
                ),
                judge=partial(self._judge, scope, column),
            )

    def _judge(
        self,
        scope: Scope,
        column: Column,
        rows: int | None,
        nulls: int | None,
        newest: Any,
    ) -> Finding:
        limit = time_span("max_age", self.max_age)
        expected = f"something not older than {in_words(limit)}"
        checked = (rows or 0) - (nulls or 0)
        if newest is None:
            return Finding(
                passed=False,
                checked=checked,
                expected=expected,
                message=f"expected {expected}; there are no values",
                whole_table=True,
            )
        # The clock is read when the data has been: what came meanwhile is not early.
        now = scope.clock.now()
        begin, end = _span_of(newest)
        early = begin - now
        age = max(now - end, timedelta(0))
        told = f"is {in_words(age)} old"
        if early > timedelta(0):
            told = f"lies {in_words(early)} in the future"
        return Finding(
            passed=age <= limit and early <= time_span("tolerance", self.tolerance),
            checked=checked,
            observed=newest,
            expected=expected,
            message=f"expected {expected}; the newest, {newest}, {told}",
            details={"age_seconds": -early.total_seconds()}
            if early > timedelta(0)
            else {"age_seconds": age.total_seconds()},
            whole_table=True,
        )


def in_words(span: timedelta) -> str:
    """Return a length of time in its two largest units: ``2d 3h``, ``45s``."""
    seconds = round(span.total_seconds())
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count:,}{unit}")
    return " ".join(parts[:2]) or "0s"


def _span_of(value: date) -> tuple[datetime, datetime]:
    """Return when a moment, or the day of a date, begins and ends."""
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return moment, moment
    midnight = datetime(value.year, value.month, value.day, tzinfo=UTC)
    return midnight, midnight + _DAY
