"""distribution: a column is distributed as it was, or as it should be."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from truthound.data import Column, Metric, Predicate, Table, samples
from truthound.errors import CheckError, ConfigurationError, DataError, did_you_mean
from truthound.validators._options import check_counts, refuse
from truthound.validators.base import Check, Finding, Scope, Validator
from truthound.validators.check import check_name
from truthound.validators.comparisons import (
    IDENTIFIER,
    Categories,
    Numbers,
    is_identifier,
    shares_of,
)
from truthound.validators.drift import LIMITS, usual_limit
from truthound.validators.expected import Grid, Normal, Sample
from truthound.validators.looking_back import MIN_RUNS
from truthound.validators.metrics import learned_key, name_of, rows_of
from truthound.validators.pooled import pooled_grids, pooled_shares


@dataclass(kw_only=True, eq=False)
class DistributionValidator(Validator):
    """A column must be distributed as in an earlier run, a reference, or a normal.

    Numbers, dates and times are compared by the population stability index over the
    deciles of what is expected (``psi``) or the Kolmogorov-Smirnov statistic (``ks``),
    texts and booleans by the Jensen-Shannon distance of their shares (``js``); the
    formulas and their sources stand in ``truthound.validators.drift``. Missing values
    are left out, NaN fails, and so does a column without any value; infinities count as
    what they are, the smallest and the largest.

    Without ``reference`` and ``mean`` the first run learns the column and later runs
    are compared with it: with its deciles, with 101 of its quantiles (``ks`` is then
    below the exact statistic by the share of the values between two of them at most, a
    hundredth or one value), or with the shares of its thousand most frequent categories
    and of the rest. With ``by`` each group is compared with what is
    expected of the whole column; ``where`` does not filter the reference.

    Columns of text with more than a thousand different values, or with a new one in
    every second row, are identifiers rather than categories: they are compared only if
    they are named. Otherwise they are passed over, as are columns of types that have no
    distribution, and the result says so.

    Args:
        method: ``psi``, ``ks``, ``js`` (also for integers that stand for categories),
            or ``auto``: ``psi`` for numbers and times, else ``js``.
        max: the largest value of the measure that is allowed. If not given, 0.25 for
            ``psi``, 0.1 for the others; where there are so few rows that chance makes
            more than that in one run of a hundred, what it makes, but at most 2 or 0.5.
        reference: another source, whose column of the same name (or
            ``reference_column``) is what is expected.
        reference_column: its name there.
        mean: of the normal distribution that is expected.
        std: its standard deviation.
        last: compare with so many earlier runs taken together, those in which the check
            held and that had no failure; needs a store. See the page on looking back.
        min_runs: of them, without which the check passes and says so.

    Example:
        >>> import polars as pl, truthound
        >>> before = pl.DataFrame({"kind": ["card"] * 80 + ["cash"] * 20})
        >>> today = pl.DataFrame({"kind": ["card"] * 20 + ["cash"] * 80})
        >>> rule = {"distribution": {"column": "kind", "reference": before}}
        >>> truthound.check(today, [rule]).checks[0].message
        "expected js at most 0.154; 0.5273; most moved: 'card', 80.0% -> 20.0%"
    """

    rule = "distribution"
    default_columns: ClassVar[str | None] = "all"

    method: str = "auto"
    max: float | None = None
    reference: Any = None
    reference_column: str | None = None
    mean: float | None = None
    std: float | None = None
    last: int | None = None
    min_runs: int = MIN_RUNS

    @property
    def looks_back(self) -> bool:
        return self.last is not None

    def check_options(self) -> None:
        refuse(self, "mostly")
        self._check_last()
        if self.method not in {"auto", *LIMITS}:
            raise ConfigurationError(
                f"method is auto, psi, ks or js, not {self.method!r}"
                f"{did_you_mean(str(self.method), ('auto', *LIMITS))}"
            )
        if self.max is not None and (not _is_finite(self.max) or self.max < 0):
            raise ConfigurationError(f"max is a number from 0, not {self.max!r}")
        if (self.mean is None) != (self.std is None):
            raise ConfigurationError("mean and std are given together")
        if self.mean is not None and not _is_finite(self.mean):
            raise ConfigurationError(f"mean is a number, not {self.mean!r}")
        if self.std is not None and (not _is_finite(self.std) or self.std <= 0):
            raise ConfigurationError(f"std is a number above 0, not {self.std!r}")
        if self.mean is not None and self.reference is not None:
            raise ConfigurationError("give either a reference or mean and std")
        if self.mean is not None and self.method == "js":
            raise ConfigurationError("mean and std are of numbers; js is of categories")
        if self.reference_column is not None and self.reference is None:
            raise ConfigurationError("reference_column goes together with reference")

    def _check_last(self) -> None:
        check_counts(self.rule, last=self.last, min_runs=self.min_runs)
        if self.last is not None and (
            self.reference is not None or self.mean is not None
        ):
            raise ConfigurationError(
                "last goes together with neither reference nor mean"
            )
        if self.last is not None and not 1 <= self.min_runs <= self.last:
            raise ConfigurationError(
                f"min_runs ({self.min_runs}) of distribution is not from 1 to last "
                f"({self.last})"
            )

    def checks(self, scope: Scope) -> Iterator[Check]:
        where = self.filter(scope)
        columns = self.selected(scope)
        fitting = [c for c in columns if self._unfit(c) is None]
        references = self._references(scope, fitting)
        for column in columns:
            unfit = self._unfit(column)
            if unfit is not None:
                if self._names(column):
                    raise CheckError(unfit)
                yield self._passed_over(column, where, unfit)
            elif self._method(column) == "js":
                yield self._categories(
                    scope, column, where, references.get(column.name)
                )
            else:
                yield self._numbers(scope, column, where, references.get(column.name))

    def _numbers(
        self,
        scope: Scope,
        column: Column,
        where: Predicate | None,
        reference: tuple[Column, Any] | None,
    ) -> Check:
        comparison, method = Numbers(self, column, where), self._method(column)
        if reference is not None:
            other, frame = reference
            sample = Sample(samples.ranked_numbers(frame, other), other.name)
            return comparison.check(method, sample)
        if self.mean is not None and self.std is not None:
            return comparison.check(method, Normal(self.mean, self.std))
        if self.last is not None:
            grids = self._earlier(scope, column, comparison.grid())
            known = pooled_grids(grids) if len(grids) >= self.min_runs else None
            check = comparison.check(method, Grid(known)) if known else None
            return self._beside(column, where, check, comparison.grid(), len(grids))
        key = learned_key(self.rule, column, where)
        known = scope.learned(key)
        if known is None:
            return comparison.learning(key)
        if "quantiles" not in known:
            raise CheckError(_relearn(column))
        return comparison.check(method, Grid(known))

    def _categories(
        self,
        scope: Scope,
        column: Column,
        where: Predicate | None,
        reference: tuple[Column, Any] | None,
    ) -> Check:
        comparison, named = Categories(self, column, where), self._names(column)
        if reference is not None:
            other, frame = reference
            counts = samples.categories(frame, other)
            rows = sum(number for _, number in counts)
            if not rows:
                raise CheckError(f"the reference of {other.name!r} has no values")
            if is_identifier(len(counts), rows) and not named:
                return self._passed_over(column, where, IDENTIFIER)
            return comparison.check(shares_of(counts, rows))
        if self.last is not None:
            runs = self._earlier(scope, column, comparison.counts())
            known = pooled_shares(runs) if len(runs) >= self.min_runs else None
            check = comparison.check(known) if known else None
            return self._beside(column, where, check, comparison.counts(), len(runs))
        key = learned_key(self.rule, column, where)
        if self.method == "js" and column.kind == "integer":
            key = f"{key} as categories"  # as numbers something else is learned
        known = scope.learned(key)
        if known is None:
            return comparison.learning(key, named)
        if "shares" not in known:
            raise CheckError(_relearn(column))
        return comparison.check(known)

    def _earlier(self, scope: Scope, column: Column, metric: Metric) -> list[Any]:
        """Return the value of a metric in earlier runs that were good."""
        assert self.last is not None  # or nobody asks
        name, check = name_of(metric), check_name(self, (column.name,))
        return [
            run.values[name]
            for run in scope.past(self.last)
            if run.status in ("success", "warning")
            and isinstance(run.values.get(name), list)
            and not run.values.get(f"failed:{check}")
        ]

    def _beside(
        self,
        column: Column,
        where: Predicate | None,
        check: Check | None,
        metric: Metric,
        runs: int,
    ) -> Check:
        """Return a check that asks for a metric, too, for runs to come."""
        if check is None:
            said = f"{runs} of {self.min_runs} earlier runs so far"
            return Check(
                validator=self,
                columns=(column.name,),
                metrics=(rows_of(where), metric),
                judge=lambda rows, _: Finding(passed=True, checked=rows, message=said),
            )
        judge = check.judge

        def beside(*values: Any) -> Finding:
            found = judge(*values[:-1])
            assert isinstance(found, Finding)  # it asks nothing back
            details = {**found.details, "runs": runs}
            message = found.message and f"{found.message}; from {runs} runs"
            return replace(found, message=message, details=details)

        return replace(check, metrics=(*check.metrics, metric), judge=beside)

    def _method(self, column: Column) -> str:
        if self.method != "auto":
            return self.method
        return "psi" if _family(column) not in {"category", None} else "js"

    def _unfit(self, column: Column) -> str | None:
        """Say why a column cannot be judged; None if it can."""
        family = _family(column)
        if family is None:
            return f"{column.name!r} is {column.dtype}, which has no distribution"
        if family == "category" and self.method in {"psi", "ks"}:
            return (
                f"{self.method} compares numbers, but {column.name!r} is {column.dtype}"
            )
        if self.method == "js" and family != "category" and column.kind != "integer":
            return f"js compares categories, but {column.name!r} is {column.dtype}"
        if self.mean is not None and family != "number":
            return f"mean and std are of numbers, but {column.name!r} is {column.dtype}"
        return None

    def _names(self, column: Column) -> bool:
        given = self.columns if self.column is None else self.column
        return column.name in ([given] if isinstance(given, str) else given or ())

    def _passed_over(self, column: Column, where: Predicate | None, why: str) -> Check:
        message = why if why == IDENTIFIER else f"passed over: {why}"
        return Check(
            validator=self,
            columns=(column.name,),
            metrics=(rows_of(where),),
            judge=lambda rows: Finding(passed=True, checked=0, message=message),
        )

    def _references(
        self, scope: Scope, columns: Sequence[Column]
    ) -> dict[str, tuple[Column, Any]]:
        """Read the columns of the reference, all at once."""
        if self.reference is None or not columns:
            return {}
        table = scope.open(self.reference)
        others = {column.name: self._counterpart(table, column) for column in columns}
        names = dict.fromkeys(other.name for other in others.values())
        try:
            frame = samples.columns_of(table, names)
        except DataError as error:
            raise CheckError(str(error)) from error
        return {name: (other, frame) for name, other in others.items()}

    def _counterpart(self, table: Table, column: Column) -> Column:
        other = table.schema.column(self.reference_column or column.name)
        if _family(other) != _family(column):
            raise CheckError(
                f"{column.name!r} ({column.dtype}) cannot be compared with "
                f"{other.name!r} of {table.name} ({other.dtype})"
            )
        return other

    def limit(
        self, method: str, rows: int, expected_rows: int | None, bins: int
    ) -> float:
        """Return the largest value of a measure that is allowed."""
        if self.max is not None:
            return self.max
        return usual_limit(method, rows, expected_rows, bins)

    def finding(
        self,
        method: str,
        checked: int,
        found: float,
        limit: float,
        words: str = "",
        details: dict[str, Any] | None = None,
    ) -> Finding:
        """Judge the value of a measure."""
        expected = f"{method} at most {limit:.3g}"
        return Finding(
            passed=found <= limit,
            checked=checked,
            observed=found,
            expected=expected,
            message=f"expected {expected}; {found:.4g}{words}",
            details={"limit": limit, **(details or {})},
            whole_table=True,
        )


def _family(column: Column) -> str | None:
    """Return what a column can be compared with; None for nothing."""
    if column.is_a("numeric"):
        return "number"
    if column.is_a("text") or column.kind == "boolean":
        return "category"
    if column.kind in {"date", "datetime"}:
        return "moment"
    return column.kind if column.kind in {"time", "duration"} else None


def _is_finite(value: Any) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
    )


def _relearn(column: Column) -> str:
    return (
        f"what was learned of {column.name!r} does not fit its type {column.dtype}: "
        f"'truthound baseline reset' makes the next run learn anew"
    )
