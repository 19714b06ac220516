"""A checkpoint whose runs end as their messages say, and a runner for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint, CheckpointResult


class Checked(Checkpoint):
    """A checkpoint whose runs end as the messages say: a body is a list of them.

    Attributes:
        seen: what each run was told.
        gate: runs wait until it is open.
        most: how many ran at once.
    """

    def __init__(self, name: str = "c", **options: Any) -> None:
        super().__init__(name, data_source={"a": [1]}, validators=["null"], **options)
        self.seen: list[dict[str, Any]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.running = self.most = 0

    async def run_async(self, context: Any = None, **_: Any) -> CheckpointResult:
        told = dict(context or {})
        self.seen.append(told)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.gate.wait()
        finally:
            self.running -= 1
        bodies = [m["body"] for m in told.get("messages", ())]
        statuses = [self._status(body) for body in bodies]
        result = await super().run_async(context)
        if "error" in statuses:
            result.status, result.error = "error", "as the message says"
        return result

    def _status(self, body: Any) -> str:
        if isinstance(body, dict) and "fails" in body:
            times = sum(body in bodies_of(told) for told in self.seen)
            return "error" if times <= body["fails"] else "success"
        return "success"

    def bodies(self) -> list[Any]:
        return [body for told in self.seen for body in bodies_of(told)]


def bodies_of(told: Any) -> list[Any]:
    return [message["body"] for message in told["messages"]]


@contextlib.asynccontextmanager
async def running(
    checkpoint: Checkpoint, **options: Any
) -> AsyncIterator[tuple[AsyncCheckpointRunner, list[CheckpointResult], list[str]]]:
    results: list[CheckpointResult] = []
    errors: list[str] = []
    runner = AsyncCheckpointRunner(
        result_callback=results.append,
        error_callback=lambda error: errors.append(str(error)),
        result_queue_size=None,
        max_consecutive_failures=1_000,
        **options,
    )
    runner.add_checkpoint(checkpoint)
    async with runner:
        yield runner, results, errors
