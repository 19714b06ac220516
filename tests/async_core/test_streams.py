from __future__ import annotations

import asyncio
import gc
import inspect
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truthound.async_core import (
    AsyncPipeline,
    AsyncQueue,
    AsyncStream,
    QueueClosed,
    async_batch,
    async_filter,
    async_map,
    async_merge,
    async_window,
)


class Spy:
    """An async source that says how far it was read and whether it was closed."""

    def __init__(self, items: Any, waits: Callable[[int], bool] = lambda _: False):
        self.items, self.waits = items, waits
        self.read = self.closed = self.started = 0
        self.fails_closing: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[Any]:
        self.started += 1
        try:
            for item in self.items:
                if self.waits(self.read):
                    await asyncio.sleep(0)
                self.read += 1
                yield item
        finally:
            self.closed += 1
            await asyncio.sleep(0)
            if self.fails_closing is not None:
                raise self.fails_closing


def endless() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1


async def later(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


def run(main: Awaitable[Any]) -> Any:
    async def empty_at_the_end() -> Any:
        result = await main
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left
        return result

    with asyncio.Runner(debug=True) as runner:
        return runner.run(empty_at_the_end())


# --- laws: a chain of stages is what the list operations are ------------------


def windows(xs: list[Any], size: int, step: int) -> list[Any]:
    return [xs[i : i + size] for i in range(0, len(xs) - size + 1, step)]


def flavour(function: Callable[[Any], Any], kind: str) -> Callable[[Any], Any]:
    async def asynchronous(value: Any) -> Any:
        return await later(function(value))

    if kind == "async":
        return asynchronous
    if kind == "awaitable":
        return lambda value: later(function(value))
    if kind == "sometimes":
        return lambda v: later(function(v)) if hash(str(v)) % 3 else function(v)
    return function


def total(value: Any) -> int:
    return sum(map(total, value)) if isinstance(value, list) else value


FLAVOURS = st.sampled_from(["sync", "sync", "async", "awaitable", "sometimes"])
SIZES = st.integers(1, 5)
Op = tuple[Callable[[AsyncStream[Any]], AsyncStream[Any]], Callable[[list[Any]], Any]]


@st.composite
def operations(draw: st.DrawFn) -> Op:
    kind = draw(FLAVOURS)
    number, step = draw(SIZES), draw(SIZES)
    change = flavour(lambda v: total(v) + number, kind)
    keep = flavour(lambda v: total(v) % number, kind)  # truthy, not bool
    spread = flavour(lambda v: [v] * (total(v) % number), kind)
    ops: dict[str, Op] = {
        "map": (lambda s: s.map(change), lambda x: [total(v) + number for v in x]),
        "at once": (
            lambda s: s.map(change, concurrency=step),
            lambda x: [total(v) + number for v in x],
        ),
        "filter": (
            lambda s: s.filter(keep),
            lambda x: [v for v in x if total(v) % number],
        ),
        "flat_map": (
            lambda s: s.flat_map(spread),
            lambda x: [v for v in x for _ in range(total(v) % number)],
        ),
        "take": (lambda s: s.take(number * 7), lambda x: x[: number * 7]),
        "batch": (
            lambda s: s.batch(number),
            lambda x: [x[i : i + number] for i in range(0, len(x), number)],
        ),
        "window": (
            lambda s: s.window(number, step),
            lambda x: windows(x, number, step),
        ),
    }
    return ops[draw(st.sampled_from(sorted(ops)))]


@given(
    st.lists(operations(), max_size=6),
    st.lists(st.integers(-50, 50), max_size=60),
    st.sampled_from(["list", "tuple", "generator", "async", "waiting", "queue"]),
)
def test_chain_equals_list_operations(
    ops: list[Op], items: list[int], source: str
) -> None:
    async def main() -> None:
        queue = AsyncQueue[int]()
        for item in items:
            queue.put_nowait(item)
        queue.close()
        sources: dict[str, Callable[[], Any]] = {
            "list": lambda: items,
            "tuple": lambda: tuple(items),
            "generator": lambda: (item for item in items),
            "async": lambda: Spy(items),
            "waiting": lambda: Spy(items, lambda n: n % 3 == 1),
            "queue": queue.stream,
        }
        stream, expected = AsyncStream(sources[source]()), items
        for grow, law in ops:
            stream, expected = grow(stream), law(expected)
        assert await stream.collect() == expected

    run(main())


@pytest.mark.parametrize("number", [0, 1, 1023, 1024, 1025, 5000])
async def test_lengths_around_a_chunk(number: int) -> None:
    for source in (list(range(number)), range(number), Spy(range(number))):
        stream = AsyncStream(source).map(lambda x: x + 1).filter(lambda x: x % 2 == 0)
        assert await stream.collect() == [x + 1 for x in range(number) if x % 2]
        assert await AsyncStream(source).count() == number


async def test_reduce_awaits_what_the_function_returns() -> None:
    async def add(so_far: int, item: int) -> int:
        return so_far + await later(item)

    assert await AsyncStream(range(10)).reduce(add, 5) == 50
    assert await AsyncStream(Spy([])).reduce(lambda a, b: a + b, "none") == "none"
    assert await AsyncStream("abc").reduce(lambda a, b: b + a, "") == "cba"


async def test_streams_branch_and_run_anew() -> None:
    numbers = AsyncStream([1, 2, 3]).map(lambda x: x * 2)
    big, small = numbers.filter(lambda x: x > 2), numbers.filter(lambda x: x < 6)

    assert await big.collect() == [4, 6]
    assert await small.collect() == [2, 4]
    assert await big.count() == 2
    assert [x async for x in numbers] == [2, 4, 6]


async def test_function_may_return_an_awaitable_now_and_then() -> None:
    calls: list[int] = []

    def change(x: int) -> Any:
        calls.append(x)
        return later(-x) if x % 100 == 7 else x

    stream = AsyncStream(range(3000)).map(change).filter(lambda x: later(x % 2))
    expected = [-x if x % 100 == 7 else x for x in range(3000)]
    assert await stream.collect() == [x for x in expected if x % 2]
    assert calls == list(range(3000))


# --- laziness and reading ahead -----------------------------------------------


async def test_nothing_runs_before_iteration() -> None:
    source, calls = Spy(range(5)), []
    stream = AsyncStream(source).map(calls.append).batch(2).window(2)
    stream = async_merge(stream, AsyncStream(source).map(calls.append, concurrency=2))
    await asyncio.sleep(0)

    assert not source.started
    assert not calls


@pytest.mark.parametrize(
    ("grow", "read"),
    [
        (lambda s: s, 6),
        (lambda s: s.map(later).filter(lambda x: True), 6),
        (lambda s: s.map(later, concurrency=4), 6),
        (lambda s: s.batch(10), 60),
        (lambda s: s.window(4, 3), 4 + 5 * 3),
        (lambda s: s.flat_map(lambda x: [x, x]), 3),
    ],
    ids=["bare", "map", "at once", "batch", "window", "flat_map"],
)
async def test_take_reads_no_more_than_it_needs(grow: Any, read: int) -> None:
    source = Spy(range(1000))
    assert len(await grow(AsyncStream(source)).take(6).collect()) == 6
    assert source.read == read
    assert source.closed == 1


async def test_take_of_nothing_reads_nothing() -> None:
    source = Spy(range(5))
    assert await AsyncStream(source).take(0).collect() == []
    assert not source.started


async def test_slow_consumer_finds_little_read_ahead() -> None:
    source = Spy(endless(), lambda n: n % 50 == 0)
    async with aclosing(aiter(AsyncStream(source))) as items:
        seen = 0
        async for _ in items:
            seen += 1
            await asyncio.sleep(0.006)
            assert source.read <= seen + 2
            if seen == 20:
                break


async def test_at_most_a_chunk_is_read_ahead() -> None:
    source = Spy(endless())
    async with aclosing(aiter(AsyncStream(source).map(lambda x: x))) as items:
        async for item in items:
            assert source.read - item <= 1024
            if item == 20_000:
                break
    assert source.closed == 1


async def test_item_is_delivered_while_the_source_waits() -> None:
    gate = asyncio.Event()

    async def source() -> AsyncIterator[int]:
        for number in range(3000):
            if number == 2500:
                await gate.wait()
            yield number

    stream = AsyncStream(source()).map(lambda x: x).filter(lambda x: True).window(1)
    seen = []
    async with asyncio.timeout(5):
        async for (item,) in stream:
            seen.append(item)
            if item == 2499:
                assert not gate.is_set()
                gate.set()  # nobody else does: a held back item would hang
    assert seen == list(range(3000))


async def test_result_of_a_function_is_delivered_before_the_next_call_waits() -> None:
    gates = [asyncio.Event() for _ in range(5)]

    async def change(x: int) -> int:
        await gates[x].wait()
        return x

    gates[0].set()
    async with asyncio.timeout(5):
        async for item in AsyncStream(range(5)).map(change):
            if item < 4:
                gates[item + 1].set()


async def test_others_run_while_a_stream_works() -> None:
    turns = 0

    async def tick() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def work(_: int) -> None:
        end = time.perf_counter() + 0.001
        while time.perf_counter() < end:
            pass

    ticker = asyncio.create_task(tick())
    await AsyncStream(range(50_000)).map(lambda x: x).count()
    after_numbers = turns
    await AsyncStream(range(60)).map(work).count()
    after_work = turns
    await AsyncStream([0]).flat_map(lambda _: range(50_000)).count()
    ticker.cancel()
    with suppress(asyncio.CancelledError):
        await ticker

    assert after_numbers >= 40
    assert after_work - after_numbers >= 5
    assert turns - after_work >= 40


# --- closing ------------------------------------------------------------------

GROWN: dict[str, Callable[[AsyncStream[Any]], AsyncStream[Any]]] = {
    "bare": lambda s: s,
    "map": lambda s: s.map(lambda x: x).filter(lambda x: True).map(lambda x: x),
    "async map": lambda s: s.map(later).filter(later_true),
    "at once": lambda s: s.map(later, concurrency=3),
    "unordered": lambda s: s.map(later, concurrency=3, ordered=False),
    "flat_map": lambda s: s.flat_map(lambda x: Spy([x, x])),
    "take": lambda s: s.take(500),
    "batch": lambda s: s.batch(2),
    "window": lambda s: s.window(2, 3),
    "merge": lambda s: s.merge(range(3)),
}
every_stage = pytest.mark.parametrize("grow", GROWN.values(), ids=GROWN)


async def later_true(_: Any) -> bool:
    return bool(await later(True))


@every_stage
async def test_early_stop_closes_the_source(grow: Any) -> None:
    source = Spy(endless(), lambda n: n % 5 == 3)
    async with aclosing(aiter(grow(AsyncStream(source)))) as items:
        number = 0
        async for _ in items:
            number += 1
            if number == 40:
                break
    assert source.started == source.closed == 1
    assert len(asyncio.all_tasks()) == 1


@every_stage
async def test_bare_break_closes_the_source_soon(grow: Any) -> None:
    source = Spy(endless())
    async for _ in grow(AsyncStream(source)):
        break
    gc.collect()
    for _ in range(20):
        await asyncio.sleep(0)
    assert source.started == source.closed == 1
    assert len(asyncio.all_tasks()) == 1


@every_stage
async def test_error_of_a_function_closes_the_source(grow: Any) -> None:
    def fail(x: Any) -> Any:
        if total(x if isinstance(x, list) else [x]) > 20:
            raise LookupError("too large")
        return x

    source = Spy(endless(), lambda n: n % 5 == 3)
    with pytest.raises(LookupError, match="too large") as caught:
        await grow(AsyncStream(source)).map(fail).collect()

    assert source.closed == 1
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names[-1] == "fail"


@every_stage
async def test_error_of_the_source_is_raised_after_its_items(grow: Any) -> None:
    def items(fails: bool) -> Iterator[int]:
        yield from range(9)
        if fails:
            raise LookupError("gone")

    whole = await grow(AsyncStream(Spy(items(False)))).collect()
    seen = []
    with pytest.raises(LookupError, match="gone") as caught:
        async for item in grow(AsyncStream(Spy(items(True)))):
            seen.append(item)  # noqa: PERF401 - kept although an error ends the loop

    # A batch that is not full is not delivered when an error comes.
    assert (
        seen == whole if isinstance(whole[0], int) else seen == whole[:4][: len(seen)]
    )
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names[-1] == "items"


async def test_sync_generator_is_closed() -> None:
    closed = []

    def numbers() -> Iterator[int]:
        try:
            yield from endless()
        finally:
            closed.append(True)

    assert await AsyncStream(numbers()).take(3).collect() == [0, 1, 2]
    assert closed == [True]


async def test_items_before_an_error_are_delivered() -> None:
    seen: list[int] = []

    def fail(x: int) -> int:
        if x == 700:
            raise LookupError(x)
        return x

    with pytest.raises(LookupError):
        async for item in AsyncStream(range(5000)).map(fail).filter(lambda _: True):
            seen.append(item)  # noqa: PERF401 - kept although an error ends the loop
    assert seen == list(range(700))


async def test_ordered_results_before_an_error_are_delivered() -> None:
    async def work(x: int) -> int:
        for _ in range(10 - x):
            await asyncio.sleep(0)
        if x == 4:
            raise LookupError(x)
        return x

    seen = []
    with pytest.raises(LookupError):
        async for item in AsyncStream(range(9)).map(work, concurrency=5):
            seen.append(item)  # noqa: PERF401 - kept although an error ends the loop
    assert seen == [0, 1, 2, 3]


@pytest.mark.parametrize("stop", [StopIteration, StopAsyncIteration])
@pytest.mark.parametrize("concurrency", [1, 2])
async def test_stop_iteration_of_a_function_does_not_end_the_stream_quietly(
    stop: type[Exception], concurrency: int
) -> None:
    def fail(_: int) -> int:
        raise stop

    with pytest.raises(RuntimeError):
        await AsyncStream([1]).map(fail, concurrency=concurrency).collect()


async def test_error_while_closing_is_raised() -> None:
    source = Spy(endless())
    source.fails_closing = LookupError("cannot close")
    with pytest.raises(LookupError, match="cannot close"):
        await AsyncStream(source).map(later).take(1).collect()


async def test_error_while_closing_does_not_replace_a_cancellation() -> None:
    reported: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: reported.append(context["exception"])
    )
    source = Spy(endless())
    source.fails_closing = LookupError("cannot close")
    task = asyncio.create_task(
        AsyncStream(source).map(lambda x: asyncio.sleep(9)).collect()
    )
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [str(error) for error in reported] == ["cannot close"]


async def test_stray_cancelled_error_of_a_source_does_not_end_the_stream_quietly() -> (
    None
):
    async def source() -> AsyncIterator[int]:
        yield 1
        raise asyncio.CancelledError("stray")

    for stream in (AsyncStream(source()), async_merge(source())):
        with pytest.raises(asyncio.CancelledError):
            await stream.collect()


async def test_timeout_inside_a_source_does_not_strike_the_consumer() -> None:
    async def source() -> AsyncIterator[int]:
        for number in range(3):
            try:
                async with asyncio.timeout(0.01):
                    if number:
                        await asyncio.sleep(5)
            except TimeoutError:
                pass
            yield number

    seen = []
    async for item in AsyncStream(source()):
        await asyncio.sleep(0.02)
        seen.append(item)
    assert seen == [0, 1, 2]


# --- cancellation at every await ----------------------------------------------


@every_stage
def test_cancelled_at_each_await(grow: Any) -> None:
    def attempt(cancel_at: int) -> bool:
        """Cancel at a turn of the loop; tell whether it was early enough."""

        async def main() -> bool:
            source = Spy(range(14), lambda n: n % 4 == 2)
            work = grow(AsyncStream(source)).map(later).collect()
            task = asyncio.create_task(work)
            for _ in range(cancel_at):
                await asyncio.sleep(0)
            was_early = not task.done() and task.cancel()
            if was_early:
                with pytest.raises(asyncio.CancelledError):
                    await task
            else:
                await task
            assert source.closed == source.started <= 1
            return was_early

        return bool(run(main()))

    turn = 0
    while attempt(turn):
        turn += 1
    assert turn > 5


@pytest.mark.parametrize("again", [1, 2, 3])
def test_cancelled_again_while_closing(again: int) -> None:
    async def main() -> None:
        async def source() -> AsyncIterator[int]:
            try:
                while True:
                    yield 1
                    await asyncio.sleep(0)
            finally:
                await asyncio.Event().wait()  # hangs until it is cancelled, too

        task = asyncio.create_task(AsyncStream(source()).map(later).collect())
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        for _ in range(again):
            await asyncio.sleep(0)
        task.cancel()
        for _ in range(20):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())


async def test_source_that_keeps_a_cancellation_does_not_hang_the_end() -> None:
    async def stubborn() -> AsyncIterator[int]:
        for number in range(100):
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)
            yield number

    async with asyncio.timeout(5):
        async with aclosing(aiter(async_merge(stubborn(), stubborn()))) as items:
            async for _ in items:
                break


# --- several at once ----------------------------------------------------------


class Gauge:
    """Counts how many run at once."""

    def __init__(self) -> None:
        self.running = self.peak = self.calls = 0

    async def __call__(self, x: int) -> int:
        self.calls += 1
        self.running += 1
        self.peak = max(self.peak, self.running)
        for _ in range(x % 7):
            await asyncio.sleep(0)
        self.running -= 1
        return x


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("limit", [2, 3, 10])
async def test_calls_at_once_are_limited_and_used(limit: int, ordered: bool) -> None:
    gauge, full = Gauge(), asyncio.Event()

    async def call(x: int) -> int:
        if gauge.running + 1 == limit:
            full.set()
        if not full.is_set():  # stay until as many run as may
            gauge.running += 1
            await full.wait()
            gauge.running -= 1
        return await gauge(x)

    stream = AsyncStream(Spy(range(200), lambda n: n % 9 == 0))
    result = await stream.map(call, concurrency=limit, ordered=ordered).collect()

    assert full.is_set()
    assert (result if ordered else sorted(result)) == list(range(200))
    assert gauge.peak <= limit


async def test_unordered_results_come_as_they_are_done() -> None:
    async def wait(x: int) -> int:
        await asyncio.sleep(0.02 * x)
        return x

    stream = AsyncStream([3, 1, 2]).map(wait, concurrency=3, ordered=False)
    assert await stream.collect() == [1, 2, 3]


async def test_slow_consumer_holds_up_the_calls() -> None:
    gauge, seen = Gauge(), 0
    stream = AsyncStream(endless()).map(gauge, concurrency=3)
    async with aclosing(aiter(stream)) as items:
        async for _ in items:
            seen += 1
            for _ in range(20):
                await asyncio.sleep(0)
            assert gauge.calls <= seen + 2 * 2 * 3
            if seen == 30:
                break


async def test_calls_begin_while_the_source_is_slow() -> None:
    # Each item comes only when the call for the one before has begun.
    begun = asyncio.Event()

    async def source() -> AsyncIterator[int]:
        yield 0
        await begun.wait()
        yield 1

    async def work(x: int) -> int:
        begun.set()
        if x == 0:
            await second.wait()
        else:
            second.set()
        return x

    second = asyncio.Event()
    async with asyncio.timeout(5):
        stream = AsyncStream(source()).map(work, concurrency=2)
        assert await stream.collect() == [0, 1]


# --- merge --------------------------------------------------------------------


@given(st.lists(st.lists(st.integers(), max_size=30), max_size=5))
def test_merge_keeps_all_items_and_each_order(sources: list[list[int]]) -> None:
    tagged = [[(tag, item) for item in items] for tag, items in enumerate(sources)]
    spies = [Spy(t, lambda n, k=k: n % (k + 2) == 0) for k, t in enumerate(tagged)]
    merged = run(async_merge(*spies).collect())
    for tag, items in enumerate(tagged):
        assert [pair for pair in merged if pair[0] == tag] == items


async def test_merge_is_fair() -> None:
    async def forever(name: str) -> AsyncIterator[str]:
        while True:
            yield name

    def names() -> Iterator[str]:
        while True:
            yield "c"

    stream = async_merge(forever("a"), AsyncStream(forever("b")), names())
    taken = await stream.take(9000).collect()
    counts = [taken.count(name) for name in "abc"]
    assert min(counts) > 0.8 * max(counts)
    assert {"a", "b", "c"} <= set(taken[:9])


async def test_merge_delivers_while_another_stream_waits() -> None:
    gate = asyncio.Event()

    async def waiting() -> AsyncIterator[int]:
        await gate.wait()
        yield 2

    seen = []
    async with asyncio.timeout(5):
        async for item in async_merge(waiting(), [1]):
            seen.append(item)
            gate.set()
    assert seen == [1, 2]


async def test_error_in_one_stream_ends_the_merge() -> None:
    async def failing() -> AsyncIterator[int]:
        yield 1
        raise LookupError("gone")

    other = Spy(endless(), lambda n: True)
    with pytest.raises(LookupError, match="gone"):
        await async_merge(failing(), other).collect()
    assert other.closed == 1


# --- pipelines ----------------------------------------------------------------


async def test_stages_make_a_pipeline_and_are_functions() -> None:
    pipeline = AsyncPipeline()
    assert pipeline.add_stage(async_map(lambda x: x * 2)) is pipeline
    pipeline.add_stage(async_filter(lambda x: x > 4))
    rest = AsyncPipeline().add_stage(async_batch(2)).add_stage(async_window(2, 1))
    whole = pipeline.compose(rest)

    assert await pipeline.process([1, 2, 3, 4]) == [6, 8]
    assert await whole.process(Spy(range(7))) == [[[6, 8], [10, 12]]]
    assert len(pipeline.stages) == 2
    assert await async_map(later, concurrency=2)([1, 2]).collect() == [1, 2]
    assert [x async for x in pipeline([3])] == [6]


async def test_pipeline_takes_generator_functions_and_pipelines() -> None:
    async def twice(source: AsyncStream[int]) -> AsyncIterator[int]:
        async for item in source:
            yield item
            yield item

    inner = AsyncPipeline().add_stage(async_map(lambda x: -x))
    pipeline = AsyncPipeline().add_stage(twice).add_stage(inner)
    assert await pipeline.process([1, 2]) == [-1, -1, -2, -2]


# --- queue --------------------------------------------------------------------


async def test_queue_is_bounded_and_in_order() -> None:
    queue = AsyncQueue[int](maxsize=3)
    peak = 0

    async def produce() -> None:
        nonlocal peak
        for number in range(50):
            await queue.put(number)
            peak = max(peak, queue.qsize())
        await queue.close()

    task = asyncio.create_task(produce())
    assert await queue.stream().map(later).collect() == list(range(50))
    await task
    assert peak == 3


async def test_closed_queue_drains_then_refuses() -> None:
    queue = AsyncQueue[int]()
    queue.put_nowait(1)
    queue.put_nowait(2)
    queue.close()
    queue.close()

    assert await queue.get() == 1
    assert queue.get_nowait() == 2
    assert queue.empty()
    for refused in (queue.get(), queue.put(3)):
        with pytest.raises(QueueClosed):
            await refused
    with pytest.raises(QueueClosed):
        queue.get_nowait()
    with pytest.raises(QueueClosed):
        queue.put_nowait(3)


async def test_close_wakes_getters_and_putters() -> None:
    empty, full = AsyncQueue[int](), AsyncQueue[int](1)
    full.put_nowait(0)
    waiting = [asyncio.create_task(empty.get()) for _ in range(3)]
    waiting += [asyncio.create_task(full.put(n)) for n in range(3)]  # type: ignore[arg-type]
    await asyncio.sleep(0)
    empty.close()
    full.close()

    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [QueueClosed] * 6
    assert full.get_nowait() == 0


async def test_putter_woken_by_a_place_is_refused_when_closed_first() -> None:
    queue = AsyncQueue[int](1)
    queue.put_nowait(0)
    putter = asyncio.create_task(queue.put(1))
    await asyncio.sleep(0)
    assert queue.get_nowait() == 0
    queue.close()
    with pytest.raises(QueueClosed):
        await putter
    assert queue.qsize() == 0


async def test_nowait_says_full_and_empty() -> None:
    queue = AsyncQueue[int](1)
    with pytest.raises(asyncio.QueueEmpty):
        queue.get_nowait()
    queue.put_nowait(1)
    assert queue.full()
    assert queue.qsize() == 1
    with pytest.raises(asyncio.QueueFull, match="1 item"):
        queue.put_nowait(2)


@pytest.mark.parametrize("first_put", [True, False])
async def test_item_of_a_cancelled_getter_goes_to_the_next(first_put: bool) -> None:
    queue = AsyncQueue[int]()
    first, second = (asyncio.create_task(queue.get()) for _ in range(2))
    await asyncio.sleep(0)
    if first_put:
        queue.put_nowait(1)
        first.cancel()
    else:
        first.cancel()
        queue.put_nowait(1)
    async with asyncio.timeout(5):
        assert await second == 1
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_place_of_a_cancelled_putter_goes_to_the_next() -> None:
    queue = AsyncQueue[int](1)
    queue.put_nowait(0)
    first, second = (asyncio.create_task(queue.put(n)) for n in (1, 2))
    await asyncio.sleep(0)
    assert await queue.get() == 0
    first.cancel()
    async with asyncio.timeout(5):
        await second
    assert first.cancelled()
    assert [queue.get_nowait()] == [2]
    assert queue.empty()


async def test_nobody_jumps_the_queue() -> None:
    queue = AsyncQueue[int](1)
    queue.put_nowait(0)
    putters = [asyncio.create_task(queue.put(n)) for n in (1, 2)]
    await asyncio.sleep(0)
    assert queue.get_nowait() == 0
    assert queue.full()  # the place is promised
    with pytest.raises(asyncio.QueueFull):
        queue.put_nowait(9)
    assert [await queue.get(), await queue.get()] == [1, 2]
    await asyncio.gather(*putters)


@given(
    st.integers(0, 3),
    st.lists(st.integers(0, 30), max_size=8),
    st.lists(st.integers(0, 30), max_size=8),
)
def test_queue_loses_nothing_under_cancellation(
    maxsize: int, cancel_getters: list[int], cancel_putters: list[int]
) -> None:
    async def main() -> None:
        queue = AsyncQueue[int](maxsize)
        put: list[int] = []
        got: list[int] = []

        async def putter(number: int) -> None:
            await queue.put(number)
            put.append(number)

        async def getter() -> None:
            got.append(await queue.get())

        putters = [asyncio.create_task(putter(n)) for n in range(20)]
        getters = [asyncio.create_task(getter()) for _ in range(12)]
        for turn in range(31):
            for group, turns in ((putters, cancel_putters), (getters, cancel_getters)):
                for at in turns:
                    if at == turn:
                        group[at % len(group)].cancel()
            await asyncio.sleep(0)
        for _ in range(50):
            await asyncio.sleep(0)
        # Nobody waits beside what he waits for.
        assert queue.empty() or all(t.done() for t in getters)
        assert queue.full() or all(t.done() for t in putters)
        queue.close()
        await asyncio.gather(*putters, *getters, return_exceptions=True)
        rest = await queue.stream().collect()
        assert sorted(got + rest) == sorted(put)

    run(main())


async def test_leaving_a_queue_stream_early_leaves_the_rest() -> None:
    queue = AsyncQueue[int]()
    for number in range(10):
        queue.put_nowait(number)
    async with aclosing(aiter(queue.stream().map(lambda x: x))) as items:
        async for item in items:
            if item == 3:
                break
    assert queue.qsize() == 6


# --- refusals -----------------------------------------------------------------


def refusals() -> list[tuple[Callable[[], Any], type[Exception], str]]:
    stream = AsyncStream([1])
    f: Callable[[Any], Any] = lambda x: x  # noqa: E731 - short in a table
    bad: Any = "2"
    return [
        (lambda: AsyncStream(5), TypeError, "iterable.*not int"),  # type: ignore[arg-type]
        (lambda: AsyncStream(endless), TypeError, "call it"),  # type: ignore[arg-type]
        (lambda: async_merge([1], 5), TypeError, "not int"),  # type: ignore[arg-type]
        (lambda: stream.map(bad), TypeError, "function, not str"),
        (lambda: stream.filter(None), TypeError, "function, not NoneType"),  # type: ignore[arg-type]
        (lambda: stream.flat_map(bad), TypeError, "function"),
        (lambda: stream.map(f, concurrency=0), ValueError, "at least 1, not 0"),
        (lambda: stream.map(f, concurrency=bad), TypeError, "whole number, not str"),
        (lambda: stream.map(f, concurrency=True), TypeError, "not bool"),
        (lambda: stream.batch(0), ValueError, "size must be at least 1, not 0"),
        (lambda: stream.batch(-1), ValueError, "not -1"),
        (lambda: stream.window(0), ValueError, "size"),
        (lambda: stream.window(1, 0), ValueError, "step"),
        (lambda: stream.window(1.5), TypeError, "float"),  # type: ignore[arg-type]
        (lambda: stream.take(-1), ValueError, "number"),
        (lambda: AsyncQueue(-1), ValueError, "maxsize"),
        (lambda: async_map(bad), TypeError, "function"),
        (lambda: async_map(f, concurrency=0), ValueError, "concurrency"),
        (lambda: async_filter(bad), TypeError, "function"),
        (lambda: async_batch(0), ValueError, "size"),
        (lambda: async_window(2, 0), ValueError, "step"),
        (lambda: AsyncPipeline().add_stage(bad), TypeError, "function"),
        (lambda: AsyncPipeline().compose(f), TypeError, "add_stage"),  # type: ignore[arg-type]
    ]


@pytest.mark.parametrize("number", range(len(refusals())))
def test_refused_at_once_and_says_what_is_expected(number: int) -> None:
    act, error, message = refusals()[number]
    with pytest.raises(error, match=message):
        act()


async def test_awaitable_is_no_source() -> None:
    coroutine = later([1])
    with pytest.raises(TypeError, match="await it"):
        AsyncStream(coroutine)  # type: ignore[arg-type]
    assert await coroutine == [1]
    with pytest.raises(TypeError, match="await it"):
        AsyncStream(asyncio.get_running_loop().create_future())


async def test_flat_map_refuses_what_cannot_be_iterated() -> None:
    with pytest.raises(TypeError, match=r"function of flat_map\(\).*not int"):
        await AsyncStream([1]).flat_map(lambda x: x).collect()  # type: ignore[arg-type,return-value]


def test_names_are_loaded_when_used() -> None:
    import truthound.async_core as package

    assert sorted(dir(package)) == sorted(package.__all__)
    for name in package.__all__:
        assert inspect.isclass(getattr(package, name)) or callable(
            getattr(package, name)
        )
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        package.nothing  # noqa: B018 - the point of it
