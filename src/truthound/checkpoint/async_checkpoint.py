"""A checkpoint for event loops: callbacks around the run, and a block that owns it."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from truthound.checkpoint.checkpoint import Checkpoint, Context
from truthound.checkpoint.model import (
    CheckpointConfig,
    CheckpointResult,
    CheckpointStatus,
)

logger: logging.Logger = logging.getLogger("truthound.checkpoint")

Callback = Callable[[Any], Awaitable[None] | None]


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
    """

    on_start: Callback | None = None
    on_complete: Callback | None = None
    on_error: Callback | None = None


class AsyncCheckpoint(Checkpoint):
    """A :class:`Checkpoint` with callbacks, to be used as ``async with``.

    Leaving the block waits for the runs that are under way, and a run that is begun
    after that is refused. If the leaving task is cancelled, the wait ends and the
    cancellation goes on; the runs belong to those who await them.

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

    def run(self, context: Context | None = None) -> CheckpointResult:
        """Run in an event loop of its own. Blocks.

        Raises:
            RuntimeError: an event loop runs already; await ``run_async()`` there.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self.run_async(context))
        raise RuntimeError("an event loop is running: use 'await run_async()'")

    async def run_async(self, context: Context | None = None) -> CheckpointResult:
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
            await _call(config.on_start, self)
            result = await super().run_async(context)
            await _call(config.on_complete, result)
            if result.status == CheckpointStatus.ERROR:
                await _call(config.on_error, result)
            return result
        finally:
            self._under_way -= 1
            if not self._under_way and self._idle is not None:
                self._idle.set()

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
    return AsyncCheckpoint(
        config=AsyncCheckpointConfig(**_fields(checkpoint.config)),
        baselines=checkpoint.baselines,
        clock=checkpoint.clock,
    )


def _fields(config: CheckpointConfig) -> dict[str, Any]:
    return {f.name: getattr(config, f.name) for f in dataclasses.fields(config)}


async def _call(callback: Callback | None, argument: Any) -> None:
    if callback is None:
        return
    try:
        answer = callback(argument)
        if inspect.isawaitable(answer):
            await answer
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        # Raised inside the callback although nobody cancelled the run.
        logger.error("callback %r raised CancelledError", callback)
    except Exception as error:
        logger.error("callback %r failed", callback, exc_info=error)
