"""Writing files: whole, or not at all."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import resource
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truthound.async_core import AsyncFileWriter, async_write_file
from truthound.errors import ConfigurationError, FileEncodingError, UnsafePathError

PATIENCE = 10  # seconds, until something counts as hanging


def old(folder: Path) -> Path:
    path = folder / "file.txt"
    path.write_text("old")
    return path


def only(folder: Path, *names: str) -> bool:
    return sorted(p.name for p in folder.iterdir() if p.name != "cwd") == sorted(names)


async def test_write_file_replaces_the_whole(tmp_path: Path) -> None:
    path = old(tmp_path)
    await async_write_file(path, "grün\n")
    assert path.read_bytes() == "grün\n".encode()
    await async_write_file(str(path), b"\x00raw")
    assert path.read_bytes() == b"\x00raw"
    await async_write_file(path, "grün", "latin-1")
    assert path.read_bytes() == b"gr\xfcn"
    assert only(tmp_path, "file.txt")


async def test_text_that_cannot_be_encoded_leaves_the_old_file(tmp_path: Path) -> None:
    path = old(tmp_path)
    told = r"file\.txt: '日' at character 2 cannot be written as latin-1"
    with pytest.raises(FileEncodingError, match=told):
        await async_write_file(path, "ab日", "latin-1")
    with pytest.raises(FileEncodingError, match=told):
        async with AsyncFileWriter(path, encoding="latin-1", buffer_size=1) as writer:
            await writer.write("fine")
            await writer.write("ab日")
    assert path.read_text() == "old"
    assert only(tmp_path, "file.txt")


# A disk that is full: no file of the process may grow beyond a limit.
FULL = """
import asyncio, resource, signal, sys
from truthound.async_core import AsyncFileWriter, async_copy_file, async_write_file
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

async def writer(path, mode):
    async with AsyncFileWriter(path, mode) as out:
        for _ in range(100):
            await out.write("x" * 1_000)

async def main():
    path, way = sys.argv[1:]
    try:
        if way == "write":
            await async_write_file(path, "x" * 100_000)
        elif way == "copy":
            await async_copy_file(path + ".large", path)
        else:
            await writer(path, way)
    except OSError as error:
        print(error.errno)

asyncio.run(main())
"""


@pytest.mark.parametrize("way", ["write", "copy", "w", "a"])
def test_full_disk_leaves_the_old_file(tmp_path: Path, way: str) -> None:
    path = old(tmp_path)
    (tmp_path / "file.txt.large").write_bytes(bytes(100_000))
    done = subprocess.run(
        # -B: nothing but the file shall meet the limit.
        [sys.executable, "-B", "-c", FULL, str(path), way],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(errno.EFBIG), done.stderr
    content = path.read_text()
    if way == "a":  # what was flushed before is whole
        assert content.startswith("old")
        assert len(content) < 50_000
        assert (len(content) - 3) % 1_000 == 0
    else:
        assert content == "old"
    assert only(tmp_path, "file.txt", "file.txt.large")
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 50_000


@pytest.mark.parametrize("name", ["open", "write", "fsync", "close", "fstat"])
@pytest.mark.parametrize("number", range(6))
async def test_failing_disk_at_every_step_leaves_the_old_file(
    tmp_path: Path, name: str, number: int
) -> None:
    path = old(tmp_path)
    broken = Failing(name, number)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, name, broken)
        try:
            async with AsyncFileWriter(path, buffer_size=4) as writer:
                await writer.write("newer")
                await writer.write("newest")
        except OSError as error:
            assert error.errno == errno.EIO
    # After the rename it is the new one: only the sync of the folder has failed.
    assert path.read_text() in (
        {"old", "newernewest"} if broken.has_failed else {"newernewest"}
    )
    assert only(tmp_path, "file.txt")


class Failing:
    """Makes one of the calls of a function of ``os`` fail, in the threads for files."""

    def __init__(self, name: str, number: int) -> None:
        self._name = name
        self._real: Callable[..., Any] = getattr(os, name)
        self._left = number
        self.has_failed = False

    def __call__(self, *args: Any, **options: Any) -> Any:
        if threading.current_thread().name.startswith("truthound-disk"):
            self._left -= 1
            if self._left == -1:
                self.has_failed = True
                if self._name == "close":  # it is closed, whatever it says
                    self._real(*args, **options)
                raise OSError(errno.EIO, "the disk is broken")
        return self._real(*args, **options)


@given(
    st.lists(st.one_of(st.text(max_size=9), st.binary(max_size=9)), max_size=12),
    st.integers(1, 40),
    st.sampled_from(["w", "a", "x", "wb"]),
)
def test_writer_writes_what_it_is_given(
    tmp_path: Path, parts: list[str | bytes], size: int, mode: str
) -> None:
    path = tmp_path / "out"
    path.unlink(missing_ok=True)
    before = b""
    if mode in {"a", "w", "wb"}:
        path.write_bytes(b"before")
        before = b"before" if mode == "a" else b""

    async def main() -> None:
        async with AsyncFileWriter(path, mode, buffer_size=size) as writer:
            for part in parts:
                if isinstance(part, str):
                    await writer.write(part)
                else:
                    await writer.write_bytes(part)

    texts = [part.encode() if isinstance(part, str) else part for part in parts]
    asyncio.run(main())
    assert path.read_bytes() == before + b"".join(texts)


async def test_writelines_takes_any_iterable(tmp_path: Path) -> None:
    async def lines() -> AsyncIterator[str]:
        yield "c\n"

    async with AsyncFileWriter(tmp_path / "out") as writer:
        await writer.writelines(["a\n", "b\n"])
        await writer.writelines(lines())
    assert (tmp_path / "out").read_text() == "a\nb\nc\n"


async def test_nothing_is_seen_before_the_end(tmp_path: Path) -> None:
    path = old(tmp_path)
    async with AsyncFileWriter(path, buffer_size=1) as writer:
        await writer.write("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


async def test_error_in_the_block_leaves_the_old_file(tmp_path: Path) -> None:
    path = old(tmp_path)
    with pytest.raises(ValueError, match="odd"):
        async with AsyncFileWriter(path, buffer_size=1) as writer:
            await writer.write("new")
            raise ValueError("odd")
    assert path.read_text() == "old"
    assert only(tmp_path, "file.txt")
    with pytest.raises(ValueError, match="is closed"):
        await writer.write("more")


@pytest.mark.parametrize("after", range(0, 40, 3))
async def test_cancelled_writer_leaves_one_or_the_other(
    tmp_path: Path, after: int
) -> None:
    path = old(tmp_path)

    async def work() -> None:
        async with AsyncFileWriter(path, buffer_size=1) as writer:
            await writer.write("new")
            await writer.write("er")

    task = asyncio.create_task(work())
    for _ in range(after):
        await asyncio.sleep(0.0002)
    task.cancel()
    await asyncio.wait([task])
    assert path.read_text() == "newer" if not task.cancelled() else True
    assert path.read_text() in {"old", "newer"}
    assert only(tmp_path, "file.txt")


@pytest.mark.parametrize("after", range(0, 20, 2))
async def test_cancelled_write_file_leaves_one_or_the_other(
    tmp_path: Path, after: int
) -> None:
    path = old(tmp_path)
    task = asyncio.create_task(async_write_file(path, "new" * 100_000))
    for _ in range(after):
        await asyncio.sleep(0.0002)
    task.cancel()
    await asyncio.wait([task])
    assert path.read_text() in {"old", "new" * 100_000}
    assert only(tmp_path, "file.txt")


async def test_writer_without_a_block(tmp_path: Path) -> None:
    writer = AsyncFileWriter(tmp_path / "out")
    await writer.write("Hello")
    await writer.close()
    await writer.close()
    assert (tmp_path / "out").read_text() == "Hello"
    empty = AsyncFileWriter(tmp_path / "empty")
    await empty.close()
    assert (tmp_path / "empty").read_bytes() == b""


async def test_writer_that_is_forgotten_says_so(tmp_path: Path) -> None:
    path = old(tmp_path)
    writer = AsyncFileWriter(path, buffer_size=1)
    await writer.write("new")
    with pytest.warns(ResourceWarning, match="was not closed; nothing was written"):
        del writer
        gc.collect()
    async with asyncio.timeout(PATIENCE):
        while not only(tmp_path, "file.txt"):  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)
    assert path.read_text() == "old"


async def test_mode_x_makes_a_new_file_only(tmp_path: Path) -> None:
    path = old(tmp_path)
    with pytest.raises(FileExistsError, match=r"file\.txt exists already"):
        async with AsyncFileWriter(path, "x") as writer:
            await writer.write("new")
    new = tmp_path / "new"
    with pytest.raises(FileExistsError):
        async with AsyncFileWriter(new, "x") as writer:
            await writer.write("late")
            new.write_text("early")
    assert (path.read_text(), new.read_text()) == ("old", "early")
    assert only(tmp_path, "file.txt", "new")


async def test_several_tasks_may_write_to_one_writer(tmp_path: Path) -> None:
    async with AsyncFileWriter(tmp_path / "out", buffer_size=8) as writer:
        await asyncio.gather(*(writer.write(f"line {n:03}\n") for n in range(200)))
    lines = (tmp_path / "out").read_text().splitlines()
    assert sorted(lines) == [f"line {n:03}" for n in range(200)]


async def test_paths_stay_in_the_root(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside").write_text("old")
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "dangling").symlink_to(tmp_path / "made")
    (root / "folder").symlink_to(tmp_path)
    await async_write_file("inside", "new", root=root)
    assert (root / "inside").read_text() == "new"
    for path in ("../../x", "../outside", "link", "dangling", "folder/x", "/etc/x"):
        with pytest.raises(UnsafePathError, match="leads to"):
            await async_write_file(path, "new", root=root)
        with pytest.raises(UnsafePathError, match="leads to"):
            async with AsyncFileWriter(path, root=root) as writer:
                await writer.write("new")
    assert (tmp_path / "outside").read_text() == "old"
    assert not (tmp_path / "made").exists()


async def test_no_file_can_take_the_place_of_a_folder_or_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    async with asyncio.timeout(PATIENCE):
        for name in ("folder", "pipe"):
            with pytest.raises(OSError, match=f"{name}: only a file can be replaced"):
                await async_write_file(tmp_path / name, "x")
            with pytest.raises(OSError, match=f"{name}: only a file can be replaced"):
                async with AsyncFileWriter(tmp_path / name) as writer:
                    await writer.write("x")
        assert (tmp_path / "pipe").is_fifo()
        with pytest.raises(OSError, match="it is a pipe"):
            async with AsyncFileWriter(tmp_path / "pipe", "a") as writer:
                await writer.write("x")
        with pytest.raises(FileNotFoundError):
            await async_write_file(tmp_path / "missing" / "x", "x")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "r"}, "mode='r': expected one of 'w'"),
        ({"buffer_size": 0}, "buffer_size=0"),
        ({"encoding": "no"}, "encoding='no'"),
    ],
)
def test_option_out_of_range_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        AsyncFileWriter("x", **options)
