"""Slots that runs lend to others while they wait for something else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from truthound.checkpoint._running.active import ActiveRun, SlotAgain
from truthound.checkpoint._running.line import Line

LATE = 64  # runs that have given up their slots and are not delivered


class Lending:
    """Gives slots of runs that wait to others, and gets them back.

    Args:
        line: that has the slots.
        deal_soon: called when there is one more.

    Attributes:
        late: how many runs have given up their slots and are not delivered.
    """

    def __init__(self, line: Line, deal_soon: Callable[[], None]) -> None:
        self._line = line
        self._deal_soon = deal_soon
        self.late = 0

    def lend(self, holder: ActiveRun) -> None:
        """Let others have the slot of a run that waits for runs of its own."""
        holder.nested += 1
        if holder.has_slot:
            holder.has_slot = False
            self._line.free += 1
            self._deal_soon()

    async def take_back(self, holder: ActiveRun) -> None:
        """Wait for a slot again, unless the run still waits for others."""
        holder.nested -= 1
        if holder.nested or holder.has_slot or holder.state == "done":
            return
        again = SlotAgain(holder, asyncio.get_running_loop().create_future())
        self._line.add(again)
        self._deal_soon()
        try:
            await again.came
        except asyncio.CancelledError:
            if again.state == "waiting":
                again.state = "done"
                self._line.give_up(again)
            else:
                self._line.free += 1
                self._deal_soon()
            raise
        holder.has_slot = True

    def give_way(self, run: ActiveRun) -> None:
        """Let the next run begin while the end of this one is written to the store.

        So the ends of many runs go into one transaction. The number of those that are
        not delivered stays bounded.
        """
        if not run.has_slot or self.late >= LATE:
            return
        run.has_slot, run.is_late = False, True
        self.late += 1
        self._line.free += 1
        self._deal_soon()
