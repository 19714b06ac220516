"""What was sent, for whoever wants to see it."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What was sent, fit to be shown: no secret is in it.

    Attributes:
        way: the method of HTTP, or what else carries it.
        address: where to; of a secret one only the host.
        headers: that came with it.
        body: as text.
    """

    way: str
    address: str
    headers: Mapping[str, str]
    body: str


# Where it is there, whatever is sent is noted in it.
SENT: ContextVar[list[Sent] | None] = ContextVar("truthound_sent", default=None)
