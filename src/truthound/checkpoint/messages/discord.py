"""The embeds of a message, for Discord."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from truthound.checkpoint.messages._colours import colour_of
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
    DISCORD_ALL,
    DISCORD_DESCRIPTION,
    DISCORD_EMBEDS,
    DISCORD_FIELD_VALUE,
    DISCORD_FIELDS,
    DISCORD_TITLE,
    cut,
    units,
)
from truthound.checkpoint.messages.message import Finding, Message

Embed = dict[str, Any]


def discord_embeds(message: Message) -> list[Embed]:
    """Return a message as embeds, within the limits of Discord for all of them."""
    embeds: list[Embed] = []
    for shown in less_and_less(tidied(message)):
        embeds = list(_embeds(message, shown))
        if _fit(embeds):
            break
    return embeds[:DISCORD_EMBEDS]


def escaped(text: str) -> str:
    """Return a text in which Discord sees no markup, no mention and no link."""
    return "\n".join(_escaped(line) for line in text.split("\n"))


def _escaped(line: str) -> str:
    text = re.sub(r"[\\`*_~|<>\[\]()#@]|:(?=//|\w*[A-Za-z_]\w*:)", r"\\\g<0>", line)
    # A list, where it begins the line.
    return re.sub(r"\A(\s*)([-+]|\d+(?=\.))", _no_list, text)


def _no_list(found: re.Match[str]) -> str:
    space, sign = found.groups()
    return f"{space}\\{sign}" if sign in "-+" else f"{space}{sign}\\"


def _embeds(message: Message, shown: Message) -> Iterator[Embed]:
    if not message.others:
        yield _embed(shown, _details(shown), fields=_fields(shown))
        return
    note = [escaped(shown.note)] if shown.note else []
    left = others_left(message, shown)
    parts = [*note, *_links(shown), *([left] if left else [])]
    yield {
        "title": message.title,
        "color": int(colour_of(message)[1:], 16),
        "timestamp": message.at.isoformat(),
        **({"description": "\n\n".join(parts)} if parts else {}),
    }
    for one in all_told(shown):
        yield _embed(one, [escaped(in_short(one)), *_error(one), *_findings(one)])


def _embed(message: Message, parts: Any, **more: Any) -> Embed:
    description = "\n\n".join(parts)
    return {
        "title": titled(message, escaped),
        **({"description": description} if description else {}),
        "color": int(colour_of(message)[1:], 16),
        "timestamp": message.at.isoformat(),
        **more,
    }


def _details(message: Message) -> Iterator[str]:
    if message.note:
        yield escaped(message.note)
    yield from _error(message)
    yield from _findings(message)
    yield from _links(message)


def _error(message: Message) -> Iterator[str]:
    if message.error:
        yield f"Error:\n```\n{message.error.replace('`', 'ˋ')}\n```"


def _findings(message: Message) -> Iterator[str]:
    parts = list(map(_finding, message.findings))
    if more := more_than_listed(message):
        parts.append(more)
    if parts:
        yield "\n".join(parts)


def _finding(finding: Finding) -> str:
    name = escaped(finding.name)
    line = f"• **{name}** {finding.severity}: {escaped(said(finding))}"
    rows = (f"  {escaped(row_of(row)) or '-'}" for row in finding.examples)
    return "\n".join([line, *rows])


def _links(message: Message) -> Iterator[str]:
    if message.links:
        links = message.links.items()
        yield " · ".join(f"[{escaped(label)}](<{to}>)" for label, to in links)


def _fields(message: Message) -> list[Embed]:
    return [
        {
            "name": label,
            "value": escaped(cut(value, 500)) or "-",
            "inline": len(value) < 40,
        }
        for label, value in facts_of(message).items()
    ][:DISCORD_FIELDS]


def _fit(embeds: list[Embed]) -> bool:
    fields = [field for embed in embeds for field in embed.get("fields", ())]
    titles = [units(embed["title"]) for embed in embeds]
    texts = [units(embed.get("description", "")) for embed in embeds]
    names = [units(field["name"]) for field in fields]
    values = [units(field["value"]) for field in fields]
    return (
        len(embeds) <= DISCORD_EMBEDS
        and max(titles) <= DISCORD_TITLE
        and max(texts) <= DISCORD_DESCRIPTION
        and max(values, default=0) <= DISCORD_FIELD_VALUE
        and sum([*titles, *texts, *names, *values]) <= DISCORD_ALL
    )
