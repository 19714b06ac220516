"""Hygiene on every test, coroutine tests, and the code of the documentation."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import HealthCheck, settings
from sybil import Sybil
from sybil.integration.pytest import SybilItem

from docs_blocks import PARSERS, make_samples, set_up, tear_down
from leaks import left_behind, note, warm_up
from virtual_clock import VirtualClockLoop

settings.register_profile(
    "default",
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.function_scoped_fixture,  # an empty folder, the same for all cases
    ],
)
settings.register_profile(
    "torture", settings.get_profile("default"), max_examples=2_000, derandomize=False
)
settings.register_profile("quick", settings.get_profile("default"), max_examples=5)
settings.load_profile(os.environ.get("TRUTHOUND_TEST_PROFILE", "default"))

documentation = Sybil(
    parsers=PARSERS,
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
    setup=set_up,
    teardown=tear_down,
    # Sybil asks for no fixture that is not named, autouse or not.
    fixtures=["_nothing_blocks_the_loop", "_nothing_is_left_behind"],
)
pytest_collect_file = documentation.pytest()
_frames_of_block = SybilItem._traceback_filter


def _frames(item: SybilItem, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:
    # What a block leaves behind shows when it is over, in no frame of the block; for
    # want of one Sybil would end the whole session with an IndexError.
    try:
        return _frames_of_block(item, excinfo)
    except IndexError:
        return excinfo.traceback


SybilItem._traceback_filter = _frames


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the blocks of a page in their order, whatever the order of the tests."""
    pages = [item for item in items if isinstance(item, SybilItem)]
    pages.sort(key=lambda item: (str(item.path), item.example.line))
    items[:] = [*(i for i in items if not isinstance(i, SybilItem)), *pages]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test in a loop of its own, which must be empty at the end."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}

    async def test() -> None:
        await pyfuncitem.obj(**arguments)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks left behind: {left}"

    is_virtual = pyfuncitem.get_closest_marker("virtual_clock") is not None
    factory = VirtualClockLoop if is_virtual else None
    with asyncio.Runner(debug=True, loop_factory=factory) as runner:
        runner.run(test())
    return True


@pytest.fixture(scope="session", autouse=True)
def _warm() -> None:
    warm_up()


@pytest.fixture(autouse=True)
def _in_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Start in a new folder, without settings of whoever runs the tests."""
    folder = tmp_path / "cwd"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in list(os.environ):
        if name in {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "GITHUB_STEP_SUMMARY"} or (
            name.startswith("TRUTHOUND_") and not name.startswith("TRUTHOUND_TEST_")
        ):
            monkeypatch.delenv(name)
    yield


@pytest.fixture(autouse=True)
def _nothing_blocks_the_loop() -> Iterator[None]:
    with blockbuster_ctx("truthound") as blocking:
        # What is made inside a coroutine may read a small file: the configuration of
        # pipelines, the first use of a time zone.
        for function in blocking.functions.values():
            function.can_block_in("truthound/automation/config.py", "load_config")
            function.can_block_in("truthound/checkpoint/_zones.py", "zone_of")
        yield


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    """Fail a test that leaves a thread, a child process or an open file."""
    before = note()
    yield
    assert not (left := left_behind(before)), f"left behind: {left}"


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the sample files that the documentation uses."""
    return make_samples(tmp_path_factory.mktemp("samples"))
