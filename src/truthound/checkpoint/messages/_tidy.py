"""A message before it is escaped: no odd characters, and nothing too long."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote, urlsplit

from truthound._words import plural
from truthound.checkpoint.messages.limits import cut
from truthound.checkpoint.messages.message import CELL, ISSUES, Finding, Message
from truthound.checkpoint.model import CheckpointStatus

NAME = 200  # characters of a name
SAID = 500  # of what a check says
SOURCE = 300  # of the name of the data
ERROR = 2_000  # of an error, and of what a configuration wants to be said
ADDRESS = 1_500  # of a link: a longer one leads nowhere if it is cut, so it goes
COLUMNS = 20  # of an example row
EXAMPLES = 20  # of a check
LINKS = 5
TAGS = 10
OTHERS = 50  # messages that are told together with one
OF_OTHERS = 3  # findings of each of these
OF_ERROR = 300  # characters of an error of each of these

# What a status or a severity may be.
WORDS = frozenset(CheckpointStatus) | {"critical", "high", "medium", "low", "unknown"}

# Letters of some languages and joined emoji need these two; ASCII does not.
_JOINED = re.compile("(?<=[^\x00-\x7f])[\u200c\u200d](?=[^\x00-\x7f])")
_ODD = frozenset({"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"})
# No category of the above, and yet nothing is seen of them.
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0]")
_UNUSUAL = re.compile("[^ -~]")


def clean(text: str, longest: int, *, lines: bool = False) -> str:
    r"""Return a text in which each character can be seen, cut to so many.

    Control characters, marks of the direction of writing and what has no width are
    written as Python does: ``\x07``, ``\u202e``.

    Args:
        text: from the data, or from anywhere.
        longest: how many characters it may have.
        lines: leave line feeds as they are.

    Example:
        >>> clean("a\u202eb\n", 20)
        'a\\u202eb\\n'
    """
    text = str(text)[: 4 * longest + 4]  # it may get longer, but not shorter than that
    if text.isprintable() and not _UNSEEN.search(text):
        return cut(text, longest)
    if lines:
        text = text.replace("\r\n", "\n").replace("\t", " ")
    kept = {m.start() for m in _JOINED.finditer(text)}

    def visible(found: re.Match[str]) -> str:
        sign = found[0]
        if found.start() in kept or (lines and sign == "\n") or not _is_odd(sign):
            return sign
        return _written(sign)

    return cut(_UNUSUAL.sub(visible, text), longest)


def _is_odd(sign: str) -> bool:
    return unicodedata.category(sign) in _ODD or _UNSEEN.match(sign) is not None


def _written(sign: str) -> str:
    known = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    if sign in known:
        return known[sign]
    number = ord(sign)
    if number < 256:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 65_536 else f"\\U{number:08x}"


def tidied(message: Message) -> Message:
    """Return a message of which every text is clean, and none too long.

    Links that are none of http or https, and those that are too long, are left out.
    """
    others = [_one(_start_of(other)) for other in message.others[:OTHERS]]
    return replace(_one(message), others=others)


def _start_of(message: Message) -> Message:
    """Return what is told of a message beside others: the worst, and one row each.

    Of its error the beginning, in one line.
    """
    error = " ".join(message.error[:OF_ERROR].split()) if message.error else None
    worst = [replace(f, examples=f.examples[:1]) for f in message.findings[:OF_OTHERS]]
    more = message.more_findings + len(message.findings) - len(worst)
    return replace(
        message, findings=worst, more_findings=more, error=error, note=None, links={}
    )


def _one(message: Message) -> Message:
    findings = [_finding(finding) for finding in message.findings[:ISSUES]]
    more = message.more_findings + len(message.findings) - len(findings)
    links = [
        (clean(label, NAME) or "link", address)
        for label, given in message.links.items()
        if (address := _address(given)) is not None
    ]
    tags = [
        (clean(key, NAME), clean(value, NAME)) for key, value in message.tags.items()
    ]
    note, error = message.note, message.error
    return replace(
        message,
        checkpoint=clean(message.checkpoint, NAME) or "-",
        status=_word(message.status),
        run_id=clean(message.run_id, SOURCE),
        source=clean(message.source, SOURCE),
        error=clean(error, ERROR, lines=True).strip() if error else None,
        note=clean(note, ERROR, lines=True).strip() if note else None,
        findings=findings,
        more_findings=more,
        links=dict(links[:LINKS]),
        tags=dict(tags[:TAGS]),
        others=(),
    )


def _finding(finding: Finding) -> Finding:
    return replace(
        finding,
        name=clean(finding.name, NAME) or "-",
        severity=_word(finding.severity),
        message=clean(finding.message, SAID).strip(),
        examples=[
            {
                clean(column, NAME): clean(value, CELL)
                for column, value in list(row.items())[:COLUMNS]
            }
            for row in finding.examples[:EXAMPLES]
        ],
    )


def _word(text: str) -> str:
    return str(text) if str(text) in WORDS else "unknown"


def _address(address: str) -> str | None:
    """Return an address in which nothing ends it early; None if it leads nowhere."""
    found = quote(str(address), safe="!#$%&*+,-./:;=?@[]_~", errors="replace")
    try:
        parts = urlsplit(found)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return None
    return found if is_one and len(found) <= ADDRESS else None


def titled(message: Message, mark: Callable[[str], str] = str) -> str:
    """Return the title of a message, with the name of the checkpoint marked up."""
    return replace(message, checkpoint="\0").title.replace(
        "\0", mark(message.checkpoint)
    )


def all_told(message: Message) -> list[Message]:
    """Return a message and those that are told with it, each on its own."""
    return [replace(message, others=()), *message.others]


def others_left(message: Message, shown: Message) -> str | None:
    """Return how many of the messages told together are not shown, in words."""
    left = len(message.others) - len(shown.others)
    return f"and {plural(left, 'more checkpoint')}" if left > 0 else None


def facts_of(message: Message) -> dict[str, str]:
    """Return the facts of a message, its tags among them."""
    told = message.facts()
    if message.tags:
        told["Tags"] = ", ".join(
            f"{key}={value}" for key, value in message.tags.items()
        )
    return told


def in_short(message: Message) -> str:
    """Return the facts of one message of many, in one line."""
    told = message.facts()
    wanted = ("Data", "Rows", "Checks failed", "Run")
    return ", ".join(f"{key}: {told[key]}" for key in wanted if key in told)


def said(finding: Finding) -> str:
    """Return what is to be told of a check that failed, in one line."""
    return finding.message or f"{finding.failed:,} of {plural(finding.checked, 'row')}"


def more_than_listed(message: Message) -> str | None:
    """Return how many checks are not named, in words."""
    left = message.more_findings
    return f"and {plural(left, 'more issue')}" if left > 0 else None


def row_of(row: Mapping[str, str]) -> str:
    """Return an example row in one line."""
    return ", ".join(f"{column}: {value}" for column, value in row.items())


def less_and_less(message: Message) -> Iterator[Message]:
    """Yield a tidied message, and then with ever less in it, until little is left.

    What goes, in this order: example rows, the ends of long texts, checks, messages
    that are told together with it, its tags and links.
    """
    yield message
    message = _without_examples(message)
    yield message
    for names, texts in ((100, 200), (60, 80)):
        message = _shortened(message, names, texts)
        yield message
    for findings, others in ((5, 20), (3, 10), (1, 5), (0, 2)):
        message = _fewer(message, findings, others)
        yield message
    message = replace(message, tags={}, links={}, others=())
    yield _shortened(message, 40, 25)


def _without_examples(message: Message) -> Message:
    findings = [replace(finding, examples=()) for finding in message.findings]
    others = [_without_examples(other) for other in message.others]
    return replace(message, findings=findings, others=others)


def _shortened(message: Message, names: int, texts: int) -> Message:
    findings = [
        replace(f, name=cut(f.name, names), message=cut(f.message, texts))
        for f in message.findings
    ]
    return replace(
        message,
        findings=findings,
        checkpoint=cut(message.checkpoint, names),
        source=cut(message.source, names),
        run_id=cut(message.run_id, names),
        note=cut(message.note, 4 * texts) if message.note else None,
        error=cut(message.error, 4 * texts) if message.error else None,
        tags=_cut_pairs(message.tags, names),
        others=[_shortened(other, names, texts) for other in message.others],
    )


def _cut_pairs(pairs: Mapping[str, str], longest: int) -> dict[str, str]:
    return {cut(key, longest): cut(value, longest) for key, value in pairs.items()}


def _fewer(message: Message, findings: int, others: int) -> Message:
    gone = max(0, len(message.findings) - findings)
    kept: Sequence[Message] = message.others[:others]
    return replace(
        message,
        findings=message.findings[:findings],
        more_findings=message.more_findings + gone,
        others=[_fewer(other, min(1, findings), 0) for other in kept],
    )
