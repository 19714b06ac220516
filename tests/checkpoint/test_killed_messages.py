"""A process that checks messages is killed at any point: none of them is lost.

Each message has its webhook at least once, and whatever is sent twice has the same key,
by which the receiver can tell.
"""

from __future__ import annotations

import http.server
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import pytest

from brokers import opened
from forking import Tell, forking

POINTS = (  # as the program names them
    "Redis is connected",
    "NATS is connected",
    "received",
    "run is accepted",
    "result is stored",
    "webhook is sent",
    "webhook was sent",
    "end is written",
    "commit is counted",
    "acknowledging",
    "acknowledged in Redis",
    "acknowledged in NATS",
    "leaving",
    "at any time",
)
ONCE = ("Redis is connected", "NATS is connected", "leaving")
PROGRAM = Path(__file__).parent / "killed.py"
IS_TORTURE = os.environ.get("TRUTHOUND_TEST_PROFILE") == "torture"
KILLS = 200 if IS_TORTURE else 20
MESSAGES = 6  # for each broker, in each case
TURNS = 5  # processes of a case that may be killed


class Hook:
    """Counts requests by their keys; one in six it does not take."""

    def __init__(self) -> None:
        self.keys: Counter[str] = Counter()
        self.refused = 0
        self._chance = random.Random(6)

    def post(self, key: str) -> int:
        if self._chance.random() < 1 / 6:
            self.refused += 1
            return 503
        self.keys[key] += 1
        return 204


@pytest.fixture
def hook() -> Iterator[tuple[Hook, str]]:
    told = Hook()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(told.post(self.headers["Idempotency-Key"]))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass  # nothing on stderr

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield told, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.realtime
@pytest.mark.timeout(3000 if IS_TORTURE else 120)
async def test_no_message_is_lost_wherever_a_process_is_killed(
    hook: tuple[Hook, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told, address = hook
    chance, points = random.Random(7), cycle(POINTS)
    passed: Counter[str] = Counter()
    case = 0
    async with forking(PROGRAM) as tell:
        while passed.total() < KILLS:
            folder = tmp_path / str(case)
            folder.mkdir()
            mode = ("interrupted", "rerun")[case % 2]
            passed += await a_case(tell, (mode, folder), told, address, points, chance)
            case += 1
    again = told.keys.total() - len(told.keys)
    if IS_TORTURE:
        with capsys.disabled():
            print(
                f"\n{passed.total()} kills, {len(told.keys)} messages, {again} sent "
                f"again with the same key, {told.refused} refused, 0 lost"
            )
            print(dict(passed))


async def a_case(
    tell: Tell,
    start: tuple[str, Path],
    told: Hook,
    address: str,
    points: Iterator[str],
    chance: random.Random,
) -> Counter[str]:
    """Let children check some messages; return where they were killed."""
    passed: Counter[str] = Counter()
    async with opened("redis") as one, opened("nats") as other:
        end = (one.place, other.place, address)
        bodies = [b"%d" % n for n in range(MESSAGES)]
        await one.send(*bodies)
        await other.send(*bodies)
        for point in islice(points, TURNS):
            number = 1 if point in ONCE else chance.randint(1, 5)
            if point == "at any time":
                number = chance.randint(1, 300)  # milliseconds
            code = await tell(*start, point, number, *end)
            assert code in (0, -signal.SIGKILL), (point, number, code)
            passed[point] += code != 0
        assert await tell(*start, "none", 0, *end) == 0
        assert await one.pending() == await other.pending() == 0
        assert await one.dead() == await other.dead() == []
        check(told, one.place, other.place)
    return passed


def check(told: Hook, one: str, other: str) -> None:
    """See that each message has its webhook, under one key."""
    redis = [key for key in told.keys if f":{one}:" in key]
    assert len(redis) == MESSAGES, redis
    nats = sorted(key for key in told.keys if f":{other}.a:" in key)
    numbers = [key.split(":")[3].partition("-")[0] for key in nats]
    assert sorted(map(int, numbers)) == list(range(1, MESSAGES + 1)), nats
