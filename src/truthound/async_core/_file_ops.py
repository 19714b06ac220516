"""Copying, walking, looking and making folders, off the event loop."""

from __future__ import annotations

import errno
import fnmatch
import os
import shutil
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from functools import partial
from itertools import islice
from pathlib import Path, PurePath

from truthound import _atomic, telemetry
from truthound.async_core._disk import (
    AnyPath,
    as_path,
    from_disk,
    on_disk,
    open_to_read,
    within,
)

PIECE = 8 * 2**20  # bytes copied between two looks at a cancellation
ENTRIES = 512  # of a folder, that one hop to a thread lists

# What says that the kernel cannot copy between these two files by itself.
_UNABLE = {
    errno.EXDEV,
    errno.EINVAL,
    errno.ENOSYS,
    errno.EOPNOTSUPP,
    errno.EBADF,
    errno.ENOTSOCK,
}


async def async_copy_file(
    source: AnyPath, destination: AnyPath, *, root: AnyPath | None = None
) -> None:
    """Copy a file with its permissions and times.

    The copy appears whole, or what was there stays. It is made by the kernel where that
    can, else in pieces of 8 MiB; a cancellation is seen between two pieces.

    Args:
        source: a regular file.
        destination: the copy; a folder takes it under the same name. A link is
            followed.
        root: a folder that both paths have to stay in, links followed.

    Raises:
        OSError: one of them cannot be read or written, or they are the same file.
        UnsafePathError: one of them is not in ``root``.
    """
    start, end = as_path(source), as_path(destination)
    with telemetry.span("file.copy", path=str(start), destination=str(end)):
        copy = _copying(start, end, root)
        try:
            while await on_disk(partial(next, copy, False)):
                pass
        finally:
            await on_disk(copy.close)


async def walk_async(
    directory: AnyPath,
    pattern: str = "*",
    *,
    follow_links: bool = False,
    skip_unreadable: bool = False,
    root: AnyPath | None = None,
) -> AsyncGenerator[Path, None]:
    """Yield the files in a folder and the folders below it.

    By name within each folder, files before folders. Hundreds of entries are listed in
    one hop to a thread.

    Args:
        directory: where to begin.
        pattern: of names, as ``fnmatch`` understands it; one with a slash is for the
            path below ``directory``.
        follow_links: go into folders that are links, each folder once.
        skip_unreadable: leave out folders that cannot be read.
        root: a folder that ``directory`` has to stay in, links followed.

    Raises:
        OSError: a folder cannot be read, or ``directory`` is none.
    """
    top = as_path(directory)
    start = await from_disk(partial(within, top, root))
    found = _walk(Path(start), follow_links, skip_unreadable)
    matches = matcher([pattern], Path(start))
    while some := await on_disk(lambda: list(islice(found, ENTRIES))):
        for path in some:
            if matches(path):
                yield top / path.relative_to(start)


async def async_file_exists(path: AnyPath) -> bool:
    """Tell whether there is something at a path; a link that leads nowhere is not."""
    return await from_disk(as_path(path).exists)


async def async_mkdir(
    directory: AnyPath, parents: bool = True, *, root: AnyPath | None = None
) -> None:
    """Make a folder; one that is there already is fine.

    Args:
        directory: the folder.
        parents: make the folders above it, too.
        root: a folder that it has to stay in, links followed.

    Raises:
        OSError: it cannot be made, or a file has its name.
    """
    path = as_path(directory)

    def work() -> None:
        Path(within(path, root)).mkdir(parents=parents, exist_ok=True)

    await on_disk(work)


def matcher(patterns: list[str], top: Path) -> Callable[[Path], bool]:
    """Return what tells whether a path below ``top`` is of one of the patterns."""
    names = [pattern for pattern in patterns if "/" not in pattern]
    paths = [pattern for pattern in patterns if "/" in pattern]

    def matches(path: Path) -> bool:
        if any(fnmatch.fnmatchcase(path.name, name) for name in names):
            return True
        below = PurePath(path).relative_to(top).as_posix() if paths else ""
        return any(fnmatch.fnmatchcase(below, pattern) for pattern in paths)

    return matches


def _walk(top: Path, follow_links: bool, skip_unreadable: bool) -> Iterator[Path]:
    left = [top]
    seen: set[tuple[int, int]] = set()
    while left:
        folder = left.pop()
        if follow_links:
            found = folder.stat()
            if (found.st_dev, found.st_ino) in seen:
                continue
            seen.add((found.st_dev, found.st_ino))
        folders = []
        for entry in _entries(folder, folder is top, skip_unreadable):
            if entry.is_dir(follow_symlinks=follow_links):
                folders.append(Path(entry.path))
            elif not (entry.is_symlink() and entry.is_dir()):
                yield Path(entry.path)
        left += reversed(folders)


def _entries(
    folder: Path, is_top: bool, skip_unreadable: bool
) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as listing:
            return sorted(listing, key=lambda entry: entry.name)
    except FileNotFoundError:
        if is_top:
            raise
        return []  # gone since it was listed
    except PermissionError:
        if skip_unreadable:
            return []
        raise


def _copying(
    source: Path, end: Path, root: AnyPath | None
) -> Generator[bool, None, None]:
    """Copy piece by piece; True after each."""
    source = Path(within(source, root))
    destination = Path(within(end, root))
    if destination.is_dir():
        destination /= source.name
    reading = open_to_read(source, root)
    try:
        found = os.fstat(reading)
        if destination.exists() and os.path.samestat(found, destination.stat()):
            raise shutil.SameFileError(f"{source} and {destination} are the same file")
        with _atomic.replacing(destination) as temporary:
            writing = os.open(temporary, os.O_WRONLY | os.O_CLOEXEC)
            try:
                while _copy_piece(reading, writing):
                    yield True
            finally:
                os.close(writing)
            shutil.copystat(source, temporary)
    finally:
        os.close(reading)


def _copy_piece(reading: int, writing: int) -> int:
    """Copy some bytes and return how many; 0 at the end."""
    for way in ("copy_file_range", "sendfile"):
        if hasattr(os, way):
            try:
                if way == "sendfile":
                    at = os.lseek(reading, 0, os.SEEK_CUR)
                    sent = os.sendfile(writing, reading, at, PIECE)
                    os.lseek(reading, at + sent, os.SEEK_SET)
                    return sent
                return os.copy_file_range(reading, writing, PIECE)
            except OSError as error:
                if error.errno not in _UNABLE:
                    raise
    content = os.read(reading, PIECE)
    written = 0
    while written < len(content):
        written += os.write(writing, memoryview(content)[written:])
    return written
