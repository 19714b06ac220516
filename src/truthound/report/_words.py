"""Values and counts as text, safe to be shown anywhere."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from typing import Any

from truthound._words import of_rows, plural, rows_fail, without_count
from truthound.report._item import Item
from truthound.validators import CheckResult, GroupResult

LONGEST = 60  # characters of a value that are shown
# Marks that turn the direction of the text around them.
_BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def shown(value: Any, longest: int = LONGEST) -> str:
    r"""Return a value as one short line without control characters.

    What a terminal would obey or not show (escapes, line ends, marks of direction, lone
    surrogates) becomes visible: ``\x1b``, ``\n``, ``\u202e``.
    """
    if value is None:
        return "null"
    if isinstance(value, float):
        text = f"{value:.6g}" if value == value else "NaN"
    elif isinstance(value, (date, datetime, time)):
        text = value.isoformat()
    else:
        text = str(value)
    if len(text) > longest:
        text = f"{text[: longest - 1]}…"
    return safe(text)


def are_numbers(values: Iterable[Any]) -> bool:
    """Return whether nothing but numbers and missing values is among some."""
    return all(value is None or isinstance(value, (int, float)) for value in values)


def safe(text: str) -> str:
    """Return a text in which nothing acts: each such character is shown as its code."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character == "\n":
        return "\\n"
    kind = unicodedata.category(character)
    if character in _BIDI or kind in {"Cc", "Cs", "Co", "Cn"}:
        code = ord(character)
        return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    if kind in {"Zl", "Zp"}:
        return " "
    return character


def share_of(check: CheckResult) -> str:
    """Return the share of failing rows: ``2.45 %``, ``< 0.01 %``."""
    if not check.failed:
        return ""
    percent = check.share * 100
    return "< 0.01 %" if percent < 0.01 else f"{percent:.2f} %"


def count_of(check: CheckResult) -> str:
    """Return how many rows fail: ``2 of 82 rows, 2.44 %``; nothing if none do."""
    if not check.failed:
        return ""
    return f"{of_rows(check.failed, check.checked)}, {share_of(check)}"


def found(check: CheckResult) -> str:
    """Say what was expected and found, without the count of rows."""
    words = without_count(check.message, check.failed, check.checked)
    return safe(f"{words} where {check.where}" if check.where else words)


def told(check: CheckResult) -> str:
    """Say what was expected and found in one line, with the count of rows."""
    count = count_of(check)
    return f"{found(check)} ({count})" if count else found(check)


def group_name(group: GroupResult) -> str:
    """Return ``month = 1, carrier = UA``."""
    return ", ".join(f"{safe(k)} = {shown(v)}" for k, v in group.group.items())


def group_found(group: GroupResult) -> str:
    """Return what was found in a group, nothing if that is a count of rows."""
    count = rows_fail(group.failed, group.checked)
    return "" if group.observed == count else shown(group.observed)


def totals(items: Sequence[Item]) -> str:
    """Say in one line what all items found."""
    checks = sum(len(item.run.checks) for item in items if item.run)
    issues = sum(len(item.issues) for item in items)
    errors = sum(len(item.errors) for item in items)
    broken = sum(item.run is None for item in items)
    parts = [f"{checks - issues - errors:,} of {plural(checks, 'check')} passed"]
    if issues:
        parts.append(f"{issues:,} failed")
    if errors:
        parts.append(f"{errors:,} could not be evaluated")
    if broken:
        parts.append(f"{plural(broken, 'run')} could not be completed")
    return ", ".join(parts)


def facts(item: Item, *, counts: bool = True) -> str:
    """Say in one line what was checked, and how long it took.

    Args:
        item: the run.
        counts: say of how many rows and checks it is.
    """
    parts = []
    if item.source and item.source != item.title:
        parts.append(safe(item.source))
    if counts and item.run is not None and item.run.row_count is not None:
        parts.append(plural(item.run.row_count, "row"))
        parts.append(plural(len(item.run.checks), "check"))
    parts.append(
        f"{item.duration_ms:,.0f} ms"
        if item.duration_ms < 10_000
        else f"{item.duration_ms / 1000:,.1f} s"
    )
    return " · ".join(parts)
