"""`AsyncRunner` and `TaskScheduler`: limits, order, cancellation, ends."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import traceback
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from telemetry_reader import Recorded
from truthound.async_core import (
    AsyncRunner,
    TaskPriority,
    TaskScheduler,
    async_background,
    async_run,
    async_timeout,
)
from truthound.errors import ConfigurationError, NotRunningError

PATIENCE = 10  # seconds, until something counts as hanging


class Spy:
    """Jobs that note how many of them run, and in which order they began."""

    def __init__(self) -> None:
        self.running = self.peak = 0
        self.begun: list[Any] = []
        self.ended: list[Any] = []
        self.cancelled: list[Any] = []

    async def job(self, name: Any = None, turns: int = 1) -> Any:
        self.begun.append(name)
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            for _ in range(turns):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.cancelled.append(name)
            raise
        finally:
            self.running -= 1
        self.ended.append(name)
        return name


async def value(item: Any) -> Any:
    return item


async def failing(error: BaseException, turns: int = 1) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)
    raise error


async def forever() -> None:
    await asyncio.Event().wait()


async def turns(number: int = 5) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


# --- gather


async def test_gather_returns_results_in_the_order_given() -> None:
    spy = Spy()

    async with AsyncRunner(max_workers=4) as runner:
        results = await runner.gather([spy.job(n, turns=9 - n) for n in range(10)])

    assert results == list(range(10))
    assert spy.ended != results  # they did not end in that order


@pytest.mark.parametrize("limit", [1, 3, 7])
async def test_gather_runs_no_more_than_max_workers_at_once(limit: int) -> None:
    spy = Spy()

    async with AsyncRunner(max_workers=limit) as runner:
        await runner.gather([spy.job(turns=3) for _ in range(30)])

    assert spy.peak == limit


async def test_several_calls_share_the_limit() -> None:
    spy = Spy()

    async with AsyncRunner(max_workers=3) as runner, asyncio.timeout(PATIENCE):
        await asyncio.gather(
            runner.gather([spy.job(turns=3) for _ in range(10)]),
            runner.gather(spy.job(turns=2) for _ in range(10)),
            runner.map(lambda _: spy.job(turns=2), range(10)).collect(),
            *(runner.submit(spy.job(turns=4)) for _ in range(10)),
        )

    assert spy.peak == 3
    assert len(spy.ended) == 40


async def test_gather_works_without_the_block() -> None:
    runner = AsyncRunner(max_workers=2)

    assert await runner.gather([value(1), value(2)]) == [1, 2]
    assert await runner.submit(value(3)) == 3


async def test_gather_takes_from_a_generator_what_it_runs() -> None:
    spy, made = Spy(), 0

    def jobs() -> Iterator[Coroutine[Any, Any, Any]]:
        nonlocal made
        for number in range(100):
            made += 1
            assert made - len(spy.ended) <= 5
            yield spy.job(number, turns=2)

    async with AsyncRunner(max_workers=5) as runner:
        assert await runner.gather(jobs()) == list(range(100))


async def test_gather_of_nothing() -> None:
    async with AsyncRunner() as runner:
        assert await runner.gather([]) == []


async def test_gather_takes_any_awaitable() -> None:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.set_result(2)

    async with AsyncRunner() as runner:
        assert await runner.gather([value(1), future]) == [1, 2]


async def test_first_error_of_gather_is_raised_and_the_others_are_cancelled() -> None:
    spy = Spy()
    jobs = [spy.job("a", turns=99), failing(ValueError("odd")), *map(spy.job, "bcd")]

    async with AsyncRunner(max_workers=2) as runner:
        with pytest.raises(ValueError, match="odd") as caught:
            await runner.gather(jobs)

        assert runner.stats().running == 0
        assert await runner.submit(value(1)) == 1
    assert spy.cancelled == ["a"]
    assert spy.begun == ["a"]  # b, c and d were closed, unbegun
    assert "failing" in "".join(traceback.format_tb(caught.value.__traceback__))


async def test_return_exceptions_puts_them_in_their_place() -> None:
    error = ValueError("odd")

    async with AsyncRunner(max_workers=2) as runner:
        results = await runner.gather(
            [
                value(1),
                failing(error),
                failing(asyncio.CancelledError("own")),
                value(4),
            ],
            return_exceptions=True,
        )

    assert results[:2] == [1, error]
    assert isinstance(results[2], asyncio.CancelledError)
    assert results[3] == 4


async def test_error_of_the_generator_is_raised() -> None:
    spy = Spy()

    def jobs() -> Iterator[Coroutine[Any, Any, Any]]:
        yield spy.job(1, turns=99)
        raise LookupError("no more")

    async with AsyncRunner(max_workers=2) as runner:
        with pytest.raises(LookupError, match="no more"):
            await runner.gather(jobs(), return_exceptions=True)
    assert spy.cancelled == [1]


@pytest.mark.parametrize("after", range(1, 13))
async def test_cancelled_gather_leaves_nothing_running(after: int) -> None:
    spy = Spy()
    runner = AsyncRunner(max_workers=2)
    task = asyncio.create_task(runner.gather([spy.job(n, 4) for n in range(4)]))
    await turns(after)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert spy.running == 0
    assert len(spy.begun) == len(spy.ended) + len(spy.cancelled)
    assert runner.stats().running == runner.stats().waiting == 0
    assert await runner.gather([value(1), value(2), value(3)]) == [1, 2, 3]


async def test_others_get_their_turn_while_nothing_waits() -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(tick())
    async with AsyncRunner(max_workers=3) as runner:
        await runner.gather(value(n) for n in range(200_000))
    other.cancel()
    await asyncio.wait([other])

    assert ticks > 4


@given(
    st.lists(st.integers(0, 4), max_size=30),
    st.integers(1, 6),
    st.booleans(),
)
def test_gather_is_a_loop_of_awaits(
    waits: list[int], limit: int, from_generator: bool
) -> None:
    async def main() -> None:
        spy = Spy()
        jobs = (spy.job((n, wait), wait) for n, wait in enumerate(waits))
        runner = AsyncRunner(max_workers=limit)
        results = await runner.gather(jobs if from_generator else list(jobs))
        assert results == list(enumerate(waits))
        assert spy.begun == results
        assert spy.peak <= limit

    asyncio.run(main())


# --- map


@given(
    st.lists(st.integers(0, 4), max_size=30),
    st.integers(1, 6),
    st.integers(1, 5),
)
def test_map_is_a_loop_of_calls(waits: list[int], limit: int, batch: int) -> None:
    async def main() -> None:
        spy = Spy()

        async def call(item: tuple[int, int]) -> Any:
            return await spy.job(item, item[1])

        items = list(enumerate(waits))
        runner = AsyncRunner(max_workers=limit)
        assert await runner.map(call, items).collect() == items
        assert spy.peak <= limit
        batches = await runner.map(call, iter(items)).batch(batch).collect()
        assert [item for part in batches for item in part] == items

    asyncio.run(main())


async def test_map_of_an_endless_source_goes_at_the_pace_of_its_reader() -> None:
    taken = 0

    def numbers() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    async with AsyncRunner(max_workers=3) as runner:
        first = []
        async for number in runner.map(value, numbers()):
            first.append(number)
            assert taken <= len(first) + 2 * 3
            if number == 50:
                break
        assert await runner.map(value, numbers()).take(4).collect() == [
            *range(taken - 3, taken + 1)
        ]
    assert first == list(range(1, 51))


async def test_results_of_map_do_not_wait_for_those_after_them() -> None:
    gate = asyncio.Event()

    async def call(number: int) -> int:
        if number == 3:
            await gate.wait()
        return number

    seen = []
    async with AsyncRunner(max_workers=1) as runner, asyncio.timeout(PATIENCE):
        async for number in runner.map(call, range(6)):
            seen.append(number)
            if number == 2:
                gate.set()
    assert seen == list(range(6))


async def test_error_of_map_comes_at_its_place() -> None:
    spy = Spy()

    async def call(number: int) -> Any:
        if number == 3:
            raise ValueError("three")
        return await spy.job(number, turns=1 if number < 3 else 99)

    seen: list[int] = []
    async with AsyncRunner(max_workers=5) as runner:
        with pytest.raises(ValueError, match="three"):
            async for number in runner.map(call, range(100)):
                seen += [number]
        assert runner.stats().running == 0
    assert seen == [0, 1, 2]
    assert spy.running == 0


@pytest.mark.parametrize("after", range(12))
async def test_cancelled_map_leaves_nothing_running(after: int) -> None:
    spy = Spy()
    runner = AsyncRunner(max_workers=2)
    task = asyncio.create_task(runner.map(spy.job, range(30)).collect())
    await turns(after)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert spy.running == 0
    assert runner.stats().running == runner.stats().waiting == 0
    assert await runner.map(value, [1, 2]).collect() == [1, 2]


async def test_reader_of_map_may_use_its_runner() -> None:
    async with AsyncRunner(max_workers=1) as runner, asyncio.timeout(PATIENCE):
        doubled = [
            await runner.submit(value(2 * number))
            async for number in runner.map(value, range(20))
        ]
    assert doubled == [2 * n for n in range(20)]


async def test_map_names_what_is_wrong_with_its_arguments() -> None:
    async def items() -> AsyncIterator[int]:
        yield 1

    runner = AsyncRunner()
    with pytest.raises(TypeError, match="items: expected an iterable, got async_gen"):
        runner.map(value, items())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="map"):
        runner.map(3, [1])  # type: ignore[arg-type]


# --- submit


async def test_submit_returns_the_result() -> None:
    async with AsyncRunner(max_workers=1) as runner:
        assert await runner.submit(value(7), priority=TaskPriority.HIGH) == 7


async def test_submit_raises_what_the_job_raises_with_its_traceback() -> None:
    error = ValueError("odd")

    async with AsyncRunner() as runner:
        with pytest.raises(ValueError, match="odd") as caught:
            await runner.submit(failing(error))

    assert caught.value is error
    assert "failing" in "".join(traceback.format_tb(error.__traceback__))


async def test_urgent_job_overtakes_and_each_level_keeps_its_order() -> None:
    spy = Spy()
    gate = asyncio.Event()

    async with AsyncRunner(max_workers=1) as runner:
        blocker = asyncio.create_task(runner.submit(gate.wait()))
        await turns()
        waiting = [
            asyncio.create_task(runner.submit(spy.job(f"{level.name}-{n}"), level))
            for n in range(5)
            for level in reversed(TaskPriority)
        ]
        await turns()
        assert spy.begun == []
        gate.set()
        await asyncio.gather(blocker, *waiting)

    assert spy.begun == [
        f"{level.name}-{n}" for level in TaskPriority for n in range(5)
    ]


@pytest.mark.parametrize("limit", [1, 2, 3, 9])
async def test_urgent_job_of_the_same_turn_goes_first(limit: int) -> None:
    spy = Spy()
    low = [f"n{n}" for n in range(20)]

    async with AsyncRunner(max_workers=limit) as runner:
        await asyncio.gather(
            *(runner.submit(spy.job(name, turns=3)) for name in low),
            *(runner.submit(spy.job(name), TaskPriority.CRITICAL) for name in "abc"),
        )

    urgent = [name for name in spy.begun[: 3 + limit] if name in "abc"]
    assert urgent == ["a", "b", "c"]
    if limit <= 3:
        assert set(spy.begun[:limit]) <= set("abc")
    assert [name for name in spy.begun if name not in "abc"] == low


async def test_urgent_job_goes_before_the_rest_of_a_gather() -> None:
    spy = Spy()

    async with AsyncRunner(max_workers=2) as runner:
        many = asyncio.create_task(runner.gather([spy.job(n, 3) for n in range(40)]))
        await turns()
        later = asyncio.create_task(runner.submit(spy.job("low"), TaskPriority.LOW))
        await turns()
        await runner.submit(spy.job("now"), TaskPriority.CRITICAL)
        assert len(spy.begun) < 30
        await many
        await later

    assert spy.begun[-1] == "low"
    assert spy.peak == 2


@pytest.mark.parametrize("after", range(1, 10))
@pytest.mark.parametrize("is_queued", [False, True])
async def test_cancelling_submit_cancels_its_work(after: int, is_queued: bool) -> None:
    spy = Spy()
    runner = AsyncRunner(max_workers=1)
    blocker = asyncio.create_task(runner.submit(spy.job("blocker", turns=4)))
    if not is_queued:
        await blocker
    task = asyncio.create_task(runner.submit(spy.job("work", turns=4)))
    await turns(after)

    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled() or spy.ended[-1] == "work"
    assert spy.begun.count("work") == (spy.ended + spy.cancelled).count("work")
    await blocker
    assert await runner.submit(value(1)) == 1
    assert runner.stats().running == runner.stats().waiting == 0


async def test_cancelled_caller_goes_on_when_the_job_has_cleaned_up() -> None:
    order = []

    async def job() -> None:
        try:
            await forever()
        finally:
            await turns(3)
            order.append("job")

    runner = AsyncRunner()
    task = asyncio.create_task(runner.submit(job()))
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    order.append("caller")

    assert order == ["job", "caller"]


async def test_cancellation_that_a_job_keeps_to_itself_is_not_lost() -> None:
    async def stubborn() -> str:
        try:
            await forever()
        except asyncio.CancelledError:
            return "no"
        return ""

    runner = AsyncRunner()
    task = asyncio.create_task(runner.submit(stubborn()))
    await turns()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_job_that_raises_cancelled_error_does_not_hang_its_caller() -> None:
    async with AsyncRunner(max_workers=1) as runner, asyncio.timeout(PATIENCE):
        with pytest.raises(asyncio.CancelledError):
            await runner.submit(failing(asyncio.CancelledError()))
        assert await runner.submit(value(1)) == 1
    assert runner.stats().cancelled == 1


async def test_each_job_has_a_context_of_its_own() -> None:
    number = contextvars.ContextVar("number", default=0)

    async def job(mine: int) -> int:
        seen = number.get()
        number.set(mine)
        await asyncio.sleep(0)
        return seen

    number.set(5)
    async with AsyncRunner(max_workers=1) as runner:
        assert await runner.submit(job(1)) == 5
        assert await runner.submit(job(2)) == 5
    assert number.get() == 5


async def test_inline_runs_in_the_task_of_the_caller_if_a_slot_is_free() -> None:
    async def where() -> asyncio.Task[Any] | None:
        return asyncio.current_task()

    async with AsyncRunner(max_workers=1) as runner:
        me = asyncio.current_task()
        assert await runner.submit(where(), inline=True) is me
        assert await runner.submit(where(), timeout=9, inline=True) is not me
        blocker = asyncio.create_task(runner.submit(turns(9)))
        await turns(3)
        assert await runner.submit(where(), inline=True) is not me
        await blocker
        with pytest.raises(ValueError, match="odd"):
            await runner.submit(failing(ValueError("odd")), inline=True)
        assert runner.stats().running == 0
    assert runner.stats().failed == 1


@pytest.mark.parametrize("inline", [False, True])
async def test_job_may_use_its_own_runner(inline: bool) -> None:
    runner = AsyncRunner(max_workers=1)

    async def depth(left: int) -> int:
        if not left:
            return 0
        return 1 + await runner.submit(depth(left - 1), inline=inline)

    async def wide() -> list[int]:
        return await runner.gather([depth(2), depth(1)])

    async with asyncio.timeout(PATIENCE):
        assert await runner.submit(depth(5), inline=inline) == 5
        assert await runner.submit(wide(), inline=inline) == [2, 1]
        assert await runner.gather([depth(3), wide()]) == [3, [2, 1]]
        assert await runner.map(depth, [1, 2, 3]).collect() == [1, 2, 3]
    assert runner.stats().running == 0


# --- limits of time


@pytest.mark.virtual_clock
async def test_timeout_counts_from_the_begin_of_the_job() -> None:
    async with AsyncRunner(max_workers=1) as runner:
        first = asyncio.create_task(runner.submit(asyncio.sleep(50)))
        await turns()
        begun = asyncio.get_running_loop().time()
        with pytest.raises(TimeoutError, match="the job took longer than 5 s"):
            await runner.submit(asyncio.sleep(60), timeout=5)
        assert asyncio.get_running_loop().time() - begun == 55
        await first
    assert runner.stats().failed == 1


@pytest.mark.virtual_clock
async def test_deadline_counts_from_the_call() -> None:
    spy = Spy()
    async with AsyncRunner(max_workers=1) as runner:
        first = asyncio.create_task(runner.submit(asyncio.sleep(50)))
        await turns()
        begun = asyncio.get_running_loop().time()
        with pytest.raises(TimeoutError, match="not done within 5 s, waiting included"):
            await runner.submit(spy.job(), deadline=5)
        assert asyncio.get_running_loop().time() - begun == 5
        with pytest.raises(TimeoutError, match="longer than 7 s"):
            await runner.submit(asyncio.sleep(60), timeout=7, deadline=60)
        await first
    assert spy.begun == []


@pytest.mark.virtual_clock
async def test_timed_out_job_has_ended() -> None:
    cleaned = []

    async def job() -> None:
        try:
            await forever()
        finally:
            await asyncio.sleep(1)
            cleaned.append(True)

    async with AsyncRunner() as runner:
        with pytest.raises(TimeoutError):
            await runner.submit(job(), timeout=2)
        assert cleaned


async def test_timeout_error_of_the_job_itself_is_passed_on() -> None:
    error = TimeoutError("of the database")
    async with AsyncRunner() as runner:
        with pytest.raises(TimeoutError, match="of the database"):
            await runner.submit(failing(error), timeout=9, deadline=9)


@pytest.mark.virtual_clock
async def test_async_timeout_tells_its_limit() -> None:
    async with async_timeout(5.0):
        await asyncio.sleep(4)
    async with async_timeout(None):
        await asyncio.sleep(4)
    with pytest.raises(TimeoutError, match=r"it took longer than 0\.5 s"):
        async with async_timeout(0.5):
            await asyncio.sleep(1)
    with pytest.raises(TimeoutError, match="inner"):
        async with async_timeout(5):
            raise TimeoutError("inner")
    with pytest.raises(ConfigurationError, match="seconds='5'"):
        async_timeout("5")  # type: ignore[arg-type]


async def test_async_timeout_lets_a_cancellation_through() -> None:
    async def work() -> None:
        async with async_timeout(99):
            await forever()

    task = asyncio.create_task(work())
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# --- ends


async def test_leaving_the_block_waits_for_queued_jobs_too() -> None:
    spy = Spy()

    async with AsyncRunner(max_workers=2) as runner:
        tasks = [asyncio.create_task(runner.submit(spy.job(n, 5))) for n in range(6)]
        await turns(2)

    assert spy.ended == list(range(6))
    assert [await task for task in tasks] == list(range(6))


async def test_error_in_the_block_cancels_what_runs_and_waits() -> None:
    spy = Spy()
    tasks = []

    with pytest.raises(ValueError, match="odd"):
        async with AsyncRunner(max_workers=2) as runner:
            tasks = [
                asyncio.create_task(runner.submit(spy.job(n, 99))) for n in range(5)
            ]
            tasks.append(asyncio.create_task(runner.gather([spy.job(n) for n in "ab"])))
            await turns()
            raise ValueError("odd")

    assert spy.running == 0
    assert spy.ended == []
    for task in tasks:
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("wait", [True, False])
async def test_shutdown_resolves_every_submit(wait: bool) -> None:
    spy = Spy()
    scheduler = TaskScheduler(max_concurrent=2)
    await scheduler.start()
    tasks = [asyncio.create_task(scheduler.submit(spy.job(n, 5))) for n in range(6)]
    await turns(2)

    async with asyncio.timeout(PATIENCE):
        await scheduler.shutdown(wait=wait)

    ended = [await asyncio.wait([task]) and task.cancelled() for task in tasks]
    assert ended == [not wait] * 6
    assert len(spy.ended) == (6 if wait else 0)
    assert scheduler.stats().running == scheduler.stats().waiting == 0


async def test_cancelled_shutdown_cancels_the_jobs_and_goes_on() -> None:
    spy = Spy()
    runner = AsyncRunner(max_workers=1)
    jobs = [asyncio.create_task(runner.submit(spy.job(n, 99))) for n in range(3)]
    await turns()
    ending = asyncio.create_task(runner.shutdown())
    await turns()
    ending.cancel()

    with pytest.raises(asyncio.CancelledError):
        await ending
    await asyncio.wait(jobs)
    assert all(job.cancelled() for job in jobs)
    assert spy.running == 0


async def test_nothing_is_accepted_before_start_and_after_shutdown() -> None:
    scheduler = TaskScheduler()
    with pytest.raises(NotRunningError, match=r"call start\(\) first"):
        await scheduler.submit(value(1))
    await scheduler.start()
    assert await scheduler.submit(value(1)) == 1
    await scheduler.shutdown()
    with pytest.raises(NotRunningError, match="shut down"):
        await scheduler.submit(value(1))

    async with AsyncRunner() as runner:
        pass
    for call in (runner.gather([value(1)]), runner.map(value, [1]).collect()):
        with pytest.raises(NotRunningError, match="shut down"):
            await call  # type: ignore[misc]
    async with runner:
        assert await runner.submit(value(2)) == 2
    gc.collect()  # no coroutine was left unawaited: that would be a warning


async def test_job_cannot_shut_down_its_own_runner() -> None:
    async with AsyncRunner() as runner:
        with pytest.raises(RuntimeError, match="it would wait for itself"):
            await runner.submit(runner.shutdown())
        assert await runner.submit(value(1)) == 1


async def test_many_who_gave_up_are_forgotten() -> None:
    runner = AsyncRunner(max_workers=1)
    blocker = asyncio.create_task(runner.submit(forever()))
    for _ in range(20):
        tasks = [asyncio.create_task(runner.submit(value(n))) for n in range(100)]
        await turns()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    assert sum(len(queue) for queue in runner.slots._queues) < 100
    assert runner.stats().waiting == 0
    blocker.cancel()
    await asyncio.wait([blocker])


# --- arguments


@pytest.mark.parametrize("number", [0, -1, 2.5, True, "4"])
def test_max_workers_out_of_range_is_named(number: Any) -> None:
    with pytest.raises(ConfigurationError, match="max_workers="):
        AsyncRunner(max_workers=number)
    with pytest.raises(ConfigurationError, match="max_concurrent="):
        TaskScheduler(max_concurrent=number)


def test_max_workers_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert AsyncRunner().max_workers == 10
    monkeypatch.setenv("SPECIFY_ASYNC_WORKERS", "4")
    assert AsyncRunner().max_workers == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"priority": 7}, r"priority=7: expected a TaskPriority \(CRITICAL 0"),
        ({"timeout": 0}, "timeout=0: expected seconds"),
        ({"timeout": "1"}, "timeout='1': expected seconds"),
        ({"deadline": -1}, "deadline=-1: expected seconds"),
    ],
)
async def test_option_out_of_range_is_named(
    options: dict[str, Any], message: str
) -> None:
    async with AsyncRunner() as runner:
        with pytest.raises(ConfigurationError, match=message):
            await runner.submit(value(1), **options)


async def test_number_of_a_priority_will_do() -> None:
    async with AsyncRunner() as runner:
        assert await runner.submit(value(1), 0) == 1  # type: ignore[arg-type]


async def test_what_is_no_coroutine_is_named() -> None:
    task = asyncio.create_task(value(1))
    async with AsyncRunner() as runner:
        with pytest.raises(TypeError, match=r"call it, value\(\.\.\.\)"):
            await runner.submit(value)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="a task or future, which runs by itself"):
            await runner.submit(task)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="got int: 3"):
            await runner.submit(3)  # type: ignore[arg-type]
    await task


# --- what can be seen from outside


async def test_stats_count_what_was_done() -> None:
    gate = asyncio.Event()
    runner = AsyncRunner(max_workers=2)
    tasks = [asyncio.create_task(runner.submit(gate.wait())) for _ in range(5)]
    await turns()
    now = runner.stats()
    assert (now.max_concurrent, now.running, now.waiting) == (2, 2, 3)
    tasks[-1].cancel()
    gate.set()
    await asyncio.wait(tasks)
    with pytest.raises(ValueError, match="odd"):
        await runner.submit(failing(ValueError("odd")))

    now = runner.stats()
    assert (now.submitted, now.completed, now.failed, now.cancelled) == (6, 4, 1, 1)
    assert (now.running, now.waiting) == (0, 0)


async def test_jobs_are_spans_and_are_counted() -> None:
    recorded = Recorded()

    async with AsyncRunner() as runner:
        await runner.submit(value(1), TaskPriority.HIGH)
        with pytest.raises(ValueError, match="odd"):
            await runner.submit(failing(ValueError("odd")), timeout=9)
        await runner.gather([value(1), value(2)])

    spans = {span.attributes["task"]: span for span in recorded.spans[:2]}
    assert spans["value"].attributes["priority"] == "HIGH"
    assert spans["failing"].status.description == "ValueError: odd"
    assert recorded.span("tasks.gather").attributes == {"number": 2}
    assert len(recorded.spans) == 3  # nothing for each item
    duration = "truthound.task.duration"
    assert recorded.total(duration, priority="HIGH", outcome="completed") == 1
    assert recorded.total(duration, priority="NORMAL", outcome="failed") == 1
    assert recorded.total("truthound.task.wait") == 2


# --- the three functions


def test_async_run_returns_the_result() -> None:
    assert async_run(value(42)) == 42
    with pytest.raises(TypeError, match="call it"):
        async_run(value)  # type: ignore[arg-type]


async def test_async_run_inside_a_loop_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match="await the coroutine instead"):
        async_run(value(1))
    gc.collect()


async def test_background_task_is_held_on_to() -> None:
    done = asyncio.Event()

    async def work() -> None:
        await turns(20)
        done.set()

    async_background(work())
    for _ in range(10):
        gc.collect()
        await turns(1)
    async with asyncio.timeout(PATIENCE):
        await done.wait()


async def test_failure_of_a_background_task_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async_background(failing(ValueError("odd")), name="sweeper")
    cancelled = async_background(forever())
    assert await async_background(value(3)) == 3
    cancelled.cancel()
    await turns()

    (logged,) = caplog.records
    assert logged.getMessage() == "background task sweeper failed"
    assert logged.exc_info is not None
    assert "failing" in caplog.text


def test_background_needs_a_loop_and_a_coroutine() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        async_background(value(1))
    with pytest.raises(TypeError, match="call it"):
        async_background(value)  # type: ignore[arg-type]
    gc.collect()


# --- other loops, and many interleavings


def test_works_with_uvloop() -> None:
    async def main() -> list[Any]:
        spy = Spy()
        async with AsyncRunner(max_workers=2) as runner:
            return [
                await runner.gather([spy.job(n, 2) for n in range(5)]),
                await runner.map(value, range(5)).collect(),
                await runner.submit(value(1), TaskPriority.LOW, 9),
            ]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        assert loop.run(main()) == [list(range(5)), list(range(5)), 1]


@given(st.data())
def test_any_program_keeps_the_limit_and_resolves_every_job(
    data: st.DataObject,
) -> None:
    limit = data.draw(st.integers(1, 4), "limit")
    jobs = data.draw(
        st.lists(
            st.tuples(
                st.sampled_from(["submit", "inline", "gather", "map", "nested"]),
                st.sampled_from(TaskPriority),
                st.integers(0, 3),  # turns until it is begun
                st.integers(0, 4),  # turns that it takes
                st.one_of(st.none(), st.integers(0, 8)),  # turns until it is cancelled
            ),
            max_size=12,
        ),
        "jobs",
    )
    wait = data.draw(st.booleans(), "wait")
    stop_after = data.draw(st.integers(0, 25), "stop_after")
    asyncio.run(program(limit, jobs, wait, stop_after))


async def program(limit: int, jobs: list[Any], wait: bool, stop_after: int) -> None:
    spy = Spy()
    runner = AsyncRunner(max_workers=limit)

    async def one(kind: str, level: TaskPriority, before: int, long: int) -> Any:
        await turns(before)
        if kind == "gather":
            return await runner.gather([spy.job(n, long) for n in range(3)])
        if kind == "map":
            return await runner.map(lambda n: spy.job(n, long), range(3)).collect()
        if kind == "nested":
            return await runner.submit(outer(long), level)
        return await runner.submit(spy.job(9, long), level, inline=kind == "inline")

    async def outer(long: int) -> Any:
        return await runner.gather([spy.job(n, long) for n in range(2)])

    async def cancel(task: asyncio.Task[Any], after: int) -> None:
        await turns(after)
        task.cancel()

    async with asyncio.timeout(PATIENCE):
        tasks = [asyncio.create_task(one(*job[:4])) for job in jobs]
        cancels = [
            asyncio.create_task(cancel(task, job[4]))
            for task, job in zip(tasks, jobs, strict=True)
            if job[4] is not None
        ]
        await turns(stop_after)
        await runner.shutdown(wait=wait)
        assert spy.running == 0 or any(job[0] == "inline" for job in jobs)
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*cancels)

    assert spy.peak <= limit
    assert spy.running == 0
    stats = runner.stats()
    assert (stats.running, stats.waiting) == (0, 0)
    assert stats.submitted == stats.completed + stats.failed + stats.cancelled
    for outcome, job in zip(outcomes, jobs, strict=True):
        right = {"gather": [0, 1, 2], "map": [0, 1, 2], "nested": [0, 1]}.get(job[0], 9)
        excused = isinstance(outcome, (asyncio.CancelledError, NotRunningError))
        assert outcome == right or excused, outcome
