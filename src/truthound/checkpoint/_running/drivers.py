"""From a trigger to runs: one driver for each trigger of a running runner."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from contextvars import Context
from datetime import datetime
from typing import TYPE_CHECKING, Any

from truthound.checkpoint._trigger import (
    BaseTrigger,
    PushTrigger,
    TimedTrigger,
    TriggerStatus,
)

if TYPE_CHECKING:
    from truthound.checkpoint._running.active import ActiveRun
    from truthound.checkpoint._running.entry import Entry

logger: logging.Logger = logging.getLogger("truthound.checkpoint")

FAREWELL = 5.0  # seconds that a trigger has to stop
LONGEST = 3600.0  # seconds until another look at the clock
# What a user's code may raise here although nobody has cancelled anything.
Stray = (Exception, asyncio.CancelledError)


class Driver:
    """Starts runs of a checkpoint because of a trigger.

    Attributes:
        trigger: which.
        entry: the checkpoint, in its runner.
        missed: times that no run was started for.
        is_over: whether it starts no more.
    """

    def __init__(self, trigger: BaseTrigger[Any], entry: Entry) -> None:
        self.trigger = trigger
        self.entry = entry
        self.missed = 0
        self.is_over = False
        self._loop = asyncio.get_running_loop()

    async def begin(self) -> None:
        """Start the trigger, and run its checkpoint when it says so."""
        self.trigger.on_change = self._changed
        await self.trigger.begin()
        self.trigger.status = TriggerStatus.ACTIVE

    def close(self) -> None:
        """Start no more runs."""
        self.is_over = True
        self.trigger.on_change = None

    async def end(self) -> None:
        """Stop the trigger."""
        await self.trigger.end()

    def look(self) -> None:
        """See whether there is something to start, now that there may be a place."""

    def can_run(self) -> bool:
        """Tell whether a run may be started for this trigger now."""
        entry, trigger = self.entry, self.trigger
        return (
            not self.is_over
            and entry.is_open
            and not entry.is_paused
            and trigger.status == TriggerStatus.ACTIVE
            and entry.running < trigger.config.max_concurrent
            and trigger.should_continue()
        )

    def start_run(
        self,
        reason: str,
        context: Mapping[str, Any] | None,
        *,
        is_owed: bool = False,
        slot: tuple[str, bool] | None = None,
        on_gone: Callable[[ActiveRun], None] | None = None,
    ) -> None:
        """Start a run."""
        told = {"trigger": self.trigger.name, "reason": reason, **(context or {})}
        self.entry.start_run(
            self.trigger.name, told, is_owed=is_owed, slot=slot, on_gone=on_gone
        )

    def failed(self, error: BaseException) -> None:
        """Report what the trigger raised."""
        self.entry.trigger_failed(self.trigger, error)

    def _changed(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self.look, context=Context())


class TimedDriver(Driver):
    """For triggers that know when they are due: an entry in the timetable."""

    trigger: TimedTrigger[Any]

    def __init__(self, trigger: TimedTrigger[Any], entry: Entry) -> None:
        super().__init__(trigger, entry)
        self._is_owed = False
        self._slot: tuple[str, bool] | None = None  # of the time that is made up for
        self._timer: asyncio.TimerHandle | None = None  # until it may be
        self._is_told = False  # that times are missed, since the last run

    async def begin(self) -> None:
        await super().begin()
        await self._make_up()
        self.arm()

    async def _make_up(self) -> None:
        """Owe a run if a time passed while nobody was there, as far as that is known.

        The store knows up to when each time had its run.
        """
        trigger, entry = self.trigger, self.entry
        ledger = entry.runs.ledger
        if not trigger.config.catch_up or ledger is None:
            return
        known = await ledger.cursor(self._cursor())
        if known is None:
            before = entry.place_before(trigger)
            known = await ledger.cursor(f"{entry.name}|{before}")
        if isinstance(known, str):
            missed = trigger.missed_since(datetime.fromisoformat(known))
            if missed is not None:
                self.missed += 1
                self._is_owed, self._slot = True, self._spelled(missed, False)
                self.look()
                return
        self._note()

    def _note(self) -> None:
        """Write down that each time up to now has had its run."""
        ledger = self.entry.runs.ledger
        if self.trigger.config.catch_up and ledger is not None:
            now = self.entry.clock.now().isoformat()
            self.entry.runs.spawn(ledger.set_cursor(self._cursor(), now))

    def _cursor(self) -> str:
        return f"{self.entry.name}|{self.entry.place_of(self.trigger)}"

    def moment(self) -> float | None:
        """Return when to wake up, in seconds of the monotonic clock."""
        if self.is_over:
            return None
        try:
            if not self.trigger.should_continue():
                return None
            return self.trigger.due_at(self.entry.clock.monotonic())
        except Stray as error:
            self._broke(error)
            return None

    def arm(self) -> None:
        """Wake up at that moment."""
        moment, timetable = self.moment(), self.entry.timetable
        if moment is not None and timetable is not None:
            timetable.add(moment, self.wake)

    def wake(self) -> None:
        """Do what is due, and wait for the next time."""
        now = self.entry.clock.monotonic()
        moment = self.moment()
        if moment is not None and moment <= now:
            try:
                self._due(now, moment)
            except Stray as error:
                self._broke(error)
                return
        self.arm()

    def close(self) -> None:
        super().close()
        if self._timer is not None:
            self._timer.cancel()

    def look(self) -> None:
        try:
            if self._is_owed and self.can_run():
                wait = self.trigger.closed_for()
                if wait is None:
                    self._is_owed = False
                elif wait > 0:
                    self._look_in(wait)
                else:
                    self._is_owed = False
                    self._run("made up for a time that was missed", self._slot)
        except Stray as error:
            self._broke(error)

    def _look_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        wait = min(seconds, LONGEST)
        self._timer = self._loop.call_later(wait, self.look, context=Context())

    def _broke(self, error: BaseException) -> None:
        """Give up a trigger that raises: what it would say next is not to be had."""
        self.is_over = True
        self.trigger.status = TriggerStatus.ERROR
        self.failed(error)

    def _due(self, now: float, moment: float) -> None:
        trigger = self.trigger
        late, grace = now - moment, trigger.grace()
        is_late = late > 0.5 and late > grace
        slot = self._named()
        trigger.advance(now)
        if not is_late and self.can_run():
            self._run(trigger.reason(), slot)
            return
        self.missed += 1
        said = f"{late:.0f} s late, the grace is {grace:g} s"
        why = said if is_late else self._busy()
        logger.info("%s: %s missed, %s", self.entry.name, trigger.name, why)
        if trigger.config.catch_up:
            self._is_owed, self._slot = True, slot
            self.look()
        elif not self._is_told:
            self._is_told = True
            self._tell_missed(why, slot)

    def _tell_missed(self, why: str, slot: tuple[str, bool] | None) -> None:
        """Write down that a time was missed, the first of several in a row."""
        runs = self.entry.runs
        if runs.ledger is not None:
            runs.spawn(
                runs.ledger.missed(self.entry.name, self.trigger.name, why, slot)
            )

    def _busy(self) -> str:
        return "paused" if self.entry.is_paused else "the last run is under way"

    def _named(self) -> tuple[str, bool] | None:
        """Name the time that is due, for all processes that have this trigger."""
        found = self.trigger.slot()
        if found is None:
            return None
        return self._spelled(*found)

    def _spelled(self, name: str, ends: bool) -> tuple[str, bool]:
        return f"{self._cursor()}|{name}", ends

    def _run(self, reason: str, slot: tuple[str, bool] | None) -> None:
        self._is_told = False
        self.trigger.record_run()
        self.start_run(reason, self.trigger.context(), slot=slot)
        self._note()


class PushDriver(Driver):
    """For triggers to which something happens: they tell, and it is taken."""

    trigger: PushTrigger[Any]

    def __init__(self, trigger: PushTrigger[Any], entry: Entry) -> None:
        super().__init__(trigger, entry)
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_first = trigger.config.run_immediately

    async def begin(self) -> None:
        self.trigger.on_news = self._changed
        await super().begin()
        if self.trigger.watches:
            self._task = self._loop.create_task(self._watch(), context=Context())
        self.look()

    def close(self) -> None:
        super().close()
        self.trigger.on_news = None
        if self._timer is not None:
            self._timer.cancel()

    async def end(self) -> None:
        await ended(self._task)
        await super().end()

    def look(self) -> None:
        try:
            while self.can_run() and self._started():
                pass
        except Stray as error:
            self.failed(error)

    def _started(self) -> bool:
        """Start a run if there is something to take; False: not now."""
        trigger = self.trigger
        if self._is_first:
            self._is_first = False
            trigger.record_run()
            self.start_run("at the start", {})
            return True
        wait = trigger.wait_for(trigger.clock.monotonic())
        if wait is None:
            return False
        if wait > 0:
            self._look_in(wait)
            return False
        answer = trigger.take()
        trigger.record_run()
        self.start_run(answer.reason, answer.context)
        return True

    def _look_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self.look, context=Context())

    async def _watch(self) -> None:
        task = asyncio.current_task()
        while not self.is_over:
            try:
                await self.trigger.watch()
                return
            except Stray as error:
                if task is not None and task.cancelling():
                    raise
                self.failed(error)
            await asyncio.sleep(self.entry.poll_interval)


async def ended(task: asyncio.Task[None] | None) -> bool:
    """Cancel a task and wait for its end; False: it does not come."""
    if task is None or task is asyncio.current_task():
        return True
    task.cancel()
    _, pending = await asyncio.wait([task], timeout=FAREWELL)
    for left in pending:
        _left_behind.add(left)  # the loop holds its tasks weakly
        left.add_done_callback(_left_behind.discard)
    if not pending and not task.cancelled():
        task.exception()  # seen: asyncio need not complain
    return not pending


_left_behind: set[asyncio.Task[None]] = set()
