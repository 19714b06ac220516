"""A report as one page that opens from disk: no script, no network.

The content security policy allows the page's own style sheet and nothing else, so that
even a fault in the escaping could not act.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from html import escape as _escape
from importlib.resources import files
from typing import Any

from truthound._version import __version__
from truthound._words import numbered, plural
from truthound.profile import ColumnProfile, Profile
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
)
from truthound.validators import CheckResult, GroupResult

# The least and the largest value that a check lets through.
Limits = tuple[float | None, float | None]
SEVERITIES = ("critical", "high", "medium", "low")
GROUPS = 20  # failing groups that are listed
_STYLE = files("truthound.report").joinpath("style.css").read_text("utf-8")


def render_html(
    items: Sequence[Item], *, profiles: Mapping[str, Profile] | None = None
) -> str:
    """Return a page: totals, then each run with its failing checks first.

    Args:
        items: the runs.
        profiles: of the data, by the source's name; drawn as a small picture for each
            column of numbers or times.
    """
    worst = next(
        (
            status
            for status in ("error", "failure", "warning")
            if any(item.status == status for item in items)
        ),
        "success",
    )
    title = items[0].title if len(items) == 1 else plural(len(items), "run")
    body = [
        f"<header>{_heading(1, title, worst)}</header>",
        _summary(items),
    ]
    for item in items:
        # What one run has in its heading and in the summary is not said again.
        known = "" if len(items) == 1 else _heading(2, item.title, item.status)
        body.append(_item(item, known, (profiles or {}).get(item.source)))
    return page(title, body)


def profile_page(profile: Profile) -> str:
    """Return a page about the columns of one source."""
    head = (
        f"<header><h1>{text(profile.source)}</h1><p class=soft>"
        f"{plural(profile.row_count, 'row')}, "
        f"{plural(len(profile.columns), 'column')}</p></header>"
    )
    rows = [
        (
            column.name,
            column.dtype,
            f"{column.nulls:,}",
            "" if column.distinct is None else f"{column.distinct:,}",
            "" if column.min is None else f"{shown(column.min)} to {shown(column.max)}",
            " · ".join(f"{shown(value, 24)} {count:,}" for value, count in column.top),
        )
        for column in profile.columns
    ]
    heads = ("column", "type", "null", "distinct", "values", "most frequent")
    return page(profile.source, [head, _table(heads, rows), _pictures(profile)])


def page(title: str, body: Iterable[str], style: str = "") -> str:
    """Return a whole page around its body.

    Args:
        title: of the page, as text.
        body: its parts, as markup.
        style: rules beside those of all pages.
    """
    style = _STYLE + style
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'"
    return (
        "<!doctype html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{text(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + f"\n<footer>truthound {__version__}</footer>\n</body>\n</html>\n"
    )


def text(value: Any) -> str:
    """Return a value as text in which nothing is markup."""
    return _escape(safe(str(value)), quote=True)


def _heading(level: int, title: str, status: str) -> str:
    return (
        f'<h{level}>{text(title)} <span class="status {status}">{status}</span>'
        f"</h{level}>"
    )


def _summary(items: Sequence[Item]) -> str:
    checks = sum(len(item.run.checks) for item in items if item.run)
    passed = sum(len(item.passed) for item in items)
    issues = [issue for item in items for issue in item.issues]
    errors = sum(len(item.errors) for item in items)
    broken = sum(item.run is None for item in items)
    rows = sum(item.run.row_count or 0 for item in items if item.run)
    by_severity = Counter(str(issue.severity) for issue in issues)
    counts = [
        (numbered(rows, "row"), rows, ""),
        (numbered(checks, "check"), checks, ""),
        ("passed", passed, "success"),
    ]
    faults = [
        *((severity, by_severity[severity], severity) for severity in SEVERITIES),
        ("not evaluated", errors, "error"),
        ("not completed", broken, "error"),
    ]
    drawn = (
        f'<div class="{kind}"><b>{count:,}</b>{name}</div>'
        for name, count, kind in (*counts, *(fault for fault in faults if fault[1]))
    )
    return f'<div class="summary">{"".join(drawn)}</div>'


def _item(item: Item, heading: str, profile: Profile | None) -> str:
    parts = [f"{heading}<p class=soft>{text(facts(item, counts=bool(heading)))}"]
    if item.run is not None:
        when = item.run.run_time.strftime("%Y-%m-%d %H:%M:%S UTC")
        parts.append(f" · {when} · {text(item.run.run_id)}")
    parts.append("</p>")
    if item.run is None:
        error = text(item.error or "")
        parts.append(f'<article class="error"><p>{error}</p></article>')
    parts += [_failure(check) for check in item.issues]
    parts += [_error(check) for check in item.errors]
    if item.notes:
        notes = "".join(f"<li>{text(note)}</li>" for note in item.notes)
        parts.append(f"<p>Notes</p><ul>{notes}</ul>")
    if item.passed:
        rows = [
            (c.name, found(c), f"{c.failed:,} of {c.checked:,}" if c.checked else "")
            for c in item.passed
        ]
        table = _table(("check", "what was found", "rows that fail"), rows, words=True)
        count = plural(len(item.passed), "check")
        parts.append(f"<details><summary>{count} passed</summary>{table}</details>")
    if profile is not None:
        parts.append(_pictures(profile, item.issues))
    return f"<section>{''.join(parts)}</section>"


def _failure(check: CheckResult) -> str:
    severity = str(check.severity)
    parts = [
        f'<header><h3>{text(check.name)}</h3><span class="badge {severity}">{severity}'
        f"</span><span>{count_of(check)}</span></header><p>{text(found(check))}</p>"
    ]
    if bad := [group for group in check.groups if not group.passed]:
        parts.append(_groups(bad))
    if check.examples:
        heads = [str(name) for name in check.examples[0]]
        cells = [[shown(v) for v in row.values()] for row in check.examples]
        numbers = {
            place
            for place, name in enumerate(check.examples[0])
            if are_numbers(row[name] for row in check.examples)
        }
        some = "" if len(check.examples) == check.failed else "Some of the "
        caption = f"{some}rows that fail".capitalize()
        parts.append(_table(heads, cells, caption, numbers=numbers))
    return f'<article class="{severity}">{"".join(parts)}</article>'


def _groups(bad: Sequence[GroupResult]) -> str:
    columns = {
        "group": [group_name(group) for group in bad[:GROUPS]],
        "rows": [
            f"{group.failed:,} of {group.checked:,}" if group.failed else ""
            for group in bad[:GROUPS]
        ],
        "observed": [group_found(group) for group in bad[:GROUPS]],
    }
    told = {name: cells for name, cells in columns.items() if any(cells)}
    first = f", the first {GROUPS}" if len(bad) > GROUPS else ""
    rows = [*zip(*told.values(), strict=True)]
    return _table([*told], rows, f"Groups that fail{first}")


def _error(check: CheckResult) -> str:
    return (
        f'<article class="error"><header><h3>{text(check.name)}</h3>'
        f'<span class="badge error">not evaluated</span></header>'
        f"<p>{text(check.error or '')}</p></article>"
    )


def _table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    caption: str = "",
    words: bool = False,
    numbers: Container[int] = (),
) -> str:
    kinds = [
        ' class="number"' if n in numbers else ' class="words"' if words else ""
        for n in range(len(heads))
    ]
    head = "".join(
        f'<th scope="col"{kind}>{text(name)}</th>'
        for kind, name in zip(kinds, heads, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{kind}>{text(cell)}</td>"
            for kind, cell in zip(kinds, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    title = f"<caption>{text(caption)}</caption>" if caption else ""
    return (
        f'<div class="scroll"><table>{title}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _pictures(profile: Profile, issues: Sequence[CheckResult] = ()) -> str:
    limits: dict[str, Limits] = {}
    for issue in issues:
        low, high = issue.details.get("low"), issue.details.get("high")
        given = low is not None or high is not None
        if issue.column and given and are_numbers((low, high)):
            limits.setdefault(issue.column, (low, high))
    drawn = [
        _picture(column, limits.get(column.name, (None, None)))
        for column in profile.columns
        if column.histogram
    ]
    if not drawn:
        return ""
    return f'<p class="soft">Columns</p><div class="pictures">{"".join(drawn)}</div>'


def _picture(column: ColumnProfile, limits: Limits) -> str:
    """Draw a column's histogram, with its ends and its median in words.

    What lies outside the limits of a check that fails is shaded.
    """
    histogram = column.histogram
    assert histogram is not None  # asked by _pictures
    most = max(histogram.counts) or 1
    width = 100 / len(histogram.counts)
    bars = "".join(
        f'<rect x="{n * width:.2f}" y="{40 - height:.2f}" '
        f'width="{width * 0.9:.2f}" height="{height:.2f}"/>'
        for n, count in enumerate(histogram.counts)
        if (height := max(38 * count / most, 0.6 if count else 0))
    )
    shades = "".join(
        f'<rect class="out" x="{start:.2f}" y="0" width="{end - start:.2f}" '
        f'height="40"/>'
        for start, end in _outside(histogram.edges, limits)
    )
    median = column.quantiles.get(0.5)
    middle = "" if median is None else f", median {shown(median)}"
    beside = "; shaded: not allowed" if shades else ""
    words = f"{shown(column.min)} to {shown(column.max)}{middle}{beside}"
    name = text(column.name)
    return (
        f'<figure><svg viewBox="0 0 100 40" preserveAspectRatio="none" role="img" '
        f'aria-label="histogram of {name}">{shades}{bars}</svg>'
        f"<figcaption><b>{name}</b> {text(words)}</figcaption></figure>"
    )


def _outside(edges: Sequence[float], limits: Limits) -> Iterator[tuple[float, float]]:
    """Yield the parts of a picture, in per cent of its width, outside of limits."""
    least, most = edges[0], edges[-1]
    low, high = (least if limits[0] is None else limits[0]), limits[1]
    high = most if high is None else high
    if low > most or high < least:
        yield (0, 100)
        return
    if low > least:
        yield (0, (low - least) / (most - least) * 100)
    if high < most:
        yield ((high - least) / (most - least) * 100, 100)
