"""What a validator is: it says what to compute, and judges the numbers.

A validator never touches data. ``checks(scope)`` returns :class:`Check` objects, each
with the metrics that it needs and a function that judges their values; the plan asks
for all metrics of all checks at once.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Self

from truthound._words import rows_fail
from truthound.data import Column, Metric, Predicate, count
from truthound.data.expr import native_predicate, sql_predicate
from truthound.data.merging import TOTAL
from truthound.errors import CheckError, ConfigurationError, UnknownOptionError
from truthound.validators.check import Check, Finding, Judge, Question
from truthound.validators.lasting import is_lasting
from truthound.validators.metrics import ROWS, counted, nulls_of, rows_of
from truthound.validators.result import Severity
from truthound.validators.scope import Scope


@dataclass(kw_only=True, eq=False)
class Validator(ABC):
    """Base of every rule. Options are the fields of the class.

    Args:
        column: one column: a name, a glob (``*_time``) or a group of types
            (``numeric``, ``temporal``, ``text``, ``integer``, ``float``, ...).
        columns: several of these.
        mostly: share of the judged rows that must hold, 0 to 1.
        severity: of a failure: low, medium, high or critical; None to go by the
            share of failing rows (over 50 % critical, over 10 % high, over 1 %
            medium, else low; a check of the whole table is critical).
        where: judge only the rows for which this is true: an SQL condition in a
            string, or a Polars expression.
        by: judge each group of these columns by itself.
        name: what results call the check.

    Raises:
        UnknownOptionError: an option that the class does not have.
        ConfigurationError: a value that makes no sense.
    """

    rule: ClassVar[str]
    # Columns taken when none are given; None if they must be given.
    default_columns: ClassVar[str | None] = None
    # Groups of types that the rule can judge; another type is an error.
    accepts: ClassVar[tuple[str, ...]] = ("all",)
    # Options beside the common ones that do not make it another rule.
    not_own: ClassVar[frozenset[str]] = frozenset()
    # Options that a single word stands for: ``range: learned``.
    short_forms: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    # Whether it calls a function of the user's, which may take its time.
    calls_python: ClassVar[bool] = False

    column: str | None = field(default=None, kw_only=False)
    columns: str | Sequence[str] | None = None
    mostly: float = 1.0
    severity: Severity | str | None = None
    where: Any = None
    by: str | Sequence[str] | None = None
    name: str | None = None

    def __new__(cls, *_: object, **options: object) -> Self:
        """Refuse options that do not exist, with the nearest that does."""
        known = [f.name for f in dataclasses.fields(cls) if f.init]
        for option in options:
            if option not in known:
                raise UnknownOptionError(cls.__name__, option, known)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        if isinstance(self.mostly, bool) or not 0 <= self.mostly <= 1:
            raise ConfigurationError(
                f"mostly is a share from 0 to 1, not {self.mostly!r}"
            )
        if self.severity is not None:
            self.severity = Severity.parse(self.severity)
        if self.column is not None and self.columns is not None:
            raise ConfigurationError("give either column or columns, not both")
        self.check_options()

    def check_options(self) -> None:
        """Refuse options that make no sense; a subclass adds its own.

        Raises:
            ConfigurationError: naming the option and what was expected.
        """

    @abstractmethod
    def checks(self, scope: Scope) -> Iterator[Check]:
        """State the checks for the columns at hand.

        Raises:
            CheckError: it cannot be evaluated on this table.
        """

    @property
    def looks_back(self) -> bool:
        """Whether it asks for earlier runs."""
        return False

    @property
    def groups(self) -> tuple[str, ...]:
        """The columns of ``by``."""
        by = self.by
        return () if by is None else (by,) if isinstance(by, str) else tuple(by)

    def options(self) -> dict[str, Any]:
        """Return the options that differ from their defaults."""
        return {
            f.name: getattr(self, f.name)
            for f in dataclasses.fields(self)
            if f.init and not _same(getattr(self, f.name), _default(f))
        }

    def own_options(self) -> tuple[tuple[str, str], ...]:
        """Return what makes this rule the rule it is, as a key for metrics."""
        return tuple(
            (f.name, repr(getattr(self, f.name)))
            for f in dataclasses.fields(self)
            if f.name not in _COMMON and f.name not in self.not_own
        )

    def selected(self, scope: Scope) -> list[Column]:
        """Return the columns that this validator means.

        Raises:
            CheckError: a column is missing, or of a type that it cannot judge.
        """
        given = self.column if self.column is not None else self.columns
        if given is None and self.default_columns is None:
            raise CheckError(f"{self.rule} needs a column (column= or columns=)")
        if given is not None:
            columns = scope.schema.select(given)
        else:
            group = self.default_columns or "all"
            columns = [c for c in scope.schema.values() if c.is_a(group)]
        for column in columns:
            if not any(column.is_a(group) for group in self.accepts):
                raise CheckError(
                    f"{self.rule} judges {' or '.join(self.accepts)} columns, but "
                    f"{column.name!r} is {column.dtype}"
                )
        return columns

    def filter(self, scope: Scope) -> Predicate | None:
        """Return the condition of ``where``, checked against the columns.

        Raises:
            CheckError: it is not a condition, or reads a column that is missing.
        """
        if self.where is None:
            return None
        make = sql_predicate if isinstance(self.where, str) else native_predicate
        predicate = make(self.where)
        for name in sorted(predicate.reads):
            scope.schema.column(name)
        return predicate


def _default(option: dataclasses.Field[Any]) -> Any:
    if option.default_factory is not dataclasses.MISSING:
        return option.default_factory()
    return option.default


def _same(left: Any, right: Any) -> bool:
    # An expression or a frame is compared element by element, to no single answer.
    try:
        return left is right or bool(left == right)
    except Exception:  # noqa: BLE001 - whatever a user's object raises
        return False


_COMMON = frozenset(f.name for f in dataclasses.fields(Validator))


def _or_missing(holds: Callable[[Any], Any], columns: tuple[str, ...], ns: Any) -> Any:
    # A user's condition may well be false for a missing value.
    right = holds(ns)
    for name in columns:
        right = right | ns.col(name).is_null()
    return right


# Makes an expression of a column, its values, the columns of groups, a namespace.
Across = Callable[[Column, Any, tuple[str, ...], Any], Any]


class RowValidator(Validator):
    """Base of the rules that hold or do not hold for each single row.

    A subclass says when a value is right; counting, ``mostly``, ``where``, ``by``,
    examples and the file of failing rows come with the base::

        class EvenValidator(RowValidator):
            rule = "even"
            accepts = ("integer",)

            def holds(self, column, ns):
                return ns.col(column.name) % 2 == 0
    """

    # Whether a missing value fails the rule; else it is not judged at all.
    nulls_fail: ClassVar[bool] = False
    # Whether ``holds`` uses only what Narwhals has too.
    portable: ClassVar[bool] = True
    # Whether ``holds`` looks at nothing but the row itself, so that examples can be
    # found among the first rows of a large table.
    row_by_row: ClassVar[bool] = False
    # Whether ``holds`` is null where a value is missing, as most conditions are.
    null_for_null: ClassVar[bool] = False

    @abstractmethod
    def holds(self, column: Column, ns: Any) -> Any:
        """Return a boolean expression: true where the value is right.

        Args:
            column: the column at hand.
            ns: ``polars`` or ``narwhals``; write ``ns.col(column.name)``.
        """

    def expectation(self) -> str:
        """Say in words what is expected of a value."""
        return self.rule

    def checks(self, scope: Scope) -> Iterator[Check]:
        for column in self.selected(scope):
            yield self.row_check(
                scope,
                (column.name,),
                partial(self.holds, column),
            )

    def row_check(
        self,
        scope: Scope,
        columns: tuple[str, ...],
        holds: Callable[[Any], Any],
        reads: frozenset[str] | None = None,
        *,
        lasting: bool = True,
    ) -> Check:
        """Make the check of a condition that each row must satisfy.

        Args:
            scope: as given to ``checks``.
            columns: the columns that are judged: a row in which one of them is
                missing is left out, unless ``nulls_fail``.
            holds: makes the boolean expression from a namespace.
            reads: the columns that the expression reads, if they are more.
            lasting: a row that is right is so tomorrow, too: False where the
                condition depends on the present moment or on other data.
        """
        where = self.filter(scope)
        lasting = lasting and self.row_by_row and is_lasting(self)
        lasting = lasting and (where is None or where.alone)
        as_it_is = self.nulls_fail or self.null_for_null
        right = holds if as_it_is else partial(_or_missing, holds, columns)
        failing = self.failing(right, reads or frozenset(columns), where)
        failures = Metric(
            ("fails", self.rule, columns, self.own_options(), where and where.key),
            lambda ns: count(ns, failing.build(ns)),
            failing.reads,
            failing.portable,
            merge=TOTAL if lasting else None,
        )
        failing = counted(failing, failures)
        if self.nulls_fail or not columns:
            return Check(
                validator=self,
                columns=columns,
                metrics=(rows_of(where), failures),
                judge=lambda rows, failed: self.verdict(rows, failed or 0),
                failing=failing,
            )
        return Check(
            validator=self,
            columns=columns,
            metrics=(rows_of(where), nulls_of(columns, where), failures),
            judge=lambda rows, nulls, failed: self.verdict(
                rows - (nulls or 0), failed or 0
            ),
            failing=failing,
        )

    def checks_across(self, scope: Scope, holds: Across) -> Iterator[Check]:
        """State the checks of a rule for which other rows matter as well.

        Those are the rows that ``where`` leaves, and of them the ones of the group.

        Args:
            scope: as given to ``checks``.
            holds: makes the boolean expression from the column, its values (missing
                where ``where`` leaves a row out), the columns of the groups and a
                namespace. Inside of each group, where rows are counted, no groups
                are given; in the whole table, where they are shown, all are.
        """
        where, groups = self.filter(scope), self.groups

        def right(column: Column, by: tuple[str, ...], ns: Any) -> Any:
            values = ns.col(column.name)
            if where is not None:
                values = ns.when(where.build(ns)).then(values)
            return holds(column, values, by, ns)

        for column in self.selected(scope):
            name = (column.name,)
            reads = frozenset((*name, *(where.reads if where else ())))
            check = self.row_check(scope, name, partial(right, column, ()), reads)
            if groups:
                wide = partial(right, column, groups)
                shown = self.row_check(scope, name, wide, reads | {*groups})
                check = dataclasses.replace(check, failing=shown.failing)
            yield check

    def failing(
        self,
        holds: Callable[[Any], Any],
        reads: frozenset[str],
        where: Predicate | None,
    ) -> Predicate:
        """Return the condition that failing rows satisfy."""
        if where is None:
            return Predicate(
                lambda ns: ~holds(ns), reads, self.portable, prefix=self.row_by_row
            )
        return Predicate(
            lambda ns: ~holds(ns) & where.build(ns),
            reads | where.reads,
            self.portable and where.portable,
        )

    def verdict(
        self,
        checked: int,
        failed: int,
        observed: Any = None,
        details: Mapping[str, Any] | None = None,
    ) -> Finding:
        """Judge a count of failing rows by ``mostly``."""
        # 1 - 0.9 is a little less than 0.1; a millionth of a row makes up for that.
        allowed = math.floor((1 - self.mostly) * checked + 1e-6)
        return Finding(
            passed=failed <= allowed,
            checked=checked,
            failed=failed,
            observed=rows_fail(failed, checked) if observed is None else observed,
            expected=self.expectation()
            if self.mostly == 1
            else f"{self.expectation()} in at least {self.mostly:.4g} of the rows",
            details=details or {},
        )


__all__ = [
    "ROWS",
    "Check",
    "Finding",
    "Judge",
    "Question",
    "RowValidator",
    "Scope",
    "Validator",
]
