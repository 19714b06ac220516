"""What a site prints, in a file of its own."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
from pathlib import Path

from truthound._words import plural
from truthound.automation._names import file_name

logger: logging.Logger = logging.getLogger("truthound.automation")

LARGEST = 100_000_000  # bytes of one file


class Log:
    """The log of one site in one run, its attempts one after the other.

    It takes the place of that of the run before as soon as it is opened, so that it
    can be followed. What cannot be written is left out: the site goes on.

    Args:
        folder: where it lies, made if need be; None for no log.
        site: whose it is.
    """

    def __init__(self, folder: Path | None, site: str) -> None:
        self.path = None if folder is None else folder / f"{file_name(site)}.log"
        self._file = -1
        self._size = 0
        self._cut = False

    def open(self) -> None:
        """Begin the file. Blocks."""
        path = self.path
        if path is None:
            return
        temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            self._file = os.open(temporary, flags, 0o600)
            temporary.replace(path)
        except OSError as error:
            self._failed(error)
            with contextlib.suppress(OSError):
                temporary.unlink()

    def write(self, content: bytes) -> None:
        """Add what was printed, up to the largest size. Blocks."""
        if self._file < 0 or self._cut:
            return
        if self._size + len(content) > LARGEST:
            content = b"\n... what was printed after this is left out\n"
            self._cut = True
        self._size += len(content)
        try:
            while content:
                content = content[os.write(self._file, content) :]
        except OSError as error:
            self._failed(error)

    def close(self) -> None:
        """End the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _failed(self, error: OSError) -> None:
        logger.warning(
            "%s cannot be written (%s); the site goes on without it",
            self.path,
            error.strerror,
        )
        self.close()
        self.path = None


def headline(number: int, of: int, when: str) -> bytes:
    """Return the line that stands above an attempt's output."""
    return f"--- attempt {number} of {plural(of, 'attempt')}, {when} ---\n".encode()
