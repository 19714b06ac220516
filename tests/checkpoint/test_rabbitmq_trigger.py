"""The trigger for RabbitMQ: what only RabbitMQ has."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator
from typing import Any

import aio_pika
import pytest

from brokers import opened, until
from more_brokers import RabbitMQBroker
from probes import Probe, checkpoint
from truthound.checkpoint import AsyncCheckpointRunner
from truthound.checkpoint.triggers import RabbitMQTrigger
from truthound.errors import MissingDependencyError

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
async def classic() -> AsyncIterator[RabbitMQBroker]:
    """Yield a broker with a classic queue, which does not count."""
    broker = RabbitMQBroker()
    broker.queue_type = "classic"
    await broker.open()
    try:
        yield broker
    finally:
        await broker.close()


def nameless(trigger: Any) -> Any:
    """Let a trigger see messages as other libraries send them: without ids."""
    came = trigger._came

    async def seen(message: Any) -> None:
        object.__setattr__(message, "message_id", None)
        await came(message)

    trigger._came = seen
    return trigger


async def is_settled(broker: RabbitMQBroker) -> bool:
    return await broker.pending() == 0


async def test_messages_that_say_the_same_are_all_run() -> None:
    async with classic() as broker:
        await broker.send(b"go", b"go", b"go")
        runs = checkpoint(triggers=[nameless(broker.trigger(max_concurrent=3))])
        async with running(runs, store="runs.db") as (results, errors):
            await until(lambda: len(results) == 3)
        broker.settled = {"0", "1", "2"}  # whatever their names are
    assert [r.metadata["message"]["body"] for r in results] == ["go"] * 3
    assert errors == []


async def test_id_that_several_messages_have_loses_none() -> None:
    async with opened("rabbitmq") as broker:
        runs = checkpoint(triggers=[broker.trigger()])
        async with running(runs, store="runs.db") as (results, errors):
            for number in range(2):
                said = aio_pika.Message(b"%d" % number, message_id="load")
                await broker.channel.default_exchange.publish(said, broker.place)
                await until(lambda: len(results) > number)  # noqa: B023 - awaited here
        broker.settled = set()
    assert [r.metadata["message"]["body"] for r in results] == [0, 1]
    assert {r.metadata["message"]["id"] for r in results} == {"load"}
    assert errors == []


@pytest.mark.parametrize("is_named", [True, False])
async def test_classic_queue_is_counted_for(is_named: bool) -> None:
    async with classic() as broker:
        await broker.send(b"poison")
        trigger = broker.trigger(max_attempts=3, retry_delay_seconds=0.02)
        trigger = trigger if is_named else nameless(trigger)
        probe = Probe(status=RuntimeError("it is broken"), triggers=[trigger])
        async with running(probe, store="runs.db") as (results, errors):
            await until(lambda: [e for e in errors if "dead letters" in e])
        assert [r.metadata["message"]["attempt"] for r in results] == [1, 2, 3]
        assert await broker.dead() == [b"poison"]


async def test_dead_letter_says_what_it_was() -> None:
    import aio_pika

    async with opened("rabbitmq") as broker:
        message = aio_pika.Message(
            b"poison", headers={"who": "me"}, message_id="m-1", content_type="text/x"
        )
        await broker.channel.default_exchange.publish(message, broker.place)
        broker.sent += 1
        trigger = broker.trigger(max_attempts=1, dead_letter=f"{broker.place}.dead")
        probe = Probe(status=RuntimeError("it is broken"), triggers=[trigger])
        async with running(probe):
            await until(lambda: is_settled(broker))
        queue = await broker.channel.get_queue(f"{broker.place}.dead")
        found = await queue.get()
    assert found.body == b"poison"
    assert found.headers["truthound-why"] == "RuntimeError: it is broken"
    assert found.headers["who"] == "me"
    assert (found.message_id, found.content_type) == ("m-1", "text/x")


async def test_queue_that_buries_by_itself() -> None:
    async with opened("rabbitmq") as broker:
        place = f"{broker.place}.own"
        arguments = {
            "x-queue-type": "classic",
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": f"{broker.place}.dead",
        }
        channel = broker.channel
        await channel.declare_queue(f"{broker.place}.dead", durable=True)
        await channel.declare_queue(place, durable=True, arguments=arguments)
        trigger = broker.trigger(queue=place, max_attempts=1, reject_dead=True)
        probe = Probe(status=RuntimeError("it is broken"), triggers=[trigger])
        import aio_pika

        await channel.default_exchange.publish(aio_pika.Message(b"poison"), place)
        async with running(probe) as (_, errors):
            await until(lambda: [e for e in errors if "dead letters" in e])
        await until(lambda: _ready(broker, f"{broker.place}.dead"))
        assert await broker.dead() == [b"poison"]
        await channel.queue_delete(place)
        broker.settled.clear()


async def _ready(broker: RabbitMQBroker, queue: str) -> int:
    found = await broker.channel.get_queue(queue)
    return int(found.declaration_result.message_count)


async def test_queue_that_is_deleted_is_made_again() -> None:
    async with (
        opened("rabbitmq") as broker,
        running(checkpoint(triggers=[broker.trigger()])) as (_, errors),
    ):
        await broker.send(b"1")
        await until(lambda: is_settled(broker))
        await broker.channel.queue_delete(broker.place)
        await until(lambda: errors)
        assert "is not there" in errors[0]
        await until(lambda: _is_there(broker))
        await broker.send(b"2")
        await until(lambda: is_settled(broker))


async def _is_there(broker: RabbitMQBroker) -> bool:
    import aio_pika

    channel = await broker.link.channel()
    try:
        await channel.get_queue(broker.place)
    except aio_pika.exceptions.ChannelNotFoundEntity:
        return False
    await channel.close()
    return True


async def test_queue_that_is_not_made_is_waited_for() -> None:
    async with opened("rabbitmq") as broker:
        place = f"{broker.place}.late"
        trigger = broker.trigger(queue=place, declare=False)
        async with running(checkpoint(triggers=[trigger])) as (results, errors):
            await until(lambda: errors)
            assert f"no queue '{place}'" in errors[0]
            await broker.channel.declare_queue(place, durable=True)
            wire = await broker.channel.get_underlay_channel()
            await wire.basic_publish(b"1", routing_key=place)
            await until(lambda: results)
        await broker.channel.queue_delete(place)
        broker.settled.clear()


def test_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aio_pika", None)
    with pytest.raises(MissingDependencyError, match=r"truthound-async\[rabbitmq\]"):
        RabbitMQTrigger(queue="orders").library()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"queue": ""}, "queue is a text, and not empty"),
        ({"queue_type": "quorom"}, "did you mean 'quorum'"),
        ({"reject_dead": True, "dead_letter": "x"}, "dead_letter or reject_dead"),
        ({"url": "amqpx://h"}, "did you mean 'amqp"),
        ({"declare": "no"}, "declare is True or False"),
    ],
)
def test_wrong_options_are_refused(options: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RabbitMQTrigger(**{"queue": "orders", **options})
