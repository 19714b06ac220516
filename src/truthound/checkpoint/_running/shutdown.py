"""The end of a runner: begun once, waited for by many, hurried by some."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from contextvars import Context

Step = Callable[[], Awaitable[None]]


class Shutdown:
    """Stops a runner, in this order: its triggers, then its runs.

    Args:
        end_triggers: stops them.
        end_runs: begins no more runs, waits so many seconds for those that run, and
            cuts off the rest.
    """

    def __init__(
        self, end_triggers: Step, end_runs: Callable[[float], Awaitable[None]]
    ) -> None:
        self._end_triggers = end_triggers
        self._end_runs = end_runs
        self._task: asyncio.Task[None] | None = None
        self._is_over = asyncio.Event()

    @property
    def is_under_way(self) -> bool:
        """Whether it was begun and is not over."""
        return self._task is not None and not self._task.done()

    def begin(self, grace: float) -> None:
        """Begin it, unless it was begun."""
        if self._task is None:
            # It belongs to no run, though a run may have begun it.
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._end(grace), context=Context())

    async def finish(self, grace: float, *, waits: bool) -> None:
        """Begin it if need be, and wait until it is over.

        If cancelled, the runs are cut off, and the cancellation goes on after that.

        Args:
            grace: seconds for the runs; 0 cuts them off, also if it was begun before.
            waits: False for code that the runner itself waits for.
        """
        if self._task is None:
            self.begin(grace)
        elif grace <= 0:
            self._task.cancel()
        if not waits:
            return
        try:
            await self._is_over.wait()
        except asyncio.CancelledError:
            if self._task is not None:
                self._task.cancel()
            while not self._is_over.is_set():
                try:
                    await self._is_over.wait()
                except asyncio.CancelledError:
                    continue  # it has been told already, and takes seconds at most
            raise

    async def over(self) -> None:
        """Wait until it is over, whoever begins it."""
        await self._is_over.wait()

    async def _end(self, grace: float) -> None:
        try:
            try:
                await self._end_triggers()
            except asyncio.CancelledError:  # from finish(): no more waiting
                grace = 0.0
            with contextlib.suppress(asyncio.CancelledError):  # the same: cut off now
                await self._end_runs(grace)
        finally:
            self._is_over.set()
