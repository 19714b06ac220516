"""A program that receives messages, and whose runs end the process.

It is told the kind of a broker, its address, the place and where the store is, in lines
on its standard input with tabs between them, and forks for each: what is imported once
need not be again. The child receives a message and is killed in its run; the answer to
a line is how it has ended.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import more_brokers  # noqa: F401 - they add themselves
from brokers import BROKERS
from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint
from truthound.store import Store

CLIENTS = ("redis.asyncio", "nats.js", "aiokafka", "aio_pika", "aiomqtt", "psycopg")


class Bad(Checkpoint):
    """A checkpoint that ends its process, as if somebody had pulled the plug."""

    async def run_async(self, context: Any = None, **_: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)


async def consume(kind: str, url: str, place: str, store: str) -> None:
    """Consume until a message comes."""
    broker = BROKERS[kind](url)
    broker.place = place
    checkpoint = Bad("c", data_source={"a": [1]}, triggers=[broker.trigger()])
    runner = AsyncCheckpointRunner(store=Store(store), result_queue_size=None)
    runner.add_checkpoint(checkpoint)
    async with runner, asyncio.timeout(20):
        await asyncio.Event().wait()


def main() -> None:
    """Fork for each line."""
    for client in CLIENTS:
        importlib.import_module(client)
    for line in sys.stdin:
        told = line.rstrip("\n").split("\t")
        child = os.fork()
        if not child:
            try:
                asyncio.run(consume(*told))
            except BaseException as error:
                print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
