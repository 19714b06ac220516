"""What becomes of messages that were received, by a trigger that needs no broker."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from brokers import until
from checked import Checked, running
from truthound.checkpoint import AsyncCheckpointRunner
from truthound.checkpoint._running import messages as driver
from truthound.checkpoint.triggers import MessageConfig, MessageTrigger, Received
from truthound.errors import ConfigurationError

pytestmark = pytest.mark.realtime


class Fake(MessageTrigger[MessageConfig]):
    """Delivers what is put into ``there``; its methods write down what they are told.

    Attributes:
        said: what the runner did, in turn.
        counts: deliveries, by the ids.
        is_counting: whether it says them.
    """

    trigger_type = "fake"

    def __init__(self, *bodies: bytes, **options: Any) -> None:
        super().__init__(**options)
        self.there: asyncio.Queue[Received] = asyncio.Queue()
        self.counts: dict[str, int] = {}
        self.said: list[tuple[str, str]] = []
        self.is_counting = True
        self.renewed: set[str] = set()
        for number, body in enumerate(bodies):
            self.put(str(number), body)

    def put(self, identity: str, body: bytes = b"1", attempt: int | None = None) -> Any:
        count = self.counts.get(identity, 0) + 1 if attempt is None else attempt
        self.counts[identity] = count
        message = Received(
            id=identity,
            body=body,
            place="p",
            attempt=count if self.is_counting else None,
            raw=count,
        )
        self.there.put_nowait(message)
        return message

    async def connect(self) -> None:
        self.said.append(("connect", ""))

    async def receive(self, most: int) -> list[Received]:
        found = [await self.there.get()]
        while len(found) < most and not self.there.empty():
            found.append(self.there.get_nowait())
        return found

    async def acknowledge(self, messages: Any) -> None:
        self.said += [("acknowledge", f"{m.id}.{m.raw}") for m in messages]

    async def give_back(self, messages: Any, delay: float) -> None:
        self.said += [("give back", m.id) for m in messages]

    async def bury(self, message: Received, why: str) -> None:
        self.said.append(("bury", message.id))

    async def renew(self, messages: Any) -> None:
        self.renewed |= {m.id for m in messages}

    async def disconnect(self) -> None:
        self.said.append(("disconnect", ""))

    def did(self, what: str) -> list[str]:
        return [about for done, about in self.said if done == what]


async def test_what_is_gathered_is_renewed_and_is_not_doubled() -> None:
    trigger = Fake(batch_size=3, batch_window_seconds=20)
    trigger.renewal = 0.01
    checkpoint = Checked(triggers=[trigger])
    async with running(checkpoint) as (_, results, errors):
        trigger.put("a")
        await until(lambda: trigger.renewed == {"a"})
        for _ in range(9):  # the broker was too impatient all the same
            trigger.put("a")
        trigger.put("b")
        trigger.put("c")
        await until(lambda: len(trigger.did("acknowledge")) == 3)

    assert trigger.did("acknowledge") == ["a.10", "b.1", "c.1"]
    assert trigger.did("bury") == []
    assert [r.metadata["message_count"] for r in results] == [3]
    assert [m["attempt"] for m in results[0].metadata["messages"]] == [1, 1, 1]
    assert errors == []


async def test_stop_within_the_window_gives_back_what_was_gathered() -> None:
    trigger = Fake(batch_size=3, batch_window_seconds=20)
    trigger.renewal = 0.01
    async with running(Checked(triggers=[trigger])):
        trigger.put("a")
        await until(lambda: trigger.renewed == {"a"})
    assert trigger.did("give back") == ["a"]
    assert trigger.said[-1] == ("disconnect", "")


async def test_what_may_have_ended_a_process_runs_alone() -> None:
    trigger = Fake(max_concurrent=4)
    trigger.put("new")
    trigger.put("old", attempt=2)
    trigger.put("newer")
    checkpoint = Checked(triggers=[trigger])
    checkpoint.gate.clear()
    async with running(checkpoint):
        await until(lambda: checkpoint.running)
        await asyncio.sleep(0.05)
        assert len(checkpoint.seen) == 1
        checkpoint.gate.set()
        await until(lambda: len(trigger.did("acknowledge")) == 3)
    assert checkpoint.most == 1


async def test_what_failed_here_need_not_be_alone() -> None:
    trigger = Fake(max_concurrent=2)
    trigger.put("bad", b'{"fails": 1}')
    checkpoint = Checked(triggers=[trigger])
    async with running(checkpoint):
        await until(lambda: trigger.did("give back"))
        checkpoint.gate.clear()
        trigger.put("bad", b'{"fails": 1}')
        trigger.put("good")
        await until(lambda: checkpoint.running == 2)
        checkpoint.gate.set()
        await until(lambda: len(trigger.did("acknowledge")) == 2)


@pytest.mark.parametrize("options", [{"batch_size": 9}, {"max_concurrent": 4}])
async def test_what_was_only_beside_poison_is_not_buried(options: Any) -> None:
    trigger = Fake(max_attempts=3, **options)
    for name in ("a", "b", "c"):
        trigger.put(name, attempt=9)
    checkpoint = Checked(triggers=[trigger])
    async with running(checkpoint, store="runs.db"):
        await until(lambda: len(trigger.did("acknowledge")) == 3)
    assert checkpoint.most == 1
    assert [told["message_count"] for told in checkpoint.seen] == [1, 1, 1]
    assert trigger.did("bury") == []


async def test_poison_that_was_beside_others_comes_to_an_end() -> None:
    """Its runs end the process: here they are left, and nobody hears of their end."""
    for attempt in range(2, 9):
        trigger = Fake(max_attempts=3, max_concurrent=4)
        trigger.put("poison", attempt=attempt)
        checkpoint = Checked(triggers=[trigger])
        checkpoint.gate.clear()
        async with running(checkpoint, store="runs.db") as (runner, _, _errors):
            await until(lambda: checkpoint.seen or trigger.did("bury"))  # noqa: B023
            # What a stop would take off the counts is lost with a process.
            _drivers(runner)[0]._attempts.spare = _nothing
            await runner.stop_async(wait=False)
        if trigger.did("bury"):
            break
    assert attempt == 4


def _drivers(runner: AsyncCheckpointRunner) -> list[Any]:
    return [d for entry in runner._entries.all() for d in entry.drivers]


async def _nothing(*_: Any) -> None:
    pass


@pytest.mark.parametrize("is_counting", [True, False])
async def test_stops_do_not_count(is_counting: bool) -> None:
    for number in range(1, 8):
        trigger = Fake(max_attempts=2)
        trigger.is_counting = is_counting
        trigger.put("a", attempt=number)
        checkpoint = Checked(triggers=[trigger])
        checkpoint.gate.clear()
        async with running(checkpoint, store="runs.db") as (runner, _, _errors):
            await until(lambda: checkpoint.running)  # noqa: B023
            await runner.stop_async(wait=False)
        assert trigger.did("bury") == []
        assert trigger.did("give back") == ["a"]
        assert checkpoint.seen[0]["message"]["attempt"] == 1


async def test_without_a_store_poison_has_grace_and_an_end() -> None:
    trigger = Fake(max_attempts=2)
    trigger.put("stopped", attempt=4)
    trigger.put("poison", attempt=5)
    checkpoint = Checked(triggers=[trigger])
    async with running(checkpoint):
        await until(lambda: trigger.did("bury"))
        await until(lambda: trigger.did("acknowledge"))
    assert trigger.did("bury") == ["poison"]


async def test_what_comes_again_during_its_acknowledgement_is_acknowledged() -> None:
    hangs, cut = asyncio.Event(), asyncio.Event()

    class Cut(Fake):
        async def acknowledge(self, messages: Any) -> None:
            if not hangs.is_set():
                hangs.set()
                await cut.wait()
                raise ConnectionError("the line is cut")
            await super().acknowledge(messages)

    trigger = Cut(b"1", max_concurrent=2)
    async with running(Checked(triggers=[trigger])) as (_, results, _errors):
        await hangs.wait()
        trigger.put("0")
        await until(trigger.there.empty)
        await asyncio.sleep(0)
        cut.set()
        await until(lambda: trigger.did("acknowledge"))
    assert trigger.did("acknowledge") == ["0.2"]
    assert len(results) == 1


async def test_trigger_leaves_the_broker_after_its_last_run() -> None:
    trigger = Fake(b"1", b"2", max_runs=1)
    async with running(Checked(triggers=[trigger])):
        await until(lambda: trigger.did("disconnect"))
        assert trigger.did("acknowledge") == ["0.1"]
        assert trigger.said[-1] == ("disconnect", "")


async def test_trigger_that_cannot_work_leaves_the_broker() -> None:
    class Hopeless(Fake):
        async def receive(self, most: int) -> list[Received]:
            raise ConfigurationError("not so")

    trigger = Hopeless()
    async with running(Checked(triggers=[trigger])) as (_, _results, errors):
        await until(lambda: trigger.did("disconnect"))
        assert "not so" in errors[0]


async def test_poison_that_cannot_be_buried_is_told_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(driver, "FIRST", 0.01)

    class Full(Fake):
        async def bury(self, message: Received, why: str) -> None:
            raise OSError("no place")

        async def give_back(self, messages: Any, delay: float) -> None:
            await super().give_back(messages, delay)
            for message in messages:
                self.put(message.id, message.body)

    trigger = Full(max_attempts=1, retry_delay_seconds=0)
    trigger.put("a", b'{"fails": 99}')
    async with running(Checked(triggers=[trigger])) as (_, _results, errors):
        await until(lambda: len([e for e in errors if "cannot be put" in e]) > 1)
    told = [e for e in errors if "cannot be put" in e]
    assert "message a of p cannot be put to the dead letters, tried 3 times" in told[0]
    assert "tried 6 times: OSError: no place" in told[1]
