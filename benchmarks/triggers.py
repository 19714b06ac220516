"""From a file that arrives to the run that it starts.

Load: files that are renamed into place, and files that are written there and closed
(``settle_seconds: 0``), one after the other, in an empty folder and in one of 100,000
files; the checkpoint does nothing but note the moment. Compared with the bare limit in
the same process: a thread that reads inotify and calls into the loop, and
``watchfiles.awatch``. Of the large folder also the start, the memory and the share of a
core while nothing happens, without a store and with one. Linux only.

    python benchmarks/triggers.py [--files 100000] [--events 200]
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import os
import select
import statistics
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from _rounds import line
from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint, CheckpointResult
from truthound.checkpoint.triggers import FileWatchTrigger

AIM = 25.0  # milliseconds from the event to the start of the run
PAUSE = 0.03  # seconds between two files
IDLE = 5.0  # seconds
Arrived = dict[str, float]
Way = Callable[[Path, Arrived], Any]


class Noting(Checkpoint):
    """Notes when a run begins, and does nothing."""

    arrived: Arrived

    async def run_async(self, context: Any = None, *, full: bool = False) -> Any:
        now = time.perf_counter()
        file = (context or {}).get("file")
        if file:
            self.arrived[Path(file).name] = now
        return CheckpointResult(
            run_id=f"r{len(self.arrived)}",
            checkpoint_name=self.name,
            run_time=self.clock.now(),
            status="success",
        )


@asynccontextmanager
async def ours(
    folder: Path, arrived: Arrived, store: Any = False
) -> AsyncIterator[float]:
    """Watch with a runner; yield how many seconds that took to begin."""
    trigger = FileWatchTrigger(
        paths=folder, per_file=True, settle_seconds=0, max_concurrent=8
    )
    checkpoint = Noting("c", data_source={"a": [1]}, triggers=[trigger])
    checkpoint.arrived = arrived
    runner = AsyncCheckpointRunner(store=store, result_queue_size=None)
    runner.add_checkpoint(checkpoint)
    begun = time.perf_counter()
    async with runner:
        while any(one.is_first_look for one in trigger.landings()):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.001)
        yield time.perf_counter() - begun


@asynccontextmanager
async def bare(folder: Path, arrived: Arrived) -> AsyncIterator[float]:
    """Read inotify in a thread, and call into the loop."""
    libc = ctypes.CDLL(None, use_errno=True)
    messages = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert libc.inotify_add_watch(messages, os.fsencode(folder), 0x8 | 0x80) >= 0
    loop, over = asyncio.get_running_loop(), threading.Event()

    def note(names: list[str]) -> None:
        now = time.perf_counter()
        for name in names:
            arrived.setdefault(name, now)

    def read() -> None:
        poll = select.poll()
        poll.register(messages, select.POLLIN)
        while not over.is_set():
            if not poll.poll(100):
                continue
            data, at, names = os.read(messages, 65_536), 0, []
            while at < len(data):
                length = int.from_bytes(data[at + 12 : at + 16], "little")
                names.append(data[at + 16 : at + 16 + length].rstrip(b"\0").decode())
                at += 16 + length
            loop.call_soon_threadsafe(note, names)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield 0.0
    finally:
        over.set()
        await asyncio.to_thread(thread.join)
        os.close(messages)


@asynccontextmanager
async def watched(folder: Path, arrived: Arrived) -> AsyncIterator[float]:
    """Watch with watchfiles."""
    from watchfiles import awatch

    over = asyncio.Event()

    async def watch() -> None:
        async for changes in awatch(folder, stop_event=over, step=10):
            now = time.perf_counter()
            for _, path in changes:
                arrived.setdefault(Path(path).name, now)

    task = asyncio.create_task(watch())
    await asyncio.sleep(0.5)
    try:
        yield 0.0
    finally:
        over.set()
        await task


async def latencies(
    way: Any, folder: Path, outside: Path, events: int, is_renamed: bool
) -> list[float]:
    """Return for each file the milliseconds until it was told of."""
    arrived: Arrived = {}
    made: Arrived = {}
    mark = f"{time.time_ns()}"
    async with way(folder, arrived):
        for number in range(events):
            name = f"new-{mark}-{number}.csv"
            if is_renamed:
                (outside / name).write_text(f"a\n{mark}{number}\n")
                made[name] = time.perf_counter()
                (outside / name).rename(folder / name)
            else:
                made[name] = time.perf_counter()
                (folder / name).write_text(f"a\n{mark}{number}\n")
            await asyncio.sleep(PAUSE)
        end = time.perf_counter() + 20
        while len(arrived) < events and time.perf_counter() < end:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    if set(made) - set(arrived):
        raise SystemExit(f"{way.__name__}: {len(set(made) - set(arrived))} are missing")
    for name in made:
        (folder / name).unlink()
    return sorted((arrived[name] - made[name]) * 1000 for name in made)


def told(name: str, found: list[float]) -> tuple[float, float]:
    """Print the median and the 99th percentile, and return them."""
    middle = statistics.median(found)
    late = found[int(len(found) * 0.99) - 1]
    print(f"  {name:52} {middle:7.2f} ms  p99 {late:7.2f} ms")
    return middle, late


def memory() -> float:
    """Return the resident memory of this process in MiB."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def large(folder: Path, store: Any, name: str) -> None:
    """Measure start, memory and idle cost."""
    before = memory()
    async with ours(folder, {}, store) as seconds:
        if store:
            await asyncio.sleep(0.1)
        grown = memory() - before
        cpu, wall = time.process_time(), time.perf_counter()
        await asyncio.sleep(IDLE)
        share = (time.process_time() - cpu) / (time.perf_counter() - wall)
    print(
        f"  {name:40} {seconds:6.2f} s to start, {grown:5.0f} MiB, "
        f"{100 * share:.2f} % of a core afterwards"
    )


async def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        for part in ("small", "large", "outside"):
            (top / part).mkdir()
        for number in range(options.files):
            (top / "large" / f"{number:06}.csv").write_text("a\n1\n")
        await measure(top, options.events, options.files)


async def measure(top: Path, events: int, files: int) -> None:
    """Measure with folders that are there."""
    medians = {}
    for is_renamed, how in (
        (True, "renamed into place"),
        (False, "written and closed"),
    ):
        print(f"\nFrom the event to the run, {how}")
        for folder in ("small", "large"):
            for way in (bare, watched, ours):
                found = await latencies(
                    way, top / folder, top / "outside", events, is_renamed
                )
                label = f"{way.__name__}, {folder} folder"
                medians[folder, way.__name__, is_renamed] = told(label, found)
    print("\nRatios of medians")
    for is_renamed in (True, False):
        our_own = medians["small", "ours", is_renamed]
        line("ours / 25 ms", our_own[0] / AIM, 1.0)
        line("ours, p99 / 25 ms", our_own[1] / AIM, 1.0)
        line("ours / bare", our_own[0] / medians["small", "bare", is_renamed][0])
        line(
            "large folder / small folder, ours",
            medians["large", "ours", is_renamed][0] / our_own[0],
            1.5,
        )
    print(f"\nA folder of {files:,} files")
    await large(top / "large", False, "without a store")
    for start in ("first", "second"):
        await large(top / "large", top / "runs.db", f"with a store, the {start} start")


if __name__ == "__main__":
    asyncio.run(main())
