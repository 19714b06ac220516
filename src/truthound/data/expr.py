"""What may be asked of a table: numbers over all its rows, and rows by a condition.

An expression is written once, against the namespace that is handed in: ``polars``
where the data is, or can cheaply be, in Polars; ``narwhals`` where another engine
keeps it (DuckDB, Ibis, PySpark ...).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import polars as pl
import polars.selectors as cs

from truthound.data.merging import TOTAL, Merge
from truthound.data.row_wise import proof
from truthound.errors import CheckError, TruthoundError

# A Polars or Narwhals namespace, and an expression of it. Both libraries are typed,
# but they share no base class.
Namespace = Any
Expression = Any
Build = Callable[[Namespace], Expression]


class _Columns:
    """``pl.col``, but ``*`` and ``^...$`` are names like any other."""

    def __call__(self, name: Any, *more: Any) -> pl.Expr:
        if isinstance(name, str) and not more:
            if name == "*" or (name.startswith("^") and name.endswith("$")):
                return cs.by_name(name).as_expr()
            return pl.col(name)
        return pl.col(name, *more)

    def __getattr__(self, name: str) -> pl.Expr:
        return pl.col(name)


def _polars() -> Namespace:
    module = ModuleType("polars", pl.__doc__)
    module.__dict__.update(pl.__dict__)
    module.__dict__["col"] = _Columns()
    return module


POLARS = _polars()
"""Polars as metrics and predicates get to see it: a column is what it is called."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One number over the rows of a table.

    Attributes:
        key: says what is computed; metrics with equal keys are computed once.
        build: makes the expression from a namespace.
        reads: the columns that it needs.
        portable: False if only Polars can compute it; the columns it reads are then
            brought over from any other engine.
        parsed: False if it is enough to know which values are missing, so that a
            text file need not be parsed for it.
        small: makes an expression with less to set up, for a frame of few rows.
        known: reads the value off a Polars frame that has it ready.
        merge: how it follows from numbers over parts of the rows; None if it does not.
    """

    key: tuple[Hashable, ...]
    build: Build = field(compare=False)
    reads: frozenset[str] = field(compare=False)
    portable: bool = field(default=True, compare=False)
    parsed: bool = field(default=True, compare=False)
    small: Build | None = field(default=None, compare=False)
    known: Callable[[pl.DataFrame], Any] | None = field(default=None, compare=False)
    merge: Merge | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Predicate:
    """A condition on rows; the rows for which it is true are meant."""

    build: Build
    reads: frozenset[str]
    portable: bool = True
    prefix: bool = False  # holds for a row of the first rows as it does in the whole
    key: Hashable = None  # equal conditions have equal keys
    alone: bool = False  # it looks at nothing but the row itself, today and tomorrow
    # How many rows satisfy it, where that can be told for each part of the rows.
    count: Metric | None = field(default=None, compare=False)


class Showing:
    """Rows to show: those that satisfy a predicate, with some of their columns.

    Args:
        predicate: true for the rows that are meant.
        columns: what is shown of them.
        limit: how many rows at the most.
    """

    __slots__ = ("_condition", "_places", "columns", "limit", "predicate")

    def __init__(
        self, predicate: Predicate, columns: Sequence[str], limit: int
    ) -> None:
        self.predicate: Predicate = predicate
        self.columns: tuple[str, ...] = tuple(columns)
        self.limit: int = limit
        self._condition: pl.Expr | None = None
        self._places: pl.Expr | None = None

    @property
    def condition(self) -> pl.Expr:
        """The predicate for Polars; built once."""
        if self._condition is None:
            self._condition = built(self.predicate.build, POLARS)
        return self._condition

    @property
    def places(self) -> pl.Expr:
        """The rows' positions, from 0, for Polars; built once."""
        if self._places is None:
            self._places = pl.arg_where(self.condition).head(self.limit)
        return self._places


FEW_ROWS = 1_000
ROWS = Metric(
    ("rows",),
    lambda ns: ns.len(),
    frozenset(),
    parsed=False,
    known=lambda frame: frame.height,
    merge=TOTAL,
)


class Batch:
    """Metrics that are asked together, each once, in one select.

    Args:
        metrics: equal ones are merged.
        by: columns to group by; empty for one row of numbers over the whole table.
    """

    __slots__ = (
        "_expressions",
        "_prefix",
        "by",
        "metrics",
        "parsed",
        "positions",
        "reads",
    )

    def __init__(self, metrics: Iterable[Metric], by: Sequence[str] = ()) -> None:
        chosen: dict[Metric, Metric] = {}
        for metric in metrics:
            # Who can take no merged value decides for all who ask for the number.
            if metric not in chosen or metric.merge is None:
                chosen[metric] = metric
        self.metrics: tuple[Metric, ...] = tuple(chosen.values())
        self.by: tuple[str, ...] = tuple(by)
        self.positions: dict[Metric, int] = {
            metric: n for n, metric in enumerate(self.metrics)
        }
        self.reads: frozenset[str] = frozenset(self.by).union(
            *(m.reads for m in self.metrics)
        )
        # Those whose values matter, and not only whether they are missing.
        self.parsed: frozenset[str] = frozenset(self.by).union(
            *(m.reads for m in self.metrics if m.parsed)
        )
        self._expressions: dict[tuple[str, bool], list[Expression]] = {}
        self._prefix = "m"  # of the results' names, which must not meet a group's
        while any(name.startswith(self._prefix) for name in self.by):
            self._prefix += "_"

    def expressions(self, ns: Namespace) -> list[Any]:
        """Return the aliased expressions; built once for each namespace."""
        key = (ns.__name__, False)
        if key not in self._expressions:
            self._expressions[key] = [
                built(metric.build, ns).alias(f"{self._prefix}{n}")
                for n, metric in enumerate(self.metrics)
            ]
        return self._expressions[key]

    def measure(self, frame: pl.DataFrame) -> tuple[Any, ...]:
        """Compute the metrics over a whole frame.

        What the frame has ready is left out of the select: on a small one each
        expression takes a tenth of the time of all.
        """
        few = frame.height <= FEW_ROWS
        key = ("frame", few)
        if key not in self._expressions:
            self._expressions[key] = [
                built((few and metric.small) or metric.build, POLARS).alias(f"m{n}")
                for n, metric in enumerate(self.metrics)
                if metric.known is None
            ]
        asked = self._expressions[key]
        found = iter(frame.select(asked).row(0)) if asked else iter(())
        return tuple(
            next(found) if metric.known is None else metric.known(frame)
            for metric in self.metrics
        )

    def subset(self, keep: Callable[[Metric], bool]) -> Batch:
        """Return a batch of the metrics for which ``keep`` is true."""
        return Batch([m for m in self.metrics if keep(m)], self.by)


def built(build: Build, ns: Namespace) -> Expression:
    """Make an expression; what a user's own rule raises becomes a CheckError."""
    try:
        return build(ns)
    except TruthoundError:
        raise
    except Exception as error:
        raise CheckError(f"{type(error).__name__}: {error}") from error


def count(ns: Namespace, condition: Expression) -> Expression:
    """Count the rows for which a condition is true; null counts as not true."""
    if ns.__name__ == "polars":
        return condition.sum()
    # Spark and DuckDB do not add booleans up.
    return condition.cast(ns.Int64).sum()


def sql_predicate(text: str) -> Predicate:
    """Make a predicate of an SQL condition such as ``vendor = 'A' AND fare > 0``.

    Raises:
        CheckError: the text is not an SQL condition.
    """
    try:
        expression = pl.sql_expr(text)
    except (pl.exceptions.PolarsError, TypeError) as error:
        raise CheckError(f"not an SQL condition: {text!r} ({error})") from error
    return replace(native_predicate(expression), key=text)


class _Written:
    """An expression as a key: its text alone leaves out what is long or a function."""

    __slots__ = ("digest", "expression", "text")

    def __init__(self, expression: pl.Expr) -> None:
        self.expression = expression
        self.text = str(expression)
        self.digest = proof(expression)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Written):
            return NotImplemented
        return self.text == other.text and self.expression.meta.eq(other.expression)

    def __hash__(self) -> int:
        return hash(self.text)

    def __str__(self) -> str:
        return self.text


def native_predicate(expression: Expression) -> Predicate:
    """Make a predicate of a Polars or Narwhals expression.

    Raises:
        CheckError: it is an expression of neither.
    """
    module = type(expression).__module__.partition(".")[0]
    if module == "polars":
        names = frozenset(expression.meta.root_names())
        key = _Written(expression)
        return Predicate(
            lambda ns: expression,
            names,
            portable=False,
            key=key,
            alone=key.digest is not None,
        )
    raise CheckError(
        f"expected an SQL condition in a string or a Polars expression, "
        f"got {type(expression).__name__}"
    )


def pattern_problem(pattern: str) -> str | None:
    """Say why a text is not a regular expression; None if it is one."""
    try:
        pl.select(pl.lit("").str.contains(pattern))
    except pl.exceptions.PolarsError as error:
        said = re.findall(r"(?m)^error: (.+)$", str(error))
        return said[0] if said else str(error).partition("\n")[0]
    return None


def unnamed(values: pl.Series) -> pl.Series:
    """Return a series without its name: one called ``^a$`` does not find itself."""
    return values.alias("")


def by_value(values: Expression, function: Callable[[Any], bool]) -> Expression:
    """Make a Polars condition of a Python function, called once a different value.

    Missing values stay missing.

    Raises:
        CheckError: when it is evaluated, if the function raises or answers neither
            True nor False; the value is named.
    """

    def judge(column: pl.Series) -> pl.Series:
        column = unnamed(column)
        different = column.unique().drop_nulls()
        answers = [_answer(function, value) for value in different]
        right = different.filter(pl.Series(answers, dtype=pl.Boolean))
        found = column.is_in(right.implode())
        return pl.select(pl.when(column.is_not_null()).then(found)).to_series()

    return values.map_batches(judge, return_dtype=pl.Boolean)


def _answer(function: Callable[[Any], bool], value: Any) -> bool:
    try:
        answer = function(value)
    except Exception as error:
        raise CheckError(f"{value!r}: {type(error).__name__}: {error}") from error
    if not isinstance(answer, bool):
        raise CheckError(f"{value!r}: expected True or False, got {answer!r}")
    return answer
