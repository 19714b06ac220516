"""A checkpoint in a runner that runs: its triggers, and how many runs it has."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from truthound._clock import Clock
from truthound.checkpoint._running.active import ActiveRun
from truthound.checkpoint._running.drivers import Driver, TimedDriver
from truthound.checkpoint._running.line import limits_of
from truthound.checkpoint._running.polling import driver_for
from truthound.checkpoint._running.runs import Runs
from truthound.checkpoint._running.timetable import Timetable
from truthound.checkpoint._trigger import BaseTrigger, TriggerStatus
from truthound.checkpoint.triggers.upstream import UpstreamTrigger
from truthound.errors import TriggerError
from truthound.secrets import without_password

logger: logging.Logger = logging.getLogger("truthound.checkpoint")


class Entry:
    """A checkpoint among those of a runner.

    Attributes:
        checkpoint: which.
        limits: what its runs use, and how many may at once.
        triggers: those that it had when it was added.
        is_paused: whether its triggers start no runs.
        running: runs of it that are under way, waiting ones included.
    """

    def __init__(
        self, checkpoint: Any, runs: Runs, clock: Clock, poll_interval: float
    ) -> None:
        self.checkpoint = checkpoint
        self.name: str = checkpoint.name
        # As they are now: what is changed later is not what was checked.
        self.limits = limits_of(checkpoint)
        self.triggers: list[Any] = list(getattr(checkpoint, "triggers", ()))
        self.clock = clock
        self.poll_interval = poll_interval
        self.is_paused = False
        self.running = 0
        self.drivers: list[Driver] = []
        self._runs = runs
        self._missed = 0  # by drivers that have ended
        self._timetable: Timetable | None = None

    @property
    def timetable(self) -> Timetable | None:
        """The runner's; None when it has been stopped."""
        return self._timetable

    @property
    def runs(self) -> Runs:
        """The runner's."""
        return self._runs

    @property
    def is_open(self) -> bool:
        """Whether the runner begins runs."""
        return self._runs.is_open

    @property
    def missed(self) -> int:
        """How many times no run was started for."""
        return self._missed + sum(driver.missed for driver in self.drivers)

    async def begin(self, timetable: Timetable) -> None:
        """Start the triggers, and those that are added from now on."""
        self._timetable = timetable
        for trigger in list(getattr(self.checkpoint, "triggers", ())):
            await self._begin(trigger)
        listeners = getattr(self.checkpoint, "listeners", None)
        if listeners is not None:
            listeners.append(self._trigger_came)

    async def end(self) -> None:
        """Stop the triggers."""
        listeners = getattr(self.checkpoint, "listeners", [])
        if self._trigger_came in listeners:
            listeners.remove(self._trigger_came)
        drivers, self.drivers = self.drivers, []
        self._missed += sum(driver.missed for driver in drivers)
        self._timetable = None
        for driver in drivers:
            driver.close()
        slow = [self._ended(driver) for driver in drivers]
        if len(slow) == 1:
            await slow[0]
        elif slow:
            await asyncio.gather(*slow)

    def ends_slowly(self) -> bool:
        """Tell whether a trigger has to be waited for when it is stopped."""
        return any(not isinstance(driver, TimedDriver) for driver in self.drivers)

    def start_run(
        self,
        trigger: str | None,
        context: Mapping[str, Any],
        *,
        is_owed: bool = False,
        slot: tuple[str, bool] | None = None,
        on_gone: Callable[[ActiveRun], None] | None = None,
    ) -> str:
        """Start a run and return its id.

        Args:
            trigger: what starts it.
            context: for the metadata of its result.
            is_owed: also while the runner stops; it then ends as interrupted.
            slot: names the due time for which it is.
            on_gone: called when it is over, before it is known that there is a place.

        Raises:
            NotRunningError: the runner does not run.
        """
        (run,) = self._runs.accept(
            [self.checkpoint], context, trigger=trigger, is_owed=is_owed, slot=slot
        )
        self.count(run)
        if on_gone is not None:
            run.on_gone = partial(self._left, run, on_gone)
        return run.run_id

    def place_of(
        self,
        trigger: BaseTrigger[Any],
        is_like: Callable[[Any], bool] = lambda other: True,
    ) -> str:
        """Name a trigger of this checkpoint, alike in all processes that have it.

        It keeps its name when others of other types, or of other names, come and go.

        Args:
            trigger: which.
            is_like: tells of one of its type and name whether it is counted, too.
        """
        kind, name = trigger.trigger_type, _own_name(trigger)
        number = 0
        for other in list(getattr(self.checkpoint, "triggers", ())):
            if other is trigger:
                break
            same = (other.trigger_type, _own_name(other)) == (kind, name)
            number += same and is_like(other)
        return f"{number}:{kind}" + (f"={name}" if name else "")

    def place_before(self, trigger: BaseTrigger[Any]) -> str:
        """Name a trigger as it was named in the past: by its number among all."""
        triggers = list(getattr(self.checkpoint, "triggers", ()))
        place = next((n for n, t in enumerate(triggers) if t is trigger), len(triggers))
        return f"{place}:{trigger.trigger_type}"

    def count(self, run: ActiveRun) -> None:
        """Count a run of this checkpoint, as long as it is under way."""
        self.running += 1
        run.on_gone = self._gone

    async def _begin(self, trigger: BaseTrigger[Any]) -> None:
        if not trigger.enabled or self._timetable is None:
            return
        driver = driver_for(trigger, self)
        self.drivers.append(driver)
        try:
            await driver.begin()
        except Exception as error:  # noqa: BLE001 - one part's fault stays with it
            trigger.status = TriggerStatus.ERROR
            self.trigger_failed(trigger, error)

    def _trigger_came(self, trigger: BaseTrigger[Any]) -> None:
        self._runs.spawn(self._begin(trigger))

    async def _ended(self, driver: Driver) -> None:
        try:
            await driver.end()
        except Exception as error:  # noqa: BLE001 - one part's fault stays with it
            self.trigger_failed(driver.trigger, error)

    def pause(self) -> None:
        """Let the triggers start no runs."""
        self.is_paused = True

    def resume(self) -> None:
        """Let them start runs again."""
        self.is_paused = False
        self.look()

    def look(self) -> None:
        """See whether a trigger has something to start."""
        for driver in self.drivers:
            driver.look()

    def upstream(self) -> list[UpstreamTrigger]:
        """Return its triggers that wait for other checkpoints."""
        return [
            driver.trigger
            for driver in self.drivers
            if isinstance(driver.trigger, UpstreamTrigger)
        ]

    def trigger_failed(
        self, trigger: BaseTrigger[Any], error: BaseException, *, is_known: bool = False
    ) -> None:
        """Report what a trigger raised.

        Args:
            trigger: which.
            error: what.
            is_known: it is no fault of the code: nobody needs to see where it was.
        """
        said = without_password(str(error))
        told = TriggerError(
            f"{self.name}: trigger {trigger.name}: {type(error).__name__}: {said}"
        )
        told.__cause__ = error
        logger.error("%s", told, exc_info=None if is_known else error)
        self._runs.report_soon(told)

    def moments(self) -> list[tuple[float, Callable[[], None]]]:
        """Return when its triggers are due."""
        found = []
        for driver in self.drivers:
            if isinstance(driver, TimedDriver):
                moment = driver.moment()
                if moment is not None:
                    found.append((moment, driver.wake))
        return found

    def _left(self, run: ActiveRun, on_gone: Callable[[ActiveRun], None]) -> None:
        try:
            on_gone(run)
        finally:
            self._gone()

    def _gone(self) -> None:
        self.running -= 1
        self.look()


def _own_name(trigger: BaseTrigger[Any]) -> Any:
    return getattr(trigger.config, "name", None)
