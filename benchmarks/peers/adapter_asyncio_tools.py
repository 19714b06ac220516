"""Runs coroutines with a limit of 100 in other libraries; prints ratios as JSON.

The argument is the number of coroutines of the plain loop; a tenth of it is enough for
the libraries, whose cost is the same for each.
"""

from __future__ import annotations

import asyncio
import functools
import json
import statistics
import sys
import time

import aiojobs
import aiometer
import anyio

LIMIT, ROUNDS = 100, 3


async def nothing(number: int) -> int:
    return number


async def plain(number: int) -> int:
    done = 0
    for n in range(number):
        await nothing(n)
        done += 1
    return done


async def with_aiometer(number: int) -> int:
    results = await aiometer.run_all(
        [functools.partial(nothing, n) for n in range(number)], max_at_once=LIMIT
    )
    return len(results)


async def with_aiojobs(number: int) -> int:
    async with aiojobs.Scheduler(limit=LIMIT, pending_limit=0) as scheduler:
        jobs = [await scheduler.spawn(nothing(n)) for n in range(number)]
        return len([await job.wait() for job in jobs])


async def with_anyio(number: int) -> int:
    limiter, done = anyio.CapacityLimiter(LIMIT), 0

    async def one(n: int) -> None:
        nonlocal done
        async with limiter:
            await nothing(n)
        done += 1

    async with anyio.create_task_group() as group:
        for n in range(number):
            group.start_soon(one, n)
    return done


async def main(number: int) -> None:
    ways = {
        "plain": (plain, number),
        "aiometer.run_all": (with_aiometer, number // 10),
        "aiojobs.Scheduler": (with_aiojobs, number // 10),
        "anyio, task group and limiter": (with_anyio, number // 10),
    }
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, (way, size) in ways.items():
            begun = time.perf_counter()
            assert await way(size) == size
            spent[name].append((time.perf_counter() - begun) / size)
    floor = statistics.median(spent.pop("plain"))
    print(json.dumps({n: statistics.median(t) / floor for n, t in spent.items()}))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
