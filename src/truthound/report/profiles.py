"""Profiles as text: for the terminal, as JSON, as Markdown, as a page."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from truthound._words import plural
from truthound.errors import UnknownNameError
from truthound.profile import ColumnProfile, Profile
from truthound.report._words import safe, shown

FORMATS = ("table", "json", "markdown", "html")
_BLOCKS = " ▁▂▃▄▅▆▇█"


def render_profile(
    profile: Profile, format: str = "table", *, color: bool = False, width: int = 80
) -> str:
    """Return a profile in a format.

    Args:
        profile: what ``truthound.profile.profile`` returned.
        format: table, json, markdown or html.
        color: for a table: with ANSI colours.
        width: for a table: columns of the terminal.

    Raises:
        UnknownNameError: there is no such format.
    """
    if format == "json":
        return json.dumps(profile.to_dict(), indent=2, ensure_ascii=False) + "\n"
    if format == "markdown":
        return _markdown(profile)
    if format == "html":
        from truthound.report.html import profile_page

        return profile_page(profile)
    if format != "table":
        raise UnknownNameError("format", format, FORMATS)
    return _table(profile, color, width)


def bars(counts: Sequence[int]) -> str:
    """Return a histogram as one line of block characters."""
    most = max(counts, default=0)
    if not most:
        return ""
    # The least bin that is not empty still shows.
    return "".join(
        _BLOCKS[0 if not n else max(1, round(n / most * (len(_BLOCKS) - 1)))]
        for n in counts
    )


def _table(profile: Profile, color: bool, width: int) -> str:
    buffer = io.StringIO()
    console = Console(
        file=buffer,
        width=max(width, 40),
        force_terminal=color,
        color_system="standard" if color else None,
        highlight=False,
        legacy_windows=False,
    )
    head = f"{safe(profile.source)}: {plural(profile.row_count, 'row')}, "
    console.print(Text(head + plural(len(profile.columns), "column"), "bold"))
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for title, justify in (
        ("column", "left"),
        ("type", "left"),
        ("null", "right"),
        ("distinct", "right"),
        ("values", "left"),
    ):
        table.add_column(title, justify=justify)  # type: ignore[arg-type] # Literal
    for column in profile.columns:
        table.add_row(
            Text(safe(column.name), "bold"),
            Text(column.dtype, "dim"),
            Text(_share(column), "yellow" if column.nulls else "dim"),
            "" if column.distinct is None else f"{column.distinct:,}",
            Text("\n".join(_lines(column))),
        )
    console.print(table)
    for warning in profile.warnings:
        console.print(Text(f"note: {safe(warning)}", "yellow"))
    lines = (line.rstrip() for line in buffer.getvalue().splitlines())
    return "\n".join(lines) + "\n"


def _lines(column: ColumnProfile) -> list[str]:
    lines = []
    if column.histogram is not None:
        lines.append(bars(column.histogram.counts))
    if column.min is not None:
        lines.append(f"{shown(column.min)} to {shown(column.max)}")
    if column.mean is not None:
        spread = "" if column.std is None else f", std {shown(column.std)}"
        lines.append(f"mean {shown(column.mean)}{spread}")
    if column.quantiles:
        lines.append(f"quartiles {' | '.join(map(shown, column.quantiles.values()))}")
    if column.nans:
        lines.append(f"{column.nans:,} NaN")
    if column.top and column.top[0][1] > 1:
        tops = (f"{shown(value, 24)} {count:,}" for value, count in column.top)
        lines.append(" · ".join(tops))
    if column.longest is not None:
        least = "" if column.shortest == column.longest else f"{column.shortest} to "
        lines.append(f"{least}{plural(column.longest, 'character')}")
    return lines


def _share(column: ColumnProfile) -> str:
    if not column.nulls or not column.rows:
        return "-"
    return f"{column.nulls / column.rows:.1%}"


def _markdown(profile: Profile) -> str:
    from truthound.report.markdown import escaped

    lines = [
        f"## {escaped(profile.source)}",
        "",
        f"{plural(profile.row_count, 'row')}, {plural(len(profile.columns), 'column')}",
        "",
        "| column | type | null | distinct | values |",
        "| --- | --- | --- | --- | --- |",
    ]
    for column in profile.columns:
        cells = (
            column.name,
            column.dtype,
            _share(column),
            "" if column.distinct is None else f"{column.distinct:,}",
            "; ".join(_lines(column)),
        )
        lines.append(f"| {' | '.join(escaped(cell) or ' ' for cell in cells)} |")
    return "\n".join(lines) + "\n"
