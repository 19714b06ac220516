"""A checkpoint for event loops: callbacks around the run, and a block that owns it."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from truthound.async_core._limit import check_count, check_seconds
from truthound.checkpoint._callbacks import Callback, call_back
from truthound.checkpoint._strategies import (
    STRATEGIES,
    AsyncExecutionContext,
    ConcurrentStrategy,
    ExecutionStrategy,
    PipelineStrategy,
)
from truthound.checkpoint.checkpoint import Checkpoint, Context
from truthound.checkpoint.model import (
    CheckpointConfig,
    CheckpointResult,
    CheckpointStatus,
)
from truthound.errors import ConfigurationError, did_you_mean


@dataclass
class AsyncCheckpointConfig(CheckpointConfig):
    """What a checkpoint is configured with, and whom it calls.

    A callback is a function, a coroutine function or an object with ``__call__`` of
    either kind. What it raises is logged and changes nothing.

    Attributes:
        on_start: called with the checkpoint before a run.
        on_complete: called with the result of every run.
        on_error: called with the result of a run that could not be completed, after
            ``on_complete``.
        execution_strategy: of the actions: concurrent, sequential, or an object;
            ``{"pipeline": [[0, 1], [2]]}`` stands for ``PipelineStrategy``.
        max_concurrent_actions: how many run at once, if concurrent.
        action_timeout: seconds for one attempt of an action that does not set
            ``timeout_seconds`` itself.
        cancel_on_first_error: an action that ends as error or failure ends the others.
    """

    on_start: Callback | None = None
    on_complete: Callback | None = None
    on_error: Callback | None = None
    execution_strategy: ExecutionStrategy | str | Mapping[str, Any] = "concurrent"
    max_concurrent_actions: int = 10
    action_timeout: float = 30.0
    cancel_on_first_error: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("max_concurrent_actions", self.max_concurrent_actions)
        check_seconds("action_timeout", self.action_timeout)
        given = self.execution_strategy
        if isinstance(given, Mapping) and list(given) == ["pipeline"]:
            given = self.execution_strategy = PipelineStrategy(given["pipeline"])
        if not isinstance(given, ExecutionStrategy) and given not in STRATEGIES:
            raise ConfigurationError(
                f"execution_strategy is {', '.join(STRATEGIES)}, or an object such as "
                f"PipelineStrategy(stages), not {given!r}"
                f"{did_you_mean(str(given), STRATEGIES)}"
            )


class AsyncCheckpoint(Checkpoint):
    """A :class:`Checkpoint` with callbacks, whose actions run side by side.

    It can be used as ``async with``. Leaving the block waits for the runs that are
    under way, and a run that is begun after that is refused. If the leaving task is
    cancelled, the wait ends and the cancellation goes on; the runs belong to those who
    await them.

    Args:
        name: how results and baselines call it.
        config: all options at once; or give them one by one.
        options: fields of :class:`AsyncCheckpointConfig`, and what
            :class:`Checkpoint` takes.
    """

    config: AsyncCheckpointConfig
    config_class: type[CheckpointConfig] = AsyncCheckpointConfig

    def __init__(
        self,
        name: str | None = None,
        config: CheckpointConfig | None = None,
        **options: Any,
    ) -> None:
        if config is not None and not isinstance(config, AsyncCheckpointConfig):
            config = AsyncCheckpointConfig(**_fields(config))
        super().__init__(name, config, **options)
        self._closed = False
        self._under_way = 0
        self._idle: asyncio.Event | None = None

    def run(
        self, context: Context | None = None, *, full: bool = False
    ) -> CheckpointResult:
        """Run in an event loop of its own. Blocks.

        Raises:
            RuntimeError: an event loop runs already; await ``run_async()`` there.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self.run_async(context, full=full))
        raise RuntimeError("an event loop is running: use 'await run_async()'")

    async def run_async(
        self, context: Context | None = None, *, full: bool = False
    ) -> CheckpointResult:
        """Validate the data, call back, and return the result.

        If cancelled, the run is given up, nobody is called back, and the
        cancellation goes on.

        Raises:
            RuntimeError: the ``async with`` block was left before.
        """
        if self._closed:
            raise RuntimeError(f"checkpoint {self.name!r} is closed")
        config = self.config
        self._under_way += 1
        try:
            await call_back(config.on_start, self)
            result = await super().run_async(context, full=full)
            await call_back(config.on_complete, result)
            if result.status == CheckpointStatus.ERROR:
                await call_back(config.on_error, result)
            return result
        finally:
            self._under_way -= 1
            if not self._under_way and self._idle is not None:
                self._idle.set()

    def validate(self) -> list[str]:
        problems = super().validate()
        strategy = self.config.execution_strategy
        if isinstance(strategy, PipelineStrategy):
            try:
                strategy.check(len(self.actions))
            except ConfigurationError as error:
                problems.append(f"{self.name}: execution_strategy: {error}")
        return problems

    def _strategy(self) -> ExecutionStrategy:
        given = self.config.execution_strategy
        if isinstance(given, ExecutionStrategy):
            return given
        if given == "concurrent":
            return ConcurrentStrategy(self.config.max_concurrent_actions)
        made: ExecutionStrategy = STRATEGIES[str(given)]()
        return made

    def _execution_context(self) -> AsyncExecutionContext:
        return AsyncExecutionContext(
            timeout=self.config.action_timeout,
            cancel_on_first_error=self.config.cancel_on_first_error,
        )

    async def __aenter__(self) -> Self:
        self._closed = False
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closed = True
        if self._under_way:
            self._idle = asyncio.Event()
            await self._idle.wait()


def to_async_checkpoint(checkpoint: Checkpoint) -> AsyncCheckpoint:
    """Return an :class:`AsyncCheckpoint` with the configuration of another one."""
    if isinstance(checkpoint, AsyncCheckpoint):
        return checkpoint
    made = AsyncCheckpoint(
        config=AsyncCheckpointConfig(**_fields(checkpoint.config)),
        actions=checkpoint.actions,
        triggers=checkpoint.triggers,
        baselines=checkpoint.baselines,
        clock=checkpoint.clock,
    )
    made.places = checkpoint.places
    return made


def _fields(config: CheckpointConfig) -> dict[str, Any]:
    return {f.name: getattr(config, f.name) for f in dataclasses.fields(config)}
