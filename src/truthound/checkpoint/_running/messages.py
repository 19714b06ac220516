"""From the messages of a broker to runs: none is lost, none is run in vain."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from contextvars import Context
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from truthound.async_core._tasks import undisturbed
from truthound.checkpoint._running.active import INSIDE, ActiveRun
from truthound.checkpoint._running.attempts import Attempts, together
from truthound.checkpoint._running.drivers import FAREWELL, Driver, Stray, ended
from truthound.checkpoint._running.settling import Batch, Settling
from truthound.checkpoint._trigger import TriggerStatus
from truthound.checkpoint.model import CheckpointStatus
from truthound.checkpoint.triggers.messages import MessageTrigger, Received
from truthound.errors import (
    ConfigurationError,
    MissingDependencyError,
    NotRunningError,
)
from truthound.store.records import MESSAGES

if TYPE_CHECKING:
    from truthound.checkpoint._running.entry import Entry

logger: logging.Logger = logging.getLogger("truthound.checkpoint")

FIRST = 0.25  # seconds until the second attempt to connect; doubles each time
LAST = 30.0  # seconds between two attempts at most
AGAIN = 0.1  # seconds until a task that was cancelled is so again
STEADY = 2.0  # seconds from which on a connection was a good one
HOPELESS = (ConfigurationError, MissingDependencyError)  # it will not be better later
UNSETTLED = 64  # batches whose runs are over, and of which the broker does not know
OVERDUE = "delivered {} times, and never checked to the end"


class MessageDriver(Driver):
    """For triggers that receive messages; see :class:`MessageTrigger`.

    A message is received when there is a place for its run, and acknowledged when the
    end of that is written down. What is not acknowledged the broker delivers again.
    """

    trigger: MessageTrigger[Any]

    def __init__(self, trigger: MessageTrigger[Any], entry: Entry) -> None:
        super().__init__(trigger, entry)
        runs = entry.runs
        self._tasks: list[asyncio.Task[None]] = []
        self._place = asyncio.Event()
        self._is_empty = asyncio.Event()
        self._has_connected = asyncio.Event()
        self._held: dict[str, Batch] = {}  # by the keys of their messages
        self._under_way = 0  # runs
        self._is_alone = False  # whether beside that which is under way nothing may be
        self._waiting = 0  # batches that wait for a run of somebody else
        self._is_first = trigger.config.run_immediately
        self._said = ""  # the last thing that went wrong
        self._prefix = f"{entry.name}|{entry.place_of(trigger)}"
        self._attempts = Attempts(runs.ledger, self._prefix)
        self._settling = Settling(
            trigger,
            runs.ledger,
            self._attempts,
            self._tell,
            self._buried,
            self._settled,
        )

    async def begin(self) -> None:
        self.trigger.on_change = self._changed
        await self.trigger.begin()
        self.trigger.status = TriggerStatus.ACTIVE
        work = [self._live(), self._settling.serve()]
        if self.trigger.renewal is not None:
            work.append(self._renew())
        for one in work:
            context = Context()
            context.run(INSIDE.set, self.entry.runs)
            self._tasks.append(self._loop.create_task(one, context=context))

    def close(self) -> None:
        super().close()
        self._place.set()

    async def end(self) -> None:
        """Receive nothing more; what runs is acknowledged when it is over."""
        if self._tasks:
            await _stopped(self._tasks[:1])
            # The runs go on for now, and the runner waits for this at its end.
            self.trigger.parting = self.entry.runs.spawn(self._farewell())
        await self.trigger.end()

    def look(self) -> None:
        self._place.set()

    # ------------------------------------------------------------------- the connection

    async def _live(self) -> None:
        """Receive as long as there is something to do, and leave the broker then."""
        await self._work()
        if self.is_over:  # who has said so sees to the rest
            return
        while self._held:
            self._is_empty.clear()
            await self._is_empty.wait()
        await undisturbed(self._disconnected())

    async def _work(self) -> None:
        """Connect, and receive, again and again."""
        parting, self.trigger.parting = self.trigger.parting, None
        if parting is not None:  # it was removed and is added again
            await asyncio.wait([parting])
        pause = 0.0
        while not self.is_over and self.trigger.should_continue():
            begun = self._loop.time()
            try:
                await self.trigger.connect()
                self._has_connected.set()
                if self._said:
                    logger.info("%s: connected again", self._prefix)
                await self._receive()
            except HOPELESS as error:
                self.trigger.status = TriggerStatus.ERROR
                self.failed(error)
                return
            except Stray as error:
                self._raise_if_cancelled()
                if self._loop.time() - begun > STEADY:  # it went well until now
                    pause, self._said = 0.0, ""
                self._tell(error)
                pause = min(LAST, max(FIRST, pause * 2))
                await undisturbed(self._disconnected())  # not half, if it stops now
                await asyncio.sleep(pause)

    def _tell(self, error: BaseException) -> None:
        """Report what goes wrong with the connection, once for each thing."""
        said = f"{type(error).__name__}: {error}"
        if said != self._said:
            self._said = said
            is_known = isinstance(error, self.trigger.lost)
            self.entry.trigger_failed(self.trigger, error, is_known=is_known)

    def _buried(self, error: BaseException) -> None:
        self.entry.trigger_failed(self.trigger, error, is_known=True)

    async def _disconnected(self) -> None:
        try:
            async with asyncio.timeout(FAREWELL / 2):
                await self.trigger.disconnect()
        except Exception as error:  # noqa: BLE001 - it is of no use any more
            logger.debug("%s: %s", self._prefix, error)

    async def _renew(self) -> None:
        """Tell the broker again and again what is being worked on."""
        await self._has_connected.wait()  # how often may be known from then on only
        while self.trigger.renewal is not None:
            await asyncio.sleep(self.trigger.renewal)
            # Once for each batch, as it may hold messages of several.
            found = [b.messages[key] for key, b in self._held.items() if not b.is_over]
            with contextlib.suppress(Exception):  # receiving finds out what it is
                await self.trigger.renew(found)

    def _raise_if_cancelled(self) -> None:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError

    # ----------------------------------------------------------------- what is received

    async def _receive(self) -> None:
        """Receive messages and start runs, as long as it goes well."""
        config = self.trigger.config
        while await self._free():
            if self._is_first:
                self._is_first = False
                self.trigger.record_run()
                self.start_run("at the start", {})
                continue
            size = config.batch_size
            most = self._places() if size == 1 else size
            new: dict[str, Batch] = {}
            try:
                self._take(await self.trigger.receive(most), new)
                if new and config.batch_window_seconds > 0:
                    await self._gather(new, most, config.batch_window_seconds)
                fresh = await self._fresh(new)
                while fresh:
                    number = together(fresh, size)
                    if not await self._begun(fresh[:number]):
                        return
                    for batch in fresh[:number]:
                        del new[batch.key]
                    del fresh[:number]
            finally:
                for batch in new.values():
                    if not batch.is_over:
                        self._settling.give_back(batch, 0.0, is_spared=True)

    async def _gather(self, new: dict[str, Batch], most: int, window: float) -> None:
        """Wait for more messages after the first ones."""
        end = self._loop.time() + window
        while len(new) < most and (left := end - self._loop.time()) > 0:
            self._take(await self.trigger.receive_more(most - len(new), left), new)

    def _take(self, received: Sequence[Received], new: dict[str, Batch]) -> None:
        """Have received messages in hand; the broker hears of them from now on."""
        for message in received:
            key = self.trigger.key(message)
            held = self._held.get(key)
            if held is None:
                slot = f"{MESSAGES}{self._prefix}|{key}"
                batch = Batch({key: message}, {}, key, slot)
                self._held[key] = new[key] = batch
            else:  # this delivery is the one that counts from now on
                first = held.messages[key].attempt
                held.messages[key] = replace(message, attempt=first)

    def _places(self) -> int:
        """Return how many runs may be started now."""
        if not self.can_run() or self._settling.waiting >= UNSETTLED:
            return 0
        if self._is_alone:
            return 0
        config, trigger = self.trigger.config, self.trigger
        places: int = config.max_concurrent - self.entry.running - self._waiting
        if config.max_runs:
            places = min(places, config.max_runs - trigger.run_count)
        return places

    async def _free(self, *, is_alone: bool = False) -> bool:
        """Wait until a run could be started; False: that is over.

        Args:
            is_alone: and nothing would be beside it.
        """
        while not self.is_over and self.trigger.should_continue():
            if self._places() > 0 and not (is_alone and self._under_way):
                return True
            self._place.clear()
            await self._place.wait()
        return False

    async def _fresh(self, new: dict[str, Batch]) -> list[Batch]:
        """Return what is to be run, each message by itself; deal with the rest."""
        config = self.trigger.config
        firsts = [batch.messages[key] for key, batch in new.items()]
        counts = await self._attempts.counted(self.trigger, firsts)
        is_shared = config.batch_size > 1 or config.max_concurrent > 1
        fresh: list[Batch] = []
        for (key, batch), attempt in zip(new.items(), counts, strict=True):
            batch.attempts[key] = attempt
            if self._settling.is_checked(key):
                self._settling.acknowledge(batch)
            elif not self._attempts.is_overdue(
                batch, config.max_attempts, is_shared=is_shared
            ):
                fresh.append(batch)
            elif await self._settling.is_finished(batch.slot):
                self._settling.acknowledge(batch)
            else:
                self._settling.bury(batch, OVERDUE.format(attempt - 1))
        return self._attempts.in_turn(fresh)

    async def _begun(self, parts: Sequence[Batch]) -> bool:
        """Start the run of some messages; False: no runs are started any more."""
        is_alone = len(parts) == 1 and self._attempts.is_suspect(parts[0])
        if not await self._free(is_alone=is_alone):
            return False
        await self._attempts.begin(parts)
        batch = parts[0] if len(parts) == 1 else self._joined(parts)
        trigger = self.trigger
        told = trigger.told(
            list(batch.messages.values()), list(batch.attempts.values())
        )
        trigger.record_run()
        self._under_way += 1
        self._is_alone = is_alone
        reason = f"{len(parts)} messages" if len(parts) > 1 else "a message"
        try:
            self.start_run(
                f"{reason} of {trigger.source()}",
                {**told, "idempotency_key": batch.key},
                slot=(batch.slot, False),
                on_gone=partial(self._gone, batch),
            )
        except BaseException as error:
            self._under_way -= 1
            self._is_alone = False
            if isinstance(error, NotRunningError):
                return False
            raise
        return True

    def _joined(self, parts: Sequence[Batch]) -> Batch:
        key = self.trigger.key_of_all([part.key for part in parts])
        joined = Batch({}, {}, key, f"{MESSAGES}{self._prefix}|{key}")
        for part in parts:
            joined.messages |= part.messages
            joined.attempts |= part.attempts
            self._held[part.key] = joined
        return joined

    # --------------------------------------------------------------- what becomes of it

    def _gone(self, batch: Batch, run: ActiveRun) -> None:
        """Decide what becomes of messages whose run is over."""
        self._under_way -= 1
        self._is_alone = False  # if it was, it was this one
        self._attempts.survived(batch)
        attempt = max(batch.attempts.values())
        config = self.trigger.config
        delay = config.delay(attempt)
        if run.is_refused or (not run.is_kept and self.entry.runs.ledger is not None):
            self._waiting += 1
            self.entry.runs.spawn(self._fate(batch, delay))
        elif run.verdict is not None or not run.is_kept or not run.done.done():
            is_stop = self.is_over or not self.entry.is_open
            self._settling.give_back(
                batch, 0.0 if is_stop else delay, is_spared=is_stop
            )
        elif run.done.cancelled():
            is_stop = self.is_over or not self.entry.is_open
            self._settling.give_back(batch, 0.0, is_spared=is_stop)
        elif run.done.result().status != CheckpointStatus.ERROR:
            self._settling.acknowledge(batch)
        elif attempt >= config.max_attempts and len(batch.messages) == 1:
            self._settling.bury(batch, str(run.done.result().error or "an error"))
        else:
            self._settling.give_back(batch, delay)

    async def _fate(self, batch: Batch, delay: float) -> None:
        try:
            await self._settling.fate(batch, delay, lambda: not self.entry.is_open)
        finally:
            self._waiting -= 1
            self._place.set()

    def _settled(self, batch: Batch, is_gone: bool) -> None:
        """Forget messages of which the broker knows what became."""
        for key, message in batch.messages.items():
            self._held.pop(key, None)
            if is_gone:
                self._attempts.forget(message, key)
        if not self._held:
            self._is_empty.set()
        if self.is_over or self._settling.waiting < UNSETTLED:
            self._place.set()

    async def _farewell(self) -> None:
        """Wait for the runs, tell the broker what became of them, and leave it."""
        try:
            while self._under_way or self._waiting:
                self._place.clear()
                await self._place.wait()
            left = {id(b): b for b in self._held.values() if not b.is_over}
            for batch in left.values():
                self._settling.give_back(batch, 0.0, is_spared=True)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL / 2):
                    while self._held:
                        self._is_empty.clear()
                        await self._is_empty.wait()
        finally:
            await undisturbed(self._left())

    async def _left(self) -> None:
        await _stopped(self._tasks)
        await self._disconnected()


async def _stopped(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks until they end.

    Once may not be enough: a client that uses ``asyncio.wait_for`` loses a cancellation
    that comes together with what it waits for (Python 3.11).
    """
    for _ in range(round(FAREWELL / 2 / AGAIN)):
        for task in tasks:
            task.cancel()
        _, left = await asyncio.wait(tasks, timeout=AGAIN)
        if not left:
            return
    for task in tasks:
        await ended(task)
