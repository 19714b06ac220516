"""A report as workflow commands of GitHub Actions: one annotation a finding."""

from __future__ import annotations

from collections.abc import Sequence

from truthound.report._item import Item
from truthound.report._words import safe, told, totals

_LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "notice"}


def render_github(items: Sequence[Item]) -> str:
    """Return ``::error``, ``::warning`` and ``::notice`` lines, and the totals."""
    lines = []
    for item in items:
        if item.run is None:
            lines.append(_command("error", item.title, item.error or "no result"))
        for check in item.errors:
            title = f"{item.title}: {check.name}"
            lines.append(_command("error", title, check.error or ""))
        for check in item.issues:
            title = f"{item.title}: {check.name} ({check.severity})"
            level = _LEVELS[str(check.severity)]
            lines.append(_command(level, title, told(check)))
    return "".join(f"{line}\n" for line in [*lines, totals(items)])


def _command(level: str, title: str, message: str) -> str:
    return f"::{level} title={_property(safe(title))}::{_data(safe(message))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
