"""Brokers that tests send messages to, all with the same face.

A broker is added as a subclass of :class:`Broker` here; every test of the suite
``tests/checkpoint/test_messages.py`` then runs with it, too.
"""

from __future__ import annotations

import abc
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Any

import services
from lines import Line
from truthound.checkpoint.triggers import (
    MessageTrigger,
    NATSTrigger,
    RedisStreamTrigger,
)

BROKERS: dict[str, type[Broker]] = {}
# Where an address has none.
PORTS = {
    "redis": 6379,
    "nats": 4222,
    "rabbitmq": 5672,
    "mqtt": 1883,
    "postgres_notify": 5432,
}


class Broker(abc.ABC):
    """A place of its own on a server of this machine.

    Attributes:
        kind: the word of a configuration file.
        url: of the server; may be changed before :meth:`trigger`, to that of a proxy.
        place: what its messages come from.
        counts: whether it counts deliveries.
        has_url: whether its trigger has the option ``url``.
    """

    kind = ""
    counts = True
    has_url = True
    group = "tests"

    def __init_subclass__(cls) -> None:
        if "kind" in cls.__dict__:
            BROKERS[cls.kind] = cls

    def __init__(self, url: str | None = None) -> None:
        self.url = url or self.find()
        self.place = f"truthound-{secrets.token_hex(6)}"

    @staticmethod
    @abc.abstractmethod
    def find() -> str:
        """Return the address of the machine's server, or skip the test."""

    @abc.abstractmethod
    async def open(self) -> None:
        """Make the place; it is empty."""

    @abc.abstractmethod
    async def close(self) -> None:
        """Take the place away, and all that came of it."""

    @abc.abstractmethod
    async def send(self, *bodies: bytes) -> None:
        """Send messages, in this order, and wait until they are there."""

    @abc.abstractmethod
    async def pending(self) -> int:
        """Return how many messages are there that are not acknowledged."""

    @abc.abstractmethod
    async def taken(self) -> int:
        """Return how many of them a consumer has, or has been promised."""

    @abc.abstractmethod
    async def dead(self) -> list[bytes]:
        """Return the bodies of the dead letters."""

    def line(self) -> Any:
        """Return a line to the server, which can be cut and mended."""
        return Line(self.url, PORTS[self.kind])

    @abc.abstractmethod
    def trigger(self, **options: Any) -> MessageTrigger[Any]:
        """Return a trigger for the place; what is not acknowledged comes soon again."""


class RedisBroker(Broker):
    """A stream of the Redis server."""

    kind = "redis"
    client: Any

    @staticmethod
    def find() -> str:
        return services.redis_url()

    async def attach(self) -> None:
        """Connect to the server; the place may be there."""
        import redis.asyncio

        self.client = redis.asyncio.Redis.from_url(self.url, driver_info=None)

    async def open(self) -> None:
        await self.attach()
        await self.client.xgroup_create(self.place, self.group, "0", mkstream=True)

    async def close(self) -> None:
        await self.client.delete(self.place, f"{self.place}.dead")
        await self.client.aclose()

    async def send(self, *bodies: bytes) -> None:
        for body in bodies:
            await self.client.xadd(self.place, {"body": body})

    async def pending(self) -> int:
        (group,) = await self.client.xinfo_groups(self.place)
        # Its "lag" is not known after a restart of the server.
        after = f"({group['last-delivered-id'].decode()}"
        return int(group["pending"]) + len(
            await self.client.xrange(self.place, min=after)
        )

    async def taken(self) -> int:
        (group,) = await self.client.xinfo_groups(self.place)
        return int(group["pending"])

    async def dead(self) -> list[bytes]:
        found = await self.client.xrange(f"{self.place}.dead")
        return [fields[b"body"] for _, fields in found]

    def trigger(self, **options: Any) -> MessageTrigger[Any]:
        given: dict[str, Any] = {
            "url": self.url,
            "stream": self.place,
            "group": self.group,
            "field": "body",
            "claim_idle_seconds": 0.6,
        }
        return RedisStreamTrigger(**{**given, **options})


class NATSBroker(Broker):
    """A stream of the NATS server."""

    kind = "nats"
    client: Any

    @staticmethod
    def find() -> str:
        return services.nats_url()

    async def attach(self) -> None:
        """Connect to the server; the place may be there."""
        import nats

        self.client = await nats.connect(self.url, allow_reconnect=False)
        self.stream = self.client.jetstream()

    async def open(self) -> None:
        await self.attach()
        await self.stream.add_stream(name=self.place, subjects=[f"{self.place}.*"])

    async def close(self) -> None:
        from nats.js.errors import NotFoundError

        for name in (self.place, f"{self.place}-dead"):
            with contextlib.suppress(NotFoundError):
                await self.stream.delete_stream(name)
        await self.client.close()

    async def send(self, *bodies: bytes) -> None:
        for body in bodies:
            await self.stream.publish(f"{self.place}.a", body)

    async def pending(self) -> int:
        info = await self._info()
        if info is None:
            return int((await self.stream.stream_info(self.place)).state.messages)
        return int(info.num_pending + info.num_ack_pending)

    async def taken(self) -> int:
        info = await self._info()
        return 0 if info is None else int(info.num_ack_pending)

    async def dead(self) -> list[bytes]:
        from nats.js.errors import NotFoundError

        name = f"{self.place}-dead"
        try:
            number = (await self.stream.stream_info(name)).state.messages
        except NotFoundError:
            return []
        found = [await self.stream.get_msg(name, n + 1) for n in range(number)]
        return [message.data for message in found]

    def trigger(self, **options: Any) -> MessageTrigger[Any]:
        given: dict[str, Any] = {
            "url": self.url,
            "stream": self.place,
            "subject": f"{self.place}.*",
            "durable": self.group,
            "ack_wait_seconds": 0.6,
        }
        return NATSTrigger(**{**given, **options})

    async def _info(self) -> Any:
        from nats.js.errors import NotFoundError

        try:
            return await self.stream.consumer_info(self.place, self.group)
        except NotFoundError:
            return None


@contextlib.asynccontextmanager
async def opened(kind: str, url: str | None = None) -> AsyncIterator[Any]:
    """Yield a broker with an empty place, which is taken away in the end."""
    broker = BROKERS[kind](url)
    await broker.open()
    try:
        yield broker
    finally:
        await broker.close()


async def until(condition: Callable[[], Any], what: str = "it") -> None:
    """Wait until something holds; a condition may be awaitable."""
    import asyncio
    import inspect

    async with asyncio.timeout(20):
        while True:
            found = condition()
            if inspect.isawaitable(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.01)
