"""Checkpoints, actions and triggers that tests look into."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from truthound._clock import Clock
from truthound.checkpoint import Checkpoint, CheckpointResult
from truthound.checkpoint.async_base import (
    ActionResult,
    AsyncBaseAction,
    AsyncBaseTrigger,
    BaseAction,
    BaseTrigger,
    TriggerResult,
)

ROWS = pl.DataFrame({"id": [1, 2, 3], "fare": [1.5, None, 3.5]})
WHOLE = pl.DataFrame({"id": [1, 2, 3]})


def checkpoint(name: str = "rides", data: Any = WHOLE, **options: Any) -> Checkpoint:
    """Return a checkpoint that is a success, unless told otherwise."""
    options.setdefault("validators", ["null"])
    return Checkpoint(name, data_source=data, **options)


class LoopClock(Clock):
    """Tells the time of the running loop, which may be a virtual one."""

    def __init__(self, start: datetime = datetime(2026, 3, 2, 12, tzinfo=UTC)) -> None:
        object.__setattr__(self, "start", start)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.monotonic())  # type: ignore[attr-defined]


class Watched:
    """How many run at once, how many did, and in which order they began."""

    def __init__(self) -> None:
        self.running = self.most = 0
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.times: list[float] = []


class Probe(Checkpoint):
    """A checkpoint that takes its time and ends as it is told to.

    Args:
        name: what it is called.
        seconds: how long a run takes.
        status: how it ends; an exception is raised.
        watched: where runs are counted.
    """

    def __init__(
        self,
        name: str = "probe",
        seconds: float = 0.0,
        status: Any = "success",
        watched: Watched | None = None,
        **options: Any,
    ) -> None:
        super().__init__(name, data_source=WHOLE, validators=["null"], **options)
        self.seconds = seconds
        self.ends_as = status
        self.watched = Watched() if watched is None else watched

    async def run_async(
        self, context: Mapping[str, Any] | None = None
    ) -> CheckpointResult:
        watched = self.watched
        watched.running += 1
        watched.most = max(watched.most, watched.running)
        watched.begun.append(self.name)
        watched.times.append(asyncio.get_running_loop().time())
        try:
            await asyncio.sleep(self.seconds)
            if isinstance(self.ends_as, BaseException):
                raise self.ends_as
            return CheckpointResult(
                run_id=f"{self.name}-{len(watched.begun)}",
                checkpoint_name=self.name,
                run_time=datetime.now(UTC),
                status=self.ends_as,
                metadata=dict(context or {}),
            )
        finally:
            watched.running -= 1
            watched.ended.append(self.name)


class Act(AsyncBaseAction):
    """An action that takes its time and ends as it is told to."""

    action_type = "act"

    def __init__(
        self,
        name: str = "act",
        seconds: float = 0.0,
        ends_as: Any = "success",
        watched: Watched | None = None,
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        self.seconds = seconds
        self.ends_as = ends_as
        self.watched = Watched() if watched is None else watched
        self.has_begun = asyncio.Event()

    async def _execute_async(self, checkpoint_result: Any) -> ActionResult:
        watched = self.watched
        watched.begun.append(self.name)
        watched.running += 1
        watched.most = max(watched.most, watched.running)
        self.has_begun.set()
        try:
            await asyncio.sleep(self.seconds)
            watched.ended.append(self.name)
            ends_as = self.ends_as
            if isinstance(ends_as, list):
                ends_as = ends_as.pop(0) if len(ends_as) > 1 else ends_as[0]
            if isinstance(ends_as, BaseException):
                raise ends_as
            return self.result(ends_as)
        finally:
            watched.running -= 1


class Block(BaseAction):
    """A blocking action."""

    action_type = "block"

    def __init__(self, name: str = "block", seconds: float = 0.0, **options: Any):
        super().__init__(name=name, **options)
        self.seconds = seconds
        self.calls = 0

    def _execute(self, checkpoint_result: Any) -> ActionResult:
        self.calls += 1
        time.sleep(self.seconds)
        return self.result("success", detail=self.calls)


class Said(AsyncBaseTrigger):
    """A trigger that says what it was told to say, and then no."""

    trigger_type = "said"

    def __init__(self, *answers: Any, **options: Any) -> None:
        super().__init__(**options)
        self.answers = list(answers)
        self.asked = 0

    async def should_trigger_async(self) -> TriggerResult:
        self.asked += 1
        answer = self.answers.pop(0) if self.answers else False
        if isinstance(answer, BaseException):
            raise answer
        return TriggerResult(bool(answer), context={"answer": answer})


class BlockingTrigger(BaseTrigger):
    """A trigger that holds up whoever asks it."""

    trigger_type = "blocking"

    def __init__(self, seconds: float, **options: Any) -> None:
        super().__init__(**options)
        self.seconds = seconds
        self.asked = 0

    def should_trigger(self) -> TriggerResult:
        self.asked += 1
        time.sleep(self.seconds)
        return TriggerResult(should_run=False)
