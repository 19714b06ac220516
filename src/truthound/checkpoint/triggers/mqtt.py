"""``MQTTTrigger``: when a message is published under a topic of MQTT."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from truthound.async_core._tasks import stop, undisturbed
from truthound.checkpoint._action import check_number
from truthound.checkpoint._threads import TRIGGERS, in_thread
from truthound.checkpoint.triggers._links import (
    Inbox,
    apart,
    check_one_of,
    texts,
    translated,
)
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

logger: logging.Logger = logging.getLogger("truthound.checkpoint")

SCHEMES = ("mqtt", "mqtts")
PORTS = {"mqtt": 1883, "mqtts": 8883}
PROTOCOLS = ("5", "3.1.1")
DEAD = "/dead"
REFUSED = 0x80  # and above: answers to a subscription
CONNECT = 5.0  # seconds
KEEP_ALIVE = 30  # seconds
ANSWER = 10.0  # seconds that the server has to answer
IN_FLIGHT = 65_535  # messages at most, says the protocol
LONGEST_SESSION = 2**32 - 1  # seconds: for ever, says the protocol
LONGEST_REASON = 1_000  # characters


@dataclass
class MQTTConfig(MessageConfig):
    """Options of an :class:`MQTTTrigger`.

    Attributes:
        topics: filters such as ``plant/+/readings`` or ``$share/quality/plant/#``.
        url: of the server, such as ``mqtt://user:password@host:1883``; ``mqtts`` for
            TLS. A secret, also as ``${NAME}``.
        client_id: by which the server knows the session and keeps messages for it; two
            processes with one name push each other out. None: one for each checkpoint,
            by its name.
        protocol: the version, ``5`` or ``3.1.1``.
        session_seconds: for which the server keeps the session, and its messages, when
            nobody is connected (version 5; else it is the server's affair).
        id_property: the user property (version 5) by which publishers name each
            message, such as ``truthound-id``; None: messages have no names.
        ssl_ca_file: certificates to trust; None: those of the system.
        ssl_cert_file: the own certificate, if the server asks for one.
        ssl_key_file: its key; None: it is in the same file.
    """

    topics: str | Sequence[str] = ()
    url: Secret | str = "mqtt://127.0.0.1:1883"
    client_id: str | None = None
    protocol: str = "5"
    session_seconds: float = 7 * 24 * 3600.0
    id_property: str | None = None
    ssl_ca_file: str | None = None
    ssl_cert_file: str | None = None
    ssl_key_file: str | None = None

    def check(self) -> None:
        super().check()
        self.topics = texts("topics", self.topics, missing="what is to be listened to?")
        for topic in self.topics:
            check_filter(topic)
        self.url = checked_address(self.url, SCHEMES)
        if self.client_id is not None:
            check_text("client_id", self.client_id)
        check_one_of("protocol", self.protocol, PROTOCOLS)
        check_number("session_seconds", self.session_seconds)
        if self.id_property is not None:
            check_text("id_property", self.id_property)
        if self.dead_letter is not None and set("+#") & set(self.dead_letter):
            raise ConfigurationError(
                f"dead_letter is a topic without + and #, not {self.dead_letter!r}"
            )


class MQTTTrigger(MessageTrigger[MQTTConfig]):
    """Runs for each message under some topics; confirmed when the run is over.

    The server keeps a session by the name of the client, so that what is published
    while nobody is connected comes later. All is received with QoS 1. A message that
    is given back is delivered again from here, as MQTT delivers again only to who
    connects anew. Poison is published under ``<topic>/dead``, and then confirmed.

    Example:
        >>> MQTTTrigger(topics="plant/+/readings", url="mqtt://me:secret@hub").url
        Secret(***)
    """

    trigger_type: str = "mqtt"

    def __init__(self, config: MQTTConfig | None = None, **options: Any) -> None:
        super().__init__(config, **options)
        self._inbox = Inbox()
        self._client: Any = None
        self._watch: asyncio.Task[None] | None = None
        self._open: dict[tuple[int, str], str] = {}  # ids of what is not confirmed

    def library(self) -> Any:
        with needed("aiomqtt", "mqtt"):
            import aiomqtt
        return aiomqtt

    def source(self) -> str:
        return ", ".join(self._config.topics)

    def client_id(self) -> str:
        """Return the name of the session."""
        name = getattr(self.checkpoint, "name", None)
        return self._config.client_id or f"truthound-{name or 'checkpoint'}"

    async def connect(self) -> None:
        library, config, self._inbox = self.library(), self._config, Inbox()
        client = library.Client(**await self._options(library))
        paho = client._client
        paho.connect_timeout = CONNECT
        paho.manual_ack_set(True)  # else it confirms what nobody has seen
        paho.on_message = self._came
        greeted, parted = paho.on_connect, paho.on_disconnect

        def on_connect(*given: Any) -> None:
            if not given[2].session_present:
                self._open.clear()  # the server numbers anew
            greeted(*given)

        def on_disconnect(*given: Any) -> None:
            parted(*given)
            if not client._connected.done():  # else aiomqtt waits on for an answer
                error = library.MqttError("the server has ended the connection")
                client._connected.set_exception(error)

        paho.on_connect, paho.on_disconnect = on_connect, on_disconnect
        with self._translated():
            try:
                # It connects on a thread, which nobody can call back.
                await undisturbed(client.__aenter__())
            except BaseException:
                await _given_up(client)
                raise
            self._client = client
            answers = await client.subscribe(
                [(topic, self._subscription()) for topic in config.topics]
            )
        for topic, answer in zip(config.topics, answers, strict=True):
            if int(getattr(answer, "value", answer)) >= REFUSED:
                raise ConfigurationError(f"the server refuses the topic {topic}")
        loop = asyncio.get_running_loop()
        self._watch = loop.create_task(self._watched(client))

    async def receive(self, most: int) -> list[Received]:
        found: list[Received] = await self._inbox.take(most)
        return found

    async def acknowledge(self, messages: Sequence[Received]) -> None:
        paho, are_lost = self._paho(), False
        for message in messages:
            owner, mid, qos = message.raw
            if owner is paho:
                self._open.pop((mid, _digest(message.place, message.body)), None)
                are_lost |= owner.ack(mid, qos) != 0
            else:
                are_lost |= qos > 0
        if are_lost or not await self._has_sent():
            raise ConnectionError(
                "the connection was lost before messages could be confirmed"
            )

    async def give_back(self, messages: Sequence[Received], delay: float) -> None:
        ours = [m for m in messages if m.raw[0] is self._paho()]
        self._inbox.put_later(ours, delay)

    async def bury(self, message: Received, why: str) -> None:
        client = self._client
        if client is None:
            raise ConnectionError("the connection was lost before it could be buried")
        headers = {**message.headers, "truthound-why": why[:LONGEST_REASON]}
        properties = None
        if self._config.protocol == "5":
            properties = _properties("PUBLISH", UserProperty=list(headers.items()))
        with self._translated():
            await client.publish(
                self._config.dead_letter or f"{message.place}{DEAD}",
                message.body,
                qos=1,
                properties=properties,
            )
        await self.acknowledge([message])

    async def disconnect(self) -> None:
        self._inbox.close()
        client, self._client = self._client, None
        watch, self._watch = self._watch, None
        try:
            await stop([watch] if watch is not None else [])
        finally:
            if client is not None:
                await left(client)

    async def _has_sent(self) -> bool:
        """Wait until all is on the way that is to be sent; False: the line is cut."""
        client = self._client
        try:
            async with asyncio.timeout(ANSWER):
                while client is self._client and client._client.want_write():  # noqa: ASYNC110 - nobody tells of it
                    await asyncio.sleep(0)
        except TimeoutError:
            return False
        return client is not None and not client._disconnected.done()

    def _paho(self) -> Any:
        """Return the client below aiomqtt's."""
        return None if self._client is None else self._client._client

    def _translated(self) -> contextlib.AbstractContextManager[None]:
        return translated(self.library().MqttError)

    async def _options(self, library: Any) -> dict[str, Any]:
        """Return what the client has to know."""
        config = self._config
        address: Any = config.url
        parts = urlsplit(address.reveal())
        options: dict[str, Any] = {
            "hostname": parts.hostname or "localhost",
            "port": parts.port or PORTS[parts.scheme],
            "username": unquote(parts.username) if parts.username else None,
            "password": unquote(parts.password) if parts.password else None,
            "identifier": self.client_id(),
            "keepalive": KEEP_ALIVE,
            "timeout": ANSWER,
        }
        if parts.scheme == "mqtts":
            options["tls_context"] = await in_thread(self._tls, TRIGGERS)
        if config.protocol == "3.1.1":
            return {
                **options,
                "protocol": library.ProtocolVersion.V311,
                "clean_session": False,
            }
        most = config.batch_size * config.max_concurrent
        properties = _properties(
            "CONNECT",
            SessionExpiryInterval=min(int(config.session_seconds), LONGEST_SESSION),
            ReceiveMaximum=min(most, IN_FLIGHT),
        )
        return {
            **options,
            "protocol": library.ProtocolVersion.V5,
            "clean_start": False,
            "properties": properties,
        }

    def _tls(self) -> Any:
        import ssl

        config = self._config
        context = ssl.create_default_context(cafile=config.ssl_ca_file)
        if config.ssl_cert_file:
            context.load_cert_chain(config.ssl_cert_file, config.ssl_key_file)
        return context

    def _subscription(self) -> Any:
        """Return how a topic is subscribed to."""
        if self._config.protocol == "3.1.1":
            return 1
        from paho.mqtt.subscribeoptions import SubscribeOptions

        # What is retained comes once for a session, and not with each connection.
        return SubscribeOptions(
            qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB
        )

    async def _watched(self, client: Any) -> None:
        """Tell the inbox when the connection is lost."""
        try:
            async for _ in client.messages:
                pass  # they go to _came
        except self.library().MqttError as error:
            self._inbox.fail(error)

    def _came(self, paho: Any, _: Any, message: Any) -> None:
        try:
            is_wanted = not self._is_dead(message.topic)
        except UnicodeDecodeError:  # a server should not have let it pass
            logger.error("%s: a topic is no UTF-8; its message is passed over", self)
            is_wanted = False
        if not is_wanted:
            paho.ack(message.mid, message.qos)
            return
        headers: dict[str, str] = {}
        for key, value in getattr(message.properties, "UserProperty", None) or ():
            headers.setdefault(key, value)
        name = self._named(headers) or self._id_of(message)
        received = Received(
            id=name,
            body=bytes(message.payload),
            place=message.topic,
            headers=headers,
            raw=(paho, message.mid, message.qos),
        )
        self._inbox.put(received)

    def key(self, message: Received) -> str:
        is_named = self._named(message.headers)
        return super().key(apart(message) if is_named else message)

    def _named(self, headers: Mapping[str, str]) -> str | None:
        name = self._config.id_property
        return None if name is None else headers.get(name)

    def _is_dead(self, topic: str) -> bool:
        """Tell whether a filter such as ``plant/#`` catches what was buried."""
        place = self._config.dead_letter
        is_there = topic.endswith(DEAD) if place is None else topic == place
        return is_there and topic not in self._config.topics

    def _id_of(self, message: Any) -> str:
        """Name a message that has no name.

        The server's number of it is used again, for another message that may say the
        same; so one that comes for the first time is a new one.
        """
        digest = _digest(message.topic, message.payload)
        place = message.mid, digest
        if not message.dup:
            self._open[place] = uuid.uuid4().hex
        return self._open.setdefault(place, f"{message.mid}-{digest[:32]}")


def _properties(packet: str, **values: Any) -> Any:
    """Return properties of a packet of version 5."""
    from paho.mqtt import packettypes, properties

    kind = getattr(packettypes.PacketTypes, packet)
    made: Any = properties.Properties(kind)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(made, name, value)
    return made


async def _given_up(client: Any) -> None:
    """Let go of a client that may be connected, as far as its socket is concerned."""
    client._client.disconnect()
    await stop([task for task in [client._misc_task] if task is not None])


async def left(client: Any) -> None:
    """Disconnect a client of aiomqtt, and wait for the end of its task."""
    try:
        await client.__aexit__(None, None, None)
    finally:
        await stop([task for task in [client._misc_task] if task is not None])
        if client._disconnected.done():
            client._disconnected.exception()  # seen: asyncio need not complain


def _digest(topic: str, body: bytes) -> str:
    return hashlib.sha256(topic.encode() + b"\n" + body).hexdigest()


def check_filter(topic: str) -> None:
    """Raise ConfigurationError unless a topic filter makes sense."""
    levels = topic.split("/")
    shared = levels[0] == "$share"
    is_right = not shared or (
        len(levels) > 2 and bool(levels[1]) and not set("+#") & set(levels[1])
    )
    for number, level in enumerate(levels[2:] if shared else levels, 1):
        rest = len(levels) - (2 if shared else 0)
        if "+" in level and level != "+":
            is_right = False
        if "#" in level and (level != "#" or number != rest):
            is_right = False
    if not is_right:
        raise ConfigurationError(
            f"topics: {topic!r} is no filter: + stands for one whole level, # for all "
            "levels at the end, $share/GROUP/ before a filter shares it"
        )
