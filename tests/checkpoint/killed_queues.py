"""A program that checks messages of a queue, and is killed on the way.

It is told ``KIND URL PLACE FOLDER POINT NUMBER TOTAL`` in lines on its standard input,
and forks for each. The child kills itself at the NUMBER-th passage of the POINT, or
ends when so many runs have come to an end in the store and nothing comes any more.
The answer to a line is how it has ended.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import aio_pika  # noqa: F401 - before the fork
import aiokafka  # noqa: F401 - the same
import aiomqtt  # noqa: F401 - the same
import killed

import more_brokers  # noqa: F401 - they add themselves
from brokers import BROKERS, until
from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint
from truthound.checkpoint.triggers import (
    KafkaTrigger,
    MQTTTrigger,
    PostgresNotifyTrigger,
    RabbitMQTrigger,
)
from truthound.store import Store

QUIET = 0.8  # seconds in which nothing has come
OWN = {
    "kafka": KafkaTrigger,
    "mqtt": MQTTTrigger,
    "postgres_notify": PostgresNotifyTrigger,
    "rabbitmq": RabbitMQTrigger,
}


def finished(store: Store) -> list[int]:
    """Return the bodies of the messages whose runs have come to an end."""
    return [
        record.context["message"]["body"]
        for record in store.runs(states=["finished"], limit=None)
    ]


async def work(kind: str, url: str, place: str, folder: Path, total: int) -> None:
    """Check messages until none is left."""
    broker = BROKERS[kind](url)
    broker.place = place
    trigger = broker.trigger(max_attempts=999, max_concurrent=2)
    store = Store(folder / "runs.db")
    loop = asyncio.get_running_loop()
    last = [float("inf")]  # when something has come
    received, connected = trigger.receive, trigger.connect

    async def connect() -> None:
        await connected()
        last[0] = loop.time()

    async def receive(most: int) -> Any:
        found = await received(most)
        last[0] = loop.time()
        return found

    trigger.connect, trigger.receive = connect, receive  # type: ignore[method-assign]
    runner = AsyncCheckpointRunner(store=store, result_queue_size=None)
    runner.add_checkpoint(
        Checkpoint(
            kind, data_source={"id": [1]}, validators=["null"], triggers=[trigger]
        )
    )

    async def is_through() -> bool:
        if loop.time() < last[0] + QUIET:
            return False
        return len(await asyncio.to_thread(finished, store)) >= total

    async with runner:
        await until(is_through)


def main() -> None:
    """Fork for each line."""
    logging.disable()
    for line in sys.stdin:
        kind, url, place, folder, point, number, total = line.rstrip("\n").split("\t")
        child = os.fork()
        if not child:
            try:
                for name in ("connect", "acknowledge"):
                    killed.POINTS[name] = (OWN[kind], name, False)
                killed.arm(point, int(number))
                asyncio.run(work(kind, url, place, Path(folder), int(total)))
            except BaseException as error:
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
