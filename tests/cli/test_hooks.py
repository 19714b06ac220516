"""``truthound hooks`` as a process: it listens, it is ended, it is killed."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from standardwebhooks import Webhook

from cli.shell import call, command, environment
from needs import skip_or_fail
from truthound.store import Store

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CONFIG = """\
checkpoints:
  - name: rides
    data_source: rides.csv
    validators: [null]
    triggers: [{type: hook, secret: "${HOOK_SECRET}"}]
  - name: slow
    data_source: rides.csv
    validators: [null]
    actions: [{type: custom, shell_command: "sleep 30"}]
    triggers: [{type: hook, hook: wait, unsigned: true}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    Path("truthound.yaml").write_text(CONFIG)
    Path("rides.csv").write_text("id\n1\n2\n")
    return tmp_path


class Listening:
    """The command, when it listens."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            command("hooks", "--port", "0", "--store", "s.db", *arguments),
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        self.said = [self.process.stderr.readline()]
        while not self.said[-1].startswith("listening on "):
            assert self.said[-1], self.said
            self.said.append(self.process.stderr.readline())
        found = re.match(
            r"listening on (http://\S+)/hooks/\{rides,wait\}", self.said[-1]
        )
        assert found is not None
        self.url = found[1]

    def post(self, name: str = "rides", id_: str = "msg_1") -> httpx2.Response:
        now = datetime.now(UTC)
        headers = {
            "webhook-id": id_,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(SECRET).sign(id_, now, "{}"),
        }
        address = f"{self.url}/hooks/{name}"
        return httpx2.post(address, headers=headers, content="{}", timeout=15)

    def die_after(self, seconds: float) -> None:
        """Kill it in a while, wherever it is by then."""
        timer = threading.Timer(seconds, self.process.kill)
        timer.start()

    def ended(self, number: int | None = None) -> tuple[int, str, str]:
        if number is not None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err


@pytest.fixture
def listening(folder: Path) -> Iterator[Any]:
    started: list[Listening] = []

    def start(*arguments: str) -> Listening:
        started.append(Listening(*arguments))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.communicate()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)]
)
def test_it_listens_until_a_signal_comes(
    listening: Any, number: int, code: int
) -> None:
    served = listening("-f", "jsonl", "-v")
    answer = served.post()
    result = json.loads(served.process.stdout.readline())

    refused = httpx2.post(f"{served.url}/hooks/rides", headers={"webhook-id": "x"})
    ended, out, err = served.ended(number)

    assert answer.status_code == 202
    assert answer.json() == {"run_id": result["run_id"]}
    assert result["metadata"]["hook"]["id"] == "msg_1"
    assert (ended, out) == (code, "")
    assert refused.status_code == 400
    assert "hook 'rides': 400, the header webhook-timestamp is missing" in err
    assert err.endswith("stopped after 1 run: 1 success\n")


def test_run_that_was_accepted_outlives_a_kill(listening: Any) -> None:
    served = listening()
    run_id = served.post("wait").json()["run_id"]
    served.ended(signal.SIGKILL)
    with Store("s.db") as store:
        (before,) = store.runs()
    again = listening("--grace", "0.1")
    repeated = again.post("wait").json()["run_id"]
    again.ended(signal.SIGTERM)
    with Store("s.db") as store:
        newer, older = store.runs()

    assert (before.run_id, before.ended_at) == (run_id, None)
    assert (older.run_id, str(older.state)) == (run_id, "interrupted")
    # What was cut off is not done: whoever sends it again gets another run.
    assert repeated == newer.run_id != run_id


def test_second_signal_cuts_off(listening: Any) -> None:
    served = listening()
    served.post("wait")
    served.process.send_signal(signal.SIGTERM)
    for number in range(1_000):  # it answers while it stops
        answer = served.post("wait", f"again_{number}")
        if answer.status_code == 503:
            break

    code, _, err = served.ended(signal.SIGTERM)

    assert answer.headers["retry-after"] == "10"
    assert code == 143
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ("--host", "no.such.host.invalid"),
            2,
            "cannot listen on no.such.host.invalid",
        ),
        (("--port", "99999"), 2, "--port"),
        (("nope",), 2, "there is no checkpoint 'nope'"),
    ],
)
def test_what_cannot_be(folder: Path, arguments: Any, code: int, said: str) -> None:
    done = call("hooks", *arguments)

    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_port_that_is_taken(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = call("hooks", "--port", str(port))

    assert done.returncode == 2
    assert done.stderr.startswith(f"truthound: cannot listen on 127.0.0.1:{port}: ")


def test_configuration_without_hooks(folder: Path) -> None:
    Path("truthound.yaml").write_text(CONFIG.replace("triggers:", "#"))
    done = call("hooks")

    assert done.returncode == 5
    assert "no checkpoint that is selected has a trigger of type hook" in done.stderr


def test_shell_of_the_documentation_signs(listening: Any) -> None:
    page = Path(__file__).parents[2] / "docs" / "triggers" / "hook.md"
    (script,) = re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.M | re.S)
    for tool in ("curl", "openssl"):
        if shutil.which(tool) is None:
            skip_or_fail(f"there is no {tool}")
    served = listening("-f", "jsonl")
    done = subprocess.run(
        ["sh", "-euc", script.replace("http://127.0.0.1:8099", served.url)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    result = json.loads(served.process.stdout.readline())

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"run_id": result["run_id"]}
    assert result["metadata"]["hook"]["body"] == {"file": "rides.parquet"}


def test_two_hooks_of_one_name_are_refused(folder: Path) -> None:
    Path("truthound.yaml").write_text(CONFIG.replace("hook: wait", "hook: rides"))
    done = call("hooks", "--port", "0")

    assert done.returncode == 2
    assert "'rides' and 'slow' have hooks of one name, 'rides'" in done.stderr


IS_TORTURE = os.environ.get("TRUTHOUND_TEST_PROFILE") == "torture"
KILLS = 100 if IS_TORTURE else 3


@pytest.mark.timeout(3000 if IS_TORTURE else 60)
def test_no_message_is_lost_or_run_twice_by_kills(listening: Any) -> None:
    served, kills, chance = listening(), 0, random.Random(7)
    taken: dict[str, set[str]] = {}
    served.die_after(chance.uniform(0, 0.3))
    for number in range(1_000_000):
        id_ = f"m{number // 2}"  # each is sent twice
        try:
            answer = served.post(id_=id_)
            assert answer.status_code in (202, 503), answer.text
            if answer.status_code == 202:
                taken.setdefault(id_, set()).add(answer.json()["run_id"])
            continue
        except httpx2.TransportError:
            served.process.communicate(timeout=10)
        kills += 1
        served = listening()
        if kills == KILLS:
            break
        served.die_after(chance.uniform(0, 0.3))
    served.ended(signal.SIGTERM)

    with Store("s.db") as store:
        runs = {run.run_id: run for run in store.runs(limit=None)}
    assert taken
    assert all(len(ids) == 1 for ids in taken.values())
    assert all(runs[run_id].ended_at for ids in taken.values() for run_id in ids)
    messages = [run.context["hook"]["id"] for run in runs.values()]
    assert len(messages) == len(set(messages))


def test_watch_says_that_it_does_not_listen(folder: Path) -> None:
    process = subprocess.Popen(
        command("watch", "--no-store"),
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        said = []
        while not said or not said[-1].startswith("watching "):
            said.append(process.stderr.readline())
            assert said[-1]  # else it has ended
        process.terminate()

    assert said[0] == (
        "rides: its hook is for 'truthound hooks'; 'truthound watch' does not listen\n"
    )


def test_unset_secret_and_missing_extra_are_said(folder: Path) -> None:
    Path("truthound.yaml").write_text(CONFIG.replace("HOOK_SECRET", "NO_SUCH"))
    unset = call("hooks", "--port", "0")
    script = (
        "import sys; sys.modules['starlette'] = None; sys.argv = ['truthound', 'hooks']"
        "; from truthound.cli import main; main()"
    )
    missing = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert unset.returncode == missing.returncode == 2
    assert "NO_SUCH is not set" in unset.stderr
    assert "pip install 'truthound-async[hooks]'" in missing.stderr


def test_ipv6_and_names_are_listened_on(folder: Path) -> None:
    from truthound.cli._listening import address_of, bound

    found = bound("localhost", 0)
    for one in found:
        one.close()
    with socket.create_server(("127.0.0.1", 0)) as one:
        assert re.fullmatch(r"http://127.0.0.1:\d+", address_of(one))
    assert found
