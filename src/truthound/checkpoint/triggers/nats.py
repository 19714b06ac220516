"""``NATSTrigger``: for the messages of a NATS JetStream stream."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from truthound.checkpoint._action import check_number
from truthound.checkpoint.triggers.messages import (
    MessageConfig,
    MessageTrigger,
    Received,
    check_text,
    checked_address,
    needed,
)
from truthound.errors import ConfigurationError, did_you_mean
from truthound.secrets import Secret

logger: logging.Logger = logging.getLogger("truthound.checkpoint")

SCHEMES = ("nats", "tls", "ws", "wss")
STARTS = ("first", "new")
BLOCK = 5.0  # seconds that the server holds a question back at most
SILENCE = 10.0  # seconds after which a server that says nothing is given up
NOTHING = ("404", "408")  # there are no messages; the question has expired
PLAIN = 9  # tokens of an acknowledgement's subject without domain and account


@dataclass
class NATSConfig(MessageConfig):
    """Options of a :class:`NATSTrigger`.

    Attributes:
        url: of the server, such as ``nats://user:password@host:4222``; ``tls`` for TLS.
            A secret, also as ``${NAME}``.
        stream: its name; None: the one that has the subject.
        subject: which messages of the stream; ``*`` and ``>`` stand for others. Empty:
            all.
        durable: name of the consumer, which is made if there is none. Each message goes
            to one of those that share it. None: one for each checkpoint, by its name.
        start: where a consumer begins that is made: at the ``first`` message that is
            there, or with those that are ``new``.
        ack_wait_seconds: of a consumer that is made: after which a message is delivered
            again if nothing was heard of it. While its run lasts it is.
        dead_letter: the subject of the dead letters; a stream has to have it. None: the
            subject ``dead.STREAM`` of a stream ``STREAM-dead``, which is made.
    """

    url: Secret | str = "nats://127.0.0.1:4222"
    stream: str | None = None
    subject: str = ""
    durable: str | None = None
    start: str = "first"
    ack_wait_seconds: float = 30.0

    def check(self) -> None:
        super().check()
        self.url = checked_address(self.url, SCHEMES)
        if not self.stream and not self.subject:
            raise ConfigurationError("one of the options stream and subject is missing")
        for option in ("stream", "durable"):
            given = getattr(self, option)
            if given is not None:
                check_text(option, given)
                if _UNFIT.search(given):
                    raise ConfigurationError(
                        f"{option} is a name without spaces and . * > / \\; "
                        f"not {given!r}"
                    )
        if any(sign.isspace() for sign in self.subject):
            raise ConfigurationError(f"subject has no spaces; not {self.subject!r}")
        if self.start not in STARTS:
            raise ConfigurationError(
                f"start is {' or '.join(STARTS)}, not {self.start!r}"
                f"{did_you_mean(str(self.start), STARTS)}"
            )
        check_number("ack_wait_seconds", self.ack_wait_seconds)
        if self.ack_wait_seconds < 0.1:
            raise ConfigurationError(
                f"ack_wait_seconds is 0.1 or more, not {self.ack_wait_seconds!r}"
            )


class NATSTrigger(MessageTrigger[NATSConfig]):
    """Runs for each message of a JetStream stream.

    Messages are pulled by a durable consumer, and acknowledged when their runs are
    over; the server confirms that.

    Example:
        >>> NATSTrigger(subject="rides.*", url="nats://me:secret@broker").url
        Secret(***)
    """

    trigger_type: str = "nats"

    def __init__(self, config: NATSConfig | None = None, **options: Any) -> None:
        super().__init__(config, **options)
        self.renewal: float = self._config.ack_wait_seconds / 3
        self._client: Any = None
        self._stream = self._config.stream or ""
        self._inbox = ""
        self._came: deque[Any] = deque()  # messages, and what the server says
        self._news = asyncio.Event()
        self._is_lost = False
        self._asked = 0  # messages that the server has been asked for
        self._expires = 0.0
        self._acknowledging: dict[str, asyncio.Future[None]] = {}
        self._number = 0

    def library(self) -> Any:
        with needed("nats-py", "nats"):
            import nats.aio.client
        return nats

    def source(self) -> str:
        return self._config.subject or str(self._config.stream)

    def durable(self) -> str:
        """Return the name of the consumer."""
        name = str(getattr(self.checkpoint, "name", None) or "checkpoint")
        return self._config.durable or f"truthound-{_UNFIT.sub('_', name)}"

    async def connect(self) -> None:
        library = self.library()
        self.lost: tuple[type[BaseException], ...] = (
            *type(self).lost,
            library.errors.Error,
        )
        self._came.clear()
        self._is_lost, self._asked = False, 0
        address: Any = self._config.url
        self._client = client = library.aio.client.Client()
        await client.connect(
            address.reveal(),
            allow_reconnect=False,  # the runner does it, and knows of it
            connect_timeout=int(SILENCE),
            closed_cb=self._closed,
            error_cb=self._ignored,
        )
        await self._bound(client.jetstream(), library.js)
        self._inbox = client.new_inbox()
        await client.subscribe(f"{self._inbox}.>", cb=self._heard)

    async def receive(self, most: int) -> list[Received]:
        while not (found := await self.receive_more(most, BLOCK)):
            pass
        return found

    async def receive_more(self, most: int, seconds: float) -> list[Received]:
        loop = asyncio.get_running_loop()
        end = loop.time() + min(seconds, BLOCK)
        found: list[Received] = []
        if most > 1:  # as many as there are
            await self._ask(most, None)
            await self._taken(found, most, loop.time() + SILENCE, is_all=True)
        if not found:
            left = end - loop.time()
            if self._asked <= 0 and left > 0.001:
                await self._ask(1, left)
            await self._taken(found, most, max(end, self._expires + SILENCE))
        return found

    async def acknowledge(self, messages: Sequence[Received]) -> None:
        # Confirmed: what was only sent may be on its way when the line breaks. The
        # server takes them in their order, so that the last one is enough.
        self._number += 1
        name = f"{self._inbox}.{self._number}"
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._acknowledging[name] = done
        try:
            for message in messages[:-1]:
                await self._client.publish(message.raw.reply, b"+ACK")
            await self._client.publish(messages[-1].raw.reply, b"+ACK", reply=name)
            async with asyncio.timeout(SILENCE):
                await done
        finally:
            self._acknowledging.pop(name, None)

    async def give_back(self, messages: Sequence[Received], delay: float) -> None:
        after = f' {{"delay": {round(delay * 1e9)}}}' if delay > 0 else ""
        for message in messages:
            await self._client.publish(message.raw.reply, f"-NAK{after}".encode())
        await self._client.flush(timeout=round(SILENCE))

    async def bury(self, message: Received, why: str) -> None:
        js = self._client.jetstream()
        if (subject := self._config.dead_letter) is None:
            subject = f"dead.{self._stream}"
            await self._graveyard(js, subject)
        given = message.headers.items()
        headers = {k: v for k, v in given if not k.lower().startswith("nats-")}
        added = {
            "Truthound-Why": " ".join(why.split())[:1_000],
            "Truthound-Id": message.id,
            "Truthound-Subject": message.place,
            # Written once, should the acknowledgement get lost.
            "Nats-Msg-Id": f"{self._stream} {self.durable()} {message.id}",
        }
        body = message.body
        if _size(headers | added, body) > self._client.max_payload:  # it would hang up
            added["Truthound-Left-Out"] = f"{_size(headers, body)} bytes"
            headers, body = {}, b""
        await js.publish(subject, body, headers=headers | added)
        await self.acknowledge([message])

    async def renew(self, messages: Sequence[Received]) -> None:
        for reply in [*(m.raw.reply for m in messages), *self._left()]:
            await self._client.publish(reply, b"+WPI")

    async def disconnect(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        try:
            if not self._is_lost:
                for reply in self._left():
                    await client.publish(reply, b"-NAK")
                await client.flush(timeout=1)
        finally:
            self._came.clear()
            await client.close()

    # ---------------------------------------------------------------------- the client

    async def _bound(self, js: Any, library: Any) -> None:
        """Find the stream and the consumer.

        Raises:
            ConnectionError: there is no such stream; it may be made yet.
        """
        stream, subject = self._config.stream, self._config.subject
        try:
            self._stream = stream or await js.find_stream_name_by_subject(subject)
            await self._consumer(js, library)
        except library.errors.NotFoundError as error:
            what = f"called {stream!r}" if stream else f"with the subject {subject!r}"
            raise ConnectionError(f"there is no stream {what}") from error

    async def _consumer(self, js: Any, library: Any) -> None:
        """Have the consumer made, unless it is there."""
        name, config = self.durable(), self._config
        try:
            found = (await js.consumer_info(self._stream, name)).config
        except library.errors.NotFoundError:
            policy = library.api.DeliverPolicy
            made = library.api.ConsumerConfig(
                name=name,
                durable_name=name,
                ack_policy=library.api.AckPolicy.EXPLICIT,
                ack_wait=config.ack_wait_seconds,
                deliver_policy=policy.ALL if config.start == "first" else policy.NEW,
                filter_subject=config.subject or None,
            )
            found = (await js.add_consumer(self._stream, config=made)).config
        if found.deliver_subject or found.ack_policy != library.api.AckPolicy.EXPLICIT:
            raise ConfigurationError(
                f"durable: the consumer {name!r} of the stream {self._stream!r} is not "
                "one that messages are pulled from and acknowledged one by one"
            )
        if found.ack_wait:
            self.renewal = found.ack_wait / 3
        if 0 < (found.max_deliver or 0) <= config.max_attempts:
            logger.warning(
                "%s: the consumer %s gives up after %d deliveries, before max_attempts="
                "%d: such messages do not become dead letters",
                self.name,
                name,
                found.max_deliver,
                config.max_attempts,
            )

    async def _graveyard(self, js: Any, subject: str) -> None:
        errors = self.library().js.errors
        name = f"{self._stream}-dead"
        try:
            await js.stream_info(name)
        except errors.NotFoundError:
            await js.add_stream(name=name, subjects=[subject])

    async def _ask(self, most: int, seconds: float | None) -> None:
        """Ask for messages.

        Args:
            most: how many.
            seconds: how long the server may wait for the first; None: not at all.
        """
        asked: dict[str, Any] = {"batch": most}
        loop = asyncio.get_running_loop()
        if seconds is None:
            asked["no_wait"] = True
            self._expires = loop.time()
        else:
            asked["expires"] = round(seconds * 1e9)
            self._expires = loop.time() + seconds
        self._asked = most
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self.durable()}"
        await self._client.publish(
            subject, json.dumps(asked).encode(), reply=f"{self._inbox}.pull"
        )

    async def _taken(
        self, found: list[Received], most: int, end: float, *, is_all: bool = False
    ) -> None:
        """Take messages that have come.

        Args:
            found: gets them.
            most: how many at most.
            end: when a server that says nothing is gone, by the loop's time.
            is_all: wait until the server says that there are no more.

        Raises:
            ConnectionError: there is no server any more, or no consumer.
        """
        while True:
            while self._came and len(found) < most:
                message = self._came.popleft()
                if message.reply.startswith("$JS.ACK."):
                    self._asked -= 1
                    found.append(_received(message))
                else:
                    self._has_said(message)
            if self._asked <= 0 or len(found) == most or (found and not is_all):
                return
            if self._is_lost:
                raise ConnectionError("the connection is lost")
            self._news.clear()
            try:
                async with asyncio.timeout_at(end):
                    await self._news.wait()
            except TimeoutError:
                raise ConnectionError(f"no word for {SILENCE:g} s") from None

    def _has_said(self, message: Any) -> None:
        """Hear what the server says about a question.

        Raises:
            ConnectionError: it will not be answered.
        """
        headers = message.headers or {}
        status = headers.get("Status", "")
        if status == "100":
            return
        self._asked = 0
        if status not in NOTHING:
            said = headers.get("Description") or "no such consumer"
            raise ConnectionError(f"{status} {said}")

    def _left(self) -> list[str]:
        """Return how to answer to what has come and was not received."""
        return [m.reply for m in self._came if m.reply.startswith("$JS.ACK.")]

    async def _heard(self, message: Any) -> None:
        if (done := self._acknowledging.get(message.subject)) is None:
            self._came.append(message)
            self._news.set()
        elif not done.done():
            done.set_result(None)

    async def _closed(self) -> None:
        self._is_lost = True
        self._news.set()
        for done in self._acknowledging.values():
            if not done.done():
                done.set_exception(ConnectionError("the connection is lost"))

    async def _ignored(self, error: Exception) -> None:
        logger.debug("%s: %s", self.name, error)


def _received(message: Any) -> Received:
    tokens = message.reply.split(".")
    start = 4 if len(tokens) == PLAIN else 6
    delivered, sequence, _, moment = tokens[start : start + 4]
    return Received(
        # A stream that is made anew begins at 1 again, at another time.
        id=f"{sequence}-{moment}",
        body=message.data,
        place=message.subject,
        headers=dict(message.headers or {}),
        attempt=int(delivered),
        raw=message,
    )


def _size(headers: Mapping[str, str], body: bytes) -> int:
    """Return the bytes of a message as the server counts them."""
    lines = ["NATS/1.0", *(f"{name}: {value}" for name, value in headers.items()), ""]
    return sum(len(line.encode()) + 2 for line in lines) + len(body)


_UNFIT = re.compile(r"[\s.*>/\\]")
