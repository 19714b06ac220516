"""`RetryPolicy`: how often, and after how long."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truthound.async_core import RetryPolicy
from truthound.async_core._policy import parse_retry_after
from truthound.errors import ConfigurationError

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Flaky:
    """Fails some times, then returns."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.calls: list[float] = []

    async def __call__(self, answer: int = 7) -> int:
        self.calls.append(asyncio.get_running_loop().time())
        if self.errors:
            raise self.errors.pop(0)
        return answer

    @property
    def waits(self) -> list[float]:
        pairs = zip(self.calls, self.calls[1:], strict=False)
        return [round(after - before, 6) for before, after in pairs]


def test_defaults_are_the_documented_ones() -> None:
    policy = RetryPolicy()
    assert (policy.max_retries, policy.backoff_factor) == (3, 1.0)
    assert policy.retry_statuses == {408, 429, 500, 502, 503, 504}


def test_number_of_retries_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SPECIFY_ASYNC_RETRY_MAX", "9")
    assert RetryPolicy().max_retries == 9
    assert RetryPolicy(max_retries=1).max_retries == 1


@given(st.floats(0, 1e6), st.integers(0, 900))
def test_backoff_is_exactly_the_formula(factor: float, attempt: int) -> None:
    assert RetryPolicy(backoff_factor=factor).get_backoff_delay(attempt) == (
        factor * 2**attempt
    )


def test_backoff_of_any_number_is_a_number() -> None:
    assert RetryPolicy().get_backoff_delay(5_000) == math.inf
    assert RetryPolicy(backoff_factor=0).get_backoff_delay(5_000) == 0


@given(
    st.integers(0, 40),
    st.floats(0, 100),
    st.floats(0, 100),
    st.floats(0, 1),
    st.one_of(st.none(), st.floats(0, 1e9)),
)
def test_wait_is_bounded_and_obeys_the_server(
    attempt: int, factor: float, cap: float, chance: float, asked: float | None
) -> None:
    policy = RetryPolicy(50, factor, max_delay=cap, random=lambda: chance)
    wait = policy.wait(attempt, 0, asked)
    assert wait is not None
    assert 0 <= wait <= cap
    assert wait >= min(cap, policy.get_backoff_delay(attempt)) / 2
    assert wait >= min(cap, asked or 0)


@pytest.mark.virtual_clock
async def test_call_tries_again_and_waits_longer_each_time() -> None:
    flaky = Flaky(OSError("a"), ValueError("b"), OSError("c"))
    assert await RetryPolicy(jitter=False).call(flaky, answer=3) == 3
    assert flaky.waits == [1, 2, 4]


@pytest.mark.virtual_clock
async def test_jitter_takes_off_half_at_most() -> None:
    flaky = Flaky(OSError("a"), OSError("b"))
    await RetryPolicy(random=iter([0.0, 1.0]).__next__).call(flaky)
    assert flaky.waits == [1, 1]  # of 1 and of 2


@pytest.mark.virtual_clock
async def test_last_error_is_raised_when_retries_are_used_up() -> None:
    last = OSError("last")
    flaky = Flaky(OSError("first"), OSError("second"), last, OSError("not tried"))
    with pytest.raises(OSError, match="last") as caught:
        await RetryPolicy(max_retries=2).call(flaky)
    assert caught.value is last
    assert len(flaky.calls) == 3


@pytest.mark.virtual_clock
async def test_only_the_named_exceptions_are_tried_again() -> None:
    policy = RetryPolicy(retry_exceptions=(OSError,))
    flaky = Flaky(OSError("once"), KeyError("never"))
    with pytest.raises(KeyError):
        await policy.call(flaky)
    assert len(flaky.calls) == 2
    with pytest.raises(asyncio.CancelledError):
        await RetryPolicy().call(flaky := Flaky(asyncio.CancelledError()))
    assert len(flaky.calls) == 1


@pytest.mark.virtual_clock
async def test_no_retry_is_begun_after_the_deadline() -> None:
    flaky = Flaky(*[OSError("down")] * 9)
    policy = RetryPolicy(9, jitter=False, deadline=6)
    with pytest.raises(OSError, match="down"):
        await policy.call(flaky)
    assert flaky.waits == [1, 2]  # the next would have begun after 7 seconds


@pytest.mark.virtual_clock
async def test_cancelled_while_it_waits() -> None:
    flaky = Flaky(OSError("down"))
    task = asyncio.create_task(RetryPolicy().call(flaky))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(flaky.calls) == 1


async def test_plain_function_will_do() -> None:
    assert await RetryPolicy().call(max, 3, 4) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_retries": -1}, "max_retries=-1"),
        ({"max_retries": 1.5}, "max_retries=1.5"),
        ({"backoff_factor": -1}, "backoff_factor=-1"),
        ({"backoff_factor": math.inf}, "backoff_factor=inf"),
        ({"backoff_base": 0.5}, "backoff_base=0.5"),
        ({"max_delay": math.nan}, "max_delay=nan"),
        ({"deadline": 0}, "deadline=0"),
        ({"retry_exceptions": (asyncio.CancelledError,)}, "which CancelledError does"),
        ({"retry_exceptions": ("OSError",)}, "expected types"),
    ],
)
def test_option_out_of_range_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        RetryPolicy(**options)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        (" 120 ", 120),
        ("9" * 400, math.inf),
        ((NOW + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT"), 90),
        ("Fri, 20 Nov 2026 12:00:00 GMT", 0),
        ("Sat, 21 Nov 2026 12:00:05 -0000", 5),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("²", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(
    header: str | None, seconds: float | None
) -> None:
    assert parse_retry_after(header, NOW) == seconds


@given(st.text(max_size=40))
def test_any_retry_after_is_taken_or_ignored(text: str) -> None:
    seconds = parse_retry_after(text, NOW)
    assert seconds is None or seconds >= 0
