"""The actions of a run, and what they make of its result."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from truthound.checkpoint._keeping import Keeper
from truthound.checkpoint._strategies import AsyncExecutionContext, ExecutionStrategy
from truthound.checkpoint.model import CheckpointResult, CheckpointStatus
from truthound.errors import ConfigurationError


async def act(
    actions: Sequence[Any],
    strategy: ExecutionStrategy,
    context: AsyncExecutionContext,
    result: CheckpointResult,
    keeper: Keeper | None = None,
) -> None:
    """Execute actions on a result, and note in it how they ended.

    If cancelled, those are noted that had ended, and the cancellation goes on.

    Args:
        actions: which.
        strategy: in which order.
        context: what they share.
        result: what they act on.
        keeper: stores the result with what is owed before they begin, if there is one.
    """
    if keeper is not None and not await keeper.found(result, actions):
        return
    try:
        async with context, _trying(keeper):
            result.action_results = await strategy.execute(actions, result, context)
    except asyncio.CancelledError:
        result.action_results = context.ended_of(actions)
        raise
    except ConfigurationError as error:  # a plan that does not fit the actions
        result.status, result.error = CheckpointStatus.ERROR, str(error)
        return
    judge_by_actions(actions, result)


@asynccontextmanager
async def _trying(keeper: Keeper | None) -> AsyncIterator[None]:
    if keeper is None:
        yield
        return
    with keeper.trying():
        yield


def judge_by_actions(actions: Sequence[Any], result: CheckpointResult) -> None:
    """Make a run a failure of which an action failed that says so."""
    for action, ended in zip(actions, result.action_results, strict=True):
        config = getattr(action, "config", None)
        if not (ended.is_bad and getattr(config, "fail_checkpoint_on_error", False)):
            continue
        said = f"the action {ended.action_name} failed"
        if ended.error or ended.message:
            said += f": {ended.error or ended.message}"
        if result.status != CheckpointStatus.ERROR:
            result.status = CheckpointStatus.FAILURE
        result.error = f"{result.error}; {said}" if result.error else said
