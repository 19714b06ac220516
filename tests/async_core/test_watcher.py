"""`AsyncDirectoryWatcher`: every change is reported, once."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truthound.async_core import AsyncDirectoryWatcher, async_write_file
from truthound.async_core._inotify import Inotify
from truthound.async_core._telling import FileChange
from truthound.async_core._telling import merged as _merged
from truthound.errors import ConfigurationError

SCRATCH: list[Path] = []  # where files are made before they land
PATIENCE = 20  # seconds, until something counts as hanging

both = pytest.mark.parametrize(
    "polling", ["system", "watchfiles", "polling"], indirect=True
)


@pytest.fixture
def polling(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Tell whether to look; watchfiles tells where there is no inotify."""
    if request.param == "watchfiles":
        monkeypatch.setattr("truthound.async_core._watching.HAS_INOTIFY", False)
    return bool(request.param == "polling")


def put(path: Path, text: str) -> None:
    """Make a file in one step: nobody sees it empty."""
    outside = SCRATCH[0] / path.name
    outside.write_text(text)
    outside.rename(path)


class Seen:
    """What a watcher has reported."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.events: list[tuple[str, str]] = []
        self._news = asyncio.Event()

    def add(self, path: Any) -> None:
        assert isinstance(path, Path)
        self.events.append((path.relative_to(self.top).as_posix(), str(path.change)))
        self._news.set()

    async def until(self, wanted: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        """Wait until the last event of each file is as wanted."""
        async with asyncio.timeout(PATIENCE):
            while not wanted(dict(self.events)):
                self._news.clear()
                await self._news.wait()
        return dict(self.events)


@asynccontextmanager
async def watching(
    folder: Path, polling: bool = False, **options: Any
) -> AsyncIterator[Seen]:
    """Watch a folder, from a moment when the watch is known to be on."""
    options.setdefault("poll_interval", 0.05)
    await asyncio.sleep(0.02)  # what is there now was there before
    watcher = AsyncDirectoryWatcher(folder, force_polling=polling, **options)
    seen = Seen(folder)

    async def watch() -> None:
        async for path in watcher.watch():
            seen.add(path)

    task = asyncio.create_task(watch())
    await asyncio.sleep(0.3)
    try:
        yield seen
    finally:
        watcher.stop()
        async with asyncio.timeout(PATIENCE):
            await task


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder, scratch = tmp_path / "incoming", tmp_path / "scratch"
    folder.mkdir()
    scratch.mkdir()
    SCRATCH[:] = [scratch]
    return folder


@both
async def test_created_modified_and_deleted(folder: Path, polling: bool) -> None:
    put(folder / "here.csv", "1")
    async with watching(folder, polling) as seen:
        put(folder / "new.csv", "1")
        await seen.until(lambda last: last == {"new.csv": "created"})
        put(folder / "here.csv", "22")
        await seen.until(lambda last: last.get("here.csv") == "modified")
        (folder / "here.csv").unlink()
        await seen.until(lambda last: last["here.csv"] == "deleted")
    assert [event for event in seen.events if event[0] == "here.csv"] == [
        ("here.csv", "modified"),
        ("here.csv", "deleted"),
    ]


@both
async def test_restored_file_is_modified(folder: Path, polling: bool) -> None:
    path = folder / "data.csv"
    put(path, "1")
    async with watching(folder, polling) as seen:
        os.utime(path, ns=(10**18, 10**18))  # older than it was
        assert await seen.until(bool) == {"data.csv": "modified"}


@both
async def test_file_that_is_renamed_into_place(folder: Path, polling: bool) -> None:
    await async_write_file(folder / "data.csv", "old")
    async with watching(folder, polling) as seen:
        await async_write_file(folder / "data.csv", "newer")
        await async_write_file(folder / "second.csv", "x")
        await seen.until(lambda last: len(last) == 2)
        (folder.parent / "outside.csv").write_text("x")
        (folder.parent / "outside.csv").rename(folder / "third.csv")
        last = await seen.until(lambda last: len(last) == 3)
        (folder / "third.csv").rename(folder / "fourth.csv")
        await seen.until(lambda last: last.get("third.csv") == "deleted")
        await seen.until(lambda last: last.get("fourth.csv") == "created")
    assert last == {
        "data.csv": "modified",
        "second.csv": "created",
        "third.csv": "created",
    }
    assert not [name for name, _ in seen.events if name.endswith(".tmp")]


@both
async def test_folders_that_come_later_and_go(folder: Path, polling: bool) -> None:
    outside = folder.parent / "tree"
    (outside / "deep").mkdir(parents=True)
    (outside / "deep" / "moved.csv").write_text("x")
    async with watching(folder, polling) as seen:
        (folder / "a" / "b").mkdir(parents=True)
        put(folder / "a" / "b" / "made.csv", "x")
        outside.rename(folder / "tree")
        await seen.until(lambda last: len(last) == 2)
        put(folder / "a" / "b" / "more.csv", "x")
        await seen.until(lambda last: "a/b/more.csv" in last)
        shutil.rmtree(folder / "tree")
        await seen.until(lambda last: last["tree/deep/moved.csv"] == "deleted")
    assert ("a/b/made.csv", "created") in seen.events


@both
async def test_patterns_and_folders_below(folder: Path, polling: bool) -> None:
    (folder / "sub").mkdir()
    options = {"patterns": ["*.csv", "sub/*.txt"]}
    async with (
        watching(folder, polling, **options) as seen,
        watching(folder, polling, recursive=False) as flat,
    ):
        for name in ("a.txt", "sub/b.txt", "sub/c.csv", "d.csv"):
            put(folder / name, "x")
        await seen.until(lambda last: len(last) == 3)
        await flat.until(lambda last: len(last) == 2)
    assert set(dict(seen.events)) == {"sub/b.txt", "sub/c.csv", "d.csv"}
    assert set(dict(flat.events)) == {"a.txt", "d.csv"}


@both
async def test_nothing_is_missed_while_the_reader_works(
    folder: Path, polling: bool
) -> None:
    watcher = AsyncDirectoryWatcher(folder, poll_interval=0.05, force_polling=polling)
    seen: dict[str, str] = {}
    count = 0
    iteration = watcher.watch()

    async def make() -> None:
        for number in range(300):
            put(folder / f"{number:03}", "x")
            if number % 50 == 0:
                await asyncio.sleep(0.05)

    put(folder / "first", "x")
    async with asyncio.timeout(PATIENCE):
        async for path in iteration:
            if path.name == "first":
                await make()
                await asyncio.sleep(0.3)
            seen[path.name] = path.change
            count += 1
            if len(seen) == 301:
                watcher.stop()
    assert set(seen.values()) == {"created"}
    assert count == 301


@both
async def test_initial_reports_each_file_once(folder: Path, polling: bool) -> None:
    for number in range(20):
        put(folder / f"old-{number}", "x")
    async with watching(folder, polling, initial=True) as seen:
        for number in range(20):
            put(folder / f"new-{number}", "x")
        await seen.until(lambda last: len(last) == 40)
    assert len(seen.events) == 40
    assert set(dict(seen.events).values()) == {"created"}


async def test_what_was_there_before_is_not_reported(folder: Path) -> None:
    put(folder / "old", "x")
    os.utime(folder / "old", ns=(10**18, 10**18))
    await asyncio.sleep(0.05)
    async with watching(folder) as seen:
        put(folder / "new", "x")
        await seen.until(bool)
    assert seen.events == [("new", "created")]


async def test_file_made_right_after_the_call_is_reported(folder: Path) -> None:
    watcher = AsyncDirectoryWatcher(folder)
    iteration = watcher.watch()
    put(folder / "at once", "x")
    async with asyncio.timeout(PATIENCE):
        assert (await anext(iteration)).name == "at once"
    await iteration.aclose()


@both
async def test_file_that_came_and_went_is_no_event(folder: Path, polling: bool) -> None:
    async with watching(folder, polling, poll_interval=0.3) as seen:
        for _ in range(5):
            put(folder / "brief", "x")
            (folder / "brief").unlink()
        put(folder / "last", "x")
        await seen.until(lambda last: "last" in last)
    assert [name for name, change in seen.events if change == "modified"] == []


@both
async def test_folder_that_vanishes_is_an_error(folder: Path, polling: bool) -> None:
    put(folder / "file", "x")
    await asyncio.sleep(0.02)
    watcher = AsyncDirectoryWatcher(folder, poll_interval=0.05, force_polling=polling)
    seen = []
    with pytest.raises(FileNotFoundError, match="no such folder to watch"):
        async with asyncio.timeout(PATIENCE):
            iteration = watcher.watch()
            task = asyncio.create_task(anext(iteration))
            await asyncio.sleep(0.3)
            shutil.rmtree(folder)
            seen.append((await task).change)
            await anext(iteration)
    assert seen == ["deleted"]


async def test_what_is_no_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, kind in (("missing", FileNotFoundError), ("file", NotADirectoryError)):
        with pytest.raises(kind, match=name):
            await anext(AsyncDirectoryWatcher(tmp_path / name).watch())


@both
@pytest.mark.parametrize("from_thread", [False, True])
async def test_stop_ends_the_iteration_at_once(
    folder: Path, polling: bool, from_thread: bool
) -> None:
    watcher = AsyncDirectoryWatcher(folder, poll_interval=60, force_polling=polling)

    async def watch() -> list[Path]:
        return [path async for path in watcher.watch()]

    task = asyncio.create_task(watch())
    await asyncio.sleep(0.2)
    if from_thread:
        threading.Timer(0, watcher.stop).start()
    else:
        watcher.stop()
        watcher.stop()
    async with asyncio.timeout(5):
        assert await task == []
        assert await watch() == []


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


@both
async def test_cancelled_watch_leaves_no_thread(folder: Path, polling: bool) -> None:
    watcher = AsyncDirectoryWatcher(folder, poll_interval=60, force_polling=polling)
    task = asyncio.create_task(anext(watcher.watch()))
    await asyncio.sleep(0.2)
    task.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await task
    async with asyncio.timeout(PATIENCE):
        while "truthound-watch" in threads():  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)


async def test_disk_that_hangs_does_not_hold_up_the_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    real = os.scandir

    def hanging(path: Any) -> Any:
        if threading.current_thread().name == "truthound-watch":
            gate.wait(PATIENCE)
        return real(path)

    monkeypatch.setattr(os, "scandir", hanging)
    monkeypatch.setattr("truthound.async_core._telling.FAREWELL", 0.2)
    task = asyncio.create_task(anext(AsyncDirectoryWatcher(folder).watch()))
    await asyncio.sleep(0.1)
    task.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await task
    gate.set()


async def test_relative_folder_and_link_keep_the_name_given(folder: Path) -> None:
    link = folder.parent / "link"
    link.symlink_to(folder)
    here = Path(os.path.relpath(folder))  # noqa: ASYNC240 - a test may look
    for given_path in (link, here):
        watcher = AsyncDirectoryWatcher(given_path)
        iteration = watcher.watch()
        put(folder / f"{given_path.name}.csv", "x")
        async with asyncio.timeout(PATIENCE):
            found = await anext(iteration)
            # What was written in the same moment before counts as new, too.
            while found.name != f"{given_path.name}.csv":
                found = await anext(iteration)
        assert found == given_path / f"{given_path.name}.csv"
        await iteration.aclose()


class NoneLeft(Inotify):
    """No watch is left."""

    def __init__(self, *_: Any) -> None:
        raise OSError("inotify watch limit reached")


@pytest.mark.parametrize("has_inotify", [True, False])
async def test_system_that_does_not_tell_is_polled(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    has_inotify: bool,
) -> None:
    def none_left(*_: Any) -> None:
        raise OSError("inotify watch limit reached")

    monkeypatch.setattr("truthound.async_core._watching.HAS_INOTIFY", has_inotify)
    monkeypatch.setattr("watchfiles._rust_notify.RustNotify", none_left)
    monkeypatch.setattr("truthound.async_core._watching.Inotify", NoneLeft)
    async with watching(folder) as seen:
        put(folder / "new", "x")
        await seen.until(bool)
    assert "looking every 0.05 s, as the system does not tell" in caplog.text


def inotify_queue() -> int:
    path = Path("/proc/sys/fs/inotify/max_queued_events")
    return int(path.read_text()) if path.exists() else 0


@pytest.mark.skipif(not 0 < inotify_queue() < 20_000, reason="other limits of inotify")
def test_messages_that_were_lost_are_noticed(folder: Path) -> None:
    with Inotify(str(folder), recursive=True) as notify:
        for number in range(inotify_queue() // 2 + 10):
            os.close(os.open(folder / str(number), os.O_CREAT | os.O_WRONLY))
        (folder / "late").mkdir()
        told = 0
        while not (news := notify.wait(0)).is_everywhere:
            assert news.places
            told += len(news.places)
        assert told < inotify_queue()
        (folder / "late" / "file").touch()
        assert str(folder / "late" / "file") in notify.wait(5).places


async def test_watches_that_run_out_later_are_no_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none_left(*_: Any) -> None:
        raise OSError("inotify watch limit reached")

    async with watching(folder) as seen:
        monkeypatch.setattr(Inotify, "_follow", none_left)
        (folder / "sub").mkdir()
        put(folder / "sub" / "one", "x")
        put(folder / "two", "x")
        await seen.until(lambda last: {"sub/one", "two"} <= set(last))
        put(folder / "sub" / "three", "x")
        await seen.until(lambda last: "sub/three" in last)
    assert "looking every 0.05 s, as the system does not tell" in caplog.text


@pytest.mark.parametrize("seconds", [0, -1, "1"])
def test_interval_out_of_range_is_named(seconds: Any) -> None:
    with pytest.raises(ConfigurationError, match="poll_interval="):
        AsyncDirectoryWatcher(".", poll_interval=seconds)


@given(st.lists(st.booleans(), max_size=9), st.booleans())
def test_merged_changes_lead_from_the_first_to_the_last(
    steps: list[bool], was_there: bool
) -> None:
    """Changes of a file, told one by one or together, say the same."""
    is_there, merged = was_there, None
    for exists in steps:
        if is_there and exists:
            change = FileChange.MODIFIED
        elif exists:
            change = FileChange.CREATED
        elif is_there:
            change = FileChange.DELETED
        else:
            continue
        merged = _merged(merged, change)
        is_there = exists
    if merged is None:
        assert is_there == was_there
    else:
        assert (merged is FileChange.CREATED) == (is_there and not was_there)
        assert (merged is FileChange.DELETED) == (was_there and not is_there)
