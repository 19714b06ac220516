"""A time limit for a block, whose error says what took too long."""

from __future__ import annotations

import math
from asyncio import Timeout, get_running_loop
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any

from truthound.errors import ConfigurationError


def limit(
    seconds: float | None,
    message: str,
    kind: Callable[[str], TimeoutError] = TimeoutError,
) -> Limit:
    """Return ``asyncio.timeout`` with a message: as fast, and as careful.

    Args:
        seconds: from this call; 0 or less: at the first await. None: no limit.
        message: of the error; ``{seconds}`` in it is replaced.
        kind: of the error.
    """
    made = Limit(None if seconds is None else get_running_loop().time() + seconds)
    made.told = (seconds, message, kind)
    return made


class Limit(Timeout):  # type: ignore[misc] # final for type checkers only
    """A time limit that renames its error; made by :func:`limit`.

    Attributes:
        told: seconds, message and kind of the error.
    """

    told: tuple[float | None, str, Callable[[str], TimeoutError]]

    def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> Coroutine[Any, Any, None]:
        leaving = Timeout.__aexit__(self, kind, error, trace)
        # Only a cancellation can become an error of ours.
        return leaving if error is None else self._renamed(leaving)

    async def _renamed(self, leaving: Coroutine[Any, Any, None]) -> None:
        try:
            await leaving
        except TimeoutError as error:
            seconds, message, kind = self.told
            raise kind(message.replace("{seconds}", f"{seconds:g}")) from error


def check_seconds(option: str, seconds: Any) -> None:
    """Raise ConfigurationError unless ``seconds`` is a number above 0."""
    is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not is_number or not 0 < seconds < math.inf:
        raise ConfigurationError(
            f"{option}={seconds!r}: expected seconds, a number greater than 0"
        )


def check_count(option: str, number: Any, least: int = 1) -> None:
    """Raise ConfigurationError unless ``number`` is whole and at least ``least``."""
    if isinstance(number, bool) or not isinstance(number, int) or number < least:
        raise ConfigurationError(
            f"{option}={number!r}: expected a whole number, {least} or more"
        )
