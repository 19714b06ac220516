"""A report as one page that opens from disk: no script, no network.

The content security policy allows the page's own style sheet and nothing else, so that
even a fault in the escaping could not act.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from html import escape as _escape
from importlib.resources import files
from typing import Any

from truthound._version import __version__
from truthound.profile import ColumnProfile, Profile
from truthound.report._item import Item
from truthound.report._words import facts, plural, safe, share_of, shown, totals
from truthound.validators import CheckResult

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
        f"<header><h1>{text(title)}</h1>"
        f'<p class="status {worst}">{worst}: {text(totals(items))}</p></header>',
        _summary(items),
        *(_item(item, (profiles or {}).get(item.source)) for item in items),
    ]
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


def page(title: str, body: Iterable[str]) -> str:
    """Return a whole page around its body."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'"
    return (
        "<!doctype html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + f"\n<footer>truthound {__version__}</footer>\n</body>\n</html>\n"
    )


def text(value: Any) -> str:
    """Return a value as text in which nothing is markup."""
    return _escape(safe(str(value)), quote=True)


def _summary(items: Sequence[Item]) -> str:
    checks = sum(len(item.run.checks) for item in items if item.run)
    issues = [issue for item in items for issue in item.issues]
    errors = sum(len(item.errors) or int(item.run is None) for item in items)
    rows = sum(item.run.row_count or 0 for item in items if item.run)
    boxes = [("rows", f"{rows:,}", ""), ("checks", f"{checks:,}", "")]
    for severity in ("critical", "high", "medium", "low"):
        count = sum(issue.severity == severity for issue in issues)
        if count:
            boxes.append((severity, f"{count:,}", severity))
    if errors:
        boxes.append(("not evaluated", f"{errors:,}", "error"))
    drawn = (f'<div class="{c}"><b>{n}</b>{name}</div>' for name, n, c in boxes)
    return f'<div class="summary">{"".join(drawn)}</div>'


def _item(item: Item, profile: Profile | None) -> str:
    parts = [
        f'<h2>{text(item.title)} <span class="status {item.status}">{item.status}'
        f"</span></h2><p class=soft>{text(facts(item))}"
    ]
    if item.run is not None:
        when = item.run.run_time.strftime("%Y-%m-%d %H:%M:%S UTC")
        parts.append(f" · {when} · {text(item.run.run_id)}")
    parts.append("</p>")
    if item.run is None:
        error = text(item.error or "")
        parts.append(f'<article class="error"><p>{error}</p></article>')
    parts += [_failure(check) for check in item.issues]
    parts += [_error(check) for check in item.errors]
    if item.warnings:
        notes = "".join(f"<li>{text(warning)}</li>" for warning in item.warnings)
        parts.append(f"<p>Notes</p><ul>{notes}</ul>")
    if item.passed:
        rows = [(c.name, c.message, f"{c.checked:,}") for c in item.passed]
        table = _table(("check", "what was found", "rows judged"), rows, words=True)
        count = plural(len(item.passed), "check")
        parts.append(f"<details><summary>{count} passed</summary>{table}</details>")
    if profile is not None:
        parts.append(_pictures(profile))
    return f"<section>{''.join(parts)}</section>"


def _failure(check: CheckResult) -> str:
    severity = str(check.severity)
    share = ""
    if check.failed:
        share = f"{check.failed:,} of {check.checked:,} rows, {share_of(check)}"
    where = f" where {text(check.where)}" if check.where else ""
    parts = [
        f'<header><h3>{text(check.name)}</h3><span class="badge {severity}">{severity}'
        f"</span><span>{share}</span></header><p>{text(check.message)}{where}</p>"
    ]
    bad = [group for group in check.groups if not group.passed]
    if bad:
        rows = [
            (
                ", ".join(f"{k} = {shown(v)}" for k, v in group.group.items()),
                f"{group.failed:,} of {group.checked:,}" if group.failed else "",
                shown(group.observed),
            )
            for group in bad[:GROUPS]
        ]
        caption = f"{plural(len(bad), 'group')} of {len(check.groups):,} fail"
        parts.append(_table(("group", "rows", "observed"), rows, caption))
    if check.examples:
        heads = [str(name) for name in check.examples[0]]
        cells = [[shown(v) for v in row.values()] for row in check.examples]
        parts.append(_table(heads, cells, "Some of the rows that fail"))
    return f'<article class="{severity}">{"".join(parts)}</article>'


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
) -> str:
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in heads)
    kind = ' class="words"' if words else ""
    body = "".join(
        f"<tr>{''.join(f'<td{kind}>{text(cell)}</td>' for cell in row)}</tr>"
        for row in rows
    )
    title = f"<caption>{text(caption)}</caption>" if caption else ""
    return (
        f'<div class="scroll"><table>{title}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _pictures(profile: Profile) -> str:
    drawn = [_picture(column) for column in profile.columns if column.histogram]
    if not drawn:
        return ""
    return f'<p class="soft">Columns</p><div class="pictures">{"".join(drawn)}</div>'


def _picture(column: ColumnProfile) -> str:
    """Draw a column's histogram, with its ends and its median in words."""
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
    median = column.quantiles.get(0.5)
    middle = "" if median is None else f", median {shown(median)}"
    words = f"{shown(column.min)} to {shown(column.max)}{middle}"
    name = text(column.name)
    return (
        f'<figure><svg viewBox="0 0 100 40" preserveAspectRatio="none" role="img" '
        f'aria-label="histogram of {name}">{bars}</svg>'
        f"<figcaption><b>{name}</b> {text(words)}</figcaption></figure>"
    )
