"""Conditions that users write: as wide as the table, and truly boolean."""

from __future__ import annotations

from collections.abc import Sequence

from truthound.data.expr import (
    POLARS,
    Build,
    Expression,
    Namespace,
    Predicate,
    built,
)
from truthound.data.schema import Column
from truthound.errors import CheckError, ConfigurationError


def whole(build: Build, ns: Namespace, by: Sequence[str] = ()) -> Expression:
    """Return a condition with one value for each row, as an aggregate has not.

    Args:
        build: makes the condition.
        ns: polars.
        by: evaluate it inside each group of these columns.

    Raises:
        CheckError: what was built is no expression.
    """
    condition = built(build, ns)
    if not isinstance(condition, ns.Expr):
        raise CheckError(
            f"expected a boolean expression, got {type(condition).__name__} "
            f"({condition!r:.80})"
        )
    wide = ns.when(ns.int_range(ns.len()) >= 0).then(condition)
    return wide.over([ns.col(name) for name in by]) if by else wide


def opposite(condition: Expression, ns: Namespace) -> Expression:
    """Return what is true where a condition is false.

    Unlike ``~`` it is an error on anything but truth values: of a number, ``~`` would
    be another number.
    """
    return condition.xor(ns.lit(True))


def check_boolean(predicate: Predicate, columns: Sequence[Column], what: str) -> None:
    """Make sure that a Polars condition can be evaluated and says yes or no.

    Nothing is said about columns of types that cannot be told by name (lists,
    structs): the engine itself will refuse what makes no sense.

    Args:
        predicate: the condition.
        columns: those that it reads.
        what: how messages call it.

    Raises:
        CheckError: it is of another type, or does not fit the columns.
    """
    import polars as pl

    from truthound.data.types import type_named

    try:
        types = {column.name: type_named(column.dtype) for column in columns}
    except ConfigurationError:
        return
    try:
        asked = pl.LazyFrame(schema=types).select(built(predicate.build, POLARS))
        found = asked.collect_schema()
    except pl.exceptions.PolarsError as error:
        said = str(error).strip().partition("\n")[0]
        raise CheckError(f"{what}: {said}") from error
    if len(found) != 1:
        raise CheckError(f"{what} is {len(found)} conditions, expected one")
    (dtype,) = found.values()
    if not isinstance(dtype, (pl.Boolean, pl.Null)):
        raise CheckError(f"{what} is {dtype}, expected a condition: true or false")
