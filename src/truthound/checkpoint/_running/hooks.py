"""From a request over HTTP to a run: accepted, written down, and only then answered."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from truthound.checkpoint._running.drivers import PushDriver
from truthound.checkpoint._trigger import TriggerStatus
from truthound.checkpoint.triggers.hook import HookRefusedError, HookTrigger
from truthound.errors import NotRunningError, StoreError
from truthound.store import RunState
from truthound.store.records import HOOKS

if TYPE_CHECKING:
    from truthound.checkpoint._running.active import ActiveRun
    from truthound.checkpoint._running.entry import Entry

logger: logging.Logger = logging.getLogger("truthound.checkpoint")

KEPT = 10_000  # ids of messages that are remembered, and all of the replay window
FULL, AWAY = 5.0, 10.0  # seconds after which a message may be sent again


class HookDriver(PushDriver):
    """Starts a run for each message, and knows those that were here before.

    Without a store it remembers the ids of the last messages; with one, the run of a
    message is found there as long as the run is kept.
    """

    trigger: HookTrigger

    def __init__(self, trigger: HookTrigger, entry: Entry) -> None:
        super().__init__(trigger, entry)
        # By id of the message: its run, and when it came, on the monotonic clock.
        self._known: OrderedDict[str, tuple[asyncio.Task[str], float]] = OrderedDict()

    async def begin(self) -> None:
        await super().begin()
        self.trigger.on_call = self.called_from_anywhere

    def close(self) -> None:
        super().close()
        self.trigger.on_call = None

    async def called_from_anywhere(
        self, context: Mapping[str, Any], id_: str | None
    ) -> str:
        """Do :meth:`called` in the loop of the runner; a server may have its own."""
        if asyncio.get_running_loop() is self._loop:
            return await self.called(context, id_)
        calling = asyncio.run_coroutine_threadsafe(
            self.called(context, id_), self._loop
        )
        return await asyncio.wrap_future(calling)

    async def called(self, context: Mapping[str, Any], id_: str | None) -> str:
        """Start the run of a message, or find it; see ``HookTrigger.call``."""
        known = self._known.get(id_) if id_ is not None else None
        if known is None:
            try:
                self._check_place()
            except HookRefusedError:
                # A message that was here before needs no place, and none of the runs.
                if id_ is None or self.is_over or not self.entry.is_open:
                    raise
                if (found := await self._stored(id_)) is None:
                    raise
                return found
            known = self._spawned(context, id_), self.entry.clock.monotonic()
            if id_ is not None:
                self._forget()
                self._known[id_] = known
        return await self._answer(known[0], id_)

    async def _answer(self, task: asyncio.Task[str], id_: str | None) -> str:
        """Wait until a run is written down; whoever is cancelled meanwhile is alone."""
        try:
            return await asyncio.shield(task)
        except StoreError:
            # The run goes on, and is written down when that can be done.
            if id_ is not None and (found := await self._stored(id_)) is not None:
                return found
            raise HookRefusedError(503, "not stored yet", AWAY) from None
        except asyncio.CancelledError:
            if not task.cancelled():
                raise
            raise HookRefusedError(503, "stopping", AWAY) from None
        except HookRefusedError:
            self._known.pop(id_ or "", None)
            raise

    def _check_place(self) -> None:
        """Raise HookRefusedError if no run can be started now."""
        trigger, entry = self.trigger, self.entry
        if self.is_over or not entry.is_open:
            raise HookRefusedError(503, "stopping", AWAY)
        if entry.is_paused or trigger.status != TriggerStatus.ACTIVE:
            raise HookRefusedError(503, "paused", AWAY)
        if not trigger.should_continue():
            raise HookRefusedError(410, "no more runs")
        if entry.running >= trigger.config.max_concurrent:
            raise HookRefusedError(429, "too many runs are under way", FULL)

    def _spawned(
        self, context: Mapping[str, Any], id_: str | None
    ) -> asyncio.Task[str]:
        """Accept a run now; the task ends with its id when it is written down."""
        trigger, entry = self.trigger, self.entry
        slot = None if id_ is None else (self._slot(id_), False)
        told = {"trigger": trigger.name, "reason": "a request came", **context}
        try:
            run_id = entry.start_run(
                trigger.name, told, slot=slot, on_gone=partial(self._gone, id_)
            )
        except NotRunningError:
            raise HookRefusedError(503, "stopping", AWAY) from None
        trigger.record_run()
        run = entry.runs.active[run_id]
        task = entry.runs.spawn(self._written(run, id_))
        task.add_done_callback(_seen)
        return task

    async def _written(self, run: ActiveRun, id_: str | None) -> str:
        if run.run_id in self.entry.runs.active:
            await self.entry.runs.written(run.run_id)
        if run.verdict is not None and run.verdict[1] == RunState.INTERRUPTED:
            raise HookRefusedError(503, "stopping", AWAY)
        if not run.is_refused or id_ is None:
            return run.run_id
        self.trigger.run_count -= 1  # it was none
        self._known.pop(id_, None)  # it is for the store to say what becomes of it
        first = await self._stored(id_)  # of another process, or an earlier one
        if first is None:
            raise HookRefusedError(503, "not found in the store", AWAY)
        return first

    def _gone(self, id_: str | None, run: ActiveRun) -> None:
        """Forget a message whose run was cut off: it may be sent again."""
        if id_ is not None and run.verdict is not None:
            self._known.pop(id_, None)

    async def _stored(self, id_: str) -> str | None:
        ledger = self.entry.runs.ledger
        return None if ledger is None else await ledger.run_of(self._slot(id_))

    def _slot(self, id_: str) -> str:
        return f"{HOOKS}{self.entry.name}|{self.trigger.path_name}|{id_}"

    def _forget(self) -> None:
        """Forget old messages, but none that could be sent again with its signature."""
        window = 2 * self.trigger.config.tolerance_seconds
        now = self.entry.clock.monotonic()
        while len(self._known) >= KEPT:
            _, came = next(iter(self._known.values()))
            if now - came <= window:
                break
            self._known.popitem(last=False)


def _seen(task: asyncio.Task[str]) -> None:
    """Look at what a task raised, in case nobody else does."""
    with suppress(asyncio.CancelledError):
        task.exception()
