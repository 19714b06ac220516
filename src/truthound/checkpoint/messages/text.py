"""The plain text of a message: for mail, logs and whatever knows no markup."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

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


def as_text(message: Message) -> str:
    r"""Return a message as plain text; its first line is the title.

    What comes from the data cannot look like a line of its own: line ends in it are
    written as ``\n``, those of errors are indented.
    """
    shown = tidied(message)
    title = message.title if message.others else shown.title
    parts = [title]
    if shown.note:
        parts.append(shown.note)
    if shown.others:
        parts += ["\n".join(_one_of_many(one)) for one in all_told(shown)]
        parts += [left] if (left := others_left(message, shown)) else []
    else:
        parts += _details(shown)
    if shown.links:
        parts.append("\n".join(f"{label}: {to}" for label, to in shown.links.items()))
    return "\n\n".join(parts) + "\n"


def _details(message: Message) -> Iterator[str]:
    yield "\n".join(f"{label}: {value}" for label, value in facts_of(message).items())
    if message.error:
        yield _error(message.error)
    if found := _findings(message):
        yield "\n".join(found)


def _one_of_many(message: Message) -> Iterator[str]:
    yield message.title
    yield f"  {in_short(message)}"
    if message.error:
        yield textwrap.indent(_error(message.error), "  ")
    yield from (f"  {line}" for line in _findings(message))


def _error(text: str) -> str:
    first, *lines = text.splitlines() or [""]
    return "\n".join([f"Error: {first}", *(f"  {line}" for line in lines)])


def _findings(message: Message) -> list[str]:
    lines = [line for finding in message.findings for line in _finding(finding)]
    more = more_than_listed(message)
    return [*lines, more] if more else lines


def _finding(finding: Finding) -> Iterator[str]:
    yield f"- {finding.name} ({finding.severity}): {said(finding)}"
    yield from (f"    {row_of(row)}" for row in finding.examples)
