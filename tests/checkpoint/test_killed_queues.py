"""Processes that check messages of queues are killed: none is lost.

Wherever that was, each message has exactly one run that has come to its end: there is a
store, and each message has a name.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest

import more_brokers
from brokers import BROKERS, opened, until
from forking import Tell, forking
from truthound.store import Store

POINTS = (
    "received",
    "end is written",
    "acknowledging",
    "acknowledge",
    "run is accepted",
    "result is stored",
    "connect",
    "leaving",
    "at any time",
)
ONCE = ("connect", "leaving")
PROGRAM = Path(__file__).parent / "killed_queues.py"
IS_TORTURE = os.environ.get("TRUTHOUND_TEST_PROFILE") == "torture"
KILLS = 50 if IS_TORTURE else 4  # for each broker
FEW = KILLS if IS_TORTURE else 1  # for Kafka, where a dead member is waited for
MESSAGES = 8
TURNS = 4  # processes of a case that may be killed

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.timeout(3000 if IS_TORTURE else 120),
]


@pytest.fixture(scope="module", autouse=True)
def _cluster() -> Iterator[None]:
    with more_brokers.clusters():
        yield


@pytest.mark.parametrize("kind", ["kafka", "mqtt", "postgres_notify", "rabbitmq"])
async def test_no_message_is_lost_or_run_twice(kind: str, tmp_path: Path) -> None:
    BROKERS[kind].find()
    chance, points = random.Random(kind), cycle(POINTS)
    passed: Counter[str] = Counter()
    kills, case = FEW if kind == "kafka" else KILLS, 0
    async with forking(PROGRAM) as tell:
        while passed.total() < kills:
            folder = tmp_path / str(case)
            folder.mkdir()
            turns = islice(points, min(TURNS, kills - passed.total()))
            passed += await a_case(tell, kind, folder, turns, chance)
            case += 1
    if IS_TORTURE:
        print(f"\n{kind}: {passed.total()} kills: {dict(passed)}", file=sys.stderr)


async def a_case(
    tell: Tell, kind: str, folder: Path, points: Iterator[str], chance: random.Random
) -> Counter[str]:
    """Let children check some messages; return where they were killed."""
    passed: Counter[str] = Counter()
    async with opened(kind) as broker:
        await broker.send(*(b"%d" % n for n in range(MESSAGES)))
        told = (kind, broker.url, broker.place, folder)
        for point in points:
            number = 1 if point in ONCE else chance.randint(1, 4)
            if point == "at any time":
                number = chance.randint(50, 500)  # milliseconds
            code = await tell(*told, point, number, MESSAGES)
            assert code in (0, -signal.SIGKILL), (point, number, code)
            passed[point] += code != 0
        assert await tell(*told, "none", 0, MESSAGES) == 0
        bodies = await asyncio.to_thread(finished, folder / "runs.db")
        assert sorted(bodies) == list(range(MESSAGES))
        assert await broker.dead() == []
        await until(lambda: is_empty(broker))
    return passed


def finished(path: Path) -> list[int]:
    """Return the bodies of the messages whose runs have come to an end."""
    store = Store(path)
    try:
        found = store.runs(states=["finished"], limit=None)
        return [record.context["message"]["body"] for record in found]
    finally:
        store.release()


async def is_empty(broker: Any) -> bool:
    """Tell whether the server thinks that all is acknowledged."""
    if broker.kind == "rabbitmq":
        broker.settled = {str(n) for n in range(broker.sent)}  # by the others
        return bool(await broker.ready() == 0)
    if broker.kind == "mqtt":
        trigger = broker.trigger()
        await trigger.begin()
        await trigger.connect()
        try:
            return not await trigger.receive_more(1, 0.2)
        finally:
            await trigger.disconnect()
    return bool(await broker.pending() == 0)
