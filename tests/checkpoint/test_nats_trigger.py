"""The trigger for NATS JetStream: what only NATS has."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from brokers import NATSBroker, opened, until
from lines import free_port, own_server
from needs import skip_or_fail
from probes import Probe, checkpoint
from truthound.checkpoint import AsyncCheckpointRunner
from truthound.checkpoint.triggers import NATSTrigger
from truthound.errors import MissingDependencyError

pytestmark = pytest.mark.realtime


async def results_of(
    runs: Any, number: int, **options: Any
) -> tuple[list[Any], list[str]]:
    """Return the results of so many runs that messages start, and the errors."""
    results: list[Any] = []
    errors: list[str] = []
    runner = AsyncCheckpointRunner(
        result_callback=results.append,
        error_callback=lambda error: errors.append(str(error)),
        result_queue_size=None,
        **options,
    )
    runner.add_checkpoint(runs)
    async with runner:
        await until(lambda: len(results) >= number or errors)
    return results, errors


async def test_headers_and_subject_are_told() -> None:
    async with opened("nats") as broker:
        await broker.stream.publish(f"{broker.place}.b", b"1", headers={"Who": "me"})
        (result,), _ = await results_of(checkpoint(triggers=[broker.trigger()]), 1)
    message = result.metadata["message"]
    assert message["place"] == f"{broker.place}.b"
    assert message["headers"] == {"Who": "me"}


async def test_poison_too_large_for_a_dead_letter_is_named_there() -> None:
    async with opened("nats") as broker:
        most = broker.client.max_payload
        await broker.send(b"x" * (most - 20))
        trigger = broker.trigger(max_attempts=1)
        runs = checkpoint(data=_broken, triggers=[trigger])
        _, errors = await results_of(runs, 2)
        assert any("goes to the dead letters" in error for error in errors)
        letter = await broker.stream.get_msg(f"{broker.place}-dead", 1)
    assert letter.headers["Truthound-Id"].startswith("1-")
    assert letter.headers["Truthound-Left-Out"] == f"{most - 8} bytes"
    assert letter.data in (None, b"")


def _broken(_: Any) -> Any:
    raise ValueError("not so")


async def test_stream_is_found_by_its_subject() -> None:
    async with opened("nats") as broker:
        await broker.send(b"1")
        trigger = broker.trigger(stream=None)
        results, _ = await results_of(checkpoint(triggers=[trigger]), 1)
    assert len(results) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"stream": "nowhere"}, "there is no stream called 'nowhere'"),
        (
            {"stream": None, "subject": "no.where"},
            "there is no stream with the subject 'no.where'",
        ),
    ],
)
async def test_missing_stream_is_named(options: Any, words: str) -> None:
    trigger = NATSBroker().trigger(**options)
    _, (error,) = await results_of(checkpoint(triggers=[trigger]), 1)
    assert words in error


async def test_consumer_is_that_of_the_checkpoint() -> None:
    async with opened("nats") as broker:
        await broker.send(b"1")
        trigger = broker.trigger(durable=None)
        await results_of(checkpoint("air.fares", triggers=[trigger]), 1)
        (info,) = await broker.stream.consumers_info(broker.place)
    assert info.name == "truthound-air_fares"
    assert info.config.ack_wait == 0.6


async def test_consumer_that_is_made_begins_where_it_is_told() -> None:
    async with opened("nats") as broker:
        await broker.send(b"1")
        trigger = broker.trigger(durable="late", start="new")
        await trigger.begin()
        await trigger.connect()
        try:
            await broker.send(b"2")
            (found,) = await trigger.receive(5)
        finally:
            await trigger.disconnect()
    assert found.body == b"2"


async def test_long_run_keeps_its_message() -> None:
    """The server delivers again what it hears nothing of; what runs says so."""
    async with opened("nats") as broker:
        await broker.send(b"1")
        slow = Probe(seconds=1.2, triggers=[broker.trigger(max_concurrent=2)])
        await results_of(slow, 1)
        assert await broker.pending() == 0
    assert len(slow.watched.begun) == 1


async def test_consumer_that_is_there_says_how_often_to_renew() -> None:
    from nats.js.api import AckPolicy, ConsumerConfig

    async with opened("nats") as broker:
        await broker.stream.add_consumer(
            broker.place,
            ConsumerConfig(
                durable_name="quick", ack_policy=AckPolicy.EXPLICIT, ack_wait=0.4
            ),
        )
        await broker.send(b"1")
        trigger = broker.trigger(durable="quick", ack_wait_seconds=30, max_concurrent=2)
        slow = Probe(seconds=1.0, triggers=[trigger])
        (result,), _ = await results_of(slow, 1)
        info = await broker.stream.consumer_info(broker.place, "quick")
    assert result.metadata["message"]["attempt"] == 1
    assert info.num_redelivered == info.num_ack_pending == 0
    assert info.delivered.consumer_seq == 1  # redelivered ones count anew


async def test_dead_letter_says_what_it_was() -> None:
    async with opened("nats") as broker:
        await broker.stream.publish(
            f"{broker.place}.b", b"1", headers={"Who": "me", "Nats-Msg-Id": "one"}
        )
        trigger = broker.trigger(max_attempts=1)
        probe = Probe(status=RuntimeError("it is\nbroken"), triggers=[trigger])
        await results_of(probe, 1)
        await until(lambda: broker.dead())
        message = await broker.stream.get_msg(f"{broker.place}-dead", 1)
    assert message.subject == f"dead.{broker.place}"
    assert message.headers["Who"] == "me"
    assert message.headers["Truthound-Why"] == "RuntimeError: it is broken"
    assert message.headers["Truthound-Subject"] == f"{broker.place}.b"
    assert message.headers["Nats-Msg-Id"] != "one"


async def test_dead_letter_that_no_stream_takes_comes_again() -> None:
    async with opened("nats") as broker:
        await broker.send(b"1")
        trigger = broker.trigger(max_attempts=1, dead_letter=f"nowhere.{broker.place}")
        probe = Probe(status=RuntimeError("broken"), triggers=[trigger])
        _, errors = await results_of(probe, 99)
        assert await broker.pending() == 1
    assert "NoStreamResponse" in str(errors) or "no response" in str(errors)


async def test_consumer_of_another_kind_is_refused() -> None:
    from nats.js.api import ConsumerConfig

    async with opened("nats") as broker:
        await broker.stream.add_consumer(
            broker.place,
            ConsumerConfig(durable_name="pushes", deliver_subject="somewhere"),
        )
        trigger = broker.trigger(durable="pushes")
        _, errors = await results_of(checkpoint(triggers=[trigger]), 1)
    (error,) = errors
    assert "the consumer 'pushes'" in error


async def test_consumer_that_gives_up_too_soon_is_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    from nats.js.api import AckPolicy, ConsumerConfig

    async with opened("nats") as broker:
        await broker.stream.add_consumer(
            broker.place,
            ConsumerConfig(
                durable_name="few", ack_policy=AckPolicy.EXPLICIT, max_deliver=3
            ),
        )
        trigger = broker.trigger(durable="few")
        await trigger.begin()
        await trigger.connect()
        await trigger.disconnect()
    assert "the consumer few gives up after 3 deliveries" in caplog.text


async def test_consumer_that_was_deleted_is_made_again() -> None:
    async with opened("nats") as broker:
        await broker.send(b"1")
        results: list[Any] = []
        runner = AsyncCheckpointRunner(
            result_callback=results.append, result_queue_size=None
        )
        runner.add_checkpoint(checkpoint(triggers=[broker.trigger()]))
        async with runner:
            await until(lambda: len(results) == 1)
            await until(lambda: _is_through(broker))
            await broker.stream.delete_consumer(broker.place, "tests")
            await broker.send(b"2")
            await until(lambda: len(results) == 2)
    # The new consumer begins anew; what was checked is not run again.
    assert [r.metadata["message"]["body"] for r in results] == [1, 2]


def nats_server(folder: Path) -> tuple[list[str], int]:
    found, port = shutil.which("nats-server"), free_port()
    if found is None:
        skip_or_fail("there is no nats-server")
    command = [found, "--jetstream", "--store_dir", str(folder)]
    return [*command, "--addr", "127.0.0.1", "--port", str(port)], port


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_restart_of_the_server_loses_nothing(tmp_path: Path, how: int) -> None:
    command, port = nats_server(tmp_path)
    url = f"nats://127.0.0.1:{port}"
    errors: list[str] = []
    results: list[Any] = []
    with own_server(command, port, tmp_path) as server:
        broker = NATSBroker(url)
        await broker.open()
        await broker.send(*(b"%d" % n for n in range(20)))
        probe = Probe(seconds=0.01, triggers=[broker.trigger(max_concurrent=2)])
        runner = AsyncCheckpointRunner(
            result_callback=results.append,
            error_callback=lambda error: errors.append(str(error)),
            result_queue_size=None,
        )
        runner.add_checkpoint(probe)
        async with runner:
            await until(lambda: len(results) >= 5)
            await broker.client.close()
            await asyncio.to_thread(server.end, how)
            await until(lambda: errors)
            await asyncio.to_thread(server.start)
            broker = await _again(broker)
            await until(lambda: _is_through(broker))
        await broker.close()
    assert {r.metadata["message"]["body"] for r in results} == set(range(20))


async def _again(broker: NATSBroker) -> NATSBroker:
    import nats

    broker.client = await nats.connect(broker.url)
    broker.stream = broker.client.jetstream()
    return broker


async def _is_through(broker: NATSBroker) -> bool:
    return await broker.pending() == 0


async def test_wrong_password_is_said_and_not_shown(tmp_path: Path) -> None:
    command, port = nats_server(tmp_path)
    with own_server([*command, "--user", "me", "--pass", "s3cr3t"], port, tmp_path):
        url = f"nats://me:hunter22@127.0.0.1:{port}"
        trigger = NATSTrigger(url=url, stream="rides")
        _, errors = await results_of(checkpoint(triggers=[trigger]), 1)
    assert "uthorization" in str(errors)
    assert "hunter22" not in str(errors)


def test_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nats.aio.client", None)
    with pytest.raises(MissingDependencyError, match=r"truthound-async\[nats\]"):
        NATSTrigger(stream="rides").library()


async def test_missing_library_is_reported_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "nats.aio.client", None)
    _, errors = await results_of(checkpoint(triggers=[NATSTrigger(stream="rides")]), 1)
    (error,) = errors
    assert "truthound-async[nats]" in error


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "one of the options stream and subject is missing"),
        ({"stream": "a.b"}, "stream is a name without"),
        ({"stream": "a", "durable": "a b"}, "durable is a name without"),
        ({"subject": "a b"}, "subject has no spaces"),
        ({"stream": "a", "start": "newest"}, "did you mean 'new'"),
        ({"stream": "a", "ack_wait_seconds": 0}, "ack_wait_seconds is 0.1 or more"),
        ({"stream": "a", "url": "localhost:4222"}, "expected an address that begins"),
    ],
)
def test_wrong_options_are_refused(options: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        NATSTrigger(**options)
