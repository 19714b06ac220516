"""What schedules and cron have in common: a window, grace, and a random part."""

from __future__ import annotations

import dataclasses
import logging
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any, Generic, TypeVar

from truthound.checkpoint._action import check_number
from truthound.checkpoint._trigger import TimedTrigger, TriggerConfig
from truthound.checkpoint._zones import zone_of
from truthound.checkpoint.triggers._wall import moment_of
from truthound.checkpoint.triggers._window import Bound, Window, holidays_of
from truthound.errors import ConfigurationError

LONGEST_GRACE = 3600.0  # seconds


@dataclass
class ClockConfig(TriggerConfig):
    """Options of triggers that run by the clock.

    Attributes:
        start_time: a moment before which it does not run, or a time of day before
            which it does not on any day.
        end_time: the same, after which it does not.
        holidays: days on which it does not run, as ``2026-12-24``, or the path of a
            file with one on each line, which is read once.
        timezone: for times of day, days, and moments without one; None is UTC.
        jitter_seconds: each time is later by a random part of so many seconds, so that
            not everything begins at once. Its name, by which several processes run it
            once, stays that of the time itself.
        misfire_grace_seconds: how late a run may begin (the machine slept, the loop
            was blocked); later it counts as missed. None: the half of the time to the
            next one, at most an hour.
    """

    start_time: datetime | time | str | None = None
    end_time: datetime | time | str | None = None
    holidays: str | os.PathLike[str] | Sequence[str | date] = ()
    timezone: str | None = None
    jitter_seconds: float = 0.0
    misfire_grace_seconds: float | None = None

    def check(self) -> None:
        super().check()
        zone = zone_of(self.timezone)
        for option in ("start_time", "end_time"):
            setattr(self, option, moment_of(option, getattr(self, option), zone))
        begin, end = self.start_time, self.end_time
        if isinstance(begin, datetime) and isinstance(end, datetime) and end < begin:
            raise ConfigurationError("end_time is before start_time")
        self.holidays = sorted(holidays_of(self.holidays))
        check_number("jitter_seconds", self.jitter_seconds)
        if self.misfire_grace_seconds is not None:
            check_number("misfire_grace_seconds", self.misfire_grace_seconds)

    def window(self) -> Window:
        """Return when it may run."""
        begin: Any = self.start_time
        end: Any = self.end_time
        days: Any = self.holidays
        weekdays = getattr(self, "run_on_weekdays", None)
        return Window(zone_of(self.timezone), begin, end, weekdays, frozenset(days))


logger: logging.Logger = logging.getLogger("truthound.checkpoint")

T = TypeVar("T", bound=ClockConfig)


class ClockTrigger(TimedTrigger[T], Generic[T]):
    """Base of triggers that run by the clock.

    Attributes:
        chance: returns random numbers from 0 to 1; for tests.
    """

    chance: Callable[[], float] = random.random

    def __init__(self, config: T | None = None, **options: Any) -> None:
        super().__init__(config, **options)
        self._window = self._config.window()
        self._zone: tzinfo = self._window.zone
        self._part: tuple[object, float] = (None, 0.0)

    def start(self) -> None:
        """Begin; say so if it never runs, which is no fault of a configuration."""
        super().start()
        end = self._window.end
        if isinstance(end, datetime) and end <= self.clock.now():
            logger.warning(
                "%s: end_time %s is over: it never runs", self.name, end.isoformat()
            )

    def _later(self, nominal: object) -> float:
        """Return by how many seconds a time is later: drawn once for each."""
        if not self._config.jitter_seconds:
            return 0.0
        if self._part[0] != nominal:
            self._part = nominal, self.chance() * self._config.jitter_seconds
        return self._part[1]

    def gap(self) -> float | None:
        """Return the seconds to the time after the one it waits for; None: none."""
        raise NotImplementedError

    def grace(self) -> float:
        given = self._config.misfire_grace_seconds
        if given is not None:
            return given
        gap = self.gap()
        return LONGEST_GRACE if gap is None else min(gap / 2, LONGEST_GRACE)

    def closed_for(self) -> float | None:
        # At another time of day, but not on a day on which it does not run.
        days = dataclasses.replace(
            self._window,
            begin=_moment(self._window.begin),
            end=_moment(self._window.end),
        )
        now = self.clock.now()
        opens = days.opens(now)
        return None if opens is None else (opens - now) / timedelta(seconds=1)


def _moment(bound: Bound) -> datetime | None:
    return bound if isinstance(bound, datetime) else None
