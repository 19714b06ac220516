"""Where commands write runs down, and what becomes of them if that is not to be had."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cli.shell import call, command, environment
from truthound.store import Store

pytestmark = pytest.mark.timeout(120)  # many processes

STORE = Path(".truthound/truthound.db")
CONFIG = """\
checkpoints:
  - name: rides
    data_source: rides.csv
    validators: [unique: {column: id}]
    triggers: [{type: schedule, interval_hours: 1}]
"""


@pytest.fixture(autouse=True)
def _configured() -> None:
    Path("truthound.yaml").write_text(CONFIG)
    rides(good=True)


def rides(*, good: bool) -> None:
    Path("rides.csv").write_text("id\n1\n2\n" if good else "id\n1\n1\n3\n")


def recorded(path: str | Path = STORE) -> list[str | None]:
    """Return the statuses of the runs in a store, the newest first."""
    with Store(path) as store:
        return [run.status for run in store.runs()]


def watched(*words: str, env: dict[str, str] | None = None) -> str:
    """Watch until the first result is there; return standard error."""
    process = subprocess.Popen(
        command("watch", *words), env=environment(**(env or {})),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        assert "rides" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)
    assert process.returncode == 130
    return told


def started(which: str, *words: str, env: dict[str, str] | None = None) -> None:
    """Let a command run the one checkpoint."""
    if which == "watch":
        watched(*words, env=env)
    else:
        done = call(which, *words, env=env or {})
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("which", ["run", "check", "watch"])
def test_a_store_is_where_it_was_said_to_be(which: str) -> None:
    env = {"TRUTHOUND_STORE": "named/env.db"}
    started(which, env=env)
    assert recorded("named/env.db") == ["success"]
    started(which, "--store", "said.db", env=env)
    assert recorded("said.db") == ["success"]
    assert recorded("named/env.db") == ["success"]
    assert not Path(".truthound").exists()


@pytest.mark.parametrize("which", ["run", "check", "watch"])
def test_nothing_is_written_where_nobody_wants_it(which: str) -> None:
    started(which, "--no-store", env={"TRUTHOUND_STORE": "env.db"})
    assert sorted(path.name for path in Path().iterdir()) == [
        "rides.csv",
        "truthound.yaml",
    ]


@pytest.mark.parametrize(("good", "code"), [(True, 0), (False, 1)])
def test_a_default_store_that_cannot_be_made_changes_no_exit_code(
    good: bool, code: int
) -> None:
    rides(good=good)
    Path(".truthound").write_text("a file where the folder would be")
    done = call("run")
    assert done.returncode == code
    assert "nothing is recorded" in done.stderr
    assert "rides  " in done.stdout
    assert Path(".truthound").read_text() == "a file where the folder would be"


def test_a_store_that_was_asked_for_and_cannot_be_made_is_code_3() -> None:
    Path("file").write_text("no folder")
    for words, env in (
        (("--store", "file/s.db"), {}),
        ((), {"TRUTHOUND_STORE": "file/s.db"}),
    ):
        done = call("run", *words, env=env)
        assert done.returncode == 3
        assert "nothing is recorded" in done.stderr
        assert "rides  " in done.stdout  # it was checked all the same
    both = call("run", "--store", "s.db", "--no-store")
    assert (both.returncode, "not both" in both.stderr) == (2, True)


@pytest.mark.timeout(120)
def test_data_is_checked_whichever_page_of_the_store_is_damaged() -> None:
    assert call("run", "-q").returncode == 0
    content = STORE.read_bytes()
    refused = 0
    for start in range(0, len(content), 4096):
        STORE.write_bytes(content[:start] + bytes(4096) + content[start + 4096 :])
        done = call("run")
        assert "✔ rides" in done.stdout, start
        assert done.returncode == (3 if "nothing is recorded" in done.stderr else 0)
        refused += done.returncode == 3
    assert refused > 1


@pytest.mark.parametrize("page", [0, 1])
def test_data_is_watched_beside_a_damaged_store(page: int) -> None:
    assert call("run", "-q").returncode == 0
    content = STORE.read_bytes()
    start = page * 4096
    STORE.write_bytes(content[:start] + bytes(4096) + content[start + 4096 :])
    assert "nothing is recorded" in watched()


def test_checks_run_beside_a_damaged_store_and_the_way_out_is_named() -> None:
    assert call("run", "-q").returncode == 0
    content = STORE.read_bytes()
    STORE.write_bytes(bytes(4096) + content[4096:])
    damaged = STORE.read_bytes()
    for which in ("run", "check"):
        rides(good=which == "run")
        done = call(which)
        assert done.returncode == 3
        assert "truthound store repair" in done.stderr
        assert "nothing is recorded" in done.stderr
        assert ("✔ rides" in done.stdout) == (which == "run")
    assert STORE.read_bytes() == damaged
    assert call("store", "repair").returncode == 0
    assert call("check", "-q").returncode == 1
    assert recorded() == ["failure", "success"]


def test_runs_are_looked_back_on() -> None:
    for good in (True, False):
        rides(good=good)
        assert call("run", "-q").returncode == (0 if good else 1)

    def told(*words: str) -> Any:
        done = call(*words, "-f", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    (failed,) = told("history", "rides", "--status", "failure")
    assert (failed["state"], failed["row_count"]) == ("finished", 3)
    assert told("show", "rides")["run_id"] == failed["run_id"]
    points = told("trend", "unique(id)")["points"]
    assert [(point["status"], point["value"]) for point in points] == [
        ("success", 0),
        ("failure", 2),
    ]
    sound = told("store", "check")
    assert (sound["is_sound"], sound["counts"]["runs"]) == (True, 2)
    info = told("store", "info")
    assert info["counts"]["runs finished"] == 2
    assert info["size"] == STORE.stat().st_size
