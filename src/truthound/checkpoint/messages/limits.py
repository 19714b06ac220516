"""The limits of each vendor, in one place, and how a text is made to fit."""

from __future__ import annotations

import re


def cut(text: str, longest: int) -> str:
    """Return a text of at most so many characters; one that was cut ends with ``…``.

    An escaped character (``&amp;``) is not torn.
    """
    if len(text) <= longest:
        return text
    return re.sub(r"&[#\w]*\Z", "", text[: longest - 1]) + "…"


def cut_bytes(text: str, longest: int) -> bytes:
    """Return a text as UTF-8 of at most so many bytes, no character torn."""
    sound = text.encode("utf-8", "replace")
    if len(sound) <= longest:
        return sound
    kept = sound[: longest - 3].decode("utf-8", "ignore")
    return kept.encode() + "…".encode()


# PagerDuty, "Events API v2: Send an Alert Event" and "PD-CEF": characters.
PAGERDUTY_SUMMARY = 1_024
PAGERDUTY_DEDUP_KEY = 255
PAGERDUTY_ROUTING_KEY = 32  # exactly
PAGERDUTY_EVENT = 512 * 1024  # bytes of a whole event

# Opsgenie, "Alert API: Create Alert"; Jira Service Management Operations, "Integration
# events", has the same: characters.
OPSGENIE_MESSAGE = 130
OPSGENIE_ALIAS = 512
OPSGENIE_DESCRIPTION = 15_000
OPSGENIE_ENTITY = 512
OPSGENIE_SOURCE = 100
OPSGENIE_NOTE = 25_000
OPSGENIE_USER = 100
OPSGENIE_TAGS = 20  # of them
OPSGENIE_TAG = 50
OPSGENIE_DETAILS = 8_000  # keys and values together
OPSGENIE_RESPONDERS = 50  # of them
OPSGENIE_ACTIONS = 10  # of them

# Healthchecks, "Pinging API": bytes of a request's body that are kept.
HEALTHCHECKS_BODY = 100_000

# RFC 5322, 2.1.1: characters of a line; a subject is cut long before.
MAIL_SUBJECT = 200
