"""How often each message was delivered, and how often it had a run of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from truthound.checkpoint.triggers.messages import MessageTrigger, Received

if TYPE_CHECKING:
    from truthound.checkpoint._running.ledger import Ledger
    from truthound.checkpoint._running.settling import Batch

MOST = 1_000  # messages of a place that are counted, the latest
LIVED = 10_000  # messages whose last run did not end the process, the latest
GRACE = 2  # times max_attempts: without a store nobody knows what stops have cut off
# Kinds of counts: deliveries, where the broker does not count; runs of a message's own,
# from its second delivery on; deliveries that do not count, as a stop has cut them off.
DELIVERED, ALONE, SPARED = "attempts", "alone", "spared"


class Attempts:
    """Counts deliveries and runs, before the runs of the messages begin.

    With a store the counts are kept under cursors for each place, so that a message
    whose run ends the process is counted, too.

    Args:
        ledger: of the store; None: they are counted in memory only.
        owner: names the trigger, alike in all processes that have it.
    """

    def __init__(self, ledger: Ledger | None, owner: str) -> None:
        self._ledger = ledger
        self._owner = owner
        self._counts: dict[tuple[str, str], dict[str, int]] = {}  # by kind and place
        self._lived: dict[str, None] = {}

    async def counted(
        self, trigger: MessageTrigger[Any], messages: Sequence[Received]
    ) -> list[int]:
        """Return which delivery of each message it is, from 1; spared ones left out."""
        numbers: list[int] = []
        changed: set[tuple[str, str]] = set()
        for message in messages:
            number = message.attempt
            if number is None:
                name = (DELIVERED, message.place)
                number = await self._changed(name, trigger.key(message), 1)
                changed.add(name)
            numbers.append(number)
        await self._write(changed)
        again = {
            m.place for m, number in zip(messages, numbers, strict=True) if number > 1
        }
        for place in again:  # another process may have changed them
            await self._read((ALONE, place))
            await self._read((SPARED, place))
        return [
            max(1, number - self._count(SPARED, message.place, trigger.key(message)))
            for message, number in zip(messages, numbers, strict=True)
        ]

    async def begin(self, parts: Sequence[Batch]) -> None:
        """Count the run of a message that is delivered again: it has one of its own."""
        if len(parts) > 1 or not is_again(parts[0]):
            return
        (batch,) = parts
        name = (ALONE, batch.messages[batch.key].place)
        await self._changed(name, batch.key, 1)
        batch.is_own = True
        await self._write({name})

    async def spare(self, batches: Sequence[Batch]) -> None:
        """Do not count deliveries that a stop has cut off."""
        changed: set[tuple[str, str]] = set()
        for batch in batches:
            for key, message in batch.messages.items():
                changed.add((SPARED, message.place))
                await self._changed((SPARED, message.place), key, 1)
                if batch.is_own:
                    changed.add((ALONE, message.place))
                    await self._changed((ALONE, message.place), key, -1)
        await self._write(changed)

    def is_overdue(self, batch: Batch, most: int, *, is_shared: bool) -> bool:
        """Tell whether a message is not to be run again.

        Args:
            batch: of the message.
            most: deliveries at most.
            is_shared: others may have been run beside it, so that it is not to blame
                before it has had runs of its own.
        """
        count = batch.attempts[batch.key]
        if count <= most:
            return False
        if self._ledger is None:
            return count > most * GRACE
        place = batch.messages[batch.key].place
        needed = max(1, most - 1)
        return not is_shared or self._count(ALONE, place, batch.key) >= needed

    def survived(self, batch: Batch) -> None:
        """Note that a run did not end the process."""
        for key in batch.messages:
            self._lived.pop(key, None)
            self._lived[key] = None  # the latest stand last
        while len(self._lived) > LIVED:
            del self._lived[next(iter(self._lived))]

    def is_suspect(self, batch: Batch) -> bool:
        """Tell whether the last run of a message may have ended a process."""
        return is_again(batch) and batch.key not in self._lived

    def in_turn(self, batches: list[Batch]) -> list[Batch]:
        """Return messages in the order in which they are run.

        Without a store those that are delivered again begin at the other end each
        other time, so that what is behind one that ends the process has its turn.
        """
        if self._ledger is None and batches:
            first = batches[0]
            if self.is_suspect(first) and first.attempts[first.key] % 2:
                return batches[::-1]
        return batches

    def forget(self, message: Received, key: str) -> None:
        """Forget a message that does not come again."""
        self._lived.pop(key, None)
        for kind in (DELIVERED, ALONE, SPARED):
            self._counts.get((kind, message.place), {}).pop(key, None)

    def _count(self, kind: str, place: str, key: str) -> int:
        return self._counts.get((kind, place), {}).get(key, 0)

    async def _changed(self, name: tuple[str, str], key: str, by: int) -> int:
        """Change a count, and return what it is now."""
        if name not in self._counts:
            await self._read(name)
        counts = self._counts[name]
        number = max(0, counts.pop(key, 0) + by)
        counts[key] = number  # the latest stand last
        while len(counts) > MOST:
            del counts[next(iter(counts))]
        return number

    async def _read(self, name: tuple[str, str]) -> None:
        known: Any = None
        if self._ledger is not None:
            known = await self._ledger.cursor(self._name(*name))
        if not isinstance(known, Mapping):
            self._counts.setdefault(name, {})
            return
        self._counts[name] = {
            str(key): number
            for key, number in known.items()
            if isinstance(number, int) and not isinstance(number, bool)
        }

    async def _write(self, names: set[tuple[str, str]]) -> None:
        if self._ledger is not None:
            for name in names:
                await self._ledger.set_cursor(self._name(*name), self._counts[name])

    def _name(self, kind: str, place: str) -> str:
        return f"{self._owner}|{kind}|{place}"


def is_again(batch: Batch) -> bool:
    """Tell whether a message was delivered before."""
    return batch.attempts[batch.key] > 1


def together(batches: Sequence[Batch], most: int) -> int:
    """Return how many of the first go into one run.

    A message that is delivered again has a run of its own: if it is poison, it is not
    to take others with it.
    """
    number = 0
    for batch in batches[:most]:
        if is_again(batch):
            break
        number += 1
    return max(1, number)
