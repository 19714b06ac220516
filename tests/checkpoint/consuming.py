"""A program that receives a message, and whose run never ends, or ends the process.

Arguments: the kind of the broker, its address, the place, where the store is, and
``hangs`` or ``dies``. It says ``running`` when the run has begun.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import more_brokers  # noqa: F401 - they add themselves
from brokers import BROKERS
from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint


class Bad(Checkpoint):
    """A checkpoint that never comes to an end."""

    async def run_async(self, context: Any = None, **_: Any) -> Any:
        print("running", flush=True)
        if sys.argv[5] == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        await asyncio.Event().wait()


async def main() -> None:
    """Consume until somebody ends it."""
    kind, url, place, store = sys.argv[1:5]
    broker = BROKERS[kind](url)
    broker.place = place
    checkpoint = Bad("c", data_source={"a": [1]}, triggers=[broker.trigger()])
    runner = AsyncCheckpointRunner(store=store, result_queue_size=None)
    runner.add_checkpoint(checkpoint)
    async with runner:
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
