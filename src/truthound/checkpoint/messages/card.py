"""The Adaptive Card of a message, for Teams.

What comes from the data stands in ``TextRun`` elements, which know no Markdown, so
that nothing in it is markup or a link.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from truthound.checkpoint.messages._colours import worst_status
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
from truthound.checkpoint.messages.limits import TEAMS_ACTIONS, TEAMS_BYTES, bytes_of
from truthound.checkpoint.messages.message import Finding, Message

Element = dict[str, Any]
STYLES = {
    "success": "good",
    "warning": "warning",
    "failure": "attention",
    "error": "attention",
}
_SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"
_AT = re.compile(r"<(?=/?at\b)", re.IGNORECASE)  # a mention, where it is known


def adaptive_card(
    message: Message,
    *,
    mentions: Mapping[str, str] | None = None,
    version: str = "1.4",
    longest: int = TEAMS_BYTES,
    wide: bool = True,
) -> Element:
    """Return a message as an Adaptive Card.

    Args:
        message: what to tell.
        mentions: whom to mention: their names by their ids.
        version: of the schema.
        longest: bytes that it may have, as JSON in UTF-16.
        wide: as wide as the channel.
    """
    card: Element = {}
    for shown in less_and_less(tidied(message)):
        card = {
            "$schema": _SCHEMA,
            "type": "AdaptiveCard",
            "version": version,
            "body": list(_body(message, shown, mentions or {})),
        }
        teams: Element = {"width": "Full"} if wide else {}
        if mentions:
            teams["entities"] = [_entity(*one) for one in mentions.items()]
        if teams:
            card["msteams"] = teams
        if shown.links:
            card["actions"] = [
                {"type": "Action.OpenUrl", "title": label, "url": address}
                for label, address in list(shown.links.items())[:TEAMS_ACTIONS]
            ]
        if bytes_of(card) <= longest:
            break
    return card


def _body(
    message: Message, shown: Message, mentions: Mapping[str, str]
) -> Iterator[Element]:
    title = message.title if message.others else shown.title
    style = STYLES.get(worst_status(message), "default")
    yield {
        "type": "Container",
        "style": style,
        "bleed": True,
        "items": [_rich(_run(title, size="Large", weight="Bolder"))],
    }
    if mentions:
        said_to = " ".join(f"<at>{name}</at>" for name in mentions.values())
        yield {"type": "TextBlock", "text": said_to, "wrap": True}
    if shown.note:
        yield from (_rich(_run(line)) for line in _lines(shown.note))
    if message.others:
        for one in all_told(shown):
            yield from _one_of_many(one)
        if left := others_left(message, shown):
            yield _rich(_run(left))
    else:
        yield from _facts(shown)
        yield from _error(shown)
        yield from _findings(shown)


def _one_of_many(message: Message) -> Iterator[Element]:
    yield {**_rich(_run(message.title, weight="Bolder")), "separator": True}
    yield _rich(_run(in_short(message), isSubtle=True))
    yield from _error(message)
    yield from _findings(message)


def _facts(message: Message) -> Iterator[Element]:
    for label, value in facts_of(message).items():
        yield {
            **_rich(_run(f"{label}: ", isSubtle=True), _run(value)),
            "spacing": "Small",
        }


def _error(message: Message) -> Iterator[Element]:
    if message.error:
        first, *lines = _lines(message.error)
        yield _rich(_run("Error: ", weight="Bolder"), _code(first))
        yield from ({**_rich(_code(line)), "spacing": "None"} for line in lines)


def _findings(message: Message) -> Iterator[Element]:
    for finding in message.findings:
        yield from _finding(finding)
    if more := more_than_listed(message):
        yield _rich(_run(more))


def _finding(finding: Finding) -> Iterator[Element]:
    yield _rich(
        _run("• "),
        _run(finding.name, weight="Bolder"),
        _run(f" {finding.severity}: {said(finding)}"),
    )
    for row in finding.examples:
        yield {**_rich(_code(row_of(row))), "spacing": "None"}


def _lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()] or ["-"]


def _rich(*runs: Element) -> Element:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _run(text: str, **looks: Any) -> Element:
    return {"type": "TextRun", "text": _AT.sub("‹", text) or "-", **looks}


def _code(text: str) -> Element:
    return _run(text, fontType="Monospace", isSubtle=True)


def _entity(identity: str, name: str) -> Element:
    return {
        "type": "mention",
        "text": f"<at>{name}</at>",
        "mentioned": {"id": identity, "name": name},
    }
