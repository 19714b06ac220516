"""Notifications against the time that the other side takes, and against apprise.

Load: 1,000 results, each sent by a `WebhookAction` to a server on this machine that
takes 100 ms to answer and runs as a program of its own, 100 at a time; and the same by
a `SlackNotification`, whose payload has blocks. apprise sends the same texts by its
``json://``, 100 calls of ``async_notify`` at a time, each to one address, as it sends
one message to one.

Machine: the one it runs on. All take turns in one process.

Comparison: medians as ratios to the ideal, 1,000 / 100 * 0.1 s = 1 s.

    python benchmarks/notifications.py

Exits 1 if a notification does not arrive; a missed aim is printed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import apprise

from _rounds import line, medians
from http_client import serving
from truthound.checkpoint._clients import shared_client
from truthound.checkpoint.actions import SlackNotification, WebhookAction
from truthound.checkpoint.model import CheckpointResult, CheckpointStatus

NUMBER, AT_ONCE, DELAY = 1_000, 100, 0.1  # seconds
ROUNDS = 3

RESULTS = [
    CheckpointResult(
        run_id=f"rides_{number}",
        checkpoint_name="rides",
        run_time=datetime(2026, 3, 2, 12, tzinfo=UTC),
        status=CheckpointStatus.FAILURE,
        data_asset="rides.parquet",
    )
    for number in range(NUMBER)
]


async def all_of(send: Callable[[CheckpointResult], Awaitable[bool]]) -> int:
    """Send all, so many at a time; return how many have arrived."""
    left, arrived = iter(RESULTS), 0

    async def work() -> None:
        nonlocal arrived
        for result in left:
            has_arrived = await send(result)
            arrived += has_arrived

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work())
    return arrived


def by_action(action: Any) -> Callable[[], Awaitable[int]]:
    async def send(result: CheckpointResult) -> bool:
        found = await action.execute_async(result)
        return bool(found.success)

    async def way() -> int:
        async with shared_client():
            return await all_of(send)

    return way


def by_apprise(url: str) -> Callable[[], Awaitable[int]]:
    there = apprise.Apprise()
    there.add(url.replace("http://", "json://"))

    async def send(result: CheckpointResult) -> bool:
        said = await there.async_notify(body=result.summary(), title="rides")
        return bool(said)

    return lambda: all_of(send)


async def main() -> None:
    logging.disable()
    ideal = NUMBER / AT_ONCE * DELAY
    with serving(DELAY) as url:
        ways = {
            "webhook": by_action(WebhookAction(url=url, include_full_result=False)),
            "slack": by_action(SlackNotification(webhook_url=url)),
            "apprise": by_apprise(url),
        }
        found = await medians(ways, ROUNDS)
        for name, way in ways.items():
            if await way() != NUMBER:
                raise SystemExit(f"{name}: not all have arrived")
    print(f"{NUMBER:,} notifications, {AT_ONCE} at a time, {DELAY:g} s each; ideal = 1")
    line("WebhookAction", found["webhook"] / ideal, 1.1)
    line("SlackNotification", found["slack"] / ideal, 1.1)
    line("apprise", found["apprise"] / ideal)
    line("WebhookAction / apprise", found["webhook"] / found["apprise"], 1.0)


if __name__ == "__main__":
    asyncio.run(main())
