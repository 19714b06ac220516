"""A time limit for a block, whose error says what took too long."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from types import TracebackType
from typing import Any

from truthound.errors import ConfigurationError


class Limit(asyncio.Timeout):  # type: ignore[misc] # final for type checkers only
    """``asyncio.timeout`` with a message: as fast, and as careful with cancellation.

    Args:
        seconds: from the making of it; 0 or less: at the first await. None: no limit.
        message: of the error.
        kind: of the error.
    """

    def __init__(
        self,
        seconds: float | None,
        message: str,
        kind: Callable[[str], TimeoutError] = TimeoutError,
    ) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(None if seconds is None else loop.time() + seconds)
        self._message = message
        self._kind = kind

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await super().__aexit__(kind, error, trace)
        except TimeoutError:
            raise self._kind(self._message) from error


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
