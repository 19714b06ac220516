"""What a trigger knows of the files of a place: what they were when they counted."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from truthound.store import Part

BLOCK = 2**20  # bytes
LARGE = 64 * 2**20  # bytes; of a larger file size and time have to do

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Signature = tuple[int, int]  # time of the last change in nanoseconds, size


class Print(NamedTuple):
    """What tells one state of a file from another.

    Attributes:
        signature: its time and its size.
        digest: of its content; empty where that was not read.
        is_kept: whether the store knows that this state was checked.
    """

    signature: Signature
    digest: bytes = b""
    is_kept: bool = False


@dataclass(slots=True)
class Seen:
    """The files of a place that have counted, by their path below it.

    Attributes:
        since: files that came before do not count, in nanoseconds since 1970.
        known: what they were.
        unsaved: what the store does not know yet; None: the file is gone.
        is_whole: whether the store knows all files that were there at the first start.
    """

    since: int = 0
    known: dict[str, Print] = field(default_factory=dict)
    unsaved: dict[str, Print | None] = field(default_factory=dict)
    is_whole: bool = True

    def count(self, below: str, found: Print) -> None:
        """Remember a file whose run is still to come."""
        self.known[below] = found

    def keep(self, below: str, found: Print) -> None:
        """Have it written down that this state of a file was checked."""
        kept = found._replace(is_kept=True)
        if below in self.known and self.known[below].signature == found.signature:
            self.known[below] = kept
        self.unsaved[below] = kept

    def forget(self, below: str) -> None:
        """Have it written down that a file is gone."""
        if self.known.pop(below, None) is not None:
            self.unsaved[below] = None

    def load(self, parts: Iterable[Part]) -> None:
        """Take what a store knows."""
        for part in parts:
            changed, _, size = part.fingerprint.partition(":")
            if changed.isdigit() and size.isdigit():
                signature = int(changed), int(size)
                self.known[part.file] = Print(signature, part.state, True)

    def take_unsaved(self, most: int) -> dict[str, Print | None]:
        """Take some of what is to be written down."""
        some = list(self.unsaved)[:most]
        return {below: self.unsaved.pop(below) for below in some}

    @staticmethod
    def as_parts(taken: Mapping[str, Print | None]) -> tuple[list[Part], list[str]]:
        """Return what is to be kept, and what is to be removed."""
        parts, removed = [], []
        for below, found in taken.items():
            if found is None:
                removed.append(below)
            else:
                changed, size = found.signature
                fingerprint = f"{changed}:{size}"
                parts.append(
                    Part(file=below, fingerprint=fingerprint, state=found.digest)
                )
        return parts, removed


def signature_of(path: str) -> Signature | None:
    """Return the signature of a file; None: there is none, or it is a pipe. Blocks."""
    try:
        status = os.stat(path)  # noqa: PTH116 - many times
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None  # whoever opens it might wait for ever
    return status.st_mtime_ns, status.st_size


def modified_of(signature: Signature) -> str:
    """Return the time of a signature, in UTC."""
    return (_EPOCH + timedelta(microseconds=signature[0] // 1000)).isoformat()


def digest_of(path: str) -> bytes:
    """Return a digest of a file's content; empty if it is large, or gone. Blocks."""
    digest = hashlib.blake2b(digest_size=16)
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a text
            if os.fstat(file.fileno()).st_size > LARGE:
                return b""
            while block := file.read(BLOCK):
                digest.update(block)
    except OSError:
        return b""
    return digest.digest()
