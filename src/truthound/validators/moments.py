"""Moments on the line of time, whatever the clocks of their zone do.

Python compares, adds to and subtracts moments of one zone by the time on the clock,
which is the same twice when it is set back, and leaves some out when it is put forward.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(value: Any) -> Any:
    """Return a moment with a time zone as time since 1970, anything else as it is."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value - _EPOCH
    return value


def shifted(value: Any, by: Any) -> Any:
    """Return a value and what is added to it; None if that is beyond the calendar."""
    try:
        if isinstance(value, datetime) and value.tzinfo is not None:
            return (value.astimezone(UTC) + by).astimezone(value.tzinfo)
        return value + by
    except OverflowError:
        return None


def crossed(low: Any, high: Any) -> bool:
    """Tell whether a lower bound is above an upper one."""
    return low is not None and high is not None and bool(instant(low) > instant(high))
