"""Which records of a partition are under way, and how far it may be committed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class Offsets:
    """The records of some partitions that were taken and are not committed.

    Attributes:
        is_owed: whether something was to be committed, and is not.
    """

    def __init__(self) -> None:
        self.is_owed = False
        # By partition: offset -> whether it is done with, in the order of the offsets.
        self._taken: dict[Any, dict[int, bool]] = {}
        self._waiting: dict[Any, dict[int, tuple[float, Any]]] = {}

    @property
    def under_way(self) -> int:
        """How many records were taken and are not done with."""
        return sum(
            not done for taken in self._taken.values() for done in taken.values()
        )

    def take(self, partition: Any, offset: int) -> None:
        """Note that a record was taken."""
        self._taken.setdefault(partition, {})[offset] = False

    def done(self, partition: Any, offset: int) -> bool:
        """Note that a record is done with; False: somebody else gets it."""
        taken = self._taken.get(partition, {})
        if offset in taken:
            taken[offset] = True
        return offset in taken

    def to_commit(self) -> dict[Any, int]:
        """Return by partition the offset up to which all is done with, if it is new."""
        found = {}
        for partition, taken in self._taken.items():
            end = None
            for offset, is_done in taken.items():
                if not is_done:
                    break
                end = offset + 1
            if end is not None:
                found[partition] = end
        return found

    def committed(self, offsets: Mapping[Any, int]) -> None:
        """Forget what is committed."""
        self.is_owed = False
        for partition, end in offsets.items():
            taken = self._taken.get(partition, {})
            for offset in [o for o in taken if o < end]:
                del taken[offset]

    def give_back(
        self, partition: Any, offset: int, message: Any, moment: float
    ) -> bool:
        """Keep a record to hand it out again; False: somebody else gets it.

        Args:
            partition: whose.
            offset: which.
            message: the record.
            moment: when, in seconds of the loop's clock.
        """
        if offset not in self._taken.get(partition, {}):
            return False
        self._waiting.setdefault(partition, {})[offset] = moment, message
        return True

    def again(self, now: float, most: int) -> list[Any]:
        """Return the records that are to be handed out again now, at most so many."""
        found: list[Any] = []
        for waiting in self._waiting.values():
            for offset in sorted(waiting):
                moment, message = waiting[offset]
                if moment > now or len(found) == most:
                    break  # the order of a partition is kept
                del waiting[offset]
                found.append(message)
        return found

    def waits(self, partition: Any) -> bool:
        """Tell whether a record of a partition is to be handed out again."""
        return bool(self._waiting.get(partition))

    def forget(self, partitions: Iterable[Any]) -> None:
        """Forget partitions; what of them is in hand is not committed."""
        for partition in partitions:
            self._taken.pop(partition, None)
            self._waiting.pop(partition, None)
