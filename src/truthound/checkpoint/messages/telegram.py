"""The HTML of a message, as Telegram's Bot API takes it.

What comes from the data stands in ``<code>``: there nobody looks for ``@names``,
``#tags``, ``/commands`` and addresses. In titles, where it cannot, a sign without a
width breaks these up.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from truthound.checkpoint.messages._tidy import (
    all_told,
    facts_of,
    in_short,
    less_and_less,
    more_than_listed,
    others_left,
    row_of,
    said,
    tidied,
)
from truthound.checkpoint.messages.limits import (
    TELEGRAM_ENTITIES,
    TELEGRAM_TEXT,
    units,
)
from truthound.checkpoint.messages.message import Finding, Message

SIGNS = {"success": "🟢", "warning": "🟡", "failure": "🔴", "error": "⛔"}
_TAG = re.compile(r"<(/?)\w+[^>]*>")
# Behind what makes a mention, a tag, a command, an address or a number of something.
_LIVE = re.compile(r"(?<=[@#$/.:+])(?=\w)|(?<=:)(?=/)|(?<=\d{4})(?=\d)")
_JOINER = "\u2060"


def telegram_html(message: Message) -> str:
    """Return a message as HTML for ``parse_mode="HTML"``, within the limits."""
    text = ""
    for shown in less_and_less(tidied(message)):
        text = "\n\n".join(_parts(message, shown))
        if units(visible(text)) <= TELEGRAM_TEXT and _entities(text) <= (
            TELEGRAM_ENTITIES
        ):
            break
    return text


def visible(text: str) -> str:
    """Return what is left of HTML after entities parsing."""
    return html.unescape(_TAG.sub("", text))


def broken_up(text: str) -> str:
    """Return a text in which Telegram finds nothing to link to, escaped."""
    return html.escape(_LIVE.sub(_JOINER, text), quote=False)


def _entities(text: str) -> int:
    return sum(not found[1] for found in _TAG.finditer(text))


def _code(text: str) -> str:
    return f"<code>{html.escape(text if text.strip() else '-', quote=False)}</code>"


def _parts(message: Message, shown: Message) -> Iterator[str]:
    if message.others:
        yield f"<b>{message.title}</b>"
    else:
        yield _title(shown)
    if shown.note:
        yield broken_up(shown.note)
    if message.others:
        yield from ("\n".join(_one_of_many(one)) for one in all_told(shown))
        if left := others_left(message, shown):
            yield left
    else:
        facts = facts_of(shown).items()
        yield "\n".join(f"{label}: {_code(value)}" for label, value in facts)
        yield from _error(shown)
        if found := "\n".join(_findings(shown)):
            yield found
    if shown.links:
        yield " · ".join(_link(*link) for link in shown.links.items())


def _title(message: Message) -> str:
    sign = SIGNS.get(message.status, "")
    return f"{sign} <b>{broken_up(message.title)}</b>".strip()


def _one_of_many(message: Message) -> Iterator[str]:
    yield _title(message)
    yield _code(in_short(message))
    yield from _error(message)
    yield from _findings(message)


def _error(message: Message) -> Iterator[str]:
    if message.error:
        yield f"Error: <pre>{html.escape(message.error, quote=False)}</pre>"


def _findings(message: Message) -> Iterator[str]:
    for finding in message.findings:
        yield from _finding(finding)
    if more := more_than_listed(message):
        yield more


def _finding(finding: Finding) -> Iterator[str]:
    yield f"• {_code(finding.name)} {finding.severity}: {_code(said(finding))}"
    yield from (f"    {_code(row_of(row))}" for row in finding.examples)


def _link(label: str, address: str) -> str:
    return f'<a href="{html.escape(address)}">{broken_up(label)}</a>'
