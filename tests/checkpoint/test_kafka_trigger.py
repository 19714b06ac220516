"""The trigger for Kafka: what only Kafka has."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import more_brokers
from brokers import opened, until
from more_brokers import KafkaBroker, cluster
from probes import Probe, checkpoint
from truthound.checkpoint import AsyncCheckpointRunner
from truthound.checkpoint.triggers import KafkaTrigger, Received
from truthound.checkpoint.triggers._offsets import Offsets
from truthound.errors import MissingDependencyError

pytestmark = pytest.mark.realtime


@pytest.fixture(scope="module", autouse=True)
def _cluster() -> Iterator[None]:
    with more_brokers.clusters():
        yield


@contextlib.asynccontextmanager
async def connected(trigger: Any) -> AsyncIterator[KafkaTrigger]:
    await trigger.begin()
    await trigger.connect()
    try:
        yield trigger
    finally:
        await trigger.disconnect()


async def taken(trigger: KafkaTrigger, number: int) -> list[Received]:
    found: list[Received] = []
    async with asyncio.timeout(20):
        while len(found) < number:
            found += await trigger.receive(number - len(found))
    return found


async def committed(trigger: KafkaTrigger, topic: str, partition: int = 0) -> Any:
    import aiokafka

    place = aiokafka.TopicPartition(topic, partition)
    return await trigger._consumer.committed(place)


async def test_later_record_is_not_committed_before_an_earlier_one() -> None:
    async with opened("kafka") as broker, connected(broker.trigger()) as trigger:
        await broker.send(b"0", b"1", b"2")
        records = await taken(trigger, 3)

        await trigger.acknowledge([records[1]])
        assert await committed(trigger, broker.place) is None
        await trigger.acknowledge([records[0]])
        assert await committed(trigger, broker.place) == 2
        await trigger.acknowledge([records[2]])
        assert await committed(trigger, broker.place) == 3


async def test_record_that_is_given_back_holds_up_only_its_partition() -> None:
    topic = KafkaBroker().place
    await asyncio.to_thread(cluster().create, topic, 2)
    await asyncio.to_thread(cluster().send, topic, b"a0", partition=0)
    made = KafkaTrigger(
        topics=topic, group_id=topic, bootstrap_servers=cluster().servers
    )
    async with connected(made) as trigger:
        (first,) = await taken(trigger, 1)
        await trigger.give_back([first], 0.8)
        await asyncio.to_thread(cluster().send, topic, b"a1", partition=0)
        await asyncio.to_thread(cluster().send, topic, b"b0", partition=1)
        found = await taken(trigger, 3)
    assert [message.body for message in found] == [b"b0", b"a0", b"a1"]


async def test_partition_that_somebody_else_gets_is_not_committed() -> None:
    async with opened("kafka") as broker, connected(broker.trigger()) as trigger:
        await broker.send(b"0", b"1")
        records = await taken(trigger, 2)
        await trigger.give_back([records[1]], 0.0)
        is_revoked = asyncio.Event()
        revoked = trigger.revoked

        def noted(partitions: Any) -> None:
            revoked(partitions)
            is_revoked.set()

        trigger.revoked = noted  # type: ignore[method-assign]
        other = broker.trigger()
        await other.begin()
        joining = asyncio.ensure_future(other.connect())
        try:
            async with asyncio.timeout(20):
                await is_revoked.wait()
            with pytest.raises(ConnectionError, match="given away"):
                await trigger.acknowledge([records[0]])
            await trigger.give_back([records[1]], 0.0)
            assert trigger._offsets.again(float("inf"), 9) == []
        finally:
            joining.cancel()
            await asyncio.wait([joining])
            await other.disconnect()
        assert await committed(trigger, broker.place) is None


async def test_dead_letter_says_where_it_was_and_why() -> None:
    import aiokafka

    async with opened("kafka") as broker:
        poison = b"poison" * 200_000  # more than aiokafka writes, unless it is told to
        producer = aiokafka.AIOKafkaProducer(
            bootstrap_servers=broker.url, max_request_size=2**22
        )
        await producer.start()
        await producer.send_and_wait(
            broker.place, poison, key=b"k", headers=[("who", b"me")]
        )
        await producer.stop()
        broker.sent = 1
        place = f"{broker.place}.buried"
        await asyncio.to_thread(cluster().create, place)
        trigger = broker.trigger(max_attempts=1, dead_letter=place)
        results = await results_of(
            Probe(status=RuntimeError("it is broken"), triggers=[trigger]), broker
        )
        reader = aiokafka.AIOKafkaConsumer(
            place, bootstrap_servers=broker.url, auto_offset_reset="earliest"
        )
        await reader.start()
        found = await reader.getone()
        await reader.stop()
    assert results[0].metadata["message"]["headers"] == {"who": "me", "key": "k"}
    assert (found.key, found.value) == (b"k", poison)
    assert dict(found.headers) == {
        "who": b"me",
        "truthound-why": b"RuntimeError: it is broken",
        "truthound-topic": broker.place.encode(),
        "truthound-partition": b"0",
        "truthound-offset": b"0",
    }


async def results_of(runs: Any, broker: KafkaBroker) -> list[Any]:
    """Return the results of the runs until all records are settled."""
    results: list[Any] = []
    runner = AsyncCheckpointRunner(
        result_callback=results.append, result_queue_size=None
    )
    runner.add_checkpoint(runs)

    async def is_settled() -> bool:
        return await broker.pending() == 0

    async with runner:
        await until(is_settled)
    return results


async def test_tombstone_is_an_empty_body() -> None:
    import aiokafka

    async with opened("kafka") as broker:
        producer = aiokafka.AIOKafkaProducer(bootstrap_servers=broker.url)
        await producer.start()
        await producer.send_and_wait(broker.place, None, key=b"gone")
        await producer.stop()
        broker.sent = 1
        (result,) = await results_of(checkpoint(triggers=[broker.trigger()]), broker)
    assert result.metadata["message"]["body"] == ""
    assert result.metadata["message"]["headers"] == {"key": "gone"}


async def test_group_that_begins_with_what_is_new() -> None:
    async with opened("kafka") as broker:
        await broker.send(b"old")
        async with connected(broker.trigger(start="new")) as trigger:
            await trigger.receive_more(1, 0.1)  # until it knows where it stands
            await broker.send(b"new")
            (found,) = await taken(trigger, 1)
    assert found.body == b"new"


async def test_group_is_that_of_the_checkpoint() -> None:
    trigger = KafkaTrigger(topics="a")
    checkpoint("fares", triggers=[trigger])
    assert trigger.group() == "truthound-fares"


async def test_login_is_told_to_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", "hunter2")
    trigger = KafkaTrigger(
        topics="a",
        bootstrap_servers=["one:9093", "two:9093"],
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        username="me",
        password="${KAFKA_PASSWORD}",
    )
    told = await trigger._servers()
    context = told.pop("ssl_context")
    assert context.check_hostname
    assert told == {
        "bootstrap_servers": "one:9093,two:9093",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "me",
        "sasl_plain_password": "hunter2",
    }
    assert "hunter2" not in repr(trigger.config)


@given(st.permutations(range(6)), st.integers(0, 5))
def test_offsets_are_committed_in_order(order: list[int], start: int) -> None:
    offsets = Offsets()
    for number in range(6):
        offsets.take("p", start + number)
    done: set[int] = set()
    last = 0
    for number in order:
        offsets.done("p", start + number)
        done.add(number)
        reach = next(n for n in range(7) if n not in done)
        found = offsets.to_commit().get("p")
        assert found == (start + reach if reach > last else None)
        if found is not None:
            offsets.committed({"p": found})
            last = reach
    assert offsets.under_way == 0


def test_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiokafka", None)
    with pytest.raises(MissingDependencyError, match=r"truthound-async\[kafka\]"):
        KafkaTrigger(topics="a").library()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"topics": []}, "topics: whose records"),
        ({"topics": [""]}, "topics is a text, or a list of texts"),
        ({"bootstrap_servers": ""}, "bootstrap_servers is a text"),
        ({"group_id": ""}, "group_id is a text"),
        ({"start": "frist"}, "did you mean 'first'"),
        ({"security_protocol": "SSLL"}, "did you mean 'SSL'"),
        ({"security_protocol": "SASL_SSL"}, "needs username and password"),
        ({"password": "x"}, "the password would not be used"),
        ({"sasl_mechanism": "GSSAPI"}, "sasl_mechanism is PLAIN, SCRAM"),
        ({"session_timeout_seconds": 0}, "session_timeout_seconds is from 1"),
    ],
)
def test_wrong_options_are_refused(options: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        KafkaTrigger(**{"topics": "a", **options})
