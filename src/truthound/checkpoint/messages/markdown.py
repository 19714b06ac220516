"""The Markdown of a message: for GitHub, GitLab and files.

What comes from the data stands in code, where nothing is markup, nobody is mentioned
and nothing is a link, also to sites that look for ``@name`` and ``#1`` in the text that
is left when the markup is gone. Only plain words are left as they are.
"""

from __future__ import annotations

import re
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
    titled,
)
from truthound.checkpoint.messages.message import Finding, Message

# Words and numbers with the signs between them; what sites make links of is none:
# GH-1, and names of commits.
_PLAIN = re.compile(
    r"(?!.*\bGH-\d)(?!.*\b[0-9a-fA-F]{7,}\b)"
    r"[A-Za-z0-9(]([A-Za-z0-9 ,;()%='/-]|(?<=\d)\.(?=\d)|:(?= )){0,500}\Z"
)


def as_markdown(message: Message) -> str:
    """Return a message as Markdown (CommonMark); it begins with a heading."""
    shown = tidied(message)
    title = message.title if message.others else titled(shown, inline)
    parts = [f"### {title}"]
    if shown.note:
        parts.append("  \n".join(inline(line) for line in _lines(shown.note)))
    if shown.others:
        parts += ["\n".join(_one_of_many(one)) for one in all_told(shown)]
        parts += [left] if (left := others_left(message, shown)) else []
    else:
        parts += _details(shown)
    if shown.links:
        links = shown.links.items()
        parts.append(" · ".join(f"[{inline(name)}](<{to}>)" for name, to in links))
    return "\n\n".join(parts) + "\n"


def inline(text: str) -> str:
    """Return a text as it is if it consists of plain words, else as code."""
    text = " ".join(text.splitlines())
    if _PLAIN.match(text):
        return text
    fence = "`" * (_longest_run(text) + 1)
    text = text if text.strip() else "-"
    edge = " " if text[0] in "` " or text[-1] in "` " else ""
    return f"{fence}{edge}{text}{edge}{fence}"


def fenced(text: str) -> str:
    """Return a text of several lines as a block of code."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}text\n{text}\n{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def _details(message: Message) -> Iterator[str]:
    facts = facts_of(message).items()
    yield "\n".join(f"- {label}: {_value(value)}" for label, value in facts)
    if message.error:
        yield f"Error:\n\n{fenced(message.error)}"
    if found := list(_findings(message)):
        yield "\n".join(found)


def _one_of_many(message: Message) -> Iterator[str]:
    yield f"- **{titled(message, inline)}**  "
    yield f"  {inline(in_short(message))}"
    if message.error:
        yield f"  - Error: {inline(message.error)}"
    yield from (f"  {line}" for line in _findings(message))


def _value(value: str) -> str:
    is_count = re.fullmatch(r"[\d,]+( of [\d,]+)?|[\d:-]+ [\d:]+ UTC.*", value)
    return value if is_count else inline(value)


def _findings(message: Message) -> Iterator[str]:
    for finding in message.findings:
        yield from _finding(finding)
    if more := more_than_listed(message):
        yield f"- {more}"


def _finding(finding: Finding) -> Iterator[str]:
    yield f"- **{inline(finding.name)}** {finding.severity}: {inline(said(finding))}"
    yield from (f"  - {inline(row_of(row))}" for row in finding.examples)
