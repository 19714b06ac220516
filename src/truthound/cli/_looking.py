"""What the commands that look back share: the store, moments, signs and tables."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from truthound._clock import SYSTEM_CLOCK
from truthound.cli import _store
from truthound.cli._boundary import is_terminal, printable, stderr
from truthound.errors import ConfigurationError

if TYPE_CHECKING:
    from truthound.store import RunRecord, Store

SIGNS = {"success": "✔", "warning": "!", "failure": "✘", "error": "✘"}
STYLES = {"success": "green", "warning": "yellow", "failure": "red", "error": "red"}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(m|h|d|w)")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SHORT = re.compile(r".*_([0-9a-f]{8})")


def store_that_is(given: str | None, config: str | None) -> Store | None:
    """Return the store that is meant; None: nothing is recorded yet, which is said.

    Args:
        given: by ``--store``.
        config: the configuration, if one was named.

    Raises:
        StoreError: its file is gone, but not what lies beside it.
        ConfigurationError: it is no place where a store can be.
    """
    found = _store.store_for(given, config)
    if found.path is None or found.path.exists():
        return found
    from truthound.store._opening import mark_of

    if mark_of(found.path).exists():
        return found  # opening it says what is wrong
    stderr(f"truthound: nothing is recorded yet in {found.place}")
    return None


def span_of(text: str) -> timedelta:
    """Return the span that ``90d`` or ``12h`` means.

    Raises:
        ConfigurationError: it is none.
    """
    parts = _SPAN.fullmatch(text.strip())
    if parts is None:
        raise ConfigurationError(
            f"a span of time is like 30m, 12h, 7d or 2w, not {text!r}"
        )
    try:
        return timedelta(**{_UNITS[parts[2]]: float(parts[1])})
    except OverflowError:
        raise ConfigurationError(f"{text} is longer than time itself") from None


def moment_in(text: str) -> datetime:
    """Return the moment that is ``2h`` from now, in UTC.

    Raises:
        ConfigurationError: it is none.
    """
    try:
        return SYSTEM_CLOCK.now() + span_of(text)
    except OverflowError:
        raise ConfigurationError(f"{text} from now is after the last year") from None


def moment_of(text: str) -> datetime:
    """Return the moment that ``7d`` (ago) or ``2026-11-01`` means, aware, in UTC.

    A date or time without a zone is one of this machine's.

    Raises:
        ConfigurationError: it is none.
    """
    if _SPAN.fullmatch(text.strip()):
        try:
            return SYSTEM_CLOCK.now() - span_of(text)
        except OverflowError:
            pass
    return day_or_moment(text)


def day_or_moment(text: str) -> datetime:
    """Return the moment that ``2026-11-01`` or ``2026-11-01T08:00`` means, in UTC.

    Raises:
        ConfigurationError: it is none.
    """
    try:
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"a moment is like 7d, 12h, 2026-11-01 or 2026-11-01T08:00, not {text!r}"
        ) from None


def when(moment: datetime | None) -> str:
    """Return a moment in this machine's time; a dash for none."""
    return "–" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def short_ids(ids: Sequence[str]) -> dict[str, str]:
    """Return for each id what stands behind its last ``_``, if that is unique here."""
    ends = [parts[1] if (parts := _SHORT.fullmatch(i)) else i for i in ids]
    return {
        run_id: end if ends.count(end) == 1 else run_id
        for run_id, end in zip(ids, ends, strict=True)
    }


def status_of(run: RunRecord) -> str:
    """Return the status of a run, else where it is."""
    is_told = run.state.is_end and str(run.state) != "missed"
    return run.status if run.status and is_told else str(run.state)


def summary_of(run: RunRecord) -> str:
    """Return what a run has to say, without what stands beside it anyway."""
    _, is_failing, failing = run.summary.rpartition("; not: ")
    if is_failing and not run.error:
        return failing
    if run.error:
        return run.error
    counted = re.search(r"\d[\d,]* of [\d,]+ checks? passed", run.summary)
    return counted[0] if counted else ""


def table(head: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]) -> str:
    """Return a table as text, as wide as the terminal at the most.

    Args:
        head: the names of the columns, each with ``left``, ``right`` or ``rest``: the
            one that is cut where there is no space.
        rows: cells: texts, or pairs of a text and a style.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
        pad_edge=False,
        header_style="dim",
    )
    for name, kind in head:
        drawn.add_column(
            name,
            justify="right" if kind == "right" else "left",
            # Columns that wrap are narrowed first. This one is, and its cells are cut.
            no_wrap=kind != "rest",
            overflow="ellipsis",
            min_width=None
            if kind == "rest"
            else max(len(name), _widest(rows, head, name)),
        )
    for row in rows:
        cells = ((c, "") if isinstance(c, str) else c for c in row)
        drawn.add_row(
            *(Text(_line(text), style=style, no_wrap=True) for text, style in cells)
        )
    return rendered(drawn)


def _widest(rows: Sequence[Sequence[Any]], head: Sequence[Any], name: str) -> int:
    place = [column for column, _ in head].index(name)
    cells = (row[place] for row in rows)
    widest = max((len(c if isinstance(c, str) else c[0]) for c in cells), default=0)
    return min(widest, 24)


def _line(text: str) -> str:
    return printable(" ".join(text.split()))


def rendered(*parts: Any) -> str:
    """Return what rich draws of some things, fit for standard output."""
    import io
    import os
    import shutil

    from rich.console import Console

    color = is_terminal(sys.stdout) and not os.environ.get("NO_COLOR")
    console = Console(
        file=io.StringIO(),
        width=max(40, shutil.get_terminal_size((80, 24)).columns),
        force_terminal=bool(color),
        color_system="standard" if color else None,
        highlight=False,
        legacy_windows=False,
    )
    for part in parts:
        console.print(part)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in text.splitlines())


def plain(record: Any) -> dict[str, Any]:
    """Return a record as JSON has it."""
    from dataclasses import asdict

    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(record).items()
    }
