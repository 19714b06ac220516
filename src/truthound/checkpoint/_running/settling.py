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
    from truthound.checkpoint._running.attempts import Attempts
    from truthound.checkpoint._running.ledger import Ledger

logger: logging.Logger = logging.getLogger("truthound.checkpoint")

AGAIN = 1.0  # seconds between two looks at a run that somebody else has
REMEMBERED = 10_000  # messages that were checked, the latest
LOUD = 3  # burials that fail, after which it is said again
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
        is_spared: whether this delivery is not counted: a stop has cut it off.
        is_own: whether it has a run that is counted as a message's own.
    """

    messages: dict[str, Received]
    attempts: dict[str, int]
    key: str
    slot: str
    is_over: bool = field(default=False)
    is_spared: bool = field(default=False)
    is_own: bool = field(default=False)


class Settling:
    """Tells the broker what became of messages, many at once.

    Args:
        trigger: speaks to the broker.
        ledger: of the store; None: there is none.
        attempts: counts the deliveries.
        failed: told what goes wrong with the broker.
        told: told what was buried.
        settled: called with each batch of which the broker knows, and whether it does
            not come again.
    """

    def __init__(
        self,
        trigger: MessageTrigger[Any],
        ledger: Ledger | None,
        attempts: Attempts,
        failed: Callable[[BaseException], None],
        told: Callable[[BaseException], None],
        settled: Callable[[Batch, bool], None],
    ) -> None:
        self._trigger = trigger
        self._ledger = ledger
        self._attempts = attempts
        self._failed = failed
        self._told = told
        self._settled = settled
        self._done: list[Batch] = []  # to be acknowledged
        self._other: list[tuple[Batch, float | None, str]] = []
        self._has_work = asyncio.Event()
        # Checked, though the broker may not know it.
        self._checked: OrderedDict[str, None] = OrderedDict()
        self._unburied: dict[str, int] = {}  # how often that has failed

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

    def give_back(self, batch: Batch, delay: float, *, is_spared: bool = False) -> None:
        """Have messages delivered again, after so many seconds.

        Args:
            batch: of the messages.
            delay: the seconds.
            is_spared: do not count this delivery.
        """
        batch.is_over, batch.is_spared = True, is_spared
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
        await self._spared([batch for batch, _, _ in other if batch.is_spared])
        for batch, delay, why in other:
            told = dict(batch.messages)
            if delay is None:
                is_gone = await self._buried(batch, why)
            else:
                is_gone = False
                await self._given_back(list(told.values()), delay)
            if not _has_newer(batch, told):
                self._settled(batch, is_gone)
            elif is_gone:
                self.acknowledge(batch)
            else:  # not at once: it would come before this is known again
                wait = self._trigger.config.delay(
                    max(batch.attempts.values(), default=1)
                )
                self.give_back(batch, max(delay or 0.0, wait))

    async def _spared(self, batches: Sequence[Batch]) -> None:
        try:
            await self._attempts.spare(batches)
        except Exception as error:  # noqa: BLE001 - they count, then
            self._failed(error)

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
        told = [(batch, dict(batch.messages)) for batch in done]
        try:
            await self._trigger.acknowledge(
                [message for _, messages in told for message in messages.values()]
            )
        except Exception as error:  # noqa: BLE001 - they come again, and are known then
            self._failed(error)
        # What is acknowledged may come again all the same: not every broker confirms.
        self._remember(done)
        for batch, messages in told:
            if _has_newer(batch, messages):  # delivered again meanwhile
                self.acknowledge(batch)
            else:
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
                self._again_unburied(key, message, error)
                await self._given_back([message], trigger.config.delay(number))
                is_gone = False
            else:
                self._unburied.pop(key, None)
                times = f"{number} {'delivery' if number == 1 else 'deliveries'}"
                self._told(
                    TriggerError(
                        f"message {message.id} of {message.place} goes to the dead "
                        f"letters after {times}: {why}"
                    )
                )
        return is_gone

    def _again_unburied(self, key: str, message: Received, error: Exception) -> None:
        """Say it loudly when a message can, again and again, not be buried."""
        times = self._unburied.pop(key, 0) + 1
        self._unburied[key] = times  # the latest stand last
        while len(self._unburied) > REMEMBERED:
            del self._unburied[next(iter(self._unburied))]
        rounds, rest = divmod(times, LOUD)
        if not rest and rounds & (rounds - 1) == 0:  # the 3rd, 6th, 12th ...
            self._told(
                TriggerError(
                    f"message {message.id} of {message.place} cannot be put to the "
                    f"dead letters, tried {times} times: "
                    f"{type(error).__name__}: {error}"
                )
            )


def _has_newer(batch: Batch, told: dict[str, Received]) -> bool:
    """Tell whether a message came once more while the broker was told of it."""
    return any(message is not told.get(k) for k, message in batch.messages.items())
