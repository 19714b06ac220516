"""Writing files off the event loop: whole, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import os
import warnings
from collections.abc import AsyncIterable, Iterable
from functools import partial
from pathlib import Path
from types import TracebackType

from truthound import _atomic, telemetry
from truthound.async_core._disk import (
    THREADS,
    AnyPath,
    as_path,
    check_regular,
    on_disk,
    within,
)
from truthound.async_core._file_read import check_encoding
from truthound.async_core._limit import check_count
from truthound.errors import ConfigurationError, FileEncodingError

MODES = {"w": "w", "wb": "w", "x": "x", "xb": "x", "a": "a", "ab": "a"}


class AsyncFileWriter:
    """Write a file in pieces.

    With the modes ``"w"`` and ``"x"`` the content is gathered beside the file and takes
    its place when the writer is closed. If the block raises or is cancelled, or the
    disk is full, the file that was there stays as it was and nothing else is left.
    With ``"a"`` each flush is appended to the file; one that fails is taken back. What
    was flushed before stays.

    Without ``async with`` it opens with the first write, and has to be closed.

    Args:
        path: the file. A link is followed.
        mode: ``"w"`` replaces it, ``"x"`` fails if there is one, ``"a"`` appends. A
            ``"b"`` may follow; text and bytes can be written in either case.
        buffer_size: bytes that are held in memory before they go to the disk.
        encoding: of text.
        root: a folder that the path has to stay in, links followed.

    Raises:
        ConfigurationError: an option is out of range.

    Example::

        async with AsyncFileWriter("report.txt") as writer:
            await writer.writelines(lines)
    """

    def __init__(
        self,
        path: AnyPath,
        mode: str = "w",
        buffer_size: int = 8192,
        *,
        encoding: str = "utf-8",
        root: AnyPath | None = None,
    ) -> None:
        if mode not in MODES:
            raise ConfigurationError(
                f"mode={mode!r}: expected one of {', '.join(map(repr, MODES))}"
            )
        check_count("buffer_size", buffer_size)
        check_encoding(encoding)
        self.path: Path = as_path(path)
        self.mode = mode
        self.buffer_size = buffer_size
        self.encoding = encoding
        self._target = Target(path, MODES[mode], root)
        self._parts: list[bytes] = []
        self._held = 0  # bytes in them
        self._is_closed = False
        self._turn = asyncio.Lock()  # one after another goes to the disk

    async def __aenter__(self) -> AsyncFileWriter:
        await self._open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            await self.close()
        else:
            await self._abandon()

    def __del__(self) -> None:
        target = getattr(self, "_target", None)
        if target is not None and target.is_open:
            warnings.warn(
                f"the writer of {self.path} was not closed; nothing was written",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )
            THREADS.submit(target.abandon)

    async def write(self, content: str) -> None:
        """Write text, waiting for the disk when ``buffer_size`` is exceeded.

        Raises:
            FileEncodingError: the text cannot be encoded; nothing of it was written.
            OSError: the disk is full, or the like; the writer is of no use any more.
            ValueError: the writer is closed.
        """
        await self.write_bytes(encoded(content, self.encoding, self.path))

    async def write_bytes(self, content: bytes) -> None:
        """Write bytes as they are; see :meth:`write`."""
        if self._is_closed:
            raise ValueError(f"the writer of {self.path} is closed")
        self._parts.append(bytes(content))
        self._held += len(content)
        if self._held >= self.buffer_size:
            await self._flush()

    async def writelines(self, lines: Iterable[str] | AsyncIterable[str]) -> None:
        """Write texts one after another; line ends are for the caller to add."""
        if isinstance(lines, AsyncIterable):
            async for line in lines:
                await self.write(line)
        else:
            for line in lines:
                await self.write(line)

    async def close(self) -> None:
        """Write what is held, and put the file in its place; twice is fine.

        If cancelled, the file is either in its place or as it was before, and the
        cancellation goes on.
        """
        if self._is_closed:
            return
        await self._flush()
        self._is_closed = True
        with telemetry.span("file.write", path=str(self.path)):
            await on_disk(self._target.finish)

    async def _open(self) -> None:
        if not self._target.is_open:
            if self._is_closed:
                raise ValueError(f"the writer of {self.path} is closed")
            try:
                await on_disk(self._target.open)
            except asyncio.CancelledError:
                await self._abandon()
                raise

    async def _flush(self) -> None:
        async with self._turn:
            parts, self._parts, self._held = self._parts, [], 0
            try:
                await self._open()
                if parts:
                    await on_disk(partial(self._target.write, b"".join(parts)))
            except BaseException:
                await self._abandon()
                raise

    async def _abandon(self) -> None:
        self._is_closed = True
        self._parts.clear()
        if self._target.is_open:
            await on_disk(self._target.abandon)


class Target:
    """A file that is being written; its methods block."""

    def __init__(self, path: AnyPath, mode: str, root: AnyPath | None) -> None:
        self._path = path
        self._mode = mode
        self._root = root
        self._closing = contextlib.ExitStack()
        self._descriptor = -1
        self.is_open = False

    def open(self) -> None:
        path = within(self._path, self._root)
        if self._mode == "a":
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            if Path(path).exists():
                check_regular(Path(path).stat(), path)
        else:
            flags = os.O_WRONLY | os.O_CLOEXEC
            is_new = self._mode == "x"
            replacing = _atomic.replacing(path, must_be_new=is_new)
            path = str(self._closing.enter_context(replacing))
        try:
            self._descriptor = os.open(path, flags, 0o666)
        except BaseException as error:
            self._closing.__exit__(type(error), error, None)
            raise
        self.is_open = True

    def write(self, content: bytes) -> None:
        before = os.fstat(self._descriptor).st_size
        written = 0
        try:
            while written < len(content):
                written += os.write(self._descriptor, memoryview(content)[written:])
        except OSError:
            # Somebody else may append to the same file; then nothing is taken back.
            if os.fstat(self._descriptor).st_size == before + written:
                os.ftruncate(self._descriptor, before)
            raise

    def empty(self) -> None:
        """Take back what was written."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)

    def finish(self) -> None:
        """Put the file in its place."""
        if not self.is_open:
            return
        self.is_open = False
        with self._closing:  # which puts the file in its place, or an error takes away
            try:
                if self._mode == "a":
                    os.fsync(self._descriptor)
            finally:
                os.close(self._descriptor)

    def abandon(self) -> None:
        """Leave what was there; does nothing after the end."""
        if not self.is_open:
            return
        self.is_open = False
        os.close(self._descriptor)
        with contextlib.suppress(_Abandoned):
            error = _Abandoned()
            self._closing.__exit__(_Abandoned, error, None)


class _Abandoned(BaseException):
    """Tells what writes the file that it shall not take its place."""


async def async_write_file(
    path: AnyPath,
    content: str | bytes,
    encoding: str = "utf-8",
    *,
    root: AnyPath | None = None,
) -> None:
    """Write a file: it appears whole, or stays what it was.

    If cancelled, one of the two is the case when the cancellation goes on.

    Args:
        path: the file. A link is followed.
        content: text, or bytes as they are.
        encoding: of text.
        root: a folder that the path has to stay in, links followed.

    Raises:
        OSError: the folder cannot be written, the disk is full, or the like.
        FileEncodingError: the text cannot be encoded.
    """
    check_encoding(encoding)
    where = as_path(path)
    data = (
        encoded(content, encoding, where)
        if isinstance(content, str)
        else bytes(content)
    )

    def work() -> None:
        _atomic.write_bytes(within(where, root), data)

    with telemetry.span("file.write", path=str(where), bytes=len(data)):
        await on_disk(work)


def encoded(text: str, encoding: str, path: AnyPath) -> bytes:
    """Return a text as bytes; FileEncodingError tells what does not fit."""
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as error:
        misfit = text[error.start : error.end][:20]
        raise FileEncodingError(
            f"{os.fspath(path)}: {misfit!r} at character {error.start:,} cannot be "
            f"written as {encoding}; nothing was written"
        ) from error
