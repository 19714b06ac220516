"""Files off the event loop, against a loop that blocks.

Load: 5,000 files of 2 KiB from a warm cache, read by ``async_read_files``; a text of a
million lines, read line by line; a copy of 300 MiB. Then a folder of 5,000 files that
is watched: how long it takes from a file landing to the iteration, and how much of a
core the watch takes while nothing happens.

Machine: the one it runs on. Both sides take turns in one process.

Comparison: medians as ratios to a loop that opens, reads and decodes; to a loop over
the open file; to ``shutil.copyfile``. A task beside the reading measures for how long
the event loop is held.

    python benchmarks/files.py

Exits 1 if a content is wrong; a missed aim is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from _rounds import line, medians
from truthound.async_core import (
    AsyncDirectoryWatcher,
    AsyncFileReader,
    async_copy_file,
    async_read_files,
    async_write_file,
)

FILES, LINES, LARGE = 5_000, 1_000_000, 300 * 2**20
PROBES, IDLE = 15, 5.0  # landings, and seconds


class Probe:
    """Notes for how long the event loop does not get round to it."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def __aenter__(self) -> Probe:
        self._task = asyncio.create_task(self._watch())
        await asyncio.sleep(0.01)
        self.longest = 0.0
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _watch(self) -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            self.longest = max(self.longest, now - last - 0.001)
            last = now


async def small(folder: Path, rounds: int) -> None:
    """Measure many small files."""
    paths = [folder / f"{n}.txt" for n in range(FILES)]
    for path in paths:
        path.write_text("some text\n" * 205, encoding="utf-8")
    held: list[float] = []

    async def ours() -> Any:
        async with Probe() as probe:
            texts = await async_read_files(paths)
        held.append(probe.longest)
        return texts

    async def blocking() -> Any:
        return [path.read_text(encoding="utf-8") for path in paths]

    spent = await medians({"blocking": blocking, "ours": ours}, rounds)
    each = spent["blocking"] / FILES * 1e6
    print(f"{FILES:,} files of 2 KiB ({each:.1f} us each in a blocking loop)")
    line("async_read_files / blocking loop", spent["ours"] / spent["blocking"], 1.5)
    line("event loop held, ms", statistics.median(held) * 1000, 10)


async def lines(folder: Path, rounds: int) -> None:
    """Measure a text line by line."""
    path = folder / "lines.txt"
    path.write_text("some text in a line\n" * LINES, encoding="utf-8")

    async def ours() -> int:
        return sum([1 async for _ in AsyncFileReader(path).stream_lines()])

    async def blocking() -> int:
        with path.open(encoding="utf-8") as file:
            return sum(1 for _ in file)

    spent = await medians({"blocking": blocking, "ours": ours}, rounds)
    print(f"{LINES:,} lines ({spent['blocking'] / LINES * 1e9:.0f} ns each, blocking)")
    line("stream_lines / loop over the file", spent["ours"] / spent["blocking"])


async def copies(folder: Path, rounds: int) -> None:
    """Measure a large copy."""
    source, copy = folder / "large", folder / "copy"
    with source.open("wb") as file:
        for _ in range(LARGE // 2**20):
            file.write(b"x" * 2**20)

    async def ours() -> int:
        await async_copy_file(source, copy)
        return copy.stat().st_size

    async def blocking() -> int:
        shutil.copyfile(source, copy)
        return copy.stat().st_size

    await ours()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    spent = await medians({"blocking": blocking, "ours": ours}, rounds)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"a copy of 300 MiB, which ours syncs ({spent['blocking'] * 1000:.0f} ms)")
    line("async_copy_file / shutil.copyfile", spent["ours"] / spent["blocking"])
    line("memory that it took, MiB", grown / 1024, 40)


async def watch(folder: Path) -> None:
    """Measure the watcher."""
    watcher = AsyncDirectoryWatcher(folder)
    iteration = watcher.watch()
    landed: dict[str, float] = {}
    waited: list[float] = []

    async def see() -> None:
        async for path in iteration:
            begun = landed.pop(path.name, None)
            if begun is not None:
                waited.append(time.perf_counter() - begun)

    task = asyncio.create_task(see())
    await asyncio.sleep(1)
    for number in range(PROBES):
        await async_write_file(folder / f".new-{number}", "x")
        landed[f"new-{number}"] = time.perf_counter()
        (folder / f".new-{number}").rename(folder / f"new-{number}")
        await asyncio.sleep(0.2)
    await asyncio.sleep(0.5)
    before = resource.getrusage(resource.RUSAGE_SELF)
    await asyncio.sleep(IDLE)
    after = resource.getrusage(resource.RUSAGE_SELF)
    watcher.stop()
    await task
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if len(waited) != PROBES:
        raise SystemExit(f"only {len(waited)} of {PROBES} landings were seen")
    print(f"a watched folder of {FILES:,} files")
    line("from landing to iteration, ms", statistics.median(waited) * 1000, 20)
    line("% of a core while nothing happens", busy / IDLE * 100, 1.5)


async def measure(rounds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="truthound-bench-") as name:
        folder = Path(name)
        (folder / "many").mkdir()
        await small(folder / "many", rounds)
        await watch(folder / "many")
        await lines(folder, rounds)
        await copies(folder, min(rounds, 3))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="files against blocking loops")
    parser.add_argument("--rounds", type=int, default=7)
    asyncio.run(measure(parser.parse_args().rounds))


if __name__ == "__main__":
    main()
