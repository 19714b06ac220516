"""null / not_null: values must not be missing."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from truthound.data import Column, Predicate
from truthound.errors import ConfigurationError
from truthound.validators.anomaly import LookingBack
from truthound.validators.base import Check, Finding, RowValidator, Scope
from truthound.validators.check import check_name
from truthound.validators.metrics import counted, name_of, nulls_of, rows_of


@dataclass(kw_only=True, eq=False)
class NullValidator(LookingBack, RowValidator):
    """Values must not be missing; every column, if none is named.

    An empty string is a value (see ``blank``), and so is NaN.

    Args:
        anomaly: the share of missing values is about what it was in earlier runs; needs
            a store. ``limit``, ``min_runs`` and ``last`` go with it.

    Example:
        >>> import polars as pl, truthound
        >>> people = pl.DataFrame({"name": ["Ann", None, "Cem"]})
        >>> run = truthound.check(people, [{"not_null": {"column": "name"}}])
        >>> run.checks[0].failed, run.checks[0].examples
        (1, [{'row': 2, 'name': None}])
    """

    rule = "null"
    row_by_row = True
    default_columns: ClassVar[str | None] = "all"
    nulls_fail = True
    short_forms: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "anomaly": {"anomaly": True}
    }

    def check_options(self) -> None:
        super().check_options()
        self.check_looking_back(self.anomaly)
        if self.anomaly and (self.mostly != 1 or self.by is not None):
            raise ConfigurationError("anomaly goes neither with mostly nor with by")

    @property
    def looks_back(self) -> bool:
        return self.anomaly

    def holds(self, column: Column, ns: Any) -> Any:
        return ~ns.col(column.name).is_null()

    def expectation(self) -> str:
        return "no missing values"

    def checks(self, scope: Scope) -> Iterator[Check]:
        where = self.filter(scope)
        for column in self.selected(scope):
            reads = frozenset((column.name,))
            # The count of nulls is in a file's own statistics, the predicate would have
            # to be computed.
            missing = nulls_of(column.name, where)
            if self.anomaly:
                yield self._as_before(scope, column, where)
                continue
            failing = self.failing(partial(self.holds, column), reads, where)
            yield Check(
                validator=self,
                columns=(column.name,),
                metrics=(rows_of(where), missing),
                judge=lambda rows, nulls: self.verdict(rows, nulls or 0),
                failing=counted(failing, missing),
            )

    def _as_before(
        self, scope: Scope, column: Column, where: Predicate | None
    ) -> Check:
        """Return the check that holds the share of missing values to earlier runs."""
        rows_metric, nulls_metric = rows_of(where), nulls_of(column.name, where)
        rows_name, nulls_name = name_of(rows_metric), name_of(nulls_metric)

        def judge(rows: int | None, nulls: int | None) -> Finding:
            total, missing = rows or 0, nulls or 0
            if not total:
                return self.verdict(0, 0)

            def noise(middle: float) -> float:
                # As if each row were drawn; and nobody cares for a two-thousandth.
                share = min(max(middle, 1 / total), 1 - 1 / total, 0.5)
                return max(math.sqrt(max(share, 0) * (1 - share) / total), 0.0005)

            found = self.held_to_past(
                scope,
                lambda values: values[nulls_name] / values[rows_name],
                check_name(self, (column.name,)),
                missing / total,
                checked=total,
                noise=noise,
                shown=lambda share: f"{share:.2%}",
                least=0,
                unit=" missing",
            )
            return dataclasses.replace(found, failed=missing)

        return Check(
            validator=self,
            columns=(column.name,),
            metrics=(rows_metric, nulls_metric),
            judge=judge,
        )
