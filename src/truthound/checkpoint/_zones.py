"""Time zones, as they are written in options."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, tzinfo

from truthound.errors import ConfigurationError, did_you_mean


def zone_of(name: str | tzinfo | None) -> tzinfo:
    """Return the time zone of that name; UTC for None.

    Raises:
        ConfigurationError: there is none of that name.
    """
    if name is None or name == "UTC":  # without a look at the disk
        return UTC
    if isinstance(name, tzinfo):
        return name
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        known = zoneinfo.available_timezones()
        hint = did_you_mean(str(name), known) or ", like Europe/Helsinki or UTC"
        raise ConfigurationError(f"timezone: there is no zone {name!r}{hint}") from None
