"""distinct_count: how many different values a column has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter
from typing import Any, ClassVar

from truthound.data import Column, Metric, Predicate
from truthound.data.sketches import distinct_merge, theta
from truthound.errors import ConfigurationError
from truthound.validators._options import check_counts, refuse
from truthound.validators.anomaly import LookingBack, counting
from truthound.validators.base import Check, Finding, Scope, Validator
from truthound.validators.bounds import interval
from truthound.validators.check import check_name
from truthound.validators.looking_back import counted
from truthound.validators.metrics import name_of, nulls_of, rows_of, statistic
from truthound.validators.repeats import distinct


@dataclass(kw_only=True, eq=False)
class DistinctCountValidator(LookingBack, Validator):
    """A column must have so many different values.

    Missing values are none, so that a column without values has 0 of them. As for
    ``unique``, NaN is a value like any other, equal to itself. Where there is no row at
    all there is nothing to judge.

    Args:
        min: at least so many.
        max: at most so many.
        equals: exactly so many, instead of the two.
        anomaly: about as many as in earlier runs; needs a store. ``limit``,
            ``min_runs``, ``last`` and ``lasting`` go with it.

    Example:
        >>> import polars as pl, truthound
        >>> rides = pl.DataFrame({"kind": ["card", "cash", None, "card"]})
        >>> rule = {"distinct_count": {"column": "kind", "max": 1}}
        >>> truthound.check(rides, [rule]).checks[0].observed
        2
    """

    rule = "distinct_count"

    min: int | None = None
    max: int | None = None
    equals: int | None = None

    short_forms: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "anomaly": {"anomaly": True}
    }

    @property
    def looks_back(self) -> bool:
        return self.anomaly

    def check_options(self) -> None:
        refuse(self, "mostly")
        between = self.min is not None or self.max is not None
        if (between, self.equals is not None, bool(self.anomaly)).count(True) != 1:
            raise ConfigurationError(
                "distinct_count needs min, max or both, or equals, or anomaly"
            )
        self.check_looking_back(self.anomaly)
        if self.anomaly and self.by is not None:
            raise ConfigurationError("by does not go together with anomaly")
        check_counts(self.rule, min=self.min, max=self.max, equals=self.equals)

    def checks(self, scope: Scope) -> Iterator[Check]:
        where = self.filter(scope)
        low = self.min if self.equals is None else self.equals
        high = self.max if self.equals is None else self.equals
        one = (low == high or low is None) and (high or 0) == 1
        noun = "different value" if one else "different values"
        expected = f"{interval(low, high)} {noun}"

        def judge(rows: int, nulls: int, different: int) -> Finding:
            rows, different = rows or 0, different or 0
            holds = (low is None or different >= low) and (
                high is None or different <= high
            )
            return Finding(
                passed=holds or not rows,
                checked=rows - (nulls or 0),
                observed=different,
                expected=expected,
                message="" if rows else "no rows",
                whole_table=True,
            )

        for column in self.selected(scope):
            key, different = (column.name,), _distinct(column, where)
            yield Check(
                validator=self,
                columns=key,
                metrics=(rows_of(where), nulls_of(key, where), different),
                judge=partial(self._as_before, scope, key, name_of(different))
                if self.anomaly
                else judge,
            )

    def _as_before(
        self,
        scope: Scope,
        columns: tuple[str, ...],
        name: str,
        rows: int | None,
        nulls: int | None,
        different: int | None,
    ) -> Finding:
        """Hold the number to earlier runs."""
        return self.held_to_past(
            scope,
            itemgetter(name),
            check_name(self, columns),
            float(different or 0),
            checked=(rows or 0) - (nulls or 0),
            noise=counting,
            shown=counted,
            least=0,
            unit=" different values",
        )


def _distinct(column: Column, where: Predicate | None) -> Metric:
    exact = distinct((column.name,), where)
    if column.kind in {"nested", "other"} or not (where is None or where.alone):
        return exact
    sketch = statistic(
        "theta", column.name, lambda values, _: theta(values), where, portable=False
    )
    return replace(exact, merge=distinct_merge(sketch))
