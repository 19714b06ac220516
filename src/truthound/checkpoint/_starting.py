"""Telling actions that a run begins: beside the run, which neither waits nor fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from truthound.async_core._tasks import stop
from truthound.checkpoint._action import Action
from truthound.checkpoint._adapter import name_of
from truthound.checkpoint._clients import shared_client
from truthound.checkpoint._tries import bare
from truthound.checkpoint.model import RunStart
from truthound.errors import ActionError

logger: logging.Logger = logging.getLogger("truthound.checkpoint")

SECONDS = 30.0  # for one of them, if the action has no time limit of its own


def told_of_start(actions: Sequence[Any]) -> list[Any]:
    """Return those of some actions that want to be told when a run begins."""
    return [
        found
        for action in actions
        if _has_hook(found := bare(action)) and getattr(found, "enabled", True)
    ]


@asynccontextmanager
async def telling(actions: Sequence[Any], start: RunStart) -> AsyncIterator[None]:
    """Tell actions that a run begins, while the block goes on.

    What is not told when the block is left is given up: the run is over. What an action
    raises is logged.

    Args:
        actions: that want to be told.
        start: of the run.
    """
    tasks = {asyncio.create_task(_tell(action, start)) for action in actions}
    try:
        async with shared_client():
            # All take their first step before the run goes on: what an action notes
            # there is noted when its turn comes, however short the run.
            await asyncio.sleep(0)
            yield
    finally:
        await stop(tasks)


def _has_hook(action: Any) -> bool:
    hook = getattr(type(action), "on_run_start", None)
    return hook is not None and hook is not Action.on_run_start


async def _tell(action: Any, start: RunStart) -> None:
    config = getattr(action, "config", None)
    seconds = getattr(config, "timeout_seconds", SECONDS) or None
    task = asyncio.current_task()
    try:
        async with asyncio.timeout(seconds):
            await action.on_run_start(start)
    except asyncio.CancelledError:
        if task is not None and task.cancelling():
            raise
        logger.warning("%s: told of the start: CancelledError", name_of(action))
    except ActionError as error:
        logger.warning("%s: not told of the start: %s", name_of(action), error)
    except TimeoutError:
        logger.warning(
            "%s: not told of the start within %g s", name_of(action), seconds
        )
    except Exception as error:  # code of the user's
        said = f"{name_of(action)}: on_run_start failed"
        logger.warning(said, exc_info=error)
