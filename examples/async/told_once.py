"""Told once: a checkpoint is bad all night, and people sleep.

Two checkpoints run every few moments of this program, and one channel hears of them by
a policy: when something changes, both together, with a reminder as long as nobody takes
care. Somebody else is asked if that takes too long. The channel is a function here; any
notification takes the same option.

    python examples/async/told_once.py
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import polars as pl

from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint, CheckpointResult
from truthound.checkpoint.actions import SlackNotification
from truthound.checkpoint.alerts import acknowledge, alerts_of
from truthound.store import Store

GOOD = pl.DataFrame({"id": [1, 2, 3]})
BAD = pl.DataFrame({"id": [1, 2, 2]})


class Channel:
    """A stand-in for the addresses of two channels; it prints what it is told."""

    def __init__(self) -> None:
        self.told = asyncio.Event()

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer the requests of one connection."""
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
                lines = head.lower().split("\r\n")
                (size,) = [line for line in lines if line.startswith("content-length:")]
                body = await reader.readexactly(int(size.partition(":")[2]))
                self.show(head.split(" ")[1].strip("/"), body)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.close()

    def show(self, channel: str, body: bytes) -> None:
        """Print the line that a phone would show."""
        import json

        print(f"  {channel}: {json.loads(body)['text']}")
        self.told.set()

    async def hears(self) -> None:
        """Wait for the next message."""
        async with asyncio.timeout(30):
            await self.told.wait()
        self.told.clear()


async def main() -> None:
    """Run everything."""
    channel = Channel()
    server = await asyncio.start_server(channel.serve, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    team = SlackNotification(
        name="team",
        webhook_url=f"{address}/team",
        alerts={"when": "change", "group_by": "team", "group_seconds": 0.5},
    )
    manager = SlackNotification(
        name="manager",
        webhook_url=f"{address}/manager",
        alerts={"after_seconds": 2, "resolve": False},
    )
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "quality.db")
        checkpoints = [
            Checkpoint(
                name,
                data_source=GOOD,
                validators=[{"unique": {"column": "id"}}],
                actions=[team, manager],
                tags={"team": "pricing"},
            )
            for name in ("rides", "fares")
        ]
        runner = AsyncCheckpointRunner(store=store)
        for checkpoint in checkpoints:
            runner.add_checkpoint(checkpoint)
        async with runner:
            await night(runner, checkpoints, channel, store)
    server.close()


async def night(
    runner: AsyncCheckpointRunner,
    checkpoints: list[Checkpoint],
    channel: Channel,
    store: Store,
) -> None:
    """Let both be bad, one of them for long, and then well again."""

    async def run(data: pl.DataFrame, times: int) -> None:
        for checkpoint in checkpoints:
            checkpoint.config.data_source = data
        found: list[CheckpointResult] = []
        for _ in range(times):
            found += await runner.run_all_async()
        print(f"{len(found)} runs, all {found[-1].status}")

    await run(GOOD, 2)
    await run(BAD, 20)
    await channel.hears()
    (one, other) = await asyncio.to_thread(alerts_of, store)
    await asyncio.to_thread(acknowledge, store, one.checkpoint, by="Ann")
    print(f"Ann takes care of one; nobody of the other: {other.runs} runs")
    await channel.hears()
    await run(GOOD, 1)
    await channel.hears()


if __name__ == "__main__":
    asyncio.run(main())
