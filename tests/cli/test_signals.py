"""What interrupts a command: signals, a reader that has gone, a full disk."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.shell import call, command, environment

SLOW = """\
import sys, time
from truthound.cli import main
from truthound.validators import RowValidator, register

@register
class Slow(RowValidator):
    rule = "slow"
    default_columns = "all"
    calls_python = True

    def holds(self, column, ns):
        print("begun", file=sys.stderr, flush=True)
        time.sleep(60)
        return ns.col(column.name) > 0

main()
"""


@pytest.fixture
def slow(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("rides.csv").write_text("id\n1\n")
    Path("slow.py").write_text(SLOW)

    process = subprocess.Popen(
        [sys.executable, "slow.py", "check", "rides.csv", "-V", "slow"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr.readline() == "begun\n"
        yield process
        process.kill()


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
    ids=["ctrl-c", "term"],
)
def test_signal_ends_the_command_with_one_line(slow, number, code, said):
    slow.send_signal(number)

    out, err = slow.communicate(timeout=15)

    assert slow.returncode == code
    assert (out, err.strip()) == ("", f"truthound: {said}")


def test_second_interrupt_ends_it_at_once(slow):
    slow.send_signal(signal.SIGINT)
    time.sleep(0.05)
    slow.send_signal(signal.SIGINT)

    _, err = slow.communicate(timeout=15)

    # The second one may find an interpreter that is already on its way out.
    assert slow.returncode in {130, -signal.SIGINT}
    assert "Traceback" not in err


def test_time_limit_of_a_checkpoint_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("rides.csv").write_text("id\n1\n")
    Path("slow.py").write_text(SLOW)

    done = subprocess.run(
        [sys.executable, "slow.py", "check", "rides.csv", "-qVslow", "--timeout=.5"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert done.returncode == 3
    assert "timeout: not finished after 0.5 seconds" in done.stderr


@pytest.fixture
def many(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    columns = [f"a_column_with_a_long_name_{n}" for n in range(2000)]
    Path("wide.csv").write_text(",".join(columns) + "\n" + ",".join("1" * 2000) + "\n")


def test_reader_that_goes_away_is_no_failure(many):
    process = subprocess.Popen(
        command("schema", "wide.csv"),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        process.stdout.read(10)
        process.stdout.close()
        said = process.stderr.read()
        process.wait(timeout=20)

    assert (process.returncode, said) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_said(many):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = call("schema", "wide.csv", stdout=full, stderr=subprocess.PIPE)

    assert done.returncode == 2
    assert done.stderr == (
        "Error: cannot write to standard output: No space left on device\n"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["chekc"], 2),
        (["check", "nowhere.csv", "-q"], 3),
        (["check", "wide.csv", "-V", "null", "-o", "report.html"], 0),
    ],
    ids=["wrong call", "no data", "passed"],
)
def test_exit_code_needs_no_standard_error(many, arguments, code):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = call(*arguments, stdout=subprocess.PIPE, stderr=full)

    assert (done.returncode, done.stdout) == (code, "")


@pytest.mark.parametrize("closed", [1, 2], ids=["stdout", "stderr"])
def test_stream_that_is_closed_is_no_crash(many, closed):
    done = call(
        *("check", "wide.csv", "-V", "null"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: os.close(closed),
    )

    said = "Error: cannot write to standard output: it is closed\n"
    assert done.returncode == (2 if closed == 1 else 0)
    assert done.stderr == (said if closed == 1 else "")


# Without a store: for that there is no room, either, and it would say so.
CHECK = ["check", "long.csv", "--no-store"]


@pytest.mark.parametrize(
    "arguments",
    [
        [*CHECK, "-V", "null", "-f", "html", "-o", "good.parquet"],
        [*CHECK, "-qV", "range:n:1..2", "--failed-rows", "good.parquet"],
        [*CHECK, "-qV", "range:n:1..2", "--failed-rows", "good.csv"],
        ["profile", "long.csv", "-f", "html", "-o", "good.csv"],
        ["init", "long.csv", "--force", "-o", "good.csv"],
    ],
    ids=["report", "rows as parquet", "rows as csv", "profile", "configuration"],
)
def test_file_is_not_torn_when_there_is_no_room(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    Path("long.csv").write_text("n\n" + "".join(f"{n}\n" for n in range(9_999)))
    file = Path(arguments[-1])
    file.write_text("as it was")

    done = call(
        *arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Python would keep the first 64 bytes of a module's compiled code, for ever.
        env={"PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64)),
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"Error: cannot write {file}: File too large\n"
    assert file.read_text() == "as it was"
    assert {path.name for path in Path().glob("*[!d]")} == {"long.csv", file.name}


@pytest.mark.parametrize("target", ["/dev/stdout", "/dev/null", "-"])
def test_special_files_are_written_and_stay(many, target):
    before = Path("/dev/null").stat().st_mode

    done = call("schema", "wide.csv", "-o", target, "-q")

    assert done.returncode == 0
    assert done.stdout.startswith("a_column") == (target != "/dev/null")
    assert Path("/dev/null").stat().st_mode == before


def test_output_appears_whole_and_nothing_else(many):
    done = call("schema", "wide.csv", "-o", "out.yaml")

    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "wrote out.yaml\n"
    assert Path("out.yaml").read_text().count("\n") == 2000
    assert {"out.yaml", "wide.csv"} >= {p.name for p in Path().iterdir() if p.is_file()}


def test_read_only_folder_is_refused_first(many, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o500)
    if os.access(locked, os.W_OK):
        pytest.skip("root may write anywhere")

    done = call("schema", "wide.csv", "-o", "locked/out.yaml")

    assert done.returncode == 2
    assert "locked is read-only" in done.stderr
