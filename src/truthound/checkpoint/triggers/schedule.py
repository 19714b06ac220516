"""``ScheduleTrigger``: at once, then again and again after an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any

from truthound.async_core._limit import check_seconds
from truthound.checkpoint._action import check_number
from truthound.checkpoint._trigger import TimedTrigger, TriggerConfig
from truthound.checkpoint.triggers._wall import moment_of, zone_of
from truthound.errors import ConfigurationError

LONGEST_GRACE = 3600.0  # seconds
# Openings of the window that are looked at before the answer is "never".
LOOKS = 1_000


@dataclass
class ScheduleConfig(TriggerConfig):
    """Options of a :class:`ScheduleTrigger`.

    Attributes:
        interval_seconds: from one run to the next; the three intervals are added up.
        interval_minutes: as above.
        interval_hours: as above.
        start_time: a moment before which it does not run, or a time of day before
            which it does not on any day.
        end_time: the same, after which it does not.
        run_on_weekdays: days on which it runs, 0 is Monday; None for all.
        timezone: for times of day and weekdays, and for moments without one; None
            is UTC.
        misfire_grace_seconds: how late a run may begin (the machine slept, the loop
            was blocked); later it counts as missed. None: the half of the interval, at
            most an hour.
    """

    interval_seconds: float | None = None
    interval_minutes: float | None = None
    interval_hours: float | None = None
    start_time: datetime | time | str | None = None
    end_time: datetime | time | str | None = None
    run_on_weekdays: Sequence[int] | None = None
    timezone: str | None = None
    misfire_grace_seconds: float | None = None

    def check(self) -> None:
        super().check()
        parts = ("interval_seconds", "interval_minutes", "interval_hours")
        given = [part for part in parts if getattr(self, part) is not None]
        if not given:
            raise ConfigurationError(
                "the interval is missing: interval_seconds, interval_minutes or "
                "interval_hours"
            )
        for part in given:
            check_number(part, getattr(self, part))
        check_seconds(given[0], self.interval())
        zone = zone_of(self.timezone)
        for option in ("start_time", "end_time"):
            setattr(self, option, moment_of(option, getattr(self, option), zone))
        for day in self.run_on_weekdays or ():
            if isinstance(day, bool) or not isinstance(day, int) or not 0 <= day <= 6:
                raise ConfigurationError(
                    f"run_on_weekdays: a day is 0 (Monday) to 6 (Sunday), not {day!r}"
                )
        if self.run_on_weekdays is not None and not list(self.run_on_weekdays):
            raise ConfigurationError("run_on_weekdays names no day; None is for all")
        begin, end = self.start_time, self.end_time
        if isinstance(begin, datetime) and isinstance(end, datetime) and end < begin:
            raise ConfigurationError("end_time is before start_time")
        if self.misfire_grace_seconds is not None:
            check_number("misfire_grace_seconds", self.misfire_grace_seconds)

    def interval(self) -> float:
        """Return the interval in seconds."""
        return (
            (self.interval_seconds or 0)
            + (self.interval_minutes or 0) * 60
            + (self.interval_hours or 0) * 3600
        )


class ScheduleTrigger(TimedTrigger[ScheduleConfig]):
    """Runs at the start, then every interval.

    The interval counts from the scheduled time, on the monotonic clock: how long runs
    take, and that somebody sets the machine's clock, changes nothing. A time outside of
    ``start_time``, ``end_time`` and ``run_on_weekdays`` waits until that window opens.

    Example:
        >>> trigger = ScheduleTrigger(interval_seconds=90)
        >>> trigger.should_trigger().should_run
        True
        >>> trigger.record_run()
        >>> trigger.should_trigger().should_run
        False
    """

    trigger_type: str = "schedule"

    def __init__(self, config: ScheduleConfig | None = None, **options: Any) -> None:
        super().__init__(config, **options)
        self._zone: tzinfo = zone_of(self._config.timezone)
        self._due: float | None = None
        self._counted_from: tuple[float, int] | None = None
        self._is_set = False

    def _on_start(self) -> None:
        self._is_set = False

    def due_at(self, now: float) -> float | None:
        if not self._is_set:
            self._due, self._is_set = self._allowed(self._first(now), now), True
            self._count_from(self._due, now)
        return self._due

    def advance(self, now: float) -> None:
        due = self.due_at(now)
        if due is not None and due <= now:
            interval = self._config.interval()
            passed = math.floor((now - due) / interval) + 1
            following = due + passed * interval
            self._due = self._allowed(following, now)
            if self._due != following:  # a window opens: all count from there
                self._count_from(self._due, now)

    def grace(self) -> float:
        given = self._config.misfire_grace_seconds
        if given is not None:
            return given
        return min(self._config.interval() / 2, LONGEST_GRACE)

    def slot(self) -> tuple[str, bool] | None:
        # Whole intervals since 1970. Processes count from different beginnings, so each
        # has the number of its first time from the clock, and counts on from there.
        if self._due is None or self._counted_from is None:
            return None
        due, number = self._counted_from
        interval = self._config.interval()
        passed = math.floor((self._due - due) / interval + 0.5)
        return f"{interval:g} s {number + passed}", not passed

    def reason(self) -> str:
        return f"every {self._config.interval():g} s"

    def _count_from(self, due: float | None, now: float) -> None:
        if due is None:
            return
        interval = self._config.interval()
        wall = self.clock.now().timestamp() + due - now
        # A window that opens at nine opens a little sooner or later on each machine.
        self._counted_from = due, math.floor((wall + min(1.0, interval / 4)) / interval)

    def _first(self, now: float) -> float:
        begin = self._config.start_time
        if isinstance(begin, datetime):
            return now + max(0.0, (begin - self.clock.now()).total_seconds())
        return now

    def _allowed(self, due: float, now: float) -> float | None:
        """Return the first moment from ``due`` on that lies in the window.

        A moment outside waits until the window opens, and the interval counts from
        there.
        """
        end, wall_now = self._config.end_time, self.clock.now()
        for _ in range(LOOKS):
            wall = wall_now + timedelta(seconds=due - now)
            if isinstance(end, datetime) and wall > end:
                return None
            wait = self._wait(wall.astimezone(self._zone))
            if wait <= 0:
                return due
            due += wait
        return None

    def _wait(self, wall: datetime) -> float:
        """Return the seconds from a local moment until the window may be open."""
        config = self._config
        begin = config.start_time if isinstance(config.start_time, time) else time.min
        end = config.end_time if isinstance(config.end_time, time) else time.max
        days = config.run_on_weekdays
        clock = wall.timetz().replace(tzinfo=None)
        inside = begin <= clock <= end if begin <= end else not end < clock < begin
        if inside and (days is None or wall.weekday() in days):
            return 0
        # Over midnight a window is open from the first minute of a day that counts.
        opens_at = time.min if inside or (begin > end and days is not None) else begin
        opens = datetime.combine(wall.date(), opens_at, wall.tzinfo)
        if opens <= wall.replace(fold=0):  # not today any more
            opens_at = time.min if inside else begin
            opens = datetime.combine(
                wall.date() + timedelta(days=1), opens_at, wall.tzinfo
            )
        # In UTC: a day on which clocks change has 23 or 25 hours.
        passed = opens.astimezone(UTC) - wall.astimezone(UTC)
        return max(passed.total_seconds(), 1e-6)
