"""A process is killed, or held for dead: who takes over what it left, and when."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from probes import WHOLE, Act, checkpoint
from processes import until
from services import postgres_schema
from store_records import owed, rows, states
from truthound._clock import Clock
from truthound.checkpoint import AsyncCheckpointRunner, CheckpointPool, CheckpointResult
from truthound.store import Store

LEASE = 0.6  # seconds; a beat is a third of it
LIMITS: dict[str, Any] = {"max_concurrent_runs": 1, "resources": {"warehouse": 1}}
# Its first run holds the one slot and the one resource in an action that never comes
# back; the second waits for both.
HOLDER = """
import asyncio, sys
from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint
from truthound.checkpoint.actions import CustomAction
from truthound.store import Store

async def page(result):
    print(result.run_id, flush=True)
    await asyncio.sleep(600)

async def main(place):
    held = {"max_concurrent_runs": 1, "resources": {"warehouse": 1}}
    page_us = CustomAction(callback=page, name="page")
    rides = {"data_source": {"id": [1]}, "validators": ["null"], "actions": [page_us]}
    runner = AsyncCheckpointRunner(store=Store(place, lease=0.6))
    runner.add_checkpoint(Checkpoint("rides", **rides, **held))
    async with runner:
        await runner.run_now_async("rides")
        waiting = await runner.run_now_async("rides")
        print(waiting, flush=True)
        await asyncio.sleep(600)

asyncio.run(main(sys.argv[1]))
"""


async def looked(call: Any, *args: Any) -> Any:
    return await asyncio.to_thread(call, *args)


@contextlib.asynccontextmanager
async def holder(place: str) -> AsyncIterator[tuple[Any, set[str]]]:
    """Run the program until it holds what it is to hold; yield the ids of its runs."""
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, place, stdout=asyncio.subprocess.PIPE
    )
    assert running.stdout is not None
    try:
        ids = {(await running.stdout.readline()).decode().strip() for _ in range(2)}
        yield running, ids
    finally:
        with contextlib.suppress(ProcessLookupError):
            running.kill()
        await running.wait()


async def killed(running: Any) -> None:
    running.send_signal(signal.SIGKILL)
    await running.wait()


def successor(
    place: str, told: list[CheckpointResult]
) -> tuple[AsyncCheckpointRunner, Act]:
    """Return a runner of the same checkpoint whose action comes to an end."""
    act = Act("page")
    runner = AsyncCheckpointRunner(
        result_callback=told.append, store=Store(place, lease=LEASE), recovery="rerun"
    )
    runner.add_checkpoint(checkpoint("rides", actions=[act], **LIMITS))
    return runner, act


async def settled(store: Store, ids: set[str], told: list[CheckpointResult]) -> None:
    """Wait until all is taken over; each run has one end, each notice a try more."""
    await until(lambda: {result.run_id for result in told} >= ids)
    for _ in range(500):
        notices = await looked(owed, store)
        if len(notices) >= 2 and set(notices.values()) == {"delivered"}:
            break
        await asyncio.sleep(0.01)
    assert notices == {(run_id, 0): "delivered" for run_id in ids}
    assert await looked(states, store) == dict.fromkeys(ids, "finished")
    assert sorted(result.run_id for result in told) == sorted(ids)
    assert {str(result.status) for result in told} == {"success"}
    tries = await looked(rows, store, "SELECT attempts FROM notices ORDER BY id")
    assert tries == [(2,), (1,)]


async def test_a_living_process_takes_over_within_a_beat() -> None:
    """g06: what was killed held the only slot, a resource and a notice half sent."""
    told: list[CheckpointResult] = []
    clock = Clock()
    runner, act = successor("s.db", told)
    async with runner, holder("s.db") as (running, ids), Store("s.db") as store:
        held = await looked(owed, store)
        assert list(held.values()) == ["sending"]
        await asyncio.sleep(LEASE)  # it lives: nothing is taken over
        assert set((await looked(states, store)).values()) == {"running", "accepted"}
        assert told == []
        await killed(running)
        began = clock.now()
        await until(lambda: told)
        (ended,) = await looked(
            rows, store, "SELECT min(ended_at) FROM runs WHERE state = 'finished'"
        )
        # A beat is 0.2 s; the rest is for a machine that stalls.
        assert ended[0] / 1e6 - began.timestamp() < LEASE / 3 + 1
        await settled(store, ids, told)
        # It is not in the way of others: the slot and the resource went with it.
        result = await runner.run_once_async("rides")
        assert str(result.status) == "success"
    assert len(act.watched.ended) == 3


async def test_another_machine_is_waited_for_as_long_as_its_lease_lasts() -> None:
    told: list[CheckpointResult] = []
    with postgres_schema() as url:
        runner, _ = successor(url, told)
        async with runner, holder(url) as (running, ids), Store(url) as store:
            owner = await elsewhere(store, ids)
            await asyncio.sleep(3 * LEASE)  # it renews it
            assert set((await looked(states, store)).values()) == {
                "running",
                "accepted",
            }
            await killed(running)
            query = f"SELECT lease_until FROM owners WHERE owner = '{owner}'"
            ((until_then,),) = await looked(rows, store, query)
            await settled(store, ids, told)
            first = "SELECT ended_at FROM runs WHERE attempt = 1 ORDER BY seq LIMIT 1"
            ((ended,),) = await looked(rows, store, first)
            assert ended > until_then
            assert ended - until_then < (LEASE / 3 + 5) * 1e6


async def elsewhere(store: Store, ids: set[str]) -> str:
    """Say that whoever runs these is on another machine, where nobody can look."""
    query = f"SELECT DISTINCT owner FROM runs WHERE run_id IN {tuple(ids)}"
    ((owner,),) = await looked(rows, store, query)
    move = f"UPDATE owners SET host = 'elsewhere' WHERE owner = '{owner}'"
    await store._call(lambda connection: connection.execute(text(move)))
    return str(owner)


@pytest.mark.parametrize("kind", ["file", "postgres"])
async def test_who_was_held_for_dead_has_a_result_and_changes_nothing(
    kind: str,
) -> None:
    """A machine that slept: its run was taken over, and it wakes in the middle."""
    told: list[CheckpointResult] = []
    awake = asyncio.Event()

    async def data() -> Any:
        await awake.wait()
        return WHOLE

    with contextlib.ExitStack() as stack:
        place = "s.db" if kind == "file" else stack.enter_context(postgres_schema())
        runner, act = successor(place, told)
        act_too = Act("page")
        sleeper = Store(place, lease=LEASE)
        async with runner, sleeper, CheckpointPool(1, store=sleeper) as pool:
            made = checkpoint("rides", data, actions=[act_too], **LIMITS)
            asked = asyncio.ensure_future(pool.submit(made))
            await until(lambda: [run["state"] for run in pool.active_runs()])
            await until(lambda: pool.active_runs()[0]["state"] == "running")
            (run_id,) = await looked(states, sleeper)
            sleeper._living.clear()  # it gives no sign any more
            await elsewhere(sleeper, {run_id, "none"})
            await until(lambda: told)
            awake.set()
            result = await asked
            found = await looked(
                rows, sleeper, "SELECT state, attempt, status FROM runs"
            )
            notices = await looked(owed, sleeper)
            documents = await looked(rows, sleeper, "SELECT count(*) FROM results")
    assert (result.run_id, str(result.status)) == (run_id, "error")
    assert "taken over" in (result.error or "")
    assert act_too.watched.begun == []
    assert act.watched.ended == ["page"]
    assert [(one.run_id, str(one.status)) for one in told] == [(run_id, "success")]
    assert found == [("finished", 2, "success")]
    assert notices == {(run_id, 0): "delivered"}
    assert documents == [(1,)]
