"""The contract of our signatures: checked by mypy, never run."""

from __future__ import annotations

import asyncio
from typing import assert_type

import httpx2
import polars as pl
from starlette.applications import Starlette
from starlette.routing import Mount

import truthound
from truthound import (
    AsyncCheckpoint,
    Checkpoint,
    CheckpointResult,
    Severity,
    ValidationRun,
)
from truthound.async_core import (
    AsyncHTTPClient,
    AsyncRunner,
    AsyncStream,
    CircuitBreaker,
    ResourcePool,
    RetryPolicy,
    async_background,
    async_batch_requests,
    async_read_file,
    async_read_files,
    async_run,
)
from truthound.checkpoint import AsyncCheckpointRunner, CheckpointPool
from truthound.checkpoint.actions import GitHubAction, OpenLineageAction, WebhookAction
from truthound.checkpoint.async_base import with_retry, with_semaphore, with_timeout
from truthound.checkpoint.hooks import hooks_app, hooks_mount
from truthound.checkpoint.triggers import HookTrigger
from truthound.validators import CheckResult, RangeValidator

frame = pl.DataFrame({"a": [1]})

run = truthound.check(
    frame, ["null", {"range": {"min": 0}}, RangeValidator("a", min=0)]
)
assert_type(run, ValidationRun)
assert_type(run.issues, list[CheckResult])
assert_type(run.success, bool)
assert_type(run.checks[0].severity, Severity | None)

checkpoint = Checkpoint("a", data_source=frame, validators=["null"], timeout_seconds=5)
assert_type(checkpoint.run(), CheckpointResult)
assert_type(checkpoint.validate(), list[str])
assert_type(checkpoint.explain(), str)


async def awaited() -> None:
    async with AsyncCheckpoint("a", data_source=frame) as watched:
        assert_type(watched, AsyncCheckpoint)
        assert_type(await watched.run_async({"k": 1}), CheckpointResult)


RangeValidator("a", min=0, mistyped=1)  # type: ignore[call-arg]


async def number() -> int:
    return 1


async def toolkit(runner: AsyncRunner, client: AsyncHTTPClient) -> None:
    assert_type(await runner.submit(number()), int)
    assert_type(await runner.gather([number()]), list[int])
    assert_type(
        await runner.gather([number()], return_exceptions=True),
        list[int | BaseException],
    )
    assert_type(runner.map(doubled, [1]), AsyncStream[int])
    assert_type(async_background(number()), asyncio.Task[int])
    assert_type(await client.get("http://localhost"), httpx2.Response)
    assert_type(
        await async_batch_requests(["http://localhost"]),
        list[httpx2.Response | Exception],
    )
    assert_type(await RetryPolicy().call(number), int)
    assert_type(await CircuitBreaker().call(number), int)
    assert_type(await async_read_file("x"), str)
    assert_type(await async_read_files(["x"]), list[str])
    assert_type(
        await async_read_files(["x"], return_exceptions=True), list[str | Exception]
    )
    async with ResourcePool(2, number) as pool, pool.acquire() as resource:
        assert_type(resource, int)


@with_retry(max_retries=1)
@with_timeout(1.0)
@with_semaphore(asyncio.Semaphore(1))
async def fetched(table: str, *, rows: int = 1) -> int:
    return rows


async def running(pool: CheckpointPool, runner: AsyncCheckpointRunner) -> None:
    assert_type(await fetched("rides", rows=3), int)
    await fetched(3)  # type: ignore[arg-type]
    assert_type(await pool.submit(Checkpoint("a")), CheckpointResult)
    assert_type(await pool.submit_many([]), list[CheckpointResult])
    assert_type(await runner.run_once_async("a"), CheckpointResult)
    assert_type(hooks_app(runner), Starlette)
    assert_type(hooks_mount(runner, "/in"), Mount)
    assert_type(HookTrigger(secret="x").path_name, str)
    Checkpoint(
        "a",
        actions=[
            GitHubAction(summary=False),
            OpenLineageAction(url="http://x"),
            WebhookAction(url="http://x", signing_secret="x"),
        ],
    )
    async for result in runner.iter_results_async(timeout=1.0):
        assert_type(result, CheckpointResult)


async def doubled(value: int) -> int:
    return value * 2


assert_type(async_run(number()), int)
