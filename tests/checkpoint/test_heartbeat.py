"""The heartbeat: told when a run begins and how it ends, never in its way."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest

import truthound.async_core.http  # noqa: F401 - imports block a running loop
from on_call_servers import UUID, Healthchecks
from probes import ROWS, WHOLE, checkpoint
from scripted_server import Received, free_port, reply, serving
from truthound.checkpoint import (
    AsyncCheckpoint,
    AsyncCheckpointRunner,
    Checkpoint,
    CheckpointPool,
    CheckpointResult,
)
from truthound.checkpoint._trial import try_action
from truthound.checkpoint.actions import HeartbeatAction
from truthound.checkpoint.async_base import (
    ActionConfig,
    AsyncBaseAction,
    BaseAction,
    RunStart,
)
from truthound.errors import ConfigurationError
from truthound.store import Store

GOOD: CheckpointResult = checkpoint("rides", WHOLE).run()
BAD: CheckpointResult = checkpoint("rides", ROWS, fail_on_high=True).run()


def heartbeat(server: Any, **options: Any) -> HeartbeatAction:
    options.setdefault("retry_delay_seconds", 0)
    return HeartbeatAction(url=f"{server.url}/{UUID}", **options)


def rid(run_id: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, run_id))


class Watching(AsyncBaseAction[ActionConfig]):
    """Notes what it is told, and may do something about it."""

    action_type = "watching"

    def __init__(self, do: Any = None) -> None:
        super().__init__()
        self.do = do
        self.starts: list[RunStart] = []
        self.ended: list[str] = []

    async def on_run_start(self, start: RunStart) -> None:
        self.starts.append(start)
        if self.do is not None:
            await self.do(start)

    async def _execute_async(self, checkpoint_result: CheckpointResult) -> Any:
        self.ended.append(checkpoint_result.run_id)
        return self.result("success")


# ------------------------------------------------------------------ pings of a run


@pytest.mark.parametrize(("data", "end"), [(WHOLE, "success"), (ROWS, "fail")])
@pytest.mark.parametrize("kind", [Checkpoint, AsyncCheckpoint])
async def test_run_is_pinged_when_it_begins_and_when_it_ends(
    kind: type[Checkpoint], data: Any, end: str
) -> None:
    vendor = Healthchecks()
    async with serving(vendor) as server:
        beating = kind(
            "rides",
            data_source=data,
            validators=["null"],
            actions=[heartbeat(server, fail_on="not_success")],
        )
        result = await beating.run_async()

    assert vendor.pings == [("start", rid(result.run_id)), (end, rid(result.run_id))]
    assert vendor.bodies[0] == b""
    assert b"rides" in vendor.bodies[1]
    assert result.action_results[0].details == {"status_code": 200, "ping": end}


async def test_run_that_cannot_read_its_data_is_pinged_as_failed() -> None:
    vendor = Healthchecks()
    async with serving(vendor) as server:
        result = await checkpoint(
            data="missing.csv", actions=[heartbeat(server)]
        ).run_async()

    assert [verb for verb, _ in vendor.pings] == ["start", "fail"]
    assert vendor.state == "down"
    assert result.status == "error"


async def test_blocking_run_is_pinged_too() -> None:
    vendor = Healthchecks()
    async with serving(vendor) as server:
        beating = checkpoint(actions=[heartbeat(server)])
        result = await asyncio.to_thread(beating.run)

    assert [verb for verb, _ in vendor.pings] == ["start", "success"]
    assert result.success


@pytest.mark.parametrize(
    "body", [b"OK (not found)", b"OK (rate limited)"], ids=["unknown", "limited"]
)
async def test_ok_that_is_none_is_an_error(body: bytes) -> None:
    async with serving(lambda request: reply(200, body)) as server:
        told = await heartbeat(server, retry_count=1).execute_async(GOOD)

    assert told.status == "error"
    assert body.decode()[3:] in str(told.error)
    assert len(server.requests) == (1 if b"found" in body else 2)


async def test_address_keeps_its_query() -> None:
    targets = []

    def script(request: Received) -> bytes:
        targets.append(request.target)
        return reply(201, b"Created")

    async with serving(script) as server:
        address = f"{server.url}/pingkey/rides?create=1"
        assert (await HeartbeatAction(url=address).execute_async(BAD)).success

    assert targets == [f"/pingkey/rides/fail?create=1&rid={rid(BAD.run_id)}"]


async def test_log_is_never_more_than_the_vendor_keeps() -> None:
    vendor, long = Healthchecks(), "é\n" * 100_000
    run = replace(BAD, data_asset=long, error=long, checkpoint_name=long)
    (issue,) = BAD.validation_run.issues
    checks = [replace(issue, name=long, message=long)] * 500
    run = replace(run, validation_run=replace(BAD.validation_run, checks=checks))
    async with serving(vendor) as server:
        told = await heartbeat(server).execute_async(run)

    assert told.success, told.error
    assert len(vendor.bodies[0]) > 2_000


@pytest.mark.parametrize("options", [{"method": "GET"}, {"send_log": False}])
async def test_log_is_left_out(options: dict[str, Any]) -> None:
    vendor = Healthchecks()
    async with serving(vendor) as server:
        assert (await heartbeat(server, **options).execute_async(GOOD)).success

    assert vendor.bodies == [b""]
    assert server.methods == [options.get("method", "POST")]


async def test_plain_address_is_pinged_as_it_is_and_only_after_success() -> None:
    def script(request: Received) -> bytes:
        return reply(200)

    async with serving(script) as server:
        action = HeartbeatAction(url=f"{server.url}/a?b=c", protocol="plain")
        beating = checkpoint(actions=[action])
        await beating.run_async()
        told = await action.execute_async(BAD)

    assert [request.target for request in server.requests] == ["/a?b=c"]
    assert told.status == "skipped"


async def test_plain_addresses_of_ones_own() -> None:
    async with serving(lambda request: reply(204)) as server:
        action = HeartbeatAction(
            url=f"{server.url}/?state=complete",
            start_url=f"{server.url}/?state=run",
            fail_url=f"{server.url}/?state=fail",
            protocol="plain",
            method="GET",
        )
        await checkpoint(actions=[action]).run_async()
        await checkpoint(data="missing.csv", actions=[action]).run_async()

    states = [request.target.rpartition("=")[2] for request in server.requests]
    assert states == ["run", "complete", "run", "fail"]


async def test_test_ping_changes_nothing() -> None:
    vendor = Healthchecks(state="down")
    async with serving(vendor) as server:
        told, (shown,) = await try_action(heartbeat(server), "rides")

    assert told.success, told.error
    assert [verb for verb, _ in vendor.pings] == ["log"]
    assert vendor.state == "down"
    assert UUID not in str(shown)


# ------------------------------------------------------- never in the way of a run


async def test_dead_server_fails_no_run_and_shows_no_address(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    action = HeartbeatAction(
        url=f"http://127.0.0.1:{free_port()}/{UUID}", retry_delay_seconds=0
    )
    beating = checkpoint(actions=[action])
    result = await beating.run_async()

    assert result.success
    (told,) = result.action_results
    assert (told.status, told.details["attempts"]) == ("error", 3)
    assert "not told of the start: 127.0.0.1" in caplog.text
    shown = [caplog.text, str(result.to_dict()), repr(action.config), repr(action)]
    shown.append(str(beating.to_dict()))
    assert UUID not in "".join(shown)


async def test_end_is_pinged_after_the_start_however_slow() -> None:
    vendor, begun = Healthchecks(), asyncio.Event()

    async def slow(request: Received) -> AsyncGenerator[bytes, None]:
        if "/start" in request.target:
            begun.set()
            await asyncio.sleep(0.05)
        yield vendor(request)

    async with serving(slow) as server:
        await checkpoint(actions=[heartbeat(server)]).run_async()

    assert begun.is_set()
    assert [verb for verb, _ in vendor.pings] == ["start", "success"]


async def test_start_that_is_never_answered_is_given_up() -> None:
    vendor = Healthchecks()

    async def hanging(request: Received) -> AsyncGenerator[bytes, None]:
        if "/start" in request.target:
            await asyncio.Event().wait()
        yield vendor(request)

    async with serving(hanging) as server:
        action = heartbeat(server, timeout_seconds=2)
        result = await checkpoint(actions=[action]).run_async()

    assert result.action_results[0].status == "success"
    assert [verb for verb, _ in vendor.pings] == ["success"]
    assert action._starts == {}


def test_ping_is_not_owed() -> None:
    action = HeartbeatAction(
        url=f"http://127.0.0.1:{free_port()}/x", retry_delay_seconds=0
    )
    result = checkpoint(actions=[action], store="s.db").run()

    assert result.success
    assert result.action_results[0].details == {"attempts": 3}
    with Store("s.db") as store:
        assert store.notices() == []


# ------------------------------------------------------------ the hook of all actions


async def test_hook_gets_what_the_result_will_have() -> None:
    action = Watching()
    result = await checkpoint(actions=[action], metadata={"a": 1}).run_async({"b": 2})

    (start,) = action.starts
    assert start.run_id == result.run_id
    assert start.checkpoint_name == "rides"
    assert start.run_time == result.run_time
    assert start.metadata == {"a": 1, "b": 2}
    assert action.ended == [start.run_id]


@pytest.mark.parametrize("store", [False, "s.db"])
async def test_hook_is_called_in_a_pool_and_by_a_runner(store: Any) -> None:
    action = Watching()
    watched = checkpoint(actions=[action])
    async with CheckpointPool(1, store=store) as pool:
        one = await pool.submit(watched)
    two = await AsyncCheckpointRunner(store=store).run_once_async(watched)

    assert [start.run_id for start in action.starts] == [one.run_id, two.run_id]
    assert action.ended == [one.run_id, two.run_id]


async def test_hook_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def fall(start: RunStart) -> None:
        raise ValueError(f"no start of {start.checkpoint_name}")

    action = Watching(fall)
    result = await checkpoint(actions=[action]).run_async()

    assert result.success
    assert result.action_results[0].success
    assert "watching: on_run_start failed" in caplog.text
    assert "no start of rides" in caplog.text


@pytest.mark.parametrize("stray", [asyncio.CancelledError, TimeoutError])
async def test_hook_that_raises_what_looks_like_the_loop(
    stray: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    async def fall(start: RunStart) -> None:
        raise stray

    result = await checkpoint(actions=[Watching(fall)]).run_async()

    assert result.success
    assert "watching: " in caplog.text


async def test_hook_that_hangs_is_ended_with_its_run() -> None:
    ended = asyncio.Event()

    async def hang(start: RunStart) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    result = await checkpoint(actions=[Watching(hang)]).run_async()

    assert result.success
    assert ended.is_set()


async def test_hook_is_ended_when_its_run_is_cancelled() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def hang(start: RunStart) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def endless() -> Any:
        await asyncio.Event().wait()

    run = asyncio.create_task(
        checkpoint(data=endless, actions=[Watching(hang)]).run_async()
    )
    await begun.wait()
    run.cancel()

    with pytest.raises(asyncio.CancelledError):
        await run
    assert ended.is_set()


async def test_action_that_is_off_is_told_nothing() -> None:
    action = Watching()
    action.config.enabled = False
    await checkpoint(actions=[action]).run_async()

    assert action.starts == []


def test_blocking_action_has_the_hook_too() -> None:
    starts = []

    class Note(BaseAction[ActionConfig]):
        action_type = "note"

        async def on_run_start(self, start: RunStart) -> None:
            starts.append(start.run_id)

        def _execute(self, checkpoint_result: CheckpointResult) -> Any:
            return self.result("success")

    result = checkpoint(actions=[Note()]).run()

    assert starts == [result.run_id]


# ------------------------------------------------------------------ wrong options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": ""}, "the option url is missing"),
        ({"method": "PUT"}, "method is POST, GET, HEAD, not 'PUT'"),
        ({"protocol": "healthcheck"}, "did you mean 'healthchecks'"),
        ({"fail_on": "failed"}, "fail_on is always"),
        ({"fail_url": 1}, "fail_url: expected a text"),
    ],
)
def test_option_that_makes_no_sense(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        HeartbeatAction(**{"url": "http://x", **options})


def test_wrong_addresses_are_told_before_they_are_used() -> None:
    action = HeartbeatAction(url="x", start_url="ftp://y", fail_url="${NO_SUCH_URL}")
    assert len(action.validate_config()) == 3
