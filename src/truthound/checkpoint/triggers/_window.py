"""When a trigger may run at all: moments, times of day, weekdays, holidays."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Any

from truthound.errors import ConfigurationError

# Days that are looked at before the answer is "never".
LOOKS = 1_000
SHORTEST = 1e-6  # seconds
Bound = datetime | time | None


@dataclass(frozen=True, slots=True)
class Window:
    """The time in which a trigger may run.

    Attributes:
        zone: of the times of day, and of the days.
        begin: a moment before which it may not, or a time of day.
        end: the same, after which it may not. One before ``begin`` is on the next day.
        weekdays: days on which it may, 0 is Monday; None for all.
        holidays: days on which it may not.
    """

    zone: tzinfo
    begin: Bound = None
    end: Bound = None
    weekdays: Collection[int] | None = None
    holidays: frozenset[date] = frozenset()

    @property
    def is_always(self) -> bool:
        """Whether it is always open."""
        bounds = (self.begin, self.end, self.weekdays)
        return all(bound is None for bound in bounds) and not self.holidays

    def opens(self, moment: datetime) -> datetime | None:
        """Return the first moment from one on at which it is open; None: never."""
        if isinstance(self.begin, datetime):
            moment = max(moment, self.begin)
        found = self._opens(moment)
        is_late = isinstance(self.end, datetime) and found is not None
        return None if is_late and found > self.end else found  # type: ignore[operator]

    def closed(self, moment: datetime) -> datetime | None:
        """Return the last moment up to one at which it was open; None: never."""
        if isinstance(self.end, datetime):
            moment = min(moment, self.end)
        found = self._closed(moment)
        is_early = isinstance(self.begin, datetime) and found is not None
        return None if is_early and found < self.begin else found  # type: ignore[operator]

    def _opens(self, moment: datetime) -> datetime | None:
        local = moment.astimezone(self.zone)
        for ahead in range(LOOKS):
            day = local.date() + timedelta(days=ahead)
            for begin, end in self._spans(day):
                if not ahead:
                    if begin <= local.replace(tzinfo=None).time() <= end:
                        return moment
                    if end < local.replace(tzinfo=None).time():
                        continue
                for found in self._moments(day, begin):
                    if found > moment:
                        return found
        return None

    def _closed(self, moment: datetime) -> datetime | None:
        local = moment.astimezone(self.zone)
        for back in range(LOOKS):
            day = local.date() - timedelta(days=back)
            for begin, end in reversed(self._spans(day)):
                if not back:
                    if begin <= local.replace(tzinfo=None).time() <= end:
                        return moment
                    if begin > local.replace(tzinfo=None).time():
                        continue
                for found in reversed(self._moments(day, end)):
                    if found < moment:
                        return found
        return None

    def _spans(self, day: date) -> list[tuple[time, time]]:
        """Return when it is open on a day, both ends included."""
        if day in self.holidays:
            return []
        if self.weekdays is not None and day.weekday() not in self.weekdays:
            return []
        begin = self.begin if isinstance(self.begin, time) else time.min
        end = self.end if isinstance(self.end, time) else time.max
        if begin <= end:
            return [(begin, end)]
        # Over midnight it is open from the first minute of a day that counts.
        return [(time.min, end), (begin, time.max)]

    def _moments(self, day: date, clock: time) -> list[datetime]:
        """Return when it is that time on a day: twice where clocks go back.

        One that is skipped where they go forward is right after the gap.
        """
        local = datetime.combine(day, clock, self.zone)
        first, second = (local.replace(fold=n).astimezone(UTC) for n in (0, 1))
        if first > second:  # in a gap, which lies between them
            return [self._after_gap(second, first)]
        return [first] if first == second else [first, second]

    def _after_gap(self, low: datetime, high: datetime) -> datetime:
        offset = low.astimezone(self.zone).utcoffset()
        while high - low > timedelta(microseconds=1):
            middle = low + (high - low) / 2
            if middle.astimezone(self.zone).utcoffset() == offset:
                low = middle
            else:
                high = middle
        return high


def holidays_of(given: Any) -> frozenset[date]:
    """Return days as an option says them.

    Args:
        given: dates, or texts like ``2026-12-24``; or the path of a file with one on
            each line, in which ``#`` begins a remark. Blocks then.

    Raises:
        ConfigurationError: one is no date, or the file cannot be read.
    """
    if isinstance(given, (str, os.PathLike)):
        return frozenset(_in_file(Path(given)))
    if not isinstance(given, (Sequence, set, frozenset)) or isinstance(given, bytes):
        raise ConfigurationError(
            "holidays is a list of dates like 2026-12-24, or the path of a file with "
            f"one on each line, not {given!r}"
        )
    return frozenset(_day(item, "holidays") for item in given)


def _in_file(path: Path) -> list[date]:
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise ConfigurationError(
            f"holidays: {path} cannot be read ({why}); it is a list of dates, or the "
            "path of a file with one on each line"
        ) from None
    found = []
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if text:
            found.append(_day(text, f"holidays: {path}:{number}"))
    return found


def _day(given: object, where: str) -> date:
    if isinstance(given, date) and not isinstance(given, datetime):
        return given
    try:
        if isinstance(given, str):
            return date.fromisoformat(given.strip())
    except ValueError:
        pass
    raise ConfigurationError(f"{where}: a day is like 2026-12-24, not {given!r}")
