"""Counts in words."""

from __future__ import annotations


def plural(number: int, noun: str) -> str:
    """Return ``1 check`` or ``1,234 checks``."""
    return f"{number:,} {numbered(number, noun)}"


def numbered(number: float | None, noun: str) -> str:
    """Return a noun as it stands after a number: ``check``, or ``checks``."""
    if number == 1:
        return noun
    return f"{noun[:-1]}ies" if noun.endswith("ory") else f"{noun}s"


def rows_fail(failed: int, checked: int) -> str:
    """Return ``2 of 1,234 rows fail``."""
    return f"{of_rows(failed, checked)} {'fails' if failed == 1 else 'fail'}"


def of_rows(failed: int, checked: int) -> str:
    """Return ``2 of 1,234 rows``."""
    return f"{failed:,} of {plural(checked, 'row')}"


def without_count(message: str, failed: int, checked: int) -> str:
    """Return what a check has to say, where the count stands beside it anyway."""
    return message.removesuffix(f"; {rows_fail(failed, checked)}")
