"""``UniversalRunner``: which executor runs, and where neither may."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
import uvloop

import truthound.automation
from processes import Family, sites
from truthound.automation import UniversalRunner

pytestmark = pytest.mark.usefixtures("family")


def meeting(folder: Path) -> dict[str, Any]:
    """Return sites that succeed only if they run at the same time."""
    script = (
        f"touch {folder}/$TRUTHOUND_SITE; n=0; while [ $n -lt 300 ]; do "
        f"[ -e {folder}/a ] && [ -e {folder}/b ] && exit 0; "
        "sleep 0.05; n=$((n+1)); done; exit 1"
    )
    return sites(script, max_concurrent_sites=2)


def test_each_run_of_a_process_is_side_by_side(tmp_path: Path) -> None:
    """In the document's sketch the second is silently one after the other."""
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        runner = UniversalRunner(meeting(folder))

        assert runner.run_pipeline(["a", "b"]) == {"a": True, "b": True}


async def test_running_loop_is_told_what_to_call_and_nothing_is_started(
    family: Family,
) -> None:
    runner = UniversalRunner(sites())

    for use_async in (True, False, None):
        with pytest.raises(
            RuntimeError, match=r"^Use run_pipeline_async\(\) in async context"
        ):
            runner.run_pipeline(["a"], use_async=use_async)

    assert runner.last_run is None
    assert not family.alive()
    assert await runner.run_pipeline_async(["a"]) == {"a": True}


@pytest.mark.parametrize("use_async", [True, False])
def test_configuration_chooses_unless_told(tmp_path: Path, use_async: bool) -> None:
    runner = UniversalRunner({**sites(), "use_async": use_async})

    runner.run_pipeline(["a"])
    both = [runner.sync_executor.last_run, runner.async_executor.last_run]
    assert both[use_async] is runner.last_run is not None
    assert both[not use_async] is None

    runner.run_pipeline(["b"], use_async=not use_async)
    other = runner.async_executor if not use_async else runner.sync_executor
    assert runner.last_run is other.last_run is not None
    assert list(runner.last_run.sites) == ["b"]


def test_it_runs_in_any_thread() -> None:
    found: list[Any] = []
    runner = UniversalRunner(sites())

    def work() -> None:
        found.extend(runner.run_pipeline(["a"], use_async=u) for u in (True, False))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert found == [{"a": True}] * 2


def test_failure_is_not_run_again_by_the_other_executor(tmp_path: Path) -> None:
    """The document's sketch falls back, and runs every site twice."""
    runner = UniversalRunner(sites(f"echo x >>{tmp_path}/seen; exit 1"))

    assert runner.run_pipeline(["a", "b"]) == {"a": False, "b": False}

    assert len((tmp_path / "seen").read_text().split()) == 2


def test_uvloop_is_as_good() -> None:
    runner = UniversalRunner(sites())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        assert loop.run(runner.run_pipeline_async(["a"])) == {"a": True}


def test_names_of_the_package_are_there() -> None:
    for name in truthound.automation.__all__:
        assert getattr(truthound.automation, name).__name__ == name
    assert dir(truthound.automation) == truthound.automation.__all__
    with pytest.raises(AttributeError, match="no attribute 'Pipelin'"):
        truthound.automation.Pipelin  # noqa: B018
