"""How often each message was delivered, where the broker does not count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from truthound.checkpoint.triggers.messages import MessageTrigger, Received

if TYPE_CHECKING:
    from truthound.checkpoint._running.ledger import Ledger

MOST = 1_000  # messages of a place that are counted, the latest


class Attempts:
    """Counts deliveries, before the runs of the messages begin.

    With a store the counts are kept under a cursor for each place, so that a message
    whose run ends the process is counted, too.

    Args:
        ledger: of the store; None: they are counted in memory only.
        owner: names the trigger, alike in all processes that have it.
    """

    def __init__(self, ledger: Ledger | None, owner: str) -> None:
        self._ledger = ledger
        self._owner = owner
        self._places: dict[str, dict[str, int]] = {}

    async def counted(
        self, trigger: MessageTrigger[Any], messages: Sequence[Received]
    ) -> list[int]:
        """Return which delivery of each message it is, from 1."""
        found: list[int] = []
        changed: set[str] = set()
        for message in messages:
            number = message.attempt
            if number is None:
                counts = await self._of(message.place)
                key = trigger.key(message)
                number = counts.pop(key, 0) + 1
                counts[key] = number  # the latest stand last
                while len(counts) > MOST:
                    del counts[next(iter(counts))]
                changed.add(message.place)
            found.append(number)
        if self._ledger is not None:
            for place in changed:
                await self._ledger.set_cursor(self._name(place), self._places[place])
        return found

    def forget(self, message: Received, key: str) -> None:
        """Forget a message that does not come again."""
        counts = self._places.get(message.place)
        if counts is not None:
            counts.pop(key, None)

    async def _of(self, place: str) -> dict[str, int]:
        counts = self._places.get(place)
        if counts is None:
            known: Any = None
            if self._ledger is not None:
                known = await self._ledger.cursor(self._name(place))
            if not isinstance(known, Mapping):
                known = {}
            counts = {
                str(key): number
                for key, number in known.items()
                if isinstance(number, int) and not isinstance(number, bool)
            }
            self._places[place] = counts
        return counts

    def _name(self, place: str) -> str:
        return f"{self._owner}|attempts|{place}"
