"""What asyncio brings, measured here: the same work one after another, and at once.

    python examples/async/benchmark_async_vs_sync.py

Load: jobs that wait, requests to a server on this machine that takes 20 ms to answer,
small files from a warm cache, and a stream of numbers. Both sides do the same and their
results are compared; they take turns, and the medians of the rounds are shown. What
does not wait gains nothing from asyncio: the table says so.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import local_server
from rich.console import Console
from rich.progress import track
from rich.table import Table

from truthound.async_core import (
    AsyncHTTPClient,
    AsyncRunner,
    AsyncStream,
    async_batch_requests,
    async_read_files,
)

JOBS, REQUESTS, FILES, ITEMS = 50, 40, 2_000, 200_000
WAIT = 0.01  # seconds that a job waits


@dataclass
class Case:
    """The same work in both ways."""

    name: str
    sync: Callable[[], Any]
    at_once: Callable[[], Awaitable[Any]]
    why: str


def job_sync(number: int) -> int:
    time.sleep(WAIT)
    return number * 2


async def job(number: int) -> int:
    await asyncio.sleep(WAIT)
    return number * 2


async def jobs() -> list[int]:
    async with AsyncRunner(max_workers=10) as runner:
        return await runner.gather(job(n) for n in range(JOBS))


def request_sync(url: str) -> Any:
    with urllib.request.urlopen(url) as response:
        return json.load(response)


async def requests(urls: list[str]) -> list[Any]:
    async with AsyncHTTPClient() as client:
        answers = await async_batch_requests(urls, max_concurrent=10, client=client)
    return [a if isinstance(a, Exception) else a.json() for a in answers]


def double(number: int) -> int:
    return number * 2


def is_kept(number: int) -> bool:
    return number % 4 == 0


async def stream() -> list[int]:
    return await AsyncStream(range(ITEMS)).map(double).filter(is_kept).collect()


def cases(url: str, folder: Path) -> list[Case]:
    """Return what is measured."""
    urls = [f"{url}/rows/{n}" for n in range(REQUESTS)]
    paths = [folder / f"{n}.txt" for n in range(FILES)]
    for path in paths:
        path.write_text("some text\n" * 200, encoding="utf-8")
    return [
        Case(
            f"{JOBS} jobs that wait {WAIT * 1000:.0f} ms, 10 at once",
            lambda: [job_sync(n) for n in range(JOBS)],
            jobs,
            "they wait together",
        ),
        Case(
            f"{REQUESTS} requests, 10 at once",
            lambda: [request_sync(u) for u in urls],
            lambda: requests(urls),
            "the server takes 20 ms",
        ),
        Case(
            f"{FILES:,} files of 2 kB",
            lambda: [path.read_text(encoding="utf-8") for path in paths],
            lambda: async_read_files(paths),
            "nothing waits; the loop stays free",
        ),
        Case(
            f"{ITEMS:,} numbers, map and filter",
            lambda: [d for n in range(ITEMS) if is_kept(d := double(n))],
            stream,
            "nothing waits; the price of a stream",
        ),
    ]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result


def measure(case: Case, rounds: int) -> tuple[float, float]:
    """Return the medians of both ways, in seconds."""
    sync, at_once = [], []

    async def run() -> Any:
        return await case.at_once()

    for _ in range(rounds):
        seconds, expected = timed(case.sync)
        sync.append(seconds)
        seconds, result = timed(lambda: asyncio.run(run()))
        at_once.append(seconds)
        if result != expected:
            raise SystemExit(f"{case.name}: the results differ")
    return statistics.median(sync), statistics.median(at_once)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description="asyncio against one after another")
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    console = Console()
    table = Table(title="One after another, and at once", title_justify="left")
    table.add_column("work")
    for column in ("sync, ms", "async, ms", "speed-up"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("why")
    with (
        local_server.running() as url,
        tempfile.TemporaryDirectory(prefix="truthound-benchmark-") as folder,
    ):
        todo = cases(url, Path(folder))
        for case in track(todo, "measuring", console=console, transient=True):
            sync, at_once = measure(case, rounds)
            ratio = sync / at_once
            colour = "green" if ratio >= 1.5 else "yellow" if ratio >= 0.9 else "red"
            table.add_row(
                case.name,
                f"{sync * 1000:.1f}",
                f"{at_once * 1000:.1f}",
                f"[{colour}]{ratio:.1f}x[/{colour}]",
                case.why,
            )
    console.print(table)


if __name__ == "__main__":
    main()
