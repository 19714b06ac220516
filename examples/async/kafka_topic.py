"""Records of a Kafka topic start checks, three at a time; what is committed stays so.

    pip install 'truthound-async[kafka]' confluent-kafka
    python examples/async/kafka_topic.py [HOST:PORT]

Without an address it starts the small cluster that confluent-kafka has inside, so that
anybody can run it. With one it leaves a topic behind.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import tempfile
from pathlib import Path

import polars as pl
from confluent_kafka import Producer

from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint
from truthound.checkpoint.triggers import KafkaTrigger


def cluster() -> tuple[Producer, str]:
    """Start a cluster, which is there as long as its producer, and its address."""
    producer = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    (broker,) = producer.list_topics(timeout=10).brokers.values()
    return producer, f"{broker.host}:{broker.port}"


async def checked(address: str, topic: str, folder: Path, number: int) -> None:
    """Run until so many records have been checked."""
    trigger = KafkaTrigger(
        topics=topic,
        bootstrap_servers=address,
        batch_size=3,
        batch_window_seconds=1,
        session_timeout_seconds=2,  # the second time somebody waits for the first
    )
    orders = Checkpoint(
        "orders",
        data_source=pl.DataFrame({"id": [1, 2, 3]}),
        validators=["null"],
        triggers=[trigger],
    )
    runner = AsyncCheckpointRunner(store=str(folder / "runs.db"), error_callback=print)
    runner.add_checkpoint(orders)
    async with runner:
        while number > 0:
            for result in await runner.get_results_async(timeout=60):
                number -= result.metadata["message_count"]
                days = [m["body"]["day"] for m in result.metadata["messages"]]
                print(f"days {days}: {result.status}")


async def main(producer: Producer, address: str, folder: Path) -> None:
    """Send records, and run twice: the second time only what is new comes."""
    topic = f"orders-{secrets.token_hex(4)}"
    for first, last in ((1, 6), (7, 9)):
        for day in range(first, last + 1):
            body = json.dumps({"day": day}).encode()
            producer.produce(topic, body, key=b"orders")
        producer.flush(10)
        await checked(address, topic, folder, last - first + 1)
        print("stopped")


if __name__ == "__main__":
    if sys.argv[1:]:
        sender, where = Producer({"bootstrap.servers": sys.argv[1]}), sys.argv[1]
    else:
        sender, where = cluster()
    with tempfile.TemporaryDirectory() as place:
        asyncio.run(main(sender, where, Path(place)))
