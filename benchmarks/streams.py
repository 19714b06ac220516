"""`AsyncStream` with a map and a filter against a list comprehension.

Load: 200,000 numbers through one `map` and one `filter`, both with trivial sync
functions, so that what is measured is the cost of the stream and not that of the work.
Once over a list and once over an async generator that never waits; then 20,000 numbers
through an async function.

Machine: the one it runs on. All sides take turns in one process, so that a machine that
gets slower hits them alike.

Comparison: the median of the rounds as a ratio to a list comprehension that calls the
same functions (for the async function: to a loop that awaits it), beside a chain of
plain async generators over the same source. Aims: at most 1.4 over a list, at most 2.5
over an async source.

    python benchmarks/streams.py

Exits 1 if a result is wrong; a missed aim is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from truthound.async_core import AsyncStream

ITEMS, WAITING = 200_000, 20_000


def double(number: int) -> int:
    return number * 2


def is_kept(number: int) -> bool:
    return number % 3 == 0


async def double_later(number: int) -> int:
    return number * 2


async def over(items: Iterable[int]) -> AsyncIterator[int]:
    for item in items:
        yield item


async def plain_map(source: AsyncIterator[int]) -> AsyncIterator[int]:
    async for item in source:
        yield double(item)


async def plain_map_later(source: AsyncIterator[int]) -> AsyncIterator[int]:
    async for item in source:
        yield await double_later(item)


async def plain_filter(source: AsyncIterator[int]) -> AsyncIterator[int]:
    async for item in source:
        if is_kept(item):
            yield item


async def comprehension(items: list[int]) -> list[int]:
    return [made for item in items if is_kept(made := double(item))]


async def loop(items: list[int]) -> list[int]:
    return [made for item in items if is_kept(made := await double_later(item))]


async def chain(items: list[int]) -> list[int]:
    return [item async for item in plain_filter(plain_map(over(items)))]


async def chain_later(items: list[int]) -> list[int]:
    return [item async for item in plain_filter(plain_map_later(over(items)))]


async def stream(items: list[int]) -> list[int]:
    return await AsyncStream(items).map(double).filter(is_kept).collect()


async def stream_over_async(items: list[int]) -> list[int]:
    return await AsyncStream(over(items)).map(double).filter(is_kept).collect()


async def stream_iterated(items: list[int]) -> list[int]:
    return [item async for item in AsyncStream(items).map(double).filter(is_kept)]


async def stream_later(items: list[int]) -> list[int]:
    return await AsyncStream(items).map(double_later).filter(is_kept).collect()


Way = Callable[[list[int]], Awaitable[list[int]]]
PARTS: list[tuple[str, int, Way, list[tuple[str, Way, float | None]]]] = [
    (
        "sync functions, against a list comprehension",
        ITEMS,
        comprehension,
        [
            ("stream over a list", stream, 1.4),
            ("stream over an async source", stream_over_async, 2.5),
            ("stream over a list, async for", stream_iterated, None),
            ("plain async generators", chain, None),
        ],
    ),
    (
        "async function, against a loop that awaits it",
        WAITING,
        loop,
        [
            ("stream over a list", stream_later, None),
            ("plain async generators", chain_later, None),
        ],
    ),
]


async def timed(way: Way, items: list[int]) -> tuple[float, list[int]]:
    begun = time.perf_counter()
    result = await way(items)
    return time.perf_counter() - begun, result


async def measure(rounds: int) -> int:
    wrong = 0
    for title, number, bare, ways in PARTS:
        items = list(range(number))
        expected = await bare(items)
        spent: dict[str, list[float]] = {name: [] for name, _, _ in ways}
        base: list[float] = []
        for _ in range(rounds):
            base.append((await timed(bare, items))[0])
            for name, way, _ in ways:
                seconds, result = await timed(way, items)
                spent[name].append(seconds)
                wrong += result != expected
        median = statistics.median(base)
        print(f"{title} ({median / number * 1e9:.0f} ns an item)")
        for name, _, aim in ways:
            ratio = statistics.median(spent[name]) / median
            verdict = "" if aim is None else f"  aim {aim}"
            missed = "  MISSED" if aim is not None and ratio > aim else ""
            print(f"  {name:32} {ratio:5.2f}{verdict}{missed}")
    return wrong


def main() -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(description="streams against comprehensions")
    parser.add_argument("--rounds", type=int, default=15)
    wrong = asyncio.run(measure(parser.parse_args().rounds))
    if wrong:
        print(f"{wrong} results are wrong")
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
