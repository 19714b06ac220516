"""``RabbitMQTrigger``: when a message comes to a queue of RabbitMQ."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from truthound.async_core._tasks import stop
from truthound.checkpoint.triggers._links import Inbox, apart, check_one_of, translated
from truthound.checkpoint.triggers.messages import (
    MessageConfig,
    MessageTrigger,
    Received,
    check_text,
    checked_address,
    needed,
)
from truthound.errors import ConfigurationError
from truthound.secrets import Secret

SCHEMES = ("amqp", "amqps")
TYPES = ("quorum", "classic")
WHY = "truthound-why"  # the header that says why a message is dead
COUNT = "x-delivery-count"  # the header in which a quorum queue counts
LONGEST_REASON = 1_000  # characters
PREFETCH = 65_535  # messages at most, says the protocol
CONNECT = 30.0  # seconds for each step of connecting


@dataclass
class RabbitMQConfig(MessageConfig):
    """Options of a :class:`RabbitMQTrigger`.

    Attributes:
        queue: whose messages.
        url: of the server, ``amqp://`` or ``amqps://``; a secret, also as ``${NAME}``.
        declare: make the queue, durable, if there is none; else that is an error.
        queue_type: of a queue that is made: ``quorum``, which counts deliveries, or
            ``classic``.
        reject_dead: the queue has a dead-letter exchange of its own: poison is
            rejected and goes there. RabbitMQ drops it if there is none.
    """

    queue: str = ""
    url: Secret | str = "amqp://guest:guest@localhost:5672/"
    declare: bool = True
    queue_type: str = "quorum"
    reject_dead: bool = False

    def check(self) -> None:
        super().check()
        check_text("queue", self.queue)
        self.url = checked_address(self.url, SCHEMES)
        check_one_of("queue_type", self.queue_type, TYPES)
        if self.reject_dead and self.dead_letter is not None:
            raise ConfigurationError(
                "give dead_letter or reject_dead: with reject_dead the queue says "
                "where poison goes"
            )


class RabbitMQTrigger(MessageTrigger[RabbitMQConfig]):
    """Runs for each message of a queue; it is acknowledged when the run is over.

    No more messages are taken than runs may be under way. One that is given back waits
    for its delay here, in the place of another, and is then requeued. Poison goes to
    the queue ``<queue>.dead``, with confirmation, before it is acknowledged.

    Example:
        >>> RabbitMQTrigger(queue="orders", url="amqp://me:secret@mq/").url
        Secret(***)
    """

    trigger_type: str = "rabbitmq"

    def __init__(self, config: RabbitMQConfig | None = None, **options: Any) -> None:
        super().__init__(config, **options)
        self._inbox = Inbox()
        self._link: Any = None  # the connection
        self._channel: Any = None
        self._wire: Any = None  # the channel below that one
        self._tag = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._attempts: dict[str, int] = {}  # of what was given back and has no name

    def library(self) -> Any:
        with needed("aio_pika", "rabbitmq"):
            import aio_pika
        return aio_pika

    def source(self) -> str:
        return self._config.queue

    async def connect(self) -> None:
        config, library, self._inbox = self._config, self.library(), Inbox()
        address: Any = config.url
        with self._translated():
            self._link = await library.connect(address.reveal(), timeout=CONNECT)
            await self._see_to(config.queue, is_made=config.declare)
            self._channel = await self._link.channel(on_return_raises=True)
            self._channel.close_callbacks.add(self._closed)
            most = config.batch_size * config.max_concurrent
            await self._channel.set_qos(min(most, PREFETCH))
            self._wire = await self._channel.get_underlay_channel()
            queue = await self._channel.get_queue(config.queue, ensure=False)
            self._tag = await queue.consume(self._came, timeout=CONNECT)

    async def receive(self, most: int) -> list[Received]:
        found: list[Received] = await self._inbox.take(most, look=self._is_consuming)
        return found

    def key(self, message: Received) -> str:
        is_named = message.raw is not None and message.raw[1].message_id
        return super().key(apart(message) if is_named else message)

    async def acknowledge(self, messages: Sequence[Received]) -> None:
        ours = self._ours(messages)
        with self._translated():
            for message in ours:
                await message.raw[1].ack()
        if len(ours) < len(messages):
            raise ConnectionError(
                "the connection was lost before messages could be acknowledged"
            )

    async def give_back(self, messages: Sequence[Received], delay: float) -> None:
        ours = self._ours(messages)  # the others are requeued already
        if delay <= 0:
            await self._requeue(ours)
        elif ours:
            self._inbox.later(delay, lambda: self._requeue_soon(ours))

    async def bury(self, message: Received, why: str) -> None:
        if not self._ours([message]):
            raise ConnectionError("the connection was lost before it could be buried")
        (_, raw), place = message.raw, self._config.dead_letter
        with self._translated():
            if self._config.reject_dead:
                await raw.reject(requeue=False)
                return
            place = place or f"{self._config.queue}.dead"
            await self._see_to(place, is_made=True)
            await self._channel.default_exchange.publish(
                _dead(self.library(), raw, why), place, timeout=CONNECT
            )
            await raw.ack()

    async def disconnect(self) -> None:
        self._inbox.close()
        link, self._link, self._wire = self._link, None, None
        try:
            await stop(self._tasks)
        finally:
            if link is not None:
                await link.close()

    def _translated(self) -> contextlib.AbstractContextManager[None]:
        return translated(*self.library().exceptions.CONNECTION_EXCEPTIONS)

    async def _see_to(self, name: str, *, is_made: bool) -> None:
        """See that there is a queue; one that is there stays as it is.

        On a channel of its own, as RabbitMQ closes it if there is none.
        """
        missing = self.library().exceptions.ChannelNotFoundEntity
        async with self._link.channel() as channel:
            try:
                await channel.get_queue(name)
                return
            except missing:
                if not is_made:
                    raise
        kind = {"x-queue-type": self._config.queue_type}
        async with self._link.channel() as channel:
            await channel.declare_queue(name, durable=True, arguments=kind)

    async def _came(self, message: Any) -> None:
        headers = message.headers or {}
        count, name = headers.get(COUNT), message.message_id
        if isinstance(count, int):
            attempt = count + 1
        elif name:
            attempt = None
        else:
            attempt = self._attempts.pop(_digest(message), 0) + 1
        self._inbox.put(
            Received(
                # Two messages may say the same: one without a name is a new one.
                id=name or uuid.uuid4().hex,
                body=message.body,
                place=self._config.queue,
                headers={str(key): _text(value) for key, value in headers.items()},
                attempt=attempt,
                raw=(self._wire, message),
            )
        )

    def _closed(self, _: Any, error: BaseException | None = None) -> None:
        self._inbox.fail(ConnectionError(f"the channel was closed: {error!r}"))

    def _is_consuming(self) -> None:
        """Raise if the server has ended it: the queue was deleted, or has moved."""
        if self._wire is None or self._tag not in self._wire.consumers:
            raise ConnectionError(f"the queue {self._config.queue} is not there")

    def _ours(self, messages: Sequence[Received]) -> list[Received]:
        """Return the messages that came by this connection; others come again."""
        return [message for message in messages if message.raw[0] is self._wire]

    def _requeue_soon(self, messages: Sequence[Received]) -> None:
        task = asyncio.get_running_loop().create_task(self._requeue(messages))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _requeue(self, messages: Sequence[Received]) -> None:
        try:
            for message in messages:
                _, raw = message.raw
                if not raw.message_id and message.attempt is not None:
                    self._attempts[_digest(raw)] = message.attempt
                await raw.reject(requeue=True)
        except self.library().exceptions.CONNECTION_EXCEPTIONS as error:
            # Without the connection the server has requeued them already.
            self._inbox.fail(error)


def _dead(library: Any, raw: Any, why: str) -> Any:
    """Return a message as it goes to the dead letters."""
    headers = {key: value for key, value in raw.headers.items() if key != COUNT}
    return library.Message(
        raw.body,
        headers={**headers, WHY: why[:LONGEST_REASON]},
        content_type=raw.content_type,
        content_encoding=raw.content_encoding,
        correlation_id=raw.correlation_id,
        message_id=raw.message_id,
        type=raw.type,
        timestamp=raw.timestamp,
        delivery_mode=library.DeliveryMode.PERSISTENT,
    )


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _digest(message: Any) -> str:
    what = f"{message.exchange}\n{message.routing_key}\n".encode() + message.body
    return hashlib.sha256(what).hexdigest()
