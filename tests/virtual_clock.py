"""An event loop whose time jumps to the next timer when there is nothing else to do.

A test marked ``virtual_clock`` runs in it: hours of back-off pass in milliseconds. It
waits for real while threads run for the loop or while sockets and pipes are open, for
then something may still come that is earlier than the timer.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from typing import Any

BREATH = 0.005  # seconds of real waiting at a time while others are at work


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """A loop with a time of its own, in seconds from 0."""

    def __init__(self) -> None:
        self._passed = 0.0
        self._threads = 0
        self.slept: list[float] = []  # the jumps, in seconds
        self._select = _Selector()
        self._select.loop = self
        super().__init__(self._select)

    def time(self) -> float:
        return self._passed

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        self._threads += 1
        future = super().run_in_executor(executor, func, *args)

        def done(_: object) -> None:
            self._threads -= 1

        future.add_done_callback(done)
        return future

    def _is_busy(self) -> bool:
        # The pipe by which threads wake the loop is always there.
        return self._threads > 0 or len(self._select.get_map()) > 1

    def _pass(self, seconds: float) -> None:
        self._passed += seconds
        self.slept.append(seconds)


class _Selector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Lets the loop's time pass instead of waiting."""

    loop: VirtualClockLoop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        busy = self.loop._is_busy()
        wait = min(timeout, BREATH) if busy else timeout
        ready = super().select(wait if busy else 0)
        if not ready:
            self.loop._pass(wait)
        return ready
