"""Lengths of time as people write them."""

from __future__ import annotations

import re
from datetime import timedelta

from truthound.errors import ConfigurationError

_UNITS = {
    "s": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3_600.0,
    "d": 86_400.0,
    "w": 604_800.0,
}
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(min|[smhdw])", re.IGNORECASE)


def time_span(option: str, value: str | float | timedelta) -> timedelta:
    """Read a length of time: seconds, a timedelta, or a text such as ``1d 12h``.

    Raises:
        ConfigurationError: it is none, or negative.
    """
    if isinstance(value, timedelta):
        span = value
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        span = timedelta(seconds=value)
    else:
        text, place, seconds = str(value).strip(), 0, 0.0
        while part := _PART.match(text, place):
            seconds += float(part[1]) * _UNITS[part[2].lower()]
            place = part.end()
        if not text or place != len(text):
            raise ConfigurationError(
                f"{option} is a number of seconds or a text such as '30m', '24h' or "
                f"'7d', not {value!r}"
            )
        span = timedelta(seconds=seconds)
    if span < timedelta(0):
        raise ConfigurationError(f"{option} is not negative: {value!r}")
    return span
