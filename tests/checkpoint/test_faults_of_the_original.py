"""What the original was seen to do wrong, where no other test looks; and the table."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cli.shell import call, environment
from probes import Probe, checkpoint
from scripted_server import reply, serving
from truthound.checkpoint import AsyncCheckpointRunner, run_checkpoints_parallel
from truthound.checkpoint.triggers import CronTrigger, ScheduleTrigger

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("page", ["docs/scheduling.md", "docs/ko/async-execution.md"])
def test_every_row_of_the_table_names_a_test(page: str) -> None:
    rows = re.findall(r"^\|.*`(test_\w+)` \|$", (ROOT / page).read_text("utf-8"), re.M)
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))
    }
    assert page.startswith("docs/ko") or len(rows) > 30
    assert set(rows) <= there, set(rows) - there


COLD = """\
import asyncio
from truthound.checkpoint import Checkpoint, run_checkpoints_parallel
rules = ["null", {"unique": {"column": "a"}}, {"range": {"column": "a", "min": 0}},
         "distribution", {"regex": {"column": "b", "pattern": "x"}}]
sources = ["p.parquet", "d.csv", "p.parquet", "p.parquet", "p.parquet"]
checkpoints = [Checkpoint(f"c{n}", data_source=source, validators=[rule])
               for n, (source, rule) in enumerate(zip(sources, rules))]
results = asyncio.run(run_checkpoints_parallel(checkpoints, max_concurrent=5))
print(sum(r.status != "error" for r in results))
"""


def test_cold_start_of_parallel_checkpoints(tmp_path: Path) -> None:
    import polars as pl

    pl.DataFrame({"a": [1, 2], "b": ["x", "xy"]}).write_parquet(tmp_path / "p.parquet")
    (tmp_path / "d.csv").write_text("a,d\n1,2026-01-01\n2,2026-01-02\n")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", COLD],
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    for process in processes:
        with process:
            out, _ = process.communicate(timeout=25)
        assert out == "5\n"


@pytest.mark.timeout(60)
def test_ten_thousand_schedules_cost_no_threads() -> None:
    """h11: and the loop hardly notices them."""
    asyncio.run(_ten_thousand())  # not in debug mode, which takes a minute for it


async def _ten_thousand() -> None:
    runner = AsyncCheckpointRunner(trigger_poll_interval=0.05)
    for number in range(10_000):
        trigger = (
            CronTrigger(expression="0 0 1 1 *")
            if number % 2
            else ScheduleTrigger(interval_hours=1, start_time="2099-01-01T00:00")
        )
        runner.add_checkpoint(Probe(f"p{number}", triggers=[trigger]))
    before = threading.active_count()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await runner.start_async()
    started = loop.time() - begun
    longest = 0.0
    for _ in range(50):
        at = loop.time()
        await asyncio.sleep(0.01)
        longest = max(longest, loop.time() - at)
    assert threading.active_count() <= before + 2
    begun = loop.time()
    await runner.stop_async()
    assert started + loop.time() - begun < 20
    assert longest < 1
    assert runner.get_stats()["accepted_runs"] == 0


async def test_threads_stay_few_and_files_closed(tmp_path: Path) -> None:
    """h10: 300 checkpoints on files, 8 at once."""
    (tmp_path / "a.csv").write_text("id\n1\n2\n")
    before = threading.active_count()
    most = 0

    def look(result: object) -> None:
        nonlocal most
        most = max(most, threading.active_count())

    checkpoints = [checkpoint(f"c{n}", str(tmp_path / "a.csv")) for n in range(300)]
    results = await run_checkpoints_parallel(checkpoints, 8, on_complete=look)
    assert {r.status for r in results} == {"success"}
    assert most - before <= 64


async def test_pipe_is_no_file(tmp_path: Path) -> None:
    """h15: an error that names it, and soon."""
    import os

    os.mkfifo(tmp_path / "pipe.csv")
    async with asyncio.timeout(10):
        (result,) = await run_checkpoints_parallel(
            [checkpoint("c", str(tmp_path / "pipe.csv"))]
        )
    assert result.status == "error"
    assert "pipe.csv" in (result.error or "")


async def test_missing_sources_do_not_disturb_the_others(tmp_path: Path) -> None:
    """d02: a missing file, a folder without data, and 20 good ones."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.csv").write_text("id\n1\n")
    bad = [checkpoint("b0", "no.csv"), checkpoint("b1", str(tmp_path / "empty"))]
    good = [checkpoint(f"g{n}", str(tmp_path / "a.csv")) for n in range(20)]
    results = await run_checkpoints_parallel([*bad, *good])
    assert [r.status for r in results[:2]] == ["error", "error"]
    assert "no.csv" in (results[0].error or "")
    assert "empty" in (results[1].error or "")
    assert {r.status for r in results[2:]} == {"success"}


async def test_time_limit_of_a_checkpoint_holds() -> None:
    """h19: the original copies the option and never reads it."""
    release = threading.Event()
    one = checkpoint("c", release.wait, timeout_seconds=0.2)
    async with asyncio.timeout(5):
        (result,) = await run_checkpoints_parallel([one])
    release.set()
    assert (result.status, result.error) == (
        "error",
        "timeout: not finished after 0.2 seconds",
    )


SHORT_OF_FILES = """\
import asyncio, json, os, resource, sys
import polars as pl
from truthound.checkpoint import Checkpoint, CheckpointPool
from truthound.checkpoint.actions import WebhookAction

pl.DataFrame({"id": [1, 2]}).write_parquet("a.parquet")

def made():
    action = lambda: WebhookAction(url=sys.argv[1], include_full_result=False)
    return [Checkpoint(f"c{n}", data_source="a.parquet", validators=["null"],
                       actions=[action()]) for n in range(60)]

def good(results):
    return sum(r.success and r.action_results[0].success for r in results)

async def main():
    async with CheckpointPool(20) as pool:
        await pool.submit(made()[0])
        free = os.dup(0)
        os.close(free)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        short = []
        for more in (3, 0):
            resource.setrlimit(resource.RLIMIT_NOFILE, (free + more, hard))
            short.append(await pool.submit_many(made()))
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        few, none = short
        return len(few), len(none), good(none), good(await pool.submit_many(made()))

print(json.dumps(asyncio.run(main())))
"""


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
async def test_too_few_files_are_an_error_and_pass_by(tmp_path: Path) -> None:
    """f01: 60 results while descriptors are short, and all is well after that."""
    async with serving(lambda request: reply(200)) as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            SHORT_OF_FILES,
            server.url,
            cwd=tmp_path,
            env=environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        out, _ = await process.communicate()
    few, none, good_without_any, good_after = json.loads(out)
    assert (few, none, good_after) == (60, 60, 60)
    assert good_without_any < 60


async def test_runs_write_nothing_unasked() -> None:
    await run_checkpoints_parallel([checkpoint(f"c{n}") for n in range(3)])
    checkpoint("c").run()
    assert not list(Path().iterdir())  # noqa: ASYNC240 - a look at the end


def test_exit_code_of_a_run_that_could_not_be_completed() -> None:
    Path("truthound.yaml").write_text(
        "checkpoints: [{name: c, data_source: no.csv, validators: [null]}]"
    )
    assert call("run").returncode == 3
    assert call("checkpoint", "run", "c").returncode == 3
