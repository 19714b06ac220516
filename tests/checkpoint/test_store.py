"""Runner, pool and checkpoint with a store: what is written, and what is owed."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Any

import pytest

from probes import WHOLE, Act, Probe, checkpoint
from processes import until
from scripted_server import reply, serving
from services import postgres_schema
from store_records import GOOD, NOW, notice, owed, rows, run, states
from truthound.checkpoint import (
    AsyncCheckpointRunner,
    CheckpointPool,
    CheckpointResult,
    CheckpointStatus,
)
from truthound.checkpoint.actions import WebhookAction
from truthound.checkpoint.outbox import deliver_due
from truthound.checkpoint.triggers import ScheduleTrigger
from truthound.errors import ConfigurationError, StoreError
from truthound.store import MemoryJournal, MemoryStore, Outcome, Store


async def looked(call: Any, *args: Any) -> Any:
    return await asyncio.to_thread(call, *args)


async def run_alone(made: Any) -> CheckpointResult:
    result: CheckpointResult = await made.run_async({"why": "test"})
    return result


async def run_blocking(made: Any) -> CheckpointResult:
    result: CheckpointResult = await looked(made.run, {"why": "test"})
    return result


async def run_in_pool(made: Any) -> CheckpointResult:
    async with CheckpointPool(1, store="s.db") as pool:
        return await pool.submit(made, {"why": "test"})


async def run_in_runner(made: Any) -> CheckpointResult:
    return await AsyncCheckpointRunner(store="s.db").run_once_async(
        made, {"why": "test"}
    )


WAYS = [run_alone, run_blocking, run_in_pool, run_in_runner]
RUN = (
    "SELECT run_id, checkpoint, state, status, trigger, context, began_at > 0 FROM runs"
)


# ------------------------------------------------------------------- what is written


@pytest.mark.parametrize("way", WAYS, ids=lambda w: w.__name__)
async def test_a_run_is_written_once_with_all_that_it_is(way: Any) -> None:
    result = await way(checkpoint("c", WHOLE, actions=[Act("one")], store="s.db"))
    assert result.error is None
    async with Store("s.db") as store:
        found = await looked(rows, store, RUN)
        expected = (result.run_id, "c", "finished", "success", None)
        assert found == [(*expected, '{"why":"test"}', 1)]
        assert await looked(owed, store) == {(result.run_id, 0): "delivered"}
        document = await looked(store.document, result.run_id)
        assert CheckpointResult.from_dict(document).metadata == {"why": "test"}
        assert await looked(rows, store, "SELECT * FROM owners") == []


@pytest.mark.parametrize("way", WAYS[:2], ids=lambda w: w.__name__)
async def test_the_environment_names_the_store(
    way: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUTHOUND_STORE", "env.db")
    await way(checkpoint("c", WHOLE))
    async with CheckpointPool(1) as pool:
        await pool.submit(checkpoint("d", WHOLE))
    async with Store("env.db") as store:
        assert len(await looked(states, store)) == 2


@pytest.mark.parametrize("way", WAYS[:2], ids=lambda w: w.__name__)
async def test_without_a_store_nothing_is_written(way: Any) -> None:
    await way(checkpoint("c", WHOLE, actions=[Act()]))
    async with CheckpointPool(1) as pool:
        await pool.submit(checkpoint("c", WHOLE))
    assert os.listdir() == []  # noqa: PTH208 - names, not paths


async def test_a_checkpoint_with_a_store_in_a_pool_without_one_is_written() -> None:
    async with CheckpointPool(1) as pool:
        result = await pool.submit(checkpoint("c", WHOLE, store="s.db"))
    async with Store("s.db") as store:
        assert await looked(states, store) == {result.run_id: "finished"}


async def test_each_end_has_its_state() -> None:
    store = Store("s.db")
    async with CheckpointPool(2, store=store) as pool:
        await pool.submit(Probe("good"))
        await pool.submit(Probe("warned", status="failure"))
        await pool.submit(Probe("raising", status=OSError("down")))
        with pytest.raises(TimeoutError):
            await pool.submit(Probe("late", 60), timeout=0.05)
        waiting = asyncio.ensure_future(pool.submit(Probe("cut", 60)))
        await asyncio.sleep(0.05)
        await pool.stop(wait=False)
        await waiting
    async with store:
        found = await looked(rows, store, "SELECT checkpoint, state, status FROM runs")
    assert found == [
        ("good", "finished", "success"),
        ("warned", "finished", "failure"),
        ("raising", "failed", "error"),
        ("late", "cancelled", "error"),
        ("cut", "interrupted", "error"),
    ]


async def test_the_result_is_there_before_the_first_action_begins() -> None:
    seen: list[Any] = []

    class Looking(Act):
        async def _execute_async(self, checkpoint_result: Any) -> Any:
            run_id = checkpoint_result.run_id
            seen.append(await looked(store.document, run_id))
            seen.append(await looked(owed, store))
            return await super()._execute_async(checkpoint_result)

    async with MemoryStore() as store:
        made = checkpoint("c", WHOLE, actions=[Looking("one"), Act("two")])
        async with CheckpointPool(1, store=store) as pool:
            result = await pool.submit(made)
    assert seen[0]["run_id"] == result.run_id
    assert seen[1] == {(result.run_id, 0): "sending", (result.run_id, 1): "sending"}


async def test_what_is_not_owed_and_what_does_not_run_has_no_notice() -> None:
    class Local(Act):
        is_owed = False

    class Broken(Act):
        def should_run(self, status: Any) -> bool:
            raise LookupError("odd")

    actions = [Local("a"), Act("b", notify_on="failure"), Broken("c"), Act("d")]
    async with MemoryStore() as store:
        async with CheckpointPool(1, store=store) as pool:
            result = await pool.submit(checkpoint("c", WHOLE, actions=actions))
        found = await looked(owed, store)
    assert sorted(position for _, position in found) == [2, 3]
    assert found[result.run_id, 3] == "delivered"


async def test_a_store_or_a_journal() -> None:
    for kind in (CheckpointPool, AsyncCheckpointRunner):
        with pytest.raises(ConfigurationError, match="not both"):
            kind(store="s.db", journal=MemoryJournal())  # type: ignore[operator]
    with pytest.raises(ConfigurationError, match="rerun"):
        AsyncCheckpointRunner(store="s.db", recovery="rerunn")


async def test_a_store_that_cannot_be_opened_leaves_a_runner_that_can_start() -> None:
    bad = Path("s.db")
    await looked(bad.write_text, "this is no database, but a text" * 99)
    runner = AsyncCheckpointRunner(store="s.db")
    for _ in range(2):
        with pytest.raises(StoreError, match="damaged"):
            await runner.start_async()
        with pytest.raises(StoreError, match="damaged"):
            await runner.run_once_async(Probe())
        assert not runner.running
    await looked(bad.unlink)
    await runner.run_once_async(Probe("a"))
    assert not runner._runs.is_open  # no guest is left
    async with runner:
        await runner.run_once_async(Probe("b"))
    async with Store("s.db") as store:
        assert len(await looked(states, store)) == 2


# ------------------------------------------------------------------- what is owed


async def test_what_fails_is_tried_again_by_the_outbox_with_the_same_key() -> None:
    answers = [reply(500), reply(503, retry_after=0), reply(200)]
    async with serving(lambda request: answers[request.number]) as server:
        hook = WebhookAction(
            url=f"{server.url}/x", retry_count=3, retry_delay_seconds=0.01
        )
        store = Store("s.db")
        async with CheckpointPool(1, store=store) as pool:
            result = await pool.submit(checkpoint("c", WHOLE, actions=[hook]))
            assert len(server.requests) == 1  # the run itself does not repeat
            assert str(result.action_results[0].status) == "error"
            await until(lambda: len(server.requests) == 3)
            for _ in range(500):
                if (await looked(owed, store))[result.run_id, 0] == "delivered":
                    break
                await asyncio.sleep(0.01)
        keys = {r.headers.get("idempotency-key") for r in server.requests}
    assert len(keys) == 1
    assert None not in keys
    async with store:
        found = await looked(rows, store, "SELECT state, attempts FROM notices")
        assert found == [("delivered", 3)]


async def test_without_a_store_the_action_repeats_itself() -> None:
    async with serving(lambda request: reply(500)) as server:
        hook = WebhookAction(url=server.url, retry_count=2, retry_delay_seconds=0.01)
        await checkpoint("c", WHOLE, actions=[hook]).run_async()
        assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("answer", "state", "seconds"),
    [
        (reply(400), "dead", 0),
        (reply(500), "owed", 0),
        (reply(429, retry_after=600), "owed", 590),
    ],
    ids=["final", "again", "later"],
)
async def test_the_answer_says_what_becomes_of_it(
    answer: bytes, state: str, seconds: int
) -> None:
    async with serving(lambda request: answer) as server:
        hook = WebhookAction(url=server.url, retry_delay_seconds=30)
        made = checkpoint("c", WHOLE, actions=[hook], store="s.db")
        result = await made.run_async()
    async with Store("s.db") as store:
        query = "SELECT state, due_at - created_at, error FROM notices"
        ((found, wait, error),) = await looked(rows, store, query)
        assert await deliver_due(store, [made]) == []  # it is not due yet
    assert found == state
    assert wait >= seconds * 1e6
    assert error == result.action_results[0].error


@pytest.mark.parametrize("actions", [[], [Act("other")]], ids=["removed", "renamed"])
async def test_an_action_that_is_not_there_any_more_is_given_up(actions: Any) -> None:
    made = checkpoint("rides", WHOLE, actions=actions)
    async with MemoryStore() as store:
        await store.accept([run(owner="gone")])
        await store.found("r", 1, "gone", GOOD, [notice(owner="gone")])
        await store.recover("me")
        ((_, said),) = await deliver_due(store, [made])
        assert "no such action any more" in (said or "")
        assert await looked(owed, store) == {("r", 0): "dead"}


async def test_a_run_that_is_cut_off_in_its_actions_owes_them() -> None:
    for way in ("alone", "pool"):
        slow = Act("slow", 60)
        made = checkpoint("c", WHOLE, actions=[slow, Act("next")])
        async with MemoryStore() as store:
            if way == "alone":
                made.store = store
                task = asyncio.ensure_future(made.run_async())
                await slow.has_begun.wait()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            else:
                pool = CheckpointPool(1, store=store)
                await pool.start()
                task = asyncio.ensure_future(pool.submit(made))
                await slow.has_begun.wait()
                await pool.stop(wait=False)
                await task
            assert set((await looked(owed, store)).values()) == {"owed"}, way
            ends = set((await looked(states, store)).values())
            assert ends <= {"cancelled", "interrupted"}


async def test_an_error_callback_that_raises_does_not_stop_the_outbox() -> None:
    def raising(error: Exception) -> None:
        raise RuntimeError("no")

    act = Act("one", ends_as=[OSError("a"), OSError("b"), "success"])
    act.config.retry_delay_seconds = 0.01
    store = MemoryStore()
    async with store, CheckpointPool(1, None, raising, store=store) as pool:
        await pool.submit(checkpoint("c", WHOLE, actions=[act]))
        await until(lambda: len(act.watched.begun) == 3)


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
