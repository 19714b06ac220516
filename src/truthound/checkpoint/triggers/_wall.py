"""Time zones, and times of day, as they are written in options."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, time, tzinfo

from truthound.errors import ConfigurationError, did_you_mean


def zone_of(name: str | tzinfo | None) -> tzinfo:
    """Return the time zone of that name; UTC for None.

    Raises:
        ConfigurationError: there is none of that name.
    """
    if name is None:
        return UTC
    if isinstance(name, tzinfo):
        return name
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        known = zoneinfo.available_timezones()
        hint = did_you_mean(str(name), known) or ", like Europe/Helsinki or UTC"
        raise ConfigurationError(f"timezone: there is no zone {name!r}{hint}") from None


def moment_of(
    option: str, given: datetime | time | str | None, zone: tzinfo
) -> datetime | time | None:
    """Return what an option says: a moment, aware, or a time of day.

    Args:
        option: its name, for messages.
        given: one of these, or ISO 8601: ``2026-01-31T08:00`` or ``08:00``.
        zone: of a moment that names none.

    Raises:
        ConfigurationError: it is neither.
    """
    if isinstance(given, str):
        try:
            given = (
                datetime.fromisoformat(given)
                if "-" in given
                else time.fromisoformat(given)
            )
        except ValueError:
            raise ConfigurationError(
                f"{option} is a moment like 2026-01-31T08:00 or a time of day like "
                f"08:00, not {given!r}"
            ) from None
    if isinstance(given, datetime):
        return given if given.tzinfo else given.replace(tzinfo=zone)
    if isinstance(given, time) or given is None:
        return given
    raise ConfigurationError(
        f"{option} is a moment or a time of day, not {type(given).__name__}"
    )
