"""``KafkaTrigger``: when a record comes to a topic of Kafka."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from truthound.checkpoint._threads import TRIGGERS, in_thread
from truthound.checkpoint.triggers._links import check_one_of, texts, translated
from truthound.checkpoint.triggers._offsets import Offsets
from truthound.checkpoint.triggers.messages import (
    MessageConfig,
    MessageTrigger,
    Received,
    check_text,
    needed,
)
from truthound.errors import ConfigurationError
from truthound.secrets import Secret

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
STARTS = {"first": "earliest", "new": "latest"}
CONNECT = 30.0  # seconds to become a member of the group
COMMIT = 5.0  # seconds for a commit, however often aiokafka tries
ANSWER = 10_000  # milliseconds for a record to be in the dead-letter topic
LOOK = 0.5  # seconds between two looks at what is to be delivered again
NEVER = 2**31 - 1  # milliseconds: a run may take as long as it likes
LONGEST_REASON = 1_000  # characters


@dataclass
class KafkaConfig(MessageConfig):
    """Options of a :class:`KafkaTrigger`.

    Attributes:
        topics: whose records.
        group_id: of the consumer group, whose members share the partitions; None: one
            for each checkpoint, by its name.
        bootstrap_servers: ``host:port`` of some brokers, as a list or with commas.
        start: where a group begins that has committed nothing: at the ``first`` record
            that is there, or with those that are ``new``.
        security_protocol: ``PLAINTEXT``, ``SSL``, ``SASL_PLAINTEXT`` or ``SASL_SSL``.
        sasl_mechanism: ``PLAIN``, ``SCRAM-SHA-256`` or ``SCRAM-SHA-512``.
        username: for SASL.
        password: for SASL; a secret, also as ``${NAME}``.
        ssl_ca_file: certificates to trust; None: those of the system.
        ssl_cert_file: the own certificate, if the brokers ask for one.
        ssl_key_file: its key; None: it is in the same file.
        session_timeout_seconds: after which the group goes on without a member that
            is not heard of.
    """

    topics: str | Sequence[str] = ()
    group_id: str | None = None
    bootstrap_servers: str | Sequence[str] = "localhost:9092"
    start: str = "first"
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    username: str = ""
    password: Secret | str = ""
    ssl_ca_file: str | None = None
    ssl_cert_file: str | None = None
    ssl_key_file: str | None = None
    session_timeout_seconds: float = 10.0

    def check(self) -> None:
        super().check()
        self.topics = texts("topics", self.topics, missing="whose records?")
        if self.group_id is not None:
            check_text("group_id", self.group_id)
        self.bootstrap_servers = texts(
            "bootstrap_servers", self.bootstrap_servers, missing="host:port of brokers"
        )
        check_one_of("start", self.start, list(STARTS))
        check_one_of("security_protocol", self.security_protocol, PROTOCOLS)
        check_one_of("sasl_mechanism", self.sasl_mechanism, MECHANISMS)
        self.password = Secret(self.password)
        is_sasl = self.security_protocol.startswith("SASL")
        if is_sasl and not (self.username and self.password):
            raise ConfigurationError(
                f"{self.security_protocol} needs username and password"
            )
        if not is_sasl and self.password:
            raise ConfigurationError(
                "the password would not be used: security_protocol is "
                f"{self.security_protocol}, expected SASL_SSL or SASL_PLAINTEXT"
            )
        if not 1 <= self.session_timeout_seconds <= 3600:
            raise ConfigurationError(
                "session_timeout_seconds is from 1 to 3600, not "
                f"{self.session_timeout_seconds!r}"
            )


class KafkaTrigger(MessageTrigger[KafkaConfig]):
    """Runs for each record of topics; its offset is committed when the run is over.

    Offsets are committed in the order of a partition: none while an earlier record is
    under way. A record that is given back holds up its partition until it is delivered
    again; the other partitions go on. Poison goes to ``<topic>.dead``, with headers
    that say where it was and why.

    Example:
        >>> KafkaTrigger(topics="orders", group_id="quality").topics
        ['orders']
    """

    trigger_type: str = "kafka"

    def __init__(self, config: KafkaConfig | None = None, **options: Any) -> None:
        super().__init__(config, **options)
        self._consumer: Any = None
        self._producer: Any = None
        self._offsets = Offsets()

    def library(self) -> Any:
        with needed("aiokafka", "kafka"):
            import aiokafka
        return aiokafka

    def source(self) -> str:
        return ", ".join(self._config.topics)

    def group(self) -> str:
        """Return the name of the consumer group."""
        name = getattr(self.checkpoint, "name", None)
        return self._config.group_id or f"truthound-{name or 'checkpoint'}"

    async def connect(self) -> None:
        config, library, self._offsets = self._config, self.library(), Offsets()
        session = config.session_timeout_seconds * 1000
        self._consumer = library.AIOKafkaConsumer(
            **await self._servers(),
            group_id=self.group(),
            enable_auto_commit=False,
            auto_offset_reset=STARTS[config.start],
            max_poll_interval_ms=NEVER,
            session_timeout_ms=int(session),
            heartbeat_interval_ms=int(session * 0.3),
        )
        self._consumer.subscribe(config.topics, listener=_listener(library, self))
        try:
            async with asyncio.timeout(CONNECT):
                with self._translated():
                    await self._consumer.start()
        except ConnectionError as error:
            if isinstance(error.__cause__, library.errors.KafkaConnectionError):
                # In its own words they come in another order each time.
                servers = ", ".join(config.bootstrap_servers)
                raise ConnectionError(f"cannot connect to {servers}") from error
            raise
        except TimeoutError:
            raise ConnectionError(
                f"no partitions within {CONNECT:g} s; aiokafka's log may say why"
            ) from None

    async def receive(self, most: int) -> list[Received]:
        loop, offsets = asyncio.get_running_loop(), self._offsets
        while True:
            if again := offsets.again(loop.time(), most):
                for partition in {_where(message)[0] for message in again}:
                    if not offsets.waits(partition):
                        self._consumer.resume(partition)
                return again
            if offsets.is_owed:  # the last time it could not be done
                await self._commit()
            with self._translated():
                found = await self._consumer.getmany(
                    timeout_ms=int(LOOK * 1000), max_records=most
                )
            if found:
                records = [record for some in found.values() for record in some]
                received = [_received(record) for record in records]
                for message in received:
                    offsets.take(*_where(message))
                return received

    async def acknowledge(self, messages: Sequence[Received]) -> None:
        are_ours = [self._offsets.done(*_where(message)) for message in messages]
        await self._commit()
        if not all(are_ours):
            raise ConnectionError("not committed, as the partition was given away")

    async def _commit(self) -> None:
        """Commit all that is done with, of which nothing before is under way."""
        offsets = self._offsets.to_commit()
        if not offsets:
            return
        if self._consumer is None:
            raise ConnectionError("the connection was lost before the commit")
        errors, self._offsets.is_owed = self.library().errors, True
        with self._translated():
            try:
                async with asyncio.timeout(COMMIT):
                    await self._consumer.commit(offsets)
            except (errors.CommitFailedError, errors.IllegalStateError) as error:
                # Whoever has the partition now gets these records again.
                raise ConnectionError(
                    "not committed, as the group shares its partitions anew"
                ) from error
        self._offsets.committed(offsets)

    async def give_back(self, messages: Sequence[Received], delay: float) -> None:
        moment = asyncio.get_running_loop().time() + delay
        for message in messages:
            partition, offset = _where(message)
            if self._offsets.give_back(partition, offset, message, moment):
                self._consumer.pause(partition)

    async def bury(self, message: Received, why: str) -> None:
        library, record = self.library(), message.raw
        headers = [
            *record.headers,
            ("truthound-why", why[:LONGEST_REASON].encode()),
            ("truthound-topic", record.topic.encode()),
            ("truthound-partition", str(record.partition).encode()),
            ("truthound-offset", str(record.offset).encode()),
        ]
        with self._translated():
            if self._producer is None:
                producer = library.AIOKafkaProducer(
                    **await self._servers(),
                    acks="all",
                    request_timeout_ms=ANSWER,
                    max_request_size=NEVER,  # what was read may be written
                )
                self._producer = producer
                await producer.start()
            place = self._config.dead_letter or f"{record.topic}.dead"
            try:
                await self._producer.send_and_wait(
                    place, record.value, key=record.key, headers=headers
                )
            except library.errors.MessageSizeTooLargeError:
                # Larger than the topic takes, with the reason: without the content.
                size = len(record.value or b"") + len(record.key or b"")
                left_out = ("truthound-left-out", f"{size} bytes".encode())
                own = [*headers[len(record.headers) :], left_out]
                await self._producer.send_and_wait(place, b"", headers=own)
        await self.acknowledge([message])

    async def disconnect(self) -> None:
        consumer, self._consumer = self._consumer, None
        producer, self._producer = self._producer, None
        self._offsets = Offsets()
        try:
            if producer is not None:
                await producer.stop()
        finally:
            if consumer is not None:
                await consumer.stop()

    def revoked(self, partitions: Iterable[Any]) -> None:
        """Note that others of the group may have partitions now."""
        self._offsets.forget(partitions)

    def _translated(self) -> contextlib.AbstractContextManager[None]:
        return translated(self.library().errors.KafkaError)

    async def _servers(self) -> dict[str, Any]:
        """Return what producer and consumer have to know of the brokers."""
        config = self._config
        servers: dict[str, Any] = {
            "bootstrap_servers": ",".join(config.bootstrap_servers),
            "security_protocol": config.security_protocol,
        }
        if config.security_protocol.endswith("SSL"):
            servers["ssl_context"] = await in_thread(self._ssl, TRIGGERS)
        if config.security_protocol.startswith("SASL"):
            servers["sasl_mechanism"] = config.sasl_mechanism
            servers["sasl_plain_username"] = config.username
            servers["sasl_plain_password"] = Secret(config.password).reveal()
        return servers

    def _ssl(self) -> Any:
        import ssl

        config = self._config
        context = ssl.create_default_context(cafile=config.ssl_ca_file)
        if config.ssl_cert_file:
            context.load_cert_chain(config.ssl_cert_file, config.ssl_key_file)
        return context


def _listener(library: Any, trigger: KafkaTrigger) -> Any:
    """Return what tells a trigger of the partitions that it has no more."""

    class Listener(library.ConsumerRebalanceListener):  # type: ignore[misc]
        def on_partitions_revoked(self, revoked: Any) -> None:
            trigger.revoked(revoked)

        def on_partitions_assigned(self, assigned: Any) -> None:
            pass

    return Listener()


def _received(record: Any) -> Received:
    headers = {
        str(name): (value or b"").decode("utf-8", "replace")
        for name, value in record.headers
    }
    if record.key is not None:
        headers.setdefault("key", record.key.decode("utf-8", "replace"))
    return Received(
        # With the moment: offsets begin anew in a topic that was made anew.
        id=f"{record.offset}@{record.timestamp}",
        body=record.value or b"",
        place=f"{record.topic}/{record.partition}",
        headers=headers,
        raw=record,
    )


def _where(message: Received) -> tuple[Any, int]:
    import aiokafka

    record = message.raw
    return aiokafka.TopicPartition(record.topic, record.partition), record.offset
