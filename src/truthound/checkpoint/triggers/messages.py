"""Triggers for the messages of a broker: what all of them have in common."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from truthound.async_core._limit import check_count
from truthound.checkpoint._action import check_number
from truthound.checkpoint._threads import TRIGGERS, in_thread
from truthound.checkpoint._trigger import NativeTrigger, TriggerConfig, TriggerResult
from truthound.errors import (
    ConfigurationError,
    MissingDependencyError,
    did_you_mean,
)
from truthound.secrets import Secret

LONGEST_DELAY = 60.0  # seconds until a message is delivered again
LONGEST_BODY = 1_048_576  # bytes; what is longer stays out of results
LONGEST_KEY = 150  # characters; a longer key becomes a digest


@dataclass
class MessageConfig(TriggerConfig):
    """What can be said about any trigger for messages.

    Attributes:
        batch_size: messages that go into one run at most.
        batch_window_seconds: how long to wait for more, after the first.
        max_attempts: deliveries of a message; one that comes once more, or whose run
            could not be completed in the last of them, goes to the dead letters. What
            a stop has cut off is not counted if there is a store; if there is none, a
            message that was never checked to its end has twice as many.
        retry_delay_seconds: before a message is delivered again whose run could not be
            completed; it doubles each time, up to a minute.
        dead_letter: where such messages go that no run can be completed for; None: a
            place beside the source, with ``.dead`` behind its name.
    """

    batch_size: int = 1
    batch_window_seconds: float = 0.0
    max_attempts: int = 5
    retry_delay_seconds: float = 1.0
    dead_letter: str | None = None

    def check(self) -> None:
        super().check()
        check_count("batch_size", self.batch_size)
        check_number("batch_window_seconds", self.batch_window_seconds)
        check_count("max_attempts", self.max_attempts)
        check_number("retry_delay_seconds", self.retry_delay_seconds)
        if self.dead_letter is not None:
            check_text("dead_letter", self.dead_letter)

    def delay(self, attempt: int) -> float:
        """Return the seconds after which a message is delivered again.

        Args:
            attempt: the delivery whose run could not be completed, from 1.
        """
        doubled = self.retry_delay_seconds * 2.0 ** min(max(attempt, 1) - 1, 30)
        return min(LONGEST_DELAY, doubled)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A message that a broker has delivered.

    Attributes:
        id: the same at each delivery, and no other message of the place has it.
        body: what it says.
        place: where it came from: a stream, topic, queue, subject or channel.
        headers: what stands beside the body.
        attempt: which delivery this is, from 1; None: the broker does not count.
        raw: the client's own object.
    """

    id: str
    body: bytes
    place: str
    headers: Mapping[str, str] = field(default_factory=dict)
    attempt: int | None = None
    raw: Any = None


M = TypeVar("M", bound=MessageConfig)


class MessageTrigger(NativeTrigger[M], Generic[M]):
    """Base of triggers for messages: a subclass speaks to one broker.

    A runner connects, receives, runs the checkpoint, and acknowledges a message when
    the end of its run is written down; all of that is done by the runner, so that a
    subclass only has the methods below. Whatever one of them raises means that the
    connection is of no use any more: the runner lets it go and connects again.

    ``acknowledge``, ``give_back``, ``bury`` and ``renew`` may be called while
    ``receive`` waits. ``receive`` is cancelled when the trigger stops.

    Attributes:
        lost: errors that say that the server is not there; others are faults.
        renewal: seconds between two calls of :meth:`renew`; None: there is no need.
    """

    trigger_type: str = "message"
    lost: tuple[type[BaseException], ...] = (ConnectionError, OSError)
    renewal: float | None = None
    parting: Any = None  # the runner's own: leaving the broker, of an earlier time

    async def connect(self) -> None:
        """Connect, and make what has to be there.

        Raises:
            Exception: it cannot be done now; it is tried again, less and less often.
        """
        raise NotImplementedError(f"{type(self).__name__} has no connect()")

    async def receive(self, most: int) -> list[Received]:
        """Return messages that are there, waiting for the first one.

        If cancelled, what it may have taken is delivered again by the broker.

        Args:
            most: how many at most.
        """
        raise NotImplementedError(f"{type(self).__name__} has no receive()")

    async def receive_more(self, most: int, seconds: float) -> list[Received]:
        """Return messages that are there, waiting so long for the first one at most.

        Args:
            most: how many at most.
            seconds: how long to wait.
        """
        try:
            async with asyncio.timeout(seconds):
                return await self.receive(most)
        except TimeoutError:
            return []

    async def acknowledge(self, messages: Sequence[Received]) -> None:
        """Tell the broker that messages are done with, and wait until it knows."""
        raise NotImplementedError(f"{type(self).__name__} has no acknowledge()")

    async def give_back(self, messages: Sequence[Received], delay: float) -> None:
        """Have messages delivered again, after so many seconds."""
        raise NotImplementedError(f"{type(self).__name__} has no give_back()")

    async def bury(self, message: Received, why: str) -> None:
        """Put a message to the dead letters, with the reason, and acknowledge it."""
        raise NotImplementedError(f"{type(self).__name__} has no bury()")

    async def renew(self, messages: Sequence[Received]) -> None:
        """Tell the broker that messages are still being worked on."""

    async def disconnect(self) -> None:
        """Let the connection go, in whatever state it is."""

    def should_trigger(self) -> TriggerResult:
        """Say no: messages come by themselves, to a runner."""
        return TriggerResult(False, "a runner waits for the messages")

    async def begin(self) -> None:
        """Start it; the library of the broker has to be there."""
        await in_thread(self.library, TRIGGERS)
        await super().begin()

    def library(self) -> Any:
        """Return the library of the broker; imported at its first use, which blocks.

        Raises:
            MissingDependencyError: it is not installed.
        """

    def source(self) -> str:
        """Name where the messages come from, for people."""
        return self.trigger_type

    def key(self, message: Received) -> str:
        """Return what identifies a message, whenever it is delivered."""
        key = f"{self.trigger_type}:{message.place}:{message.id}"
        return key if len(key) <= LONGEST_KEY else f"{self.trigger_type}:{_digest(key)}"

    def key_of_all(self, keys: Sequence[str]) -> str:
        """Return what identifies messages that go into one run together."""
        if len(keys) == 1:
            return keys[0]
        return f"{self.trigger_type}:{_digest(chr(10).join(sorted(keys)))}"

    def told(self, messages: Sequence[Received], attempts: Sequence[int]) -> Any:
        """Return what the run of messages is to know of them."""
        found = [
            described(message, attempt)
            for message, attempt in zip(messages, attempts, strict=True)
        ]
        return {
            "message": found[-1],
            "messages": found,
            "message_count": len(found),
        }


def described(message: Received, attempt: int) -> dict[str, Any]:
    """Return a message as JSON can hold it.

    The body is what its JSON says, else a text, else Base64 with ``encoding``.
    """
    told: dict[str, Any] = {
        "id": message.id,
        "place": message.place,
        "headers": dict(message.headers),
        "attempt": attempt,
    }
    body = message.body
    if len(body) > LONGEST_BODY:
        return {**told, "body": None, "size": len(body)}
    try:
        text = body.decode()
    except UnicodeDecodeError:
        coded = base64.b64encode(body).decode()
        return {**told, "body": coded, "encoding": "base64"}
    try:
        told["body"] = _READER.decode(text)
    except (ValueError, RecursionError):
        told["body"] = text
    return told


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refused(text)


# Made once: json.loads() would make one for each message.
_READER = json.JSONDecoder(parse_constant=_refused, parse_float=_finite)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


@contextlib.contextmanager
def needed(package: str, extra: str) -> Iterator[None]:
    """Import in the block what a trigger needs.

    Args:
        package: that is imported.
        extra: of this package, that brings it.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        yield
    except ImportError as error:
        purpose = f"a trigger of the type {extra}"
        raise MissingDependencyError(package, extra, purpose) from error


def checked_address(given: Any, schemes: Sequence[str]) -> Secret:
    """Return the option ``url``, which is a secret.

    Args:
        given: the option.
        schemes: with which it may begin.

    Raises:
        ConfigurationError: it is no text, empty, or begins with something else.
    """
    try:
        found = Secret(given or "")
    except ConfigurationError as error:
        raise ConfigurationError(f"url: {error}") from None
    if not found:
        raise ConfigurationError("the option url is missing")
    try:
        shown = found.reveal()
    except ConfigurationError:  # the variable may be set by the time it is used
        return found
    scheme, mark, _ = shown.partition("://")
    if not mark or scheme not in schemes:
        expected = " or ".join(f"{scheme}://" for scheme in schemes)
        hint = did_you_mean(scheme, schemes) if mark else ""
        raise ConfigurationError(
            f"url: expected an address that begins with {expected}{hint}"
        )
    return found


def check_text(option: str, given: Any) -> None:
    """Raise ConfigurationError unless an option is a text, and not empty."""
    if not isinstance(given, str) or not given.strip():
        raise ConfigurationError(f"{option} is a text, and not empty; not {given!r}")
