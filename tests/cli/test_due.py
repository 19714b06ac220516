"""What is put off is told of, and sent by whatever runs next."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.shell import call, command, environment
from scripted_server import Received, reply, serving
from truthound.store import Store

STORE = ".truthound/truthound.db"
pytestmark = pytest.mark.timeout(120)  # many processes
CONFIG = """\
checkpoints:
  - name: rides
    data_source: rides.csv
    validators: [unique: {column: id}]
    actions:
      - {type: webhook, name: hook, url: '%(url)s', alerts: {group_by: all}}
  - name: fares
    data_source: fares.csv
    validators: [unique: {column: id}]
    triggers: [{type: file_watch, paths: [fares.csv], poll_interval_seconds: 60}]
"""


class Desk:
    """A folder with checkpoints, and the server that they tell."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.came = asyncio.Event()

    def script(self, request: Received) -> Any:
        self.bodies.append(json.loads(request.body))
        self.came.set()
        return reply(200)

    async def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        done = await asyncio.to_thread(call, *words)
        assert "Traceback" not in done.stderr
        return done


@contextlib.asynccontextmanager
async def at_a_desk() -> AsyncIterator[Desk]:
    desk = Desk()
    async with serving(desk.script) as server:
        text = CONFIG % {"url": f"{server.url}/hook"}
        await asyncio.to_thread(Path("truthound.yaml").write_text, text)
        for name in ("rides", "fares"):
            rows = "id\n1\n1\n" if name == "rides" else "id\n1\n2\n"
            await asyncio.to_thread(Path(f"{name}.csv").write_text, rows)
        yield desk


def an_hour_passes() -> None:
    """Let what is put off be due: its time was an hour ago."""
    with Store(STORE) as store:

        def earlier(plain: Any) -> tuple[Any, None]:
            before = store.clock.now() - timedelta(hours=1)
            return {**plain, "until": before.isoformat()}, None

        (group,) = store.cursors("alert group|")
        store.change(group, earlier)
        assert store.retry_notices() == 1


async def test_what_is_put_off_is_told_of() -> None:
    async with at_a_desk() as desk:
        done = await desk.ask("run", "rides")
        assert desk.bodies == []
        assert "note: action hook: put off until 20" in done.stdout
        assert "(owed)" in done.stdout
        file = ("-o", "out.json", "--store", "other.db")
        done = await desk.ask("run", "rides", *file)
        assert "rides: action hook: put off until 20" in done.stderr


async def test_any_run_sends_what_is_due_of_other_checkpoints() -> None:
    async with at_a_desk() as desk:
        await desk.ask("run", "rides")
        await desk.ask("run", "fares")
        assert desk.bodies == []  # it is not due
        await asyncio.to_thread(an_hour_passes)
        assert (await desk.ask("run", "fares")).returncode == 0
        assert [body["checkpoint"] for body in desk.bodies] == ["rides"]


async def test_outbox_send_sends_what_is_due_and_no_more() -> None:
    async with at_a_desk() as desk:
        early = await desk.ask("outbox", "send")
        assert (early.returncode, early.stdout) == (0, "")
        await desk.ask("run", "rides")
        none = await desk.ask("outbox", "send")
        assert (none.returncode, none.stdout, none.stderr) == (0, "", "")
        assert desk.bodies == []
        await asyncio.to_thread(an_hour_passes)
        sent = await desk.ask("outbox", "send")
        assert (sent.returncode, sent.stdout) == (0, "1 delivered\n")
        assert len(desk.bodies) == 1


async def test_watch_sends_what_is_due_of_checkpoints_without_triggers() -> None:
    async with at_a_desk() as desk:
        await desk.ask("run", "rides")
        await asyncio.to_thread(an_hour_passes)
        process = await asyncio.create_subprocess_exec(
            *command("watch", "-q"), env=environment()
        )
        try:
            async with asyncio.timeout(25):
                await desk.came.wait()
                process.send_signal(signal.SIGTERM)
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert len(desk.bodies) == 1
