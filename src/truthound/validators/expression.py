"""expression: a condition of the user's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from truthound.data import (
    Column,
    Metric,
    Predicate,
    check_boolean,
    count,
    native_predicate,
    opposite,
    sql_predicate,
    whole,
)
from truthound.data.merging import TOTAL
from truthound.errors import CheckError, ConfigurationError
from truthound.validators._options import refuse
from truthound.validators.base import Check, RowValidator, Scope
from truthound.validators.metrics import counted as with_count
from truthound.validators.metrics import rows_of


@dataclass(kw_only=True, eq=False)
class ExpressionValidator(RowValidator):
    """A condition must be true for each row.

    Rows for which it is null, as a comparison with a missing value is, are not judged.
    An aggregate in it is over the whole table, or with ``by`` over the row's group;
    ``where`` chooses the rows that are judged, not those that are aggregated. A
    condition made of aggregates alone is true or false for all rows at once.

    Args:
        expression: an SQL condition in a string, or a Polars expression.

    Example:
        >>> import polars as pl, truthound
        >>> rides = pl.DataFrame({"fare": [5.0, 80.0], "miles": [2.0, 1.0]})
        >>> rule = {"expression": {"expression": "fare < 20 * miles"}}
        >>> truthound.check(rides, [rule]).checks[0].examples
        [{'row': 2, 'fare': 80.0, 'miles': 1.0}]
    """

    rule = "expression"
    portable = False

    expression: Any = None

    def check_options(self) -> None:
        text = isinstance(self.expression, str)
        if self.expression is None or (text and not self.expression.strip()):
            raise ConfigurationError(
                "expression needs expression: an SQL condition or a Polars expression"
            )
        if self.column is not None or self.columns is not None:
            raise ConfigurationError(
                "expression names its columns itself: it takes no column or columns"
            )
        refuse(self, "column", "columns")

    def holds(self, column: Column, ns: Any) -> Any:
        raise AssertionError("the condition is of no single column")

    def expectation(self) -> str:
        return str(self.expression)

    def checks(self, scope: Scope) -> Iterator[Check]:
        text = isinstance(self.expression, str)
        make = sql_predicate if text else native_predicate
        condition: Predicate = make(self.expression)
        if not condition.reads:
            raise CheckError(f"{self.expression} reads no column")
        columns = [scope.schema.column(name) for name in sorted(condition.reads)]
        check_boolean(condition, columns, f"{self.expression}")
        where, groups = self.filter(scope), self.groups
        # Counting happens inside each group, showing in the whole table.
        counted = self._failing(condition, where, ())
        shown = self._failing(condition, where, groups)

        def unknown(ns: Any) -> Any:
            missing = whole(condition.build, ns).is_null()
            return count(ns, missing if where is None else missing & where.build(ns))

        key = (self.rule, condition.key, where and where.key)
        alone = condition.alone and (where is None or where.alone)
        merge = TOTAL if alone else None
        failures = Metric(
            ("fails", *key),
            lambda ns: count(ns, counted.build(ns)),
            counted.reads,
            portable=False,
            merge=merge,
        )
        yield Check(
            validator=self,
            columns=(),
            metrics=(
                rows_of(where),
                Metric(
                    ("unknown", *key),
                    unknown,
                    counted.reads,
                    portable=False,
                    merge=merge,
                ),
                failures,
            ),
            judge=lambda rows, unjudged, failed: self.verdict(
                (rows or 0) - (unjudged or 0), failed or 0
            ),
            failing=with_count(shown, failures),
        )

    def _failing(
        self, condition: Predicate, where: Predicate | None, groups: tuple[str, ...]
    ) -> Predicate:
        build = partial(whole, condition.build, by=groups)

        def fails(ns: Any) -> Any:
            false = opposite(build(ns), ns)
            return false if where is None else false & where.build(ns)

        reads = condition.reads.union(groups, where.reads if where else ())
        return Predicate(fails, reads, portable=False)
