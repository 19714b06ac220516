"""``ScheduleTrigger``: at once, then again and again after an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from truthound.async_core._limit import check_seconds
from truthound.checkpoint._action import check_number
from truthound.checkpoint.triggers._clocked import ClockConfig, ClockTrigger
from truthound.checkpoint.triggers._window import SHORTEST
from truthound.errors import ConfigurationError


@dataclass
class ScheduleConfig(ClockConfig):
    """Options of a :class:`ScheduleTrigger`.

    Attributes:
        interval_seconds: from one run to the next; the three intervals are added up.
        interval_minutes: as above.
        interval_hours: as above.
        run_on_weekdays: days on which it runs, 0 is Monday; None for all.
    """

    interval_seconds: float | None = None
    interval_minutes: float | None = None
    interval_hours: float | None = None
    run_on_weekdays: Sequence[int] | None = None

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
        for day in self.run_on_weekdays or ():
            if isinstance(day, bool) or not isinstance(day, int) or not 0 <= day <= 6:
                raise ConfigurationError(
                    f"run_on_weekdays: a day is 0 (Monday) to 6 (Sunday), not {day!r}"
                )
        if self.run_on_weekdays is not None and not list(self.run_on_weekdays):
            raise ConfigurationError("run_on_weekdays names no day; None is for all")
        if self.jitter_seconds and self.jitter_seconds >= self.interval():
            raise ConfigurationError(
                f"jitter_seconds has to be less than the interval, which is "
                f"{self.interval():g} s, not {self.jitter_seconds!r}"
            )

    def interval(self) -> float:
        """Return the interval in seconds."""
        return (
            (self.interval_seconds or 0)
            + (self.interval_minutes or 0) * 60
            + (self.interval_hours or 0) * 3600
        )


class ScheduleTrigger(ClockTrigger[ScheduleConfig]):
    """Runs at the start, then every interval.

    The interval counts from the scheduled time, on the monotonic clock: how long runs
    take, and that somebody sets the machine's clock, changes nothing. A time outside of
    ``start_time``, ``end_time``, ``run_on_weekdays`` and ``holidays`` waits until that
    window opens.

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
        self._due: float | None = None
        self._counted_from: tuple[float, int] | None = None
        self._is_set = False

    def _on_start(self) -> None:
        self._is_set = False

    def due_at(self, now: float) -> float | None:
        due = self._nominal(now)
        return None if due is None else due + self._later(due)

    def _nominal(self, now: float) -> float | None:
        if not self._is_set:
            self._due, self._is_set = self._allowed(now, now), True
            self._count_from(self._due, now)
        return self._due

    def advance(self, now: float) -> None:
        due, moment = self._nominal(now), self.due_at(now)
        if due is not None and moment is not None and moment <= now:
            interval = self._config.interval()
            passed = math.floor((now - due) / interval) + 1
            following = due + passed * interval
            self._due = self._allowed(following, now)
            if self._due != following:  # a window opens: all count from there
                self._count_from(self._due, now)

    def gap(self) -> float:
        return self._config.interval()

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

    def missed_since(self, moment: datetime) -> str | None:
        now, interval = self.clock.now(), self._config.interval()
        begins, begun = self._nominal(self.clock.monotonic()), self.clock.monotonic()
        if begins is not None and begins <= begun:
            return None  # the run at the start makes up for it
        # While it was open there was a run at that moment, else when it opened.
        first = self._window.opens(moment)
        if first == moment:
            first = self._window.opens(moment + timedelta(seconds=interval))
        last = self._window.closed(now)
        if first is None or last is None or first > last:
            return None
        return f"{interval:g} s {math.floor(last.timestamp() / interval)}"

    def _allowed(self, due: float, now: float) -> float | None:
        """Return the first moment from ``due`` on that lies in the window.

        A moment outside waits until the window opens, and the interval counts from
        there.
        """
        if self._window.is_always:
            return due
        wall = self.clock.now() + timedelta(seconds=due - now)
        opens = self._window.opens(wall)
        if opens is None:
            return None
        if opens == wall:
            return due
        return due + max((opens - wall).total_seconds(), SHORTEST)
