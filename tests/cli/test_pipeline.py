"""``truthound pipeline``: run, status, and what interrupts them."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.shell import command, environment
from processes import PATIENCE, Family, eventually
from truthound.cli import call

BY_NAME = """
case "$TRUTHOUND_SITE" in
good*) exit 0;; bad*) echo broken; exit 1;; killed*) kill -9 $$;; slow*) sleep 60;;
deaf*) trap '' TERM; setsid sleep 61 & sleep 62;;
esac
"""


@pytest.fixture(autouse=True)
def family(monkeypatch: pytest.MonkeyPatch) -> Iterator[Family]:
    monkeypatch.setenv("NO_COLOR", "1")
    found = Family()
    monkeypatch.setenv(*found.mark.split("="))
    yield found
    assert not found.left()


@pytest.fixture
def run(capfd: Any) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = call(("pipeline", *arguments))
        out, err = capfd.readouterr()
        return int(code), out, err

    return run


def configure(path: str = "automation/config.yaml", **options: Any) -> None:
    """Write a configuration of sites that end as their names say."""
    found = {
        "command": ["sh", "-c", BY_NAME],
        "retry_count": 1,
        "grace": 0.3,
        "output_directory": str(Path("out").absolute()),
        **options,
    }
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_text(yaml.safe_dump({"pipeline": found}))


def test_sites_are_run_and_failures_shown(run: Any) -> None:
    configure()

    code, out, err = run("run", "good-1", "bad-1", "good-2")

    assert code == 1
    lines = out.splitlines()
    log = Path("out/logs/bad-1.log").absolute()
    assert lines[:3] == ["bad-1: exit code 1", "    broken", f"    log: {log}"]
    assert lines[3].startswith("2 of 3 sites succeeded, 1 failed in ")
    assert (len(lines), err) == (4, "")


@pytest.mark.parametrize(
    ("sites", "code"),
    [
        (["good"], 0),
        (["bad"], 1),
        (["good", "bad"], 1),
        (["killed"], 3),
        (["bad", "killed"], 3),
        ([], 5),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else None,
)
@pytest.mark.parametrize("sync", [[], ["--sync"]], ids=["beside", "sync"])
def test_exit_code_tells_how_the_sites_ended(
    run: Any, sites: list[str], code: int, sync: list[str]
) -> None:
    configure()

    assert run("run", *sync, *sites)[0] == code


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "-c", "nowhere.yaml", "a"], "nowhere.yaml: No such file"),
        (["run", "a"], "automation/config.yaml: No such file"),
        (["run", "-c", "bad.yaml"], "bad.yaml:1:10: timeout: expected a number"),
        (["run", "-c", "c.yaml", "--from", "nowhere.csv"], "nowhere.csv: No such file"),
        (["run", "-c", "c.yaml", "--max-concurrent", "0", "a"], "--max-concurrent"),
        (
            ["run", "-c", "c.yaml", "--sync", "--max-concurrent", "2", "a"],
            "give either --sync or --max-concurrent, not both",
        ),
        (["run", "-c", "c.yaml", "a", "-o", "no/where.json"], "no/where.json"),
        (["run", "-c", "c.yaml", "-f", "html", "a"], "html"),
        (["status", "-c", "bad.yaml"], "bad.yaml:1:10: timeout"),
        (["stauts"], "status"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_call_is_said_and_starts_nothing(
    run: Any, arguments: list[str], said: str
) -> None:
    configure("c.yaml", command=["touch", "started"])
    Path("bad.yaml").write_text("timeout: x")

    code, out, err = run(*arguments)

    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err
    assert not Path("started").exists()


def test_sites_come_from_the_configuration_from_files_and_by_name(run: Any) -> None:
    configure(sites=["good-own"])
    Path("a.csv").write_text("id,site\n1,good-csv\n")
    Path("b.json").write_text('["good-json", "good-csv"]')
    Path("c.txt").write_text("good-line\n")
    files = ("--from", "a.csv", "--from", "b.json", "--from", "c.txt")

    _, out, _ = run("run", "-f", "json")
    assert list(sites_of(out)) == ["good-own"]
    _, out, _ = run("run", "-f", "json", *files, "good-named")
    assert list(sites_of(out)) == [
        "good-named",
        "good-csv",
        "good-json",
        "good-line",
    ]


def sites_of(text: str) -> dict[str, Any]:
    return {site["site"]: site for site in json.loads(text)["sites"]}


def test_empty_list_selects_nothing(run: Any) -> None:
    configure(sites=["good"])
    Path("a.csv").write_text("site\n")

    code, out, err = run("run", "--from", "a.csv")

    assert (code, out) == (5, "")
    assert "names no sites" in err


@pytest.mark.parametrize("target", ["story.json", "story.txt"])
def test_story_is_written_to_a_file(run: Any, target: str) -> None:
    configure()

    code, out, err = run("run", "good", "bad", "-o", target)

    assert (code, out) == (1, "")
    assert "1 of 2 sites succeeded" in err
    text = Path(target).read_text()
    if target.endswith(".json"):
        assert sites_of(text)["bad"]["attempts"][0]["output"] == "broken\n"
    else:
        assert text.startswith("bad: exit code 1\n    broken\n")


def test_quiet_and_verbose_say_less_and_more(run: Any) -> None:
    configure(async_settings={"error_aggregation": False})

    _, out, _ = run("run", "-v", "good", "bad")
    assert out.splitlines()[0].startswith("ok  good: success (")
    code, _, err = run("run", "-q", "good", "-o", "story.txt")
    assert (code, err) == (0, "")


def test_one_at_a_time_if_it_is_asked_for(run: Any) -> None:
    script = "mkdir on || exit 1; sleep 0.05; rmdir on"
    configure(command=["sh", "-c", script])

    assert run("run", "--max-concurrent", "1", "a", "b", "c")[0] == 0
    assert run("run", "--sync", "a", "b", "c")[0] == 0
    configure(command=["sh", "-c", script], use_async=False)
    assert run("run", "a", "b", "c")[0] == 0


@pytest.mark.parametrize(
    "name", ["a\nb", "\x1b[31mred", "\u202eevil", "--help", "$(x)"]
)
def test_hostile_names_steer_no_terminal(run: Any, name: str) -> None:
    configure(command=["false"])

    code, out, err = run("run", "--", name)

    assert code == 1
    assert out.count("\n") == 3
    assert not set(out + err) & set("\x1b\u202e\r")


def test_name_that_no_process_can_be_given_fails_alone(run: Any) -> None:
    configure()

    code, out, _ = run("run", "", "good")

    assert code == 3
    assert out.startswith("'': a site's name is empty\n")


def test_status_tells_how_sites_ended(run: Any) -> None:
    configure()
    run("run", "good", "bad", "killed")

    code, out, _ = run("status", "good", "bad", "killed", "new")

    assert code == 3
    words = [line.split()[:2] for line in out.splitlines()[1:]]
    assert words == [
        ["success", "good"],
        ["failure", "bad"],
        ["incomplete", "killed"],
        ["unknown", "new"],
    ]
    assert run("status", "good")[0] == 0
    assert run("status", "good", "bad")[0] == 1
    code, out, _ = run("status", "good", "-f", "json")
    (record,) = json.loads(out)
    assert (record["site"], record["status"]) == ("good", "success")


def test_status_of_nothing_is_nothing(run: Any) -> None:
    configure(sites=["good"])

    code, out, err = run("status")
    assert (code, out) == (5, "")
    assert "nothing is known of any site yet" in err


def test_damaged_story_is_said_and_costs_nothing(run: Any) -> None:
    configure(sites=["good"])
    Path("out").mkdir()
    Path("out/last_run.json").write_text("{")

    code, _, err = run("status")
    assert code == 5
    assert "last_run.json is no run of a pipeline, or is damaged" in err
    assert run("run", "good")[0] == 0
    assert run("status")[0] == 0


def test_story_that_cannot_be_kept_is_said_and_the_run_still_told(run: Any) -> None:
    configure(log_directory=None)
    Path("out").write_text("in the way")

    code, out, err = run("run", "good")

    assert code == 0
    assert out.startswith("1 of 1 site succeeded")
    assert "the results are not noted" in err


def test_default_command_reads_the_sites_of_the_configuration(run: Any) -> None:
    Path("n.csv").write_text("id\n1\n")
    Path("s.csv").write_text("id,x\n1,\n")
    sites = {"north": {"source": "n.csv"}, "south": {"source": "s.csv"}}
    Path("c.yaml").write_text(
        yaml.safe_dump({"defaults": {"validators": ["null"]}, "sites": sites})
    )

    code, out, err = run("run", "-c", "c.yaml")
    assert code == 1, err
    assert "south: its data is not as it should be (exit code 1)" in out
    code, out, _ = run("status", "-c", "c.yaml")
    assert code == 1
    assert out.splitlines()[1].split()[:2] == ["healthy", "north"]


# ----------------------------------------------------------------- interruptions


def start(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command("pipeline", *arguments),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=options.pop("stderr", subprocess.PIPE),
        text=True,
        process_group=0,
        **options,
    )


def logged(*names: str) -> Callable[[], bool]:
    return lambda: all(Path(f"out/logs/{name}.log").exists() for name in names)


def begun(family: Family, number: int) -> Callable[[], bool]:
    """Tell whether so many processes sleep."""

    def sleeping() -> bool:
        found = 0
        for pid in family.alive():
            try:
                found += Path(f"/proc/{pid}/comm").read_text() == "sleep\n"
            except OSError:
                continue
        return found >= number

    return sleeping


@pytest.mark.parametrize("sync", [[], ["--sync"]], ids=["beside", "sync"])
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_signal_ends_the_sites_and_tells_of_them(
    family: Family, sync: list[str], number: int, code: int
) -> None:
    configure()
    with start("run", *sync, "good", "slow") as process:
        assert eventually(begun(family, 1))

        os.killpg(process.pid, number)
        out, err = process.communicate(timeout=PATIENCE)

    assert process.returncode == code
    assert "Traceback" not in err
    assert out.startswith("slow: interrupted\n")
    assert "1 of 2 sites succeeded, 1 interrupted in " in out
    kept = json.loads(Path("out/last_run.json").read_text())
    assert kept["interrupted"] is True
    assert not family.left()


@pytest.mark.parametrize("sync", [[], ["--sync"]], ids=["beside", "sync"])
def test_second_interrupt_ends_sites_that_are_deaf_at_once(
    family: Family, sync: list[str]
) -> None:
    configure(grace=600)
    with start("run", *sync, "deaf") as process:
        assert eventually(begun(family, 2))

        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)

    assert process.returncode == 130
    assert "Traceback" not in err
    assert not family.left()


def test_command_that_is_killed_leaves_no_site(family: Family) -> None:
    configure(grace=600)
    with start("run", "deaf", "slow") as process:
        assert eventually(begun(family, 3))
        process.kill()

    assert eventually(lambda: not family.alive())


def test_reader_that_has_gone_is_no_failure(family: Family) -> None:
    configure()
    with start("run", "good", "-v") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        said = process.stderr.read()
        process.wait(timeout=PATIENCE)

    assert (process.returncode, said) == (0, "")


@pytest.mark.parametrize("closed", [0, 1, 2], ids=["stdin", "stdout", "stderr"])
def test_stream_that_is_closed_is_no_crash(family: Family, closed: int) -> None:
    configure()
    done = subprocess.run(
        command("pipeline", "run", "good", "bad"),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        preexec_fn=lambda: os.close(closed),
    )

    assert done.returncode == (2 if closed == 1 else 1)
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="needs a terminal of Linux")
def test_terminal_shows_what_runs_and_is_left_clean(family: Family) -> None:
    configure(command=["sh", "-c", "sleep 2.5; exit 1"], retry_count=1)
    ours, theirs = pty.openpty()
    with start("run", "north", "south", stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 65_536)
            except OSError:
                break
            if not piece:
                break
            shown += piece
        process.wait(timeout=PATIENCE)
    os.close(ours)

    text = shown.decode()
    assert process.returncode == 1
    assert "running" in text
    assert "north" in text
    assert "0 of 2 sites done, 2 under way" in text
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")  # the cursor is back
