"""``CronTrigger``: at the times of a cron expression, in a time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from cronsim import CronSim, CronSimError

from truthound.checkpoint._action import check_number
from truthound.checkpoint._trigger import TimedTrigger, TriggerConfig
from truthound.checkpoint.triggers._wall import zone_of
from truthound.checkpoint.triggers.schedule import LONGEST_GRACE
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
class CronConfig(TriggerConfig):
    """Options of a :class:`CronTrigger`.

    Attributes:
        expression: five fields (minute, hour, day of the month, month, day of the
            week; Sunday is 0 and 7), six with seconds before them, or a name such
            as ``@daily``.
        timezone: whose time it is; None is UTC.
        misfire_grace_seconds: how late a run may begin; later it counts as missed.
            None: the half of the time to the next one, at most an hour.
    """

    expression: str = ""
    timezone: str | None = None
    misfire_grace_seconds: float | None = None

    def check(self) -> None:
        super().check()
        parse(self.expression)
        zone_of(self.timezone)
        if self.misfire_grace_seconds is not None:
            check_number("misfire_grace_seconds", self.misfire_grace_seconds)


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


class CronTrigger(TimedTrigger[CronConfig]):
    """Runs at the times of a cron expression.

    As Debian's cron has it: with both days given it is either of them, unless one
    begins with ``*``. When clocks change, a time that is skipped comes right after the
    gap, a time that comes twice runs once, and hourly ones go on each hour. A time
    runs at most once, also if the machine's clock is set back.

    Example:
        >>> CronTrigger(expression="0 9 * * 1-5", timezone="Europe/Helsinki")
        CronTrigger('cron')
    """

    trigger_type: str = "cron"

    def __init__(self, config: CronConfig | None = None, **options: Any) -> None:
        super().__init__(config, **options)
        self._zone: tzinfo = zone_of(self._config.timezone)
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
        return now + (self._next - wall).total_seconds()

    def advance(self, now: float) -> None:
        due = self.due_at(now)
        if self._next is not None and due is not None and due <= now:
            self._next = self.after(max(self.clock.now(), self._next))

    def after(self, moment: datetime) -> datetime | None:
        """Return the first time after a moment, in UTC; None if there is none.

        Args:
            moment: aware.
        """
        times = CronSim(self._expression, moment.astimezone(self._zone))
        for found in times:
            nominal = found.astimezone(UTC)
            # Where clocks go back, a local time stands for two moments.
            if nominal > moment:
                return nominal
        return None

    def grace(self) -> float:
        given = self._config.misfire_grace_seconds
        if given is not None:
            return given
        following = self.after(self._next) if self._next else None
        if self._next is None or following is None:
            return LONGEST_GRACE
        return min((following - self._next).total_seconds() / 2, LONGEST_GRACE)

    def slot(self) -> tuple[str, bool] | None:
        return None if self._next is None else (self._next.isoformat(), False)

    def missed_since(self, moment: datetime) -> str | None:
        now = self.clock.now()
        # One that is due this very moment comes by itself.
        wall = (now - timedelta(seconds=1)).astimezone(self._zone)
        last = next(CronSim(self._expression, wall, reverse=True), None)
        if last is None or last.astimezone(UTC) <= moment:
            return None
        return last.astimezone(UTC).isoformat()

    def reason(self) -> str:
        return f"cron {self._config.expression}"
