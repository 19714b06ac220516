"""Runs that a process has left in a store, and a cancellation at every turn."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from probes import WHOLE, Act, Probe, checkpoint
from processes import until
from services import postgres_schema
from store_records import NOW, notice, owed, rows, run, states
from truthound.checkpoint import (
    AsyncCheckpointRunner,
    CheckpointPool,
    CheckpointResult,
    CheckpointStatus,
)
from truthound.checkpoint.triggers import ScheduleTrigger
from truthound.store import MemoryStore, Outcome, Store


async def looked(call: Any, *args: Any) -> Any:
    return await asyncio.to_thread(call, *args)


# ------------------------------------------------------------------------- recovery


async def left(store: Store) -> None:
    """Write down what a process leaves that is killed."""
    await store.accept([run("begun", "gone", context={"n": 1})])
    store.begin("begun", 1, "gone", NOW)
    await store.accept([run("found", "gone")])
    whole = CheckpointResult("found", "rides", NOW, CheckpointStatus.SUCCESS).to_dict()
    good = Outcome(status="success", document=lambda: whole)
    await store.found("found", 1, "gone", good, [notice("found", owner="gone")])
    await store.accept([run("tired", "gone", attempt=3)])
    await store.begun("tired", 3, "gone", NOW)


@pytest.mark.parametrize("recovery", ["interrupted", "rerun"])
async def test_what_a_dead_process_left_is_told_once(recovery: str) -> None:
    told: list[CheckpointResult] = []
    act = Act("a0")
    made = Probe("rides", actions=[act])
    async with MemoryStore() as store:
        await left(store)
        for _ in range(2):
            runner = AsyncCheckpointRunner(
                result_callback=told.append, store=store, recovery=recovery
            )
            runner.add_checkpoint(made)
            async with runner:
                await until(lambda: len(told) >= 3)
                await until(lambda: act.watched.ended)
                read = await runner.get_results_async(0.1)
        ends = await looked(states, store)
        notices = await looked(owed, store)
    assert len(told) == 3
    assert read == []  # the second start has nothing to tell
    is_again = recovery == "rerun"
    assert ends == {
        "begun": "finished" if is_again else "interrupted",
        "found": "finished",
        "tired": "failed" if is_again else "interrupted",
    }
    assert notices["found", 0] == "delivered"
    assert made.watched.begun == (["rides"] if is_again else [])


async def test_a_damaged_result_is_told_as_what_is_known() -> None:
    from sqlalchemy import text

    told: list[CheckpointResult] = []
    async with MemoryStore() as store:
        await left(store)
        await store._call(
            lambda c: c.execute(text("UPDATE results SET document = '{'"))
        )
        runner = AsyncCheckpointRunner(result_callback=told.append, store=store)
        async with runner:
            await until(lambda: len(told) == 3)


@pytest.mark.parametrize("kind", ["file", "postgres"])
async def test_a_due_time_is_run_by_one_of_two_runners(kind: str) -> None:
    with contextlib.ExitStack() as stack:
        place = "s.db" if kind == "file" else stack.enter_context(postgres_schema())
        made = [Probe("rides"), Probe("rides")]
        runners = []
        for one in made:
            one.add_trigger(ScheduleTrigger(interval_seconds=0.2, run_immediately=True))
            runners.append(AsyncCheckpointRunner(store=Store(place)))
            runners[-1].add_checkpoint(one)
        async with runners[0], runners[1]:
            await until(lambda: sum(len(m.watched.begun) for m in made) >= 5)
        async with Store(place) as store:
            slots = await looked(rows, store, "SELECT slot FROM runs")
        ran = sum(len(m.watched.begun) for m in made)
        assert len(slots) == ran
        assert len(set(slots)) == len(slots)


# ------------------------------------------------------------------------- the sweep


@pytest.mark.parametrize("when", range(0, 60, 2))
async def test_cancelled_at_every_turn_each_run_has_one_end(when: int) -> None:
    store = Store("s.db")

    async def scenario() -> None:
        made = [checkpoint(f"c{n}", WHOLE, actions=[Act("a", 0.001)]) for n in range(3)]
        async with CheckpointPool(2, store=store) as pool:
            await pool.submit_many(made)
        made[0].store = store
        await made[0].run_async()

    task = asyncio.ensure_future(scenario())
    for _ in range(when):
        await asyncio.sleep(0.0007 if when % 4 else 0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert store._writer is None  # nobody holds it any more
    async with store:
        await store.recover("me")
        ends = await looked(states, store)
        assert "accepted" not in ends.values()
        assert "running" not in ends.values()
        assert "sending" not in (await looked(owed, store)).values()


async def test_a_run_that_was_taken_over_owes_and_ends_nothing() -> None:
    """g05: on another machine it was held for dead; its caller has a result."""
    act = Act("one")

    class Slow(Act):
        is_owed = False

    async with MemoryStore(lease=0.3) as store:
        taking = asyncio.Event()

        async def data() -> Any:
            await taking.wait()
            return WHOLE

        async with CheckpointPool(1, store=store) as pool:
            made = checkpoint("c", data, actions=[act])
            task = asyncio.ensure_future(pool.submit(made))
            await until(lambda: "running" in [r["state"] for r in pool.active_runs()])
            (run_id,) = await looked(states, store)
            owner = pool._runs._owner
            store._living.pop(owner)
            await store._call(lambda c: _forgotten(c, owner))
            assert [r.run_id for r in (await store.recover("b")).ended] == [run_id]
            taking.set()
            result = await task
        assert "taken over" in (result.error or "")
        assert act.watched.begun == []
        assert await looked(states, store) == {run_id: "interrupted"}
        assert await looked(owed, store) == {}


def _forgotten(connection: Any, owner: str) -> None:
    from truthound.store._recovery import forget

    forget(connection, [owner])
