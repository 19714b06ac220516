"""Runner, pool and checkpoint with a store: what is written, and what is owed."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from probes import WHOLE, Act, Probe, checkpoint
from processes import until
from scripted_server import reply, serving
from store_records import GOOD, notice, owed, rows, run, states
from truthound.checkpoint import (
    AsyncCheckpointRunner,
    CheckpointPool,
    CheckpointResult,
)
from truthound.checkpoint.actions import WebhookAction
from truthound.checkpoint.outbox import deliver_due
from truthound.errors import ConfigurationError, StoreError
from truthound.store import MemoryJournal, MemoryStore, Store


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


async def test_without_a_store_in_any_case_the_environment_is_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRUTHOUND_STORE", "s.db")
    made = checkpoint("c", WHOLE)
    async with CheckpointPool(1, store=False) as pool:
        await pool.submit(made)
    await AsyncCheckpointRunner(store=False).run_once_async(made)
    made.store = False
    await made.run_async()
    assert os.listdir() == []  # noqa: PTH208 - names, not paths
    made.store = None
    await made.run_async()
    async with Store("s.db") as store:
        assert len(await looked(states, store)) == 1


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


async def test_what_is_taken_while_the_sender_is_cancelled_is_owed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = checkpoint("rides", WHOLE, actions=[Act("hook")])
    async with MemoryStore() as store:
        await store.accept([run(owner="gone")])
        await store.found("r", 1, "gone", GOOD, [notice(owner="gone")])
        await store.recover("me")
        claim = store.claim

        async def cancelled_meanwhile(*args: Any, **options: Any) -> Any:
            sending.cancel()
            return await claim(*args, **options)

        monkeypatch.setattr(store, "claim", cancelled_meanwhile)
        sending = asyncio.ensure_future(deliver_due(store, [made]))
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert await looked(owed, store) == {("r", 0): "owed"}


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
