"""Copying, walking, looking and making folders."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truthound.async_core import (
    async_copy_file,
    async_file_exists,
    async_mkdir,
    walk_async,
)
from truthound.errors import UnsafePathError

PATIENCE = 10  # seconds, until something counts as hanging


def unable(*_: Any) -> int:
    raise OSError(errno.EXDEV, "not between these")


@pytest.mark.parametrize("without", [[], ["copy_file_range"], ["sendfile"], "both"])
@pytest.mark.parametrize("size", [0, 1, 1_000_000])
async def test_copy_has_content_permissions_and_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without: Any, size: int
) -> None:
    for name in ["copy_file_range", "sendfile"] if without == "both" else without:
        monkeypatch.setattr(os, name, unable, raising=False)
    monkeypatch.setattr("truthound.async_core._file_ops.PIECE", 300_000)
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.write_bytes(os.urandom(size))
    source.chmod(0o640)
    os.utime(source, ns=(10**18, 10**18))
    copy.write_text("old")

    await async_copy_file(source, str(copy))

    assert copy.read_bytes() == source.read_bytes()
    assert copy.stat().st_mode == source.stat().st_mode
    assert copy.stat().st_mtime_ns == 10**18


async def test_copy_into_a_folder_keeps_the_name(tmp_path: Path) -> None:
    (tmp_path / "source").write_text("x")
    (tmp_path / "folder").mkdir()
    await async_copy_file(tmp_path / "source", tmp_path / "folder")
    assert (tmp_path / "folder" / "source").read_text() == "x"


MEMORY = """
import asyncio, resource, sys
from truthound.async_core import async_copy_file
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
async def main():
    await async_copy_file(sys.argv[1], sys.argv[1] + ".small")
    before = peak()
    await async_copy_file(sys.argv[2], sys.argv[2] + ".copy")
    print(peak() - before)
asyncio.run(main())
"""


def test_copy_of_a_large_file_takes_no_memory_for_it(tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(b"x")
    with large.open("wb") as file:
        file.truncate(300 * 2**20)
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(small), str(large)],
        capture_output=True,
        text=True,
        check=True,
    )
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout) * unit < 40 * 2**20
    assert (tmp_path / "large.copy").stat().st_size == 300 * 2**20


async def test_cancelled_copy_leaves_what_was_there(tmp_path: Path) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    with source.open("wb") as file:
        file.truncate(2**30)
    copy.write_text("old")
    task = asyncio.create_task(async_copy_file(source, copy))
    await asyncio.sleep(0.02)
    task.cancel()
    async with asyncio.timeout(PATIENCE):
        await asyncio.wait([task])
    assert copy.stat().st_size == 2**30 if not task.cancelled() else True
    assert not task.cancelled() or copy.read_text() == "old"
    assert not list(tmp_path.glob(".*.tmp"))  # noqa: ASYNC240 - a test may look


async def test_what_cannot_be_copied_is_named(tmp_path: Path) -> None:
    (tmp_path / "source").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "source")
    os.mkfifo(tmp_path / "pipe")
    async with asyncio.timeout(PATIENCE):
        for target in ("source", "link"):
            with pytest.raises(OSError, match="are the same file"):
                await async_copy_file(tmp_path / "source", tmp_path / target)
        with pytest.raises(OSError, match="it is a pipe"):
            await async_copy_file(tmp_path / "pipe", tmp_path / "copy")
        with pytest.raises(FileNotFoundError):
            await async_copy_file(tmp_path / "missing", tmp_path / "copy")
    assert (tmp_path / "source").read_text() == "x"
    assert not (tmp_path / "copy").exists()


async def test_copy_and_mkdir_stay_in_the_root(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "a").write_text("x")
    await async_copy_file("a", "b", root=root)
    await async_mkdir("deep/er", root=root)
    assert (root / "b").read_text() == "x"
    assert (root / "deep" / "er").is_dir()
    (root / "link").symlink_to(tmp_path)
    for path in ("../x", "link/x"):
        with pytest.raises(UnsafePathError):
            await async_copy_file("a", path, root=root)
        with pytest.raises(UnsafePathError):
            await async_copy_file(path, "b", root=root)
        with pytest.raises(UnsafePathError):
            await async_mkdir(path, root=root)
    with pytest.raises(UnsafePathError):
        _ = [path async for path in walk_async("link", root=root)]


async def test_exists_and_mkdir(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert not await async_file_exists(folder)
    with pytest.raises(FileNotFoundError):
        await async_mkdir(folder, parents=False)
    await async_mkdir(folder)
    await async_mkdir(str(folder))
    assert await async_file_exists(str(folder))
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    assert not await async_file_exists(tmp_path / "dangling")
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        await async_mkdir(tmp_path / "file")


names = st.sampled_from(["a.csv", "b.csv", "c.txt", "d", "E.csv"])


@given(
    st.lists(st.lists(names, min_size=1, max_size=4), max_size=15),
    st.sampled_from(["*", "*.csv", "a*", "d/*.csv", "*/*"]),
    st.integers(1, 5),
)
def test_walk_is_os_walk(
    tmp_path_factory: pytest.TempPathFactory,
    files: list[list[str]],
    pattern: str,
    at_once: int,
) -> None:
    top = tmp_path_factory.mktemp("tree")
    for parts in files:
        file = top.joinpath(*parts)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        except OSError:
            continue  # one is a file and a folder
    expected = {
        Path(folder) / name for folder, _, names in os.walk(top) for name in names
    }
    fits: Callable[[Path], bool] = _fits(pattern, top)

    async def main() -> list[Path]:
        return [path async for path in walk_async(top, pattern)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("truthound.async_core._file_ops.ENTRIES", at_once)
        found = asyncio.run(main())
        again = asyncio.run(main())
    assert set(found) == {path for path in expected if fits(path)}
    assert found == again


def _fits(pattern: str, top: Path) -> Callable[[Path], bool]:
    import fnmatch

    if "/" in pattern:
        return lambda path: fnmatch.fnmatchcase(
            path.relative_to(top).as_posix(), pattern
        )
    return lambda path: fnmatch.fnmatchcase(path.name, pattern)


async def test_walk_goes_into_links_only_when_asked_and_never_in_circles(
    tmp_path: Path,
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").touch()
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "cwd").rmdir()
    plain = [path async for path in walk_async(tmp_path)]
    assert plain == [tmp_path / "a" / "file"]
    followed = [path async for path in walk_async(tmp_path, follow_links=True)]
    assert followed == [tmp_path / "a" / "file"]


async def test_walk_of_what_is_no_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, kind in (("missing", FileNotFoundError), ("file", NotADirectoryError)):
        with pytest.raises(kind):
            _ = [path async for path in walk_async(tmp_path / name)]


async def test_folder_that_cannot_be_read_is_an_error_or_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "file").touch()
    real = os.scandir

    def scandir(folder: Any) -> Any:  # root may read everything
        if str(folder).endswith("closed"):
            raise PermissionError(errno.EACCES, "no", str(folder))
        return real(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(PermissionError, match="closed"):
        _ = [path async for path in walk_async(tmp_path)]
    found = [path async for path in walk_async(tmp_path, "f*", skip_unreadable=True)]
    assert found == [tmp_path / "file"]
