"""schema: the table's columns, their types, their order, and which may be missing."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from truthound._words import plural
from truthound.data import Schema
from truthound.errors import CheckError, ConfigurationError
from truthound.secrets import Reference
from truthound.validators._options import OF_ROWS, refuse
from truthound.validators.base import Check, Finding, Scope, Validator
from truthound.validators.metrics import ROWS
from truthound.validators.schema_file import (
    Columns,
    described,
    fits,
    parse_schema,
    present,
    read_schema,
)

KEY = "schema"


@dataclass(kw_only=True, eq=False)
class SchemaValidator(Validator):
    """The table must have these columns, of these types.

    Without ``schema`` it is learned: the first run of a checkpoint keeps the columns
    with their types and whether a value was missing, and later runs expect the same.

    A type is exact (``int64``, ``datetime[us, UTC]``) or a group of types
    (``integer``, ``numeric``, ``temporal`` ...), as in ``type``. A column without any
    value fits every type if it is text or of no type at all, because that is how an
    empty column of a text file is read.

    What is wrong stands in ``details``: ``missing`` and ``extra`` columns, ``types``
    and ``order`` with what was expected and observed, and ``nulls``, the number of
    missing values in columns that are not nullable.

    Args:
        schema: a mapping of each column to its type, or to a mapping of ``type`` and
            ``nullable`` (by default true), or the path of a YAML or JSON file that
            holds one, such as ``truthound schema DATA -o FILE`` writes.
        strict: a column that the schema does not name is a failure.
        ordered: columns in another order are a failure.

    Example:
        >>> import polars as pl, truthound
        >>> rides = pl.DataFrame({"id": [1, 2], "fare": ["5", "7"]})
        >>> rule = {"schema": {"schema": {"id": "integer", "fare": "numeric"}}}
        >>> truthound.check(rides, [rule]).checks[0].message
        "'fare' is string, expected numeric"
    """

    rule = "schema"

    schema: Any = None
    strict: bool = True
    ordered: bool = False

    def check_options(self) -> None:
        refuse(self, *OF_ROWS)
        if isinstance(self.schema, Mapping):
            parse_schema(self.schema)
        elif self.schema is not None and not isinstance(
            self.schema, (str, os.PathLike)
        ):
            raise ConfigurationError(
                f"schema is a mapping of columns to types, or the path of a file "
                f"with one, not {self.schema!r:.80}"
            )

    def checks(self, scope: Scope) -> Iterator[Check]:
        wanted = self._wanted(scope)
        names = list(scope.schema)
        if wanted is not None:
            names = [name for name in wanted if name in scope.schema]
        judge = (
            partial(_learned, scope.schema)
            if wanted is None
            else partial(self._judge, wanted, scope.schema, names)
        )
        yield Check(
            validator=self,
            columns=(),
            metrics=(ROWS, *(present(name) for name in names)),
            judge=judge,
            learns=KEY if wanted is None else None,
        )

    def _wanted(self, scope: Scope) -> Columns | None:
        given = self.schema
        if isinstance(given, Mapping):
            return parse_schema(given)
        if given is None:
            learned = scope.learned(KEY)
            return None if learned is None else parse_schema(learned)
        scope.reusable = False  # the file may be another one next time
        try:
            return read_schema(given)
        except ConfigurationError as error:
            said = str(error)
            if isinstance(given, Reference):
                said = given.hidden(said)
            raise CheckError(said) from error

    def _judge(
        self,
        wanted: Columns,
        schema: Schema,
        names: list[str],
        rows: int,
        *counts: int,
    ) -> Finding:
        have = dict(zip(names, counts, strict=True))
        extra = [name for name in schema if name not in wanted]
        details: dict[str, Any] = {
            "missing": [name for name in wanted if name not in schema],
            "extra": extra if self.strict else [],
            "types": {
                name: {"expected": wanted[name]["type"], "observed": schema[name].dtype}
                for name in names
                if not _fits(schema, name, wanted[name]["type"], have[name])
            },
            "order": _order(names, list(schema)) if self.ordered else {},
            "nulls": {
                name: rows - have[name]
                for name in names
                if not wanted[name]["nullable"] and have[name] < rows
            },
        }
        details = {part: found for part, found in details.items() if found}
        return Finding(
            passed=not details,
            checked=rows,
            observed=_in_words(details, extra) or plural(len(schema), "column"),
            expected=plural(len(wanted), "column"),
            message=_in_words(details, extra) or "as expected",
            details=details,
            whole_table=True,
        )


def _learned(schema: Schema, rows: int, *counts: int) -> Finding:
    if not rows:
        # A text file without rows does not say what its types will be.
        return Finding(passed=True, checked=0, message="nothing learned: no rows")
    return Finding(
        passed=True,
        checked=rows,
        observed=plural(len(schema), "column"),
        message=f"learned: {plural(len(schema), 'column')}",
        learned=described(schema, rows, list(counts)),
    )


def _fits(schema: Schema, name: str, wanted: str, values: int) -> bool:
    column = schema[name]
    unknown = not values and column.kind in {"string", "null"}
    return unknown or fits(column, wanted)


def _order(wanted: list[str], found: list[str]) -> dict[str, list[str]]:
    observed = [name for name in found if name in set(wanted)]
    if observed == wanted:
        return {}
    return {"expected": wanted, "observed": observed}


def _in_words(details: Mapping[str, Any], extra: list[str]) -> str:
    said = []
    for name in details.get("missing", ()):
        near = difflib.get_close_matches(name, extra, n=1)
        said.append(f"{name!r} is missing{f' (is it {near[0]!r}?)' if near else ''}")
    said += [f"{name!r} is not expected" for name in details.get("extra", ())]
    for name, types in details.get("types", {}).items():
        said.append(f"{name!r} is {types['observed']}, expected {types['expected']}")
    if order := details.get("order"):
        first = next(
            (want, have)
            for want, have in zip(order["expected"], order["observed"], strict=True)
            if want != have
        )
        said.append(f"{first[1]!r} stands where {first[0]!r} is expected")
    for name, nulls in details.get("nulls", {}).items():
        said.append(f"{name!r} misses {plural(nulls, 'value')}")
    return "; ".join(said)
