"""A loader says in a Redis stream what it has written; each file is checked.

One file is good, one is bad, and one message names a file that is not there: it is
tried again, and goes to the dead letters.

    pip install 'truthound-async[redis]'
    python examples/async/redis_stream.py

It needs a Redis at ``REDIS_URL``, or at 127.0.0.1:6379; it leaves nothing there.
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

import polars as pl
import redis.asyncio

from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint, CheckpointResult
from truthound.checkpoint.triggers import RedisStreamTrigger

URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")


def rides(context: Mapping[str, Any]) -> pl.DataFrame:
    """Return the data that the message is about."""
    return pl.read_csv(context["message"]["body"]["path"])


async def load(client: Any, stream: str, folder: Path) -> None:
    """Write files, and say so."""
    (folder / "monday.csv").write_text("id,fare\n1,12.5\n2,8.0\n")
    (folder / "tuesday.csv").write_text("id,fare\n3,12.5\n3,-4.0\n")
    for name in ("monday", "tuesday", "wednesday"):
        told = json.dumps({"path": str(folder / f"{name}.csv")})
        await client.xadd(stream, {"body": told, "sent_by": "loader"})


def tell(result: CheckpointResult) -> None:
    """Say how a run ended."""
    message = result.metadata["message"]
    file = Path(message["body"]["path"]).name
    print(f"{file}: {result.status} (delivery {message['attempt']})")


async def main() -> None:
    """Run everything."""
    stream = f"rides-{secrets.token_hex(4)}"
    client = redis.asyncio.Redis.from_url(URL)
    checkpoint = Checkpoint(
        "rides",
        data_source=rides,
        validators=[
            {"unique": {"column": "id", "severity": "critical"}},
            {"range": {"column": "fare", "min": 0}},
        ],
        triggers=[
            RedisStreamTrigger(
                url=URL,
                stream=stream,
                field="body",
                max_attempts=2,
                retry_delay_seconds=0.1,
            )
        ],
    )
    buried = asyncio.Event()

    def trouble(error: Exception) -> None:
        if "dead letters" in str(error):
            buried.set()

    runner = AsyncCheckpointRunner(
        result_callback=tell, error_callback=trouble, result_queue_size=None
    )
    runner.add_checkpoint(checkpoint)
    try:
        with tempfile.TemporaryDirectory() as folder:
            await load(client, stream, Path(folder))
            async with asyncio.timeout(30), runner:
                await buried.wait()
        left = await client.xpending(stream, "truthound-rides")
        dead = await client.xlen(f"{stream}.dead")
        print(f"not acknowledged: {left['pending']}, dead letters: {dead}")
    finally:
        await client.delete(stream, f"{stream}.dead")
        await client.aclose()


if __name__ == "__main__":
    asyncio.run(main())
