"""Signals: none is lost, whenever it comes."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

from truthound.checkpoint._running.signals import Signals, catching_signals, serve


async def for_ever() -> None:
    await asyncio.Event().wait()


async def taken(signals: Signals, number: int) -> None:
    """Send a signal to this process, and wait until it was noted."""
    before = len(signals.came)
    os.kill(os.getpid(), number)
    while len(signals.came) == before:  # noqa: ASYNC110 - nothing else tells of it
        await asyncio.sleep(0)


async def test_each_signal_ends_one_wait_also_if_it_came_before() -> None:
    async with asyncio.timeout(20), catching_signals() as signals:
        await taken(signals, signal.SIGTERM)
        await signals.first_of(for_ever())
        await taken(signals, signal.SIGINT)
        await taken(signals, signal.SIGTERM)
        await signals.first_of(for_ever())
        await signals.first_of(for_ever())
        waiting = asyncio.ensure_future(signals.first_of(for_ever()))
        await asyncio.sleep(0)
        assert not waiting.done()
        await taken(signals, signal.SIGTERM)
        await waiting


class Slow:
    """A runner that gets a signal while it starts."""

    said: list[Any]

    def __init__(self) -> None:
        self.said = []

    async def start_async(self) -> None:
        came = asyncio.get_running_loop().create_future()
        os.kill(os.getpid(), signal.SIGTERM)
        asyncio.get_running_loop().call_later(0.05, came.set_result, None)
        await came

    async def wait_stopped_async(self) -> None:
        await for_ever()

    async def stop_async(self, wait: bool = True) -> None:
        self.said.append(wait)


async def test_signal_during_the_start_stops_a_runner() -> None:
    runner = Slow()
    async with asyncio.timeout(20):
        assert await serve(runner) == signal.SIGTERM
    assert runner.said[0] is True
