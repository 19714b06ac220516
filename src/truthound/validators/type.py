"""type: a column must be of a type, or text must be convertible to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from truthound.data import Column
from truthound.data.schema import GROUPS
from truthound.errors import ConfigurationError, UnknownNameError
from truthound.validators.base import Check, Finding, RowValidator, Scope
from truthound.validators.formats import is_date, is_datetime
from truthound.validators.metrics import nulls_of, rows_of

_NUMBER = r"^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"

# What a text must look like to stand for a value of a kind.
_READABLE: dict[str, Any] = {
    "integer": lambda texts, ns: texts.str.contains(r"^[+-]?[0-9]+$"),
    "float": lambda texts, ns: texts.str.contains(_NUMBER),
    "boolean": lambda texts, ns: texts.str.contains(r"^(?i:true|false)$"),
    "date": is_date,
    "datetime": is_datetime,
}
_READABLE["numeric"] = _READABLE["decimal"] = _READABLE["float"]

# Other names that people use.
_ALIASES = {
    "int": "integer",
    "number": "numeric",
    "str": "string",
    "bool": "boolean",
    "double": "float",
    "timestamp": "datetime",
}
# Exact types with parameters, and the rarer ones, as a schema prints them.
_SHAPED = re.compile(
    r"(datetime|duration|decimal|list|array)\[.+\]$|struct$|enum$|object$|float16$"
)
_EXACT = (
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64, 128)),
    "float32",
    "float64",
)


@dataclass(kw_only=True, eq=False)
class TypeValidator(RowValidator):
    """A column must be of a type.

    A column of another type fails as a whole. A column of text is looked into: the
    rows that fail are those whose text does not stand for a value of the type, which
    is how a number column with ``n/a`` in it is found in a CSV file.

    Args:
        type: ``integer``, ``float``, ``numeric``, ``string``, ``boolean``, ``date``,
            ``datetime``, ``temporal`` and the other groups of types, or an exact one
            such as ``int64`` or ``datetime[us, UTC]``.

    Example:
        >>> import polars as pl, truthound
        >>> raw = pl.DataFrame({"fare": ["12.5", "n/a"]})
        >>> rule = {"type": {"column": "fare", "type": "float"}}
        >>> truthound.check(raw, [rule]).checks[0].examples
        [{'row': 2, 'fare': 'n/a'}]
    """

    rule = "type"
    row_by_row = True
    portable = False

    type: str = ""

    def check_options(self) -> None:
        known = [*GROUPS, *_ALIASES, *_EXACT]
        if not self.type:
            raise ConfigurationError(f"type needs a type: {', '.join(known)}")
        if self.type not in known and not _SHAPED.match(self.type):
            raise UnknownNameError("type", self.type, known)

    @property
    def group(self) -> str:
        """The group of types that is meant, or the exact type."""
        return _ALIASES.get(self.type, self.type)

    def holds(self, column: Column, ns: Any) -> Any:
        return self._readable()(ns.col(column.name), ns)

    def expectation(self) -> str:
        return self.type

    def checks(self, scope: Scope) -> Iterator[Check]:
        for column in self.selected(scope):
            name = (column.name,)
            if self.fits(column) or column.kind != "string" or not self._readable():
                yield self._whole(scope, column)
            else:
                yield self.row_check(scope, name, partial(self.holds, column))

    def fits(self, column: Column) -> bool:
        """Tell whether a column is of the type."""
        group = self.group
        if group in GROUPS:
            return column.is_a(group)
        return column.dtype == group

    def _readable(self) -> Any:
        group = self.group.partition("[")[0]
        if "int" in group and group != "integer":
            group = "integer"
        return _READABLE.get("float" if group in {"float32", "float64"} else group)

    def _whole(self, scope: Scope, column: Column) -> Check:
        where = self.filter(scope)
        fits = self.fits(column)

        def judge(rows: int, nulls: int) -> Finding:
            checked = (rows or 0) - (nulls or 0)
            return Finding(
                passed=fits,
                checked=checked,
                failed=0 if fits else checked,
                observed=column.dtype,
                expected=self.type,
                whole_table=True,
            )

        return Check(
            validator=self,
            columns=(column.name,),
            metrics=(rows_of(where), nulls_of(column.name, where)),
            judge=judge,
        )
