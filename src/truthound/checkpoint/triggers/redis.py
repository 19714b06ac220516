"""``RedisStreamTrigger``: for the entries of Redis streams."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import secrets
import socket
import sys
from collections import deque
from collections.abc import Iterable, Sequence
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

SCHEMES = ("redis", "rediss", "unix")
STARTS = ("first", "new")
# Seconds that the server holds a question back at most; what was given back meanwhile
# is looked for after that.
BLOCK = 1.0
SILENCE = 10.0  # seconds after which a server that says nothing is given up
LOOKS = 50  # questions for what others have left, before new entries have their turn
GIVEN_BACK = "given-back"  # the consumer that has what is to be delivered again
WHY, ID, STREAM = "truthound:why", "truthound:id", "truthound:stream"


@dataclass
class RedisStreamConfig(MessageConfig):
    """Options of a :class:`RedisStreamTrigger`.

    Attributes:
        url: of the server, such as ``redis://user:password@host:6379/0``; ``rediss``
            for TLS, ``unix`` for a socket. A secret, also as ``${NAME}``.
        stream: its key, or those of several.
        group: the consumer group; it is made if there is none. Each message goes to
            one consumer of a group. None: one for each checkpoint, by its name.
        start: where a group begins that is made: at the ``first`` entry that is there,
            or with those that are ``new``.
        consumer: its name in the group; None: one for each process.
        claim_idle_seconds: after which the entries of a consumer that says nothing are
            taken over. The longest wait before an entry is delivered again.
        field: of an entry that holds the body; None: the body is all fields, as a
            mapping.
    """

    url: Secret | str = "redis://127.0.0.1:6379/0"
    stream: str | Sequence[str] = ""
    group: str | None = None
    start: str = "first"
    consumer: str | None = None
    claim_idle_seconds: float = 60.0
    field: str | None = None

    def check(self) -> None:
        super().check()
        self.url = checked_address(self.url, SCHEMES)
        if not self.stream:
            raise ConfigurationError("the option stream is missing")
        names = self.streams()
        for name in names:
            check_text("stream", name)
        if len(set(names)) < len(names):
            raise ConfigurationError(f"stream names one twice: {names}")
        for option in ("group", "consumer", "field"):
            if getattr(self, option) is not None:
                check_text(option, getattr(self, option))
        if self.start not in STARTS:
            raise ConfigurationError(
                f"start is {' or '.join(STARTS)}, not {self.start!r}"
                f"{did_you_mean(str(self.start), STARTS)}"
            )
        check_number("claim_idle_seconds", self.claim_idle_seconds)
        if self.claim_idle_seconds < 0.1:
            raise ConfigurationError(
                f"claim_idle_seconds is 0.1 or more, not {self.claim_idle_seconds!r}"
            )

    def streams(self) -> list[str]:
        """Return the keys of the streams."""
        return [self.stream] if isinstance(self.stream, str) else list(self.stream)


class RedisStreamTrigger(MessageTrigger[RedisStreamConfig]):
    """Runs for each entry that is added to a Redis stream; Redis 6.2 or later.

    An entry is read with ``XREADGROUP`` and acknowledged with ``XACK`` when its run is
    over. What a consumer has left that died is taken over with ``XAUTOCLAIM``.

    Example:
        >>> RedisStreamTrigger(stream="rides", url="redis://:secret@db/0").url
        Secret(***)
    """

    trigger_type: str = "redis"

    def __init__(self, config: RedisStreamConfig | None = None, **options: Any) -> None:
        super().__init__(config, **options)
        self.renewal: float = self._config.claim_idle_seconds / 3
        self._client: Any = None
        self._consumer = self._config.consumer or (
            f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        )
        self._left: deque[Received] = deque()  # received, one stream too many
        self._old: dict[str, str] = {}  # streams, and up to where its own were read
        self._look_at = 0.0  # when to look for what others have left
        self._claimed_to: dict[str, bytes] = {}  # streams, and up to where that was
        self._has_connected = False

    def library(self) -> Any:
        with needed("redis", "redis"):
            import redis.asyncio
        return redis.asyncio

    def source(self) -> str:
        return ", ".join(self._config.streams())

    def group(self) -> str:
        """Return the name of the consumer group."""
        name = getattr(self.checkpoint, "name", None)
        return self._config.group or f"truthound-{name or 'checkpoint'}"

    async def connect(self) -> None:
        library = self.library()
        self.lost: tuple[type[BaseException], ...] = (
            *type(self).lost,
            library.ConnectionError,
            library.TimeoutError,
        )
        address: Any = self._config.url
        self._client = client = library.Redis.from_url(
            address.reveal(),
            protocol=2,
            decode_responses=False,
            socket_timeout=BLOCK + SILENCE,
            socket_connect_timeout=SILENCE,
            retry=None,
            # Its name and version, for which each connection would read files.
            **_UNNAMED[int(hasattr(sys.modules["redis"], "driver_info"))],
        )
        for command in ("XREADGROUP", "XAUTOCLAIM", "XPENDING", "XCLAIM"):
            client.set_response_callback(command, _as_it_is)
        # A stream that has vanished meanwhile is a new one: all of it is.
        is_new = self._config.start == "new" and not self._has_connected
        for stream in self._config.streams():
            try:
                await client.execute_command(
                    "XGROUP", "CREATE", stream, self.group(), "$" if is_new else "0",
                    "MKSTREAM",
                )  # fmt: skip
            except library.ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise
        self._has_connected = True
        self._left.clear()
        self._old = dict.fromkeys(self._config.streams(), "0")
        self._look_at = 0.0

    async def receive(self, most: int) -> list[Received]:
        while not (found := await self.receive_more(most, BLOCK)):
            pass
        return found

    async def receive_more(self, most: int, seconds: float) -> list[Received]:
        loop = asyncio.get_running_loop()
        if not self._left and self._old:
            self._left.extend(await self._own(most))
        if not self._left and loop.time() >= self._look_at:
            self._left.extend(await self._claimed(most))
        if not self._left:
            wait = min(seconds, BLOCK, self._look_at - loop.time())
            self._left.extend(await self._new(most, wait))
        number = min(most, len(self._left))
        return [self._left.popleft() for _ in range(number)]

    async def acknowledge(self, messages: Sequence[Received]) -> None:
        for stream, ids in _by_stream(messages).items():
            await self._client.execute_command("XACK", stream, self.group(), *ids)

    async def give_back(self, messages: Sequence[Received], delay: float) -> None:
        # As if it had been idle for a while: it is claimed after the rest of the time.
        idle = max(0.0, self._config.claim_idle_seconds - delay)
        for stream, ids in _by_stream(messages).items():
            await self._client.execute_command(
                "XCLAIM", stream, self.group(), GIVEN_BACK, 0, *ids,
                "IDLE", round(idle * 1000), "JUSTID",
            )  # fmt: skip
        due = asyncio.get_running_loop().time() + delay + 0.002
        self._look_at = min(self._look_at, due)

    async def bury(self, message: Received, why: str) -> None:
        place = self._config.dead_letter or f"{message.place}.dead"
        fields = [*(message.raw or ()), WHY, why, ID, message.id]
        async with self._client.pipeline(transaction=True) as pipe:
            pipe.execute_command("XADD", place, "*", *fields, STREAM, message.place)
            pipe.execute_command("XACK", message.place, self.group(), message.id)
            await pipe.execute()

    async def renew(self, messages: Sequence[Received]) -> None:
        for stream, ids in _by_stream([*messages, *self._left]).items():
            await self._client.execute_command(
                "XCLAIM", stream, self.group(), self._consumer, 0, *ids,
                "IDLE", 0, "JUSTID",
            )  # fmt: skip

    async def disconnect(self) -> None:
        client = self._client
        if client is None:
            return
        try:
            if self._left:
                await self.give_back(list(self._left), 0.0)
                self._left.clear()
            if self._config.consumer is None:
                await self._leave()
        finally:
            self._client = None
            await client.aclose()

    # ------------------------------------------------------------------------- reading

    async def _new(self, most: int, wait: float) -> list[Received]:
        """Return entries that nobody was given yet, waiting for the first."""
        streams = self._config.streams()
        # The number is one for each stream.
        found = await self._client.execute_command(
            "XREADGROUP", "GROUP", self.group(), self._consumer,
            "COUNT", max(1, most // len(streams)), "BLOCK", max(1, round(wait * 1000)),
            "STREAMS", *streams, *[">"] * len(streams),
        )  # fmt: skip
        return [
            self._received(name.decode(), entry, 1)
            for name, entries in found or ()
            for entry in entries
        ]

    async def _own(self, most: int) -> list[Received]:
        """Return what a consumer of this name was given, and has not acknowledged."""
        while self._old:
            stream, after = next(iter(self._old.items()))
            found = await self._client.execute_command(
                "XREADGROUP", "GROUP", self.group(), self._consumer,
                "COUNT", most, "STREAMS", stream, after,
            )  # fmt: skip
            entries = found[0][1] if found else []
            if not entries:
                del self._old[stream]
                continue
            self._old[stream] = entries[-1][0].decode()
            if there := await self._counted(stream, entries):
                return there
        return []

    async def _claimed(self, most: int) -> list[Received]:
        """Return what others have left, or what was given back."""
        idle = self._config.claim_idle_seconds
        pause = idle / 2
        for stream in self._config.streams():
            if self._claimed_to.get(stream, b"0-0") != b"0-0":
                pause = 0.0  # this look is at the rest only: the next one at all
            for _ in range(LOOKS):
                answer = await self._client.execute_command(
                    "XAUTOCLAIM", stream, self.group(), self._consumer,
                    round(idle * 1000), self._claimed_to.get(stream, b"0-0"),
                    "COUNT", most,
                )  # fmt: skip
                self._claimed_to[stream] = answer[0]
                if len(answer) > 2 and answer[2]:
                    self._are_gone(stream, len(answer[2]))
                if found := await self._counted(stream, answer[1]):
                    return found
                if answer[0] == b"0-0":  # all that is pending was looked at
                    break
            else:
                pause = 0.0  # new entries have their turn between
        self._look_at = asyncio.get_running_loop().time() + pause
        return []

    async def _counted(self, stream: str, entries: Sequence[Any]) -> list[Received]:
        """Return entries with the numbers of their deliveries."""
        there = [entry for entry in entries if entry and entry[1] is not None]
        gone = [entry[0] for entry in entries if entry and entry[1] is None]
        if gone:
            await self._client.execute_command("XACK", stream, self.group(), *gone)
            self._are_gone(stream, len(gone))
        if not there:
            return []
        async with self._client.pipeline(transaction=False) as pipe:
            for entry in there:
                pipe.execute_command(
                    "XPENDING", stream, self.group(), entry[0], entry[0], 1
                )
            counts = await pipe.execute()
        return [
            self._received(stream, entry, int(count[0][3]) if count else 1)
            for entry, count in zip(there, counts, strict=True)
        ]

    def _are_gone(self, stream: str, number: int) -> None:
        logger.warning(
            "%s: %d entries were deleted before they were acknowledged", stream, number
        )

    def _received(self, stream: str, entry: Any, attempt: int) -> Received:
        identity, fields = entry
        pairs = {
            _text(fields[n]): fields[n + 1] for n in range(0, len(fields), 2)
        }  # fmt: skip
        field = self._config.field
        if field is None:
            body = json.dumps({name: _text(value) for name, value in pairs.items()})
            content, headers = body.encode(), {}
        else:
            content = pairs.pop(field, b"")
            headers = {name: _text(value) for name, value in pairs.items()}
        return Received(
            id=identity.decode(),
            body=content,
            place=stream,
            headers=headers,
            attempt=attempt,
            raw=fields,
        )

    async def _leave(self) -> None:
        """Take the consumer out of the group if nothing is left to it."""
        for stream in self._config.streams():
            left = await self._client.execute_command(
                "XPENDING", stream, self.group(), "-", "+", 1, self._consumer
            )
            if not left:
                await self._client.execute_command(
                    "XGROUP", "DELCONSUMER", stream, self.group(), self._consumer
                )


# Of versions of the library before 7, and from then on.
_UNNAMED: tuple[dict[str, Any], ...] = (
    {"lib_name": None, "lib_version": None},
    {"driver_info": None},
)


def _as_it_is(answer: Any, **_: Any) -> Any:
    return answer


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def _by_stream(messages: Iterable[Received]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for message in messages:
        found.setdefault(message.place, []).append(message.id)
    return found
