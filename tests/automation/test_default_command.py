"""Executors with the command that checks data: what one run of many sites leaves."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from processes import Family, eventually, sites
from truthound.automation import PipelineExecutor, PipelineRun, _matrix, load_config
from truthound.automation._spawner import Channel, Spawner
from truthound.cli._pipeline import known_of

LINUX = sys.platform.startswith("linux")
KINDS = ["process", *(["warm"] if LINUX else [])]
pytestmark = pytest.mark.usefixtures("family")


def configured(isolation: str, **options: Any) -> dict[str, Any]:
    """Return a configuration of three sites, of which one has bad data."""
    for name, fare in (("a", 1), ("b", 2), ("c", -3)):
        Path(f"{name}.csv").write_text(f"id,fare\n1,{fare}\n")
    return {
        "isolation": isolation,
        "defaults": {
            "source": "{site}.csv",
            "validators": [{"range": {"column": "fare", "min": 0}}],
        },
        "retry_count": 1,
        "output_directory": "found",
        **options,
    }


def ran(config: dict[str, Any], names: list[str]) -> PipelineRun:
    executor = PipelineExecutor(config)
    executor.run_all(names)
    assert executor.last_run is not None
    return executor.last_run


@pytest.mark.parametrize("isolation", KINDS)
def test_matrix_is_written_once_for_all_sites(isolation: str) -> None:
    run = ran(configured(isolation), ["a", "b", "c", "d/../c"])

    assert [site.outcome for site in run] == [
        "success",
        "success",
        "failure",
        "incomplete",
    ]
    found = json.loads(Path("found/schema_matrix.json").read_bytes())
    assert [site["site"] for site in found["sites"]] == ["a", "b", "c"]
    assert "schema_matrix" not in (run.sites["a"].last or run).output  # type: ignore[union-attr]
    assert "d/../c cannot be a part of the path" in (run.sites["d/../c"].error or "")


def test_reasons_are_the_end_of_what_is_printed() -> None:
    run = ran(configured("process"), ["c"])
    last = run.sites["c"].last
    assert last is not None
    assert last.output.splitlines()[-2] == "c: failed, 1 row, 2 columns"
    assert "range(fare) (critical)" in last.output.splitlines()[-1]


@pytest.mark.parametrize("isolation", KINDS)
def test_files_in_the_folder_hide_no_module(isolation: str) -> None:
    for name in ("json", "secrets", "polars", "yaml"):
        Path(f"{name}.py").write_text("raise SystemExit('mine')\n")
    run = ran(configured(isolation), ["a"])
    assert run.results == {"a": True}, run.error_summary()


def test_lock_that_nobody_gives_back_ends_no_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_matrix, "PATIENCE", 0.1)
    Path("found").mkdir()
    with Path("found", _matrix.LOCK).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        run = ran(configured("process"), ["a"])
    assert run.results == {"a": True}
    assert "is held by another process" in caplog.text


def folders(parent: Path) -> list[str]:
    return [path.name for path in parent.glob("truthound-pipeline-*")]


@pytest.mark.parametrize("kills", [False, True])
def test_temporary_files_go_with_the_run(
    kills: bool, family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    output = os.open(tmp_path / "printed", os.O_CREAT | os.O_RDWR)
    nothing = os.open(os.devnull, os.O_RDONLY)
    script = 'echo left >"$TMPDIR/left"; echo "$TMPDIR"'
    with Spawner(tmp_path, has_scratch=True) as spawner:
        channel = spawner.spawn(["sh", "-c", script], {}, nothing, output)
        assert channel.record() is not None
        channel.close()
        printed = (tmp_path / "printed").read_text().strip()
        assert folders(tmp_path) == [Path(printed).name]
        if kills:
            for pid in family.alive():
                os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not folders(tmp_path))
    for end in (output, nothing):
        os.close(end)


def test_server_that_was_killed_is_started_anew(family: Family, tmp_path: Path) -> None:
    output = os.open(tmp_path / "printed", os.O_CREAT | os.O_RDWR)
    nothing = os.open(os.devnull, os.O_RDONLY)
    with Spawner(tmp_path) as spawner:
        for _ in range(3):
            channel = spawner.spawn(["echo", "x"], {}, nothing, output)
            assert channel.record() is not None
            channel.close()
            for pid in family.alive():
                os.kill(pid, signal.SIGKILL)
            assert not family.left()
    assert (tmp_path / "printed").read_text() == "x\nx\nx\n"
    for end in (output, nothing):
        os.close(end)


@pytest.mark.parametrize(
    ("word", "name", "is_refused"),
    [
        ("data/{site}.csv", "../x", True),
        ("data/{site}.csv", "..", True),
        ("data/{site}.csv", "x", False),
        ("--file=/tmp/{site}", "a/b", True),
        ("--site={site}", "../x", False),
    ],
)
def test_name_in_a_path_stays_in_its_folder(
    word: str, name: str, is_refused: bool
) -> None:
    run = ran(sites(command=["true", word]), [name])
    assert run.results == {name: not is_refused}
    if is_refused:
        assert "cannot be a part of the path" in (run.sites[name].error or "")


def known(config: dict[str, Any], *names: str) -> list[str]:
    """Return what ``pipeline status`` says of sites."""
    records = known_of(load_config(config), names)
    return [record["status"] for record in records]


def test_status_is_the_newest_result_whatever_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    good = configured("process")
    assert ran(good, ["a", "c"]).results == {"a": True, "c": False}
    assert known(good, "a", "c") == ["healthy", "failed"]

    unset = {**good, "environment": {"T": "${TRUTHOUND_NOT_SET}"}}
    assert ran(unset, ["a"]).results == {"a": False}
    assert known(good, "a", "c") == ["incomplete", "failed"]

    assert ran(good, ["a"]).results == {"a": True}
    assert known(good, "a", "c") == ["healthy", "failed"]

    other = sites("exit 7", output_directory="found")
    assert ran(other, ["a"]).results == {"a": False}
    assert known(other, "a") == ["failure"]
    assert known(good, "a", "c") == ["failure", "failed"]


def test_interpreter_that_breaks_is_no_bad_data() -> None:
    config = configured("process", retry_count=2, retry_delay=0)
    run = ran({**config, "environment": {"PYTHONHOME": "/nonexistent"}}, ["a"])

    assert run.sites["a"].outcome == "incomplete"
    assert "without having checked anything" in (run.sites["a"].error or "")
    assert [attempt.exit_code for attempt in run.sites["a"].attempts] == [1, 1]


def test_site_that_somebody_terminates_is_tried_again(
    family: Family, tmp_path: Path
) -> None:
    config = configured("process", retry_count=2, retry_delay=0)
    silent = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{silent.getsockname()[1]}/a.csv"
    config["defaults"]["source"] = address
    calls = []

    def end() -> None:
        for _ in range(2):
            connection, _ = silent.accept()
            calls.append(connection)
            for pid in family.alive():
                line = Path("/proc", str(pid), "cmdline").read_bytes()
                if b"--site=a" in line:
                    os.kill(pid, signal.SIGTERM)

    thread = threading.Thread(target=end)
    thread.start()
    run = ran(config, ["a"])
    thread.join()
    for each in (silent, *calls):
        each.close()
    assert [attempt.exit_code for attempt in run.sites["a"].attempts] == [143, 143]
    assert run.sites["a"].outcome == "incomplete"


@pytest.mark.parametrize("name", ["*", "?", "[a]", "${OTHER}", "$${OTHER}"])
def test_name_is_no_pattern_and_no_variable(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER", "a")
    config = configured("process")
    assert ran(config, [name]).results == {name: False}

    Path(f"{name}.csv").write_text("id,fare\n1,1\n")
    assert ran(config, [name]).results == {name: True}
    own = {"sites": {name: {"source": "a.csv"}}, "output_directory": "found"}
    assert ran(own, [name]).results == {name: True}


def test_what_the_environment_holds_is_in_no_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LONG_TOKEN", "password-9988")
    monkeypatch.setenv("SHORT_TOKEN", "passw")
    config = configured("process")
    options = [
        {"read_options": {"encoding": "${LONG_TOKEN}"}},
        {"read_options": {"format": "${LONG_TOKEN}"}},
        {
            "source": "a.csv",
            "validators": [
                {"in_set": {"column": "id", "values": ["${LONG_TOKEN}"]}},
                {"regex": {"column": "word", "pattern": "${LONG_TOKEN}"}},
            ],
        },
        {"source": "${SHORT_TOKEN}/${LONG_TOKEN}.csv"},
    ]
    Path("a.csv").write_text("id,word\n1,x\n")
    for number, option in enumerate(options):
        config["sites"] = {f"s{number}": {**config["defaults"], **option}}
        ran(config, [f"s{number}"])
    content = [path.read_bytes() for path in Path("found").rglob("*") if path.is_file()]
    assert len(content) > 4
    assert not [part for part in content if b"passw" in part or b"-9988" in part]


@pytest.mark.skipif(not LINUX, reason="warm is for Linux")
def test_fork_that_is_killed_before_it_answers_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    records = iter([{"status": 9, "peak": 1}])
    answer = Channel.record

    def record(self: Channel) -> Any:
        found = answer(self)
        return next(records, found)

    monkeypatch.setattr(Channel, "record", record)
    run = ran(configured("warm", retry_count=2, retry_delay=0), ["a"])
    assert run.results == {"a": True}
    assert "killed before it began" in (run.sites["a"].attempts[0].error or "")


def test_server_that_cannot_be_started_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run = ran(configured("process", working_directory="nowhere"), ["a", "b"])
    assert run.results == {"a": False, "b": False}
    assert not folders(tmp_path)
