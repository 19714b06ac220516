"""Columns as every engine has them: a name, a type and the kind of the type."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from truthound.errors import CheckError, did_you_mean

# Kind of each type, by the class names that Polars and Narwhals share.
_KINDS = {
    **dict.fromkeys(
        (
            *("Int8", "Int16", "Int32", "Int64", "Int128"),
            *("UInt8", "UInt16", "UInt32", "UInt64", "UInt128"),
        ),
        "integer",
    ),
    **dict.fromkeys(("Float16", "Float32", "Float64"), "float"),
    "Decimal": "decimal",
    "String": "string",
    "Boolean": "boolean",
    "Date": "date",
    "Datetime": "datetime",
    "Time": "time",
    "Duration": "duration",
    "Categorical": "categorical",
    "Enum": "categorical",
    "Binary": "binary",
    "Null": "null",
    **dict.fromkeys(("List", "Array", "Struct"), "nested"),
}

# Groups of kinds that a column selection may name.
GROUPS: Mapping[str, frozenset[str]] = {
    "all": frozenset({*_KINDS.values(), "other"}),
    "numeric": frozenset({"integer", "float", "decimal"}),
    "temporal": frozenset({"date", "datetime", "time", "duration"}),
    "text": frozenset({"string", "categorical"}),
    **{kind: frozenset({kind}) for kind in {*_KINDS.values()} - {"null"}},
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: as the source has it.
        kind: integer, float, decimal, string, boolean, date, datetime, time,
            duration, categorical, binary, null, nested or other.
        dtype: the exact type in lower case: ``int64``, ``datetime[us, UTC]``.
        values: the values that an enumeration allows; empty for any other type.
    """

    name: str
    kind: str
    dtype: str
    values: tuple[str, ...] = ()

    def is_a(self, group: str) -> bool:
        """Tell whether the column's type is of a kind or of a group of kinds."""
        return self.kind in GROUPS.get(group, (group,))


class Schema(Mapping[str, Column]):
    """The columns of a table in their order, by name."""

    __slots__ = ("_columns",)

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = {column.name: column for column in columns}

    @classmethod
    def of(cls, dtypes: Mapping[str, Any]) -> Self:
        """Make one from a mapping of names to Polars or Narwhals types."""
        return cls([_column(name, dtype) for name, dtype in dtypes.items()])

    def __eq__(self, other: object) -> bool:
        """Tell whether the columns are the same, in the same order."""
        if not isinstance(other, Schema):
            return NotImplemented
        return self is other or [*self.values()] == [*other.values()]

    def __getitem__(self, name: str) -> Column:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def column(self, name: str) -> Column:
        """Return the column of that name.

        Raises:
            CheckError: there is none; the nearest name is suggested.
        """
        try:
            return self._columns[name]
        except KeyError:
            raise CheckError(
                f"there is no column {name!r}{did_you_mean(name, self._columns)} "
                f"({_listing(list(self._columns))})"
            ) from None

    def select(self, wanted: str | Sequence[str]) -> list[Column]:
        """Return the columns that names, globs or groups of types mean, in order.

        An exact name wins over a glob and over a group, so that a column called
        ``numeric`` or ``a*`` can be named.

        Raises:
            CheckError: a name, glob or group that no column answers to.
        """
        chosen: dict[str, Column] = {}
        for item in [wanted] if isinstance(wanted, str) else wanted:
            if item in self._columns:
                found = [self._columns[item]]
            elif item in GROUPS:
                found = [c for c in self._columns.values() if c.is_a(item)]
                if not found and item != "all":
                    raise CheckError(f"no column is of the type group {item!r}")
            elif any(mark in item for mark in "*?["):
                names = fnmatch.filter(self._columns, item)
                found = [self._columns[name] for name in names]
                if not found:
                    raise CheckError(
                        f"no column matches {item!r} ({_listing(list(self._columns))})"
                    )
            else:
                found = [self.column(item)]
            chosen.update((column.name, column) for column in found)
        return list(chosen.values())


def _column(name: str, dtype: Any) -> Column:
    cls = dtype if isinstance(dtype, type) else type(dtype)
    kind = _KINDS.get(cls.__name__, "other")
    values: tuple[str, ...] = ()
    if cls.__name__ == "Enum":
        values = tuple(str(value) for value in getattr(dtype, "categories", ()))
    return Column(name, kind, _dtype_name(cls.__name__, dtype), values)


def _dtype_name(class_name: str, dtype: Any) -> str:
    if class_name == "Datetime":
        zone = getattr(dtype, "time_zone", None)
        unit = getattr(dtype, "time_unit", None) or "us"
        return f"datetime[{unit}, {zone}]" if zone else f"datetime[{unit}]"
    if class_name == "Duration":
        return f"duration[{getattr(dtype, 'time_unit', None) or 'us'}]"
    if class_name == "Decimal":
        precision = getattr(dtype, "precision", None)
        return f"decimal[{precision},{getattr(dtype, 'scale', 0)}]"
    if class_name in {"List", "Array"} and not isinstance(dtype, type):
        inner = dtype.inner
        inner_class = inner if isinstance(inner, type) else type(inner)
        inner_name = _dtype_name(inner_class.__name__, inner)
        return f"{class_name.lower()}[{inner_name}]"
    return class_name.lower()


def _listing(names: list[str]) -> str:
    if not names:
        return "the table has no columns"
    shown = ", ".join(names[:12])
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"the table has {shown}{more}"
