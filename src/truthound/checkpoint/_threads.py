"""The threads that validate."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from truthound._threads import Workers

# The engine has threads of its own inside: more of ours than cores only compete.
VALIDATION = Workers(max(2, min(8, os.cpu_count() or 2)), "truthound-validation")


async def in_thread(work: Callable[[], Any]) -> Any:
    """Await a job of the validation threads; given up when cancelled."""
    future = VALIDATION.submit(work)
    try:
        return await asyncio.wrap_future(future)
    except asyncio.CancelledError:
        future.add_done_callback(_discard)
        raise
    finally:
        VALIDATION.give_up(future)


def _discard(future: Future[Any]) -> None:
    """Close a coroutine that nobody will await any more."""
    if not future.cancelled() and future.exception() is None:
        result = future.result()
        if inspect.iscoroutine(result):
            result.close()
