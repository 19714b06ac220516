"""`AsyncHTTPClient` against the bare clients below it.

Load: 2,000 GET requests of 1 KiB, 50 at a time, to a server on this machine that runs
as a program of its own; telemetry off. Then the pool after cancellation: 20 workers
cancel requests at 0 to 12 ms on 10 connections for 4 seconds, and five fresh requests
have to succeed. With ``--peers`` httpx 0.28 goes through the same churn.

Machine: the one it runs on. All clients take turns in one process.

Comparison: medians as ratios to ``httpx2.AsyncClient`` with the same limits, and to
``aiohttp.ClientSession``.

    python benchmarks/http_client.py [--peers]

Exits 1 if an answer is wrong; a missed aim is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx2

from _rounds import line, medians
from truthound.async_core import AsyncHTTPClient, RetryPolicy

REQUESTS, AT_ONCE, BODY = 2_000, 50, 1024
CHURN, WORKERS, CONNECTIONS = 4.0, 20, 10  # seconds, and how many
HERE = Path(__file__).resolve().parent

Get = Callable[[], Awaitable[bytes]]


@contextlib.contextmanager
def serving(delay: float = 0.0) -> Iterator[str]:
    """Run the server; each answer takes so many seconds."""
    with subprocess.Popen(
        [sys.executable, str(HERE / "_http_server.py"), str(delay)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}/x"
        finally:
            server.stdin.close()


async def all_of(get: Get) -> int:
    left = iter(range(REQUESTS))
    sizes: list[int] = []

    async def work() -> None:
        for _ in left:
            body = await get()
            sizes.append(len(body))

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return sum(sizes)


async def speed(url: str, rounds: int) -> None:
    """Measure the requests."""
    limits = httpx2.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    async with (
        httpx2.AsyncClient(limits=limits, timeout=30) as bare,
        AsyncHTTPClient(max_connections=AT_ONCE) as ours,
        AsyncHTTPClient(max_connections=AT_ONCE, transport="aiohttp") as fast,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as session,
    ):

        async def by_session() -> bytes:
            async with session.get(url) as response:
                return await response.read()

        async def content(client: Any) -> bytes:
            response = await client.get(url)
            result: bytes = response.content
            return result

        spent = await medians(
            {
                "httpx2": lambda: all_of(lambda: content(bare)),
                "ours": lambda: all_of(lambda: content(ours)),
                "aiohttp": lambda: all_of(by_session),
                "ours over aiohttp": lambda: all_of(lambda: content(fast)),
            },
            rounds,
        )
    each = {name: seconds / REQUESTS * 1e6 for name, seconds in spent.items()}
    print(f"{REQUESTS:,} requests, {AT_ONCE} at once (httpx2 {each['httpx2']:.0f} us)")
    line("ours / httpx2", spent["ours"] / spent["httpx2"], 1.1)
    line(
        "ours over aiohttp / aiohttp",
        spent["ours over aiohttp"] / spent["aiohttp"],
        1.25,
    )
    line("httpx2 / ours over aiohttp", spent["httpx2"] / spent["ours over aiohttp"])


async def churn(get: Callable[[], Awaitable[Any]]) -> int:
    """Cancel requests for some seconds; return how many of five succeed then."""
    end = time.monotonic() + CHURN
    chance = random.Random(7)

    async def work() -> None:
        while time.monotonic() < end:
            task = asyncio.create_task(get())  # type: ignore[arg-type]
            await asyncio.sleep(chance.uniform(0, 0.012))
            task.cancel()
            await asyncio.wait([task])

    await asyncio.gather(*(work() for _ in range(WORKERS)))
    good = 0
    for _ in range(5):
        try:
            async with asyncio.timeout(3):
                await get()
            good += 1
        except Exception as error:  # noqa: BLE001 - any of them counts as failed
            print(f"  {type(error).__name__}: {error}")
    return good


async def cancellation(url: str) -> bool:
    """Measure the pools."""
    well = True
    once = RetryPolicy(max_retries=0)
    for transport in ("httpx2", "aiohttp"):
        async with AsyncHTTPClient(
            once, max_connections=CONNECTIONS, timeout=5, transport=transport
        ) as client:
            good = await churn(lambda: client.get(url))
        print(f"  after {CHURN:.0f} s of cancelling, over {transport:8} {good} of 5")
        well &= good == 5
    return well


def peers(url: str, envs: Path) -> None:
    """Put httpx 0.28 through the same."""
    sys.path.insert(0, str(HERE / "peers"))
    from _environments import clean_variables, interpreter

    python = interpreter("httpx", envs)
    done = subprocess.run(
        [str(python), str(HERE / "peers" / "adapter_httpx.py"), url],
        env=clean_variables(),
        capture_output=True,
        text=True,
        check=True,
    )
    print(
        f"  after {CHURN:.0f} s of cancelling, httpx 0.28    {done.stdout.strip()} of 5"
    )


def main() -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(description="the HTTP client against bare ones")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--envs", type=Path, default=HERE / "peers" / ".envs")
    arguments = parser.parse_args()
    with serving() as url:
        asyncio.run(speed(url, arguments.rounds))
    with serving(0.005) as url:
        well = asyncio.run(cancellation(url))
        if arguments.peers:
            peers(url, arguments.envs)
    return int(not well)


if __name__ == "__main__":
    raise SystemExit(main())
