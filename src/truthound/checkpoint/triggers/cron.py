"""``CronTrigger``: at the times of a cron expression, in a time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cronsim import CronSim, CronSimError

from truthound.checkpoint.triggers._clocked import ClockConfig, ClockTrigger
from truthound.checkpoint.triggers._window import LOOKS
from truthound.errors import ConfigurationError, did_you_mean

NAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


@dataclass
class CronConfig(ClockConfig):
    """Options of a :class:`CronTrigger`.

    Attributes:
        expression: five fields (minute, hour, day of the month, month, day of the
            week; Sunday is 0 and 7), six with seconds before them, or a name such
            as ``@daily``.
    """

    expression: str = ""

    def check(self) -> None:
        super().check()
        parse(self.expression)


def parse(expression: object) -> str:
    """Return an expression without names.

    Raises:
        ConfigurationError: it is none; the message names the field.
    """
    if not isinstance(expression, str) or not expression.strip():
        raise ConfigurationError(
            f"expression is five or six fields, like '0 9 * * 1-5', not {expression!r}"
        )
    text = expression.strip()
    if text.startswith("@"):
        if text.lower() not in NAMES:
            raise ConfigurationError(
                f"expression: there is no name {text!r}{did_you_mean(text, NAMES)}; "
                f"there are {', '.join(NAMES)}"
            )
        return NAMES[text.lower()]
    try:
        CronSim(text, datetime(2024, 1, 1, tzinfo=UTC))
    except (CronSimError, ValueError) as error:
        raise ConfigurationError(f"expression {text!r}: {error}") from None
    return text


class CronTrigger(ClockTrigger[CronConfig]):
    """Runs at the times of a cron expression.

    As Debian's cron has it: with both days given it is either of them, unless one
    begins with ``*``. When clocks change, a time that is skipped comes right after the
    gap, a time that comes twice runs once, and hourly ones go on each hour. A time
    runs at most once, also if the machine's clock is set back. Times outside of
    ``start_time`` and ``end_time``, or on ``holidays``, are none.

    Example:
        >>> CronTrigger(expression="0 9 * * 1-5", timezone="Europe/Helsinki")
        CronTrigger('cron')
    """

    trigger_type: str = "cron"

    def __init__(self, config: CronConfig | None = None, **options: Any) -> None:
        super().__init__(config, **options)
        self._expression = parse(self._config.expression)
        self._next: datetime | None = None  # in UTC
        self._is_set = False

    def _on_start(self) -> None:
        self._is_set = False

    def due_at(self, now: float) -> float | None:
        wall = self.clock.now()
        if not self._is_set:
            self._is_set = True
            self._next = wall if self._config.run_immediately else self.after(wall)
        if self._next is None:
            return None
        later = self._later(self._next)
        return now + (self._next - wall).total_seconds() + later

    def advance(self, now: float) -> None:
        due = self.due_at(now)
        if self._next is not None and due is not None and due <= now:
            self._next = self.after(max(self.clock.now(), self._next))

    def after(self, moment: datetime) -> datetime | None:
        """Return the first time after a moment, in UTC; None if there is none.

        Args:
            moment: aware.
        """
        found = self._after(moment)
        for _ in range(LOOKS):
            if found is None or self._window.is_always:
                return found
            opens = self._window.opens(found)
            if opens is None or opens == found:
                return opens
            # A time at which it opens is one, too.
            found = self._after(opens - timedelta(microseconds=1))
        return None

    def _after(self, moment: datetime) -> datetime | None:
        times = CronSim(self._expression, moment.astimezone(self._zone))
        for found in times:
            nominal = found.astimezone(UTC)
            # Where clocks go back, a local time stands for two moments.
            if nominal > moment:
                return nominal
        return None

    def _before(self, moment: datetime) -> datetime | None:
        """Return the last time up to a moment, whether it counts or not."""
        end = moment.replace(microsecond=0) + timedelta(seconds=1)
        for found in CronSim(
            self._expression, end.astimezone(self._zone), reverse=True
        ):
            nominal = found.astimezone(UTC)
            if nominal <= moment:
                return nominal
        return None

    def gap(self) -> float | None:
        following = self.after(self._next) if self._next else None
        if self._next is None or following is None:
            return None
        return (following - self._next).total_seconds()

    def slot(self) -> tuple[str, bool] | None:
        return None if self._next is None else (self._next.isoformat(), False)

    def missed_since(self, moment: datetime) -> str | None:
        # One that is due this very moment comes by itself.
        last = self._before(self.clock.now() - timedelta(seconds=1))
        for _ in range(LOOKS):
            if last is None or last <= moment:
                return None
            closed = self._window.closed(last)
            if closed is None or closed == last:
                return None if closed is None else last.isoformat()
            last = self._before(closed)
        return None

    def reason(self) -> str:
        return f"cron {self._config.expression}"
