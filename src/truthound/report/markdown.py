"""A report as Markdown, for a pull request or a wiki."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from truthound._words import plural
from truthound.report._item import Item
from truthound.report._words import facts, found, safe, share_of, shown, totals

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~<>&@:-])")


def render_markdown(items: Sequence[Item]) -> str:
    """Return a heading a run, and tables of what it found."""
    lines: list[str] = []
    for item in items:
        lines += [f"## {escaped(item.title)}: {item.status}", ""]
        lines += [escaped(facts(item)), ""]
        if item.run is None:
            lines += [escaped(item.error or "no result"), ""]
            continue
        if item.issues:
            lines += _table(
                ("check", "severity", "failed", "share", "what was found"),
                (
                    (
                        check.name,
                        str(check.severity),
                        f"{check.failed:,}" if check.failed else "",
                        share_of(check),
                        found(check),
                    )
                    for check in item.issues
                ),
            )
        for check in item.issues:
            if check.examples:
                lines += [f"Rows that fail {escaped(check.name)}:", ""]
                lines += _table(
                    [str(name) for name in check.examples[0]],
                    ([shown(v) for v in row.values()] for row in check.examples),
                )
        if item.errors:
            lines += _table(
                ("check", "could not be evaluated"),
                ((check.name, check.error or "") for check in item.errors),
            )
        lines += [f"- note: {escaped(note)}" for note in item.notes]
        lines += [f"- {plural(len(item.passed), 'check')} passed", ""]
    if len(items) > 1:
        lines.append(f"{plural(len(items), 'run')}: {totals(items)}")
    return "\n".join(lines).rstrip("\n") + "\n"


def escaped(text: str) -> str:
    """Return a text on one line in which no character means anything to Markdown."""
    marked = _SPECIAL.sub(r"\\\1", safe(text))
    return marked.replace("\\<", "&lt;").replace("\\&", "&amp;")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [_row(head), _row(["---"] * len(head), plain=True)]
    return [*lines, *(_row(row) for row in rows), ""]


def _row(cells: Sequence[str], plain: bool = False) -> str:
    drawn = cells if plain else [escaped(cell) or " " for cell in cells]
    return f"| {' | '.join(drawn)} |"
