"""The trigger for MQTT: what only MQTT has."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from brokers import opened, until
from lines import OwnServer, free_port, own_server
from more_brokers import MQTTBroker
from needs import skip_or_fail
from probes import Probe, checkpoint
from truthound.checkpoint import AsyncCheckpointRunner
from truthound.checkpoint.triggers import MQTTTrigger
from truthound.checkpoint.triggers.mqtt import check_filter
from truthound.errors import ConfigurationError, MissingDependencyError

pytestmark = pytest.mark.realtime


@contextlib.asynccontextmanager
async def running(
    runs: Any, **options: Any
) -> AsyncIterator[tuple[list[Any], list[str]]]:
    results: list[Any] = []
    errors: list[str] = []
    runner = AsyncCheckpointRunner(
        result_callback=results.append,
        error_callback=lambda error: errors.append(str(error)),
        result_queue_size=None,
        max_consecutive_failures=1_000,
        **options,
    )
    runner.add_checkpoint(runs)
    async with runner:
        yield results, errors


@contextlib.asynccontextmanager
async def old_protocol() -> AsyncIterator[MQTTBroker]:
    broker = MQTTBroker()
    broker.protocol = "3.1.1"
    await broker.open()
    try:
        yield broker
    finally:
        await broker.close()


def bodies(results: list[Any]) -> list[Any]:
    return [result.metadata["message"]["body"] for result in results]


async def unnamed(broker: MQTTBroker, topic: str, *texts: bytes, **more: Any) -> None:
    """Publish messages without the property that names them."""
    for text in texts:
        await broker.link.publish(topic, text, **{"qos": 1, **more})


async def test_messages_that_say_the_same_are_all_run() -> None:
    async with opened("mqtt") as broker:
        place = broker.place
        for number in (2, 3):
            await unnamed(broker, place, *[b"go"] * number)
            runs = checkpoint(triggers=[broker.trigger(max_concurrent=2)])
            async with running(runs, store="runs.db") as (results, errors):
                await until(lambda: len(results) == number)  # noqa: B023 - awaited here
            assert errors == []
            # The server forgets the session, and numbers anew.
            await broker.close()
            await broker.open()


@pytest.mark.parametrize("name", [None, "id"])
async def test_property_that_is_no_name_of_the_message_loses_none(
    name: str | None,
) -> None:
    async with opened("mqtt") as broker:
        runs = checkpoint(triggers=[broker.trigger(id_property=name)])
        async with running(runs, store="runs.db") as (results, errors):
            for number in range(3):
                broker.sent = 7  # the name of who sends them
                await broker.send(b"%d" % number)
                await until(lambda: len(results) > number)  # noqa: B023 - awaited here
    assert bodies(results) == [0, 1, 2]
    assert errors == []


async def test_old_protocol_keeps_messages_too() -> None:
    async with old_protocol() as broker:
        await unnamed(broker, broker.place, b"1", b"2")
        probe = Probe(
            status=RuntimeError("it is broken"),
            triggers=[broker.trigger(max_attempts=2, retry_delay_seconds=0.01)],
        )
        async with running(probe) as (results, errors):
            await until(lambda: len([e for e in errors if "dead letters" in e]) == 2)
        assert sorted(bodies(results)) == [1, 1, 2, 2]
        assert sorted(await broker.dead()) == [b"1", b"2"]


async def test_wide_filter_does_not_catch_dead_letters() -> None:
    async with opened("mqtt") as broker:
        trigger = broker.trigger(topics=f"{broker.place}/#", max_attempts=1)
        probe = Probe(status=RuntimeError("it is broken"), triggers=[trigger])
        async with running(probe) as (results, errors):
            await until(lambda: probe.triggers[0]._client is not None)
            await until(lambda: probe.triggers[0]._watch is not None)
            await unnamed(broker, f"{broker.place}/a", b"1")
            await until(lambda: [e for e in errors if "dead letters" in e])
            await unnamed(broker, f"{broker.place}/a", b"2")
            await until(lambda: len(results) == 2)
        assert bodies(results) == [1, 2]


async def test_dead_letter_says_why_and_has_the_properties() -> None:
    async with opened("mqtt") as broker:
        place = f"{broker.place}/dead"
        trigger = broker.trigger(max_attempts=1, dead_letter=place)
        probe = Probe(status=RuntimeError("it is broken"), triggers=[trigger])
        await broker.send(b"1")
        async with running(probe):
            found = await anext(aiter(broker.link.messages))
        told = dict(found.properties.UserProperty)
    assert told == {"id": "message 0", "truthound-why": "RuntimeError: it is broken"}


async def test_shared_subscription_gives_each_message_to_one() -> None:
    async with opened("mqtt") as broker:
        topic = f"$share/quality/{broker.place}/shared"
        runs = [
            checkpoint(
                name,
                triggers=[
                    MQTTTrigger(
                        url=broker.url,
                        topics=topic,
                        client_id=f"{broker.place}-{name}",
                        session_seconds=0,
                    )
                ],
            )
            for name in ("a", "b")
        ]
        async with running(runs[0]) as (one, _), running(runs[1]) as (other, _):
            await until(lambda: all(r.triggers[0]._watch is not None for r in runs))
            await unnamed(
                broker, f"{broker.place}/shared", *[b"%d" % n for n in range(8)]
            )
            await until(lambda: len(one) + len(other) == 8)
    assert sorted(bodies(one) + bodies(other)) == list(range(8))
    assert one
    assert other


async def test_retained_message_comes_once_for_a_session() -> None:
    async with opened("mqtt") as broker:
        topic = f"{broker.place}/retained"
        await unnamed(broker, topic, b"old", retain=True)
        runs = checkpoint(triggers=[broker.trigger(topics=topic)])
        async with running(runs) as (results, _):
            await until(lambda: results)
        await unnamed(broker, topic, b"new")
        runs = checkpoint(triggers=[broker.trigger(topics=topic)])
        async with running(runs) as (later, _):
            await until(lambda: later)
        await unnamed(broker, topic, b"", retain=True)
    assert bodies(results) == ["old"]
    assert bodies(later) == ["new"]


@contextlib.contextmanager
def mosquitto(folder: Path, *lines: str) -> Iterator[tuple[OwnServer, str]]:
    found, port = shutil.which("mosquitto", path="/usr/sbin:/usr/bin"), free_port()
    if found is None:
        skip_or_fail("there is no mosquitto")
    settings = [
        f"listener {port} 127.0.0.1",
        # As root it would become somebody who may not write here.
        f"user {getpass.getuser()}",
        "persistence true",
        f"persistence_location {folder}/",
        *(lines or ["allow_anonymous true"]),
    ]
    (folder / "mosquitto.conf").write_text("\n".join(settings), encoding="utf-8")
    command = [found, "-c", str(folder / "mosquitto.conf")]
    with own_server(command, port, folder) as server:
        yield server, f"mqtt://127.0.0.1:{port}"


async def test_restart_of_the_server_loses_nothing(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as (server, url):
        broker = MQTTBroker(url)
        await broker.open()
        await broker.send(*(b"%d" % n for n in range(12)))
        probe = Probe(seconds=0.01, triggers=[broker.trigger(max_concurrent=2)])
        async with running(probe) as (results, errors):
            await until(lambda: len(results) >= 3)
            await asyncio.to_thread(server.end, signal.SIGTERM)
            await until(lambda: errors)
            await asyncio.to_thread(server.start)
            await until(lambda: set(bodies(results)) == set(range(12)))
        with contextlib.suppress(Exception):  # its line was cut
            await broker.close()


async def test_refused_login_is_told(tmp_path: Path) -> None:
    with mosquitto(tmp_path, "allow_anonymous false") as (_, url):
        secret = url.replace("://", "://somebody:hunter2@")
        trigger = MQTTTrigger(url=secret, topics="a", client_id="x")
        async with running(checkpoint(triggers=[trigger])) as (_, errors):
            await until(lambda: errors)
    assert "not authori" in errors[0].lower()
    assert "hunter2" not in errors[0]


async def test_certificates_are_used(tmp_path: Path) -> None:
    authority = trustme.CA()
    own, server = authority.issue_cert("me"), authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    server.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
    server.private_key_pem.write_to_path(tmp_path / "server.key")
    own.private_key_and_cert_chain_pem.write_to_path(tmp_path / "own.pem")
    lines = [
        "allow_anonymous true",
        f"cafile {tmp_path}/ca.pem",
        f"certfile {tmp_path}/server.pem",
        f"keyfile {tmp_path}/server.key",
        "require_certificate true",
    ]
    with mosquitto(tmp_path, *lines) as (_, url):
        options: dict[str, Any] = {
            "url": url.replace("mqtt:", "mqtts:"),
            "topics": "a",
            "client_id": "x",
            "ssl_ca_file": str(tmp_path / "ca.pem"),
        }
        trigger = MQTTTrigger(ssl_cert_file=str(tmp_path / "own.pem"), **options)
        await trigger.begin()
        await trigger.connect()
        assert await trigger.receive_more(1, 0.01) == []
        await trigger.disconnect()
        with pytest.raises(ConnectionError):
            await MQTTTrigger(**options).connect()


def test_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiomqtt", None)
    with pytest.raises(MissingDependencyError, match=r"truthound-async\[mqtt\]"):
        MQTTTrigger(topics="a").library()


@pytest.mark.parametrize(
    "topic", ["a", "/", "a/+/c", "+", "#", "a/#", "+/#", "$share/g/a/+", "$SYS/#"]
)
def test_filters_that_make_sense(topic: str) -> None:
    check_filter(topic)


@pytest.mark.parametrize(
    "topic", ["a+", "a/b#", "#/a", "a/#/b", "$share/g", "$share//a", "$share/+/a", "##"]
)
def test_filters_that_make_none(topic: str) -> None:
    with pytest.raises(ConfigurationError, match="is no filter"):
        check_filter(topic)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"topics": ()}, "topics: what is to be listened to"),
        ({"topics": ["a", 1]}, "topics is a text, or a list of texts"),
        ({"protocol": "4"}, "protocol is 5 or 3.1.1, not '4'"),
        ({"session_seconds": -1}, "session_seconds is a number"),
        ({"client_id": ""}, "client_id is a text"),
        ({"dead_letter": "a/+"}, "dead_letter is a topic without"),
        ({"url": "mqqt://h"}, "did you mean 'mqtt"),
    ],
)
def test_wrong_options_are_refused(options: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        MQTTTrigger(**{"topics": "a", **options})
