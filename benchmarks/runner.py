"""`AsyncRunner` and what belongs to it, against the bare way.

Load: coroutines that do nothing, so that what is measured is the cost of running them:
100,000 through ``gather`` and ``map`` with a limit of 100, 20,000 through ``submit``
with 10 workers, all at once and one after another; then calls that succeed under a
retry policy, a circuit breaker and a time limit. Last, the memory that ``map`` takes
for a million items beside that for ten thousand.

Machine: the one it runs on. All ways take turns in one process.

Comparison: medians as ratios to a plain ``await`` in a loop, to ``gather`` with a
semaphore (what people write), to workers on an ``asyncio.PriorityQueue``, and to
``asyncio.timeout``. With ``--peers``, aiometer, aiojobs and anyio do the same in an
environment of their own, as ratios to the same plain loop there.

    python benchmarks/runner.py [--peers]

Exits 1 if a result is wrong; a missed aim is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from _rounds import Way, line, medians
from truthound.async_core import (
    AsyncRunner,
    CircuitBreaker,
    RetryPolicy,
    TaskPriority,
    async_timeout,
)

MANY, SOME, FEW, LIMIT, WORKERS = 100_000, 20_000, 20_000, 100, 10
HERE = Path(__file__).resolve().parent


async def nothing(number: int) -> int:
    return number


async def bulk(rounds: int) -> None:
    """Measure ``gather`` and ``map``."""
    async with AsyncRunner(max_workers=LIMIT) as runner:

        async def plain() -> list[int]:
            return [await nothing(n) for n in range(MANY)]

        async def with_semaphore() -> list[int]:
            semaphore = asyncio.Semaphore(LIMIT)

            async def one(number: int) -> int:
                async with semaphore:
                    return await nothing(number)

            return list(await asyncio.gather(*(one(n) for n in range(MANY))))

        ways: dict[str, Way] = {
            "plain": plain,
            "gather + semaphore": with_semaphore,
            "gather": lambda: runner.gather(nothing(n) for n in range(MANY)),
            "map": lambda: runner.map(nothing, range(MANY)).collect(),
        }
        spent = await medians(ways, rounds)
    floor, semaphore = spent["plain"], spent["gather + semaphore"]
    print(
        f"{MANY:,} coroutines, limit {LIMIT} ({floor / MANY * 1e9:.0f} ns each, bare)"
    )
    line("runner.gather / plain loop", spent["gather"] / floor, 3)
    line("runner.map / plain loop", spent["map"] / floor, 3)
    line("asyncio.gather + semaphore / plain loop", semaphore / floor)
    times = semaphore / spent["gather"]
    missed = "" if times >= 20 else "  MISSED"
    print(f"  {'cheaper than gather + semaphore':52} {times:7.1f}  aim 20{missed}")


class Queued:
    """The usual pattern: workers on a priority queue, a future for each job."""

    def __init__(self) -> None:
        self._queue: asyncio.PriorityQueue[Any] = asyncio.PriorityQueue()
        self._number = 0

    async def submit(self, coro: Any, priority: int) -> Any:
        future = asyncio.get_running_loop().create_future()
        self._number += 1
        self._queue.put_nowait((priority, self._number, coro, future))
        return await future

    async def work(self) -> None:
        while True:
            _, _, coro, future = await self._queue.get()
            try:
                future.set_result(await coro)
            except Exception as error:  # noqa: BLE001 - whose it is
                future.set_exception(error)

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls) -> AsyncIterator[Queued]:
        queued = cls()
        workers = [asyncio.create_task(queued.work()) for _ in range(WORKERS)]
        try:
            yield queued
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)


async def single(rounds: int) -> None:
    """Measure ``submit``."""
    async with AsyncRunner(max_workers=WORKERS) as runner, Queued.running() as queued:
        high = TaskPriority.HIGH

        async def all_at_once(submit: Any) -> list[int]:
            jobs = (submit(nothing(n), high) for n in range(SOME))
            return list(await asyncio.gather(*jobs))

        async def one_by_one(submit: Any, **options: Any) -> list[int]:
            return [await submit(nothing(n), high, **options) for n in range(SOME)]

        spent = await medians(
            {
                "queue, at once": lambda: all_at_once(queued.submit),
                "ours, at once": lambda: all_at_once(runner.submit),
                "queue, one by one": lambda: one_by_one(queued.submit),
                "ours, one by one": lambda: one_by_one(runner.submit),
                "inline": lambda: one_by_one(runner.submit, inline=True),
            },
            rounds,
        )
    bare = spent["queue, one by one"]
    print(f"{SOME:,} jobs by priority ({bare / SOME * 1e6:.1f} us each by a queue)")
    line(
        "runner.submit / priority queue, all at once",
        spent["ours, at once"] / spent["queue, at once"],
        1.6,
    )
    line(
        "runner.submit / priority queue, one by one",
        spent["ours, one by one"] / bare,
        1.6,
    )
    line("runner.submit(inline=True) / priority queue", spent["inline"] / bare, 0.1)


async def guards(rounds: int) -> None:
    """Measure what surrounds a call that succeeds."""
    policy, breaker = RetryPolicy(), CircuitBreaker()

    async def theirs() -> int:
        total = 0
        for n in range(FEW):
            async with asyncio.timeout(5):
                total += await nothing(n)
        return total

    async def ours() -> int:
        total = 0
        for n in range(FEW):
            async with async_timeout(5):
                total += await nothing(n)
        return total

    async def bare() -> int:
        return sum([await nothing(n) for n in range(FEW)])

    async def retried() -> int:
        return sum([await policy.call(nothing, n) for n in range(FEW)])

    async def broken() -> int:
        return sum([await breaker.call(nothing, n) for n in range(FEW)])

    spent = await medians(
        {
            "bare": bare,
            "retry": retried,
            "breaker": broken,
            "asyncio.timeout": theirs,
            "async_timeout": ours,
        },
        rounds,
    )
    print(f"{FEW:,} calls that succeed ({spent['bare'] / FEW * 1e9:.0f} ns each, bare)")
    line("RetryPolicy.call / bare await", spent["retry"] / spent["bare"], 5)
    line("CircuitBreaker.call / bare await", spent["breaker"] / spent["bare"])
    line(
        "async_timeout / asyncio.timeout",
        spent["async_timeout"] / spent["asyncio.timeout"],
        1.2,
    )


async def memory() -> None:
    """Measure what ``map`` holds."""
    peaks = []
    async with AsyncRunner(max_workers=LIMIT) as runner:
        for number in (10_000, 1_000_000):
            tracemalloc.start()
            assert await runner.map(nothing, iter(range(number))).count() == number
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    print(f"memory of map ({peaks[0] / 1e3:.0f} kB at most for 10,000 items)")
    line("1,000,000 items / 10,000 items", peaks[1] / peaks[0], 1.5)


def peers(envs: Path) -> None:
    """Measure other libraries, each against the plain loop beside it."""
    sys.path.insert(0, str(HERE / "peers"))
    from _environments import clean_variables, interpreter

    python = interpreter("asyncio_tools", envs)
    done = subprocess.run(
        [str(python), str(HERE / "peers" / "adapter_asyncio_tools.py"), str(MANY)],
        env=clean_variables(),
        capture_output=True,
        text=True,
        check=True,
    )
    print(f"other libraries, {MANY:,} coroutines, limit {LIMIT}")
    for name, ratio in json.loads(done.stdout).items():
        line(f"{name} / plain loop", ratio)


async def measure(rounds: int) -> None:
    await bulk(rounds)
    await single(rounds)
    await guards(rounds)
    await memory()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="the runner against the bare way")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--envs", type=Path, default=HERE / "peers" / ".envs")
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.rounds))
    if arguments.peers:
        peers(arguments.envs)


if __name__ == "__main__":
    main()
