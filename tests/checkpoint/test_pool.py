"""Runs through a number of workers: CheckpointPool, and several at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import Act, Probe, Watched, checkpoint
from truthound.async_core.runner import TaskPriority
from truthound.checkpoint import (
    CheckpointPool,
    CheckpointResult,
    run_checkpoint_async,
    run_checkpoints_async,
    run_checkpoints_parallel,
)
from truthound.checkpoint.registry import REGISTRY, register_checkpoint
from truthound.errors import NotRunningError
from truthound.store import MemoryJournal, RunState

INTERRUPTED = "interrupted: stopped before it began"


async def test_results_come_in_order_and_no_more_run_than_workers() -> None:
    watched = Watched()
    probes = [Probe(f"p{n}", 0.01, watched=watched) for n in range(7)]
    seen: list[CheckpointResult] = []

    async with CheckpointPool(workers=3, result_callback=seen.append) as pool:
        results = await pool.submit_many(probes, context={"shared": 1})

    assert [r.checkpoint_name for r in results] == [p.name for p in probes]
    assert all(r.metadata == {"shared": 1} for r in results)
    assert watched.most == 3
    assert {id(r) for r in seen} == {id(r) for r in results}


@pytest.mark.virtual_clock
async def test_stop_resolves_every_submit() -> None:
    """h04: five of six hung for ever in the original."""
    journal = MemoryJournal()
    pool = CheckpointPool(workers=1, journal=journal)
    await pool.start()
    probes = [Probe(f"p{n}", 10) for n in range(6)]
    tasks = [asyncio.create_task(pool.submit(probe)) for probe in probes]
    await asyncio.sleep(1)

    await pool.stop()

    results = [task.result() for task in tasks]
    assert [r.error for r in results] == [None, *[INTERRUPTED] * 5]
    assert [p.watched.begun for p in probes] == [["p0"], *[[]] * 5]
    assert [r.state for r in journal.runs()].count(RunState.INTERRUPTED) == 5
    with pytest.raises(NotRunningError):
        await pool.submit(probes[0])


@pytest.mark.virtual_clock
async def test_runs_that_take_too_long_are_cut_off() -> None:
    pool = CheckpointPool(workers=2, graceful_shutdown_timeout=5)
    await pool.start()
    tasks = [asyncio.create_task(pool.submit(Probe(f"p{s}", s))) for s in (3, 60)]
    await asyncio.sleep(1)

    await pool.stop()

    assert [t.result().error for t in tasks] == [None, "interrupted: cut off after 5 s"]
    assert asyncio.get_running_loop().time() == pytest.approx(6)


async def test_what_was_found_is_kept_when_actions_are_cut_off() -> None:
    pool = CheckpointPool(workers=1)
    await pool.start()
    slow = checkpoint("slow", actions=[Act(seconds=60)])
    task = asyncio.create_task(pool.submit(slow))
    async with asyncio.timeout(5):
        await slow.actions[0].has_begun.wait()

    await pool.stop(wait=False)

    result = await task
    assert (result.status, result.error) == ("error", "interrupted: cut off after 0 s")
    assert result.validation_run.success


async def test_run_that_swallows_its_cancellation_is_left_behind(monkeypatch) -> None:
    from truthound.checkpoint._running import runs

    monkeypatch.setattr(runs, "PATIENCE", 0.05)
    release = asyncio.Event()

    class Stubborn(Probe):
        async def run_async(self, context: Any = None) -> CheckpointResult:
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    continue
            return await super().run_async(context)

    seen: list[Any] = []
    pool = CheckpointPool(workers=1, result_callback=seen.append)
    await pool.start()
    task = asyncio.create_task(pool.submit(Stubborn()))
    await asyncio.sleep(0.01)

    await pool.stop(wait=False)

    assert (await task).error == "interrupted: cut off after 0 s"
    release.set()
    await asyncio.sleep(0.01)
    assert len(seen) == 1  # once, however it ends


async def test_leaving_the_block_waits_for_all() -> None:
    seen: list[str] = []
    async with CheckpointPool(2, lambda r: seen.append(r.checkpoint_name)) as pool:
        tasks = [asyncio.create_task(pool.submit(Probe(f"p{n}", 0.01)))
                 for n in range(5)]  # fmt: skip
        await asyncio.sleep(0)
    assert len(seen) == 5
    assert all(task.result().success for task in tasks)


async def test_leaving_the_block_by_an_error_cuts_off() -> None:
    tasks = []
    with pytest.raises(KeyError):
        async with CheckpointPool(1) as pool:
            tasks += [asyncio.create_task(pool.submit(Probe(f"p{n}", 60)))
                      for n in range(3)]  # fmt: skip
            await asyncio.sleep(0.01)
            raise KeyError
    assert [t.result().status for t in tasks] == ["error"] * 3


async def test_cancelled_submit_cancels_its_run_and_no_other() -> None:
    """In the original the worker died with it."""
    watched, seen = Watched(), []
    journal = MemoryJournal()
    async with CheckpointPool(1, seen.append, journal=journal) as pool:
        first = asyncio.create_task(pool.submit(Probe("a", 60, watched=watched)))
        waiting = asyncio.create_task(pool.submit(Probe("b", 0, watched=watched)))
        third = asyncio.create_task(pool.submit(Probe("c", 0, watched=watched)))
        await asyncio.sleep(0.01)
        first.cancel()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (await third).success
    assert watched.begun == ["a", "c"]
    assert {r.checkpoint_name: r.error for r in seen} == {
        "a": "cancelled by its caller",
        "b": "cancelled by its caller",
        "c": None,
    }
    states = {r.checkpoint: r.state for r in journal.runs()}
    assert states == {"a": "cancelled", "b": "cancelled", "c": "finished"}


async def test_cancelled_submit_many_cancels_all() -> None:
    watched = Watched()
    async with CheckpointPool(2) as pool:
        probes = [Probe(f"p{n}", 60, watched=watched) for n in range(5)]
        task = asyncio.create_task(pool.submit_many(probes))
        while len(watched.begun) < 2:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert pool.get_stats()["pending_tasks"] == 0
    assert len(watched.begun) == 2


@pytest.mark.virtual_clock
async def test_submit_with_a_time_limit() -> None:
    async with CheckpointPool(1) as pool:
        task = asyncio.create_task(pool.submit(Probe("long", 30)))
        await asyncio.sleep(1)
        with pytest.raises(TimeoutError, match="late was not done within 5 s, waiting"):
            await pool.submit(Probe("late", 0), timeout=5)
        assert (await task).success


async def test_urgent_runs_go_first_and_equals_in_their_order() -> None:
    watched = Watched()
    probes = [
        Probe(f"{priority.name}{n}", 0.001, watched=watched, priority=priority)
        for n in range(3)
        for priority in (TaskPriority.LOW, TaskPriority.NORMAL, TaskPriority.CRITICAL)
    ]
    async with CheckpointPool(workers=1) as pool:
        await pool.submit_many(probes)
    assert watched.begun == [
        f"{name}{n}" for name in ("CRITICAL", "NORMAL", "LOW") for n in range(3)
    ]


async def test_submit_may_be_more_urgent_than_its_checkpoint() -> None:
    watched = Watched()
    async with CheckpointPool(1) as pool:
        low = [Probe(f"p{n}", watched=watched) for n in range(3)]
        tasks = [asyncio.create_task(pool.submit(probe)) for probe in low]
        urgent = Probe("urgent", watched=watched, priority="background")
        await pool.submit(urgent, priority=TaskPriority.CRITICAL)
        await asyncio.gather(*tasks)
    assert watched.begun[0] == "urgent"


async def test_resource_takes_so_many_at_once_and_lets_others_pass() -> None:
    warehouse, others = Watched(), Watched()
    limited = [
        Probe(f"w{n}", 0.01, watched=warehouse, resources={"warehouse": 2})
        for n in range(6)
    ]
    free = [Probe(f"f{n}", 0.01, watched=others) for n in range(4)]
    async with CheckpointPool(workers=5) as pool:
        await pool.submit_many([*limited, *free])
    assert warehouse.most == 2
    assert others.most == 3  # the slots that the waiting ones do not take
    assert warehouse.begun == [f"w{n}" for n in range(6)]


async def test_limit_of_a_checkpoint_itself() -> None:
    probe = Probe("one", 0.005, max_concurrent_runs=1)
    async with CheckpointPool(workers=5) as pool:
        await pool.submit_many([probe] * 4)
    assert probe.watched.most == 1


async def test_contradicting_limits_are_refused() -> None:
    async with CheckpointPool(workers=5) as pool:
        with pytest.raises(ValueError, match="warehouse may be used by 3 at once"):
            await pool.submit_many(
                [Probe("a", resources={"warehouse": 2}),
                 Probe("b", resources={"warehouse": 3})]
            )  # fmt: skip


@given(
    workers=st.integers(1, 3),
    plan=st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from([(), ("a",), ("b",), ("a", "b")])),
        max_size=12,
    ),
)
def test_limits_hold_and_everybody_gets_a_turn(workers: int, plan: Any) -> None:
    async def main() -> None:
        by_resource = {"a": Watched(), "b": Watched()}
        every = Watched()

        class Counted(Probe):
            async def run_async(self, context: Any = None) -> CheckpointResult:
                for name in self.config.resources:
                    watched = by_resource[name]
                    watched.running += 1
                    watched.most = max(watched.most, watched.running)
                try:
                    return await super().run_async(context)
                finally:
                    for name in self.config.resources:
                        by_resource[name].running -= 1

        probes = [
            Counted(f"p{n}", wait * 0.0005, watched=every,
                    resources=dict.fromkeys(names, 1))
            for n, (wait, names) in enumerate(plan)
        ]  # fmt: skip
        async with asyncio.timeout(10), CheckpointPool(workers=workers) as pool:
            results = await pool.submit_many(probes)
        assert [r.checkpoint_name for r in results] == [p.name for p in probes]
        assert every.most <= workers
        assert max(w.most for w in by_resource.values()) <= 1

    asyncio.run(main())


async def test_a_run_may_wait_for_another_of_its_pool() -> None:
    """With one worker it would wait for itself, if it did not lend its slot."""
    pool = CheckpointPool(workers=1)

    class Follows(Act):
        async def _execute_async(self, checkpoint_result: Any) -> Any:
            inner = await pool.submit(Probe("inner"))
            return self.result("success", inner.checkpoint_name)

    async with asyncio.timeout(5), pool:
        result = await pool.submit(checkpoint("outer", actions=[Follows()]))
    assert result.action_results[0].message == "inner"


async def test_a_callback_may_submit() -> None:
    names: list[str] = []

    async def follow(result: CheckpointResult) -> None:
        names.append(result.checkpoint_name)
        if result.checkpoint_name == "first":
            await pool.submit(Probe("second"))

    pool = CheckpointPool(workers=1, result_callback=follow)
    async with asyncio.timeout(5), pool:
        await pool.submit(Probe("first"))
    assert names == ["first", "second"]


class Callback:
    """An object with a coroutine ``__call__``: the original never awaited it."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def __call__(self, result: Any) -> None:
        await asyncio.sleep(0)
        self.seen.append(result)


async def test_callbacks_of_every_kind_are_called_as_results_come() -> None:
    called = Callback()
    async with CheckpointPool(1, result_callback=called) as pool:
        await pool.submit(Probe("a"))
        assert len(called.seen) == 1
    seen: list[str] = []
    probes = [Probe("slow", 0.05), Probe("quick", 0)]
    await run_checkpoints_parallel(
        probes, on_complete=lambda r: seen.append(r.checkpoint_name)
    )
    assert seen == ["quick", "slow"]


async def test_faults_of_callbacks_are_told_and_stay_alone(caplog) -> None:
    """h08: nobody was told in the original."""
    errors: list[Exception] = []

    def fail(result: CheckpointResult) -> None:
        raise KeyError(result.checkpoint_name)

    async with CheckpointPool(2, fail, errors.append) as pool:
        results = await pool.submit_many([Probe("a"), Probe("b")])
    assert all(result.success for result in results)
    assert sorted(str(e) for e in errors) == ["'a'", "'b'"]
    assert "callback" in caplog.text


async def test_action_that_fails_is_told() -> None:
    errors: list[Exception] = []
    async with CheckpointPool(1, error_callback=errors.append) as pool:
        await pool.submit(checkpoint("c", actions=[Act("mail", ends_as="error")]))
        await pool.submit(
            checkpoint("d", actions=[Act("mail", ends_as=OSError("down"))])
        )
    assert [str(e) for e in errors] == ["d: action mail: OSError: down"]


async def test_checkpoint_that_raises_is_an_error_result() -> None:
    errors: list[Exception] = []
    async with CheckpointPool(1, error_callback=errors.append) as pool:
        results = await pool.submit_many(
            [Probe("a", status=KeyError("x")), Probe("b", status="success"),
             Probe("c", status=asyncio.CancelledError("odd"))]
        )  # fmt: skip
    assert [r.error for r in results] == [
        "KeyError: 'x'",
        None,
        "the checkpoint raised CancelledError(odd)",
    ]
    assert [type(e) for e in errors] == [KeyError]


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "3"])
async def test_wrong_numbers_are_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="workers"):
        CheckpointPool(workers=wrong)
    with pytest.raises(ValueError, match="max_concurrent"):
        await run_checkpoints_parallel([], max_concurrent=wrong)


async def test_what_is_no_checkpoint_is_refused_and_nothing_begins() -> None:
    probe = Probe()
    async with CheckpointPool(1) as pool:
        with pytest.raises(TypeError, match="get_checkpoint"):
            await pool.submit_many([probe, "name"])
        with pytest.raises(TypeError, match="expected a Checkpoint, got int"):
            await pool.submit(3)
    assert probe.watched.begun == []


async def test_pool_can_be_started_again() -> None:
    pool = CheckpointPool(1)
    with pytest.raises(NotRunningError):
        await pool.submit(Probe())
    for _ in range(2):
        await pool.start()
        assert (await pool.submit(Probe())).success
        await pool.stop()
        await pool.stop()


async def test_registered_checkpoints_are_found_by_name() -> None:
    try:
        register_checkpoint(checkpoint("known"))
        result = await run_checkpoint_async("known", context={"a": 1})
        assert (result.success, result.metadata) == (True, {"a": 1})
        (result,) = await run_checkpoints_async(["known"])
        assert result.success
        with pytest.raises(KeyError, match="did you mean 'known'"):
            await run_checkpoint_async("knwon")
        with pytest.raises(ValueError, match="registered already"):
            register_checkpoint(checkpoint("known"))
        register_checkpoint(checkpoint("known"), replace=True)
    finally:
        REGISTRY.clear()


async def test_journal_that_fails_stops_nothing() -> None:
    class Broken(MemoryJournal):
        async def accept(self, records: Any) -> None:
            raise OSError("disk full")

        async def end(self, *_: Any) -> bool:
            raise OSError("disk full")

    errors: list[Exception] = []
    async with CheckpointPool(1, None, errors.append, journal=Broken()) as pool:
        results = await pool.submit_many([Probe("a"), Probe("b")])
    assert all(r.success for r in results)
    assert {str(e) for e in errors} == {"disk full"}


async def test_ids_of_results_are_those_of_the_journal() -> None:
    journal = MemoryJournal()
    async with CheckpointPool(2, journal=journal) as pool:
        results = await pool.submit_many([checkpoint("a"), checkpoint("b")])
    assert {r.run_id for r in results} == {r.run_id for r in journal.runs()}
    record = journal.runs()[0]
    assert record.state == "finished"
    assert record.accepted_at <= record.began_at <= record.ended_at  # type: ignore[operator]
