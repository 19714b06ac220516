"""The colours of a message, by the worst status that it tells."""

from __future__ import annotations

from truthound.checkpoint.messages.message import Message

COLOURS = {
    "success": "#2eb67d",
    "warning": "#ecb22e",
    "failure": "#e01e5a",
    "error": "#611f69",
}
OTHER = "#777777"  # of a status that is none of these


def worst_status(message: Message) -> str:
    """Return the worst status among what a message tells."""
    told = {str(one.status) for one in (message, *message.others)}
    found = [status for status in reversed(COLOURS) if status in told]
    return found[0] if found else "unknown"


def colour_of(message: Message) -> str:
    """Return the colour of the worst status among what is told."""
    return COLOURS.get(worst_status(message), OTHER)
