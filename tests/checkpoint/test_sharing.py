"""Runners and processes that share a store and its due times: each time runs once."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from probes import Probe, checkpoint
from processes import eventually, until
from services import postgres_schema
from store_records import rows
from truthound._clock import Clock
from truthound.checkpoint import AsyncCheckpointRunner
from truthound.checkpoint.triggers import CronTrigger, ScheduleTrigger
from truthound.store import Store

INTERVAL = 0.3  # seconds
PROGRAM = """
import asyncio, sys
from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint
from truthound.checkpoint.triggers import ScheduleTrigger
from truthound.store import Store

async def main(place, interval):
    often = ScheduleTrigger(interval_seconds=float(interval), max_concurrent=5)
    rides = {"data_source": {"id": [1]}, "validators": ["null"], "triggers": [often]}
    runner = AsyncCheckpointRunner(store=Store(place, lease=0.6))
    runner.add_checkpoint(Checkpoint("rides", **rides))
    async with runner:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture(params=["file", "postgres"])
def place(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return where several can open the same store."""
    if request.param == "file":
        yield "s.db"
    else:
        with postgres_schema() as url:
            yield url


def sharing(place: str, **options: Any) -> AsyncCheckpointRunner:
    """Return a runner with the checkpoints and times that all of them have."""
    runner = AsyncCheckpointRunner(store=Store(place), **options)
    often = ScheduleTrigger(interval_seconds=INTERVAL, max_concurrent=5)
    each = CronTrigger(expression="* * * * * *", max_concurrent=5)
    runner.add_checkpoint(checkpoint("often", triggers=[often]))
    runner.add_checkpoint(checkpoint("each second", triggers=[each]))
    return runner


async def slots(place: str, name: str) -> list[str]:
    """Return the due times that have had a run, as the store names them."""
    async with Store(place) as store:
        query = f"SELECT slot FROM runs WHERE checkpoint = '{name}'"
        found = await asyncio.to_thread(rows, store, query)
    return [slot for (slot,) in found]


def steps(found: list[str]) -> list[float]:
    """Return how many intervals lie between one due time and the next."""
    last = [slot.rpartition("|")[2] for slot in found]
    if "T" in last[0]:
        numbers = sorted(datetime.fromisoformat(text).timestamp() for text in last)
    else:
        numbers = sorted(float(text.split()[-1]) for text in last)
    return [after - before for before, after in pairwise(numbers)]


def check_once(found: list[str], seconds: float, interval: float) -> None:
    """Each time had one run, and none was left out but where the machine stalled."""
    assert None not in found
    gaps = steps(found)
    assert min(gaps) == 1, "a due time has run twice"
    assert sum(gap - 1 for gap in gaps) <= 1
    assert len(found) <= seconds / interval + 2
    assert len(found) >= seconds / interval - 2


@pytest.mark.realtime
@pytest.mark.parametrize("number", [1, 2])
async def test_each_due_time_runs_once_however_many_runners(
    place: str, number: int
) -> None:
    clock, seconds = Clock(), 2.4
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(number):
            await stack.enter_async_context(sharing(place))
            await asyncio.sleep(0.07)  # they count from different beginnings
        began = clock.monotonic()
        await asyncio.sleep(seconds)
        seconds = clock.monotonic() - began
    check_once(await slots(place, "often"), seconds, INTERVAL)
    check_once(await slots(place, "each second"), seconds, 1)


@pytest.mark.realtime
async def test_each_runner_hears_of_its_own_runs_only(place: str) -> None:
    told: tuple[list[Any], list[Any]] = [], []
    async with (
        sharing(place, result_callback=told[0].append) as one,
        sharing(place, result_callback=told[1].append) as other,
    ):
        await until(lambda: len(told[0]) + len(told[1]) >= 5)
    ids = [result.run_id for result in (*told[0], *told[1])]
    found = await slots(place, "often") + await slots(place, "each second")
    assert len(set(ids)) == len(ids) == len(found)
    stats = [runner.get_stats() for runner in (one, other)]
    assert sum(each["accepted_runs"] for each in stats) == len(ids)
    assert sum(each["delivered_results"] for each in stats) == len(ids)


class Later(Clock):
    """A clock that goes on from some moment."""

    def __init__(self, at: datetime) -> None:
        object.__setattr__(self, "at", at - timedelta(seconds=Clock().monotonic()))

    def now(self) -> datetime:
        return self.at + timedelta(seconds=self.monotonic())  # type: ignore[attr-defined, no-any-return]


@pytest.mark.realtime
async def test_a_time_missed_by_all_is_made_up_for_by_one(place: str) -> None:
    begin = datetime(2026, 3, 10, 9, 30, tzinfo=UTC)

    def runner(hours: int) -> AsyncCheckpointRunner:
        made = AsyncCheckpointRunner(
            store=Store(place), clock=Later(begin + timedelta(hours=hours))
        )
        hourly = CronTrigger(expression="0 * * * *", catch_up=True)
        made.add_checkpoint(Probe("hourly", triggers=[hourly]))
        return made

    async with runner(0), runner(0):
        await asyncio.sleep(0.2)
    assert await slots(place, "hourly") == []
    for hours in (3, 3, 5):
        async with runner(hours), runner(hours):
            await asyncio.sleep(0.2)
    made_up = [slot.rpartition("|")[2] for slot in await slots(place, "hourly")]
    assert made_up == ["2026-03-10T12:00:00+00:00", "2026-03-10T14:00:00+00:00"]


# ---------------------------------------------------------------------- real processes


@contextlib.contextmanager
def process(place: str, interval: float) -> Iterator[subprocess.Popen[str]]:
    """Run the program until it is asked to end, or killed."""
    command = [sys.executable, "-c", PROGRAM, place, str(interval)]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as running:
        try:
            assert running.stdout is not None
            assert running.stdout.readline() == "ready\n"
            yield running
            if running.poll() is None:
                running.stdin.close()  # type: ignore[union-attr]
                assert running.wait(20) == 0
        finally:
            running.kill()


def slots_now(place: str) -> list[str]:
    with Store(place) as store:
        return [slot for (slot,) in rows(store, "SELECT slot FROM runs")]


@pytest.mark.realtime
def test_each_due_time_runs_once_while_a_process_is_killed_and_comes_back(
    place: str,
) -> None:
    with process(place, INTERVAL):
        for _ in range(2):
            with process(place, INTERVAL) as killed:
                seen = len(slots_now(place))
                assert eventually(lambda n=seen: len(slots_now(place)) > n + 2)
                killed.kill()
                killed.wait()
        seen = len(slots_now(place))
        assert eventually(lambda: len(slots_now(place)) > seen + 2)
    gaps = steps(slots_now(place))
    assert min(gaps) == 1
    # One that was lost with its process had begun, so that nothing is left out.
    assert sum(gap - 1 for gap in gaps) <= 2


@pytest.mark.realtime
def test_what_a_killed_process_has_run_is_not_run_again_while_another_shares_it(
    place: str,
) -> None:
    days = 1e8  # seconds: of these no second interval begins while this runs

    with process(place, days) as first:
        assert eventually(lambda: len(slots_now(place)) == 1)
        with process(place, days):
            first.kill()
            first.wait()
            with process(place, days):
                assert eventually(lambda: len(slots_now(place)) > 1, 1) is False
    assert len(slots_now(place)) == 1
    with process(place, days):  # nobody shares it: it begins anew
        assert eventually(lambda: len(slots_now(place)) == 2)
