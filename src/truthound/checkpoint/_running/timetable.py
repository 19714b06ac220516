"""Moments to come: one timer for any number of them."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Callable, Iterable
from contextvars import Context
from itertools import count

from truthound._clock import Clock

logger: logging.Logger = logging.getLogger("truthound.checkpoint")

# The clock on the wall may be set, or the machine may sleep: a look at it so often.
LOOK = 30.0  # seconds
STEP = 0.5  # seconds by which the wall clock must have moved against the monotonic one


class Timetable:
    """Calls back when a moment has come.

    Args:
        clock: tells the time; moments are seconds of its ``monotonic()``.
        on_step: called when the clock on the wall was set.
    """

    def __init__(self, clock: Clock, on_step: Callable[[], None]) -> None:
        self._clock = clock
        self._on_step = on_step
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()
        self._timer: asyncio.TimerHandle | None = None
        self._set_for = float("inf")
        self._offset = self._now_offset()
        self._loop = asyncio.get_running_loop()

    def add(self, moment: float, call: Callable[[], None]) -> None:
        """Call something at a moment; at once if it has passed."""
        heapq.heappush(self._heap, (moment, next(self._number), call))
        self._arm()

    def fill(self, moments: Iterable[tuple[float, Callable[[], None]]]) -> None:
        """Take these moments in place of all that there were."""
        numbered = [(moment, next(self._number), call) for moment, call in moments]
        self._heap = numbered
        heapq.heapify(self._heap)
        self._arm()

    def close(self) -> None:
        """Forget everything."""
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        now = self._clock.monotonic()
        if not self._heap:
            return
        moment = min(self._heap[0][0], now + LOOK)
        if self._timer is not None:
            if self._set_for <= moment:
                return
            self._timer.cancel()
        self._set_for = moment
        self._timer = self._loop.call_later(
            max(0.0, moment - now), self._tick, context=Context()
        )

    def _tick(self) -> None:
        self._timer = None
        offset = self._now_offset()
        if abs(offset - self._offset) > STEP:
            self._offset = offset
            self._on_step()
        now = self._clock.monotonic()
        due = []
        while self._heap and self._heap[0][0] <= now:
            due.append(heapq.heappop(self._heap)[2])
        for call in due:
            try:
                call()
            except Exception:  # no caller to tell; the others are due all the same
                logger.exception("a timer failed")
        if self._timer is None:
            self._arm()

    def _now_offset(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()
