"""Blocking actions among asynchronous ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, Protocol, runtime_checkable

from truthound.async_core._limit import limit
from truthound.checkpoint._action import (
    ActionConfig,
    AsyncBaseAction,
    BaseAction,
    NativeAction,
)
from truthound.checkpoint._threads import ACTIONS, in_thread
from truthound.checkpoint.model import ActionResult, ActionStatus
from truthound.errors import ConfigurationError


@runtime_checkable
class AsyncExecutable(Protocol):
    """What can be awaited with the result of a run: an asynchronous action."""

    async def execute_async(self, checkpoint_result: Any) -> ActionResult:
        """Act on a result."""
        ...


@runtime_checkable
class SyncExecutable(Protocol):
    """What can be called with the result of a run: a blocking action."""

    def execute(self, checkpoint_result: Any) -> ActionResult:
        """Act on a result."""
        ...


class SyncActionAdapter:
    """A blocking action that can be awaited: it runs on a thread.

    Its time limit and its retries are those of its configuration. A thread cannot be
    stopped from outside: an attempt whose time is over is given up and not repeated,
    and does not hold up the end of the process.

    Args:
        wrapped_action: has ``execute(checkpoint_result)``.
        executor: whose threads to use; None: those of the package.

    Raises:
        TypeError: it is no such action.
    """

    def __init__(
        self, wrapped_action: SyncExecutable, executor: Executor | None = None
    ) -> None:
        if not callable(getattr(wrapped_action, "execute", None)):
            raise TypeError(_neither(wrapped_action))
        self.wrapped_action = wrapped_action
        self.executor = executor

    @property
    def name(self) -> str:
        """That of the wrapped action."""
        return name_of(self.wrapped_action)

    @property
    def action_type(self) -> str:
        """That of the wrapped action, with ``async_`` before it."""
        return f"async_{type_of(self.wrapped_action)}"

    @property
    def config(self) -> Any:
        """That of the wrapped action; one of defaults if it has none."""
        return getattr(self.wrapped_action, "config", None) or ActionConfig()

    def __repr__(self) -> str:
        return f"SyncActionAdapter({self.wrapped_action!r})"

    async def execute_async(self, checkpoint_result: Any) -> ActionResult:
        """Run the wrapped action on a thread."""
        return await self.within(checkpoint_result, None, None)

    async def within(
        self, checkpoint_result: Any, seconds: float | None, executor: Executor | None
    ) -> ActionResult:
        """Run it with the time limit and the threads of a context, unless it has own.

        Args:
            checkpoint_result: for the action.
            seconds: for one attempt.
            executor: whose threads to use if the adapter was given none.
        """
        action, threads = self.wrapped_action, self.executor or executor

        async def call(work: Callable[[], Any]) -> Any:
            if threads is None:
                return await in_thread(work, ACTIONS)
            return await asyncio.get_running_loop().run_in_executor(threads, work)

        if isinstance(action, NativeAction) and threads is None:
            return await action._within(checkpoint_result, seconds)
        if isinstance(action, BaseAction) and type(action).execute in (
            BaseAction.execute,
            NativeAction.execute,
        ):
            return await action._in_thread(checkpoint_result, seconds, call)
        async with limit(seconds, "Action timed out after {seconds} s"):
            found = await call(lambda: action.execute(checkpoint_result))
        if not isinstance(found, ActionResult):
            raise TypeError(f"execute() returned {found!r}, expected an ActionResult")
        return found


def adapt_to_async(
    action: AsyncExecutable | SyncExecutable,
    executor: ThreadPoolExecutor | Executor | None = None,
) -> Any:
    """Return an action that can be awaited: itself if it can, else an adapter.

    Args:
        action: has ``execute_async`` or ``execute``.
        executor: for the adapter.

    Raises:
        TypeError: it has neither.
    """
    if isinstance(action, type):
        raise TypeError(_neither(action))
    if callable(getattr(action, "execute_async", None)):
        return action
    if callable(getattr(action, "execute", None)):
        return SyncActionAdapter(action, executor)  # type: ignore[arg-type]
    raise TypeError(_neither(action))


async def executed(
    action: Any,
    checkpoint_result: Any,
    seconds: float | None = None,
    executor: Executor | None = None,
) -> ActionResult:
    """Run any action; whatever it raises becomes its result.

    Args:
        action: of any kind.
        checkpoint_result: for the action.
        seconds: for one attempt, if the action itself does not say.
        executor: whose threads to use for one that blocks; None: ours.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        able = adapt_to_async(action)
        if isinstance(able, SyncActionAdapter):
            return await able.within(checkpoint_result, seconds, executor)
        if isinstance(able, AsyncBaseAction) and (
            type(able).execute_async is AsyncBaseAction.execute_async
        ):
            return await able._within(checkpoint_result, seconds)
        async with limit(seconds, "Action timed out after {seconds} s"):
            found = await able.execute_async(checkpoint_result)
        if not isinstance(found, ActionResult):
            raise TypeError(
                f"execute_async() returned {found!r}, expected an ActionResult"
            )
        return found
    except asyncio.CancelledError as error:
        if task is None or task.cancelling() > before:
            raise
        said = f"the action raised CancelledError({error})"
    except TimeoutError as error:
        said = str(error) or "TimeoutError"
    except Exception as error:  # noqa: BLE001 - the boundary of an action
        said = f"{type(error).__name__}: {error}"
    return ended(action, ActionStatus.ERROR, error=said)


def ended(action: Any, status: ActionStatus, **said: Any) -> ActionResult:
    """Return a result for an action that did not make one itself."""
    return ActionResult(name_of(action), type_of(action), status, **said)


def name_of(action: Any) -> str:
    """Return what to call an action of any kind."""
    return str(getattr(action, "name", None) or type_of(action))


def check_told_apart(actions: Sequence[Any]) -> None:
    """See that notifications with a policy have different names.

    What they have told is kept by name: the second would take what the first has told
    for its own, and tell nobody.

    Raises:
        ConfigurationError: two have the same.
    """
    places: dict[str, int] = {}
    for place, action in enumerate(actions):
        bare = getattr(action, "wrapped_action", action)
        if getattr(getattr(bare, "config", None), "alerts", None) is None:
            continue
        name = name_of(bare)
        if name in places:
            first = places[name]
            raise ConfigurationError(
                f"actions[{first}] ({type_of(actions[first])}) and actions[{place}] "
                f"({type_of(action)}) are both called {name!r}, and what each of them "
                "has told is kept by its name: tell them apart with 'name:'"
            )
        places[name] = place


def type_of(action: Any) -> str:
    """Return the type of an action of any kind, or of a trigger."""
    for attribute in ("action_type", "trigger_type"):
        if found := getattr(action, attribute, None):
            return str(found)
    return type(action).__name__


def _neither(action: object) -> str:
    hint = ""
    if isinstance(action, type):
        hint = f": make one of the class, {action.__name__}(...)"
    elif callable(action):
        hint = ": for a function there is CustomAction(callback=...)"
    return (
        f"expected an action, with execute() or execute_async(), got "
        f"{type(action).__name__}{hint}"
    )
