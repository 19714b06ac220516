"""Messages whose runs are over: acknowledged, given back, or buried."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from truthound.checkpoint._threads import SOURCES, in_thread
from truthound.checkpoint.triggers.messages import MessageTrigger, Received
from truthound.errors import StoreError, TriggerError
from truthound.store import RunState

if TYPE_CHECKING:
    from truthound.checkpoint._running.ledger import Ledger

logger: logging.Logger = logging.getLogger("truthound.checkpoint")

AGAIN = 1.0  # seconds between two looks at a run that somebody else has
REMEMBERED = 10_000  # messages that were checked, the latest
UNENDED = (RunState.ACCEPTED, RunState.RUNNING)


@dataclass(eq=False, slots=True)
class Batch:
    """Messages of one run.

    Attributes:
        messages: as they were delivered last, by their keys.
        attempts: which delivery of each it is, from 1.
        key: of all of them.
        slot: of their run, in the store.
        is_over: whether somebody has decided what becomes of them.
    """

    messages: dict[str, Received]
    attempts: dict[str, int]
    key: str
    slot: str
    is_over: bool = field(default=False)


class Settling:
    """Tells the broker what became of messages, many at once.

    Args:
        trigger: speaks to the broker.
        ledger: of the store; None: there is none.
        failed: told what goes wrong with the broker.
        told: told what was buried.
        settled: called with each batch of which the broker knows, and whether it does
            not come again.
    """

    def __init__(
        self,
        trigger: MessageTrigger[Any],
        ledger: Ledger | None,
        failed: Callable[[BaseException], None],
        told: Callable[[BaseException], None],
        settled: Callable[[Batch, bool], None],
    ) -> None:
        self._trigger = trigger
        self._ledger = ledger
        self._failed = failed
        self._told = told
        self._settled = settled
        self._done: list[Batch] = []  # to be acknowledged
        self._other: list[tuple[Batch, float | None, str]] = []
        self._has_work = asyncio.Event()
        # Checked, though the broker may not know it.
        self._checked: OrderedDict[str, None] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many batches wait for the broker."""
        return len(self._done) + len(self._other)

    def is_checked(self, key: str) -> bool:
        """Tell whether a message was checked, although the broker delivers it again."""
        return key in self._checked

    def acknowledge(self, batch: Batch) -> None:
        """Acknowledge messages, soon."""
        batch.is_over = True
        self._done.append(batch)
        self._has_work.set()

    def give_back(self, batch: Batch, delay: float) -> None:
        """Have messages delivered again, after so many seconds."""
        batch.is_over = True
        self._other.append((batch, delay, ""))
        self._has_work.set()

    def bury(self, batch: Batch, why: str) -> None:
        """Put messages to the dead letters."""
        batch.is_over = True
        self._other.append((batch, None, why))
        self._has_work.set()

    async def serve(self) -> None:
        """Do what is to be done, until cancelled."""
        while True:
            await self._has_work.wait()
            await self.round()

    async def round(self) -> None:
        """Do what is to be done now."""
        self._has_work.clear()
        done, self._done = self._done, []
        other, self._other = self._other, []
        if done:
            await self._acknowledged(done)
        for batch, delay, why in other:
            is_gone = False
            if delay is None:
                is_gone = await self._buried(batch, why)
            else:
                await self._given_back(list(batch.messages.values()), delay)
            self._settled(batch, is_gone)

    async def fate(self, batch: Batch, delay: float, limit: Callable[[], bool]) -> None:
        """Wait for what becomes of a run that has the same messages, or had no end.

        Args:
            batch: of the messages.
            delay: before they are delivered again, if it came to nothing.
            limit: tells whether there is no time left.
        """
        while not limit():
            state = await self._state(batch.slot)
            if state is RunState.FINISHED:
                self.acknowledge(batch)
                return
            if state is None:
                break
            await asyncio.sleep(AGAIN)
        self.give_back(batch, delay)

    async def is_finished(self, slot: str) -> bool:
        """Tell whether a run for these messages has come to its end."""
        return await self._state(slot) is RunState.FINISHED

    async def _state(self, slot: str) -> RunState | None:
        """Return where the run is that has a slot; one not to be had: accepted."""
        ledger = self._ledger
        if ledger is None:
            return None
        try:
            found: RunState | None = await in_thread(
                lambda: ledger.store.state_of_slot(slot), SOURCES
            )
        except StoreError:  # the ledger says it
            return RunState.ACCEPTED
        return found

    async def _acknowledged(self, done: Sequence[Batch]) -> None:
        messages = [m for batch in done for m in batch.messages.values()]
        try:
            await self._trigger.acknowledge(messages)
        except Exception as error:  # noqa: BLE001 - they come again, and are known then
            self._failed(error)
        # What is acknowledged may come again all the same: not every broker confirms.
        self._remember(done)
        for batch in done:
            self._settled(batch, True)

    def _remember(self, done: Sequence[Batch]) -> None:
        for batch in done:
            self._checked.update(dict.fromkeys(batch.messages))
        while len(self._checked) > REMEMBERED:
            self._checked.popitem(last=False)

    async def _given_back(self, messages: Sequence[Received], delay: float) -> None:
        try:
            await self._trigger.give_back(messages, delay)
        except Exception as error:  # noqa: BLE001 - the broker delivers them in any case
            self._failed(error)

    async def _buried(self, batch: Batch, why: str) -> bool:
        """Bury messages, each by itself; False: one of them comes again."""
        trigger, is_gone = self._trigger, True
        for key, message in batch.messages.items():
            number = batch.attempts[key]
            try:
                await trigger.bury(message, why)
            except Exception as error:  # noqa: BLE001 - it comes again
                self._failed(error)
                await self._given_back([message], trigger.config.delay(number))
                is_gone = False
            else:
                times = f"{number} {'delivery' if number == 1 else 'deliveries'}"
                self._told(
                    TriggerError(
                        f"message {message.id} of {message.place} goes to the dead "
                        f"letters after {times}: {why}"
                    )
                )
        return is_gone
