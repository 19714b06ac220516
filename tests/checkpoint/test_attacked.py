"""What a hostile or careless user did to the runner, each once."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from probes import Act, LoopClock, Probe, Said, checkpoint
from truthound.checkpoint import (
    AsyncCheckpoint,
    AsyncCheckpointRunner,
    CheckpointPool,
    CheckpointResult,
    CheckpointRunner,
    run_checkpoints_parallel,
)
from truthound.checkpoint.actions import CustomAction
from truthound.checkpoint.async_base import (
    AsyncBaseTrigger,
    PipelineStrategy,
    TriggerResult,
)
from truthound.checkpoint.triggers import (
    EventTrigger,
    FileWatchTrigger,
    ScheduleTrigger,
    UpstreamTrigger,
)
from truthound.store import MemoryJournal


def runner_of(*checkpoints: Any, **options: Any) -> AsyncCheckpointRunner:
    options.setdefault("graceful_shutdown_timeout", 2)
    runner = AsyncCheckpointRunner(clock=LoopClock(), **options)
    for one in checkpoints:
        runner.add_checkpoint(one)
    return runner


def every(seconds: float, **options: Any) -> ScheduleTrigger:
    return ScheduleTrigger(interval_seconds=seconds, **options)


class Does(AsyncBaseTrigger):
    """A trigger that does what a test says."""

    trigger_type = "does"

    def __init__(self, do: Any) -> None:
        super().__init__()
        self.do = do
        self.asked = 0

    async def should_trigger_async(self) -> TriggerResult:
        self.asked += 1
        return TriggerResult(bool(await self.do()))


async def drained(runner: AsyncCheckpointRunner) -> list[CheckpointResult]:
    return [result async for result in runner.iter_results_async()]


# ------------------------------------------------------------------ shutdown


@pytest.mark.virtual_clock
async def test_trigger_stops_its_runner() -> None:
    async def stop() -> bool:
        await runner.stop_async()
        return False

    runner = runner_of(Probe("p", triggers=[Does(stop)]))
    await runner.start_async()
    await asyncio.sleep(0.2)
    async with asyncio.timeout(30):
        await runner.stop_async(wait=False)
    assert not runner.running


@pytest.mark.virtual_clock
async def test_trigger_catches_its_cancellation() -> None:
    async def stubborn() -> bool:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        return False

    trigger = Does(stubborn)
    runner = runner_of(Probe("p", triggers=[trigger]))
    await runner.start_async()
    await asyncio.sleep(1)
    async with asyncio.timeout(30):
        await runner.stop_async()
    assert trigger.asked == 1


@pytest.mark.virtual_clock
async def test_triggers_that_hang_are_left_behind_together() -> None:
    class Hangs(Said):
        async def _on_stop_async(self) -> None:
            await asyncio.sleep(1000)

    errors: list[Exception] = []
    runner = runner_of(
        *(Probe(f"p{n}", triggers=[Hangs()]) for n in range(20)),
        error_callback=errors.append,
    )
    await runner.start_async()
    await asyncio.sleep(1)
    before = asyncio.get_running_loop().time()
    await runner.stop_async()
    assert asyncio.get_running_loop().time() - before < 15
    assert errors


@pytest.mark.virtual_clock
async def test_hard_stop_during_a_graceful_one_leaves_no_trigger() -> None:
    class Slow(Said):
        async def _on_stop_async(self) -> None:
            await asyncio.sleep(1)

    probes = [Probe(f"p{n}", triggers=[Slow(*[True] * 100)]) for n in range(5)]
    runner = runner_of(*probes, trigger_poll_interval=0.5)
    await runner.start_async()
    await asyncio.sleep(2)
    task = asyncio.create_task(runner.stop_async())
    await asyncio.sleep(0.1)
    await runner.stop_async(wait=False)
    await task
    numbers = [len(probe.watched.begun) for probe in probes]
    await asyncio.sleep(5)
    assert [len(probe.watched.begun) for probe in probes] == numbers
    await drained(runner)
    await runner.start_async()
    await asyncio.sleep(4.9)
    await runner.stop_async()
    again = [len(p.watched.begun) - n for p, n in zip(probes, numbers, strict=True)]
    assert again == [10] * 5  # two a second, as before


@pytest.mark.virtual_clock
async def test_consumer_gets_what_ends_during_the_shutdown() -> None:
    found: list[str] = []

    async def consume() -> None:
        found.extend([r.checkpoint_name async for r in runner.iter_results_async()])

    runner = runner_of(Probe("p", 1.5, triggers=[every(3600)]))
    await runner.start_async()
    task = asyncio.create_task(consume())
    await asyncio.sleep(1)
    await runner.stop_async()
    await task
    assert found == ["p"]


@pytest.mark.virtual_clock
async def test_start_that_is_cancelled_leaves_nothing() -> None:
    runner = runner_of(*(Probe(f"p{n}", triggers=[every(1)]) for n in range(1000)))
    task = asyncio.create_task(runner.start_async())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not runner.running
    assert runner.get_stats()["pending_tasks"] == 0


@pytest.mark.virtual_clock
async def test_message_that_was_taken_becomes_a_result_at_the_end() -> None:
    class Slow(Said):
        async def should_trigger_async(self) -> Any:
            await asyncio.sleep(0.1)  # so that both are asked at once
            return await super().should_trigger_async()

    first, second = Slow(*[1] * 9), Slow(*[1] * 9)
    probe = Probe("p", 100, triggers=[first, second])
    runner = runner_of(probe, trigger_poll_interval=0.1)
    await runner.start_async()
    await asyncio.sleep(1)
    await runner.stop_async()
    results = await drained(runner)
    taken = 18 - len(first.answers) - len(second.answers)
    assert len(results) == taken == 2
    assert all((r.error or "").startswith("interrupted") for r in results)


# --------------------------------------------------- callbacks and journals


@pytest.mark.virtual_clock
@pytest.mark.parametrize("what", ["error_callback", "journal", "begin"])
async def test_result_survives_what_hangs_or_raises_beside_it(what: str) -> None:
    class Odd(MemoryJournal):
        async def end(self, *args: Any) -> bool:
            if what == "journal":
                await asyncio.sleep(1e6)
            return await super().end(*args)

        def begin(self, *args: Any) -> None:
            if what == "begin":
                raise KeyError("x")

    async def on_error(error: Exception) -> None:
        if what == "error_callback":
            await asyncio.sleep(1e6)

    told: list[CheckpointResult] = []
    runner = runner_of(
        Probe("p", triggers=[every(3600)], status=ValueError("bad")),
        result_callback=told.append,
        error_callback=on_error,
        journal=Odd(),
    )
    await runner.start_async()
    await asyncio.sleep(1)
    await runner.stop_async()
    results = await drained(runner)
    assert len(told) == len(results) == 1
    assert results[0].checkpoint_name == "p"


@pytest.mark.virtual_clock
async def test_callback_that_hangs_holds_up_no_cancellation() -> None:
    async def hang(result: CheckpointResult) -> None:
        await asyncio.sleep(1e6)

    async with asyncio.timeout(100):
        pool = CheckpointPool(1, hang)
        await pool.start()
        with pytest.raises(TimeoutError):
            await pool.submit(Probe("p"), timeout=3)
        await pool.stop(wait=False)
        task = asyncio.create_task(
            run_checkpoints_parallel([Probe("p")], on_complete=hang)
        )
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.virtual_clock
async def test_callback_that_hangs_is_given_up_after_a_minute() -> None:
    async def hang(result: CheckpointResult) -> None:
        await asyncio.sleep(1e6)

    errors: list[Exception] = []
    async with CheckpointPool(1, hang, errors.append) as pool:
        assert (await pool.submit(Probe("p"))).success
    assert str(errors[0]) == "the callback took longer than 60 s"


@pytest.mark.parametrize(
    ("context", "status", "words"),
    [(5, "success", "context: expected a mapping"), ({}, "green", "'green'")],
)
async def test_nonsense_is_an_error_and_never_a_cancellation(
    context: Any, status: str, words: str
) -> None:
    probe = Probe("p", status=status)
    listens = Probe("q", triggers=[UpstreamTrigger(checkpoint="p")])
    runner = runner_of(probe, listens)
    async with runner:
        try:
            result = await runner.run_once_async("p", context)
        except TypeError as error:
            assert words in str(error)
        else:
            assert result.status == "error"
            assert words in (result.error or "")


async def test_priority_that_does_not_exist() -> None:
    async with asyncio.timeout(5), CheckpointPool(1) as pool:
        with pytest.raises(ValueError, match="priority is"):
            await pool.submit(Probe(), priority=9)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "make",
    [
        lambda: CheckpointPool(5, 7),
        lambda: AsyncCheckpointRunner(result_callback=7),
    ],
)
def test_callbacks_that_cannot_be_called_are_refused(make: Any) -> None:
    with pytest.raises(TypeError, match="result_callback: expected a function"):
        make()


# --------------------------------------------------------------- nested runs


async def test_runs_that_wait_for_several_of_their_own_pool() -> None:
    pool = CheckpointPool(workers=1)

    class Nested(Act):
        async def _execute_async(self, checkpoint_result: Any) -> Any:
            await pool.submit_many([Probe("x"), Probe("y")])
            await asyncio.gather(pool.submit(Probe("a")), pool.submit(Probe("b")))
            await pool.submit(Probe("z", resources={"db": 2}))
            return self.result("success")

    async with asyncio.timeout(5), pool:
        results = await pool.submit_many(
            [checkpoint(f"p{n}", actions=[Nested()]) for n in range(3)]
        )
    assert [r.action_results[0].status for r in results] == ["success"] * 3


async def test_limits_of_another_pool_hold() -> None:
    watched = Probe("inner", 0.01)
    outer, inner = CheckpointPool(5), CheckpointPool(1)

    class Calls(Act):
        async def _execute_async(self, checkpoint_result: Any) -> Any:
            await inner.submit(watched)
            return self.result("success")

    async with outer, inner:
        await outer.submit_many(
            [checkpoint(f"p{n}", actions=[Calls()]) for n in range(5)]
        )
    assert watched.watched.most == 1
    assert len(watched.watched.begun) == 5


# ------------------------------------------------------------------ triggers


@pytest.mark.virtual_clock
async def test_schedule_that_raises_stops_no_other() -> None:
    class Broken(ScheduleTrigger):
        def should_continue(self) -> bool:
            if self.run_count:
                raise KeyError("x")
            return True

    errors: list[Exception] = []
    good = Probe("good", triggers=[every(1)])
    bad = Probe("bad", triggers=[Broken(interval_seconds=1)])
    far = Probe("far", triggers=[ScheduleTrigger(interval_hours=10**300)])
    runner = runner_of(bad, far, good, error_callback=errors.append)
    async with runner:
        await asyncio.sleep(9.5)
    assert len(good.watched.begun) == 10
    assert 1 <= len(errors) <= 3  # said once, not again and again


@pytest.mark.virtual_clock
async def test_stray_cancellation_of_a_trigger_is_reported() -> None:
    async def stray() -> bool:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        return bool(await future)

    errors: list[Exception] = []
    trigger = Does(stray)
    async with runner_of(Probe("p", triggers=[trigger]), error_callback=errors.append):
        await asyncio.sleep(3.5)
    assert trigger.asked == 4
    assert len(errors) == 4


@pytest.mark.virtual_clock
@pytest.mark.parametrize(
    "answer",
    [
        TriggerResult(False, next_run="soon"),  # type: ignore[arg-type]
        TriggerResult(False, context=5),  # type: ignore[arg-type]
    ],
)
async def test_answer_that_makes_no_sense_is_asked_again(answer: Any) -> None:
    class Odd(Said):
        async def should_trigger_async(self) -> Any:
            self.asked += 1
            return answer if self.asked == 1 else TriggerResult(True)

    errors: list[Exception] = []
    probe = Probe("p", triggers=[Odd()])
    async with runner_of(probe, error_callback=errors.append):
        await asyncio.sleep(1.5)
    assert len(errors) == 1
    assert len(probe.watched.begun) == 1


@pytest.mark.virtual_clock
async def test_next_run_that_has_passed_does_not_spin() -> None:
    class Past(Said):
        async def should_trigger_async(self) -> Any:
            self.asked += 1
            return TriggerResult(False, next_run=LoopClock().start)  # type: ignore[attr-defined]

    trigger = Past()
    async with runner_of(Probe("p", triggers=[trigger])):
        await asyncio.sleep(5.5)
    assert trigger.asked == 6


async def test_checkpoint_that_is_removed_and_added_again_goes_on(
    tmp_path: Path,
) -> None:
    event = EventTrigger(debounce_seconds=0)
    said = Said(*[1] * 50)
    watch = FileWatchTrigger(paths=tmp_path, settle_seconds=0.05)
    ones = [
        Probe(n, triggers=[t]) for n, t in (("e", event), ("s", said), ("w", watch))
    ]
    runner = AsyncCheckpointRunner(trigger_poll_interval=0.02)
    for one in ones:
        runner.add_checkpoint(one)
    async with runner:
        await asyncio.sleep(0.1)
        for one in ones:
            runner.remove_checkpoint(one.name)
            runner.add_checkpoint(one)
        before = [len(one.watched.begun) for one in ones]
        await asyncio.sleep(0.5)
        event.fire_event()
        (tmp_path / "a.csv").write_text("x")
        await asyncio.sleep(2.5)
        after = [len(one.watched.begun) for one in ones]
    assert all(new > old for new, old in zip(after, before, strict=True)), after


@pytest.mark.virtual_clock
async def test_trigger_that_is_added_while_it_runs_starts() -> None:
    probe = Probe("p")
    async with runner_of(probe):
        await asyncio.sleep(1)
        probe.add_trigger(every(1))
        await asyncio.sleep(2.5)
    assert len(probe.watched.begun) == 3


def test_trigger_of_two_checkpoints_is_refused() -> None:
    trigger = every(1)
    with pytest.raises(ValueError, match="each checkpoint needs its own"):
        runner_of(Probe("a", triggers=[trigger]), Probe("b", triggers=[trigger]))


@pytest.mark.virtual_clock
async def test_trigger_that_is_resumed_starts_what_has_happened() -> None:
    event = EventTrigger()
    probe = Probe("p", triggers=[event])
    async with runner_of(probe):
        event.pause()
        assert event.fire_event()
        await asyncio.sleep(1)
        assert probe.watched.begun == []
        event.resume()
        await asyncio.sleep(1)
    assert len(probe.watched.begun) == 1


@pytest.mark.virtual_clock
async def test_runs_that_were_called_for_count_as_runs() -> None:
    event = EventTrigger(debounce_seconds=0)
    probe = Probe("p", 5, triggers=[event])
    runner = runner_of(probe)
    async with runner:
        task = asyncio.create_task(runner.run_once_async("p"))
        await asyncio.sleep(1)
        event.fire_event()
        await asyncio.sleep(10)
        await task
    assert probe.watched.most == 1
    assert len(probe.watched.begun) == 2


@pytest.mark.virtual_clock
async def test_unknown_upstream_is_told() -> None:
    errors: list[Exception] = []
    probe = Probe("rides", triggers=[UpstreamTrigger(checkpoint="ridse")])
    async with runner_of(probe, error_callback=errors.append):
        await asyncio.sleep(1)
    assert "'ridse', which there is not, did you mean 'rides'" in str(errors[0])


async def test_file_that_arrives_right_after_the_start_counts(tmp_path: Path) -> None:
    probe = Probe("p", triggers=[FileWatchTrigger(paths=tmp_path, settle_seconds=0.05)])
    runner = AsyncCheckpointRunner().add_checkpoint(probe)
    async with runner:
        (tmp_path / "a.csv").write_text("x")
        async with asyncio.timeout(5):
            async for result in runner.iter_results_async():
                assert result.metadata["file"] == str(tmp_path / "a.csv")
                break


async def test_folder_that_is_made_anew_is_watched_again(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    trigger = FileWatchTrigger(
        paths=folder, settle_seconds=0.05, poll_interval_seconds=0.2
    )
    runner = AsyncCheckpointRunner().add_checkpoint(Probe("p", triggers=[trigger]))
    async with runner:
        await asyncio.sleep(0.3)
        folder.rename(tmp_path / "old")
        folder.mkdir()
        (folder / "a.csv").write_text("x")
        async with asyncio.timeout(10):
            async for result in runner.iter_results_async():
                if result.metadata["file"] == str(folder / "a.csv"):
                    break


# ------------------------------------------------------------------ the rest


async def test_limits_end_with_their_checkpoint() -> None:
    runner = runner_of(Probe("a", max_concurrent_runs=1, resources={"db": 1}))
    runner.remove_checkpoint("a")
    runner.add_checkpoint(Probe("a", max_concurrent_runs=2, resources={"db": 2}))
    assert (await runner.run_once_async("a")).success


async def test_limits_that_change_meanwhile_are_given_back() -> None:
    probe = Probe("a", 0.05, resources={"db": 1})
    async with asyncio.timeout(5), CheckpointPool(3) as pool:
        task = asyncio.create_task(pool.submit_many([probe, probe]))
        await asyncio.sleep(0.01)
        probe.config.resources = {}
        await task
        probe.config.resources = {"db": 1}
        assert (await pool.submit(probe)).success


async def test_timed_out_callback_is_not_called_again() -> None:
    calls: list[int] = []

    def slow(result: CheckpointResult) -> None:
        calls.append(1)
        time.sleep(0.5)

    action = CustomAction(
        callback=slow, timeout_seconds=0.1, retry_count=3, retry_delay_seconds=0
    )
    result = await checkpoint("c", actions=[action]).run_async()
    assert result.action_results[0].error == "Action timed out after 0.1 s"
    assert len(calls) == 1
    await asyncio.sleep(0.5)


async def test_hung_sources_hold_up_no_file(tmp_path: Path) -> None:
    release = threading.Event()
    (tmp_path / "a.csv").write_text("id\n1\n")
    hung = [checkpoint(f"h{n}", release.wait, timeout_seconds=30) for n in range(8)]
    async with CheckpointPool(20) as pool:
        task = asyncio.create_task(pool.submit_many(hung))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(5):
            result = await pool.submit(checkpoint("file", str(tmp_path / "a.csv")))
        assert result.success
        release.set()
        await task


async def test_actions_that_had_ended_are_in_the_result_of_a_cut_run() -> None:
    slow = Act("slow", 60)
    one = checkpoint("c", actions=[Act("quick"), slow, Act("never")])
    pool = CheckpointPool(1)
    await pool.start()
    task = asyncio.create_task(pool.submit(one))
    async with asyncio.timeout(5):
        await slow.has_begun.wait()
    await pool.stop(wait=False)
    ended = {r.action_name: str(r.status) for r in (await task).action_results}
    assert ended == {"quick": "success", "slow": "skipped", "never": "skipped"}


async def test_plan_that_does_not_fit_the_actions_is_an_error_result() -> None:
    wrong = AsyncCheckpoint(
        "c",
        data_source={"id": [1]},
        validators=["null"],
        actions=[Act()],
        execution_strategy=PipelineStrategy([[0], [1]]),
    )
    assert "a plan for 2 actions, there are 1" in wrong.validate()[0]
    result = await wrong.run_async()
    assert result.status == "error"
    assert "a plan for 2 actions" in (result.error or "")
    assert result.validation_run.success


def test_blocking_runner_is_stopped_by_its_callback() -> None:
    stopped: list[Any] = []

    def stop(result: CheckpointResult) -> None:
        stopped.append(runner.stop())

    runner = CheckpointRunner(result_callback=stop)
    runner.add_checkpoint(Probe("p", triggers=[every(0.01)]))
    runner.start()
    begun = time.monotonic()
    while runner.running and time.monotonic() - begun < 5:
        time.sleep(0.01)
    assert stopped[0] is None
    assert not runner.running
    runner.stop()


def test_blocking_runner_without_a_start_serves_two_threads() -> None:
    runner = CheckpointRunner()
    found: list[CheckpointResult] = []

    def run(seconds: float) -> None:
        found.append(runner.run_once(Probe(f"p{seconds}", seconds)))

    threads = [threading.Thread(target=run, args=(s,)) for s in (0.05, 0.3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert [r.success for r in found] == [True, True]


@pytest.mark.virtual_clock
async def test_stop_from_an_action_that_runs_beside_others() -> None:
    class Stops(Act):
        async def _execute_async(self, checkpoint_result: Any) -> Any:
            await runner.stop_async()
            assert await runner.wait_for_completion_async(1)
            return self.result("success")

    class Acting(Probe):
        async def run_async(self, context: Any = None) -> CheckpointResult:
            from truthound.checkpoint.async_base import ConcurrentStrategy

            result = await super().run_async(context)
            result.action_results = await ConcurrentStrategy().execute(
                [Stops(), Act("other")], result
            )
            return result

    runner = runner_of(Acting("p", triggers=[every(3600)]))
    await runner.start_async()
    async with asyncio.timeout(20):
        await runner.wait_stopped_async()
    (result,) = await drained(runner)
    assert [str(r.status) for r in result.action_results] == ["success", "success"]
    assert asyncio.get_running_loop().time() < 1


@pytest.mark.virtual_clock
async def test_restart_from_a_callback() -> None:
    restarted: list[int] = []

    async def restart(result: CheckpointResult) -> None:
        if not restarted:
            restarted.append(1)
            await runner.stop_async()

    probe = Probe("p", triggers=[every(10)])
    runner = runner_of(probe, result_callback=restart)
    await runner.start_async()
    await runner.wait_stopped_async()
    async with runner:
        await asyncio.sleep(15)
    assert len(probe.watched.begun) == 3
