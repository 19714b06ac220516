"""Cancels requests of httpx for 4 seconds; prints how many of five succeed then."""

from __future__ import annotations

import asyncio
import random
import sys
import time

import httpx

CHURN, WORKERS, CONNECTIONS = 4.0, 20, 10  # seconds, and how many


async def main(url: str) -> None:
    limits = httpx.Limits(
        max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS
    )
    end = time.monotonic() + CHURN
    chance = random.Random(7)
    async with httpx.AsyncClient(limits=limits, timeout=5) as client:

        async def work() -> None:
            while time.monotonic() < end:
                task = asyncio.create_task(client.get(url))
                await asyncio.sleep(chance.uniform(0, 0.012))
                task.cancel()
                await asyncio.wait([task])

        await asyncio.gather(*(work() for _ in range(WORKERS)))
        good = 0
        for _ in range(5):
            try:
                async with asyncio.timeout(3):
                    await client.get(url)
                good += 1
            except (TimeoutError, httpx.HTTPError):
                pass
    print(good)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
