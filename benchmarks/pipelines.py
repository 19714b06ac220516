"""Pipelines of sites: what a process for each costs beside what it does.

Load: 10 sites that wait a second, 5 at once; 200 sites that start an interpreter and
end; sites of the default command with about 50 ms of work each, from a CSV file.

Machine: the one it runs on. Comparison: the same sites one after the other; ``xargs
-P`` with the same limit; a pool of processes made anew for each attempt, as the
document's sketch does; and the two kinds of isolation with each other. In turns,
medians of the rounds. Trust the ratios.

    python benchmarks/pipelines.py
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from _rounds import line, medians
from truthound.automation import AsyncPipelineExecutor, PipelineExecutor

WAITING, AT_ONCE = 10, 5
SHORT, LIMIT = 200, 5
PASS = [sys.executable, "-c", "pass"]
ROUNDS = 7
SITES = 30
ROWS = 60_000
QUIET = {
    "log_directory": None,
    "async_settings": {"progress_reporting": False, "error_aggregation": False},
}


def names(number: int) -> list[str]:
    return [f"site{n}" for n in range(number)]


async def ours(config: dict[str, Any], number: int) -> int:
    return sum(
        (await AsyncPipelineExecutor(config).run_all_async(names(number))).values()
    )


async def one_by_one(config: dict[str, Any], number: int) -> int:
    executor = PipelineExecutor(config)
    return sum((await asyncio.to_thread(executor.run_all, names(number))).values())


async def xargs() -> int:
    command = ["xargs", "-P", str(LIMIT), "-I{}", *PASS, "--site={}"]
    run = partial(subprocess.run, command, input="\n".join(names(SHORT)).encode())
    await asyncio.to_thread(run, check=True)
    return SHORT


async def pool_per_attempt() -> int:
    """Start each process from a pool that is made for it, as the sketch does."""
    slots = asyncio.Semaphore(LIMIT)
    loop = asyncio.get_running_loop()

    async def one() -> bool:
        async with slots:
            with ProcessPoolExecutor(1) as pool:
                return await loop.run_in_executor(pool, passes)

    return sum(await asyncio.gather(*(one() for _ in range(SHORT))))


def passes() -> bool:
    return subprocess.run(PASS, check=False).returncode == 0


async def waits() -> None:
    print(f"{WAITING} sites that wait a second, {AT_ONCE} at once")
    config = {"command": ["sleep", "1"], "max_concurrent_sites": AT_ONCE, **QUIET}
    found = await medians(
        {
            "at once": partial(ours, config, WAITING),
            "one by one": partial(one_by_one, config, WAITING),
        },
        2,
    )
    times = found["one by one"] / found["at once"]
    told = "" if times >= 4.5 else "  MISSED"
    print(
        f"  {'one after the other / at once':52} {times:7.2f}  aim at least 4.5{told}"
    )


async def starts() -> None:
    print(f"{SHORT} interpreters that end at once, {LIMIT} at a time")
    config = {"command": PASS, "max_concurrent_sites": LIMIT, **QUIET}
    found = await medians(
        {
            "ours": partial(ours, config, SHORT),
            "xargs": xargs,
            "sketch": pool_per_attempt,
        },
        ROUNDS,
    )
    print(f"  xargs -P {LIMIT}: {found['xargs'] / SHORT * 1000:.1f} ms a site")
    line("AsyncPipelineExecutor / xargs", found["ours"] / found["xargs"], 1.1)
    line("a pool of processes per attempt / xargs", found["sketch"] / found["xargs"])


async def isolation(folder: Path) -> None:
    numbers = range(ROWS)
    frame = pl.DataFrame(
        {
            "id": numbers,
            "fare": [n * 0.25 for n in numbers],
            "name": [f"rider {n}" for n in numbers],
        }
    )
    frame.write_csv(folder / "rides.csv")
    config: dict[str, Any] = {
        "defaults": {
            "source": str(folder / "rides.csv"),
            "validators": ["null", {"range": {"column": "fare", "min": 0}}],
        },
        "output_directory": str(folder / "found"),
        "max_concurrent_sites": LIMIT,
        **QUIET,
    }
    print(f"{SITES} sites of the default command, {ROWS:,} rows, {LIMIT} at once")
    found = await medians(
        {
            kind: partial(ours, {**config, "isolation": kind}, SITES)
            for kind in ("process", "warm")
        },
        3,
    )
    records = (folder / "found" / "status").glob("*.json")
    work = [json.loads(record.read_bytes())["duration_ms"] for record in records]
    print(f"  work of a site in a warm process: {statistics.median(work):.0f} ms")
    for kind, seconds in found.items():
        print(f"  {kind}: {seconds / SITES * 1000:.0f} ms a site, of the wall clock")
    times = found["process"] / found["warm"]
    told = "" if times >= 3 else "  MISSED"
    print(f"  {'isolation: process / warm':52} {times:7.2f}  aim at least 3{told}")


async def main() -> None:
    await waits()
    await starts()
    with tempfile.TemporaryDirectory() as folder:
        await isolation(Path(folder))


if __name__ == "__main__":
    asyncio.run(main())
