"""SIGINT and SIGTERM, as something to wait for."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from truthound.async_core._tasks import stop


class Signals:
    """The signals that came.

    Attributes:
        came: their numbers, in order.
    """

    def __init__(self) -> None:
        self.came: list[int] = []
        self._news = asyncio.Event()
        self._heeded = 0  # of those that came, how many have ended a wait

    def take(self, number: int) -> None:
        """Note a signal."""
        self.came.append(number)
        self._news.set()

    async def until(self, task: asyncio.Task[Any]) -> None:
        """Wait for the end of a task, or for the next signal.

        One that came while nobody waited, such as during a start, is the next one.
        """
        if self._heeded < len(self.came):
            self._heeded += 1
            return
        self._news.clear()
        waiting = asyncio.get_running_loop().create_task(self._news.wait())
        try:
            await asyncio.wait([task, waiting], return_when="FIRST_COMPLETED")
        finally:
            await stop([waiting])
        if self._heeded < len(self.came):
            self._heeded += 1

    async def first_of(self, work: Coroutine[Any, Any, Any]) -> None:
        """Wait for the end of some work, or for the next signal, which cancels it."""
        working = asyncio.get_running_loop().create_task(work)
        try:
            await self.until(working)
            if working.done():
                working.result()
        finally:
            await stop([working])


@contextlib.asynccontextmanager
async def catching_signals() -> AsyncIterator[Signals]:
    """Catch SIGINT and SIGTERM in the block, where that can be done."""
    loop = asyncio.get_running_loop()
    signals = Signals()
    before = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            handler = signal.getsignal(number)
            loop.add_signal_handler(number, signals.take, number)
            before[number] = handler
        except (NotImplementedError, RuntimeError, ValueError):
            break
    try:
        yield signals
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


async def serve(
    runner: Any, beside: contextlib.AbstractAsyncContextManager[Any] | None = None
) -> int | None:
    """Start a runner and let it run until somebody stops it, or a signal comes.

    The first signal stops it, the second cuts off what still runs.

    Args:
        runner: to be started and stopped.
        beside: entered when it runs, left when it has stopped.

    Returns:
        The number of the first signal; None without one.
    """
    async with catching_signals() as signals:
        await runner.start_async()
        try:
            async with beside or contextlib.nullcontext():
                await signals.first_of(runner.wait_stopped_async())
                if signals.came:
                    await signals.first_of(runner.stop_async())
                await runner.stop_async(wait=False)
        finally:
            await runner.stop_async(wait=False)
        return signals.came[0] if signals.came else None
