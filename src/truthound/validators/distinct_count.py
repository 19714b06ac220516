"""distinct_count: how many different values a column has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from truthound.data import Column, Metric, Predicate
from truthound.data.sketches import distinct_merge, theta
from truthound.errors import ConfigurationError
from truthound.validators._options import check_counts, refuse
from truthound.validators.base import Check, Finding, Scope, Validator
from truthound.validators.bounds import interval
from truthound.validators.metrics import nulls_of, rows_of, statistic
from truthound.validators.repeats import distinct


@dataclass(kw_only=True, eq=False)
class DistinctCountValidator(Validator):
    """A column must have so many different values.

    Missing values are none, so that a column without values has 0 of them. As for
    ``unique``, NaN is a value like any other, equal to itself. Where there is no row at
    all there is nothing to judge.

    Args:
        min: at least so many.
        max: at most so many.
        equals: exactly so many, instead of the two.

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

    def check_options(self) -> None:
        refuse(self, "mostly")
        between = self.min is not None or self.max is not None
        if between is (self.equals is not None):
            raise ConfigurationError("distinct_count needs min, max or both, or equals")
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
            key = (column.name,)
            yield Check(
                validator=self,
                columns=key,
                metrics=(
                    rows_of(where),
                    nulls_of(key, where),
                    _distinct(column, where),
                ),
                judge=judge,
            )


def _distinct(column: Column, where: Predicate | None) -> Metric:
    exact = distinct((column.name,), where)
    if column.kind in {"nested", "other"} or not (where is None or where.alone):
        return exact
    sketch = statistic(
        "theta", column.name, lambda values, _: theta(values), where, portable=False
    )
    return replace(exact, merge=distinct_merge(sketch))
