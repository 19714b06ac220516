"""What tells one state of a file or folder from another."""

from __future__ import annotations

import os
from pathlib import Path

Signature = tuple[int, int, int]


def signature_of(status: os.stat_result) -> Signature:
    """Return what a change of the file changes: time, size, inode."""
    return status.st_mtime_ns, status.st_size, status.st_ino


def changed_at(path: str) -> int:
    """Return when a file was changed, in nanoseconds since 1970; 0 if it is gone."""
    try:
        return os.lstat(path).st_ctime_ns
    except OSError:
        return 0


def identity_of(folder: Path) -> tuple[int, int] | None:
    """Return what tells a folder from another one of the same name."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def check_folder(top: Path) -> None:
    """Raise if there is no such folder.

    Raises:
        FileNotFoundError: there is none.
        NotADirectoryError: it is a file.
    """
    if not top.exists():
        raise FileNotFoundError(f"{top}: there is no such folder to watch")
    if not top.is_dir():
        raise NotADirectoryError(f"{top}: expected a folder to watch, it is a file")
