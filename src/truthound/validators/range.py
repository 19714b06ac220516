"""range: values must lie between bounds, given or learned."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter
from typing import Any, ClassVar

from truthound.data import Column
from truthound.errors import CheckError, ConfigurationError
from truthound.validators._options import refuse
from truthound.validators.anomaly import LookingBack, series
from truthound.validators.base import (
    Check,
    Finding,
    RowValidator,
    Scope,
)
from truthound.validators.bounds import (
    Bound,
    bound_for,
    interval,
    kept,
    plain,
    widened,
    within,
)
from truthound.validators.check import check_name
from truthound.validators.looking_back import (
    LAST,
    LASTING,
    LIMIT,
    MIN_RUNS,
    counted,
    extremes_of,
    in_words,
)
from truthound.validators.metrics import extremes, learned_key, name_of, nans_of
from truthound.validators.moments import crossed


@dataclass(kw_only=True, eq=False)
class RangeValidator(LookingBack, RowValidator):
    """Values must lie between two bounds, both of which count as inside.

    Without bounds they are learned: the first run of a checkpoint keeps each
    column's smallest and largest value, and later runs allow that span and a margin
    on both sides. What was learned with a ``where`` is kept apart for it. A column
    without values teaches nothing, and one with an infinite value sets no bound on that
    side. A missing value is not judged; NaN is never in range.

    Args:
        min: the smallest value allowed: a number, or for a column of dates or times
            an ISO 8601 text; of durations, seconds. A moment without a time zone is
            in that of the column; one with a zone does not fit a column without.
        max: the largest value allowed.
        margin: how far beyond the learned bounds a value may lie, as a share of
            their span; used only if neither bound is given.
        learned: learn the bounds of numbers from the smallest and largest values of
            earlier runs, as soon as there are ``min_runs`` of them; needs a store.
            Until then, and for dates and times, it is as without.

    Example:
        >>> import polars as pl, truthound
        >>> rides = pl.DataFrame({"fare": [12.5, -3.0, 480.0]})
        >>> run = truthound.check(rides, [{"range": {"column": "fare", "min": 0}}])
        >>> run.checks[0].observed, run.checks[0].failed
        ('-3.0 to 480.0', 1)
    """

    rule = "range"
    row_by_row = True
    null_for_null = True
    accepts: ClassVar[tuple[str, ...]] = ("numeric", "temporal")

    min: Bound | None = None
    max: Bound | None = None
    margin: float = 0.1
    learned: bool = False

    short_forms: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "learned": {"learned": True}
    }

    @property
    def looks_back(self) -> bool:
        return self.learned

    def check_options(self) -> None:
        super().check_options()
        refuse(self, "anomaly")
        self.check_looking_back(self.learned)
        if self.learned and (self.min is not None or self.max is not None):
            raise ConfigurationError("learned goes together with neither min nor max")
        if not 0 <= self.margin < math.inf:
            raise ConfigurationError(f"margin is a number from 0, not {self.margin!r}")

    def holds(self, column: Column, ns: Any) -> Any:
        return within(
            ns.col(column.name),
            column,
            bound_for(column, "min", self.min),
            bound_for(column, "max", self.max),
        )

    def expectation(self) -> str:
        return interval(self.min, self.max)

    def checks(self, scope: Scope) -> Iterator[Check]:
        if self.min is None and self.max is None:
            yield from self._learned(scope)
            return
        for column in self.selected(scope):
            yield self._bounded(scope, column)

    def _bounded(self, scope: Scope, column: Column) -> Check:
        where = self.filter(scope)
        low = bound_for(column, "min", self.min)
        high = bound_for(column, "max", self.max)
        if crossed(low, high):
            raise CheckError(f"min ({low}) is larger than max ({high})")
        count = self.row_check(scope, (column.name,), partial(self.holds, column))
        metrics = (
            *count.metrics,  # rows, nulls, offenders
            *extremes(column, where),
            *((nans_of(column.name, where),) if column.is_a("float") else ()),
        )

        limits = {"low": plain(low), "high": plain(high)}

        def judge(
            rows: int, nulls: int, failed: int, least: Any, most: Any, nans: int = 0
        ) -> Finding:
            seen = "no values" if least is None else f"{least} to {most}"
            details = dict(limits) if failed else {}
            if nans:
                seen, details["nan"] = f"{seen}, {nans:,} NaN", int(nans)
            return self.verdict(rows - (nulls or 0), failed or 0, seen, details)

        return Check(
            validator=self,
            columns=(column.name,),
            metrics=metrics,
            judge=judge,
            failing=count.failing,
        )

    def _learned(self, scope: Scope) -> Iterator[Check]:
        if self.groups:
            raise CheckError(
                "range learns no bounds for groups: give min or max, or leave by out"
            )
        if self.column is None and self.columns is None:
            columns = [
                column
                for column in scope.schema.values()
                if column.is_a("numeric") or column.kind in {"date", "datetime"}
            ]
        else:
            columns = self.selected(scope)
        where = self.filter(scope)
        for column in columns:
            if self.learned and column.is_a("numeric"):
                before = self._from_past(scope, column)
                if before is not None:
                    yield before
                    continue
            key = learned_key("range", column, where)
            known = scope.learned(key)
            if known is None:
                yield self._learning(scope, column, key)
                continue
            low, high = widened(*_known(column, known), self.margin)
            name = self.name and f"{self.name} [{column.name}]"
            yield self._with(column, low, high, name)._bounded(scope, column)

    def _with(
        self, column: Column, low: Any, high: Any, name: str | None
    ) -> RangeValidator:
        """Return this rule for one column, with bounds that are known by now."""
        return replace(
            self,
            column=column.name,
            columns=None,
            min=low,
            max=high,
            learned=False,
            limit=LIMIT,
            min_runs=MIN_RUNS,
            last=LAST,
            lasting=LASTING,
            name=name,
        )

    def _from_past(self, scope: Scope, column: Column) -> Check | None:
        """Return the check against the extremes of earlier runs; None: too few."""
        where = self.filter(scope)
        check = check_name(self, (column.name,))
        sides = []
        for metric in extremes(column, where):
            values = series(
                scope.past(self.last),
                itemgetter(name_of(metric)),
                check,
                self.lasting,
            )
            sides.append([value for _, value in values])
        if min(map(len, sides)) < self.min_runs:
            return None
        low, high, runs = extremes_of(*sides, limit=self.limit)
        if column.kind == "integer":
            low, high = math.floor(low), math.ceil(high)
        made = self._with(column, low, high, check)._bounded(scope, column)
        shown = counted if column.kind == "integer" else in_words
        told = f"{shown(low)}–{shown(high)} from {runs} runs"

        def judge(*values: Any) -> Finding:
            found = made.judge(*values)
            assert isinstance(found, Finding)  # a count asks nothing back
            details = {**found.details, "low": low, "high": high, "runs": runs}
            return replace(found, expected=told, details=details)

        return replace(made, judge=judge)

    def _learning(self, scope: Scope, column: Column, key: str) -> Check:
        where = self.filter(scope)

        def is_number(ns: Any) -> Any:
            return within(ns.col(column.name), column, None, None)

        count = self.row_check(scope, (column.name,), is_number)

        def judge(rows: int, nulls: int, nans: int, least: Any, most: Any) -> Finding:
            found = self.verdict((rows or 0) - (nulls or 0), nans or 0)
            words = f"; {nans:,} NaN" if nans else ""
            if least is None or least != least:  # nothing, or nothing but NaN
                return replace(found, message=f"nothing learned: no values{words}")
            known = {"min": plain(least), "max": plain(most)}
            bounds = (
                (None if known["min"] is None else least),
                (None if known["max"] is None else most),
            )
            return replace(
                found,
                observed=f"{least} to {most}",
                message=f"learned: {interval(*bounds)}{words}",
                learned=known,
            )

        return Check(
            validator=self,
            columns=(column.name,),
            metrics=(*count.metrics, *extremes(column, where)),
            judge=judge,
            failing=count.failing,
            learns=key,
        )


def _known(column: Column, learned: Mapping[str, Any]) -> tuple[Any, Any]:
    try:
        return kept(column, "min", learned["min"]), kept(column, "max", learned["max"])
    except CheckError as error:
        raise CheckError(
            f"what was learned of {column.name!r} does not fit its type "
            f"{column.dtype}: 'truthound baseline reset' makes the next run learn anew"
        ) from error
