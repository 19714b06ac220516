"""The runner: triggers, queue, shutdown, and that no fault spreads."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import Any

import pytest

from probes import (
    Act,
    BlockingTrigger,
    LoopClock,
    Probe,
    Said,
    Watched,
    checkpoint,
)
from truthound.checkpoint import (
    AsyncCheckpointRunner,
    AsyncRunnerConfig,
    CheckpointResult,
    CheckpointRunner,
)
from truthound.checkpoint.triggers import (
    CronTrigger,
    EventTrigger,
    ScheduleTrigger,
    UpstreamTrigger,
)
from truthound.errors import NotRunningError, RunnerStoppedError, TriggerError
from truthound.store import MemoryJournal


def runner_of(*checkpoints: Any, **options: Any) -> AsyncCheckpointRunner:
    runner = AsyncCheckpointRunner(clock=LoopClock(), **options)
    for one in checkpoints:
        runner.add_checkpoint(one)
    return runner


def every(seconds: float, **options: Any) -> ScheduleTrigger:
    return ScheduleTrigger(interval_seconds=seconds, **options)


# ------------------------------------------------------------------ schedules


@pytest.mark.virtual_clock
async def test_schedule_counts_from_the_scheduled_time() -> None:
    probe = Probe("p", seconds=4, triggers=[every(10)])
    async with runner_of(probe):
        await asyncio.sleep(31)
    assert probe.watched.times == [0, 10, 20, 30]


@pytest.mark.virtual_clock
async def test_due_trigger_does_not_pile_up_runs() -> None:
    """In the original fifteen runs were pending after 1.5 s."""
    probe = Probe("p", seconds=25, triggers=[every(10)])
    runner = runner_of(probe)
    async with runner:
        await asyncio.sleep(61)
        assert probe.watched.times == [0, 30, 60]
        assert probe.watched.most == 1
        assert runner.get_stats()["missed_times"] == 4


@pytest.mark.virtual_clock
async def test_missed_times_are_made_up_for_by_one_run() -> None:
    probe = Probe("p", seconds=25, triggers=[every(10, catch_up=True)])
    async with runner_of(probe):
        await asyncio.sleep(61)
    assert probe.watched.times == [0, 25, 50]
    assert probe.watched.most == 1


@pytest.mark.virtual_clock
async def test_several_runs_of_a_checkpoint_at_once() -> None:
    probe = Probe("p", seconds=25, triggers=[every(10, max_concurrent=2)])
    async with runner_of(probe):
        await asyncio.sleep(45)
    assert probe.watched.times == [0, 10, 30, 40]
    assert probe.watched.most == 2


@pytest.mark.virtual_clock
async def test_no_more_runs_than_max_runs() -> None:
    probe = Probe("p", triggers=[every(10, max_runs=3)])
    async with runner_of(probe):
        await asyncio.sleep(100)
    assert probe.watched.times == [0, 10, 20]


@pytest.mark.virtual_clock
async def test_late_run_counts_as_missed_after_its_grace() -> None:
    class Sleepy(LoopClock):
        """The loop of a machine that sleeps from second 5 to 500."""

        def monotonic(self) -> float:
            now = super().monotonic()
            return now if now < 5 else now + 500

    clock = Sleepy()
    plain = Probe("plain", triggers=[every(10)])
    owed = Probe("owed", triggers=[every(10, catch_up=True)])
    runner = AsyncCheckpointRunner(clock=clock)
    runner.add_checkpoint(plain).add_checkpoint(owed)
    async with runner:
        await asyncio.sleep(22)
        # Woken at second 10, which is 510 by then: late by far more than 5 s.
        assert len(plain.watched.times) == 2
        assert len(owed.watched.times) == 3
        assert runner.get_stats()["missed_times"] == 2


@pytest.mark.virtual_clock
async def test_cron_fires_at_its_times_and_once_each() -> None:
    probe = Probe("p", triggers=[CronTrigger(expression="*/15 * * * * *")])
    daily = Probe("d", triggers=[CronTrigger(expression="@daily")])
    async with runner_of(probe, daily):
        await asyncio.sleep(61)
        assert probe.watched.times == [15, 30, 45, 60]
        await asyncio.sleep(86_400)
    assert daily.watched.times == [43_200]


@pytest.mark.virtual_clock
async def test_cron_with_run_immediately_fires_at_the_start_too() -> None:
    trigger = CronTrigger(expression="0 0 * * *", run_immediately=True)
    probe = Probe("p", triggers=[trigger])
    async with runner_of(probe):
        await asyncio.sleep(86_401)
    assert probe.watched.times == [0, 43_200]


@pytest.mark.virtual_clock
async def test_wall_clock_that_is_set_moves_cron_and_not_intervals() -> None:
    class Stepped(LoopClock):
        def now(self) -> Any:
            from datetime import timedelta

            step = 7200 if self.monotonic() >= 100 else 0
            return super().now() + timedelta(seconds=step)

    hourly = Probe("h", triggers=[CronTrigger(expression="0 * * * *")])
    steady = Probe("s", triggers=[every(60, max_concurrent=2)])
    runner = AsyncCheckpointRunner(clock=Stepped())
    runner.add_checkpoint(hourly).add_checkpoint(steady)
    async with runner:
        await asyncio.sleep(3_000)
        # At second 100 it is 14:01:40 all at once: 13:00 was 61 minutes ago, which
        # is too late, and 15:00 comes.
        assert hourly.watched.times == []
        await asyncio.sleep(700)
        assert hourly.watched.times == [3_600]
    assert steady.watched.times[:4] == [0, 60, 120, 180]


# ------------------------------------------------------- events and upstream


@pytest.mark.virtual_clock
async def test_event_starts_a_run_at_once_whatever_the_poll_interval() -> None:
    trigger = EventTrigger(event_filter={"table": "rides"})
    probe = Probe("p", triggers=[trigger])
    async with runner_of(probe, trigger_poll_interval=3600):
        await asyncio.sleep(7)
        assert not trigger.fire_event({"table": "people"})
        assert trigger.fire_event({"table": "rides", "n": 1})
        await asyncio.sleep(0.5)
    assert probe.watched.times == [7]


@pytest.mark.virtual_clock
async def test_events_meanwhile_go_into_one_run() -> None:
    seen: list[CheckpointResult] = []
    trigger = EventTrigger(debounce_seconds=0)
    probe = Probe("p", seconds=10, triggers=[trigger])
    async with runner_of(probe, result_callback=seen.append):
        for number in range(5):
            trigger.fire_event({"n": number})
            await asyncio.sleep(1)
        await asyncio.sleep(30)
    assert probe.watched.times == [0, 10]
    assert [r.metadata["event_count"] for r in seen] == [1, 4]
    assert seen[1].metadata["event"] == {"n": 4}
    assert seen[1].metadata["trigger"] == "event"


@pytest.mark.virtual_clock
async def test_event_debounce_and_batch() -> None:
    bounced = EventTrigger(debounce_seconds=5)
    batched = EventTrigger(debounce_seconds=0, batch_events=True)
    first, second = Probe("a", triggers=[bounced]), Probe("b", triggers=[batched])
    async with runner_of(first, second):
        for _ in range(3):
            bounced.fire_event()
            batched.fire_event()
            await asyncio.sleep(1)
        await asyncio.sleep(20)
    assert first.watched.times == [0, 5]
    assert second.watched.times == [5]


async def test_event_from_another_thread() -> None:
    trigger = EventTrigger()
    runner = AsyncCheckpointRunner().add_checkpoint(Probe("p", triggers=[trigger]))
    async with runner:
        thread = threading.Thread(target=trigger.fire_event)
        thread.start()
        async for result in runner.iter_results_async(timeout=5):
            assert result.checkpoint_name == "p"
            break
        thread.join()


@pytest.mark.virtual_clock
async def test_upstream_runs_after_the_status_it_waits_for() -> None:
    good = Probe("good", triggers=[every(10, max_runs=2)])
    bad = Probe("bad", status="failure", triggers=[every(10, max_runs=1)])
    after_good = Probe("g", triggers=[UpstreamTrigger(checkpoint="good")])
    after_bad = Probe("b", triggers=[UpstreamTrigger(checkpoint="bad")])
    after_any = Probe(
        "any",
        triggers=[
            UpstreamTrigger(checkpoint=["good", "bad"], statuses=["success", "failure"])
        ],
    )
    seen: list[CheckpointResult] = []
    async with runner_of(
        good, bad, after_good, after_bad, after_any, result_callback=seen.append
    ):
        await asyncio.sleep(60)
    assert len(after_good.watched.begun) == 2
    assert after_bad.watched.begun == []
    assert len(after_any.watched.begun) >= 2
    told = next(r.metadata for r in seen if r.checkpoint_name == "g")
    assert told["upstream"]["checkpoint"] == "good"
    assert told["upstream"]["status"] == "success"


async def test_checkpoints_in_a_circle_are_refused() -> None:
    a = Probe("a", triggers=[UpstreamTrigger(checkpoint="b")])
    b = Probe("b", triggers=[UpstreamTrigger(checkpoint="a")])
    runner = runner_of(a)
    with pytest.raises(ValueError, match="'a' after 'b' after 'a'"):
        await runner.add_checkpoint(b).start_async()
    running = runner_of(a)
    async with running:
        with pytest.raises(ValueError, match="in a circle"):
            running.add_checkpoint(b)
        assert list(running.checkpoints) == ["a"]


# ------------------------------------------------------------- own triggers


@pytest.mark.virtual_clock
async def test_own_trigger_is_asked_at_its_pace_and_loses_nothing() -> None:
    """h02: the documented class could not run; here three messages are three runs."""
    trigger = Said(1, 2, 3)
    probe = Probe("p", seconds=4.5, triggers=[trigger])
    seen: list[CheckpointResult] = []
    async with runner_of(probe, result_callback=seen.append):
        await asyncio.sleep(30)
    assert [r.metadata["answer"] for r in seen] == [1, 2, 3]
    assert probe.watched.most == 1


@pytest.mark.virtual_clock
async def test_own_trigger_may_be_asked_without_a_pause() -> None:
    class Queue(Said):
        poll_interval = 0

        async def should_trigger_async(self) -> Any:
            if not self.answers:
                await asyncio.sleep(1000)
            return await super().should_trigger_async()

    probe = Probe("p", triggers=[Queue(*range(1, 21))])
    async with runner_of(probe):
        await asyncio.sleep(0.5)
    assert len(probe.watched.begun) == 20


@pytest.mark.virtual_clock
async def test_trigger_that_raises_starves_nobody() -> None:
    errors: list[Exception] = []
    bad = Probe("bad", triggers=[Said(OSError("down"), OSError("down"), True)])
    good = Probe("good", triggers=[every(1)])
    runner = runner_of(bad, good, error_callback=errors.append)
    async with runner:
        await asyncio.sleep(5.5)
        assert runner.running
    assert len(good.watched.begun) == 6
    assert bad.watched.begun == ["bad"]
    assert [str(e) for e in errors] == ["bad: trigger said: OSError: down"] * 2
    assert all(isinstance(e, TriggerError) for e in errors)


async def test_trigger_that_blocks_does_not_block_the_loop() -> None:
    """h12: 400 ms of standstill in the original."""
    blocking = BlockingTrigger(2.0)
    good = Probe("good", triggers=[every(0.02)])
    longest = 0.0
    async with runner_of(
        Probe("b", triggers=[blocking]), good, trigger_poll_interval=0.05
    ):
        loop = asyncio.get_running_loop()
        for _ in range(50):
            before = loop.time()
            await asyncio.sleep(0.01)
            longest = max(longest, loop.time() - before)
    assert blocking.asked
    assert longest < 1.5
    assert len(good.watched.begun) > 5


@pytest.mark.virtual_clock
async def test_trigger_that_answers_nonsense_is_told() -> None:
    class Odd(Said):
        async def should_trigger_async(self) -> Any:
            return True

    errors: list[Exception] = []
    async with runner_of(Probe("p", triggers=[Odd()]), error_callback=errors.append):
        await asyncio.sleep(0.5)
    assert "it answered True, expected a TriggerResult" in str(errors[0])


@pytest.mark.virtual_clock
async def test_hooks_of_a_trigger_are_called_and_its_start_may_fail() -> None:
    calls: list[str] = []

    class Opens(Said):
        async def _on_start_async(self) -> None:
            calls.append("start")

        async def _on_stop_async(self) -> None:
            calls.append("stop")

    class Fails(Said):
        async def _on_start_async(self) -> None:
            raise OSError("no broker")

    errors: list[Exception] = []
    failing = Fails(True)
    runner = runner_of(
        Probe("a", triggers=[Opens()]),
        Probe("b", triggers=[failing]),
        error_callback=errors.append,
    )
    async with runner:
        await asyncio.sleep(1)
    assert calls == ["start", "stop"]
    assert failing.status == "error"
    assert failing.asked == 0
    assert [str(e) for e in errors] == ["b: trigger said: OSError: no broker"]


@pytest.mark.virtual_clock
async def test_checkpoint_added_while_it_runs_is_started_and_removed_again() -> None:
    probe = Probe("late", triggers=[every(1)])
    runner = runner_of()
    async with runner:
        runner.add_checkpoint(probe)
        await asyncio.sleep(2.5)
        assert len(probe.watched.begun) == 3
        assert runner.remove_checkpoint("late")
        assert not runner.remove_checkpoint("late")
        await asyncio.sleep(5)
        assert len(probe.watched.begun) == 3
        assert runner.checkpoints == {}


@pytest.mark.virtual_clock
async def test_pause_and_resume() -> None:
    plain = Probe("plain", triggers=[every(10)])
    owed = Probe("owed", triggers=[every(10, catch_up=True)])
    event = EventTrigger()
    waits = Probe("waits", triggers=[event])
    runner = runner_of(plain, owed, waits)
    async with runner:
        await asyncio.sleep(5)
        runner.pause()
        assert runner.get_stats()["paused"] == ["owed", "plain", "waits"]
        event.fire_event()
        await asyncio.sleep(30)
        runner.resume()
        await asyncio.sleep(1)
        assert plain.watched.times == [0]
        assert owed.watched.times == [0, 35]
        assert waits.watched.times == [35]
        runner.pause("plain")
        await asyncio.sleep(10)
        assert plain.watched.times == [0]
        with pytest.raises(ValueError, match="did you mean 'plain'"):
            runner.resume("plan")


async def test_run_now_and_cancel() -> None:
    journal = MemoryJournal()
    runner = runner_of(Probe("p", 60), journal=journal)
    with pytest.raises(NotRunningError):
        runner.run_now("p")
    async with runner:
        run_id = runner.run_now("p", {"by": "hand"})
        await asyncio.sleep(0.01)
        (active,) = runner.active_runs()
        assert (active["run_id"], active["state"]) == (run_id, "running")
        assert runner.cancel_run(run_id)
        (result,) = await runner.get_results_async(timeout=5)
        assert (result.error, result.metadata) == ("cancelled", {"by": "hand"})
        assert not runner.cancel_run(run_id)
    assert journal.runs()[0].state == "cancelled"


# --------------------------------------------------------------------- queue


async def test_full_queue_makes_runs_wait_and_drops_nothing() -> None:
    """In the original 20 of 30 results were dropped."""
    trigger = Said(*range(1, 31))
    trigger.poll_interval = 0
    runner = runner_of(Probe("p", triggers=[trigger]), result_queue_size=5)
    async with runner:
        await asyncio.sleep(1.0)
        stats = runner.get_stats()
        assert stats["queued_results"] == 5
        assert stats["waiting_results"] == 1
        assert trigger.asked == 6  # no more is taken than can run
        found = [r async for r in runner.iter_results_async(timeout=1.5)]
    assert [r.metadata["answer"] for r in found] == list(range(1, 31))


async def test_each_result_goes_to_one_of_several_consumers() -> None:
    runner = runner_of(*(Probe(f"p{n}") for n in range(20)))
    found: list[list[str]] = [[], []]

    async def consume(mine: list[str]) -> None:
        async for result in runner.iter_results_async():
            mine.append(result.checkpoint_name)
            await asyncio.sleep(0)

    async with runner:
        tasks = [asyncio.create_task(consume(mine)) for mine in found]
        await runner.run_all_async()
    await asyncio.gather(*tasks)
    assert sorted(found[0] + found[1]) == sorted(f"p{n}" for n in range(20))
    assert found[0]
    assert found[1]


async def test_consumer_can_be_cancelled() -> None:
    """h06: swallowed in the original, and the code after the loop ran."""
    runner = runner_of()
    went_on = []

    async def consume() -> None:
        async for _ in runner.iter_results_async():
            pass
        went_on.append(1)

    async with runner:
        task = asyncio.create_task(consume())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert task.cancelled()
    assert went_on == []


@pytest.mark.virtual_clock
async def test_nobody_reads_the_queue_and_somebody_is_told() -> None:
    errors: list[Exception] = []
    runner = runner_of(
        Probe("p", triggers=[every(1)]),
        result_queue_size=3,
        error_callback=errors.append,
    )
    async with runner:
        await asyncio.sleep(20)
        assert runner.get_stats()["waiting_results"] == 1
    assert "nobody reads" in str(errors[0])
    assert len([r async for r in runner.iter_results_async()]) == 4


async def test_runner_without_a_queue() -> None:
    seen: list[CheckpointResult] = []
    runner = runner_of(Probe("p"), result_queue_size=None, result_callback=seen.append)
    async with runner:
        for _ in range(3):
            await runner.run_once_async("p")
        with pytest.raises(ValueError, match="there is no queue"):
            await runner.get_results_async()
    assert len(seen) == 3


async def test_run_once_without_a_start() -> None:
    runner = runner_of(Probe("p"), result_queue_size=2)
    for number in range(5):  # more than the queue takes
        result = await runner.run_once_async("p", context={"n": number})
        assert result.metadata == {"n": number}
    assert (await runner.run_once_async(Probe("other"))).checkpoint_name == "other"
    assert len(await runner.get_results_async()) == 2
    with pytest.raises(ValueError, match="there is no checkpoint 'q'"):
        await runner.run_once_async("q")


async def test_run_all_calls_back_as_results_come() -> None:
    """The original called back when everything was over."""
    seen: list[str] = []
    runner = runner_of(
        Probe("slow", 1.0),
        Probe("quick"),
        result_callback=lambda r: seen.append(r.checkpoint_name),
    )
    task = asyncio.create_task(runner.run_all_async())
    await asyncio.sleep(0.2)
    assert seen == ["quick"]
    assert [r.checkpoint_name for r in await task] == ["slow", "quick"]


# ------------------------------------------------------------------ shutdown


@pytest.mark.virtual_clock
async def test_stop_waits_and_then_cuts_off_and_loses_nothing() -> None:
    """A run past the graceful time vanished in the original."""
    watched = Watched()
    probes = [
        Probe(f"p{s}", s, watched=watched, triggers=[every(3600)]) for s in (3, 60, 61)
    ]
    runner = runner_of(
        *probes, max_concurrent_checkpoints=2, graceful_shutdown_timeout=5
    )
    await runner.start_async()
    await asyncio.sleep(0)
    await asyncio.sleep(1)

    await runner.stop_async()

    results = {r.checkpoint_name: r async for r in runner.iter_results_async()}
    assert {name: r.error for name, r in results.items()} == {
        "p3": None,
        "p60": "interrupted: cut off after 5 s",
        "p61": "interrupted: stopped before it began",
    }
    assert watched.begun == ["p3", "p60"]
    assert asyncio.get_running_loop().time() == 6
    assert not runner.running


@pytest.mark.virtual_clock
async def test_full_queue_does_not_hold_up_the_end() -> None:
    runner = runner_of(
        *(Probe(f"p{n}", triggers=[every(100)]) for n in range(9)),
        result_queue_size=2,
        max_concurrent_checkpoints=4,
    )
    await runner.start_async()
    await asyncio.sleep(1)
    await runner.stop_async()
    results = [r async for r in runner.iter_results_async()]
    assert sorted(r.checkpoint_name for r in results) == [f"p{n}" for n in range(9)]
    assert sum(r.error is None for r in results) == 6


@pytest.mark.parametrize("within", ["callback", "action"])
async def test_stop_from_inside_a_run(within: str) -> None:
    runner: AsyncCheckpointRunner

    class Stops(Act):
        async def _execute_async(self, checkpoint_result: Any) -> Any:
            await runner.stop_async()
            return self.result("success")

    async def stop(result: CheckpointResult) -> None:
        if within == "callback":
            await runner.stop_async()

    actions = [Stops()] if within == "action" else []
    runner = runner_of(
        checkpoint("c", actions=actions, triggers=[every(10)]), result_callback=stop
    )
    await runner.start_async()
    async with asyncio.timeout(20):
        results = [r async for r in runner.iter_results_async()]
        await runner.wait_stopped_async()
    assert len(results) == 1
    assert not runner.running


@pytest.mark.virtual_clock
async def test_stop_twice_at_once_and_start_again() -> None:
    probe = Probe("p", 3, triggers=[every(10)])
    runner = runner_of(probe)
    for _ in range(2):
        await runner.start_async()
        await runner.start_async()
        await asyncio.sleep(1)
        await asyncio.gather(runner.stop_async(), runner.stop_async())
    await runner.stop_async()
    results = [r async for r in runner.iter_results_async()]
    assert [r.status for r in results] == ["success", "success"]


@pytest.mark.virtual_clock
async def test_cancelled_stop_cuts_off_and_goes_on() -> None:
    runner = runner_of(Probe("p", 60, triggers=[every(100)]))
    await runner.start_async()
    await asyncio.sleep(1)
    task = asyncio.create_task(runner.stop_async())
    await asyncio.sleep(2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (result,) = [r async for r in runner.iter_results_async()]
    assert result.error is not None
    assert result.error.startswith("interrupted")
    assert asyncio.get_running_loop().time() == 3


@pytest.mark.virtual_clock
async def test_hung_callback_does_not_hold_up_the_end() -> None:
    async def hang(result: CheckpointResult) -> None:
        await asyncio.sleep(1e6)

    errors: list[Exception] = []
    runner = runner_of(
        Probe("p", triggers=[every(100)]),
        result_callback=hang,
        error_callback=errors.append,
        graceful_shutdown_timeout=2,
    )
    await runner.start_async()
    await asyncio.sleep(1)
    await runner.stop_async()
    (result,) = [r async for r in runner.iter_results_async()]
    assert result.success
    assert "callback was cut off" in str(errors[0])


@pytest.mark.virtual_clock
async def test_stop_on_error_acts_on_results() -> None:
    """In the original it never did."""
    errors: list[Exception] = []
    bad = Probe("bad", status="error", triggers=[every(5)])
    runner = runner_of(bad, stop_on_error=True, error_callback=errors.append)
    await runner.start_async()
    async with asyncio.timeout(60):
        results = [r async for r in runner.iter_results_async()]
    assert len(results) == 1
    assert not runner.running
    assert "stop_on_error" in runner.get_stats()["stopped_because"]
    assert isinstance(errors[0], RunnerStoppedError)
    await runner.stop_async()


@pytest.mark.virtual_clock
async def test_failures_in_a_row_stop_it_and_a_success_begins_anew() -> None:
    answers = [
        "error",
        "error",
        "success",
        "error",
        "failure",
        "error",
        "error",
        "error",
        "error",
    ]

    class Changing(Probe):
        async def run_async(self, context: Any = None) -> CheckpointResult:
            self.ends_as = answers.pop(0)
            return await super().run_async(context)

    probe = Changing("p", triggers=[every(1)])
    runner = runner_of(probe, max_consecutive_failures=3)
    await runner.start_async()
    await runner.wait_stopped_async()
    assert len(probe.watched.begun) == 8
    assert runner.get_stats()["consecutive_failures"] == 3


async def test_wait_for_completion() -> None:
    runner = runner_of(Probe("p", 0.8, triggers=[every(100)]))
    async with runner:
        await asyncio.sleep(0.01)
        assert not await runner.wait_for_completion_async(timeout=0.001)
        assert await runner.wait_for_completion_async(timeout=5)
        assert runner.get_stats()["pending_tasks"] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_signal_ends_it_in_two_steps(number: int) -> None:
    runner = runner_of(
        Probe("p", 60, triggers=[every(100)]), graceful_shutdown_timeout=60
    )
    loop = asyncio.get_running_loop()
    before = signal.getsignal(number)
    loop.call_later(0.1, os.kill, os.getpid(), number)
    loop.call_later(0.3, os.kill, os.getpid(), number)
    async with asyncio.timeout(10):
        assert await runner.serve_async() == number
    (result,) = [r async for r in runner.iter_results_async()]
    assert result.error is not None
    assert result.error.startswith("interrupted: cut off")
    assert signal.getsignal(number) == before


# --------------------------------------------------------------- the rest


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"max_concurrent_checkpoints": 0}, ValueError, "max_concurrent_checkpoints"),
        ({"trigger_poll_interval": 0}, ValueError, "trigger_poll_interval"),
        ({"result_queue_size": 0}, ValueError, "result_queue_size"),
        ({"max_consecutive_failures": 0}, ValueError, "max_consecutive_failures"),
        ({"graceful_shutdown_timeout": -1}, ValueError, "graceful_shutdown_timeout"),
        ({"stop_on_error": "no"}, ValueError, "stop_on_error"),
        ({"max_concurent_checkpoints": 1}, TypeError, "did you mean 'max_conc"),
    ],
)
def test_wrong_options_are_refused(options: Any, kind: Any, words: str) -> None:
    with pytest.raises(kind, match=words):
        AsyncCheckpointRunner(**options)
    with pytest.raises(kind):
        CheckpointRunner(**options)


def test_options_come_over_those_of_the_config() -> None:
    config = AsyncRunnerConfig(max_concurrent_checkpoints=3)
    runner = AsyncCheckpointRunner(config, stop_on_error=True)
    assert runner.config.max_concurrent_checkpoints == 3
    assert runner.config.stop_on_error
    assert not config.stop_on_error
    defaults = AsyncRunnerConfig()
    assert vars(defaults) == {
        "max_concurrent_checkpoints": 10,
        "trigger_poll_interval": 1.0,
        "result_queue_size": 1000,
        "stop_on_error": False,
        "max_consecutive_failures": 10,
        "graceful_shutdown_timeout": 30.0,
    }


def test_second_checkpoint_of_a_name_is_refused() -> None:
    """d05: replaced without a word in the original."""
    with pytest.raises(ValueError, match="there is a checkpoint 'p'"):
        runner_of(Probe("p"), Probe("p"))
    with pytest.raises(TypeError, match="expected a Checkpoint"):
        runner_of("p")
    with pytest.raises(ValueError, match="warehouse may be used by 2"):
        runner_of(
            Probe("a", resources={"warehouse": 1}),
            Probe("b", resources={"warehouse": 2}),
        )


async def test_journal_has_every_state() -> None:
    states: list[tuple[str, str]] = []

    class Listening(MemoryJournal):
        async def accept(self, records: Any) -> None:
            states.extend((r.checkpoint, "accepted") for r in records)
            await super().accept(records)

        def begin(self, run_id: str, *rest: Any) -> None:
            states.append((run_id.split("_")[0], "running"))
            super().begin(run_id, *rest)

        async def end(self, run_id: str, *rest: Any) -> bool:
            states.append((run_id.split("_")[0], str(rest[2])))
            assert isinstance(rest[4](), dict)
            return await super().end(run_id, *rest)

    runner = runner_of(Probe("a"), Probe("b", status="error"), journal=Listening())
    await runner.run_all_async()
    assert [s for s in states if s[0] == "a"] == [
        ("a", "accepted"),
        ("a", "running"),
        ("a", "finished"),
    ]
    assert states[-1] in {("b", "failed"), ("a", "finished")}


def test_blocking_runner() -> None:
    seen: list[str] = []
    with CheckpointRunner(
        result_callback=lambda r: seen.append(threading.current_thread().name)
    ) as runner:
        runner.add_checkpoint(Probe("p", triggers=[every(0.02, max_runs=3)]))
        results = list(runner.iter_results(timeout=2))
        assert [r.checkpoint_name for r in results] == ["p"] * 3
        assert runner.run_once("p", {"a": 1}).metadata == {"a": 1}
        assert [r.success for r in runner.run_all()] == [True]
        assert len(runner.get_results(timeout=1)) == 2
        runner.pause("p")
        runner.resume()
        assert runner.get_stats()["checkpoints"] == 1
        assert runner.wait_for_completion(1)
        assert not runner.cancel_run("nobody")
        assert runner.remove_checkpoint("p")
    assert not runner.running
    assert set(seen) == {"truthound-runner"}
    assert list(runner.iter_results()) == []


def test_blocking_runner_without_a_start() -> None:
    runner = CheckpointRunner().add_checkpoint(Probe("p"))
    assert runner.run_once("p").success
    assert len(runner.run_all()) == 1
    runner.stop()
    assert "not running" in repr(runner)


def test_blocking_runner_refuses_to_wait_for_itself() -> None:
    errors: list[Exception] = []
    runner = CheckpointRunner(error_callback=errors.append)

    def again(result: CheckpointResult) -> None:
        runner.run_once("p")

    runner._runner._runs.delivery._on_result = again
    with runner.add_checkpoint(Probe("p")):
        assert runner.run_once("p").success
    assert "hold up for ever" in str(errors[0])
