"""A hundred sites that end in every way, and runs that are cut off: nothing is left."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from processes import Family, descriptors, eventually, site_threads, sites
from truthound.automation import AsyncPipelineExecutor, PipelineRun

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
HARD = os.environ.get("TRUTHOUND_TEST_PROFILE") == "torture"
KINDS = {
    "good": "success",
    "bad": "failure",
    "killed": "incomplete",
    "slow": "incomplete",
    "deaf": "incomplete",
    "daemon": "success",
}
SCRIPT = """
case "$TRUTHOUND_SITE" in
good*) exit 0;;
bad*) exit 1;;
killed*) kill -9 $$;;
slow*) exec sleep 60;;
deaf*) trap '' TERM; (sleep 61) & setsid sh -c "trap '' TERM; sleep 62" & sleep 63;;
daemon*) setsid sleep 64 & (sleep 65 &) ; exit 0;;
esac
"""


def mixed(number: int) -> list[str]:
    kinds = list(KINDS)
    return [f"{kinds[n % len(kinds)]}-{n}" for n in range(number)]


def zombies() -> list[str]:
    """Return children of this process that nobody has waited for."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        for pid in (task / "children").read_text().split():
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            if state == "Z":
                found.append(pid)
    return found


async def cut_off(
    executor: AsyncPipelineExecutor, names: list[str], done: int, times: int
) -> None:
    """Cancel a run when so many of its sites are done, so many times."""
    reached = asyncio.Event()

    def told(name: str, success: bool, number: int, total: int) -> None:
        if number >= done:
            reached.set()

    task = asyncio.create_task(executor.run_with_progress(names, told))
    await reached.wait()
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0.02)
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


def check(run: PipelineRun | None, names: list[str]) -> Counter[str]:
    """Hold a run to what its sites are; return how many ended in which way."""
    assert run is not None
    assert list(run.sites) == names
    for site in run:
        if site.outcome != "interrupted":
            assert site.outcome == KINDS[site.site.partition("-")[0]]
    return Counter(site.outcome for site in run)


@pytest.mark.timeout(600 if HARD else 90)
async def test_hundred_sites_leave_nothing_behind(family: Family) -> None:
    names = mixed(1_002 if HARD else 102)
    before = descriptors()
    limits = {name: {"timeout": 0.4} for name in names if name[:4] in {"slow", "deaf"}}
    config = sites(SCRIPT, grace=0.1, max_concurrent_sites=20, sites=limits)
    executor = AsyncPipelineExecutor(config)

    results = await executor.run_all_async(names)
    counts = check(executor.last_run, names)
    sixth = len(names) // 6
    assert counts == {
        "success": 2 * sixth,
        "failure": sixth,
        "incomplete": 3 * sixth,
    }
    assert list(results) == names
    assert not family.alive()

    for times in (1, 2):
        await cut_off(executor, names, len(names) // 3, times)
        counts = check(executor.last_run, names)
        assert counts["interrupted"] > 0
        assert counts.total() == len(names)
        assert not family.left()

    assert not zombies()
    assert eventually(lambda: not site_threads())
    assert descriptors() == before


@pytest.mark.timeout(600 if HARD else 90)
async def test_hundred_forked_sites_leave_nothing_behind(
    family: Family, tmp_path: Path
) -> None:
    """isolation: warm. What they are to read lets them end, fail, die or hang."""
    before = descriptors()
    silent = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{silent.getsockname()[1]}/never"
    sources = {**sources_of_all_kinds(tmp_path), "hangs": address}
    names = [f"{kind}-{n}" for n in range(100 if HARD else 8) for kind in sources]
    config = {
        "isolation": "warm",
        "sites": {
            name: {"source": sources[name.partition("-")[0]], "validators": ["null"]}
            for name in names
        },
        "timeout": 20,
        "grace": 0.2,
        "retry_count": 1,
        "max_concurrent_sites": 6,
        "output_directory": str(tmp_path / "out"),
    }
    for number in range(0, len(names), len(sources)):
        config["sites"][names[number + 3]]["timeout"] = 0.5  # type: ignore[index]
    executor = AsyncPipelineExecutor(config)

    await executor.run_all_async(names)

    assert executor.last_run is not None
    outcomes = {site.site: site.outcome for site in executor.last_run}
    expected = ("success", "failure", "incomplete", "incomplete")
    assert outcomes == {
        name: expected[number % len(sources)] for number, name in enumerate(names)
    }
    assert not family.alive()
    for times in (1, 2):
        await cut_off(executor, names, 6, times)
        assert not family.left()
    silent.close()
    assert not zombies()
    assert eventually(lambda: not site_threads())
    assert descriptors() == before


def sources_of_all_kinds(folder: Path) -> dict[str, Any]:
    (folder / "good.csv").write_text("id\n1\n")
    (folder / "bad.csv").write_text("id,x\n1,\n")
    return {
        "good": str(folder / "good.csv"),
        "bad": str(folder / "bad.csv"),
        "gone": str(folder / "gone.csv"),
    }
