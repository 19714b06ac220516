"""The queue of results, between runs and those who read them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

from truthound.async_core._stream_queue import ClosableQueue
from truthound.checkpoint.model import CheckpointResult
from truthound.errors import ConfigurationError, QueueClosed

logger: logging.Logger = logging.getLogger("truthound.checkpoint")

STUCK = 10.0  # seconds that results wait for a reader before somebody is told
SHORT = 0.1  # seconds to wait for results when nobody says how long


class ResultQueue(ClosableQueue[CheckpointResult]):
    """A bounded queue: runs wait while it is full, until it is closed.

    From then on it takes everything at once, so that no result is lost at the end, and
    whoever reads it gets what is left.

    Args:
        size: how many results wait in it; None: it takes none.
        report: told when runs wait and nobody reads.
    """

    def __init__(self, size: int | None, report: Callable[[Exception], None]) -> None:
        super().__init__(size or 1)
        self._size = size or 1
        self.is_absent = size is None
        self.waiting: int = 0  # runs that wait for a place
        self._report = report
        self._stuck: asyncio.TimerHandle | None = None
        self.close()

    def open(self) -> None:
        """Be bounded, from now on or again; what is in the queue stays."""
        self._is_closed = False
        self.maxsize = self._size

    def lift(self) -> None:
        """Take everything from now on: nobody has to wait for a place any more."""
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None
        self.maxsize = 0
        for _ in range(self.waiting):
            self._putters.call_next()

    def finish(self) -> None:
        """Tell who reads that nothing more comes when the queue is empty."""
        self.close()
        self.maxsize = self._size

    async def deliver(self, result: CheckpointResult) -> None:
        """Put a result in, waiting for a place."""
        if self.is_absent:
            return
        if self.full() and not self._is_closed and self._stuck is None:
            loop = asyncio.get_running_loop()
            self._stuck = loop.call_later(STUCK, self._is_stuck)
        self.waiting += 1
        try:
            await self.put(result)
        except QueueClosed:
            self._items.append(result)
        finally:
            self.waiting -= 1

    def offer(self, result: CheckpointResult) -> None:
        """Put a result in if there is a place."""
        if not self.is_absent and not self.full():
            self._items.append(result)
            if not self._is_closed:
                self._getters.call_next()

    async def iterate(self, seconds: float | None) -> AsyncIterator[CheckpointResult]:
        """Yield results until the queue is closed and empty.

        Args:
            seconds: end when none has come for so long, too.
        """
        self._check()
        while True:
            try:
                async with asyncio.timeout(seconds):
                    result = await self.get()
            except (TimeoutError, QueueClosed):
                return
            yield result

    async def some(self, seconds: float | None, most: int) -> list[CheckpointResult]:
        """Return what is there, waiting for the first one."""
        self._check()
        found: list[CheckpointResult] = []
        try:
            async with asyncio.timeout(SHORT if seconds is None else seconds):
                found.append(await self.get())
        except (TimeoutError, QueueClosed):
            return found
        while len(found) < most and not self.empty():
            found.append(self.get_nowait())
        return found

    def _is_stuck(self) -> None:
        self._stuck = None
        if self.waiting:
            told = (
                f"runs wait: the queue holds {self.qsize():,} results that nobody "
                "reads; iterate iter_results_async(), or set result_queue_size=None "
                "if the callback is enough"
            )
            logger.warning("%s", told)
            self._report(ConfigurationError(told))

    def _check(self) -> None:
        if self.is_absent:
            raise ConfigurationError(
                "result_queue_size=None: there is no queue, the results go to the "
                "callback only"
            )
