"""Waiting for tasks, and ending them, without losing a cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")


async def undisturbed(work: Awaitable[T]) -> T:
    """Await to the end whatever comes; a cancellation goes on after that.

    For clean-up, which a second Ctrl-C must not leave half done; it should have a time
    limit of its own.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # seen: asyncio need not complain
        reraise(cancelled)
    return task.result()


def reraise(error: BaseException) -> NoReturn:
    """Raise an error that was kept, with its traceback."""
    try:
        raise error
    finally:
        del error  # the traceback holds this frame: no cycle


async def stop(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until all of them have ended.

    A cancellation while it waits is passed on to the tasks, so that clean-up that
    hangs can be ended, and is raised again when they are done.
    """
    tasks = list(tasks)
    cancelled: asyncio.CancelledError | None = None
    for task in tasks:
        task.cancel()
    while left := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(left)
        except asyncio.CancelledError as error:
            cancelled = error
            for task in left:
                task.cancel()
    for task in tasks:
        if not task.cancelled():
            task.exception()  # seen: asyncio need not complain
    if cancelled is not None:
        reraise(cancelled)


def wake(future: asyncio.Future[None] | None) -> None:
    """Let whoever awaits a future go on; None is for nobody."""
    if future is not None and not future.done():
        future.set_result(None)
