"""Whether a condition looks at nothing but the row itself, as far as can be proven.

Polars tells what an expression is made of; whatever is not on the lists here (an
aggregate, a window, a function of the user's, a time format that is guessed from the
first rows, anything new) counts as looking at other rows.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import polars as pl

# Functions that give each row its value from that row's arguments alone.
_PLAIN = frozenset({"Abs", "Negate", "FillNull", "Coalesce", "Sign"})
_OF_PARAMETERS = frozenset({"Round", "Floor", "Ceil", "Pow"})
_BOOLEAN = frozenset(
    {
        *("IsNull", "IsNotNull", "IsNan", "IsNotNan", "IsFinite", "IsInfinite", "Not"),
        *("IsBetween", "AllHorizontal", "AnyHorizontal"),
    }
)
_TEXT = frozenset(
    {
        *("Contains", "StartsWith", "EndsWith", "LenChars", "LenBytes", "Uppercase"),
        *("Lowercase", "Slice", "Head", "Tail", "StripChars", "StripCharsStart"),
        *("StripCharsEnd", "StripPrefix", "StripSuffix", "CountMatches", "Find"),
    }
)
_TIME = frozenset(
    {
        *("Year", "IsoYear", "Quarter", "Month", "Week", "WeekDay", "Day"),
        *("OrdinalDay", "Hour", "Minute", "Second", "Millisecond", "Microsecond"),
        *("Nanosecond", "Date", "Time", "TimeStamp", "TotalDays", "TotalHours"),
        *("TotalMinutes", "TotalSeconds", "TotalMilliseconds", "TotalMicroseconds"),
    }
)
_FAMILIES = {"Boolean": _BOOLEAN, "StringExpr": _TEXT, "TemporalExpr": _TIME}


def proof(expression: pl.Expr) -> str | None:
    """Return what tells a condition apart from others if it is row by row, else None.

    It is the same in every process.
    """
    try:
        text = expression.meta.serialize(format="json")
        tree = json.loads(text)
    except (pl.exceptions.PolarsError, ValueError):
        return None  # a function of Python's
    if not _is_row_wise(tree):
        return None
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _is_row_wise(node: Any) -> bool:
    if not isinstance(node, dict) or len(node) != 1:
        return False
    ((kind, inside),) = node.items()
    match kind:
        case "Column":
            return True
        case "Literal":
            return "Series" not in inside
        case "BinaryExpr":
            return _is_row_wise(inside["left"]) and _is_row_wise(inside["right"])
        case "Cast":
            return _is_row_wise(inside["expr"])
        case "Ternary":
            branches = (inside["predicate"], inside["truthy"], inside["falsy"])
            return all(_is_row_wise(branch) for branch in branches)
        case "Alias":
            return _is_row_wise(inside[0])
        case "Function":
            return _is_function(inside["function"], inside["input"])
    return False


def _is_function(function: Any, arguments: list[Any]) -> bool:
    family, name = _named(function)
    if name == "IsIn" and family in {"Boolean", "Sql"}:
        # Values that are written down, and not those of another column.
        return _is_row_wise(arguments[0]) and "Literal" in arguments[1]
    known = (
        name in (_FAMILIES.get(family, ()) if family else _PLAIN)
        or family in _OF_PARAMETERS
    )
    return known and all(_is_row_wise(argument) for argument in arguments)


def _named(function: Any) -> tuple[str, str]:
    """Return the family of a function, if it has one, and its name."""
    if isinstance(function, str):
        return "", function
    ((family, name),) = function.items()
    if isinstance(name, dict) and len(name) == 1:
        name = next(iter(name))  # with parameters
    return family, name if isinstance(name, str) else ""
