"""The HTML of a message, as mail programs show it: styles inline, nothing loaded."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from truthound.checkpoint.messages._colours import colour_of
from truthound.checkpoint.messages._tidy import (
    all_told,
    facts_of,
    in_short,
    more_than_listed,
    others_left,
    row_of,
    said,
    tidied,
)
from truthound.checkpoint.messages.message import Finding, Message

_FONT = "font-family:Arial,Helvetica,sans-serif;font-size:14px;line-height:1.45"
_GREY = "color:#666666"
_CODE = "font-family:Consolas,Menlo,monospace;font-size:12px"
# Where a mail program would see an address, and make a link of it.
_LINK_LIKE = re.compile(r"(?<=\w)(:)(?=//)|(@)|(?<=\w)(\.)(?=\w)")


def as_html(message: Message) -> str:
    """Return a message as a page of HTML, for mail.

    All texts are escaped; what looks like an address in them is no link, also for
    programs that make links of what they find.
    """
    shown = tidied(message)
    title = message.title if message.others else shown.title
    body = "\n".join(_body(message, shown, title))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title></head>\n"
        f'<body style="margin:0;padding:16px;{_FONT};color:#1d1c1d">\n'
        f"{body}\n</body>\n</html>\n"
    )


def escaped(text: str) -> str:
    """Return a text in which nothing is markup, and nothing becomes a link."""
    return _LINK_LIKE.sub(r"<span>\g<0></span>", html.escape(text))


def _body(message: Message, shown: Message, title: str) -> Iterator[str]:
    bar = f"border-left:6px solid {colour_of(message)};padding:2px 0 2px 12px"
    yield f'<h2 style="margin:0 0 12px;font-size:18px;{bar}">{escaped(title)}</h2>'
    if shown.note:
        yield _paragraph("<br>".join(map(escaped, shown.note.splitlines())))
    if shown.others:
        for one in all_told(shown):
            yield from _one_of_many(one)
        if left := others_left(message, shown):
            yield _paragraph(left)
    else:
        yield from _details(shown)
    if shown.links:
        yield _paragraph(" · ".join(_link(*link) for link in shown.links.items()))


def _paragraph(content: str, style: str = "") -> str:
    return f'<p style="margin:0 0 12px;{style}">{content}</p>'


def _link(label: str, address: str) -> str:
    return f'<a href="{html.escape(address)}">{escaped(label)}</a>'


def _details(message: Message) -> Iterator[str]:
    cell = "padding:2px 12px 2px 0;vertical-align:top;text-align:left"
    rows = (
        f'<tr><th style="{cell};font-weight:normal;{_GREY}">{label}</th>'
        f'<td style="{cell}">{escaped(value)}</td></tr>'
        for label, value in facts_of(message).items()
    )
    table = "border-collapse:collapse;margin:0 0 12px"
    yield f'<table role="presentation" style="{table};{_FONT}">'
    yield from rows
    yield "</table>"
    yield from _error(message)
    yield from _findings(message)


def _one_of_many(message: Message) -> Iterator[str]:
    bar = f"border-left:6px solid {colour_of(message)};padding-left:12px"
    title = f"<strong>{escaped(message.title)}</strong>"
    short = f'<span style="{_GREY}">{escaped(in_short(message))}</span>'
    yield _paragraph(f"{title}<br>{short}", bar)
    yield from _error(message)
    yield from _findings(message)


def _error(message: Message) -> Iterator[str]:
    if message.error:
        style = f"{_CODE};white-space:pre-wrap;margin:0 0 12px"
        yield f'<pre style="{style}">Error: {escaped(message.error)}</pre>'


def _findings(message: Message) -> Iterator[str]:
    more = more_than_listed(message)
    if not message.findings and not more:
        return
    yield '<ul style="margin:0 0 12px;padding-left:20px">'
    yield from map(_finding, message.findings)
    if more:
        yield f"<li>{more}</li>"
    yield "</ul>"


def _finding(finding: Finding) -> str:
    name = f"<strong>{escaped(finding.name)}</strong>"
    rows = "".join(
        f'<br><span style="{_CODE};{_GREY}">{escaped(row_of(row))}</span>'
        for row in finding.examples
    )
    return f"<li>{name} {finding.severity}: {escaped(said(finding))}{rows}</li>"
