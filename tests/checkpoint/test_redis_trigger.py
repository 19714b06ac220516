"""The trigger for Redis streams: what only Redis has."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from brokers import RedisBroker, opened, until
from lines import OwnServer, free_port, own_server
from needs import skip_or_fail
from probes import Probe, checkpoint
from truthound.checkpoint import AsyncCheckpointRunner
from truthound.checkpoint.triggers import RedisStreamTrigger
from truthound.errors import MissingDependencyError

pytestmark = pytest.mark.realtime


async def results_of(
    runs: Any, broker: RedisBroker, number: int, **options: Any
) -> list[Any]:
    """Return the results of so many runs that messages start."""
    results: list[Any] = []
    runner = AsyncCheckpointRunner(
        result_callback=results.append, result_queue_size=None, **options
    )
    runner.add_checkpoint(runs)
    async with runner:
        await until(lambda: len(results) >= number)
    return results


async def test_entry_without_a_field_for_the_body_is_a_mapping() -> None:
    async with opened("redis") as broker:
        await broker.client.xadd(
            broker.place, {"path": "a.csv", "rows": 3, "raw": b"\xff"}
        )
        trigger = broker.trigger(field=None)
        (result,) = await results_of(checkpoint(triggers=[trigger]), broker, 1)
    body = result.metadata["message"]["body"]
    assert body == {"path": "a.csv", "rows": "3", "raw": "/w=="}


async def test_other_fields_are_headers() -> None:
    async with opened("redis") as broker:
        await broker.client.xadd(broker.place, {"body": "1", "who": "me"})
        (result,) = await results_of(checkpoint(triggers=[broker.trigger()]), broker, 1)
    assert result.metadata["message"]["body"] == 1
    assert result.metadata["message"]["headers"] == {"who": "me"}


async def test_group_is_that_of_the_checkpoint() -> None:
    async with opened("redis") as broker:
        await broker.send(b"1")
        await results_of(
            checkpoint("fares", triggers=[broker.trigger(group=None)]), broker, 1
        )
        groups = await broker.client.xinfo_groups(broker.place)
    assert {g["name"] for g in groups} == {b"tests", b"truthound-fares"}


async def test_group_that_is_made_begins_where_it_is_told() -> None:
    async with opened("redis") as broker:
        await broker.send(b"1")
        trigger = broker.trigger(group="late", start="new")
        await trigger.begin()
        await trigger.connect()
        try:
            await broker.send(b"2")
            (found,) = await trigger.receive(5)
        finally:
            await trigger.disconnect()
    assert found.body == b"2"


async def test_several_streams_are_read() -> None:
    async with opened("redis") as one, opened("redis") as other:
        await one.send(b"1", b"2")
        await other.send(b"3", b"4")
        trigger = one.trigger(stream=[one.place, other.place])
        found = await results_of(checkpoint(triggers=[trigger]), one, 4)
        assert await one.pending() == await other.pending() == 0
    assert sorted(r.metadata["message"]["body"] for r in found) == [1, 2, 3, 4]
    assert {r.metadata["message"]["place"] for r in found} == {one.place, other.place}


async def test_dead_letter_says_what_it_was() -> None:
    async with opened("redis") as broker:
        await broker.client.xadd(broker.place, {"body": "1", "who": "me"})
        place = f"{broker.place}.dead"
        trigger = broker.trigger(dead_letter=place, max_attempts=1)
        probe = Probe(status=RuntimeError("it is\nbroken"), triggers=[trigger])
        await results_of(probe, broker, 1)
        await until(lambda: broker.dead())
        ((_, fields),) = await broker.client.xrange(place)
    assert fields[b"body"] == b"1"
    assert fields[b"who"] == b"me"
    assert fields[b"truthound:why"] == b"RuntimeError: it is\nbroken"
    assert fields[b"truthound:stream"] == broker.place.encode()


async def test_entry_that_was_deleted_meanwhile_is_let_go(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with opened("redis") as broker:
        await broker.send(b"1", b"2")
        await broker.client.xreadgroup("tests", "dead", {broker.place: ">"}, count=1)
        ((first, _), _) = await broker.client.xrange(broker.place)
        await broker.client.xdel(broker.place, first)
        results = await results_of(
            checkpoint(triggers=[broker.trigger(claim_idle_seconds=0.1)]), broker, 1
        )
        trigger = broker.trigger(claim_idle_seconds=0.1)
        await asyncio.sleep(0.15)
        await trigger.begin()
        await trigger.connect()
        await trigger.receive_more(1, 0.01)
        await trigger.disconnect()
        assert await broker.taken() == 0
    assert results[0].metadata["message"]["body"] == 2
    assert "deleted before they were acknowledged" in caplog.text


async def test_long_run_keeps_its_message() -> None:
    """Another consumer takes over what is idle; what runs is not."""
    async with opened("redis") as broker:
        await broker.send(b"1")
        slow = Probe(seconds=1.0, triggers=[broker.trigger(claim_idle_seconds=0.3)])
        other = Probe(triggers=[broker.trigger(claim_idle_seconds=0.3)])
        first = asyncio.ensure_future(results_of(slow, broker, 1))
        await until(lambda: slow.watched.running)
        runner = AsyncCheckpointRunner(result_queue_size=None)
        runner.add_checkpoint(other)
        async with runner:
            await first
        assert await broker.pending() == 0
    assert other.watched.begun == []


async def test_consumer_of_a_process_leaves_the_group() -> None:
    async with opened("redis") as broker:
        await broker.send(b"1")
        await results_of(checkpoint(triggers=[broker.trigger()]), broker, 1)
        assert await broker.client.xinfo_consumers(broker.place, "tests") == []


async def test_named_consumer_gets_at_once_what_it_had() -> None:
    async with opened("redis") as broker:
        await broker.send(b"1")
        await broker.client.xreadgroup("tests", "me", {broker.place: ">"})
        trigger = broker.trigger(consumer="me", claim_idle_seconds=3600)
        (result,) = await results_of(checkpoint(triggers=[trigger]), broker, 1)
    assert result.metadata["message"]["attempt"] == 2


def redis_server(folder: Path) -> tuple[list[str], int]:
    found, port = shutil.which("redis-server"), free_port()
    if found is None:
        skip_or_fail("there is no redis-server")
    command = [found, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    return [*command, "--appendonly", "yes", "--appendfsync", "always"], port


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_restart_of_the_server_loses_nothing(tmp_path: Path, how: int) -> None:
    command, port = redis_server(tmp_path)
    with own_server(command, port, tmp_path) as server:
        await _through_a_restart(server, f"redis://127.0.0.1:{port}/0", how)


async def _through_a_restart(server: OwnServer, url: str, how: int) -> None:
    errors: list[str] = []
    results: list[Any] = []
    async with opened("redis", url) as broker:
        await broker.send(*(json.dumps({"n": n}).encode() for n in range(20)))
        probe = Probe(seconds=0.01, triggers=[broker.trigger(max_concurrent=2)])
        runner = AsyncCheckpointRunner(
            result_callback=results.append,
            error_callback=lambda error: errors.append(str(error)),
            result_queue_size=None,
        )
        runner.add_checkpoint(probe)
        async with runner:
            await until(lambda: len(results) >= 5)
            await asyncio.to_thread(server.end, how)
            await until(lambda: errors)
            await asyncio.to_thread(server.start)
            await broker.client.connection_pool.disconnect()
            await until(lambda: _is_through(broker))
    seen = {r.metadata["message"]["body"]["n"] for r in results}
    assert seen == set(range(20))


async def _is_through(broker: RedisBroker) -> bool:
    return await broker.pending() == 0


async def test_stream_that_was_dropped_is_made_again() -> None:
    async with opened("redis") as broker:
        results: list[Any] = []
        runner = AsyncCheckpointRunner(
            result_callback=results.append, result_queue_size=None
        )
        runner.add_checkpoint(checkpoint(triggers=[broker.trigger(start="new")]))
        async with runner:
            await broker.send(b"1")
            await until(lambda: len(results) == 1)
            await broker.client.delete(broker.place)
            await broker.send(b"2")
            await until(lambda: len(results) == 2)


def test_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(MissingDependencyError, match=r"truthound-async\[redis\]"):
        RedisStreamTrigger(stream="rides").library()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"stream": ""}, "the option stream is missing"),
        ({"stream": ["a", "a"]}, "names one twice"),
        ({"stream": ["a", 1]}, "stream is a text"),
        ({"start": "begin"}, "start is first or new, not 'begin'"),
        ({"group": ""}, "group is a text"),
        ({"claim_idle_seconds": 0}, "claim_idle_seconds is 0.1 or more"),
        ({"url": "rediss:/x"}, "redis:// or rediss:// or unix://"),
        ({"url": "redi://x"}, "did you mean 'redis'"),
    ],
)
def test_wrong_options_are_refused(options: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RedisStreamTrigger(**{"stream": "rides", **options})


def test_address_may_be_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    trigger = RedisStreamTrigger(stream="rides", url="${RIDES_REDIS}")
    monkeypatch.setenv("RIDES_REDIS", "redis://somewhere")
    assert trigger.config.url.reveal() == "redis://somewhere"
