"""In which order the actions of a run are executed."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from types import TracebackType
from typing import Any

from truthound.async_core._limit import check_count
from truthound.async_core._tasks import stop
from truthound.checkpoint._adapter import ended, executed, name_of
from truthound.checkpoint._clients import shared_client
from truthound.checkpoint.model import ActionResult, ActionStatus
from truthound.errors import ConfigurationError


class AsyncExecutionContext:
    """What the actions of one or several runs share.

    As ``async with`` block it keeps the connections that actions open for the next
    ones; it works without.

    Args:
        executor: whose threads blocking actions use; None: those of the package,
            which never hold up the end of the process. It stays the caller's to shut
            down.
        semaphore: how many actions run at once, across all that use it.
        timeout: seconds for one attempt of an action that does not set
            ``timeout_seconds`` itself; None for no limit.
        cancel_on_first_error: after an action that ends as error or failure, those
            that run are cancelled, the others not begun; they come back as skipped.

    Raises:
        ConfigurationError: ``timeout`` is not above 0.
    """

    def __init__(
        self,
        executor: Executor | None = None,
        semaphore: asyncio.Semaphore | None = None,
        timeout: float | None = 30.0,
        cancel_on_first_error: bool = False,
    ) -> None:
        is_number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
        if timeout is not None and not (is_number and timeout > 0):
            raise ConfigurationError(
                f"timeout={timeout!r}: expected seconds, a number greater than 0, or "
                "None for no limit"
            )
        self.executor = executor
        self.semaphore = semaphore
        self.timeout = timeout
        self.cancel_on_first_error = cancel_on_first_error
        self._client: Any = None
        self._ended: dict[int, ActionResult] = {}  # by place, for who is cut off

    def note(self, place: int, found: ActionResult) -> None:
        """Note how the action at a place has ended."""
        self._ended[place] = found

    def ended_of(self, actions: Sequence[Any]) -> list[ActionResult]:
        """Return how actions that were cut off have ended, as far as they have."""
        return [
            self._ended.get(place)
            or ended(action, ActionStatus.SKIPPED, message="interrupted")
            for place, action in enumerate(actions)
        ]

    async def __aenter__(self) -> AsyncExecutionContext:
        self._client = shared_client()
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        client, self._client = self._client, None
        await client.__aexit__(kind, error, trace)


class ExecutionStrategy(ABC):
    """In which order actions are executed, and how many at once."""

    @abstractmethod
    async def execute(
        self,
        actions: Sequence[Any],
        checkpoint_result: Any,
        context: AsyncExecutionContext | None = None,
    ) -> list[ActionResult]:
        """Execute actions and return their results, in the order of the actions.

        Whatever an action raises becomes its result. If cancelled, those that run are,
        and the cancellation goes on when they have ended.

        Args:
            actions: blocking and asynchronous ones, in any mixture.
            checkpoint_result: what they act on.
            context: what they share; None: one of defaults.
        """

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class SequentialStrategy(ExecutionStrategy):
    """One after the other, in their order."""

    async def execute(
        self,
        actions: Sequence[Any],
        checkpoint_result: Any,
        context: AsyncExecutionContext | None = None,
    ) -> list[ActionResult]:
        """Execute actions one after the other."""
        stage = _Stage(actions, checkpoint_result, context)
        for place in range(len(actions)):
            await stage.one(place)
            if stage.is_over:
                break
        return stage.results()


class ConcurrentStrategy(ExecutionStrategy):
    """All at once, or as many as may be.

    Args:
        max_concurrency: how many run at once; None: all.

    Raises:
        ConfigurationError: it is less than 1.
    """

    def __init__(self, max_concurrency: int | None = None) -> None:
        if max_concurrency is not None:
            check_count("max_concurrency", max_concurrency)
        self.max_concurrency = max_concurrency

    async def execute(
        self,
        actions: Sequence[Any],
        checkpoint_result: Any,
        context: AsyncExecutionContext | None = None,
    ) -> list[ActionResult]:
        """Execute actions side by side."""
        stage = _Stage(actions, checkpoint_result, context)
        await stage.several(range(len(actions)), self.max_concurrency)
        return stage.results()

    def __repr__(self) -> str:
        return f"ConcurrentStrategy(max_concurrency={self.max_concurrency})"


class PipelineStrategy(ExecutionStrategy):
    """Stage by stage; the actions of a stage run side by side.

    Args:
        stages: the places of the actions, from 0, stage by stage: each action in
            exactly one.

    Raises:
        ConfigurationError: a place is missing, repeated or none at all (a
            ``ValueError``); of places beyond the last action ``execute`` tells.

    Example:
        >>> PipelineStrategy(stages=[[0, 1], [2], [3, 4]])
        PipelineStrategy(stages=[[0, 1], [2], [3, 4]])
    """

    def __init__(self, stages: Sequence[Sequence[int]]) -> None:
        self.stages: list[list[int]] = _checked(stages)

    async def execute(
        self,
        actions: Sequence[Any],
        checkpoint_result: Any,
        context: AsyncExecutionContext | None = None,
    ) -> list[ActionResult]:
        """Execute actions stage by stage.

        Raises:
            ConfigurationError: the stages do not fit the number of actions.
        """
        self.check(len(actions))
        stage = _Stage(actions, checkpoint_result, context)
        for places in self.stages:
            await stage.several(places, None)
            if stage.is_over:
                break
        return stage.results()

    def check(self, number: int) -> None:
        """Raise unless it is a plan for that many actions.

        Raises:
            ConfigurationError: it is one for another number.
        """
        planned = sum(len(stage) for stage in self.stages)
        if planned != number:
            raise ConfigurationError(
                f"stages={self.stages}: a plan for {planned} actions, there are "
                f"{number}"
            )

    def __repr__(self) -> str:
        return f"PipelineStrategy(stages={self.stages})"


class _Stage:
    """Actions of one run while they are executed."""

    def __init__(
        self,
        actions: Sequence[Any],
        checkpoint_result: Any,
        context: AsyncExecutionContext | None,
    ) -> None:
        self.actions = actions
        self.result = checkpoint_result
        self.context = context or AsyncExecutionContext()
        self.is_over = False
        self.cause = ""  # the action after which it is
        self._found: dict[int, ActionResult] = {}

    def results(self) -> list[ActionResult]:
        """Return a result for each action; skipped for those that have none."""
        why = f"not run after {self.cause}"
        return [
            self._found.get(place) or ended(action, ActionStatus.SKIPPED, message=why)
            for place, action in enumerate(self.actions)
        ]

    async def one(self, place: int) -> None:
        """Execute an action, unless it is over."""
        context, action = self.context, self.actions[place]
        if context.semaphore is not None:
            async with context.semaphore:
                await self._execute(place, action)
        else:
            await self._execute(place, action)

    async def _execute(self, place: int, action: Any) -> None:
        if self.is_over:
            return
        context = self.context
        found = await executed(action, self.result, context.timeout, context.executor)
        self._found[place] = found
        context.note(place, found)
        if found.is_bad and context.cancel_on_first_error and not self.is_over:
            self.is_over, self.cause = True, name_of(action)

    async def several(self, places: Sequence[int], most: int | None) -> None:
        """Execute actions side by side, at most so many at once."""
        if len(places) == 1:
            await self.one(places[0])
            return
        waiting = iter(places)
        running: set[asyncio.Task[None]] = set()
        number = most or len(places)
        loop = asyncio.get_running_loop()
        try:
            while not self.is_over:
                while len(running) < number:
                    place = next(waiting, None)
                    if place is None:
                        break
                    running.add(loop.create_task(self.one(place)))
                if not running:
                    break
                done, running = await asyncio.wait(
                    running, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    task.result()
        finally:
            await stop(running)


def _checked(stages: Any) -> list[list[int]]:
    try:
        plan = [list(stage) for stage in stages]
    except TypeError:
        raise ConfigurationError(
            f"stages={stages!r}: expected a list of lists of places, like [[0, 1], [2]]"
        ) from None
    places = [place for stage in plan for place in stage]
    for place in places:
        if isinstance(place, bool) or not isinstance(place, int) or place < 0:
            raise ConfigurationError(
                f"stages={plan}: {place!r} is no place of an action; the first is 0"
            )
        if places.count(place) > 1:
            raise ConfigurationError(f"stages={plan}: action {place} is there twice")
    missing = sorted(set(range(len(places))) - set(places))
    if missing:
        raise ConfigurationError(
            f"stages={plan}: action {missing[0]} is missing, or "
            f"{max(places)} is one too many"
        )
    return plan


STRATEGIES: dict[str, Callable[[], ExecutionStrategy]] = {
    "concurrent": ConcurrentStrategy,
    "sequential": SequentialStrategy,
}
