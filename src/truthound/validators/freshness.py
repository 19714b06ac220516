"""freshness: the newest value is not old."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

from truthound.data import Column
from truthound.data.merging import MOST
from truthound.errors import ConfigurationError
from truthound.validators._options import refuse
from truthound.validators.anomaly import LookingBack
from truthound.validators.base import Check, Finding, Scope, Validator
from truthound.validators.looking_back import expect
from truthound.validators.metrics import name_of, nulls_of, rows_of, statistic
from truthound.validators.spans import time_span

_DAY = timedelta(days=1)


def _largest(values: Any, ns: Any) -> Any:
    return values.max()


@dataclass(kw_only=True, eq=False)
class FreshnessValidator(LookingBack, Validator):
    """The newest value of a column of times must not be older than a length of time.

    A moment without a time zone is taken to be in UTC. A date stands for its whole
    day, in UTC: its age counts from the end of that day, and today's is 0. A newest
    value that lies in the future, further than ``tolerance``, fails too: it would
    hide that nothing new has come. Where there is no value at all, nothing is fresh.

    Args:
        max_age: seconds, a timedelta, or a text such as ``"30m"``, ``"24h"``, ``"7d"``.
        tolerance: how far in the future the newest value may lie.
        anomaly: in place of ``max_age``: something new should have come by now, as far
            as one can tell from when it came before; needs a store. ``limit``,
            ``min_runs`` and ``last`` go with it.

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

    short_forms: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "anomaly": {"anomaly": True}
    }

    @property
    def looks_back(self) -> bool:
        return self.anomaly

    def check_options(self) -> None:
        refuse(self, "mostly")
        self.check_looking_back(self.anomaly)
        if (self.max_age == "") is not bool(self.anomaly):
            raise ConfigurationError(
                "freshness needs max_age, such as '24h', or anomaly: true"
            )
        if self.anomaly and self.by is not None:
            raise ConfigurationError("by does not go together with anomaly")
        if not self.anomaly:
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
                    statistic("max", column.name, _largest, where, merge=MOST),
                ),
                judge=partial(self._judge, scope, column),
            )

    def _limit(
        self, scope: Scope, column: Column, newest: Any
    ) -> tuple[timedelta | None, int]:
        """Return how old the newest value may be, and from how many times of coming.

        None if that is not known yet. What is learned from is how long it took each
        time until something newer came.
        """
        if not self.anomaly:
            return time_span("max_age", self.max_age), 0
        metric = statistic("max", column.name, _largest, self.filter(scope))
        name = name_of(metric)
        times = sorted(
            {
                _moment(run.values[name])
                for run in scope.past(self.last)
                if isinstance(run.values.get(name), str)
            }
        )
        gaps = [(a, (b - a).total_seconds()) for a, b in pairwise(times)]
        since = _span_of(newest)[0] if newest is not None else scope.clock.now()
        expected = expect(
            gaps,
            since,
            limit=self.limit,
            min_runs=self.min_runs,
            noise=lambda middle: 0.1 * abs(middle),
        )
        if expected is None:
            return None, len(gaps)
        return timedelta(seconds=max(0.0, expected.high)), expected.runs

    def _judge(
        self,
        scope: Scope,
        column: Column,
        rows: int | None,
        nulls: int | None,
        newest: Any,
    ) -> Finding:
        limit, runs = self._limit(scope, column, newest)
        if limit is None:
            return self.too_few(runs, (rows or 0) - (nulls or 0), newest)
        expected = f"something not older than {in_words(limit)}"
        if runs:
            expected += f", from {runs} times that something new came"
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


def _moment(text: Any) -> datetime:
    """Return the moment that a metric holds as text."""
    value = datetime.fromisoformat(text)
    return value if value.tzinfo else value.replace(tzinfo=UTC)


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
