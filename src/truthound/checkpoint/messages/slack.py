"""The blocks of a message for Slack.

Slack has no way to escape ``*``, ``_``, ``~``, a backtick and ``:name:``: where one of
them would be markup, a sign that looks like it takes its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

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
    titled,
)
from truthound.checkpoint.messages.limits import (
    SLACK_ALL,
    SLACK_BLOCKS,
    SLACK_FIELD,
    SLACK_FIELDS,
    SLACK_HEADER,
    SLACK_SECTION,
    SLACK_TEXT,
    cut,
)
from truthound.checkpoint.messages.message import Finding, Message

Block = dict[str, Any]
_LIKE = str.maketrans({"*": "∗", "_": "ˍ", "~": "∼", "`": "ˋ", ":": "∶"})
# Markup begins and ends at the edge of a word; a name with a letter is an emoji.
_LIVE = re.compile(
    r"(?<!\w)[*_~]|[*_~](?!\w)|`|:(?=[\w+'-]*[a-zA-Z_+][\w+'-]*:)|^&gt;", re.MULTILINE
)


def slack_blocks(message: Message, *, mention: str = "") -> list[Block]:
    """Return the blocks of a message, within the limits of Slack.

    Args:
        message: what to tell.
        mention: stands before the title, as it is: ``<@U1>``.
    """
    blocks: list[Block] = []
    for shown in less_and_less(tidied(message)):
        blocks = list(_blocks(message, shown, mention))
        if len(blocks) <= SLACK_BLOCKS and _length(blocks) <= SLACK_ALL:
            break
    return blocks[:SLACK_BLOCKS]


def escaped(text: str) -> str:
    """Return a text in which Slack sees neither mentions nor links nor markup."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _LIVE.sub(lambda m: "›" if m[0] == "&gt;" else m[0].translate(_LIKE), text)


def slack_title(message: Message) -> str:
    """Return the title of a message, escaped: what a phone shows of it."""
    if message.others:
        return message.title
    return cut(titled(tidied(message), escaped), SLACK_TEXT)


def _blocks(message: Message, shown: Message, mention: str) -> Iterator[Block]:
    head = [escaped(shown.note)] if shown.note else []
    if shown.others or message.others:
        title = cut(message.title, SLACK_HEADER)
        yield {
            "type": "header",
            "text": {"type": "plain_text", "text": title, "emoji": False},
        }
        if head or mention:
            yield _section("\n".join([*head, mention]).strip())
        for one in all_told(shown):
            yield _section(_whole("\n", _one_of_many(one)))
        if left := others_left(message, shown):
            yield _section(left)
    else:
        title = titled(shown, lambda name: f"*{escaped(name)}*")
        yield _section("\n".join([*head, f"{mention} {title}".strip()]))
        yield _fields(shown)
    if links := _whole(" · ", (_link(*link) for link in shown.links.items())):
        yield _section(links)
    if not shown.others and not message.others:
        yield from _details(shown)


def _details(message: Message) -> Iterator[Block]:
    if message.error:
        yield _section(f"Error: {escaped(message.error)}")
    text = ""
    for part in [*map(_finding, message.findings), more_than_listed(message) or ""]:
        if text and len(text) + len(part) >= SLACK_SECTION:
            yield _section(text)
            text = ""
        text += ("\n" if text and part else "") + part
    if text:
        yield _section(text)


def _one_of_many(message: Message) -> Iterator[str]:
    yield titled(message, lambda name: f"*{escaped(name)}*")
    yield escaped(in_short(message))
    if message.error:
        yield f"Error: {escaped(cut(message.error, 300))}"
    yield from map(_finding, message.findings)
    if more := more_than_listed(message):
        yield more


def _finding(finding: Finding) -> str:
    name = escaped(finding.name)
    line = f"• *{name}* {finding.severity}: {escaped(said(finding))}"
    return "\n".join([line, *(f"    {escaped(row_of(r))}" for r in finding.examples)])


def _fields(message: Message) -> Block:
    texts = [
        cut(f"*{label}*\n{escaped(value) or '-'}", SLACK_FIELD)
        for label, value in facts_of(message).items()
    ]
    return {"type": "section", "fields": [_mrkdwn(t) for t in texts[:SLACK_FIELDS]]}


def _whole(joint: str, parts: Iterable[str]) -> str:
    """Return those of some parts that fit into a section, each of them whole."""
    text = ""
    for part in parts:
        longer = f"{text}{joint if text else ''}{part}"
        text = longer if len(longer) <= SLACK_SECTION else text
    return text


def _link(label: str, address: str) -> str:
    return f"<{address.replace('&', '&amp;')}|{escaped(label)}>"


def _section(text: str) -> Block:
    return {"type": "section", "text": _mrkdwn(cut(text, SLACK_SECTION))}


def _mrkdwn(text: str) -> Block:
    # Verbatim: addresses and names of channels in it become no links.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _length(blocks: list[Block]) -> int:
    texts = [t for b in blocks for t in (b.get("text"), *b.get("fields", ())) if t]
    return sum(len(text["text"]) for text in texts)
