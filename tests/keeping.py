"""Keeps parts in memory, and makes folders of files for incremental runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from truthound.data.parts import KeptPart
from truthound.errors import StoreError

LONG_AGO = 1_700_000_000_123_456_789  # nanoseconds since 1970


class InMemory:
    """A store of parts; ``broken`` makes it one that fails."""

    def __init__(self) -> None:
        self.sources: dict[str, dict[str, KeptPart]] = {}
        self.broken = False

    def load(self, source: str) -> Iterable[KeptPart]:
        self._check()
        return list(self.sources.get(source, {}).values())

    def save(
        self, source: str, parts: Sequence[KeptPart], removed: Sequence[str]
    ) -> None:
        self._check()
        files = self.sources.setdefault(source, {})
        files.update((part.file, part) for part in parts)
        for name in removed:
            files.pop(name, None)

    def _check(self) -> None:
        if self.broken:
            raise StoreError("the store is gone")


def write(path: str | Path, frame: pl.DataFrame, at: int = LONG_AGO) -> Path:
    """Write a frame as what its suffix says, as if it was done at some time."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    getattr(frame, f"write_{path.suffix[1:]}")(path)
    os.utime(path, ns=(at, at))
    return path


def spoil(path: str | Path) -> None:
    """Replace the content of a file, so that nothing but reading it can tell."""
    path = Path(path)
    found = path.stat()
    path.write_bytes(b"\xff" * found.st_size)
    os.utime(path, ns=(found.st_mtime_ns, found.st_mtime_ns))
