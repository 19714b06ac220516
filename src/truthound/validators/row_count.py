"""row_count: how many rows the table has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, ClassVar

from truthound._words import numbered
from truthound.data import ROWS, Batch
from truthound.errors import CheckError, ConfigurationError, DataError
from truthound.validators._options import check_counts, refuse
from truthound.validators.anomaly import LookingBack, counting
from truthound.validators.base import Check, Finding, Scope, Validator
from truthound.validators.bounds import interval
from truthound.validators.check import check_name
from truthound.validators.looking_back import counted
from truthound.validators.metrics import name_of, rows_of


@dataclass(kw_only=True, eq=False)
class RowCountValidator(LookingBack, Validator):
    """The table must have so many rows.

    With ``where`` those rows are counted that satisfy it, with ``by`` the rows of
    each group that occurs.

    Args:
        min: at least so many.
        max: at most so many.
        equals: exactly so many.
        same_as: exactly as many as another source has, which is whatever
            ``truthound.check`` takes; it is counted once a run, as a whole.
        anomaly: about as many as in earlier runs; needs a store. ``limit``,
            ``min_runs`` and ``last`` go with it.

    Example:
        >>> import polars as pl, truthound
        >>> rides = pl.DataFrame({"fare": [12.5, 3.0]})
        >>> run = truthound.check(rides, [{"row_count": {"min": 3}}])
        >>> run.checks[0].message
        'expected at least 3 rows; 2'
    """

    rule = "row_count"
    short_forms: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "anomaly": {"anomaly": True}
    }

    min: int | None = None
    max: int | None = None
    equals: int | None = None
    same_as: Any = None

    def check_options(self) -> None:
        refuse(self, "column", "columns", "mostly")
        check_counts(self.rule, min=self.min, max=self.max, equals=self.equals)
        between = self.min is not None or self.max is not None
        kinds = (
            between,
            self.equals is not None,
            self.same_as is not None,
            bool(self.anomaly),
        )
        if sum(kinds) != 1:
            raise ConfigurationError(
                "row_count needs min, max or both, or equals, or same_as, or anomaly"
            )
        self.check_looking_back(self.anomaly)
        if self.anomaly and self.by is not None:
            raise ConfigurationError("by does not go together with anomaly")
        if self.same_as is not None and self.by is not None:
            raise ConfigurationError("by does not go together with same_as")

    @property
    def looks_back(self) -> bool:
        return self.anomaly

    def checks(self, scope: Scope) -> Iterator[Check]:
        if self.anomaly:
            yield self._as_before(scope)
            return
        low, high, beside = self._bounds(scope)

        def judge(rows: int | None) -> Finding:
            rows = rows or 0
            noun = numbered(low if high is None else high, "row")
            return Finding(
                passed=(low is None or rows >= low) and (high is None or rows <= high),
                checked=rows,
                observed=rows,
                expected=f"{interval(low, high)} {noun}{beside}",
                whole_table=True,
            )

        yield Check(
            validator=self,
            columns=(),
            metrics=(rows_of(self.filter(scope)),),
            judge=judge,
        )

    def _as_before(self, scope: Scope) -> Check:
        metric = rows_of(self.filter(scope))

        def judge(rows: int | None) -> Finding:
            return self.held_to_past(
                scope,
                itemgetter(name_of(metric)),
                check_name(self, ()),
                rows or 0,
                checked=rows or 0,
                noise=counting,
                shown=counted,
                least=0,
                unit=" rows",
            )

        return Check(validator=self, columns=(), metrics=(metric,), judge=judge)

    def _bounds(self, scope: Scope) -> tuple[int | None, int | None, str]:
        if self.same_as is None:
            exactly = self.equals
            return (
                self.min if exactly is None else exactly,
                self.max if exactly is None else exactly,
                "",
            )
        other = scope.open(self.same_as)
        try:
            rows = other.measure(Batch([ROWS]))[0][0]
        except DataError as error:
            raise CheckError(str(error)) from error
        return rows, rows, f", as {other.name} has"
