"""Many checkpoints: what running them costs beside what they do.

Load: 5,000 checkpoints on a frame of 100 rows, with one validator; 10,000 schedules
with nothing due; an event while 1,000 runs wait; 1,000 checkpoints that each send one
webhook to a server that takes 50 ms; 100,000 runs read by a consumer. With ``--peers``
the original project runs the first of these in an environment of its own.

Machine: the one it runs on. Comparison: the same calls in a bare loop, the ideal time,
or a limit; in turns, medians of the rounds. Trust the ratios.

    python benchmarks/checkpoints.py [--peers]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from _rounds import line
from truthound.checkpoint import (
    AsyncCheckpointRunner,
    Checkpoint,
    CheckpointPool,
    CheckpointResult,
    run_checkpoints_parallel,
)
from truthound.checkpoint.actions import WebhookAction
from truthound.checkpoint.async_base import AsyncBaseAction
from truthound.checkpoint.triggers import CronTrigger, EventTrigger, ScheduleTrigger

HERE = Path(__file__).resolve().parent
FRAME = pl.DataFrame({"id": range(100), "fare": [n * 0.5 for n in range(100)]})
MANY = 5_000
ROUNDS = 5
SCHEDULES = 10_000
IDLE = 5.0  # seconds that nothing is due
WAITING = 1_000
EVENTS = 200
REQUESTS = 1_000
AT_ONCE = 100
TAKES = 0.05  # seconds of an answer
STREAMED = 100_000


def made(number: int, **options: Any) -> list[Checkpoint]:
    return [
        Checkpoint(f"c{n}", data_source=FRAME, validators=["null"], **options)
        for n in range(number)
    ]


class Nothing(Checkpoint):
    """A checkpoint whose run does nothing: what is left is the runner."""

    async def run_async(
        self, context: Mapping[str, Any] | None = None
    ) -> CheckpointResult:
        return CheckpointResult("id", self.name, datetime.now(UTC), "success")


def timed(work: Any) -> float:
    gc.collect()
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def small_runs(peers: Path | None) -> None:
    print(
        f"{MANY:,} checkpoints on 100 rows, 10 at once; ratio to a bare loop of run()"
    )

    def bare(checkpoints: list[Checkpoint]) -> None:
        results = [checkpoint.run() for checkpoint in checkpoints]
        assert all(result.success for result in results)

    def pool(checkpoints: list[Checkpoint]) -> None:
        async def main() -> None:
            async with CheckpointPool(workers=10) as pool:
                results = await pool.submit_many(checkpoints)
            assert all(result.success for result in results)

        asyncio.run(main())

    def parallel(checkpoints: list[Checkpoint]) -> None:
        results = asyncio.run(run_checkpoints_parallel(checkpoints, max_concurrent=10))
        assert all(result.success for result in results)

    ways = {"bare": bare, "CheckpointPool": pool, "run_checkpoints_parallel": parallel}
    pool(made(50))
    for kind in ("new ones", "that have run before"):
        spent: dict[str, list[float]] = {name: [] for name in ways}
        kept = made(MANY)
        bare(kept)
        for _ in range(ROUNDS):
            for name, way in ways.items():
                checkpoints = made(MANY) if kind == "new ones" else kept
                spent[name].append(timed(lambda w=way, c=checkpoints: w(c)))
        median = {name: statistics.median(times) for name, times in spent.items()}
        for name in list(ways)[1:]:
            line(f"{name}, {kind}", median[name] / median["bare"], 2.0)
            if peers is not None and kind == "new ones":
                original = theirs(peers)["pool" if "Pool" in name else "parallel"]
                rate = MANY / median[name]
                told = f"  {name}: {rate:,.0f} a second, original {original:,.0f}: "
                missed = "" if rate >= 12 * original else "  MISSED"
                print(f"{told}{rate / original:.1f} times  aim at least 12{missed}")


THEIRS: dict[str, float] = {}


def theirs(envs: Path) -> dict[str, float]:
    """Return the rates of the original project, measured once."""
    if not THEIRS:
        sys.path.insert(0, str(HERE / "peers"))
        from _environments import clean_variables, interpreter

        python = interpreter("truthound3", envs)
        script = HERE / "peers" / "adapter_truthound3_checkpoints.py"
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [str(python), str(script), "500"],
                cwd=folder,
                env=clean_variables(),
                capture_output=True,
                text=True,
                check=True,
            )
        THEIRS.update(json.loads(done.stdout.splitlines()[-1]))
    return THEIRS


async def idle_schedules() -> None:
    print(f"{SCHEDULES:,} schedules, nothing due for {IDLE:g} s")
    runner = AsyncCheckpointRunner(trigger_poll_interval=0.05)
    for number in range(SCHEDULES):
        trigger: Any = (
            CronTrigger(expression="0 0 1 1 *")
            if number % 2
            else ScheduleTrigger(interval_hours=1, start_time="2099-01-01T00:00")
        )
        runner.add_checkpoint(
            Nothing(
                f"c{number}",
                data_source=FRAME,
                validators=["null"],
                triggers=[trigger],
            )
        )
    begun = time.perf_counter()
    await runner.start_async()
    started = time.perf_counter() - begun
    gc.collect()
    cpu = time.process_time()
    await asyncio.sleep(IDLE)
    share = (time.process_time() - cpu) / IDLE
    lags: list[float] = []
    loop = asyncio.get_running_loop()
    end = loop.time() + IDLE
    while loop.time() < end:
        before = loop.time()
        await asyncio.sleep(0.01)
        lags.append(loop.time() - before - 0.01)
    begun = time.perf_counter()
    threads = threading.active_count()
    await runner.stop_async()
    stopped = time.perf_counter() - begun
    line("share of a core, %", share * 100, 1.0)
    line("threads", threads, 16)
    line("lag of the loop, p99, ms", statistics.quantiles(lags, n=100)[98] * 1000, 20)
    line("start and stop together, s", started + stopped, 1.0)


async def events_among_waiting() -> None:
    print(f"an event to the start of its run, while {WAITING:,} others wait")
    starts: list[float] = []

    class Urgent(Nothing):
        async def run_async(self, context: Any = None) -> CheckpointResult:
            starts.append(time.perf_counter())
            return await super().run_async(context)

    class Slow(Nothing):
        async def run_async(self, context: Any = None) -> CheckpointResult:
            await asyncio.sleep(0.0005)
            return await super().run_async(context)

    event = EventTrigger(debounce_seconds=0)
    urgent = Urgent("urgent", data_source=FRAME, validators=["null"],
                    triggers=[event], priority="critical")  # fmt: skip
    runner = AsyncCheckpointRunner(trigger_poll_interval=60, result_queue_size=None)
    runner.add_checkpoint(urgent)
    slow = Slow("slow", data_source=FRAME, validators=["null"])
    async with runner:
        others = [
            asyncio.create_task(_again_and_again(runner, slow))
            for _ in range(WAITING + 10)
        ]
        await asyncio.sleep(0.2)
        took = []
        for _ in range(EVENTS):
            fired = time.perf_counter()
            event.fire_event()
            while len(starts) == len(took):  # noqa: ASYNC110 - what is measured
                await asyncio.sleep(0)
            took.append(starts[-1] - fired)
            await asyncio.sleep(0.003)
        waits = runner.get_stats()["waiting_runs"]
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
    assert waits >= WAITING * 0.9, waits
    line("p99, ms", statistics.quantiles(took, n=100)[98] * 1000, 5.0)
    line("median, ms", statistics.median(took) * 1000)


async def _again_and_again(runner: AsyncCheckpointRunner, slow: Checkpoint) -> None:
    while True:
        await runner.run_once_async(slow)


@contextmanager
def answering() -> Any:
    process = subprocess.Popen(
        [sys.executable, str(HERE / "_http_server.py"), str(TAKES)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/"
        assert process.stdin is not None
        process.stdin.close()


def network_actions() -> None:
    print(
        f"{REQUESTS:,} checkpoints with a webhook of {TAKES * 1000:g} ms, "
        f"{AT_ONCE} at once"
    )
    ideal = REQUESTS / AT_ONCE * TAKES
    with answering() as url:
        kinds = {
            "an action on a socket": lambda: Ask(
                port=int(url.rstrip("/").rpartition(":")[2])
            ),
            "WebhookAction": lambda: WebhookAction(url=url, include_full_result=False),
        }
        spent: dict[str, list[float]] = {kind: [] for kind in [*kinds, "bare aiohttp"]}
        for _ in range(ROUNDS):
            for kind, make in kinds.items():
                spent[kind].append(asyncio.run(_acting(make)))
            spent["bare aiohttp"].append(asyncio.run(_bare(url)))
    for kind, times in spent.items():
        aim = 1.15 if kind == "an action on a socket" else None
        line(f"{kind} / ideal", statistics.median(times) / ideal, aim)


async def _acting(make: Any) -> float:
    checkpoints = [
        Checkpoint(f"c{n}", data_source=FRAME, validators=["null"], actions=[make()])
        for n in range(REQUESTS)
    ]
    async with CheckpointPool(workers=AT_ONCE) as pool:
        await pool.submit_many(checkpoints)  # connect, plan
        gc.collect()
        begun = time.perf_counter()
        results = await pool.submit_many(checkpoints)
        spent = time.perf_counter() - begun
        for _, writer in Ask.open:
            writer.close()
        Ask.open.clear()
    assert all(r.action_results[0].success for r in results)
    return spent


class Ask(AsyncBaseAction):
    """Sends a request on a socket of its own and reads the answer."""

    action_type = "ask"
    open: ClassVar[list[Any]] = []

    async def _execute_async(self, checkpoint_result: Any) -> Any:
        if self.open:
            reader, writer = self.open.pop()
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(1024)
        self.open.append((reader, writer))
        return self.result("success")


async def _bare(url: str) -> float:
    """The same requests without any checkpoint, by 100 workers."""
    import aiohttp

    left = iter(range(REQUESTS + AT_ONCE))
    connector = aiohttp.TCPConnector(limit=AT_ONCE)

    async def work(session: aiohttp.ClientSession) -> None:
        for _ in left:
            async with session.post(url, json={"checkpoint": "c"}) as answer:
                await answer.read()

    async with aiohttp.ClientSession(connector=connector) as session:
        gc.collect()
        begun = time.perf_counter()
        await asyncio.gather(*(work(session) for _ in range(AT_ONCE)))
        return (time.perf_counter() - begun) * REQUESTS / (REQUESTS + AT_ONCE)


async def streamed() -> None:
    print(f"{STREAMED:,} runs read by a consumer")
    trigger = EventTrigger(debounce_seconds=0)
    one = Nothing("one", data_source=FRAME, validators=["null"], triggers=[trigger])
    runner = AsyncCheckpointRunner(result_queue_size=100)
    runner.add_checkpoint(one)
    sizes = []
    async with runner:
        task = asyncio.create_task(_fire(runner, STREAMED))
        number = 0
        async for _ in runner.iter_results_async():
            number += 1
            if number in (STREAMED // 10, STREAMED):
                gc.collect()
                sizes.append(memory())
            if number == STREAMED:
                break
        await task
    line("memory at 100,000 against 10,000", sizes[1] / sizes[0], 1.05)


async def _fire(runner: AsyncCheckpointRunner, number: int) -> None:
    for _ in range(number):
        while runner.get_stats()["pending_tasks"] > 50:  # noqa: ASYNC110 - brief
            await asyncio.sleep(0)
        runner.run_now("one")


def memory() -> int:
    status = Path("/proc/self/status")
    if not status.exists():
        return 1
    text = status.read_text()
    return next(
        int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS")
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--envs", type=Path, default=HERE / "peers" / ".envs")
    arguments = parser.parse_args()
    os.environ.pop("TRUTHOUND_STORE", None)
    small_runs(arguments.envs if arguments.peers else None)
    asyncio.run(idle_schedules())
    asyncio.run(events_among_waiting())
    network_actions()
    asyncio.run(streamed())
