"""Messages through trigger, checkpoint and acknowledgement, beside the bare client.

Load: 2,000 messages of 60 bytes in a Redis stream, and in a JetStream stream in memory.
Ours: a trigger with ``batch_size=1``, a checkpoint of one validator on a frame of 100
rows, no store; the time from the start of the runner to the last acknowledgement, which
for NATS the server confirms. The bare client reads one message, acknowledges it, and
reads the next; for NATS once without and once with confirmation. Ours with 16 runs at
once, with one at a time (which keeps the order), and with batches.

The aim is for 16 at once: one at a time each message waits for its run, a thread and
two answers of the server, and other programs on the machine get in between.

Machine: the one it runs on, with the servers on it. Comparison: the bare client, in
turns, medians of the rounds. Trust the ratios: rate of ours / rate of the bare client.

    python benchmarks/messages.py
"""

from __future__ import annotations

import asyncio
import os
import secrets
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

import nats
import polars as pl
import redis.asyncio

from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint
from truthound.checkpoint.triggers import NATSTrigger, RedisStreamTrigger

MESSAGES = 2_000
ROUNDS = 5
BODY = b'{"path": "s3://lake/rides/2026-03-02.parquet", "rows": 12345}'
FRAME = pl.DataFrame({"id": range(100), "fare": [n * 0.5 for n in range(100)]})
REDIS = os.environ.get("TRUTHOUND_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")
NATS = os.environ.get("TRUTHOUND_TEST_NATS_URL", "nats://127.0.0.1:4222")
AIM = 0.5  # of the rate of the bare client, a run for each message
WAYS: dict[str, dict[str, int]] = {
    "16 runs at once": {"max_concurrent": 16},
    "one at a time": {},
    "batches of 50": {"batch_size": 50},
}


async def ours(trigger: Any, left: Callable[[], Awaitable[int]]) -> float:
    """Return the messages a second."""
    checked = 0
    done = asyncio.Event()

    def count(result: Any) -> None:
        nonlocal checked
        assert result.success, result
        checked += result.metadata["message_count"]
        if checked == MESSAGES:
            done.set()

    runner = AsyncCheckpointRunner(result_callback=count, result_queue_size=None)
    runner.add_checkpoint(
        Checkpoint("c", data_source=FRAME, validators=["null"], triggers=[trigger])
    )
    begun = time.perf_counter()
    async with runner:  # its end waits for the acknowledgements
        await done.wait()
    seconds = time.perf_counter() - begun
    assert await left() == 0
    return MESSAGES / seconds


async def redis_round(way: str) -> float:
    name = f"truthound-{secrets.token_hex(6)}"
    client = redis.asyncio.Redis.from_url(REDIS)
    try:
        await client.xgroup_create(name, "g", "0", mkstream=True)
        async with client.pipeline(transaction=False) as pipe:
            for _ in range(MESSAGES):
                pipe.xadd(name, {"body": BODY})
            await pipe.execute()

        async def left() -> int:
            (group,) = await client.xinfo_groups(name)
            return int(group["pending"]) + int(group["lag"])

        if way != "bare":
            options: Any = WAYS[way]
            trigger = RedisStreamTrigger(
                url=REDIS, stream=name, group="g", field="body", **options
            )
            return await ours(trigger, left)
        begun = time.perf_counter()
        for _ in range(MESSAGES):
            found: Any = await client.xreadgroup("g", "me", {name: ">"}, count=1)
            entries = found[name.encode()] if isinstance(found, dict) else found[0][1]
            while isinstance(entries[0], list):
                entries = entries[0]
            await client.xack(name, "g", entries[0][0])
        seconds = time.perf_counter() - begun
        assert await left() == 0
        return MESSAGES / seconds
    finally:
        await client.delete(name)
        await client.aclose()


async def nats_round(way: str) -> float:
    name = f"truthound-{secrets.token_hex(6)}"
    client = await nats.connect(NATS)
    stream = client.jetstream()
    try:
        await stream.add_stream(name=name, subjects=[name], storage="memory")
        for _ in range(MESSAGES):
            await client.publish(name, BODY)
        await client.flush()
        consumer = await stream.pull_subscribe(name, "g", stream=name)

        async def left() -> int:
            info = await stream.consumer_info(name, "g")
            return int(info.num_pending + info.num_ack_pending)

        if way in WAYS:
            options: Any = WAYS[way]
            trigger = NATSTrigger(
                url=NATS, stream=name, subject=name, durable="g", **options
            )
            return await ours(trigger, left)
        begun = time.perf_counter()
        for _ in range(MESSAGES):
            (message,) = await consumer.fetch(1)
            if way == "bare":
                await message.ack()
            else:
                await message.ack_sync(timeout=10)
        await client.flush()
        seconds = time.perf_counter() - begun
        assert await left() == 0
        return MESSAGES / seconds
    finally:
        await stream.delete_stream(name)
        await client.close()


async def compared(what: str, run: Any, ways: list[str]) -> None:
    """Run all ways in turns, and print the ratios of their rates."""
    print(f"{what}: {MESSAGES:,} messages, {ROUNDS} rounds")
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way in ways:
            rates[way].append(await run(way))
    for way in ways:
        ratios = [
            ours / bare for ours, bare in zip(rates[way], rates["bare"], strict=True)
        ]
        aim = f"  (aim {AIM:g})" if way == "16 runs at once" else ""
        print(
            f"  {way:24} {statistics.median(rates[way]):8,.0f} a second  "
            f"ratio {statistics.median(ratios):5.2f}"
            f"  ({min(ratios):.2f} to {max(ratios):.2f}){aim}"
        )


async def main() -> None:
    await compared("Redis Streams", redis_round, ["bare", *WAYS])
    await compared("NATS JetStream", nats_round, ["bare", "bare, confirmed", *WAYS])


if __name__ == "__main__":
    asyncio.run(main())
