"""Messages of a RabbitMQ queue start checks; one that never works goes to the dead.

    pip install 'truthound-async[rabbitmq]'
    python examples/async/rabbitmq_queue.py [amqp://guest:guest@localhost:5672/]

It needs a RabbitMQ. The queue is one of its own, and is deleted in the end.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aio_pika
import polars as pl

from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint
from truthound.checkpoint.triggers import RabbitMQTrigger

URL = "amqp://guest:guest@localhost:5672/"


DAYS = {1: [9.5, 3.0, 4.25], 2: [1.0, None]}


def orders_of(context: Mapping[str, Any]) -> pl.DataFrame:
    """Return the orders of the day that the message names."""
    body = context["message"]["body"]
    if not isinstance(body, dict):
        raise TypeError(f"a message without a day: {body!r}")
    return pl.DataFrame({"price": DAYS[body["day"]]})


async def main(url: str, folder: Path) -> None:
    """Send four messages, and run until the last of them is settled."""
    queue = f"orders-{secrets.token_hex(4)}"
    trigger = RabbitMQTrigger(
        url=url, queue=queue, max_attempts=2, retry_delay_seconds=0.1
    )
    orders = Checkpoint(
        "orders",
        data_source=orders_of,
        validators=["null"],
        triggers=[trigger],
    )
    buried = asyncio.Event()

    def told(error: BaseException) -> None:
        print(error)
        if "dead letters" in str(error):
            buried.set()

    runner = AsyncCheckpointRunner(store=str(folder / "runs.db"), error_callback=told)
    runner.add_checkpoint(orders)

    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        await channel.declare_queue(queue, durable=True)
        for number, body in enumerate((b'{"day": 1}', b'{"day": 2}', b"?")):
            message = aio_pika.Message(body, message_id=f"message-{number}")
            await channel.default_exchange.publish(message, queue)
        async with runner:
            seen = 0
            while seen < 4:  # two that are right, and two attempts at the third
                for result in await runner.get_results_async(timeout=20):
                    seen += 1
                    message = result.metadata["message"]
                    print(
                        f"{message['id']}, delivery {message['attempt']}: "
                        f"{result.status}"
                    )
            await buried.wait()
        dead = await channel.get_queue(f"{queue}.dead")
        letter = await dead.get()
        print(f"dead letter {letter.body!r}: {letter.headers['truthound-why']!s}")
        for name in (queue, f"{queue}.dead"):
            await channel.queue_delete(name)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        asyncio.run(main(sys.argv[1] if sys.argv[1:] else URL, Path(place)))
