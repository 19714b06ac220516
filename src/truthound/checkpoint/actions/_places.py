"""Texts of a configuration in which names in braces are filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from truthound.checkpoint.messages.message import Message
from truthound.errors import ConfigurationError, did_you_mean

_PLACE = re.compile(r"\{(\w*)\}")
# Control characters, line and paragraph separators, marks of the direction of writing:
# what must not get into one line.
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\u200e\u200f]+")

# What a text may name; a key that has to stay the same over an incident may not name
# what changes from run to run.
STEADY = ("checkpoint", "source")
ANY = (*STEADY, "title", "status", "severity", "run_id")


def check_places(option: str, text: str, known: Sequence[str]) -> None:
    """Raise ConfigurationError if a text names something that does not exist."""
    for name in _PLACE.findall(text):
        if name not in known:
            raise ConfigurationError(
                f"{option} may name {', '.join(f'{{{k}}}' for k in known)}, not "
                f"{{{name}}}{did_you_mean(name, known)}"
            )


def filled(text: str, message: Message) -> str:
    """Return a text with what a message has in the places of its names.

    A value is put in as it is: braces in it are not looked at again.
    """
    values: Mapping[str, str] = {
        "checkpoint": message.checkpoint,
        "source": message.source,
        "title": message.title,
        "status": message.status,
        "severity": message.worst,
        "run_id": message.run_id,
    }
    return _PLACE.sub(lambda place: values[place[1]], text)


def one_line(text: str) -> str:
    """Return a text without line breaks, control characters and lone surrogates."""
    sound = text.encode("utf-8", "replace").decode("utf-8")
    return " ".join(_BREAKS.sub(" ", sound).split())
