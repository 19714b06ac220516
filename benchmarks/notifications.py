"""Notifications against the time that the other side takes, and against apprise.

Load: 1,000 results, each sent by a `WebhookAction` to a server on this machine that
takes 100 ms to answer and runs as a program of its own, 100 at a time; and the same by
a `SlackNotification`, whose payload has blocks. apprise sends the same texts by its
``json://``, 100 calls of ``async_notify`` at a time, each to one address, as it sends
one message to one.

Machine: the one it runs on. All but apprise, which runs once at the end, take turns in
one process.

The client of the actions is there already, as it is in a runner.

Comparison: medians as ratios to the ideal, 1,000 / 100 * 0.1 s = 1 s; a bare
`aiohttp.ClientSession` that posts a text of the same size says what can be reached.

    python benchmarks/notifications.py

Exits 1 if a notification does not arrive; a missed aim is printed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import aiohttp

from _rounds import line, medians
from http_client import serving
from truthound.checkpoint._clients import shared_client
from truthound.checkpoint.actions import SlackNotification, WebhookAction
from truthound.checkpoint.model import CheckpointResult, CheckpointStatus

NUMBER, AT_ONCE, DELAY = 1_000, 100, 0.1  # seconds
ROUNDS = 5

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

    return lambda: all_of(send)


def by_aiohttp(session: aiohttp.ClientSession, url: str) -> Callable[[], Any]:
    async def send(result: CheckpointResult) -> bool:
        async with session.post(url, data=result.summary().ljust(300)) as answer:
            await answer.read()
            return answer.status == 200

    return lambda: all_of(send)


def by_apprise(url: str) -> Callable[[], Awaitable[int]]:
    import apprise  # late: what it brings would slow the others down

    there = apprise.Apprise()
    there.add(url.replace("http://", "json://"))

    async def send(result: CheckpointResult) -> bool:
        said = await there.async_notify(body=result.summary(), title="rides")
        return bool(said)

    return lambda: all_of(send)


async def main() -> None:
    logging.disable()
    with serving(DELAY) as url:
        connector = aiohttp.TCPConnector(limit=2 * AT_ONCE)
        async with shared_client(), aiohttp.ClientSession(connector=connector) as bare:
            ways = {
                "aiohttp": by_aiohttp(bare, url),
                "webhook": by_action(WebhookAction(url=url, include_full_result=False)),
                "slack": by_action(SlackNotification(webhook_url=url)),
            }
            for name, way in ways.items():
                if await way() != NUMBER:
                    raise SystemExit(f"{name}: not all have arrived")
            found = await medians(ways, ROUNDS)
            found |= await medians({"apprise": by_apprise(url)}, 1)
    ideal = NUMBER / AT_ONCE * DELAY
    print(f"{NUMBER:,} notifications, {AT_ONCE} at a time, {DELAY:g} s each; ideal = 1")
    line("a bare aiohttp session", found["aiohttp"] / ideal)
    line("WebhookAction", found["webhook"] / ideal, 1.1)
    line("SlackNotification", found["slack"] / ideal, 1.1)
    line("apprise", found["apprise"] / ideal)
    line("WebhookAction / apprise", found["webhook"] / found["apprise"], 1.0)


if __name__ == "__main__":
    asyncio.run(main())
