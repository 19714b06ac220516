"""Times of day, and moments, as they are written in options."""

from __future__ import annotations

from datetime import datetime, time, tzinfo

from truthound.checkpoint._zones import zone_of as zone_of
from truthound.errors import ConfigurationError


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
