"""`CircuitBreaker`: when it lets calls through."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry_reader import Recorded
from truthound._clock import Clock
from truthound.async_core import CircuitBreaker, CircuitState
from truthound.async_core.http import CircuitOpenError
from truthound.errors import ConfigurationError

PATIENCE = 10  # seconds, until something counts as hanging


class Watch(Clock):
    """A clock that a test sets."""

    __slots__ = ()
    seconds = 0.0

    def monotonic(self) -> float:
        return type(self).seconds


@pytest.fixture
def watch() -> Watch:
    Watch.seconds = 100.0
    return Watch()


async def good() -> str:
    return "good"


async def bad() -> None:
    raise OSError("down")


async def fail(breaker: CircuitBreaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(OSError, match="down"):
            await breaker.call(bad)


async def test_opens_after_failures_in_a_row(watch: Watch) -> None:
    breaker = CircuitBreaker(failure_threshold=3, clock=watch)
    await fail(breaker, 2)
    assert await breaker.call(good) == "good"
    await fail(breaker, 2)
    assert breaker.state is CircuitState.CLOSED
    await fail(breaker)
    assert breaker.state == "open"
    with pytest.raises(CircuitOpenError, match=r"^Circuit breaker is OPEN$") as caught:
        await breaker.call(good)
    assert isinstance(caught.value, RuntimeError)
    assert caught.value.retry_after == 60


async def test_closes_after_enough_successes(watch: Watch) -> None:
    breaker = CircuitBreaker(1, 60, success_threshold=2, clock=watch)
    await fail(breaker)
    Watch.seconds += 59.9
    assert breaker.state is CircuitState.OPEN
    Watch.seconds += 0.2
    assert breaker.state is CircuitState.HALF_OPEN
    await breaker.call(good)
    assert breaker.state is CircuitState.HALF_OPEN
    await breaker.call(good)
    assert breaker.state is CircuitState.CLOSED


async def test_failed_trial_opens_it_for_another_period(watch: Watch) -> None:
    breaker = CircuitBreaker(5, 60, clock=watch)
    await fail(breaker, 5)
    Watch.seconds += 61
    await fail(breaker)
    assert breaker.state is CircuitState.OPEN
    Watch.seconds += 59
    with pytest.raises(CircuitOpenError):
        await breaker.call(good)


@pytest.mark.parametrize("threshold", [1, 2, 5])
async def test_half_open_lets_no_more_through_than_it_needs(
    watch: Watch, threshold: int
) -> None:
    breaker = CircuitBreaker(1, 60, threshold, clock=watch)
    await fail(breaker)
    Watch.seconds += 61
    gate = asyncio.Event()
    tasks = [asyncio.create_task(breaker.call(gate.wait)) for _ in range(30)]
    await asyncio.sleep(0)
    gate.set()
    async with asyncio.timeout(PATIENCE):
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert outcomes.count(True) == threshold
    assert sum(isinstance(o, CircuitOpenError) for o in outcomes) == 30 - threshold
    assert breaker.state is CircuitState.CLOSED


async def test_cancelled_trial_gives_its_place_back(watch: Watch) -> None:
    breaker = CircuitBreaker(1, 60, 1, clock=watch)
    await fail(breaker)
    Watch.seconds += 61
    task = asyncio.create_task(breaker.call(asyncio.Event().wait))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert breaker.state is CircuitState.HALF_OPEN
    assert await breaker.call(good) == "good"
    assert breaker.state is CircuitState.CLOSED


async def test_outcome_of_an_earlier_period_does_not_count(watch: Watch) -> None:
    breaker = CircuitBreaker(2, 60, 1, clock=watch)
    before = [breaker.enter() for _ in range(4)]
    await fail(breaker, 2)
    breaker.succeeded(before[0])
    breaker.failed(before[1])
    assert breaker.state is CircuitState.OPEN
    Watch.seconds += 61
    assert breaker.state is CircuitState.HALF_OPEN
    breaker.failed(before[2])
    assert breaker.state is CircuitState.HALF_OPEN
    await breaker.call(good)
    breaker.failed(before[3])
    await fail(breaker)
    assert breaker.state is CircuitState.CLOSED


@pytest.mark.parametrize("error", [TypeError("odd"), asyncio.CancelledError()])
async def test_faults_of_the_caller_do_not_count(
    watch: Watch, error: BaseException
) -> None:
    async def wrong() -> None:
        raise error

    breaker = CircuitBreaker(1, clock=watch)
    with pytest.raises(type(error)):
        await breaker.call(wrong)
    assert breaker.state is CircuitState.CLOSED
    with pytest.raises(TypeError):
        await breaker.call(good, "too", "many")
    assert breaker.state is CircuitState.CLOSED
    chosen = CircuitBreaker(1, ignored=(OSError,), clock=watch)
    await fail(chosen)
    assert chosen.state is CircuitState.CLOSED


async def test_plain_function_and_arguments(watch: Watch) -> None:
    breaker = CircuitBreaker(clock=watch)
    assert await breaker.call(sorted, [2, 1], reverse=True) == [2, 1]


async def test_reset_closes_it(watch: Watch) -> None:
    breaker = CircuitBreaker(2, clock=watch)
    await fail(breaker, 2)
    breaker.reset()
    assert breaker.state is CircuitState.CLOSED
    await fail(breaker)
    assert breaker.state is CircuitState.CLOSED
    assert "failure_threshold=2" in repr(breaker)


async def test_changes_are_counted_and_logged(
    watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    recorded = Recorded()
    breaker = CircuitBreaker(1, name="warehouse", clock=watch)
    await fail(breaker)
    assert recorded.total("truthound.breaker.changes", name="warehouse", to="open") == 1
    assert "circuit breaker warehouse: closed -> open" in caplog.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"failure_threshold": 0}, "failure_threshold=0"),
        ({"recovery_timeout": -1}, "recovery_timeout=-1"),
        ({"success_threshold": 1.5}, "success_threshold=1.5"),
    ],
)
def test_option_out_of_range_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        CircuitBreaker(**options)


@given(
    st.integers(1, 3),
    st.integers(1, 3),
    st.lists(st.sampled_from(["enter", "good", "bad", "left", "wait"]), max_size=40),
)
def test_any_program_keeps_to_the_rules(
    failures: int, successes: int, steps: list[str]
) -> None:
    Watch.seconds = 0.0
    breaker = CircuitBreaker(failures, 10, successes, clock=Watch())
    under_way: list[tuple[int, CircuitState]] = []
    for step in steps:
        state = breaker.state
        if step == "wait":
            Watch.seconds += 6
        elif step == "enter":
            try:
                under_way.append((breaker.enter(), state))
            except CircuitOpenError:
                assert state is not CircuitState.CLOSED
            else:
                assert state is not CircuitState.OPEN
        elif under_way:
            period, _ = under_way.pop(0)
            {"good": breaker.succeeded, "bad": breaker.failed}.get(step, breaker.left)(
                period
            )
        if breaker.state is CircuitState.HALF_OPEN:
            trials = [p for p, s in under_way if p == breaker._period]
            assert len(trials) <= breaker._places <= successes
    Watch.seconds += 11
    while breaker.state is not CircuitState.CLOSED:  # it can always be closed
        for period, _ in under_way:
            breaker.left(period)
        under_way.clear()
        breaker.succeeded(breaker.enter())
