"""Reading files off the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from telemetry_reader import Recorded
from truthound.async_core import AsyncFileReader, async_read_file, async_read_files
from truthound.errors import ConfigurationError, FileEncodingError, UnsafePathError

PATIENCE = 10  # seconds, until something counts as hanging

# Everything that a line end can be, and what looks like one.
texts = st.lists(
    st.sampled_from(["a", "é", "日本", "\n", "\r\n", "\r", "\x0b", "\u2028", "x" * 9])
).map("".join)


def written(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@given(texts, st.integers(1, 7), st.integers(1, 9))
def test_pieces_are_those_of_a_loop_over_the_file(
    tmp_path: Path, text: str, chunk: int, at_once: int
) -> None:
    path = written(tmp_path / "text", text)
    with path.open(encoding="utf-8") as file:
        lines = list(file)
    whole = "".join(lines)

    async def main() -> None:
        reader = AsyncFileReader(path, chunk_size=chunk)
        assert await reader.read() == whole
        assert await reader.read_bytes() == text.encode()
        assert [line async for line in reader.stream_lines()] == lines
        pieces = [piece async for piece in reader.stream()]
        assert "".join(pieces) == whole
        assert all(len(piece) == chunk for piece in pieces[:-1])
        assert await async_read_file(str(path)) == whole

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("truthound.async_core._file_read.AT_ONCE", at_once)
        asyncio.run(main())


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1", "cp1252"])
async def test_other_encodings(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path / "text", "grün\nblau\n".encode(encoding))
    reader = AsyncFileReader(path, encoding=encoding)
    assert await reader.read() == "grün\nblau\n"
    assert [line async for line in reader.stream_lines()] == ["grün\n", "blau\n"]


@pytest.mark.parametrize("before", [0, 5, 100_000, 700_001])
@pytest.mark.parametrize("way", ["read", "lines", "stream", "files"])
async def test_misfit_is_named_with_its_place(
    tmp_path: Path, before: int, way: str
) -> None:
    path = written(tmp_path / "bad.csv", b"x" * before + b"\xff\xfe rest")
    reader = AsyncFileReader(path)
    told = rf"bad\.csv: not utf-8 at byte {before:,} \(invalid start byte\); pass the"
    with pytest.raises(FileEncodingError, match=told):
        if way == "read":
            await reader.read()
        elif way == "files":
            await async_read_files([path])
        elif way == "lines":
            _ = [line async for line in reader.stream_lines()]
        else:
            _ = [piece async for piece in reader.stream()]


async def test_half_a_character_at_the_end_is_a_misfit(tmp_path: Path) -> None:
    path = written(tmp_path / "cut", "abc日".encode()[:-1])
    with pytest.raises(FileEncodingError, match="at byte 3 "):
        await AsyncFileReader(path).read()


async def test_iteration_left_early_closes_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "text", "line\n" * 200_000)
    reader = AsyncFileReader(path)
    async with contextlib.aclosing(reader.stream_lines()) as lines:
        async for _ in lines:
            break
    with pytest.raises(ValueError, match="odd"):
        async with contextlib.aclosing(reader.stream()) as pieces:
            async for _ in pieces:
                raise ValueError("odd")
    assert str(path) not in open_files()


@pytest.mark.parametrize("after", range(6))
async def test_cancelled_iteration_closes_the_file(tmp_path: Path, after: int) -> None:
    path = written(tmp_path / "text", "line\n" * 400_000)

    async def work() -> None:
        async for _ in AsyncFileReader(path).stream_lines():
            await asyncio.sleep(0)

    task = asyncio.create_task(work())
    for _ in range(after):
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(PATIENCE):
        # The loop closes what was left behind, in a task of its own.
        while str(path) in open_files() or len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)


def open_files() -> list[str]:
    folder = Path("/proc/self/fd")
    if not folder.exists():
        pytest.skip("no list of open files here")
    found = []
    for link in folder.iterdir():
        with contextlib.suppress(OSError):
            found.append(str(link.readlink()))
    return found


async def test_endless_line_is_an_error(tmp_path: Path) -> None:
    path = written(tmp_path / "text", "short\n" + "x" * 3_000_000)
    reader = AsyncFileReader(path, max_line=1_000_000)
    with pytest.raises(ValueError, match=r"text, line 2: longer than max_line=1,000,0"):
        _ = [line async for line in reader.stream_lines()]


async def test_what_is_no_file_is_named_and_does_not_hang(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(OSError, match="pipe: expected a file, it is a pipe"):
            await async_read_file(pipe)
        with pytest.raises(IsADirectoryError, match="it is a folder"):
            await async_read_file(tmp_path)
        with pytest.raises(FileNotFoundError, match="missing"):
            await async_read_file(tmp_path / "missing")
        with pytest.raises(TypeError, match="expected a path, got int: 3"):
            await async_read_file(3)  # type: ignore[arg-type]


async def test_many_files_in_their_order(tmp_path: Path) -> None:
    paths = [written(tmp_path / f"{n}", f"text {n}") for n in range(600)]
    recorded = Recorded()
    assert await async_read_files(paths) == [f"text {n}" for n in range(600)]
    assert recorded.span("files.read").attributes == {"number": 600}
    assert await async_read_files([]) == []


async def test_one_bad_file_does_not_lose_the_others(tmp_path: Path) -> None:
    good = written(tmp_path / "good", "fine")
    bad = written(tmp_path / "bad", b"\xff")
    missing = tmp_path / "missing"
    found = await async_read_files([good, missing, bad, good], return_exceptions=True)
    assert (found[0], found[3]) == ("fine", "fine")
    assert isinstance(found[1], FileNotFoundError)
    assert isinstance(found[2], FileEncodingError)
    with pytest.raises(FileNotFoundError):
        await async_read_files([good, missing])


async def test_paths_stay_in_the_root(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", written(tmp_path / "outside", "secret")
    root.mkdir()
    written(root / "inside", "fine")
    (root / "link").symlink_to(outside)
    (root / "folder").symlink_to(tmp_path)
    (root / "good").symlink_to(root / "inside")
    assert await async_read_file("inside", root=root) == "fine"
    assert await async_read_file("good", root=root) == "fine"
    for path in ("../outside", "link", "folder/outside", outside, "../root2/x"):
        with pytest.raises(UnsafePathError, match="leads to"):
            await async_read_file(path, root=root)
        with pytest.raises(UnsafePathError):
            await async_read_files([path], root=root)
        with pytest.raises(UnsafePathError):
            _ = [line async for line in AsyncFileReader(path, root=root).stream_lines()]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chunk_size": 0}, "chunk_size=0"),
        ({"max_line": -1}, "max_line=-1"),
        ({"encoding": "utf-9"}, "encoding='utf-9': there is no such encoding"),
    ],
)
def test_option_out_of_range_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        AsyncFileReader("x", **options)


async def test_reader_may_be_used_as_a_block(tmp_path: Path) -> None:
    path = written(tmp_path / "text", "fine")
    async with AsyncFileReader(path) as reader:
        assert await reader.read() == "fine"


def test_works_with_uvloop(tmp_path: Path) -> None:
    path = written(tmp_path / "text", "a\nb")

    async def main() -> list[str]:
        return [line async for line in AsyncFileReader(path).stream_lines()]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()) == ["a\n", "b"]
