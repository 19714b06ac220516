"""More brokers for the suite ``tests/checkpoint/test_messages.py``."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

import services
from brokers import Broker, until
from kafka_cluster import KafkaCluster, kafka_cluster
from truthound.checkpoint.triggers import (
    KafkaTrigger,
    MessageTrigger,
    MQTTTrigger,
    PostgresNotifyTrigger,
    RabbitMQTrigger,
)
from truthound.checkpoint.triggers.mqtt import left

_clusters: list[KafkaCluster] = []


@contextlib.contextmanager
def clusters() -> Iterator[None]:
    """Have a Kafka cluster in the block."""
    with kafka_cluster() as made:
        _clusters.append(made)
        yield
        _clusters.clear()


def cluster() -> KafkaCluster:
    """Return the cluster."""
    return _clusters[0]


class Counted(Broker):
    """A broker whose server does not tell how many messages are under way."""

    def __init__(self, url: str | None = None) -> None:
        super().__init__(url)
        self.sent = 0
        self.settled: set[str] = set()  # ids of messages

    async def pending(self) -> int:
        return self.sent - len(self.settled)

    def watched(self, trigger: Any, *names: str) -> Any:
        """Count what a trigger settles by some of its methods."""
        for name in names:
            setattr(trigger, name, self._counting(getattr(trigger, name)))
        return trigger

    def _counting(self, method: Any) -> Any:
        async def counting(messages: Any, *more: Any) -> None:
            await method(messages, *more)
            found = messages if isinstance(messages, list) else [messages]
            self.settled.update(message.id for message in found)

        return counting


class KafkaBroker(Broker):
    """A topic of one partition."""

    kind = "kafka"
    counts = False
    has_url = False
    reader: Any

    def __init__(self, url: str | None = None) -> None:
        super().__init__(url)
        self.triggers: list[KafkaTrigger] = []
        self.sent = 0
        self.is_down = False

    @staticmethod
    def find() -> str:
        return cluster().servers

    async def open(self) -> None:
        import aiokafka

        await asyncio.to_thread(cluster().create, self.place)
        self.partition = aiokafka.TopicPartition(self.place, 0)
        self.reader = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=self.url, group_id=self.place, enable_auto_commit=False
        )
        self.reader.assign([self.partition])
        await self.reader.start()
        self.committed = 0

    async def close(self) -> None:
        await self.reader.stop()

    async def send(self, *bodies: bytes) -> None:
        await asyncio.to_thread(cluster().send, self.place, *bodies)
        self.sent += len(bodies)

    async def pending(self) -> int:
        if not self.is_down:
            self.committed = await self.reader.committed(self.partition) or 0
        return self.sent - self.committed

    async def taken(self) -> int:
        return sum(trigger._offsets.under_way for trigger in self.triggers)

    async def dead(self) -> list[bytes]:
        import aiokafka

        place = f"{self.place}.dead"
        reader = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=self.url, auto_offset_reset="earliest"
        )
        await reader.start()
        try:
            if place not in await reader.topics():
                return []
            reader.subscribe([place])
            await until(reader.assignment)
            partitions = reader.assignment()
            number = sum((await reader.end_offsets(partitions)).values())
            return [(await reader.getone()).value for _ in range(number)]
        finally:
            await reader.stop()

    def trigger(self, **options: Any) -> MessageTrigger[Any]:
        given: dict[str, Any] = {
            "bootstrap_servers": self.url,
            "topics": self.place,
            "group_id": self.place,
            # In the place of a member that has left, the cluster waits this long.
            "session_timeout_seconds": 1.5,
        }
        made = KafkaTrigger(**{**given, **options})
        self.triggers.append(made)
        return made

    def line(self) -> Any:
        return _Outage(self)


class _Outage:
    """A line to a broker that gives its address to everybody: that goes down."""

    def __init__(self, broker: KafkaBroker) -> None:
        self._broker = broker
        self.url = broker.url

    async def __aenter__(self) -> _Outage:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._broker.is_down:
            self.mend()

    def cut(self) -> None:
        cluster().down()
        self._broker.is_down = True

    def mend(self) -> None:
        cluster().up()
        self._broker.is_down = False


class RabbitMQBroker(Counted):
    """A queue of the RabbitMQ server."""

    kind = "rabbitmq"
    queue_type = "quorum"
    link: Any

    def __init__(self, url: str | None = None) -> None:
        super().__init__(url)
        self.delivered: list[Any] = []

    @staticmethod
    def find() -> str:
        return services.rabbitmq_url()

    async def open(self) -> None:
        import aio_pika

        self.link = await aio_pika.connect(self.url)
        self.channel = await self.link.channel()
        kind = {"x-queue-type": self.queue_type}
        await self.channel.declare_queue(self.place, durable=True, arguments=kind)

    async def close(self) -> None:
        try:
            await until(self._is_settled)
        finally:
            for name in (self.place, f"{self.place}.dead"):
                await self.channel.queue_delete(name)
            await self.link.close()

    async def pending(self) -> int:
        # What was acknowledged on a line that was cut, the server still has.
        alive = [m for m in self.delivered if not m.processed and is_open(m)]
        return max(await super().pending(), await self.ready() + len(alive))

    async def ready(self) -> int:
        """Return how many messages nobody has."""
        queue = await self.channel.get_queue(self.place)
        return int(queue.declaration_result.message_count)

    async def _is_settled(self) -> bool:
        """The server, too, thinks that so many messages are left."""
        return await self.ready() == self.sent - len(self.settled)

    async def send(self, *bodies: bytes) -> None:
        import aio_pika

        exchange = self.channel.default_exchange
        for body in bodies:
            await exchange.publish(aio_pika.Message(body), self.place)
            self.sent += 1

    async def taken(self) -> int:
        return sum(not message.processed for message in self.delivered)

    async def dead(self) -> list[bytes]:
        import aio_pika

        channel = await self.link.channel()
        found: list[bytes] = []
        with contextlib.suppress(aio_pika.exceptions.ChannelNotFoundEntity):
            queue = await channel.get_queue(f"{self.place}.dead")
            while message := await queue.get(fail=False):
                found.append(message.body)
            await channel.close()
        return found

    def trigger(self, **options: Any) -> MessageTrigger[Any]:
        made = RabbitMQTrigger(**{"url": self.url, "queue": self.place, **options})
        came = made._came

        async def seen(message: Any) -> None:
            self.delivered.append(message)
            await came(message)

        made._came = seen  # type: ignore[method-assign]
        found: MessageTrigger[Any] = self.watched(made, "acknowledge", "bury")
        return found


def is_open(message: Any) -> bool:
    """Tell whether the channel is there by which a message has come."""
    import aiormq

    try:
        return not message.channel.is_closed
    except aiormq.exceptions.ChannelInvalidStateError:
        return False


class MQTTBroker(Counted):
    """A topic of the MQTT server."""

    kind = "mqtt"
    counts = False
    protocol = "5"
    link: Any

    def __init__(self, url: str | None = None) -> None:
        super().__init__(url)
        self.delivered = 0
        self.home = self.url

    @staticmethod
    def find() -> str:
        return services.mqtt_url()

    def client(self, **options: Any) -> Any:
        import aiomqtt

        parts = urlsplit(self.home)
        return aiomqtt.Client(
            parts.hostname or "",
            parts.port or 1883,
            protocol=aiomqtt.ProtocolVersion.V5,
            **options,
        )

    async def open(self) -> None:
        # The session is there before the first message.
        trigger = self.trigger()
        await trigger.connect()
        await trigger.disconnect()
        self.link = self.client(clean_start=True)
        await self.link.__aenter__()
        await self.link.subscribe(f"{self.place}/dead", qos=1)

    async def close(self) -> None:
        await left(self.link)
        link = self.client(identifier=self.place, clean_start=True)
        await link.__aenter__()
        await left(link)  # a session that ends with the connection

    async def send(self, *bodies: bytes) -> None:
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        for body in bodies:
            named: Any = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            named.UserProperty = [("id", f"message {self.sent}")]
            await self.link.publish(self.place, body, qos=1, properties=named)
            self.sent += 1

    async def taken(self) -> int:
        return self.delivered - len(self.settled)

    async def dead(self) -> list[bytes]:
        await self.link.publish(f"{self.place}/dead", b"the end", qos=1)
        found: list[bytes] = []
        async for message in self.link.messages:
            if message.payload == b"the end":
                break
            found.append(message.payload)
        return found

    def trigger(self, **options: Any) -> MessageTrigger[Any]:
        given: dict[str, Any] = {
            "url": self.url,
            "topics": self.place,
            "client_id": self.place,
            "protocol": self.protocol,
            "id_property": "id",
        }
        made = MQTTTrigger(**{**given, **options})
        came = made._came

        def seen(paho: Any, given: Any, message: Any) -> None:
            self.delivered += 1
            # What comes again was not confirmed after all.
            named = getattr(message.properties, "UserProperty", ())
            self.settled -= {value for _, value in named}
            came(paho, given, message)

        made._came = seen  # type: ignore[method-assign,assignment]
        # A burial ends with an acknowledgement.
        found: MessageTrigger[Any] = self.watched(made, "acknowledge")
        return found


class PostgresBroker(Broker):
    """A table of the PostgreSQL server."""

    kind = "postgres_notify"
    link: Any

    @staticmethod
    def find() -> str:
        return services.postgres_url()

    @property
    def table(self) -> Any:
        return sql.Identifier(self.place)

    async def open(self) -> None:
        self.link = await psycopg.AsyncConnection.connect(self.url, autocommit=True)
        made = PostgresNotifyTrigger.schema(self.place, self.place)
        await self.link.execute(made.replace("body text", "body bytea"))

    async def close(self) -> None:
        drop = "DROP TABLE {}; DROP FUNCTION {}"
        function = sql.Identifier(f"{self.place}_notify")
        await self.link.execute(sql.SQL(drop).format(self.table, function))
        await self.link.close()

    async def send(self, *bodies: bytes) -> None:
        insert = sql.SQL("INSERT INTO {} (body) VALUES (%s)").format(self.table)
        for body in bodies:
            await self.link.execute(insert, [body])

    async def ask(self, question: str) -> list[Any]:
        cursor = await self.link.execute(sql.SQL(question).format(self.table))
        return [row[0] for row in await cursor.fetchall()]

    async def pending(self) -> int:
        (found,) = await self.ask("SELECT count(*) FROM {} WHERE state = 'waiting'")
        return int(found)

    async def taken(self) -> int:
        (found,) = await self.ask(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND "
            f"classid = '\"{self.place}\"'::regclass::oid AND objsubid = 2"
        )
        return int(found)

    async def dead(self) -> list[bytes]:
        return await self.ask("SELECT body FROM {} WHERE state = 'dead' ORDER BY id")

    def trigger(self, **options: Any) -> MessageTrigger[Any]:
        given: dict[str, Any] = {
            "url": self.url,
            "channels": self.place,
            "table": self.place,
        }
        return PostgresNotifyTrigger(**{**given, **options})
