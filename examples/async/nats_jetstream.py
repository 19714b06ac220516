"""Orders come by NATS JetStream and are checked in batches, with a store.

The runner is stopped in the middle, as by a deployment, and another one goes on: every
order is checked, and none is acknowledged before its result is stored.

    pip install 'truthound-async[nats]'
    python examples/async/nats_jetstream.py

It needs a NATS server with JetStream at ``NATS_URL``, or at 127.0.0.1:4222; it leaves
nothing there.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nats
import polars as pl

from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint, CheckpointResult
from truthound.checkpoint.triggers import NATSTrigger

URL = os.environ.get("NATS_URL", "nats://127.0.0.1:4222")
ORDERS = 60


def orders(context: Mapping[str, Any]) -> pl.DataFrame:
    """Return the orders of a batch, one row for each message."""
    return pl.DataFrame([message["body"] for message in context["messages"]])


def checkpoint(stream: str) -> Checkpoint:
    """Return what each of the two runners has."""
    return Checkpoint(
        "orders",
        data_source=orders,
        validators=[{"range": {"column": "amount", "min": 0}}],
        triggers=[
            NATSTrigger(
                url=URL,
                subject=f"{stream}.*",
                batch_size=10,
                batch_window_seconds=0.2,
            )
        ],
    )


async def check(stream: str, store: Path, wanted: set[int], seen: set[int]) -> None:
    """Run a runner until the wanted orders are checked, and stop it."""
    is_done = asyncio.Event()

    def tell(result: CheckpointResult) -> None:
        rows = [message["body"]["id"] for message in result.metadata["messages"]]
        seen.update(rows)
        if wanted <= seen:
            is_done.set()

    runner = AsyncCheckpointRunner(
        store=store, result_callback=tell, result_queue_size=None
    )
    runner.add_checkpoint(checkpoint(stream))
    async with asyncio.timeout(30), runner:
        await is_done.wait()


async def main() -> None:
    """Run everything."""
    stream = f"orders-{secrets.token_hex(4)}"
    client = await nats.connect(URL)
    jetstream = client.jetstream()
    await jetstream.add_stream(name=stream, subjects=[f"{stream}.*"])
    try:
        for number in range(ORDERS):
            order = {"id": number, "amount": number * 2.5 - 5}
            await jetstream.publish(f"{stream}.eu", json.dumps(order).encode())
        seen: set[int] = set()
        with tempfile.TemporaryDirectory() as folder:
            store = Path(folder) / "runs.db"
            await check(stream, store, set(range(20)), seen)
            print(f"the first runner has stopped; all checked yet: {len(seen) == 60}")
            await check(stream, store, set(range(ORDERS)), seen)
        info = await jetstream.consumer_info(stream, "truthound-orders")
        left = info.num_pending + info.num_ack_pending
        print(f"{len(seen)} of {ORDERS} orders checked, {left} not acknowledged")
    finally:
        await jetstream.delete_stream(stream)
        await client.close()


if __name__ == "__main__":
    asyncio.run(main())
