"""Where data comes from: a local file, an address, or content that was unpacked."""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from truthound.errors import DataError, DataNotFoundError, UnsupportedDataError

HEAD = 1 << 17  # bytes that are looked at before a text file is read
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"  # what such files begin with


@dataclass(frozen=True, slots=True)
class Origin:
    """One file of a source.

    Attributes:
        name: how messages call it, without any password.
        reads: what Polars is given: an address, or the content.
        path: the local file, if it is one.
        parts: values of the ``key=value`` folders it lies in.
        stamp: size, time and identity of the file when it was opened.
        storage: settings of the object store.
    """

    name: str
    reads: str | bytes = field(repr=False)
    path: Path | None = None
    parts: tuple[tuple[str, str], ...] = ()
    stamp: tuple[int, int, int] | None = None
    storage: dict[str, Any] | None = field(default=None, repr=False)  # keys inside

    @property
    def size(self) -> int:
        """Bytes, 0 if unknown."""
        if isinstance(self.reads, bytes):
            return len(self.reads)
        return self.stamp[0] if self.stamp else 0

    @property
    def packed(self) -> bool:
        """Whether it unpacks to more than its size."""
        if self.path is None or isinstance(self.reads, bytes):
            return False
        return self.path.suffix.lower() in {".gz", ".zst"}

    def check_unchanged(self) -> None:
        """Make sure that what was read is what was opened.

        Raises:
            DataError: the file was replaced, cut or written to in between.
        """
        if self.path is None:
            return
        try:
            same = stamp_of(self.path) == self.stamp
        except OSError as error:
            raise DataError(f"{self.name} vanished while it was read") from error
        if not same:
            raise DataError(f"{self.name} was changed while it was read; try again")

    def head(self, size: int = HEAD) -> bytes:
        """Return the first bytes, unpacked.

        Raises:
            OSError, EOFError, pl.exceptions.PolarsError: it cannot be read.
        """
        if isinstance(self.reads, bytes):
            return self.reads[:size]
        if self.path is None:
            return self._first_lines(size)
        with self.path.open("rb") as file:
            first = file.read(size)
        if first.startswith(ZSTD):
            return self._first_lines(size)
        if not first.startswith(GZIP):
            return first
        unpacking = zlib.decompressobj(wbits=31)
        head = unpacking.decompress(first, size)
        if not head and not unpacking.eof:
            raise EOFError("the archive ends before its content begins")
        return head

    def unmapped(self) -> Origin:
        """Return the same file, to be read piece by piece.

        Polars maps a Parquet, Arrow or NDJSON file that is given by its path into
        memory, and the process dies when somebody cuts the file meanwhile; by its
        address it is read. (CSV is mapped only where types are guessed; its rows are
        read anyhow, and by address they would be copied.)
        """
        if self.path is None or isinstance(self.reads, bytes):
            return self
        return replace(self, reads=Path(self.reads).as_uri())

    def tail(self, size: int) -> bytes:
        """Return the last bytes of a plain local file, of others nothing.

        Raises:
            OSError: it cannot be read.
        """
        if isinstance(self.reads, bytes):
            return self.reads[-size:]
        if self.path is None or self.packed or self.size < size:
            return b""
        with self.path.open("rb") as file:
            file.seek(-size, os.SEEK_END)
            return file.read(size)

    def lines(self, n_rows: int | None = None) -> pl.LazyFrame:
        """Return the lines of a text file, unpacked, as one column ``line``."""
        return pl.scan_lines(
            self.reads, n_rows=n_rows, glob=False, storage_options=self.storage
        )

    def _first_lines(self, size: int) -> bytes:
        number = max(50, size // HEAD * 50)
        lines = self.lines(number).collect()["line"]
        return "".join(f"{line}\n" for line in lines).encode()[:size]

    def content(self) -> bytes:
        """Return all bytes of a local file, unpacked.

        Raises:
            OSError, EOFError: it cannot be read, or is damaged.
        """
        if isinstance(self.reads, bytes):
            return self.reads
        assert self.path is not None  # asked of local files alone
        if self.path.suffix.lower() == ".gz":
            with gzip.open(self.path, "rb") as packed:
                return packed.read()
        return self.path.read_bytes()


def local(path: Path, parts: Sequence[tuple[str, str]] = ()) -> Origin:
    """Return the origin of a local file.

    Raises:
        DataNotFoundError: it is gone.
        UnsupportedDataError: it is a pipe, a socket or a device.
        DataError: it may not be read.
    """
    name = str(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            # To open a FIFO would wait for a writer, for ever if there is none.
            raise UnsupportedDataError(
                f"{name} is no regular file (a pipe, socket or device cannot be read)"
            )
        stamp = stamp_of(path)
        path.open("rb").close()
    except FileNotFoundError as error:
        raise DataNotFoundError(f"there is no file {name}") from error
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error.strerror}") from error
    # Absolute, since the working directory may change before the file is read.
    return Origin(name, os.path.abspath(path), path, tuple(parts), stamp)  # noqa: PTH100 - resolve() follows links


def stamp_of(path: Path) -> tuple[int, int, int]:
    """Return what changes when a file does."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ino
