"""When to try again, and after how long: the one retry policy of the package."""

from __future__ import annotations

import asyncio
import inspect
import math
import random as _random
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar, overload

from truthound._settings import settings
from truthound.async_core._limit import check_count, check_seconds
from truthound.errors import ConfigurationError

T = TypeVar("T")

# RFC 9110, 9.2.2: the server may get these twice and be in the same state.
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
# Overload or a passing fault: RFC 9110 (408, 500, 502-504) and RFC 6585 (429).
TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often to try again and how long to wait before that.

    Before retry ``n`` (from 0) it waits ``min(max_delay, backoff_factor *
    backoff_base**n)`` seconds, of which ``jitter`` takes off up to the half at random,
    so that those who failed together do not come back together ("equal jitter", after
    the AWS Architecture Blog, *Exponential Backoff And Jitter*, 2015). A server's
    ``Retry-After`` makes the wait longer, up to ``max_delay``. Cancellation is never
    caught.

    Args:
        max_retries: tries after the first; 0: none. Default:
            ``TRUTHOUND_ASYNC_RETRY_MAX``, else 3.
        backoff_factor: seconds before the first retry.
        retry_statuses: HTTP statuses after which a request is sent again.
        retry_exceptions: types after which to try again. None: for calls any
            ``Exception``, for HTTP lost connections and timeouts.
        retry_methods: HTTP methods that may be sent again although the server may have
            seen them. The default are those of which that does no harm.
        backoff_base: growth of the wait from one retry to the next.
        max_delay: the longest wait, in seconds.
        jitter: False for waits that are exactly as computed.
        deadline: seconds for all tries and waits together; a retry that could only
            begin after that is not begun. None: no limit.
        random: a source of numbers from 0 to 1.

    Raises:
        ConfigurationError: an option is out of range.

    Example:
        >>> policy = RetryPolicy(max_retries=5, backoff_factor=2.0)
        >>> [policy.get_backoff_delay(attempt) for attempt in range(4)]
        [2.0, 4.0, 8.0, 16.0]
    """

    max_retries: int = field(default_factory=lambda: settings().retry_max)
    backoff_factor: float = 1.0
    retry_statuses: Collection[int] = TRANSIENT
    retry_exceptions: tuple[type[Exception], ...] | None = None
    retry_methods: Collection[str] = IDEMPOTENT
    backoff_base: float = 2.0
    max_delay: float = 60.0
    jitter: bool = True
    deadline: float | None = None
    random: Callable[[], float] = field(
        default=_random.random, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        check_count("max_retries", self.max_retries, least=0)
        for name in ("backoff_factor", "max_delay"):
            _check_not_negative(name, getattr(self, name))
        if not 1 <= self.backoff_base < math.inf:
            raise ConfigurationError(
                f"backoff_base={self.backoff_base!r}: expected a number, 1 or more"
            )
        if self.deadline is not None:
            check_seconds("deadline", self.deadline)
        object.__setattr__(self, "retry_statuses", frozenset(self.retry_statuses))
        methods = frozenset(method.upper() for method in self.retry_methods)
        object.__setattr__(self, "retry_methods", methods)
        if self.retry_exceptions is not None:
            types = tuple(self.retry_exceptions)
            if not all(isinstance(t, type) and issubclass(t, Exception) for t in types):
                raise ConfigurationError(
                    f"retry_exceptions={self.retry_exceptions!r}: expected types that "
                    "derive from Exception, which CancelledError does not"
                )
            object.__setattr__(self, "retry_exceptions", types)

    def get_backoff_delay(self, attempt: int) -> float:
        """Return ``backoff_factor * backoff_base**attempt``, in seconds.

        Neither jitter nor ``max_delay`` is in it.

        Args:
            attempt: which retry, from 0.
        """
        try:
            return float(self.backoff_factor * self.backoff_base**attempt)
        except OverflowError:
            return math.inf if self.backoff_factor else 0.0

    def wait(
        self, attempt: int, spent: float, retry_after: float | None = None
    ) -> float | None:
        """Return the seconds to wait before a retry, or None if there shall be none.

        Args:
            attempt: which retry, from 0.
            spent: seconds since the first try began.
            retry_after: what the server asked for, in seconds.
        """
        if attempt >= self.max_retries:
            return None
        delay = min(self.max_delay, self.get_backoff_delay(attempt))
        if self.jitter:
            delay *= 1 - self.random() / 2
        if retry_after is not None:
            delay = min(self.max_delay, max(delay, retry_after))
        if self.deadline is not None and spent + delay >= self.deadline:
            return None
        return delay

    @overload
    async def call(
        self, func: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any
    ) -> T: ...
    @overload
    async def call(self, func: Callable[..., T], *args: Any, **kwargs: Any) -> T: ...
    async def call(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function, and again after one of ``retry_exceptions``.

        Args:
            func: a function or a coroutine function.
            *args: for the function.
            **kwargs: for the function.

        Returns:
            What the first call that succeeds returns.

        Raises:
            Exception: that of the last try.
        """
        types = self.retry_exceptions or (Exception,)
        loop = asyncio.get_running_loop() if self.deadline is not None else None
        begun = loop.time() if loop else 0.0
        attempt = 0
        while True:
            try:
                result = func(*args, **kwargs)
                return await result if inspect.isawaitable(result) else result
            except types:
                delay = self.wait(attempt, loop.time() - begun if loop else 0.0)
                if delay is None:
                    raise
            attempt += 1
            await asyncio.sleep(delay)


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds that a ``Retry-After`` asks for; None if it makes no sense.

    RFC 9110, 10.2.3: whole seconds, or a date. A date that has passed means now.

    Args:
        value: the header, or None if there is none.
        now: the present moment, aware.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text) if len(text) < 300 else math.inf
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _check_not_negative(option: str, seconds: Any) -> None:
    if not isinstance(seconds, (int, float)) or not 0 <= seconds < math.inf:
        raise ConfigurationError(
            f"{option}={seconds!r}: expected seconds, a number of 0 or more"
        )
