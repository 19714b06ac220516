"""Messages of every broker: received, run, acknowledged; none is lost.

One suite for all brokers that ``tests/brokers.py`` knows.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import more_brokers
from brokers import BROKERS, Broker, opened, until
from checked import Checked, running
from truthound.checkpoint import Checkpoint
from truthound.errors import StoreError
from truthound.store import Store

pytestmark = [
    pytest.mark.realtime,
    # aiormq forgets a connection that is lost before the server has said a word.
    pytest.mark.filterwarnings("ignore:unclosed <StreamWriter:ResourceWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def _cluster() -> Iterator[None]:
    with more_brokers.clusters():
        yield


@pytest.fixture(params=sorted(BROKERS))
def kind(request: pytest.FixtureRequest) -> str:
    BROKERS[request.param].find()
    return str(request.param)


async def all_acknowledged(broker: Broker) -> bool:
    return await broker.pending() == 0


async def settle(broker: Broker) -> None:
    await until(lambda: all_acknowledged(broker), "acknowledged")


def checked(broker: Broker, **options: Any) -> Checked:
    return Checked(triggers=[broker.trigger(**options)])


# ------------------------------------------------------------ received and acknowledged


async def test_each_message_has_a_run_and_is_acknowledged(kind: str) -> None:
    async with opened(kind) as broker:
        await broker.send(*(json.dumps({"n": n}).encode() for n in range(5)))
        checkpoint = checked(broker)
        async with running(checkpoint) as (_, results, errors):
            await settle(broker)

        assert [body["n"] for body in checkpoint.bodies()] == [0, 1, 2, 3, 4]
        assert checkpoint.most == 1
        assert len(results) == 5
        assert errors == []
        assert await broker.dead() == []


async def test_run_knows_its_message(kind: str) -> None:
    async with opened(kind) as broker:
        await broker.send(b'{"path": "a.csv"}', b"no JSON", b"\xff\x00", b"", b"NaN")
        checkpoint = checked(broker)
        async with running(checkpoint) as (_, results, _errors):
            await settle(broker)

        first = results[0].metadata
        assert first["message"] == first["messages"][0]
        assert first["message_count"] == 1
        assert first["message"]["body"] == {"path": "a.csv"}
        assert first["message"]["attempt"] == 1
        assert first["trigger"] == kind
        assert first["idempotency_key"].startswith(f"{kind}:")
        assert len({r.metadata["idempotency_key"] for r in results}) == 5
        bodies = [r.metadata["message"]["body"] for r in results[1:]]
        assert bodies == ["no JSON", "/wA=", "", "NaN"]
        assert results[2].metadata["message"]["encoding"] == "base64"


async def test_message_is_acknowledged_after_the_end_of_its_run(kind: str) -> None:
    async with opened(kind) as broker:
        await broker.send(b"1")
        checkpoint = checked(broker)
        checkpoint.gate.clear()
        async with running(checkpoint):
            await until(lambda: checkpoint.running)
            assert await broker.pending() == 1
            checkpoint.gate.set()
            await settle(broker)


async def test_no_more_is_taken_than_can_run(kind: str) -> None:
    async with opened(kind) as broker:
        await broker.send(*(b"%d" % n for n in range(12)))
        checkpoint = checked(broker, max_concurrent=3)
        checkpoint.gate.clear()
        async with running(checkpoint):
            await until(lambda: checkpoint.running == 3)
            assert await broker.pending() == 12
            assert await broker.taken() == 3
            checkpoint.gate.set()
            await settle(broker)

        assert sorted(checkpoint.bodies()) == list(range(12))
        assert checkpoint.most == 3


async def test_messages_of_a_batch_go_into_one_run(kind: str) -> None:
    async with opened(kind) as broker:
        checkpoint = checked(broker, batch_size=4, batch_window_seconds=10)
        async with running(checkpoint) as (_, results, _errors):
            await broker.send(b"0", b"1")
            await broker.send(b"2", b"3")
            await settle(broker)

        assert checkpoint.bodies() == [0, 1, 2, 3]
        (result,) = results
        assert result.metadata["message_count"] == 4
        assert result.metadata["message"]["body"] == 3


async def test_batch_is_not_waited_for_longer_than_its_window(kind: str) -> None:
    async with opened(kind) as broker:
        checkpoint = checked(broker, batch_size=100, batch_window_seconds=0.3)
        async with running(checkpoint) as (_, results, _errors):
            await broker.send(b"0", b"1")
            await settle(broker)

        assert sum(r.metadata["message_count"] for r in results) == 2


async def test_paused_trigger_takes_nothing(kind: str) -> None:
    async with opened(kind) as broker:
        checkpoint = checked(broker)
        async with running(checkpoint) as (runner, _, _errors):
            await broker.send(b"1")
            await settle(broker)
            runner.pause("c")
            await broker.send(b"2", b"3")
            await asyncio.sleep(0.1)
            assert checkpoint.bodies() == [1]
            runner.resume("c")
            await settle(broker)

        assert checkpoint.bodies() == [1, 2, 3]


async def test_no_more_runs_than_max_runs(kind: str) -> None:
    async with opened(kind) as broker:
        await broker.send(b"1", b"2", b"3")
        checkpoint = checked(broker, max_runs=2, max_concurrent=5)
        async with running(checkpoint) as (_, results, _errors):
            await until(lambda: len(results) == 2)
            await asyncio.sleep(0.05)

        assert checkpoint.bodies() == [1, 2]
        assert await broker.pending() == 1


# ------------------------------------------------------------- again, and to the dead


async def test_message_comes_again_whose_run_failed(kind: str) -> None:
    async with opened(kind) as broker:
        await broker.send(b'{"fails": 2}')
        checkpoint = checked(broker, retry_delay_seconds=0.05)
        async with running(checkpoint) as (_, results, _errors):
            await settle(broker)

        assert [r.status for r in results] == ["error", "error", "success"]
        assert [r.metadata["message"]["attempt"] for r in results] == [1, 2, 3]
        assert len({r.metadata["idempotency_key"] for r in results}) == 1
        assert await broker.dead() == []


async def test_poison_goes_to_the_dead_letters_and_says_so(kind: str) -> None:
    async with opened(kind) as broker:
        await broker.send(b'{"fails": 99}', b"1")
        checkpoint = checked(broker, retry_delay_seconds=0.05, max_attempts=3)
        async with running(checkpoint) as (_, results, errors):
            await settle(broker)

        assert sorted(str(r.status) for r in results) == ["error"] * 3 + ["success"]
        assert await broker.dead() == [b'{"fails": 99}']
        (told,) = [error for error in errors if "dead letters" in error]
        assert "after 3 deliveries: as the message says" in told


async def test_poison_takes_no_others_of_its_batch_with_it(kind: str) -> None:
    async with opened(kind) as broker:
        await broker.send(b"1", b'{"fails": 99}', b"3")
        options: Any = {"batch_size": 3, "batch_window_seconds": 5}
        checkpoint = checked(
            broker, retry_delay_seconds=0.05, max_attempts=2, **options
        )
        async with running(checkpoint) as (_, results, _errors):
            await until(lambda: results)
            checkpoint.triggers[0].config.batch_window_seconds = 0.0
            await settle(broker)

        assert results[0].metadata["message_count"] == 3
        assert [r.metadata["message_count"] for r in results[1:]] == [1, 1, 1]
        assert await broker.dead() == [b'{"fails": 99}']


async def test_run_that_was_cut_off_gives_its_message_back(kind: str) -> None:
    async with opened(kind) as broker:
        await broker.send(b"1")
        first = checked(broker)
        first.gate.clear()
        async with running(first) as (runner, _, _errors):
            await until(lambda: first.running)
            await runner.stop_async(wait=False)
        assert await broker.pending() == 1

        second = checked(broker)
        async with running(second) as (_, results, _errors):
            await settle(broker)
        assert second.bodies() == [1]
        assert [str(r.status) for r in results] == ["success"]


async def test_what_runs_at_the_stop_is_finished_and_acknowledged(kind: str) -> None:
    async with opened(kind) as broker:
        await broker.send(b"1", b"2", b"3")
        checkpoint = checked(broker)
        checkpoint.gate.clear()
        async with running(checkpoint) as (runner, results, _errors):
            await until(lambda: checkpoint.running)
            stopping = asyncio.ensure_future(runner.stop_async())
            await asyncio.sleep(0.05)
            checkpoint.gate.set()
            await stopping

        assert [str(r.status) for r in results] == ["success"]
        assert await broker.pending() == 2


# --------------------------------------------------------------------------- the store


async def test_checked_message_is_not_run_again(kind: str) -> None:
    """The process dies between the end of the run and the acknowledgement."""

    async def lost(_: Any) -> None:
        raise ConnectionError("the line is dead")

    async with opened(kind) as broker:
        await broker.send(b"1")
        first = checked(broker)
        first.triggers[0].acknowledge = lost
        async with running(first, store="runs.db") as (_, results, errors):
            await until(lambda: errors)
            assert len(results) == 1
            assert "the line is dead" in errors[0]
        assert await broker.pending() == 1

        second = checked(broker)
        async with running(second, store="runs.db") as (_, results, errors):
            await settle(broker)
        assert results == []
        assert errors == []


async def test_interrupted_run_does_not_keep_its_message(kind: str) -> None:
    async with opened(kind) as broker:
        await broker.send(b"1")
        for is_last in (False, True):
            checkpoint = checked(broker)
            if not is_last:
                checkpoint.gate.clear()
            async with running(checkpoint, store="runs.db") as (runner, results, _):
                if is_last:
                    await settle(broker)
                    assert [str(r.status) for r in results] == ["success"]
                else:
                    await until(lambda: checkpoint.running)  # noqa: B023 - awaited here
                    await runner.stop_async(wait=False)


async def test_failed_run_is_tried_again_with_a_store(kind: str) -> None:
    async with opened(kind) as broker:
        await broker.send(b'{"fails": 1}')
        checkpoint = checked(broker, retry_delay_seconds=0.05)
        async with running(checkpoint, store="runs.db") as (_, results, _errors):
            await settle(broker)

        assert [str(r.status) for r in results] == ["error", "success"]


# ------------------------------------------------------------- what breaks on the way


@pytest.fixture(scope="module")
def program() -> Iterator[subprocess.Popen[str]]:
    """Return a program that receives messages and is killed in their runs."""
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "consuming.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0


async def killed(program: subprocess.Popen[str], broker: Broker) -> None:
    """Have a message received by a process that is killed in its run."""
    lines, answers = program.stdin, program.stdout
    assert lines is not None
    assert answers is not None
    told = (broker.kind, broker.url, broker.place, str(Path.cwd() / "runs.db"))
    lines.write("\t".join(told) + "\n")
    lines.flush()
    assert int(await asyncio.to_thread(answers.readline)) == -signal.SIGKILL


async def test_message_of_a_killed_process_comes_again(
    kind: str, program: subprocess.Popen[str]
) -> None:
    async with opened(kind) as broker:
        await broker.send(b"1")
        await killed(program, broker)
        assert await broker.pending() == 1

        checkpoint = checked(broker)
        async with running(checkpoint, store="runs.db") as (_, results, _errors):
            await settle(broker)
        (result,) = [r for r in results if r.status == "success"]
        assert result.metadata["message"]["body"] == 1
        assert result.metadata["message"]["attempt"] == 2


async def test_message_that_kills_the_process_is_buried(
    kind: str, program: subprocess.Popen[str]
) -> None:
    async with opened(kind) as broker:
        await broker.send(b"1", b"2")
        await killed(program, broker)

        checkpoint = checked(broker, max_attempts=1)
        async with running(checkpoint, store="runs.db") as (_, _results, errors):
            await settle(broker)
        assert checkpoint.bodies() == [2]
        assert await broker.dead() == [b"1"]
        assert any("never checked to the end" in error for error in errors)


async def test_lost_line_loses_nothing(kind: str) -> None:
    async with opened(kind) as broker, broker.line() as line:
        await broker.send(b"1", b"2", b"3")
        broker.url = line.url
        checkpoint = checked(broker)
        checkpoint.gate.clear()
        async with running(checkpoint) as (_, results, errors):
            await until(lambda: checkpoint.running)
            line.cut()
            checkpoint.gate.set()
            await until(lambda: results)  # of the first; nobody knows of it
            await until(lambda: errors)
            assert await broker.pending() == 3
            line.mend()
            await settle(broker)

        assert sorted(checkpoint.bodies()) == [1, 2, 3]


async def test_server_that_is_not_there_is_waited_for(kind: str) -> None:
    async with opened(kind) as broker, broker.line() as line:
        await broker.send(b"1")
        broker.url = line.url
        line.cut()
        checkpoint = checked(broker)
        async with running(checkpoint) as (_, _results, errors):
            await until(lambda: errors)
            await asyncio.sleep(0.3)  # for a second attempt
            assert len(errors) == 1
            assert errors[0].startswith(f"c: trigger {kind}: ")
            line.mend()
            await settle(broker)
        assert checkpoint.bodies() == [1]


async def test_end_that_cannot_be_written_is_not_acknowledged(kind: str) -> None:
    """The store fails when the run ends, and works again later."""
    async with opened(kind) as broker:
        await broker.send(b"1")
        store = Store("runs.db")
        checkpoint = checked(broker)
        real, failed = store.end, asyncio.Event()

        async def failing(*_: Any) -> bool:
            failed.set()
            raise StoreError("the disk is full")

        store.end = failing  # type: ignore[method-assign]
        async with running(checkpoint, store=store) as (_, results, errors):
            await failed.wait()
            await until(lambda: errors)
            assert await broker.pending() == 1
            store.end = real  # type: ignore[method-assign]
        assert await broker.pending() == 1
        assert [str(r.status) for r in results] == ["success"]

        again = checked(broker)
        async with running(again, store="runs.db"):
            await settle(broker)


async def test_checkpoint_that_is_added_again_goes_on(kind: str) -> None:
    async with opened(kind) as broker:
        await broker.send(b"1", b"2")
        checkpoint = checked(broker)
        checkpoint.gate.clear()
        async with running(checkpoint) as (runner, _, errors):
            await until(lambda: checkpoint.running)
            runner.remove_checkpoint("c")
            runner.add_checkpoint(checkpoint)
            checkpoint.gate.set()
            await settle(broker)

        assert sorted(checkpoint.bodies()) == [1, 2]
        assert errors == []


# ----------------------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 0}, "batch_size=0: expected a whole number, 1 or more"),
        ({"batch_window_seconds": -1}, "batch_window_seconds is a number, 0 or more"),
        ({"max_attempts": 0}, "max_attempts=0"),
        ({"retry_delay_seconds": "soon"}, "retry_delay_seconds is a number"),
        ({"dead_letter": " "}, "dead_letter is a text, and not empty"),
        ({"url": "htp://u:secret@h"}, "url: expected an address that begins with"),
        ({"url": ""}, "url"),
        ({"batchsize": 2}, "did you mean 'batch_size'"),
    ],
)
def test_wrong_options_are_refused(kind: str, options: Any, words: str) -> None:
    if "url" in options and not BROKERS[kind].has_url:
        pytest.skip("its address has another name")
    with pytest.raises((ValueError, TypeError), match=words) as caught:
        BROKERS[kind]().trigger(**options)
    assert "secret" not in str(caught.value)


def test_address_is_a_secret(kind: str) -> None:
    broker = BROKERS[kind]()
    if not broker.has_url:
        pytest.skip("its address has another name")
    broker.url = broker.url.replace("://", "://somebody:hunter2@")
    trigger = broker.trigger()
    assert "hunter2" not in repr(trigger.config)
    assert "hunter2" not in str(Checkpoint("c", triggers=[trigger]).to_dict())


def test_delay_doubles_up_to_a_minute(kind: str) -> None:
    config = BROKERS[kind]().trigger(retry_delay_seconds=2).config
    assert [config.delay(n) for n in (1, 2, 3, 6, 99)] == [2, 4, 8, 60, 60]
