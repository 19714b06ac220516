"""Messages of an MQTT server start checks, also those from while nobody was there.

    pip install 'truthound-async[mqtt]'
    python examples/async/mqtt_topic.py [mqtt://localhost:1883]

It needs an MQTT server, such as mosquitto. The topics are of its own, and the session
ends with the program.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import aiomqtt
import polars as pl
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint
from truthound.checkpoint.triggers import MQTTTrigger

URL = "mqtt://localhost:1883"


async def publish(url: str, topic: str, *bodies: str) -> None:
    """Publish messages with names of their own."""
    parts = urlsplit(url)
    async with aiomqtt.Client(
        parts.hostname or "localhost",
        parts.port or 1883,
        username=parts.username,
        password=parts.password,
        protocol=aiomqtt.ProtocolVersion.V5,
    ) as client:
        for body in bodies:
            named = Properties(PacketTypes.PUBLISH)
            named.UserProperty = [("id", secrets.token_hex(8))]
            await client.publish(topic, body, qos=1, properties=named)


async def checked(url: str, plant: str, folder: Path, number: int) -> None:
    """Run until so many messages have been checked; 0: only begin the session."""
    trigger = MQTTTrigger(
        url=url, topics=f"{plant}/+/readings", client_id=plant, session_seconds=30
    )
    readings = Checkpoint(
        "readings",
        data_source=pl.DataFrame({"celsius": [19.5, 20.0, None]}),
        validators=["null"],
        triggers=[trigger],
    )
    runner = AsyncCheckpointRunner(store=str(folder / "runs.db"), error_callback=print)
    runner.add_checkpoint(readings)
    async with runner:
        while number > 0:
            for result in await runner.get_results_async(timeout=20):
                number -= 1
                message = result.metadata["message"]
                place = message["place"].partition("/")[2]
                print(f"{place} says {message['body']}: {result.status}")


async def main(url: str, folder: Path) -> None:
    """Publish before, while and after somebody listens."""
    plant = f"plant-{secrets.token_hex(4)}"
    first = asyncio.create_task(checked(url, plant, folder, 1))
    while not first.done():  # until the session is there, messages are lost
        await publish(url, f"{plant}/oven/readings", "hello")
        await asyncio.wait([first], timeout=0.5)
    await first
    print("nobody listens now")
    await publish(url, f"{plant}/oven/readings", "a", "b")
    print("and now again")
    await checked(url, plant, folder, 2)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        asyncio.run(main(sys.argv[1] if sys.argv[1:] else URL, Path(place)))
