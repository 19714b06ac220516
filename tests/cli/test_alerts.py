"""``truthound alerts`` and ``truthound actions``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cli.shell import call
from scripted_server import Received, reply, serving
from truthound.cli.alerts import _somebody
from truthound.errors import ConfigurationError

pytestmark = pytest.mark.timeout(120)  # many processes
SECRET = "s3cr3t-t0ken"
CONFIG = """\
checkpoints:
  - name: %s
    data_source: rides.csv
    validators: [unique: {column: id}]
    tags: {team: pricing}
    actions:
      - {type: webhook, name: pricing, url: '%s', alerts: change}
"""


class Desk:
    """A folder with a checkpoint, and the server that it tells."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.status = 200

    def script(self, request: Received) -> Any:
        self.bodies.append(json.loads(request.body))
        return reply(self.status)

    async def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        done = await asyncio.to_thread(call, *words)
        assert "Traceback" not in done.stderr
        assert SECRET not in done.stdout + done.stderr
        return done

    async def run(self, rows: str) -> None:
        await asyncio.to_thread(Path("rides.csv").write_text, f"id\n{rows}\n")
        assert (await self.ask("run", "-q")).returncode in (0, 1)


@contextlib.asynccontextmanager
async def at_a_desk() -> AsyncIterator[Desk]:
    desk = Desk()
    async with serving(desk.script) as server:
        text = CONFIG % ("rides", f"{server.url}/services/T0/B0/{SECRET}")
        await asyncio.to_thread(Path("truthound.yaml").write_text, text)
        yield desk


async def test_alert_is_listed_acknowledged_and_over() -> None:
    async with at_a_desk() as desk:
        none = await desk.ask("alerts", "list")
        assert (none.returncode, "nothing is recorded yet" in none.stderr) == (5, True)
        await desk.run("1\n1")
        await desk.run("1\n1")
        assert len(desk.bodies) == 1

        listed = await desk.ask("alerts", "list", "-f", "json")
        assert listed.returncode == 1
        (alert,) = json.loads(listed.stdout)["alerts"]
        assert (alert["checkpoint"], alert["runs"]) == ("rides", 2)
        assert set(alert["told"]) == {"pricing"}
        table = (await desk.ask("alerts", "list")).stdout.splitlines()
        assert re.match(r"rides +failure +.* 2  –  +pricing ", table[2])

        taken = await desk.ask("alerts", "ack", "rides", "--by", "Ann")
        assert taken.stdout.startswith("Ann takes care of rides: failure since 20")
        assert (await desk.ask("alerts", "list")).returncode == 0
        wrong = await desk.ask("alerts", "ack", "ridse")
        assert (wrong.returncode, "did you mean 'rides'" in wrong.stderr) == (2, True)

        await desk.run("1\n2")
        assert "resolved" in json.dumps(desk.bodies[-1])
        over = await desk.ask("alerts", "list")
        assert (over.returncode, "all is well" in over.stderr) == (0, True)


async def test_muted_is_not_told_until_it_is_unmuted() -> None:
    async with at_a_desk() as desk:
        muted = await desk.ask("alerts", "mute", "tag:team=pricing", "--for", "2h")
        assert muted.stdout.startswith("tag:team=pricing is muted until 20")
        await desk.run("1\n1")
        assert desk.bodies == []
        assert "tag:team=pricing" in (await desk.ask("alerts", "list")).stdout
        wrong = await desk.ask("alerts", "unmute", "rides")
        assert wrong.returncode == 5
        assert "rides is not muted; tag:team=pricing is" in wrong.stderr
        assert (await desk.ask("alerts", "unmute", "tag:team=pricing")).returncode == 0
        await desk.run("1\n1")
        assert len(desk.bodies) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--until", "2020-01-01"), "is over"),
        ((), "say --for how long, or --until when"),
    ],
    ids=str,
)
async def test_mute_without_an_end_is_refused(
    words: tuple[str, ...], said: str
) -> None:
    async with at_a_desk() as desk:
        found = await desk.ask("alerts", "mute", "rides", *words)
        assert (found.returncode, said in found.stderr) == (2, True), found.stderr


async def test_test_message_is_labelled_and_shown() -> None:
    async with at_a_desk() as desk:
        sent = await desk.ask("actions", "test", "pricing")
        assert (sent.returncode, "has arrived" in sent.stderr) == (0, True)
        assert sent.stdout.startswith("POST http://127.0.0.1/***\n")
        assert desk.bodies[0]["event"] == "checkpoint_test"
        assert "checkpoint_test" in sent.stdout
        # Nothing of it is kept.
        assert (await desk.ask("alerts", "list")).returncode == 5

        desk.status = 403
        failed = await desk.ask("actions", "test", "webhook", "-f", "json")
        assert failed.returncode == 4
        told = json.loads(failed.stdout)
        assert told["status"] == "error"
        assert "403" in told["error"]
        assert "***" in told["sent"][0]["address"]

        wrong = await desk.ask("actions", "test", "prising")
        assert (wrong.returncode, "did you mean 'pricing'" in wrong.stderr) == (2, True)
        listed = await desk.ask("actions", "list", "-f", "json")
        (one,) = json.loads(listed.stdout)
        assert (one["action"], one["problems"]) == ("pricing", [])


async def test_several_actions_of_a_name_are_told_apart() -> None:
    async with at_a_desk() as desk:
        one = CONFIG % ("rides", f"http://127.0.0.1:1/{SECRET}")
        two = CONFIG % ("fares", f"http://127.0.0.1:2/{SECRET}")
        both = one + two.partition("\n")[2]
        await asyncio.to_thread(Path("truthound.yaml").write_text, both)
        found = await desk.ask("actions", "test", "pricing")
        assert found.returncode == 2
        assert "--checkpoint says which is meant" in found.stderr
        found = await desk.ask("actions", "test", "pricing", "--checkpoint", "fares")
        assert (found.returncode, "Connect" in found.stderr) == (4, True)


async def test_mute_of_no_configured_checkpoint_is_told() -> None:
    async with at_a_desk() as desk:
        found = await desk.ask("alerts", "mute", "ridse", "--for", "2h")
        assert found.returncode == 0
        assert "no configured checkpoint is meant by ridse" in found.stderr
        assert "did you mean 'rides'" in found.stderr
        for what in ("rides", "r*", "tag:team=pricing"):
            found = await desk.ask("alerts", "mute", what, "--for", "2h")
            assert (found.returncode, found.stderr) == (0, "")


async def test_mute_for_longer_than_there_are_years_is_refused() -> None:
    async with at_a_desk() as desk:
        found = await desk.ask("alerts", "mute", "rides", "--for", "99999999d")
        assert found.returncode == 2
        assert "after the last year" in found.stderr


def test_user_without_a_name_is_asked_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr("getpass.getuser", nobody)
    with pytest.raises(ConfigurationError, match="--by NAME"):
        _somebody(None)
    assert _somebody("Ann") == "Ann"


async def test_alert_of_a_checkpoint_that_is_gone_is_forgotten() -> None:
    async with at_a_desk() as desk:
        await desk.run("1\n1")
        wrong = await desk.ask("alerts", "forget", "ridse")
        assert (wrong.returncode, "did you mean 'rides'" in wrong.stderr) == (2, True)
        found = await desk.ask("alerts", "forget", "rides")
        assert (found.returncode, found.stdout) == (0, "rides is forgotten\n")
        assert (await desk.ask("alerts", "list")).returncode == 0


async def test_test_of_what_is_disabled_says_so() -> None:
    async with at_a_desk() as desk:
        path = Path("truthound.yaml")
        text = await asyncio.to_thread(path.read_text)
        changed = text.replace("alerts: change", "enabled: false")
        await asyncio.to_thread(path.write_text, changed)
        found = await desk.ask("actions", "test", "pricing")
        assert (found.returncode, "it is disabled" in found.stderr) == (4, True)
        changed = text.replace("alerts: change", "notify_on: error")
        await asyncio.to_thread(path.write_text, changed)
        found = await desk.ask("actions", "test", "pricing")
        assert (found.returncode, len(desk.bodies)) == (0, 1)
