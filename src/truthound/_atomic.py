"""The ways in which this package writes a file: whole or not at all, or at the end."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def replacing(
    path: str | os.PathLike[str], mode: int = 0o666, *, must_be_new: bool = False
) -> Iterator[Path]:
    """Yield a temporary path that takes the place of ``path`` when the block ends.

    The content is flushed to the disk before the rename and the folder after it, so
    that a crash leaves either the old file or the new one. When the block raises,
    or the disk is full, the old file stays as it was and nothing else is left.

    Args:
        path: the final path. A link is followed: what it points to is replaced.
        mode: permission bits of a new file, lessened by the umask; an existing
            file keeps its own.
        must_be_new: do not replace anything.

    Raises:
        FileExistsError: there is such a file, with ``must_be_new``.
        OSError: the folder cannot be written, the disk is full, or there is a folder,
            a pipe or a device at ``path``.
    """
    final = Path(os.path.realpath(path))
    temporary = final.with_name(f".{final.name[:80]}.{secrets.token_hex(4)}.tmp")
    if must_be_new and os.path.lexists(path):
        raise FileExistsError(f"{os.fspath(path)} exists already")
    with contextlib.suppress(FileNotFoundError):
        found = final.stat().st_mode
        if not stat.S_ISREG(found):
            raise OSError(f"{os.fspath(path)}: only a file can be replaced by a file")
        mode = found & 0o7777
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
        yield temporary
        descriptor = os.open(temporary, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if must_be_new:
            # Unlike a rename, this fails if somebody made the file meanwhile.
            os.link(temporary, final)
            temporary.unlink()
        else:
            temporary.replace(final)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(final.parent)


@contextlib.contextmanager
def opened(path: str | os.PathLike[str], mode: int = 0o666) -> Iterator[BinaryIO]:
    """Yield a file to write piece by piece; see :func:`replacing`."""
    with replacing(path, mode) as temporary, temporary.open("wb") as file:
        yield file


def write_bytes(
    path: str | os.PathLike[str], content: bytes, mode: int = 0o666
) -> None:
    """Write ``content`` to ``path`` as a whole; see :func:`replacing`."""
    with replacing(path, mode) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | os.PathLike[str], content: str, mode: int = 0o666) -> None:
    """Write ``content`` as UTF-8 to ``path`` as a whole; see :func:`replacing`."""
    write_bytes(path, content.encode("utf-8"), mode)


@contextlib.contextmanager
def appending(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Yield a file of others to whose end something is added, while nobody else does.

    For files that grow, which no new one can take the place of. Threads of this process
    wait for each other, and processes that come here, where the system can do that.

    Raises:
        OSError: it cannot be written.
    """
    with _appending, open(path, "ab") as file:  # noqa: PTH123 - a text
        try:
            import fcntl
        except ImportError:  # Windows
            yield file
            return
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        try:
            yield file
            file.flush()
        finally:
            fcntl.flock(file.fileno(), fcntl.LOCK_UN)


_appending = threading.Lock()


def _sync_folder(folder: Path) -> None:
    # Some network file systems refuse to open or sync a folder; the rename itself
    # has happened by then, so that is no reason to report a failure.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
