"""A report for the terminal."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from truthound._words import of_rows, plural
from truthound.report._item import Item
from truthound.report._words import (
    are_numbers,
    count_of,
    facts,
    found,
    group_found,
    group_name,
    safe,
    shown,
    totals,
)
from truthound.validators import CheckResult

_STYLES = {
    "success": "bold green",
    "warning": "bold yellow",
    "failure": "bold red",
    "error": "bold magenta",
    "critical": "bold red",
    "high": "red",
    "medium": "yellow",
    "low": "cyan",
}
_MARKS = {"success": "✔", "warning": "!", "failure": "✘", "error": "?"}
GROUPS = 5  # failing groups that are listed


def render_table(
    items: Sequence[Item],
    *,
    color: bool = False,
    width: int = 80,
    verbose: bool = False,
) -> str:
    """Return a report as text for a terminal.

    Args:
        items: the runs.
        color: with ANSI colours; never if ``NO_COLOR`` is set.
        width: columns of the terminal.
        verbose: list the checks that passed, too.
    """
    buffer = io.StringIO()
    console = Console(
        file=buffer,
        width=max(width, 40),
        force_terminal=color,
        color_system="standard" if color else None,
        highlight=False,
        legacy_windows=False,
    )
    for number, item in enumerate(items):
        if number:
            console.print()
        _item(console, item, verbose)
    if len(items) > 1:
        console.print()
        console.print(Text(f"{plural(len(items), 'run')}: {totals(items)}", "bold"))
    lines = (line.rstrip() for line in buffer.getvalue().splitlines())
    return "\n".join(lines) + "\n"


def _item(console: Console, item: Item, verbose: bool) -> None:
    style = _STYLES.get(item.status, "bold")
    head = Text.assemble(
        (f"{_MARKS.get(item.status, '·')} {safe(item.title)}", style),
        (f"  {item.status}", style),
    )
    console.print(head)
    console.print(Text(f"  {facts(item)}", "dim"))
    if item.run is None:
        console.print(Padding(Text(safe(item.error or "no result")), (0, 0, 0, 2)))
        return
    for check in item.issues:
        _failure(console, check)
    if item.issues and (item.errors or item.notes or item.passed):
        console.print()
    for check in item.errors:
        _line(console, check, "error", f"could not be evaluated: {check.error}")
    for note in item.notes:
        console.print(Padding(Text(f"note: {safe(note)}", "yellow"), (0, 0, 0, 2)))
    passed = item.passed
    if verbose:
        for check in passed:
            _line(console, check, "success", check.message)
    elif passed:
        console.print(Text(f"  ✔ {plural(len(passed), 'check')} passed", "green"))


def _line(console: Console, check: CheckResult, kind: str, words: str) -> None:
    text = Text.assemble(
        (f"{_MARKS[kind]} ", _STYLES[kind]),
        (safe(check.name), "bold"),
        f"  {safe(words)}",
    )
    console.print(Padding(text, (0, 0, 0, 2)))


def _failure(console: Console, check: CheckResult) -> None:
    severity = str(check.severity)
    head = Text.assemble(
        ("✘ ", _STYLES[severity]),
        (safe(check.name), "bold"),
        "  ",
        (severity, _STYLES[severity]),
    )
    if count := count_of(check):
        head.append(f"  {count}")
    console.print()
    console.print(Padding(head, (0, 0, 0, 2)))
    console.print(Padding(Text(found(check)), (0, 0, 0, 4)))
    bad = [group for group in check.groups if not group.passed]
    for group in bad[:GROUPS]:
        count = of_rows(group.failed, group.checked) if group.failed else ""
        seen = ", ".join(part for part in (count, group_found(group)) if part)
        text = f"{group_name(group)}: {seen}"
        console.print(Padding(Text(text, "dim"), (0, 0, 0, 6)))
    if len(bad) > GROUPS:
        more = f"and {plural(len(bad) - GROUPS, 'group')} more"
        console.print(Padding(Text(more, "dim"), (0, 0, 0, 6)))
    if check.examples:
        console.print(Padding(_examples(check.examples), (0, 0, 0, 4)))


def _examples(rows: Sequence[Any]) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim"
    )
    for name in rows[0]:
        # Rich would cut a long name anywhere; the values matter more.
        table.add_column(
            Text(safe(str(name))),
            justify="right" if are_numbers(row[name] for row in rows) else "left",
            overflow="ellipsis",
            no_wrap=True,
        )
    for row in rows:
        table.add_row(*(Text(shown(value, 40)) for value in row.values()))
    return table
