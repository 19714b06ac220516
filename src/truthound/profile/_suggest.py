"""Validators that the data at hand passes, made from its profile."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from truthound.profile._compute import profile as profile_of
from truthound.profile._model import ColumnProfile, Profile

CATEGORIES = 20  # different texts up to which a column is one of categories
ENOUGH = 20  # values from which on a column says something about those to come
Suggestion = dict[str, dict[str, Any]]


def suggest(data: Any, **read_options: Any) -> list[Suggestion]:
    """Return validators that the data passes, as a start for a configuration.

    Args:
        data: a :class:`Profile`, or whatever ``truthound.check`` takes.
        read_options: how data is read; see ``truthound.check``.

    Raises:
        DataError: the data cannot be read.

    Example:
        >>> from truthound.profile import suggest
        >>> suggest({"id": [3, 1, 2]})[:2]
        [{'row_count': {'min': 1}}, {'type': {'column': 'id', 'type': 'integer'}}]
    """
    if not isinstance(data, Profile):
        data = profile_of(data, top=CATEGORIES, **read_options)
    suggestions: list[Suggestion] = []
    if data.row_count:
        suggestions.append({"row_count": {"min": max(1, data.row_count // 2)}})
    for column in data.columns:
        suggestions += _of_column(column)
    return suggestions


def _of_column(column: ColumnProfile) -> list[Suggestion]:
    name = {"column": column.name}
    found: list[Suggestion] = []
    if column.kind in {"other", "null"} or not column.values:
        return found
    kind = "string" if column.kind == "categorical" else column.kind
    if column.kind not in {"nested", "binary", "categorical"}:
        found.append({"type": {**name, "type": kind}})
    if not column.nulls:
        found.append({"not_null": name})
    elif column.nulls < column.rows / 2:
        mostly = math.floor((1 - column.nulls / column.rows) * 100) / 100
        found.append({"not_null": {**name, "mostly": mostly}})
    if column.distinct == column.values >= ENOUGH and column.kind in {
        "integer",
        "string",
    }:
        found.append({"unique": name})
    found += _of_values(column, name)
    return found


def _of_values(column: ColumnProfile, name: dict[str, Any]) -> list[Suggestion]:
    if column.min is not None and not column.nans and _bounded(column.min, column.max):
        return [{"range": {**name, **_outwards(column.min, column.max)}}]
    few = column.distinct is not None and column.distinct <= min(
        CATEGORIES, column.values / ENOUGH
    )
    if column.kind == "string" and few and len(column.top) == column.distinct:
        values = sorted(value for value, _ in column.top)
        return [{"in_set": {**name, "values": values}}]
    if column.kind == "string" and column.longest is not None:
        length = {"min": column.shortest, "max": column.longest}
        if column.shortest == column.longest:
            length = {"equals": column.longest}
        return [{"length": {**name, **length}}]
    return []


def _bounded(low: Any, high: Any) -> bool:
    if isinstance(low, (int, float)):
        return math.isfinite(low) and math.isfinite(high)
    return isinstance(low, date)


def _outwards(low: Any, high: Any) -> dict[str, Any]:
    """Round bounds away from each other, to two digits of their span."""
    if isinstance(low, (datetime, date)):
        return {"min": low.isoformat(), "max": high.isoformat()}
    span = high - low or abs(high) or 1
    step = 10.0 ** (math.floor(math.log10(span)) - 1)
    whole = isinstance(low, int) and isinstance(high, int)
    down, up = math.floor(low / step) * step, math.ceil(high / step) * step
    if whole:
        return {"min": min(low, math.floor(down)), "max": max(high, math.ceil(up))}
    digits = max(0, 1 - math.floor(math.log10(span)))
    # Rounding to print may come out inside again.
    return {"min": min(low, round(down, digits)), "max": max(high, round(up, digits))}


def to_yaml(
    suggestions: Sequence[Suggestion], data_source: str, name: str | None = None
) -> str:
    """Return suggestions as the text of a ``truthound.yaml``.

    Args:
        suggestions: what ``suggest`` returned.
        data_source: where the data lies.
        name: of the checkpoint; by default the name of the file.
    """
    name = name or Path(data_source).name.partition(".")[0] or "data"
    lines = [
        "# Suggested from the data at hand, which passes all of it. Take away what",
        "# need not hold tomorrow.",
        "checkpoints:",
        f"  - name: {_scalar(name)}",
        f"    data_source: {_scalar(data_source)}",
        "    validators:" if suggestions else "    validators: []",
    ]
    for suggestion in suggestions:
        ((rule, options),) = suggestion.items()
        drawn = ", ".join(f"{key}: {_scalar(value)}" for key, value in options.items())
        lines.append(f"      - {rule}: {{{drawn}}}")
    return "\n".join(lines) + "\n"


def _scalar(value: Any) -> str:
    # JSON is YAML, but for the characters that YAML wants escaped and JSON not, and
    # for escapes in two halves of those beyond U+FFFF.
    if isinstance(value, list):
        return f"[{', '.join(map(_scalar, value))}]"
    if isinstance(value, str):
        quoted = json.dumps(value, ensure_ascii=False)
        return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in quoted)
    return json.dumps(value)
