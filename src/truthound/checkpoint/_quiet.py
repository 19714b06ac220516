"""Quiet hours: when nobody is to be disturbed, and when that ends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from truthound.errors import ConfigurationError

NAMES = (
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
)
WEEK = timedelta(days=8)  # whoever is quiet so long is quiet for ever
_HOURS = re.compile(r"(\d\d?):(\d\d)-(\d\d?):(\d\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """A time of quiet that comes again each week.

    Attributes:
        days: on which it begins; 0 is Monday.
        begin: the time of day.
        minutes: how long it lasts.
    """

    days: frozenset[int]
    begin: time
    minutes: int

    def of_day(self, day: date) -> tuple[datetime, datetime] | None:
        """Return its begin and end on a day, as the clock on the wall shows them."""
        if day.weekday() not in self.days:
            return None
        begin = datetime.combine(day, self.begin)
        return begin, begin + timedelta(minutes=self.minutes)


def quiet_of(option: str, given: Any) -> tuple[Quiet, ...]:
    """Return the times that an option names.

    Args:
        option: its name, for messages.
        given: ``22:00-07:00``, ``sat,sun``, ``mon-fri 18:00-08:00``, or a list of such.

    Raises:
        ConfigurationError: it names none, or all the week.
    """
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, Sequence) or not all(isinstance(t, str) for t in texts):
        raise ConfigurationError(
            f"{option} is a text, or a list of texts, not {given!r}"
        )
    found = tuple(_one(option, text) for text in texts)
    if found and quiet_until(datetime(2024, 1, 1, tzinfo=UTC), found, UTC) == _never:
        raise ConfigurationError(f"{option}: nothing is left of the week")
    return found


def _one(option: str, text: str) -> Quiet:
    wrong = ConfigurationError(
        f"{option}: expected something like '22:00-07:00', 'sat,sun' or "
        f"'mon-fri 18:00-08:00', not {text!r}"
    )
    days, begin, minutes = frozenset(range(7)), time.min, 24 * 60
    words = text.lower().split()
    if not words or len(words) > 2:
        raise wrong
    hours = _HOURS.fullmatch(words[-1])
    if hours:
        first, last = (int(hours[i]) * 60 + int(hours[i + 1]) for i in (1, 3))
        if max(first, last) > 24 * 60 or max(int(hours[2]), int(hours[4])) > 59:
            raise wrong
        begin = time(first // 60 % 24, first % 60)
        minutes = (last - first) % (24 * 60) or 24 * 60
    if not hours or len(words) == 2:
        try:
            days = frozenset(_days(words[0]))
        except ValueError:
            raise wrong from None
    if not hours and len(words) == 2:
        raise wrong
    return Quiet(days=days, begin=begin, minutes=minutes)


def _days(text: str) -> Iterator[int]:
    for part in text.split(","):
        first, is_range, last = part.partition("-")
        begin = _day(first)
        end = _day(last) if is_range else begin
        yield from (day % 7 for day in range(begin, end + 1 + 7 * (end < begin)))


def _day(text: str) -> int:
    """Return the day of that name or beginning; raise ValueError if there is none."""
    name = next((name for name in NAMES if text in (name, name[:3])), "")
    return NAMES.index(name)


def quiet_until(now: datetime, quiet: Sequence[Quiet], zone: tzinfo) -> datetime | None:
    """Return when the quiet ends in which a moment lies; None: it lies in none.

    Args:
        now: the moment, aware.
        quiet: the times.
        zone: whose clocks they mean.
    """
    wall = now.astimezone(zone).replace(tzinfo=None)
    today = wall.date()
    times = [
        found
        for day in range(-1, WEEK.days + 1)
        for one in quiet
        if (found := one.of_day(today + timedelta(days=day))) is not None
    ]
    end = wall
    for begin, finish in sorted(times):
        if begin <= end < finish:
            end = finish
    if end == wall:
        return None
    if end - wall >= WEEK:
        return _never
    for fold in (0, 1):  # where clocks go back, a time on the wall comes twice
        moment = end.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        if moment > now:
            return moment
    return None


_never = datetime.max.replace(tzinfo=UTC)
