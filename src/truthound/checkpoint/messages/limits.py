"""The limits of each vendor, in one place, and how a text is made to fit."""

from __future__ import annotations

import json
import re
from typing import Any

# Slack. "Blocks" and "Text object" of its reference: what is sent counts, with
# ``&amp;`` as five characters. chat.postMessage asks for 4,000 in the top level text.
SLACK_BLOCKS = 50  # in a message, those of its attachments included
SLACK_SECTION = 3_000  # characters of a section's text
SLACK_FIELDS = 10  # of a section
SLACK_FIELD = 2_000  # characters of one of them
SLACK_HEADER = 150  # characters of a header
SLACK_TEXT = 3_000  # characters; it is what a phone shows
# All blocks together: from about 13,000 on it answers msg_blocks_too_long.
SLACK_ALL = 12_000

# Teams. "Create and send messages with webhooks": about 28 KB, and the service counts
# the message in UTF-16, two bytes for most characters.
TEAMS_BYTES = 28_000
TEAMS_ACTIONS = 6  # buttons of a card

# Discord. "Embed limits" and "Execute webhook" of its reference. Counted in UTF-16
# units, which are never fewer than the characters that it may count instead.
DISCORD_CONTENT = 2_000
DISCORD_EMBEDS = 10  # of a message
DISCORD_TITLE = 256
DISCORD_DESCRIPTION = 4_096
DISCORD_FIELDS = 25  # of an embed
DISCORD_FIELD_VALUE = 1_024
DISCORD_ALL = 6_000  # titles, descriptions and fields of all embeds together
DISCORD_USERNAME = 80

# Telegram. "sendMessage" of its Bot API: 1 to 4,096 characters after entities parsing.
# "Message entities": counted in UTF-16 units.
TELEGRAM_TEXT = 4_096
TELEGRAM_ENTITIES = 100  # those that follow are ignored

# PagerDuty, "Events API v2: Send an Alert Event" and "PD-CEF": characters.
PAGERDUTY_SUMMARY = 1_024
PAGERDUTY_DEDUP_KEY = 255
PAGERDUTY_ROUTING_KEY = 32  # exactly

# Opsgenie, "Alert API: Create Alert"; Jira Service Management Operations, "Integration
# events", has the same: characters.
OPSGENIE_MESSAGE = 130
OPSGENIE_ALIAS = 512
OPSGENIE_DESCRIPTION = 15_000
OPSGENIE_ENTITY = 512
OPSGENIE_SOURCE = 100
OPSGENIE_NOTE = 25_000
OPSGENIE_TAGS = 20  # of them
OPSGENIE_TAG = 50
OPSGENIE_DETAILS = 8_000  # keys and values together
OPSGENIE_RESPONDERS = 50  # of them
OPSGENIE_ACTIONS = 10  # of them

# RFC 5322, 2.1.1: characters of a line; a subject is cut long before.
MAIL_SUBJECT = 200


def cut(text: str, longest: int) -> str:
    """Return a text of at most so many characters; one that was cut ends with ``…``.

    An escaped character (``&amp;``) is not torn.
    """
    if len(text) <= longest:
        return text
    return re.sub(r"&[#\w]*\Z", "", text[: longest - 1]) + "…"


def units(text: str) -> int:
    """Return how many UTF-16 units a text has: two for an emoji, one for most others.

    Example:
        >>> units("a"), units("ä"), units("😀")
        (1, 1, 2)
    """
    return len(text) + sum(character > "\uffff" for character in text)


def cut_units(text: str, longest: int) -> str:
    """Return a text of at most so many UTF-16 units; one cut ends with ``…``."""
    if units(text) <= longest:
        return text
    kept = text[: longest - 1]
    while units(kept) > longest - 1:
        # At least every second unit that is too much is a character of its own.
        kept = kept[: -((units(kept) - longest + 2) // 2)]
    return kept + "…"


def bytes_of(payload: Any) -> int:
    """Return how many bytes a payload has as JSON in UTF-16."""
    return 2 * len(json.dumps(payload))
