"""The example programs run, and say what they promise."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from services import nats_url, redis_url

FOLDER = Path(__file__).parent.parent / "examples" / "async"


def run(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(FOLDER / program), *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_integration_examples() -> None:
    printed = " ".join(run("integration_examples.py").split())
    for expected in (
        "200 after two times 503: here at last",
        "Circuit breaker is OPEN: try again in 60 s",
        "20 answers, and 1 failed: GET http://127.0.0.1:9/: ",
        "while it is written, is it there? False",
        "orders.csv was created",
        "4 batches, the first one is [10, 20, 30, 40, 50]",
        "CRITICAL before HIGH before NORMAL before LOW before BACKGROUND",
        "100 results, at most 5 at once; their sum is 4950",
        "30 uses of 3 connections, of which 3 were closed",
        "All examples ran.",
    ):
        assert expected in printed
    assert "notes.txt" not in printed


@pytest.mark.timeout(120)
def test_benchmark_prints_a_table_of_speed_ups() -> None:
    printed = run("benchmark_async_vs_sync.py", "--rounds", "1")
    assert "One after another, and at once" in printed
    assert len(re.findall(r" \d+\.\dx ", printed)) == 4


@pytest.mark.timeout(120)
def test_many_sites() -> None:
    lines = run("many_sites.py").splitlines()
    assert len([line for line in lines if re.search(r" of 16  \w\w  ", line)]) == 16
    assert "7 of 16 sites succeeded, 7 failed, 2 incomplete" in lines[16]
    assert lines[-1] == "14 sites in schema_matrix.json"


def test_redis_stream() -> None:
    redis_url()
    lines = run("redis_stream.py").splitlines()
    assert sorted(lines[:4]) == [
        "monday.csv: success (delivery 1)",
        "tuesday.csv: failure (delivery 1)",
        "wednesday.csv: error (delivery 1)",
        "wednesday.csv: error (delivery 2)",
    ]
    assert lines[4] == "not acknowledged: 0, dead letters: 1"


def test_nats_jetstream() -> None:
    nats_url()
    assert run("nats_jetstream.py").splitlines() == [
        "the first runner has stopped; all checked yet: False",
        "60 of 60 orders checked, 0 not acknowledged",
    ]


def test_watch_a_folder() -> None:
    lines = run("watch_a_folder.py").splitlines()
    for file, status in (
        ("monday.csv", "success"),
        ("tuesday.csv", "failure"),
        ("wednesday.csv", "success"),
    ):
        at = lines.index(f"rides: {status} ({file})")
        assert lines[at + 1] == "  store_result: success"
    assert "! " not in "".join(lines)
    assert lines[-1] == "kept: success, failure, success"


def test_by_the_clock() -> None:
    lines = run("by_the_clock.py").splitlines()
    runs = {
        name: int(n) for name, n in re.findall(r"(.+): (\d+) runs", "\n".join(lines))
    }
    assert runs["often"] >= 2
    assert runs["each second"] >= 1
    assert runs["slow"] >= 1
    assert lines[-1] == "slow: missed: the last run is under way (trigger schedule)"


@pytest.mark.timeout(120)
def test_nothing_is_lost_when_a_runner_is_killed() -> None:
    lines = run("nothing_lost.py", "--kills", "3", "--runs", "40").splitlines()
    assert lines[-1] == "nothing is lost"
    assert "killed 3 times, 0 of them while it started" in lines
    accepted = next(line for line in lines if line.startswith("accepted runs  "))
    assert int(accepted.split()[-1]) >= 40


def test_hooks_in() -> None:
    lines = run("hooks_in.py").splitlines()
    codes = [line.split()[:2] for line in lines if line[0] in "srfl" and "  " in line]
    assert codes == [
        ["signed", "202"],
        ["repeated", "202"],
        ["forged", "401"],
        ["late", "401"],
    ]
    (ended,) = [line for line in lines if "load-1" in line]
    assert ended.startswith("rides: warning")
    assert ended.endswith("(load-1: rides.csv)")


def test_webhook_out() -> None:
    first, second, event, ended = run("webhook_out.py").splitlines()
    assert first.startswith("503  signed: True  rides_")
    assert second == first.replace("503", "202")
    assert event.startswith("dev.truthound.checkpoint.completed: rides: warning")
    assert ended == "success after 2 attempts"


def test_mail_arrives_and_who_is_refused_is_told() -> None:
    lines = run("mail_notification.py").splitlines()
    assert lines[:2] == [
        "email: success, sent to 1 of 2",
        "  gone@example.com: 550 no such user",
    ]
    assert "Subject: [critical] rides: failure" in lines
    assert "To: Jörg <joerg@example.com>, gone@example.com" in lines
    assert any("unique(id)" in line for line in lines)


def test_incident_is_opened_and_resolved() -> None:
    lines = [line.strip() for line in run("on_call.py").splitlines()]
    told = [line.partition(" truthound:")[0] for line in lines if ": " in line]
    assert told == [
        "heartbeat: start",
        "heartbeat: fail",
        "pagerduty: trigger",
        "opsgenie: create",
        "failure: heartbeat success, pagerduty success, opsgenie success",
        "heartbeat: start",
        "heartbeat: success",
        "pagerduty: resolve",
        "opsgenie: close",
        "success: heartbeat success, pagerduty success, opsgenie success",
        "pagerduty: trigger",
        "failure: pagerduty success",
        "still open: 1",
    ]
    assert "the pager is busy" in lines


def test_chat_notifications() -> None:
    printed = run("chat_notifications.py")
    first, again, last = re.split(r"== bad again\n|== good\n", printed)
    answers = re.findall(r"^-- (.*)$", first, re.M)
    assert sorted(answers) == [
        "discord (200)",
        "slack (200)",
        "teams (202)",
        "telegram (200)",
        "telegram (429)",
    ]
    assert "zone: &lt;!channel&gt;" in first
    assert "-- " not in again
    assert sorted(re.findall(r"^-- (.*)$", last, re.M)) == [
        "discord (200)",
        "slack (200, below 1700000000.000100)",
        "teams (202)",
        "telegram (200, below 17)",
    ]
    assert last.count("rides: resolved, success") == 3
    assert "*rides*: resolved, success" in last


def test_an_incident_is_told_once() -> None:
    lines = [line.strip() for line in run("told_once.py").splitlines()]
    first, *rest = [line for line in lines if line.startswith("team: ")]
    assert first == "team: 2 checkpoints, 2 not well"
    assert rest == ["team: 2 checkpoints, 0 not well"]
    (asked,) = [line for line in lines if line.startswith("manager: ")]
    assert asked in ("manager: fares: failure", "manager: rides: failure")
    assert "40 runs, all failure" in lines


def test_events() -> None:
    lines = run("events.py").splitlines()
    assert sorted(lines) == [
        "fares: success (events: 1)",
        "rides: failure (events: 50)",
        "totals: success (after fares)",
    ]
    assert lines.index("fares: success (events: 1)") < lines.index(
        "totals: success (after fares)"
    )


def test_kept_results() -> None:
    lines = run("kept_results.py").splitlines()
    for name in ("store_result", "update_docs", "custom", "github", "openlineage"):
        assert f"{name}: success" in lines
    assert lines[-5:] == [
        "the file and the command have the same run: True",
        "pages: 2",
        "the summary names the check: True",
        "catalogue: START rides",
        "catalogue: COMPLETE rides",
    ]
