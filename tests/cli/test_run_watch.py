"""``truthound run`` and ``truthound watch``: many checkpoints, triggers, signals."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cli.shell import call, command, environment

CONFIG = """\
checkpoints:
  - name: good
    data_source: good.csv
    validators: [null]
    tags: {team: a}
    actions: [{type: store_result, store_path: results}]
  - name: bad
    data_source: bad.csv
    validators: [unique: {column: id}]
    actions:
      - {type: custom, shell_command: "exit 3", notify_on: not_success}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("truthound.yaml").write_text(CONFIG)
    Path("good.csv").write_text("id\n1\n2\n")
    Path("bad.csv").write_text("id\n1\n1\n")
    return tmp_path


def stored() -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in Path("results").rglob("*.json")]


def test_run_executes_actions(folder: Path) -> None:
    done = call("run")
    assert done.returncode == 1
    assert "✘ bad  failure" in done.stdout
    assert "✔ good  success" in done.stdout
    assert "note: action custom: exit code 3" in done.stdout
    assert [record["checkpoint_name"] for record in stored()] == ["good"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("good",), 0),
        (("tag:team=a",), 0),
        (("b*",), 1),
        (("--fail-on", "never"), 0),
        (("--fail-on", "never", "--strict-actions"), 4),
        (("--strict-actions",), 1),
        (("tag:team=none",), 5),
        (("goood",), 2),
        (("--max-concurrent", "0"), 2),
    ],
)
def test_exit_codes(folder: Path, arguments: tuple[str, ...], code: int) -> None:
    assert call("run", "-q", *arguments).returncode == code


def test_checkpoint_run_is_the_same(folder: Path) -> None:
    done = call("checkpoint", "run", "good", "-f", "json")
    assert done.returncode == 0
    (action,) = json.loads(done.stdout)["runs"][0]["actions"]
    assert (action["action_type"], action["status"]) == ("store_result", "success")
    assert len(stored()) == 1


def test_check_executes_no_actions(folder: Path) -> None:
    assert call("check", "-q").returncode == 1
    assert not Path("results").exists()


def test_action_may_make_a_run_fail(folder: Path) -> None:
    Path("truthound.yaml").write_text(
        CONFIG.replace("type: store_result, store_path: results",
                       'type: custom, shell_command: "exit 1", '
                       "fail_checkpoint_on_error: true")
    )  # fmt: skip
    done = call("run", "good")
    assert done.returncode == 1
    assert "the action custom failed: exit code 1" in done.stdout


def test_unset_variable_is_said_before_anything_runs(folder: Path) -> None:
    text = CONFIG + "      - {type: slack, webhook_url: '${NO_SUCH_HOOK}'}\n"
    Path("truthound.yaml").write_text(text)
    done = call("run")
    assert done.returncode == 2
    assert "truthound.yaml:12:36: the environment variable NO_SUCH_HOOK" in done.stderr
    assert not Path("results").exists()


SLOW = """\
import os, sys, time
SECONDS = float(sys.argv[1])
import polars as pl
from truthound.checkpoint import Checkpoint
from truthound.checkpoint.actions import StoreValidationResult
import truthound.cli.run as run

def slow():
    os.write(2, b"begun\\n")  # in one piece: there are two threads
    time.sleep(SECONDS)
    return pl.DataFrame({"id": [1]})

def chosen(config, which):
    return [
        Checkpoint(f"c{n}", data_source=slow, validators=["null"],
                   actions=[StoreValidationResult(store_path="results")])
        for n in range(8)
    ]

run.chosen = chosen
sys.argv = ["truthound", "run", "-q", "--max-concurrent", "2", *sys.argv[2:]]
from truthound.cli import main
main()
"""


def slow_run(seconds: float, *arguments: str) -> subprocess.Popen[str]:
    Path("slow.py").write_text(SLOW)
    process = subprocess.Popen(
        [sys.executable, "slow.py", str(seconds), *arguments],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    for _ in range(2):
        assert process.stderr.readline() == "begun\n"
    return process


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)]
)
def test_signal_lets_those_end_that_run(folder: Path, number: int, code: int) -> None:
    """g01: their results are stored, and no new run begins."""
    with slow_run(1.0) as process:
        process.send_signal(number)
        _, err = process.communicate(timeout=20)

    assert process.returncode == code, err
    assert "2 under way may end within 30 s" in err
    assert "begun" not in err
    assert len(stored()) == 2
    assert err.count("interrupted: stopped before it began") == 6


def test_second_signal_cuts_off(folder: Path) -> None:
    """g02: at once, and what was cut off says so."""
    with slow_run(60) as process:
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)

    assert process.returncode == 130, err
    assert time.monotonic() - began < 10
    assert err.count("interrupted: cut off") == 2
    assert err.count("interrupted: stopped before it began") == 6


def test_grace_is_over(folder: Path) -> None:
    with slow_run(60, "--grace", "0.2") as process:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 143
    assert "interrupted: cut off after 0.2 s" in err


WATCHED = """\
checkpoints:
  - name: incoming
    data_source: incoming/*.csv
    validators: [unique: {column: id}]
    triggers: [{type: file_watch, paths: incoming, patterns: ["*.csv"]}]
  - name: after
    data_source: good.csv
    validators: [null]
    triggers: [{type: upstream, checkpoint: incoming, statuses: [failure]}]
"""


def watching(*arguments: str) -> subprocess.Popen[str]:
    Path("truthound.yaml").write_text(WATCHED)
    Path("incoming").mkdir()
    process = subprocess.Popen(
        command("watch", *arguments),
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    assert process.stderr.readline() == "watching incoming, after; Ctrl-C ends it\n"
    time.sleep(0.5)  # until the folder is watched
    return process


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_watch_shows_results_as_files_arrive(
    folder: Path, number: int, code: int
) -> None:
    with watching() as process:
        assert process.stdout is not None
        Path("incoming/a.csv").write_text("id\n1\n1\n")
        first = process.stdout.readline()
        assert "✘ incoming: failure" in first
        assert first.endswith("· incoming/a.csv\n")
        assert "expected no value twice" in process.stdout.readline()
        assert "✔ after: success" in process.stdout.readline()
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (code, "")
    assert err == "stopped after 2 runs: 1 failure, 1 success\n"


def test_watch_as_json(folder: Path) -> None:
    with watching("-f", "jsonl") as process:
        assert process.stdout is not None
        Path("incoming/a.csv").write_text("id\n1\n2\n")
        record = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert record["status"] == "success"
    assert record["metadata"]["trigger"] == "file_watch"


def test_watch_ends_when_nobody_reads(folder: Path) -> None:
    Path("truthound.yaml").write_text(
        "checkpoints: [{name: c, data_source: good.csv, validators: [null], "
        "triggers: [{type: schedule, interval_seconds: 0.2}]}]"
    )
    process = subprocess.Popen(
        command("watch", "-f", "jsonl"),
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=20) == 0


def test_watch_without_triggers(folder: Path) -> None:
    done = call("watch")
    assert done.returncode == 5
    assert "no checkpoint that is selected has a trigger" in done.stderr


def test_upstream_that_is_not_there_is_a_fault_of_the_file(folder: Path) -> None:
    Path("truthound.yaml").write_text(
        WATCHED.replace("checkpoint: incoming", "checkpoint: incomming")
    )
    done = call("watch")
    assert done.returncode == 2
    assert "did you mean 'incoming'" in done.stderr


def test_picture_of_runs() -> None:
    from datetime import UTC, datetime, timedelta

    from rich.console import Console

    from probes import Probe, checkpoint
    from truthound.cli._live import picture

    began = datetime.now(UTC) - timedelta(seconds=3)
    active = [
        {"checkpoint": "fares", "state": "running", "began_at": began},
        {"checkpoint": "rides\x1b[2J", "state": "running", "began_at": None},
        *({"checkpoint": f"w{n}", "state": "waiting", "began_at": None}
          for n in range(9)),
    ]  # fmt: skip
    failed = checkpoint("people", {"id": [1, None]}).run()
    console = Console(width=70, file=sys.stderr, record=True, quiet=False)
    with console.capture() as captured:
        console.print(picture(active, [failed], 12, 4.2))
    text = captured.get()
    assert "running  fares" in text
    assert "3 s" in text
    assert "\x1b[2J" not in text
    assert "and 6 more wait" in text
    assert "people" in text
    assert "1 of 12 done, 2 run, 9 wait, 1 not passed · 4 s" in text
    assert isinstance(Probe(), Probe)
