"""Actions, adapters, strategies and decorators."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import Act, Block, Watched, checkpoint
from truthound.checkpoint import ActionResult, ActionStatus, CheckpointResult
from truthound.checkpoint.async_base import (
    ActionConfig,
    AsyncBaseAction,
    AsyncExecutionContext,
    BaseAction,
    ConcurrentStrategy,
    NotifyCondition,
    PipelineStrategy,
    SequentialStrategy,
    SyncActionAdapter,
    adapt_to_async,
    with_retry,
    with_semaphore,
    with_timeout,
)
from truthound.errors import ActionError, ConfigurationError

RESULT: CheckpointResult = checkpoint().run()


# ------------------------------------------------------------------- options


@dataclass
class MailConfig(ActionConfig):
    address: str = ""
    password: str = ""


class Mail(AsyncBaseAction[MailConfig]):
    action_type = "mail"

    async def _execute_async(self, checkpoint_result: Any) -> ActionResult:
        return self.result("success", self.address)


class Nightly(AsyncBaseAction[MailConfig]):
    action_type = "nightly"

    @classmethod
    def _default_config(cls) -> MailConfig:
        return MailConfig(address="night@example.org", retry_count=2)


def test_options_are_attributes() -> None:
    mail = Mail(address="a@example.org", name="post")

    assert mail.address == mail.config.address == mail._config.address
    assert (mail.name, Mail().name) == ("post", "mail")
    with pytest.raises(AttributeError, match="Mail has no attribute 'adress'"):
        mail.adress  # noqa: B018 - the point of it


def test_default_config_is_where_options_begin() -> None:
    assert Nightly().address == "night@example.org"
    changed = Nightly(retry_count=5)
    assert (changed.address, changed.config.retry_count) == ("night@example.org", 5)
    config = MailConfig(address="x")
    assert Nightly(config).config is config
    assert Nightly(config, address="y").address == "y"


def test_class_without_a_config_takes_any_option() -> None:
    act = Act(url="https://example.org", retry_count=1)

    assert act.url == act._config.url == "https://example.org"
    assert act.config.retry_count == 1


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"adress": "x"}, TypeError, "did you mean 'address'"),
        ({"notify_on": "failur"}, ValueError, "did you mean 'failure'"),
        ({"retry_count": -1}, ValueError, "retry_count"),
        ({"retry_count": 1.5}, ValueError, "retry_count"),
        ({"timeout_seconds": -1}, ValueError, "timeout_seconds"),
        ({"retry_delay_seconds": float("nan")}, ValueError, "retry_delay_seconds"),
        ({"config": {"address": "x"}}, TypeError, "config is a MailConfig, not dict"),
    ],
)
def test_wrong_options_are_refused(options: Any, kind: Any, words: str) -> None:
    with pytest.raises(kind, match=words):
        Mail(**options)


def test_config_class_without_its_decorator_is_told() -> None:
    class Forgotten(ActionConfig):
        url: str = ""

    class Uses(AsyncBaseAction[Forgotten]):
        action_type = "uses"

    with pytest.raises(TypeError, match="needs @dataclass above it"):
        Uses(url="x")


def test_repr_shows_no_secret() -> None:
    mail = Mail(address="https://u:hunter2@example.org", password="hunter2")
    assert "hunter2" not in repr(mail) + repr(mail.config)
    assert "address=" in repr(mail.config)


@pytest.mark.parametrize("condition", NotifyCondition)
@pytest.mark.parametrize("status", ["success", "warning", "failure", "error"])
def test_notify_on(condition: NotifyCondition, status: str) -> None:
    wanted = {
        "always": {"success", "warning", "failure", "error"},
        "failure_or_error": {"failure", "error"},
        "not_success": {"warning", "failure", "error"},
    }.get(condition.value, {condition.value})
    assert condition.should_notify(status) == (status in wanted)


# ------------------------------------------------------------------ attempts


async def test_skipped_unless_notify_on_says_yes() -> None:
    act = Act(notify_on="failure")
    ended = await act.execute_async(RESULT)
    assert (ended.status, ended.message) == ("skipped", "notify_on failure")
    ended = await Act(enabled=False).execute_async(RESULT)
    assert (ended.status, ended.message) == ("skipped", "it is disabled")
    assert act.watched.begun == []


@pytest.mark.virtual_clock
async def test_error_is_tried_again_with_growing_waits() -> None:
    """The original retried what was raised, never a result that says error."""
    act = Act(
        ends_as=["error", OSError("down"), "success"],
        retry_count=5,
        retry_delay_seconds=8,
    )

    ended = await act.execute_async(RESULT)

    assert ended.status == "success"
    assert ended.details == {"attempts": 3}
    waits = [s for s in asyncio.get_running_loop().slept if s]  # type: ignore[attr-defined]
    assert len(waits) == 2
    assert 4 <= waits[0] <= 8 <= waits[1] <= 16


@pytest.mark.virtual_clock
async def test_last_error_says_how_often() -> None:
    ended = await Act(ends_as=OSError("down"), retry_count=2).execute_async(RESULT)

    assert ended.status == "error"
    assert ended.message == "Failed after 3 attempts"
    assert ended.error == "OSError: down"
    assert ended.started_at is not None
    assert ended.completed_at >= ended.started_at  # type: ignore[operator]


@pytest.mark.virtual_clock
async def test_other_side_says_when() -> None:
    act = Act(ends_as=[ActionError("busy", retry_after=42), "success"], retry_count=1)
    await act.execute_async(RESULT)
    assert max(asyncio.get_running_loop().slept) == 42  # type: ignore[attr-defined]


async def test_what_will_not_change_is_not_tried_again() -> None:
    act = Act(ends_as=ActionError("no such channel", is_final=True), retry_count=3)
    ended = await act.execute_async(RESULT)
    assert (ended.error, len(act.watched.begun)) == ("no such channel", 1)


@pytest.mark.virtual_clock
async def test_each_attempt_has_its_time() -> None:
    act = Act(seconds=100, timeout_seconds=5, retry_count=1, retry_delay_seconds=0)
    ended = await act.execute_async(RESULT)
    assert ended.error == "Action timed out after 5 s"
    assert len(act.watched.begun) == 2
    assert act.watched.ended == []


async def test_stray_cancellation_is_the_actions_error() -> None:
    ended = await Act(ends_as=asyncio.CancelledError("odd")).execute_async(RESULT)
    assert ended.error == "the action raised CancelledError(odd)"


async def test_wrong_answer_is_an_error() -> None:
    class Silent(AsyncBaseAction):
        action_type = "silent"

        async def _execute_async(self, checkpoint_result: Any) -> Any:
            return None

    ended = await Silent().execute_async(RESULT)
    assert "returned None, expected an ActionResult" in (ended.error or "")


async def test_cancellation_goes_through() -> None:
    act = Act(seconds=60, retry_count=3)
    task = asyncio.create_task(act.execute_async(RESULT))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (len(act.watched.begun), act.watched.ended) == (1, [])


# ------------------------------------------------------------------- adapter


async def test_blocking_action_runs_on_a_thread() -> None:
    seen = []

    class Where(BaseAction):
        action_type = "where"

        def _execute(self, checkpoint_result: Any) -> ActionResult:
            seen.append(threading.current_thread().name)
            return self.result("success")

    adapter = adapt_to_async(Where(name="w"))
    ended = await adapter.execute_async(RESULT)

    assert ended.success
    assert (adapter.name, adapter.action_type) == ("w", "async_where")
    assert seen[0].startswith("truthound-action")


async def test_executor_of_the_caller_is_used() -> None:
    with ThreadPoolExecutor(1, "mine") as executor:

        class Where(BaseAction):
            action_type = "where"

            def _execute(self, checkpoint_result: Any) -> ActionResult:
                return self.result("success", threading.current_thread().name)

        ended = await adapt_to_async(Where(), executor=executor).execute_async(RESULT)
        assert ended.message.startswith("mine")
        context = AsyncExecutionContext(executor=executor)
        (ended,) = await SequentialStrategy().execute([Where()], RESULT, context)
        assert ended.message.startswith("mine")


async def test_timed_out_thread_is_not_started_again() -> None:
    """h14: the original began it anew with each retry, beside the ones that hung."""
    block = Block(seconds=0.4, timeout_seconds=0.05, retry_count=3)
    began = time.monotonic()

    ended = await adapt_to_async(block).execute_async(RESULT)

    assert ended.error == "Action timed out after 0.05 s"
    assert block.calls == 1
    assert time.monotonic() - began < 2
    await asyncio.sleep(0.4)  # until the thread has ended, too


def test_hung_action_does_not_hold_up_the_end() -> None:
    """h17: 25 seconds in the original, whose pool was joined at exit."""
    code = (
        "import asyncio, sys, time\n"
        "from truthound.checkpoint.async_base import BaseAction, adapt_to_async\n"
        "from truthound.checkpoint import Checkpoint\n"
        "import polars as pl\n"
        "class Hang(BaseAction):\n"
        "    action_type = 'hang'\n"
        "    def _execute(self, result):\n"
        "        time.sleep(25)\n"
        "cp = Checkpoint('c', data_source=pl.DataFrame({'a': [1]}),"
        " validators=['null'], actions=[Hang(timeout_seconds=0.2)])\n"
        "print(cp.run().action_results[0].error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, timeout=15, check=True,
    )  # fmt: skip
    assert done.stdout == "Action timed out after 0.2 s\n"


async def test_own_execute_is_called_as_it_is() -> None:
    class Own(BaseAction):
        action_type = "own"

        def execute(self, checkpoint_result: Any) -> ActionResult:
            return self.result("success", "my own way")

    ended = await adapt_to_async(Own()).execute_async(RESULT)
    assert ended.message == "my own way"


def test_blocking_action_can_be_called_anywhere() -> None:
    assert Block().execute(RESULT).success


@pytest.mark.parametrize(
    ("given", "hint"),
    [(3, "got int"), (Act, r"make one of the class, Act\(...\)"),
     (lambda result: None, "CustomAction")],
)  # fmt: skip
def test_what_is_no_action_is_refused(given: Any, hint: str) -> None:
    with pytest.raises(TypeError, match=hint):
        adapt_to_async(given)
    with pytest.raises(TypeError, match="expected an action"):
        checkpoint(actions=[given])


def test_adapting_twice_is_adapting_once() -> None:
    act, block = Act(), adapt_to_async(Block())
    assert adapt_to_async(act) is act
    assert adapt_to_async(block) is block
    assert isinstance(block, SyncActionAdapter)


# ---------------------------------------------------------------- strategies


STRATEGIES = st.one_of(
    st.just(SequentialStrategy()),
    st.builds(ConcurrentStrategy, st.one_of(st.none(), st.integers(1, 4))),
)


@given(
    st.lists(st.tuples(st.sampled_from(["success", "error", "failure", ValueError()]),
                       st.integers(0, 3)), max_size=7),
    STRATEGIES,
    st.booleans(),
)  # fmt: skip
def test_every_action_has_one_result_in_its_place(
    plan: list[tuple[Any, int]], strategy: Any, cancels: bool
) -> None:
    async def main() -> None:
        watched = Watched()
        actions = [
            Act(f"a{n}", seconds * 0.001, ends_as, watched)
            for n, (ends_as, seconds) in enumerate(plan)
        ]
        context = AsyncExecutionContext(cancel_on_first_error=cancels)

        results = await strategy.execute(actions, RESULT, context)

        assert [r.action_name for r in results] == [a.name for a in actions]
        limit = getattr(strategy, "max_concurrency", 1) or len(plan)
        assert watched.most <= limit
        assert watched.running == 0
        wanted = ["error" if isinstance(e, Exception) else e for e, _ in plan]
        told = [str(r.status) for r in results]
        if not cancels or not {"error", "failure"} & set(wanted):
            assert told == wanted
        else:
            assert all(t in (w, "skipped") for t, w in zip(told, wanted, strict=True))
            assert {"error", "failure"} & set(told)
        if cancels and isinstance(strategy, SequentialStrategy):
            first = next((n for n, w in enumerate(wanted) if w in ("error", "failure")),
                         len(wanted))  # fmt: skip
            assert set(told[first + 1 :]) <= {"skipped"}

    asyncio.run(main())


async def test_running_actions_are_cancelled_after_the_first_error() -> None:
    watched = Watched()
    actions = [Act("slow", 60, watched=watched), Act("bad", 0.01, "failure", watched)]
    context = AsyncExecutionContext(cancel_on_first_error=True)

    results = await ConcurrentStrategy().execute(actions, RESULT, context)

    assert [str(r.status) for r in results] == ["skipped", "failure"]
    assert results[0].message == "not run after bad"
    assert watched.begun == ["slow", "bad"]
    assert watched.ended == ["bad"]


@pytest.mark.virtual_clock
async def test_stages_follow_each_other() -> None:
    watched = Watched()
    actions = [Act(f"a{n}", 5 - n, watched=watched) for n in range(5)]

    await PipelineStrategy([[0, 1], [2], [3, 4]]).execute(actions, RESULT)

    assert watched.ended == ["a1", "a0", "a2", "a4", "a3"]


async def test_later_stages_are_skipped_after_an_error() -> None:
    actions = [Act("a0", ends_as="error"), Act("a1"), Act("a2")]
    context = AsyncExecutionContext(cancel_on_first_error=True)
    results = await PipelineStrategy([[0], [1, 2]]).execute(actions, RESULT, context)
    assert [str(r.status) for r in results] == ["error", "skipped", "skipped"]


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ([[0, 0], [1]], "action 0 is there twice"),
        ([[0], [2]], "action 1 is missing"),
        ([[-1]], "-1 is no place"),
        ([[0.5]], "0.5 is no place"),
        ([0, 1], "expected a list of lists"),
        (3, "expected a list of lists"),
    ],
)
def test_wrong_stages_are_refused(stages: Any, words: str) -> None:
    """h16: the original left actions out, or ran them twice."""
    with pytest.raises(ValueError, match=words):
        PipelineStrategy(stages)


@pytest.mark.parametrize("number", [1, 3])
async def test_stages_for_another_number_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match=f"there are {number}"):
        await PipelineStrategy([[0], [1]]).execute([Act()] * number, RESULT)


@pytest.mark.virtual_clock
async def test_context_limits_the_time_of_those_that_do_not() -> None:
    actions = [Act("free", 100), Act("own", 100, timeout_seconds=50)]
    context = AsyncExecutionContext(timeout=2)

    results = await ConcurrentStrategy().execute(actions, RESULT, context)

    assert [r.error for r in results] == [
        "Action timed out after 2 s",
        "Action timed out after 50 s",
    ]


async def test_semaphore_of_the_context_is_shared() -> None:
    watched = Watched()
    context = AsyncExecutionContext(semaphore=asyncio.Semaphore(2))
    actions = [Act(f"a{n}", 0.01, watched=watched) for n in range(4)]

    async with context:
        await asyncio.gather(
            *(ConcurrentStrategy().execute(actions, RESULT, context) for _ in range(2))
        )

    assert watched.most == 2
    assert len(watched.ended) == 8


async def test_any_kinds_of_actions_go_together() -> None:
    class Plain:
        def execute(self, checkpoint_result: Any) -> ActionResult:
            return ActionResult("plain", "plain", ActionStatus.SUCCESS)

    class Duck:
        name = "duck"

        async def execute_async(self, checkpoint_result: Any) -> ActionResult:
            raise OSError("quack")

    actions = [Plain(), Duck(), Act(), Block(), adapt_to_async(Block("b2"))]
    results = await ConcurrentStrategy().execute(actions, RESULT)
    names = [(r.action_name, str(r.status)) for r in results]
    assert names == [
        ("plain", "success"),
        ("duck", "error"),
        ("act", "success"),
        ("block", "success"),
        ("b2", "success"),
    ]
    assert results[1].error == "OSError: quack"


@pytest.mark.parametrize(
    "strategy",
    [SequentialStrategy(), ConcurrentStrategy(2), PipelineStrategy([[0, 1], [2]])],
    ids=lambda s: type(s).__name__,
)
async def test_cancellation_ends_all_that_run(strategy: Any) -> None:
    watched = Watched()
    actions = [Act(f"a{n}", 60, watched=watched) for n in range(3)]
    task = asyncio.create_task(strategy.execute(actions, RESULT))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert watched.running == 0
    assert watched.ended == []


# ---------------------------------------------------------------- decorators


@pytest.mark.virtual_clock
async def test_with_retry_waits_longer_each_time() -> None:
    calls = []

    @with_retry(max_retries=3, delay=1.0, backoff=2.0, jitter=False)
    async def fetch(number: int, *, unit: str = "s") -> str:
        """Fetch."""
        calls.append(number)
        if len(calls) < 4:
            raise OSError("not yet")
        return f"{number}{unit}"

    assert await fetch(3, unit="h") == "3h"
    assert len(calls) == 4
    assert asyncio.get_running_loop().slept == [1.0, 2.0, 4.0]  # type: ignore[attr-defined]
    assert (fetch.__name__, fetch.__doc__) == ("fetch", "Fetch.")
    assert inspect.iscoroutinefunction(fetch)


@pytest.mark.virtual_clock
async def test_with_retry_stops_at_its_deadline() -> None:
    @with_retry(max_retries=9, delay=1.0, jitter=False, deadline=5)
    async def fail() -> None:
        raise OSError("down")

    with pytest.raises(OSError, match="down"):
        await fail()
    assert asyncio.get_running_loop().slept == [1.0, 2.0]  # type: ignore[attr-defined]


async def test_with_retry_catches_what_it_is_told_to() -> None:
    calls = []

    @with_retry(delay=0, exceptions=(OSError,))
    async def fail() -> None:
        calls.append(1)
        raise KeyError("other")

    with pytest.raises(KeyError):
        await fail()
    assert len(calls) == 1
    with pytest.raises(ConfigurationError):
        with_retry(exceptions=(asyncio.CancelledError,))  # type: ignore[arg-type]


async def test_with_timeout_and_semaphore_go_together() -> None:
    semaphore = asyncio.Semaphore(2)
    watched = Watched()

    @with_semaphore(semaphore)
    @with_timeout(5)
    async def work(number: int) -> int:
        watched.running += 1
        watched.most = max(watched.most, watched.running)
        await asyncio.sleep(0.005)
        watched.running -= 1
        return number

    assert await asyncio.gather(*map(work, range(6))) == list(range(6))
    assert watched.most == 2


@pytest.mark.parametrize("wrong", [0, -1, float("inf"), "3"])
def test_with_timeout_takes_seconds(wrong: Any) -> None:
    with pytest.raises(ValueError, match="seconds"):
        with_timeout(wrong)


def test_decorators_refuse_other_functions() -> None:
    for decorate in (
        with_retry(),
        with_timeout(1),
        with_semaphore(asyncio.Semaphore()),
    ):
        with pytest.raises(TypeError, match="for coroutine functions"):
            decorate(lambda: 3)  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match=r"@with_semaphore\(asyncio.Semaphore\(5\)\)"):
        with_semaphore(lambda: 3)  # type: ignore[arg-type]


def test_object_with_a_coroutine_call_can_be_decorated() -> None:
    class Fetch:
        async def __call__(self, number: int) -> int:
            return number

    fetch: Any = Fetch()
    fetch.__name__ = "fetch"
    assert asyncio.run(with_timeout(1)(fetch)(3)) == 3
