"""What the clients that are called back share: an inbox, errors, options."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from truthound.errors import ConfigurationError, did_you_mean


@contextlib.contextmanager
def translated(*errors: type[BaseException]) -> Iterator[None]:
    """Turn what a library raises when its server is gone into ``ConnectionError``."""
    try:
        yield
    except errors as error:
        if isinstance(error, (ConnectionError, asyncio.CancelledError)):
            raise
        kind, said = type(error).__name__, str(error)
        told = said if said.startswith(kind) else f"{kind}: {said}"
        raise ConnectionError(told) from error


def texts(option: str, given: Any, *, missing: str = "") -> list[str]:
    """Return an option as a list of texts that are not empty.

    Args:
        option: its name.
        given: a text, or a list of texts.
        missing: what to say if there is none; "" if there need not be any.

    Raises:
        ConfigurationError: it is something else, or missing.
    """
    found = [given] if isinstance(given, str) else given
    if not isinstance(found, (list, tuple)) or not all(
        isinstance(text, str) and text for text in found
    ):
        raise ConfigurationError(
            f"{option} is a text, or a list of texts, not {given!r}"
        )
    if missing and not found:
        raise ConfigurationError(f"{option}: {missing}")
    return list(found)


def check_one_of(option: str, given: Any, known: Sequence[str]) -> None:
    """Raise ConfigurationError unless an option is one of some words."""
    if given not in known:
        raise ConfigurationError(
            f"{option} is {', '.join(known[:-1])} or {known[-1]}, not {given!r}"
            f"{did_you_mean(str(given), known)}"
        )


def digest_of(body: bytes) -> str:
    """Return what tells messages apart that have one name and say different things."""
    return hashlib.blake2b(body, digest_size=8).hexdigest()


def apart(message: Any, by: str | None = None) -> Any:
    """Return a message under a name that no other one has by mistake.

    Args:
        message: ``Received``, with a name that its sender has given.
        by: what tells it from others of that name; None: what it says.
    """
    return replace(message, id=f"{message.id}@{by or digest_of(message.body)}")


class Inbox:
    """What a client's callbacks have brought, until it is taken.

    Nothing is lost if :meth:`take` is cancelled: it takes without waiting what it
    returns.
    """

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._news = asyncio.Event()
        self._error: BaseException | None = None
        self._timers: set[asyncio.TimerHandle] = set()

    def put(self, item: Any) -> None:
        """Add what has come."""
        self._items.append(item)
        self._news.set()

    def fail(self, error: BaseException) -> None:
        """Let whoever takes know that no more will come."""
        self._error = self._error or error
        self._news.set()

    def go_on(self) -> None:
        """Take it that more will come after all."""
        self._error = None

    def check(self) -> None:
        """Raise ConnectionError if no more will come."""
        if self._error is not None:
            raise ConnectionError(str(self._error)) from self._error

    async def take(self, most: int, *, look: Callable[[], None] | None = None) -> Any:
        """Wait until something is there, and return at most so much of it.

        Args:
            most: how many items.
            look: called every two seconds while it waits; may raise.

        Raises:
            ConnectionError: nothing will come any more, and nothing is left.
        """
        while not self._items:
            self.check()
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2.0 if look else None):
                    await self._news.wait()
            if look is not None and not self._items:
                look()
        return [self._items.popleft() for _ in range(min(most, len(self._items)))]

    def later(self, delay: float, call: Callable[[], None]) -> None:
        """Call something after so many seconds, unless it is closed by then."""

        def due() -> None:
            self._timers.discard(timer)
            call()

        timer = asyncio.get_running_loop().call_later(delay, due)
        self._timers.add(timer)

    def put_later(self, items: Sequence[Any], delay: float) -> None:
        """Add items again after so many seconds, before all others."""

        def again() -> None:
            self._items.extendleft(reversed(items))
            self._news.set()

        self.later(delay, again)

    def close(self) -> None:
        """Forget what is there, and what was to come later."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._items.clear()
