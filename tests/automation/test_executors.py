"""Many sites, each a process: what is run, what is told, and that it ends."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import uvloop

from processes import Family, sites, until
from truthound.automation import (
    AsyncPipelineExecutor,
    PipelineConfig,
    PipelineExecutor,
    PipelineRun,
    UniversalRunner,
)
from truthound.errors import ConfigurationError

pytestmark = pytest.mark.usefixtures("family")
BY_NAME = 'case "$TRUTHOUND_SITE" in good*) exit 0;; *) exit 1;; esac'


def both(config: dict[str, Any], names: Any) -> list[tuple[dict[str, bool], Any]]:
    """Run sites side by side, and then one after the other."""
    beside, after = AsyncPipelineExecutor(config), PipelineExecutor(config)
    found = asyncio.run(beside.run_all_async(names))
    return [(found, beside.last_run), (after.run_all(names), after.last_run)]


def run(config: dict[str, Any], names: Any) -> PipelineRun:
    executor = AsyncPipelineExecutor(config)
    asyncio.run(executor.run_all_async(names))
    assert executor.last_run is not None
    return executor.last_run


def test_results_are_in_the_order_given_and_each_name_is_there_once() -> None:
    names = ["good-2", "bad", "good-1", "good-2", "bad"]

    for results, story in both(sites(BY_NAME), names):
        assert list(results.items()) == [
            ("good-2", True),
            ("bad", False),
            ("good-1", True),
        ]
        assert story.results == results
        assert [len(site.attempts) for site in story] == [1, 1, 1]


def test_site_that_is_there_twice_is_run_once(tmp_path: Path) -> None:
    script = f"echo $TRUTHOUND_SITE >>{tmp_path}/seen"

    both(sites(script), ["a", "b", "a"])

    assert Counter((tmp_path / "seen").read_text().split()) == {"a": 2, "b": 2}


def test_no_sites_are_no_results() -> None:
    assert [found for found, _ in both(sites(), [])] == [{}, {}]


@pytest.mark.parametrize("names", ["a.com", b"a.com", ["a", 1], [None], 5, None])
def test_what_is_no_list_of_names_is_refused(names: Any) -> None:
    with pytest.raises(ConfigurationError):
        PipelineExecutor(sites()).run_all(names)
    with pytest.raises(ConfigurationError):
        asyncio.run(AsyncPipelineExecutor(sites()).run_with_progress(names))


def test_any_iterable_of_names_will_do() -> None:
    for names in (("good", "bad"), iter(["good", "bad"]), {"good": 1, "bad": 2}):
        results = AsyncPipelineExecutor(sites(BY_NAME)).run_all_async(names)
        assert asyncio.run(results) == {"good": True, "bad": False}


async def test_progress_tells_every_site_under_its_own_name() -> None:
    names = [f"{'good' if n % 3 else 'bad'}-{n}" for n in range(7)]
    told: list[tuple[str, bool, int, int]] = []
    executor = AsyncPipelineExecutor(sites(BY_NAME))

    results = await executor.run_with_progress(names, lambda *said: told.append(said))

    assert list(results) == names
    assert {name: success for name, success, _, _ in told} == results
    assert [done for _, _, done, _ in told] == [1, 2, 3, 4, 5, 6, 7]
    assert {total for _, _, _, total in told} == {7}


async def test_progress_that_raises_harms_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def told(*said: object) -> None:
        raise KeyError("odd")

    results = await AsyncPipelineExecutor(sites()).run_with_progress(["a", "b"], told)

    assert results == {"a": True, "b": True}
    assert "the progress callback raised at a" in caplog.text


def test_never_more_than_the_limit_run_at_once(tmp_path: Path) -> None:
    """The sites themselves say so, those that are tried again included."""
    script = (
        f"mkdir {tmp_path}/on.$$; ls -d {tmp_path}/on.* | wc -l >>{tmp_path}/counts; "
        f"sleep 0.05; rmdir {tmp_path}/on.$$; "
        '[ "${TRUTHOUND_SITE%[02468]}" = "$TRUTHOUND_SITE" ]'
    )
    config = sites(script, max_concurrent_sites=3, retry_count=2)

    run(config, [f"site-{n}" for n in range(12)])

    counts = [int(line) for line in (tmp_path / "counts").read_text().split()]
    assert len(counts) == 18
    assert 1 < max(counts) <= 3


def test_blocking_executor_runs_one_after_the_other(tmp_path: Path) -> None:
    script = f"echo + >>{tmp_path}/seen; sleep 0.02; echo - >>{tmp_path}/seen"

    PipelineExecutor(sites(script)).run_all(["a", "b", "c"])

    assert (tmp_path / "seen").read_text().split() == ["+", "-"] * 3


def test_one_pipeline_by_itself() -> None:
    executor = PipelineExecutor(sites(BY_NAME))

    assert executor.execute_pipeline("good") is True
    assert executor.execute_pipeline("bad") is False


async def test_one_executor_serves_two_runs_at_once() -> None:
    executor = AsyncPipelineExecutor(sites(BY_NAME))

    found = await asyncio.gather(
        executor.run_all_async(["good-1", "bad-1"]),
        executor.run_all_async(["good-2", "bad-2"]),
    )

    assert found == [
        {"good-1": True, "bad-1": False},
        {"good-2": True, "bad-2": False},
    ]


def test_two_threads_share_an_executor() -> None:
    runner = UniversalRunner(sites(BY_NAME))
    found: dict[int, Any] = {}

    def work(number: int) -> None:
        names = [f"good-{number}", f"bad-{number}"]
        found[number] = runner.run_pipeline(names, use_async=bool(number % 2))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == {n: {f"good-{n}": True, f"bad-{n}": False} for n in range(4)}


def test_uvloop_runs_sites_and_ends_them(family: Family) -> None:
    async def main() -> None:
        executor = AsyncPipelineExecutor(sites(BY_NAME))
        assert await executor.run_all_async(["good", "bad"]) == {
            "good": True,
            "bad": False,
        }
        task = asyncio.create_task(
            AsyncPipelineExecutor(sites("sleep 60")).run_all_async(["a", "b"])
        )
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
    assert not family.left()


async def test_loop_goes_on_while_sites_run() -> None:
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.01)
            beats += 1

    task = asyncio.create_task(beat())
    await AsyncPipelineExecutor(sites("sleep 0.3")).run_all_async(["a", "b"])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert beats > 3


def test_site_knows_its_name_and_its_variables(tmp_path: Path) -> None:
    script = f'echo "$TRUTHOUND_SITE $A $B" >>{tmp_path}/seen'
    config = sites(
        script,
        environment={"A": "all", "B": "all"},
        sites={"x": {"environment": {"B": "own"}}, "y": None},
    )

    run(config, ["x", "y", "z"])

    seen = sorted((tmp_path / "seen").read_text().splitlines())
    assert seen == ["x all own", "y all all", "z all all"]


def test_sites_start_in_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    config = sites("pwd >where", working_directory=str(tmp_path / "here"))

    for results, _ in both(config, ["a"]):
        assert results == {"a": True}
    assert (tmp_path / "here" / "where").read_text().strip() == str(tmp_path / "here")


def test_working_directory_that_is_not_there_is_said() -> None:
    for results, story in both(sites(working_directory="nowhere"), ["a"]):
        assert results == {"a": False}
        assert story.sites["a"].outcome == "incomplete"
        assert "No such file or directory" in story.sites["a"].error
        assert "nowhere" in story.sites["a"].error


def test_program_that_is_not_there_is_not_tried_again() -> None:
    config = sites(command=["no-such-program", "x"], retry_count=3)

    for results, story in both(config, ["a"]):
        assert results == {"a": False}
        assert len(story.sites["a"].attempts) == 1
        assert "no-such-program" in story.sites["a"].error


def test_program_is_found_by_the_path_of_the_sites(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "hello-sites"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 0\n")
    config = sites(command=["hello-sites"])
    program.chmod(0o700)

    assert not run(config, ["a"]).success
    assert run({**config, "environment": {"PATH": str(program.parent)}}, ["a"]).success


def test_story_tells_how_each_attempt_ended() -> None:
    script = (
        'echo "hello $TRUTHOUND_SITE"; case "$TRUTHOUND_SITE" in '
        "exits) exit 7;; dies) kill -SEGV $$;; sleeps) exec sleep 60;; esac"
    )
    config = sites(script, sites={"sleeps": {"timeout": 1}})

    found = run(config, ["fine", "exits", "dies", "sleeps"]).sites

    told = {
        name: (site.outcome, site.last.exit_code, site.last.signal, site.error)
        for name, site in found.items()
        if site.last
    }
    assert told == {
        "fine": ("success", 0, None, None),
        "exits": ("failure", 7, None, "exit code 7"),
        "dies": ("incomplete", None, "SIGSEGV", "killed by SIGSEGV"),
        "sleeps": ("incomplete", None, "SIGTERM", "not finished after 1 s"),
    }
    for name, site in found.items():
        assert site.last is not None
        assert site.last.output == f"hello {name}\n"
        assert (site.last.peak_memory or 0) > 100_000
        assert site.seconds > 0


def test_alike_failures_stand_together_in_the_summary() -> None:
    names = [f"site-{n}" for n in range(12)]

    story = run(sites("echo broken; exit 3"), names)

    assert story.error_summary() == (
        "site-0, site-1, site-2, site-3, site-4, site-5, site-6, site-7, site-8, "
        "site-9 and 2 more: exit code 3\n    broken"
    )
    assert story.summary().startswith("0 of 12 sites succeeded, 12 failed in ")


@pytest.mark.parametrize("together", [True, False])
def test_failures_are_logged_together_or_each(
    together: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "truthound.automation")
    settings = {"error_aggregation": together, "progress_reporting": not together}

    run(sites("exit 1", async_settings=settings), ["a", "b"])

    errors = [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]
    assert len(errors) == (1 if together else 2)
    assert all("exit code 1" in text for text in errors)
    assert ("Progress: 2/2 sites completed" in caplog.text) is not together


def test_mistake_of_ours_stays_with_its_site(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from truthound.automation import _attempts

    meant = _attempts.SiteRun.ended

    def ended(self: Any, how: Any) -> Any:
        if self.name == "b":
            raise KeyError("odd")
        return meant(self, how)

    monkeypatch.setattr(_attempts.SiteRun, "ended", ended)
    config = sites(log_directory=str(tmp_path / "logs"))

    for results, story in both(config, ["a", "b", "c"]):
        assert results == {"a": True, "b": False, "c": True}
        assert story.sites["b"].error == "unexpected KeyError: 'odd'"


def test_options_of_a_configuration_that_is_made_by_hand_are_checked() -> None:
    for wrong in (
        {"max_concurrent_sites": 0},
        {"retry_count": 0},
        {"timeout": -1},
        {"timeout": "1"},
        {"grace": -1},
        {"retry_backoff": "cubic"},
    ):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            PipelineConfig(**wrong)  # type: ignore[arg-type]


# ------------------------------------------------------------- what is printed


def test_ten_megabytes_on_both_pipes_stall_nobody(tmp_path: Path) -> None:
    script = (
        "head -c 10000000 /dev/zero | tr '\\0' o; "
        "head -c 10000000 /dev/zero | tr '\\0' e >&2; echo; echo the end"
    )
    found = run(sites(script, log_directory=str(tmp_path)), ["a"]).sites["a"]

    assert found.success
    assert found.last is not None
    assert len(found.last.output) == 10_000
    assert found.last.output.endswith("e\nthe end\n")
    assert found.log is not None
    assert Path(found.log).stat().st_size > 20_000_000


def test_site_that_closes_its_output_runs_on(tmp_path: Path) -> None:
    script = f"exec >&- 2>&-; sleep 0.3; touch {tmp_path}/done"

    assert run(sites(script), ["a"]).success
    assert (tmp_path / "done").exists()


@pytest.mark.parametrize("apart", ["", "setsid "], ids=["group", "session of its own"])
def test_daemon_that_holds_the_pipe_holds_up_nobody(apart: str, family: Family) -> None:
    script = f"{apart}sleep 60 & echo started"

    for results, story in both(sites(script), ["a"]):
        assert results == {"a": True}
        assert story.sites["a"].last.output == "started\n"
    assert not family.left()


def test_daemon_that_prints_without_end_is_ended(family: Family) -> None:
    for results, _ in both(sites("setsid yes & sleep 0.1"), ["a"]):
        assert results == {"a": True}
    assert not family.left()


@pytest.mark.parametrize(
    ("printed", "kept"),
    [("no newline", "no newline"), (r"\377\376x\303", "��x�"), (r"a\0b", "a\0b")],
    ids=["no newline", "not utf-8", "nul"],
)
def test_output_of_any_form_is_kept(printed: str, kept: str, tmp_path: Path) -> None:
    found = run(sites(f"printf '{printed}'", log_directory=str(tmp_path)), ["a"])

    site = found.sites["a"]
    assert site.last is not None
    assert site.last.output == kept
    assert PipelineRun.from_dict(json.loads(json.dumps(found.to_dict()))).sites
    assert site.log is not None
    assert len(Path(site.log).read_bytes().splitlines()) == 2


def test_attempts_stand_in_one_log_and_a_run_begins_anew(tmp_path: Path) -> None:
    config = sites("echo words; exit 1", log_directory=str(tmp_path), retry_count=2)

    for _ in range(2):
        found = run(config, ["a/b"]).sites["a/b"]

    assert found.log == str(tmp_path / "a%2Fb.log")
    lines = Path(found.log).read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "--- attempt 1 of 2 attempts",
        "words",
        "--- attempt 2 of 2 attempts",
        "words",
    ]
    assert Path(found.log).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.glob("*.log")] == ["a%2Fb.log"]


def test_log_stops_at_the_largest_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from truthound.automation import _logs

    monkeypatch.setattr(_logs, "LARGEST", 100_000)
    script = "head -c 1000000 /dev/zero; echo the end"

    found = run(sites(script, log_directory=str(tmp_path)), ["a"]).sites["a"]

    assert found.last is not None
    assert found.last.output.endswith("the end\n")
    assert found.log is not None
    content = Path(found.log).read_bytes()
    assert len(content) <= 100_100
    assert content.endswith(b"... what was printed after this is left out\n")


def a_file(path: Path) -> None:
    path.write_text("")


def a_folder_for_the_log(path: Path) -> None:
    (path / "a.log" / "x").mkdir(parents=True)


def read_only(path: Path) -> None:
    path.mkdir()
    path.chmod(0o500)


@pytest.mark.parametrize("in_the_way", [a_file, a_folder_for_the_log, read_only])
def test_site_goes_on_without_a_log(
    in_the_way: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    in_the_way(tmp_path / "logs")

    found = run(sites("echo x", log_directory=str(tmp_path / "logs")), ["a"])

    assert found.results == {"a": True}
    if not os.access(tmp_path / "logs", os.W_OK) or in_the_way is not read_only:
        assert found.sites["a"].log is None
        assert "cannot be written" in caplog.text
    assert not list(tmp_path.rglob("*.tmp"))


FULL = """\
import asyncio, resource, sys
from truthound.automation import AsyncPipelineExecutor

resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
executor = AsyncPipelineExecutor(
    {"command": ["sh", "-c", "head -c 50000 /dev/zero; echo end"],
     "log_directory": "logs"}
)
results = asyncio.run(executor.run_all_async(["a", "b"]))
outputs = [site.last.output[-4:] for site in executor.last_run]
assert results == {"a": True, "b": True}, results
assert outputs == ["end\\n"] * 2
"""


async def test_full_disk_is_no_reason_to_fail() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", FULL)
    assert await process.wait() == 0


# ------------------------------------------------------------------- variables


def test_variables_are_read_when_they_are_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = sites(
        f'printf %s "$TOKEN" >{tmp_path}/seen; echo "it is $TOKEN"; exit 1',
        environment={"TOKEN": "${SITE_TOKEN}"},
    )
    executor = AsyncPipelineExecutor(config)
    monkeypatch.setenv("SITE_TOKEN", "s3cr3t-of-mine")

    asyncio.run(executor.run_all_async(["a"]))

    assert (tmp_path / "seen").read_text() == "s3cr3t-of-mine"
    assert executor.last_run is not None
    assert executor.last_run.sites["a"].last.output == "it is ${SITE_TOKEN}\n"  # type: ignore[union-attr]


def test_secret_stays_out_of_all_that_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("SITE_TOKEN", "s3cr3t-of-mine")
    printing = sites(
        'echo "$1 $TOKEN"; exit 1',
        environment={"TOKEN": "${SITE_TOKEN}"},
    )
    printing["command"] += ["sh", "--key=${SITE_TOKEN}"]
    missing = sites(command=["${SITE_TOKEN}"])

    said = []
    for config in (printing, missing):
        for _, story in both(config, ["a"]):
            said.append(json.dumps(story.to_dict()) + story.error_summary())
            said.append(repr(story) + repr(AsyncPipelineExecutor(config).config))

    assert "${SITE_TOKEN}" in said[0]
    assert "s3cr3t" not in "".join(said) + caplog.text


def test_secret_that_is_cut_leaves_no_rest_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SITE_TOKEN", "s3cr3t-" * 20)
    script = 'printf "%s" "$TOKEN"; head -c 9950 /dev/zero | tr "\\0" .; exit 1'
    config = sites(script, environment={"TOKEN": "${SITE_TOKEN}"})

    output = run(config, ["a"]).sites["a"].last.output  # type: ignore[union-attr]

    assert "3cr3t" not in output
    assert len(output) <= 10_000


def test_unset_variable_fails_its_own_site_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = sites(sites={"a": {"environment": {"X": "${NOWHERE_SET}"}}, "b": None})

    for results, story in both(config, ["a", "b"]):
        assert results == {"a": False, "b": True}
        error = story.sites["a"].error
        assert error == "the environment variable NOWHERE_SET is not set"


async def test_variable_that_goes_between_two_attempts_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SITE_TOKEN", "here")
    config = sites(
        "exit 1", environment={"T": "${SITE_TOKEN}"}, retry_count=2, retry_delay=0.5
    )
    executor = AsyncPipelineExecutor(config)
    task = asyncio.create_task(executor.run_all_async(["a"]))
    await until(
        lambda: (
            executor.story
            and executor.story.active
            and executor.story.active["a"].waits
        )
    )
    monkeypatch.delenv("SITE_TOKEN")

    await task

    assert executor.last_run is not None
    site = executor.last_run.sites["a"]
    assert (site.outcome, len(site.attempts)) == ("incomplete", 1)
    assert site.error == "the environment variable SITE_TOKEN is not set"


def test_nothing_is_started_before_it_is_asked_for(family: Family) -> None:
    UniversalRunner(sites())
    assert not family.alive()


def test_the_server_is_gone_when_the_run_is_over(family: Family) -> None:
    run(sites(), ["a"])
    assert not family.alive()
