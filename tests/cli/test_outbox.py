"""What ``truthound run`` owes, and the commands that list, send and drop it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from cli.shell import call
from scripted_server import RESET, Received, reply, serving
from truthound.store import Notice, Store

STORE = ".truthound/truthound.db"
TOKEN = "T0P-s3cret-t0ken"
pytestmark = pytest.mark.timeout(120)  # many processes
CONFIG = """\
checkpoints:
  - name: rides
    data_source: rides.csv
    validators: [unique: {column: id}]
    actions:
      - {type: webhook, name: hook, url: '%s', retry_delay_seconds: 600}
"""


def stored() -> list[Notice]:
    with Store(STORE) as store:
        return store.notices()


class Desk:
    """A folder with a checkpoint, the server that it tells, and what was said.

    Attributes:
        answer: what the server says.
        keys: the idempotency keys that came.
    """

    def __init__(self) -> None:
        self.answer: Callable[[Received], Any] = lambda _: reply(200)
        self.keys: list[str] = []
        self.said: list[str] = []
        self.url = ""

    def script(self, request: Received) -> Any:
        self.keys.append(request.headers["idempotency-key"])
        return self.answer(request)

    async def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command line, with the address in a variable."""
        done = await asyncio.to_thread(call, *words, env={"HOOK": self.url})
        self.said += [done.stdout, done.stderr]
        assert "Traceback" not in done.stderr
        return done

    async def notices(self) -> list[tuple[str, int]]:
        """Return the states and tries of all notifications, as the store has them."""
        found = await asyncio.to_thread(stored)
        return [(str(notice.state), notice.attempts) for notice in found]

    def check_no_secret(self) -> None:
        """Neither was it said, nor does it stand anywhere in the store."""
        assert not [text for text in self.said if TOKEN in text]
        files = [path for path in Path(".truthound").rglob("*") if path.is_file()]
        assert Path(STORE) in files
        assert not [path for path in files if TOKEN.encode() in path.read_bytes()]


@contextlib.asynccontextmanager
async def at_a_desk(url: str = "") -> AsyncIterator[Desk]:
    """Serve, and write the configuration; the address stands in it, or a variable."""
    desk = Desk()
    async with serving(desk.script) as server:
        desk.url = f"{server.url}/hook/{TOKEN}?token={TOKEN}"
        text = CONFIG % (url or desk.url)
        await asyncio.to_thread(Path("truthound.yaml").write_text, text)
        await asyncio.to_thread(Path("rides.csv").write_text, "id\n1\n2\n")
        yield desk
    await asyncio.to_thread(desk.check_no_secret)


async def test_what_failed_is_listed_and_sent_again_with_its_key() -> None:
    async with at_a_desk() as desk:
        desk.answer = lambda _: reply(503)
        assert (await desk.ask("run")).returncode == 0
        listed = await desk.ask("outbox", "list", "-f", "json")
        (owed,) = json.loads(listed.stdout)
        assert (owed["state"], owed["attempts"], owed["action"]) == ("owed", 1, "hook")
        assert "503" in owed["error"]

        failed = await desk.ask("outbox", "retry")
        assert failed.returncode == 4
        assert "rides: action hook: " in failed.stderr
        assert "503" in failed.stderr
        assert failed.stdout == "delivered 0 of 1\n"

        desk.answer = lambda _: reply(200)
        sent = await desk.ask("outbox", "retry", owed["run_id"])
        assert (sent.returncode, sent.stdout) == (0, "delivered 1 of 1\n")
        assert len(desk.keys) == 3
        assert len(set(desk.keys)) == 1
        assert await desk.notices() == [("delivered", 1)]  # all tries were before it
        for words in (("list",), ("retry",)):
            none = await desk.ask("outbox", *words)
            assert (none.returncode, "nothing is owed" in none.stderr) == (5, True)
        assert len(desk.keys) == 3


async def test_what_never_can_succeed_is_dead_at_once() -> None:
    async with at_a_desk() as desk:
        desk.answer = lambda _: reply(404)
        strict = await desk.ask("run", "--strict-actions")
        assert strict.returncode == 4
        (dead,) = await asyncio.to_thread(stored)
        assert "404" in (dead.error or "")
        assert await desk.notices() == [("dead", 1)]
        table = (await desk.ask("outbox", "list")).stdout
        assert table.splitlines()[0].startswith("state  tries")
        assert table.splitlines()[2].startswith("dead       1")
        still = await desk.ask("outbox", "retry", "--dead")
        assert (still.returncode, "404" in still.stderr) == (4, True)
        assert len(desk.keys) == 2

        unknown = await desk.ask("outbox", "drop", f"{dead.run_id}:7")
        assert (unknown.returncode, "it has 0" in unknown.stderr) == (2, True)
        dropped = await desk.ask("outbox", "drop", f"{dead.run_id}:0")
        assert (dropped.returncode, dropped.stdout) == (0, "dropped 1 notification\n")
        assert [state for state, _ in await desk.notices()] == ["dropped"]


async def cut_off(_: Received) -> AsyncIterator[bytes]:
    yield RESET


def due_now() -> None:
    with Store(STORE) as store:
        assert store.retry_notices() == 1


async def test_the_next_run_sends_what_is_due() -> None:
    async with at_a_desk("${HOOK}") as desk:
        desk.answer = cut_off
        assert (await desk.ask("run")).returncode == 0
        assert await desk.notices() == [("owed", 1)]
        lines = (await desk.ask("outbox", "list")).stdout.splitlines()
        head = "".join(lines[0].split())
        assert head == "statetriesnexttrycheckpointactionrun"
        assert lines[2].split()[:2] == ["owed", "1"]  # however long the error is
        assert "127.0.0.1: " in lines[2]
        assert max(map(len, lines)) <= 80

        desk.answer = lambda _: reply(204)
        await asyncio.to_thread(due_now)
        await desk.ask("run")
        assert len(desk.keys) == 3
        assert desk.keys[0] in desk.keys[1:]
        assert len(set(desk.keys)) == 2
        assert [state for state, _ in await desk.notices()] == ["delivered"] * 2


async def test_what_is_not_due_is_left_alone_and_what_is_gone_is_not_sent() -> None:
    async with at_a_desk() as desk:
        desk.answer = lambda _: reply(503)
        for _ in range(2):
            await desk.ask("run")
        assert await desk.notices() == [("owed", 1), ("owed", 1)]
        path = Path("truthound.yaml")
        text = await asyncio.to_thread(path.read_text)
        await asyncio.to_thread(path.write_text, text.replace("rides\n", "other\n", 1))
        left = await desk.ask("outbox", "retry")
        assert (left.returncode, left.stdout) == (4, "delivered 0 of 2\n")
        assert "not tried: no such checkpoint" in left.stderr
        assert {state for state, _ in await desk.notices()} == {"owed"}
        assert len(desk.keys) == 2
