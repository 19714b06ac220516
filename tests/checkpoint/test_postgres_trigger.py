"""The trigger for PostgreSQL: notifications alone, and what only its table has."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import sys
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

import services
from brokers import opened, until
from more_brokers import PostgresBroker
from probes import Probe, checkpoint
from truthound.checkpoint import AsyncCheckpointRunner
from truthound.checkpoint.triggers import PostgresNotifyTrigger
from truthound.checkpoint.triggers._outbox_table import OutboxTable
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
async def linked() -> AsyncIterator[Any]:
    link = await psycopg.AsyncConnection.connect(
        services.postgres_url(), autocommit=True
    )
    async with link:
        yield link


@contextlib.asynccontextmanager
async def connected(trigger: Any) -> AsyncIterator[PostgresNotifyTrigger]:
    await trigger.begin()
    await trigger.connect()
    try:
        yield trigger
    finally:
        await trigger.disconnect()


def listening(channel: str, **options: Any) -> PostgresNotifyTrigger:
    url = services.postgres_url()
    return PostgresNotifyTrigger(url=url, channels=channel, **options)


async def notify(link: Any, channel: str, *payloads: str) -> None:
    for payload in payloads:
        await link.execute("SELECT pg_notify(%s, %s)", [channel, payload])


async def is_heard(trigger: Any) -> bool:
    """Tell whether a trigger listens by now."""
    return trigger._watch is not None


def bodies(results: list[Any]) -> list[Any]:
    return [result.metadata["message"]["body"] for result in results]


# ------------------------------------------------------------------ notifications alone


async def test_each_notification_has_a_run() -> None:
    channel = f"It's {secrets.token_hex(4)}"  # any name will do
    async with linked() as link:
        trigger = listening(channel)
        async with running(checkpoint(triggers=[trigger])) as (results, errors):
            await until(lambda: is_heard(trigger))
            await notify(link, channel, '{"n": 1}', "", "two")
            await until(lambda: len(results) == 3)
    assert bodies(results) == [{"n": 1}, "", "two"]
    assert results[0].metadata["message"]["place"] == channel
    assert errors == []


async def test_notification_is_poison() -> None:
    channel = f"c-{secrets.token_hex(4)}"
    async with linked() as link:
        await link.execute(
            sql.SQL("LISTEN {}").format(sql.Identifier(f"{channel}.dead"))
        )
        trigger = listening(channel, max_attempts=2, retry_delay_seconds=0.01)
        probe = Probe(status=RuntimeError("it is broken"), triggers=[trigger])
        async with running(probe) as (results, errors):
            await until(lambda: is_heard(trigger))
            await notify(link, channel, "poison")
            await until(lambda: [e for e in errors if "dead letters" in e])
        found = await anext(aiter(link.notifies(timeout=10)))
    assert [r.metadata["message"]["attempt"] for r in results] == [1, 2]
    assert json.loads(found.payload) == {
        "why": "RuntimeError: it is broken",
        "payload": "poison",
    }


async def test_notification_on_a_lost_connection_is_lost_and_later_ones_come() -> None:
    channel = f"c-{secrets.token_hex(4)}"
    async with linked() as link:
        trigger = listening(channel)
        async with running(checkpoint(triggers=[trigger])) as (results, errors):
            await until(lambda: is_heard(trigger))
            pid = trigger._listening.info.backend_pid
            await link.execute("SELECT pg_terminate_backend(%s)", [pid])
            await until(lambda: errors)
            await until(lambda: not is_dead(trigger, pid))
            await notify(link, channel, "later")
            await until(lambda: results)
    assert bodies(results) == ["later"]
    assert len(errors) == 1


async def test_poison_is_buried_when_the_other_connection_was_lost() -> None:
    channel = f"c-{secrets.token_hex(4)}"
    async with linked() as link:
        trigger = listening(channel, max_attempts=1, retry_delay_seconds=0.05)
        probe = Probe(status=RuntimeError("it is broken"), triggers=[trigger])
        async with running(probe) as (_, errors):
            await until(lambda: is_heard(trigger))
            pid = trigger._working.info.backend_pid
            await link.execute("SELECT pg_terminate_backend(%s)", [pid])
            await notify(link, channel, "poison")
            await until(lambda: [e for e in errors if "dead letters" in e])


async def test_notification_that_was_given_back_outlives_the_connection() -> None:
    channel = f"c-{secrets.token_hex(4)}"
    async with linked() as link:
        trigger = listening(channel, retry_delay_seconds=0.3)
        probe = Probe(status=RuntimeError("it is broken"), triggers=[trigger])
        async with running(probe) as (results, _):
            await until(lambda: is_heard(trigger))
            pid = trigger._listening.info.backend_pid
            await notify(link, channel, "once")
            await until(lambda: len(results) == 1)
            probe.ends_as = "success"
            await link.execute("SELECT pg_terminate_backend(%s)", [pid])
            await until(lambda: len(results) == 2)
    assert bodies(results) == ["once", "once"]


def is_dead(trigger: Any, pid: int) -> bool:
    link = trigger._listening
    return link is None or trigger._watch is None or link.info.backend_pid == pid


# ---------------------------------------------------------------------------- the table


async def test_rows_of_while_the_line_was_down_are_seen() -> None:
    async with opened("postgres_notify") as broker:
        trigger = broker.trigger(poll_seconds=3600)
        async with running(checkpoint(triggers=[trigger])) as (results, errors):
            await broker.send(b"1")
            await until(lambda: len(results) == 1)
            pids = [
                link.info.backend_pid for link in (trigger._listening, trigger._working)
            ]
            await broker.link.execute(
                "SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) pid", [pids]
            )
            await broker.send(b"2")  # the notification finds nobody
            await until(lambda: len(results) == 2)
        assert await broker.pending() == 0
    assert bodies(results) == [1, 2]
    assert errors


async def test_table_that_nobody_notifies_of_is_looked_at() -> None:
    async with opened("postgres_notify") as broker:
        off = sql.SQL("ALTER TABLE {} DISABLE TRIGGER ALL").format(broker.table)
        await broker.link.execute(off)
        trigger = broker.trigger(poll_seconds=0.05)
        async with running(checkpoint(triggers=[trigger])) as (results, _):
            await until(lambda: is_heard(trigger))
            await broker.send(b"1")
            await until(lambda: results)


async def test_row_is_seen_as_soon_as_it_is_notified_of() -> None:
    async with (
        opened("postgres_notify") as broker,
        connected(broker.trigger(poll_seconds=3600)) as trigger,
    ):
        waiting = asyncio.ensure_future(trigger.receive(1))
        await asyncio.wait([waiting], timeout=0.2)  # it has looked, and found nothing
        assert not waiting.done()
        await broker.send(b"1")
        async with asyncio.timeout(10):
            (found,) = await waiting
    assert found.body == b"1"


async def test_row_that_one_gives_back_another_gets() -> None:
    async with opened("postgres_notify") as broker:
        one, other = broker.trigger(), broker.trigger()
        async with connected(one), connected(other):
            await broker.send(b"1")
            await one.give_back(await one.receive(1), 0.0)
            async with asyncio.timeout(10):
                (found,) = await other.receive(1)
            assert await broker.taken() == 1
    assert found.attempt == 2


async def test_row_that_comes_to_be_due_between_two_questions_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = OutboxTable.next_due

    async def slow(self: OutboxTable) -> float:
        await asyncio.sleep(0.2)
        return await asked(self)

    async with opened("postgres_notify") as broker, connected(broker.trigger()) as one:
        await broker.send(b"1")
        found = await one.receive(1)
        await one.give_back(found, 0.1)
        await one.receive_more(1, 0.01)  # the notification is taken in
        monkeypatch.setattr(OutboxTable, "next_due", slow)
        async with asyncio.timeout(5):
            (found_again,) = await one.receive(1)
    assert found_again.attempt == 2


async def test_two_processes_share_a_table() -> None:
    async with opened("postgres_notify") as broker:
        await broker.send(*(b"%d" % n for n in range(20)))
        one = broker.trigger()
        other = broker.trigger()
        async with connected(one), connected(other):
            taken = await asyncio.gather(one.receive(7), other.receive(7))
            assert {len(found) for found in taken} == {7}
            ids = [int(message.id) for found in taken for message in found]
            assert sorted(ids) == list(range(1, 15))
            assert len(await one.receive(20)) == 6
            assert await other.receive_more(20, 0.1) == []


async def test_rows_of_a_process_that_dies_are_free_at_once() -> None:
    async with opened("postgres_notify") as broker:
        await broker.send(b"1")
        one, other = broker.trigger(), broker.trigger()
        async with connected(other):
            async with connected(one):
                await one.receive(1)
                assert await other.receive_more(1, 0.05) == []
            (found,) = await other.receive(1)
    assert found.attempt == 2


async def test_row_that_is_taken_when_it_is_cancelled_comes_next() -> None:
    async with opened("postgres_notify") as broker, connected(broker.trigger()) as one:
        await broker.send(b"1")
        for _ in range(4):  # at several points of the way
            task = asyncio.ensure_future(one.receive(1))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                break
        (found,) = [*task.result()] if not task.cancelled() else await one.receive(1)
        assert found.attempt == 1


async def test_done_rows_can_be_deleted() -> None:
    async with opened("postgres_notify") as broker:
        await broker.send(b"1")
        trigger = broker.trigger(delete_done=True)
        async with running(checkpoint(triggers=[trigger])):
            await until(lambda: _is_empty(broker))


async def _is_empty(broker: PostgresBroker) -> bool:
    return await broker.ask("SELECT count(*) FROM {}") == [0]


@pytest.mark.parametrize("kind", ["text", "jsonb", "bytea"])
async def test_body_is_of_any_of_three_types(kind: str) -> None:
    name = f"t_{secrets.token_hex(4)}"
    async with linked() as link:
        await link.execute(f"CREATE SCHEMA {name}")
        try:
            made = PostgresNotifyTrigger.schema(f'{name}.A "b"', "c")
            await link.execute(made.replace("body text", f"body {kind}"))
            insert = sql.SQL("INSERT INTO {} (body, headers) VALUES ({}, {})").format(
                sql.Identifier(name, 'A "b"'), '{"n": 1}', '{"who": "me"}'
            )
            await link.execute(insert)
            trigger = listening("c", table=f'{name}.A "b"')
            async with running(checkpoint(triggers=[trigger])) as (results, errors):
                await until(lambda: results or errors)
        finally:
            await link.execute(f"DROP SCHEMA {name} CASCADE")
    assert errors == []
    assert bodies(results) == [{"n": 1}]
    assert results[0].metadata["message"]["headers"] == {"who": "me"}


async def test_dead_row_says_why_and_can_be_had_again() -> None:
    async with opened("postgres_notify") as broker:
        await broker.send(b"1")
        trigger = broker.trigger(max_attempts=1)
        probe = Probe(status=RuntimeError("it is\0broken"), triggers=[trigger])
        async with running(probe) as (_, errors):
            await until(lambda: errors)
        (why,) = await broker.ask("SELECT why FROM {}")
        assert why == "RuntimeError: it isbroken"
        again = "UPDATE {} SET state = 'waiting', attempts = 0"
        await broker.link.execute(sql.SQL(again).format(broker.table))
        async with running(checkpoint(triggers=[broker.trigger()])) as (results, _):
            await until(lambda: results)
        assert await broker.pending() == 0


@pytest.mark.parametrize("has_birth", [True, False])
async def test_rows_of_a_table_that_counts_anew_are_run(has_birth: bool) -> None:
    async with opened("postgres_notify") as broker:
        if not has_birth:
            drop = sql.SQL("ALTER TABLE {} DROP COLUMN created_at")
            await broker.link.execute(drop.format(broker.table))
        runs = checkpoint(triggers=[broker.trigger()])
        async with running(runs, store="runs.db") as (results, _):
            await broker.send(b"1")
            await until(lambda: len(results) == 1)
            await until(lambda: _is_settled(broker))
            empty = sql.SQL("TRUNCATE {} RESTART IDENTITY").format(broker.table)
            await broker.link.execute(empty)
            await broker.send(b"1" if has_birth else b"2")
            await until(lambda: len(results) == 2)
    assert [r.metadata["message"]["id"] for r in results] == ["1", "1"]


async def _is_settled(broker: Any) -> bool:
    return await broker.pending() == 0


async def test_table_that_is_not_there_is_named() -> None:
    trigger = listening("c", table="nothing.here")
    async with running(checkpoint(triggers=[trigger])) as (_, errors):
        await until(lambda: errors)
    assert "there is no nothing.here" in errors[0]


async def test_columns_that_are_not_there_are_named() -> None:
    async with opened("postgres_notify") as broker:
        drop = sql.SQL("ALTER TABLE {} DROP COLUMN why, DROP COLUMN due_at")
        await broker.link.execute(drop.format(broker.table))
        async with running(checkpoint(triggers=[broker.trigger()])) as (_, errors):
            await until(lambda: errors)
    assert "has no column due_at, why" in errors[0]


# ----------------------------------------------------------------------------- options


def test_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingDependencyError, match=r"truthound-async\[postgres\]"):
        PostgresNotifyTrigger(channels="a").library()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"channels": []}, "channels: give one or more"),
        ({"channels": "c" * 59}, "is longer than 58 bytes"),
        ({"poll_seconds": 0}, "poll_seconds=0"),
        ({"table": ""}, "table is a text"),
        ({"table": "t", "dead_letter": "d"}, "dead_letter is for notifications"),
        ({"delete_done": True}, "delete_done is for a table"),
        ({"url": "postgres"}, "url: expected an address"),
    ],
)
def test_wrong_options_are_refused(options: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PostgresNotifyTrigger(**{"channels": "a", **options})
