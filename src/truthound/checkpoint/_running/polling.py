"""Triggers of users: asked again and again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextvars import Context
from datetime import datetime
from typing import TYPE_CHECKING, Any

from truthound.checkpoint._running.active import INSIDE
from truthound.checkpoint._running.drivers import (
    FAREWELL,
    Driver,
    PushDriver,
    Stray,
    TimedDriver,
    ended,
)
from truthound.checkpoint._running.files import FileDriver
from truthound.checkpoint._running.hooks import HookDriver
from truthound.checkpoint._running.messages import MessageDriver
from truthound.checkpoint._threads import TRIGGERS, in_thread
from truthound.checkpoint._trigger import (
    AsyncBaseTrigger,
    BaseTrigger,
    NativeTrigger,
    PushTrigger,
    TimedTrigger,
    TriggerResult,
    TriggerStatus,
)
from truthound.checkpoint.triggers.file_watch import FileWatchTrigger
from truthound.checkpoint.triggers.hook import HookTrigger
from truthound.checkpoint.triggers.messages import MessageTrigger
from truthound.errors import NotRunningError, TriggerError

if TYPE_CHECKING:
    from truthound.checkpoint._running.entry import Entry

logger: logging.Logger = logging.getLogger("truthound.checkpoint")

ANSWER = 30.0  # seconds that a trigger which blocks has to start, and for an answer
LONGEST = 600.0  # seconds between two questions to one that does not answer


class PollDriver(Driver):
    """For triggers of users: asked again and again, never while it would be in vain."""

    def __init__(self, trigger: BaseTrigger[Any], entry: Entry) -> None:
        super().__init__(trigger, entry)
        self._task: asyncio.Task[None] | None = None
        self._place = asyncio.Event()
        self._is_first = trigger.config.run_immediately
        self._slow = 0.0  # seconds more to wait for one that does not answer

    async def begin(self) -> None:
        self.trigger.on_change = self._changed
        context = Context()
        context.run(INSIDE.set, self.entry.runs)
        self._task = self._loop.create_task(self._poll(), context=context)

    def close(self) -> None:
        super().close()
        self._place.set()

    async def end(self) -> None:
        if not await ended(self._task):
            said = f"it does not stop within {FAREWELL:g} s; it is left behind"
            self.failed(TriggerError(said))

    def look(self) -> None:
        self._place.set()

    async def _poll(self) -> None:
        trigger = self.trigger
        try:
            async with asyncio.timeout(ANSWER):
                await trigger.begin()
            trigger.status = TriggerStatus.ACTIVE
        except Stray as error:
            self._raise_if_cancelled()
            trigger.status = TriggerStatus.ERROR
            self.failed(error)
            return
        try:
            while not self.is_over and trigger.should_continue():
                await self._free()
                begun = self._loop.time()
                next_run = await self._asked()
                pause = self._pause(next_run) - (self._loop.time() - begun)
                await asyncio.sleep(max(0.0, pause))
        except Stray as error:
            self._raise_if_cancelled()
            trigger.status = TriggerStatus.ERROR
            self.failed(error)
        finally:
            await self._stopped()

    async def _free(self) -> None:
        """Wait until a run could be started, or until it is over."""
        while not self.is_over and not self.can_run():
            self._place.clear()
            if not self.trigger.should_continue():
                return
            await self._place.wait()

    async def _asked(self) -> datetime | None:
        """Ask, start a run if the answer is yes, and return when to ask again."""
        if self.is_over:
            return None
        try:
            answer = await self._answer()
        except Stray as error:
            self._raise_if_cancelled()
            self.failed(error)
            return None
        if answer.should_run or self._is_first:
            # What it took, it took for good: it waits for its place.
            try:
                await self._free()
            except asyncio.CancelledError:
                self._start_owed(answer)
                raise
            if self.is_over:
                self._start_owed(answer)
                return None
            if not self.trigger.should_continue():
                return None
            self._is_first = False
            await self._recorded()
            try:
                self.start_run(answer.reason, answer.context)
            except NotRunningError:
                self._start_owed(answer)
        return answer.next_run

    def _start_owed(self, answer: TriggerResult) -> None:
        """Let what was taken become a result, although nothing is begun any more."""
        if answer.should_run:
            self.start_run(answer.reason, answer.context, is_owed=True)

    async def _answer(self) -> TriggerResult:
        trigger = self.trigger
        if isinstance(trigger, AsyncBaseTrigger):
            answer = await trigger.should_trigger_async()
        else:
            try:
                async with asyncio.timeout(ANSWER):
                    answer = await trigger.should_trigger_async()
            except TimeoutError:
                self._slow = min(LONGEST, max(ANSWER, self._slow * 2))
                raise TriggerError(
                    f"no answer within {ANSWER:g} s; asked again in {self._slow:g} s"
                ) from None
        self._slow = 0.0
        if not isinstance(answer, TriggerResult):
            raise TypeError(f"it answered {answer!r}, expected a TriggerResult")
        if not isinstance(answer.context, Mapping | None):
            raise TypeError(f"its context is {answer.context!r}, expected a mapping")
        if not isinstance(answer.next_run, datetime | None):
            raise TypeError(f"its next_run is {answer.next_run!r}, expected a datetime")
        return answer

    async def _recorded(self) -> None:
        record = self.trigger.record_run
        try:
            if type(self.trigger).record_run is BaseTrigger.record_run:
                record()
            else:
                await in_thread(record, TRIGGERS)
        except Stray as error:  # the run is due all the same
            self._raise_if_cancelled()
            self.failed(error)

    def _pause(self, next_run: datetime | None) -> float:
        """Return the seconds from one question to the next."""
        own = self.trigger.poll_interval
        pause = self.entry.poll_interval if own is None else own
        if next_run is not None:
            moment = next_run if next_run.tzinfo else next_run.astimezone()
            left = (moment - self.entry.clock.now()).total_seconds()
            if left > 0:  # one that has passed says nothing
                pause = left
        return pause + self._slow

    def _raise_if_cancelled(self) -> None:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError

    async def _stopped(self) -> None:
        try:
            async with asyncio.timeout(FAREWELL):
                await self.trigger.end()
        except Exception as error:  # noqa: BLE001 - reported; the others go on
            self.failed(error)


def driver_for(trigger: BaseTrigger[Any], entry: Entry) -> Driver:
    """Return what starts the runs of a trigger."""
    asks = type(trigger).should_trigger
    is_ours = asks.__module__.startswith("truthound.")
    if isinstance(trigger, NativeTrigger) and is_ours:
        trigger.clock = entry.clock
        if isinstance(trigger, TimedTrigger):
            return TimedDriver(trigger, entry)
        if isinstance(trigger, FileWatchTrigger):
            return FileDriver(trigger, entry)
        if isinstance(trigger, HookTrigger):
            return HookDriver(trigger, entry)
        if isinstance(trigger, PushTrigger):
            return PushDriver(trigger, entry)
        if isinstance(trigger, MessageTrigger):
            return MessageDriver(trigger, entry)
    return PollDriver(trigger, entry)
