"""Acceptances: runs are written down, those that wait for a slot, too."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from truthound.checkpoint._running.active import ActiveRun, Once


class Acceptance:
    """Has runs written down as accepted.

    A run that gets a slot at once does that itself. One that has to wait for its slot
    must not be lost meanwhile with the process: all that came in one turn of the loop,
    and wait, are written down together.

    Args:
        write: writes some runs down, all or none.
        is_eager: whether those that wait are written down before their turn.
    """

    def __init__(
        self, write: Callable[[Sequence[ActiveRun]], Awaitable[None]], is_eager: bool
    ) -> None:
        self._write = write
        self._is_eager = is_eager
        self._new: list[tuple[Sequence[ActiveRun], Once]] = []

    def of(self, made: Sequence[ActiveRun]) -> Once:
        """Return the acceptance of runs, to be waited for before they begin."""
        written = Once(lambda: self._write(made), len(made) == 1)
        if self._is_eager:
            self._new.append((made, written))
        return written

    def look_soon(self) -> None:
        """See in the loop's next turn, when slots were dealt, which runs wait."""
        if len(self._new) == 1:
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        new, self._new = self._new, []
        left = [
            (made, written)
            for made, written in new
            if not written.is_begun and any(run.state == "waiting" for run in made)
        ]
        if left:
            runs = [run for made, _ in left for run in made]
            task = asyncio.ensure_future(self._write(runs))
            for _, written in left:
                written.follow(task)
