"""Retries, time limits and limits of concurrency for coroutine functions."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from truthound.async_core._limit import check_seconds, limit
from truthound.async_core._policy import RetryPolicy

P = ParamSpec("P")
R = TypeVar("R")


def with_retry(
    max_retries: int = 3,
    delay: float = 1.0,
    backoff: float = 2.0,
    exceptions: tuple[type[Exception], ...] = (Exception,),
    *,
    jitter: bool = True,
    max_delay: float = 60.0,
    deadline: float | None = None,
) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Coroutine[Any, Any, R]]]:
    """Call a coroutine function again when it raises.

    Before retry ``n`` (from 0) it waits ``min(max_delay, delay * backoff**n)``, of
    which ``jitter`` takes off up to the half at random. Times are seconds.

    Args:
        max_retries: calls after the first; 0 for none.
        delay: before the first retry.
        backoff: growth of the wait from one retry to the next.
        exceptions: after which to try again; never ``CancelledError``.
        jitter: False for waits that are exactly as computed.
        max_delay: the longest wait.
        deadline: for all calls and waits together; None for no limit. A retry that
            could only begin after that is not begun.

    Raises:
        ConfigurationError: an option is out of range.
        TypeError: what is decorated is no coroutine function.

    Example:
        >>> calls = []
        >>> @with_retry(max_retries=2, delay=0.01)
        ... async def fetch():
        ...     calls.append(1)
        ...     if len(calls) < 3:
        ...         raise OSError("not yet")
        ...     return "rows"
        >>> asyncio.run(fetch()), len(calls)
        ('rows', 3)
    """
    policy = RetryPolicy(
        max_retries=max_retries,
        backoff_factor=delay,
        backoff_base=backoff,
        retry_exceptions=exceptions,
        jitter=jitter,
        max_delay=max_delay,
        deadline=deadline,
    )

    def decorate(
        function: Callable[P, Awaitable[R]],
    ) -> Callable[P, Coroutine[Any, Any, R]]:
        _check(function, "with_retry")

        @functools.wraps(function)
        async def retried(*args: P.args, **kwargs: P.kwargs) -> R:
            return await policy.call(function, *args, **kwargs)

        return retried

    return decorate


def with_timeout(
    seconds: float,
) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Coroutine[Any, Any, R]]]:
    """Limit the time of each call of a coroutine function.

    Args:
        seconds: after which the call is cancelled, and ``TimeoutError`` raised when it
            has ended.

    Raises:
        ConfigurationError: ``seconds`` is not above 0.
        TypeError: what is decorated is no coroutine function.
    """
    check_seconds("seconds", seconds)

    def decorate(
        function: Callable[P, Awaitable[R]],
    ) -> Callable[P, Coroutine[Any, Any, R]]:
        _check(function, "with_timeout")
        told = f"{_name(function)} took longer than {{seconds}} s"

        @functools.wraps(function)
        async def limited(*args: P.args, **kwargs: P.kwargs) -> R:
            async with limit(seconds, told):
                return await function(*args, **kwargs)

        return limited

    return decorate


def with_semaphore(
    semaphore: asyncio.Semaphore,
) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Coroutine[Any, Any, R]]]:
    """Let only so many calls of a coroutine function run at once.

    Args:
        semaphore: what each call takes while it runs; functions may share one.

    Raises:
        TypeError: that is no semaphore, or what is decorated no coroutine function.
    """
    if not hasattr(semaphore, "__aenter__"):
        raise TypeError(
            f"expected an asyncio.Semaphore, got {semaphore!r}; "
            "write @with_semaphore(asyncio.Semaphore(5))"
        )

    def decorate(
        function: Callable[P, Awaitable[R]],
    ) -> Callable[P, Coroutine[Any, Any, R]]:
        _check(function, "with_semaphore")

        @functools.wraps(function)
        async def limited(*args: P.args, **kwargs: P.kwargs) -> R:
            async with semaphore:
                return await function(*args, **kwargs)

        return limited

    return decorate


def _check(function: Any, decorator: str) -> None:
    called = getattr(function, "__call__", None)  # noqa: B004 - of an object
    if not (
        inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)
    ):
        hint = "" if callable(function) else f"; write @{decorator}(...)"
        raise TypeError(
            f"{decorator} is for coroutine functions ('async def'), got "
            f"{_name(function)}{hint}"
        )


def _name(function: Any) -> str:
    return str(getattr(function, "__qualname__", None) or repr(function))
