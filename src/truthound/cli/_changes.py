"""Two runs side by side, and one check over time, for the terminal."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from truthound.cli import _looking
from truthound.cli._boundary import printable

if TYPE_CHECKING:
    from truthound.checkpoint.history import Point, RunDiff, Trend

BLOCKS, PLAIN = "▁▂▃▄▅▆▇█", "_.-~=+*#"


def as_text(differs: RunDiff) -> str:
    """Return what differs between two runs as lines."""
    from rich.text import Text

    ids = _looking.short_ids([differs.before, differs.after])
    head = Text()
    for number, run_id in enumerate((differs.before, differs.after)):
        status = differs.statuses[number]
        head.append(" → " if number else "")
        head.append(f"{printable(ids[run_id])} ")
        head.append(status, _looking.STYLES.get(status, "cyan"))
    parts: list[Any] = [head]
    if differs.sources[0] != differs.sources[1]:
        parts.append(Text(f"  {printable(' → '.join(differs.sources))}", "dim"))
    for sign, style, what, names in (
        ("✘", "red", "began to fail", differs.began),
        ("✔", "green", "holds again", differs.ended),
        ("✘", "yellow", "still fails", differs.still),
        ("+", "cyan", "is new", differs.appeared),
        ("-", "cyan", "is gone", differs.vanished),
    ):
        parts += [Text(f"  {sign} {printable(name)}  {what}", style) for name in names]
    parts += [
        Text(f"  {printable(_name(m.what, m.number))}: {_told(m.before, m.after)}")
        for m in differs.moved
    ]
    if len(parts) == 1:
        parts.append(Text("  nothing differs", "dim"))
    return _looking.rendered(*parts)


def _name(what: str, number: str) -> str:
    return what if what == number else f"{what} {number}"


def _told(before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return f"{number(before)} → {number(after)}"
    change = after - before
    share = f", {change / abs(before):+.1%}" if before else ""
    sign = "+" if change > 0 else ""
    return f"{number(before)} → {number(after)} ({sign}{number(change)}{share})"


def number(value: float | None) -> str:
    """Return a number for people: ``1,234``, ``0.0123``; a dash for none."""
    if value is None:
        return "–"
    if isinstance(value, int) or value.is_integer():
        return f"{value:,.0f}" if abs(value) < 1e15 else f"{value:.6g}"
    return f"{value:,.2f}" if abs(value) >= 100 else f"{value:.4g}"


def drawn(trend: Trend) -> str:
    """Return a check over time as a line of blocks, with what is to be read from it."""
    from rich.text import Text

    points, values = list(trend.points), trend.values
    width = max(10, _width() - 2)
    shown = points[-width:]
    title = Text.assemble(
        (printable(trend.check), "bold"), f"  {printable(trend.checkpoint)}"
    )
    line, marks = Text("  "), Text("  ")
    for point, block in zip(shown, sparkline([p.value for p in shown]), strict=True):
        style = _style(point)
        line.append(block, style)
        marks.append(_mark() if style else " ", style)
    parts: list[Any] = [title, line]
    if marks.plain.strip():
        parts.append(marks)
    first, last = (_looking.when(p.at)[:16] for p in (shown[0], shown[-1]))
    space = max(2, len(shown) - len(first) - len(last))
    parts.append(Text(f"  {first}{' ' * space}{last}", "dim"))
    if values:
        parts.append(
            Text(
                f"  min {number(min(values))}, median "
                f"{number(statistics.median(values))}, max {number(max(values))}, "
                f"last {number(points[-1].value)}"
            )
        )
    bad = sum(bool(_style(point)) for point in points)
    parts.append(Text(f"  {len(points)} runs, {bad} of them not passed", "dim"))
    return _looking.rendered(*parts)


def sparkline(values: Sequence[float | None]) -> str:
    """Return a block for each value, from the least to the greatest; a space for none.

    Where the encoding of standard output has no blocks, they are signs of ASCII.
    """
    blocks = BLOCKS if _can(BLOCKS) else PLAIN
    known = [value for value in values if value is not None]
    least = min(known, default=0)
    span = max(known, default=0) - least
    return "".join(
        " "
        if value is None
        else blocks[round((value - least) / span * (len(blocks) - 1)) if span else 3]
        for value in values
    )


def _style(point: Point) -> str:
    """Return the colour of a run that has not passed."""
    if point.status in ("passed", "success"):
        return ""
    return "yellow" if point.status == "warning" else "red"


def _mark() -> str:
    return "✘" if _can("✘") else "x"


def _can(text: str) -> bool:
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeError, LookupError):
        return False
    return True


def _width() -> int:
    import shutil

    return shutil.get_terminal_size((80, 24)).columns
