"""The one circuit breaker of the package."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any, TypeVar, overload

from truthound import telemetry
from truthound._clock import SYSTEM_CLOCK, Clock
from truthound.async_core._limit import check_count, check_seconds
from truthound.errors import CircuitOpenError

T = TypeVar("T")

logger = logging.getLogger(__name__)

# Faults of the calling program, which say nothing of whom it calls.
OWN_FAULTS = (TypeError, AttributeError, NameError)


class CircuitState(StrEnum):
    """What a circuit breaker lets through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreaker:
    """Stop calling what keeps failing, and try it again after some time.

    CLOSED, every call goes through. After ``failure_threshold`` failures in a row it is
    OPEN and raises ``CircuitOpenError`` instead of calling. ``recovery_timeout``
    seconds later it is HALF_OPEN: it lets ``success_threshold`` calls through to try,
    and no more. If all of them succeed it is closed, if one fails open again.

    The outcome of a call counts only in the state in which the call began. A call that
    is cancelled has no outcome.

    Args:
        failure_threshold: failures in a row, 1 or more.
        recovery_timeout: seconds, on the monotonic clock.
        success_threshold: calls that must succeed, 1 or more.
        ignored: types of exceptions that are no failures of what is called: faults of
            the calling program, if nothing is given.
        name: for the log and the metric ``truthound.breaker.changes``.
        clock: of a test.

    Raises:
        ConfigurationError: an option is out of range.

    Example:
        >>> import asyncio
        >>> breaker = CircuitBreaker(failure_threshold=1)
        >>> async def fail():
        ...     raise OSError("down")
        >>> async def main():
        ...     for _ in range(2):
        ...         try:
        ...             await breaker.call(fail)
        ...         except Exception as error:
        ...             print(error)
        >>> asyncio.run(main())
        down
        Circuit breaker is OPEN
    """

    def __init__(
        self,
        failure_threshold: int = 5,
        recovery_timeout: float = 60.0,
        success_threshold: int = 2,
        *,
        ignored: tuple[type[BaseException], ...] = OWN_FAULTS,
        name: str = "",
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        check_count("failure_threshold", failure_threshold)
        check_seconds("recovery_timeout", recovery_timeout)
        check_count("success_threshold", success_threshold)
        self.failure_threshold = failure_threshold
        self.recovery_timeout = recovery_timeout
        self.success_threshold = success_threshold
        self.ignored = ignored
        self.name = name
        self._clock = clock
        self._state = CircuitState.CLOSED
        self._period = 0  # how often the state has changed
        self._failures = 0  # in a row
        self._places = 0  # taken by calls to try, under way or succeeded
        self._successes = 0
        self._opened_at = 0.0

    def __repr__(self) -> str:
        return (
            f"CircuitBreaker(failure_threshold={self.failure_threshold}, "
            f"recovery_timeout={self.recovery_timeout}, "
            f"success_threshold={self.success_threshold}, state={self.state.value!r})"
        )

    @property
    def state(self) -> CircuitState:
        """What it lets through now."""
        if self._state is CircuitState.OPEN and not self._left():
            self._change(CircuitState.HALF_OPEN)
        return self._state

    @overload
    async def call(
        self, func: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any
    ) -> T: ...
    @overload
    async def call(self, func: Callable[..., T], *args: Any, **kwargs: Any) -> T: ...
    async def call(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function, unless the breaker is open.

        Args:
            func: a function or a coroutine function.
            *args: for the function.
            **kwargs: for the function.

        Raises:
            CircuitOpenError: it is open, or half open with all its places taken.
            Exception: what the function raises.
        """
        period = self.enter()
        try:
            result = func(*args, **kwargs)
            if inspect.isawaitable(result):
                result = await result
        except Exception as error:
            if isinstance(error, self.ignored):
                self.left(period)
            else:
                self.failed(period)
            raise
        except BaseException:
            self.left(period)
            raise
        self.succeeded(period)
        return result

    def enter(self) -> int:
        """Let a call through; what it returns goes to one of the methods below.

        Raises:
            CircuitOpenError: as of :meth:`call`.
        """
        state = self._state if self._state is CircuitState.CLOSED else self.state
        if state is CircuitState.OPEN:
            raise CircuitOpenError(self._left())
        if state is CircuitState.HALF_OPEN:
            if self._places >= self.success_threshold:
                raise CircuitOpenError
            self._places += 1
        return self._period

    def succeeded(self, period: int) -> None:
        """Note that a call that was let through has succeeded."""
        if period != self._period:
            return
        self._failures = 0
        if self._state is CircuitState.HALF_OPEN:
            self._successes += 1
            if self._successes >= self.success_threshold:
                self._change(CircuitState.CLOSED)

    def failed(self, period: int) -> None:
        """Note that a call that was let through has failed."""
        if period != self._period:
            return
        self._failures += 1
        is_trial = self._state is CircuitState.HALF_OPEN
        if is_trial or self._failures >= self.failure_threshold:
            self._opened_at = self._clock.monotonic()
            self._change(CircuitState.OPEN)

    def left(self, period: int) -> None:
        """Note that a call that was let through ended without an outcome."""
        if period == self._period and self._state is CircuitState.HALF_OPEN:
            self._places -= 1

    def reset(self) -> None:
        """Close it."""
        if self._state is not CircuitState.CLOSED:
            self._change(CircuitState.CLOSED)
        self._failures = 0

    def copy(self, name: str = "") -> CircuitBreaker:
        """Return a closed one with the same options."""
        return CircuitBreaker(
            self.failure_threshold,
            self.recovery_timeout,
            self.success_threshold,
            ignored=self.ignored,
            name=name or self.name,
            clock=self._clock,
        )

    def _left(self) -> float:
        passed = self._clock.monotonic() - self._opened_at
        return max(0.0, self.recovery_timeout - passed)

    def _change(self, state: CircuitState) -> None:
        before, self._state = self._state, state
        self._period += 1
        self._failures = self._places = self._successes = 0
        log = logger.warning if state is CircuitState.OPEN else logger.info
        log("circuit breaker%s: %s -> %s", self.name and f" {self.name}", before, state)
        telemetry.count(
            "truthound.breaker.changes",
            **{"name": self.name, "from": before.value, "to": state.value},
        )
