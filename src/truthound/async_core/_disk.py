"""Blocking work on files, off the event loop, and the paths that it may touch."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from truthound._threads import Workers
from truthound.async_core._tasks import undisturbed
from truthound.errors import UnsafePathError

T = TypeVar("T")
AnyPath = str | os.PathLike[str]

# One thread reads small files as fast as several: they wait for the interpreter, not
# for the disk (measurements of the design, 3.5). The others are for disks that hang.
THREADS = Workers(4, "truthound-disk")


async def on_disk(work: Callable[[], T]) -> T:
    """Run a short piece of work to its end in a thread.

    A cancellation goes on when the piece has ended, so that nothing is written behind
    the caller's back.
    """
    return await undisturbed(asyncio.wrap_future(THREADS.submit(work)))


async def from_disk(work: Callable[[], T]) -> T:
    """Run work that only reads and keeps nothing open; given up when cancelled."""
    future: Future[T] = THREADS.submit(work)
    try:
        return await asyncio.wrap_future(future)
    finally:
        THREADS.give_up(future)


def within(path: AnyPath, root: AnyPath | None) -> str:
    """Return a path with its links followed, which leads into ``root``.

    Args:
        path: relative ones begin at ``root``, or at the current folder without it.
        root: None: anywhere.

    Raises:
        UnsafePathError: it leads out of ``root``, by ``..`` or by a link.
    """
    if root is None:
        return os.fspath(path)
    top = os.path.realpath(root)
    real = os.path.realpath(os.path.join(top, path))  # noqa: PTH118 - links followed
    if real != top and not real.startswith(top.rstrip(os.sep) + os.sep):
        raise UnsafePathError(
            f"{os.fspath(path)} leads to {real}, which is not in {top}"
        )
    return real


def open_to_read(path: AnyPath, root: AnyPath | None = None) -> int:
    """Open a regular file and return its descriptor.

    Raises:
        OSError: it cannot be opened, or is a folder, a pipe or a device, which could
            make the reader wait for ever.
        UnsafePathError: it is not in ``root``.
    """
    real = within(path, root)
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
    if root is not None:
        flags |= os.O_NOFOLLOW  # a link that took its place since
    descriptor = os.open(real, flags)
    try:
        check_regular(os.fstat(descriptor), path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def check_regular(found: os.stat_result, path: AnyPath) -> None:
    """Raise OSError unless it is a file that ends."""
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(f"{os.fspath(path)}: expected a file, it is a folder")
    if not stat.S_ISREG(found.st_mode):
        raise OSError(f"{os.fspath(path)}: expected a file, it is a pipe or a device")


def read_bytes(path: AnyPath, root: AnyPath | None = None) -> bytes:
    """Return the content of a regular file."""
    descriptor = open_to_read(path, root)
    try:
        # One call for most files; half of the time that a file object takes.
        size = os.fstat(descriptor).st_size
        content = os.read(descriptor, size + 1)
        if len(content) == size:
            return content
        parts = [content]
        while part := os.read(descriptor, 2**20):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def as_path(path: AnyPath) -> Path:
    """Return a path as one of pathlib; TypeError says what it must be."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"expected a path, got {type(path).__name__}: {path!r}")
    return Path(path)
