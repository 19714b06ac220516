"""Calling what users handed in: functions, coroutine functions, objects."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from truthound.async_core._limit import limit

logger: logging.Logger = logging.getLogger("truthound.checkpoint")

Callback = Callable[[Any], Awaitable[None] | None]


def check_callback(option: str, callback: Any) -> None:
    """Raise TypeError unless a callback can be called, or is None."""
    if callback is not None and not callable(callback):
        raise TypeError(f"{option}: expected a function, got {type(callback).__name__}")


async def call_back(
    callback: Callback | None, argument: Any, seconds: float | None = None
) -> Exception | None:
    """Call a callback and await what it returns; return what it raised, logged.

    If cancelled, the callback is, and the cancellation goes on.

    Args:
        callback: what to call; None for nothing.
        argument: for it.
        seconds: how long it may take; None: any time.
    """
    if callback is None:
        return None
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        answer: Any = callback(argument)
        if inspect.isawaitable(answer):
            async with limit(seconds, "the callback took longer than {seconds} s"):
                await answer
    except asyncio.CancelledError as error:
        if task is not None and task.cancelling() > before:
            raise
        # Raised inside the callback although nobody cancelled the run.
        logger.error("callback %r raised CancelledError", callback)
        return RuntimeError(f"the callback raised CancelledError({error})")
    except Exception as error:
        logger.error("callback %r failed", callback, exc_info=error)
        return error
    return None
