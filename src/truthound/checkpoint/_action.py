"""What an action is: when it runs, how often it tries, and how it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

from truthound._clock import SYSTEM_CLOCK, Clock
from truthound._words import plural
from truthound.async_core._policy import RetryPolicy
from truthound.checkpoint._configured import Configured, Options
from truthound.checkpoint._threads import ACTIONS, blocking, in_thread
from truthound.checkpoint._time_limit import TimeLimit
from truthound.checkpoint._tries import TESTING, TRIES
from truthound.checkpoint.model import (
    ActionResult,
    ActionStatus,
    CheckpointResult,
    CheckpointStatus,
    RunStart,
)
from truthound.errors import ActionError, ConfigurationError, did_you_mean
from truthound.secrets import without_password

logger: logging.Logger = logging.getLogger("truthound.checkpoint")


class NotifyCondition(StrEnum):
    """After which runs an action is to run."""

    ALWAYS = "always"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"
    WARNING = "warning"
    FAILURE_OR_ERROR = "failure_or_error"
    NOT_SUCCESS = "not_success"

    def should_notify(self, status: CheckpointStatus | str) -> bool:
        """Tell whether a run that ended so is one of those."""
        if self is NotifyCondition.ALWAYS:
            return True
        if self is NotifyCondition.NOT_SUCCESS:
            return status != CheckpointStatus.SUCCESS
        if self is NotifyCondition.FAILURE_OR_ERROR:
            return status in (CheckpointStatus.FAILURE, CheckpointStatus.ERROR)
        return str(status) == self.value


@dataclass
class ActionConfig(Options):
    """What can be said about any action.

    Attributes:
        name: what results call it; None for its type.
        enabled: whether it runs at all.
        notify_on: after which runs: always, success, failure, error, warning,
            failure_or_error or not_success.
        timeout_seconds: for one attempt; 0 for no limit. At its default, that of an
            :class:`AsyncExecutionContext` comes before it.
        retry_count: attempts after the first, if it ends as error.
        retry_delay_seconds: before the first of them; it doubles each time, up to a
            minute, less up to the half at random.
        fail_checkpoint_on_error: a run whose action ends as error or failure is a
            failure itself.
        metadata: for whoever reads the configuration.
    """

    name: str | None = None
    enabled: bool = True
    notify_on: NotifyCondition | str = NotifyCondition.ALWAYS
    timeout_seconds: float = 30
    retry_count: int = 0
    retry_delay_seconds: float = 1.0
    fail_checkpoint_on_error: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        super().check()
        try:
            self.notify_on = NotifyCondition(self.notify_on)
        except ValueError:
            raise ConfigurationError(
                f"notify_on is {', '.join(NotifyCondition)}, not {self.notify_on!r}"
                f"{did_you_mean(str(self.notify_on), list(NotifyCondition))}"
            ) from None
        for option in ("timeout_seconds", "retry_delay_seconds"):
            check_number(option, getattr(self, option))
        check_number("retry_count", self.retry_count, kind=int)


def check_number(option: str, value: Any, kind: Any = (int, float)) -> None:
    """Raise ConfigurationError unless a value is a number that is not negative."""
    wanted = isinstance(value, kind) and not isinstance(value, bool)
    if not wanted or not 0 <= value < float("inf"):
        words = "whole number" if kind is int else "number"
        raise ConfigurationError(f"{option} is a {words}, 0 or more, not {value!r}")


A = TypeVar("A", bound=ActionConfig)
Attempt = Callable[[TimeLimit], Awaitable[Any]]


class Action(Configured[A], Generic[A]):
    """What blocking and asynchronous actions have in common."""

    action_type: str = "action"
    clock: Clock = SYSTEM_CLOCK
    # Whether a run with a store owes it: it is then tried again, after a restart too.
    is_owed: bool = True
    _base = ActionConfig
    _kind = "action_type"

    def should_run(self, status: CheckpointStatus | str) -> bool:
        """Tell whether it is to run after a run that ended so."""
        return self.enabled and NotifyCondition(self._config.notify_on).should_notify(
            status
        )

    async def on_run_start(self, start: RunStart) -> None:
        """Do what is to be done when a run begins; as it is, nothing.

        It runs beside the run, which neither waits for it nor fails with it: what it
        raises is logged, it has ``timeout_seconds``, and what is not done when the
        actions of the run have ended is given up. ``notify_on`` is not asked, as nobody
        knows how the run will end.

        Args:
            start: of the run.
        """

    def result(
        self,
        status: ActionStatus | str,
        message: str = "",
        *,
        error: str | None = None,
        **details: Any,
    ) -> ActionResult:
        """Return a result with the name and type of this action."""
        return ActionResult(
            action_name=self.name,
            action_type=self.action_type,
            status=ActionStatus(status),
            message=message,
            details=details,
            error=error,
        )

    async def _tried(
        self,
        checkpoint_result: CheckpointResult,
        attempt: Attempt,
        seconds: float | None,
        *,
        at_once: bool,
    ) -> ActionResult:
        """Make attempts until one succeeds or there are no more.

        Args:
            checkpoint_result: decides whether there shall be any.
            attempt: makes one.
            seconds: for one attempt, if the action itself does not say.
            at_once: an attempt need not wait for a thread.
        """
        config = self._config
        if why := self._left_out_because(checkpoint_result.status):
            return self.result(ActionStatus.SKIPPED, why)
        if config.timeout_seconds != ActionConfig.timeout_seconds or seconds is None:
            seconds = config.timeout_seconds
        began, began_at = self.clock.monotonic(), self.clock.now()
        number, elsewhere = 0, TRIES.get() if self.is_owed else None
        most = config.retry_count if elsewhere is None else 0
        while True:
            found, error = await self._attempted(attempt, seconds, at_once)
            if found.status != ActionStatus.ERROR:
                break
            if elsewhere is not None:  # it is not tried again here
                elsewhere[id(self)] = error
            if error.is_final or number >= most:
                break
            policy = RetryPolicy(
                max_retries=config.retry_count,
                backoff_factor=config.retry_delay_seconds,
                max_delay=max(60.0, config.retry_delay_seconds),
            )
            delay = policy.wait(number, 0.0, error.retry_after)
            if delay is None:
                break
            number += 1
            await asyncio.sleep(delay)
        if number and found.status == ActionStatus.ERROR and not found.message:
            found.message = f"Failed after {plural(number + 1, 'attempt')}"
        if number:
            found.details = {**found.details, "attempts": number + 1}
        found.started_at = found.started_at or began_at
        found.completed_at = found.completed_at or self.clock.now()
        found.duration_ms = found.duration_ms or (self.clock.monotonic() - began) * 1000
        return found

    def _left_out_because(self, status: CheckpointStatus | str) -> str:
        """Say why it does not run after a run that ended so; empty: it does."""
        if not self.enabled:
            return "it is disabled"
        if TESTING.get() or self.should_run(status):
            return ""
        return f"notify_on {self._config.notify_on}"

    async def _attempted(
        self, attempt: Attempt, seconds: float, at_once: bool
    ) -> tuple[ActionResult, ActionError]:
        """Make one attempt; whatever it raises becomes a result."""
        task = asyncio.current_task()
        before = task.cancelling() if task else 0
        limit = TimeLimit(seconds, at_once=at_once)
        try:
            async with limit:
                found = await attempt(limit)
            if not isinstance(found, ActionResult):
                raise TypeError(
                    f"the action returned {found!r}, expected an ActionResult"
                )
            return found, ActionError(found.error or found.message)
        except asyncio.CancelledError as error:
            if task is None or task.cancelling() > before:
                raise
            # Of its own making: nobody has cancelled the run.
            failure = ActionError(f"the action raised CancelledError({error})")
        except ActionError as error:
            failure = error
        except SystemExit as error:
            failure = ActionError(f"the action called sys.exit({error.code})")
        except ConfigurationError as error:  # trying again would not help
            failure = ActionError(str(error), is_final=True)
        except Exception as error:
            if limit.is_over():
                failure = ActionError(
                    f"Action timed out after {seconds:g} s",
                    # A thread cannot be stopped: another attempt would run beside it.
                    is_final=self._is_threaded() and TRIES.get() is None,
                )
            else:
                logger.warning("action %s failed", self.name, exc_info=error)
                failure = ActionError(f"{type(error).__name__}: {error}")
        said = self._safe(without_password(str(failure)))
        return self.result(ActionStatus.ERROR, error=said), failure

    def _is_threaded(self) -> bool:
        """Tell whether attempts run on threads, which cannot be stopped."""
        return False

    def _safe(self, message: str) -> str:
        """Return a message without the secrets of this action."""
        return message


class BaseAction(Action[A], Generic[A]):
    """Base of actions that block: they run on a thread of their own kind.

    A subclass has ``_execute``, which does what the action is for. What it raises
    becomes the error of the action's result.

    Example:
        >>> class Note(BaseAction):
        ...     action_type = "note"
        ...     def _execute(self, checkpoint_result):
        ...         return self.result("success", checkpoint_result.status)
    """

    action_type: str = "base"

    def execute(self, checkpoint_result: CheckpointResult) -> ActionResult:
        """Run the action, with its retries, unless ``notify_on`` says no. Blocks."""
        found: ActionResult = blocking(lambda: self._in_thread(checkpoint_result))
        return found

    def _execute(self, checkpoint_result: CheckpointResult) -> ActionResult:
        """Do what the action is for; called again for a retry."""
        raise NotImplementedError(f"{type(self).__name__} has no _execute()")

    async def _in_thread(
        self,
        checkpoint_result: CheckpointResult,
        seconds: float | None = None,
        call: Callable[[Callable[[], Any]], Awaitable[Any]] | None = None,
    ) -> ActionResult:
        """Run the action on a thread: of ours, or as ``call`` does it."""

        async def attempt(limit: TimeLimit) -> Any:
            work = limit.counted(lambda: self._execute(checkpoint_result))
            return await (call(work) if call else in_thread(work, ACTIONS))

        return await self._tried(checkpoint_result, attempt, seconds, at_once=False)

    def _is_threaded(self) -> bool:
        return True


class AsyncBaseAction(Action[A], Generic[A]):
    """Base of actions that await.

    A subclass has ``_execute_async``, which does what the action is for. Each attempt
    has its time limit, an error is tried again as ``retry_count`` says, and what is
    raised becomes the error of the action's result.

    Example:
        >>> class Note(AsyncBaseAction):
        ...     action_type = "note"
        ...     async def _execute_async(self, checkpoint_result):
        ...         return self.result("success", checkpoint_result.status)
    """

    action_type: str = "async_base"

    async def execute_async(self, checkpoint_result: CheckpointResult) -> ActionResult:
        """Run the action, with its retries, unless ``notify_on`` says no.

        If cancelled, the attempt under way is, and the cancellation goes on.
        """
        return await self._within(checkpoint_result, None)

    async def _execute_async(self, checkpoint_result: CheckpointResult) -> ActionResult:
        """Do what the action is for; called again for a retry."""
        raise NotImplementedError(f"{type(self).__name__} has no _execute_async()")

    async def _within(
        self, checkpoint_result: CheckpointResult, seconds: float | None
    ) -> ActionResult:
        async def attempt(limit: TimeLimit) -> Any:
            return await self._execute_async(checkpoint_result)

        return await self._tried(checkpoint_result, attempt, seconds, at_once=True)


class NativeAction(AsyncBaseAction[A], BaseAction[A], Generic[A]):
    """Base of the package's own actions: awaited in a loop, called anywhere else."""

    def execute(self, checkpoint_result: CheckpointResult) -> ActionResult:
        """Run the action in a loop of its own. Blocks."""
        found: ActionResult = blocking(lambda: self.execute_async(checkpoint_result))
        return found

    def _execute(self, checkpoint_result: CheckpointResult) -> ActionResult:
        found: ActionResult = blocking(lambda: self._execute_async(checkpoint_result))
        return found

    def _is_threaded(self) -> bool:
        return False
