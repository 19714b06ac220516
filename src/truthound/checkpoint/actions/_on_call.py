"""What those have in common that open an incident and resolve it."""

from __future__ import annotations

import hashlib

from truthound.checkpoint.actions._places import filled, one_line
from truthound.checkpoint.messages.limits import cut
from truthound.checkpoint.messages.message import Message, MessageKind

LONGEST_DETAIL = 1_000  # characters of one value


def is_over(message: Message) -> bool:
    """Tell whether a message says that all is well, and is no test."""
    if message.kind is MessageKind.TEST:
        return False
    return message.kind is MessageKind.RESOLVED or not message.is_bad


def keyed(template: str, message: Message) -> str:
    """Return the key of an incident; a test has one of its own."""
    suffix = ":test" if message.kind is MessageKind.TEST else ""
    return one_line(filled(template, message)) + suffix


def shortened(key: str, longest: int) -> str:
    """Return a key that fits: of a longer one the rest becomes a digest."""
    if len(key) <= longest:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[:32]
    return f"{key[: longest - 33]}-{digest}"


def summary_of(message: Message) -> str:
    """Return one line: how it ended, and the worst that was found."""
    said = message.title
    if message.error:
        said += f": {message.error}"
    elif message.findings:
        worst = message.findings[0]
        said += f": {worst.name}" + (f": {worst.message}" if worst.message else "")
        more = len(message.findings) - 1 + message.more_findings
        said += f" (and {more} more)" if more > 0 else ""
    return one_line(said)


def details_of(message: Message) -> dict[str, str]:
    """Return the facts of a run and what was found, by label."""
    told = {"Checkpoint": message.checkpoint, "Status": message.status}
    told |= message.facts()
    if message.note:
        told["Note"] = message.note
    if message.error:
        told["Error"] = message.error
    for number, finding in enumerate(message.findings, start=1):
        said = f"{finding.severity}: {finding.name}"
        told[f"Check {number}"] = said + (
            f": {finding.message}" if finding.message else ""
        )
        if finding.examples:
            told[f"Rows of check {number}"] = " | ".join(
                ", ".join(f"{column}: {value}" for column, value in row.items())
                for row in finding.examples
            )
    if message.more_findings:
        told["More"] = f"{message.more_findings:,} more failed checks"
    return {label: cut(one_line(text), LONGEST_DETAIL) for label, text in told.items()}
