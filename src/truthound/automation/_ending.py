"""How a site's process ends: signals, one line for an error, an exit code."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from enum import IntEnum
from types import FrameType
from typing import Any, NoReturn, TextIO, TypeVar

from truthound.errors import (
    ConfigurationError,
    ConfigurationFileError,
    MissingDependencyError,
    TruthoundError,
)
from truthound.report._words import safe

Result = TypeVar("Result")


class Exit(IntEnum):
    """How the default site command ends."""

    HEALTHY = 0
    UNHEALTHY = 1  # degraded or failed: the data was checked
    USAGE = 2
    INCOMPLETE = 3
    INTERRUPTED = 130
    TERMINATED = 143


class _Terminated(BaseException):
    """SIGTERM has come."""


class Signals:
    """SIGTERM and Ctrl-C end the work: at once, or when and how ``held`` says.

    A second SIGTERM changes nothing, so that clean-up is not cut off; a second Ctrl-C
    ends the process.
    """

    def __init__(self) -> None:
        self._came = 0
        self._holds = False
        self._cancel: Callable[[], object] | None = None

    def __enter__(self) -> Signals:
        self._before = {}
        with contextlib.suppress(ValueError):  # not the main thread: they go elsewhere
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._come)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let a signal wait until the block has ended."""
        self._holds = True
        try:
            yield
        finally:
            self._holds = False
        if self._came:
            self._end()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine to its end; a signal cancels it, and it may clean up.

        An exception at any point of its own would leave a loop in pieces.
        """
        with self.held():
            try:
                return asyncio.run(self._cancelled_by(work))
            except asyncio.CancelledError:
                if not self._came:
                    raise
        raise AssertionError("held() has ended the work")

    async def _cancelled_by(self, work: Coroutine[Any, Any, Result]) -> Result:
        task = asyncio.current_task()
        assert task is not None  # the only one of this loop
        loop = task.get_loop()
        self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            if self._came:
                task.cancel()
            return await work
        finally:
            self._cancel = None

    def _come(self, number: int, frame: FrameType | None) -> None:
        if self._came:
            if number == signal.SIGINT:
                os._exit(Exit.INTERRUPTED)
            return
        self._came = number
        if not self._holds:
            self._end()
        elif self._cancel is not None:
            self._cancel()

    def _end(self) -> NoReturn:
        if self._came == signal.SIGINT:
            raise KeyboardInterrupt
        raise _Terminated


def guarded(work: Callable[[Signals], int]) -> int:
    """Do some work and return the exit code; nothing but that leaves it."""
    # What the package logs is in the findings too.
    logger, silence = logging.getLogger("truthound"), logging.NullHandler()
    logger.addHandler(silence)
    try:
        with Signals() as signals:
            return _called(work, signals)
    finally:
        logger.removeHandler(silence)
        for stream in (sys.stdout, sys.stderr):
            _flush(stream)


def _called(work: Callable[[Signals], int], signals: Signals) -> int:
    try:
        return work(signals)
    except _Terminated:
        return _said("terminated", Exit.TERMINATED)
    except KeyboardInterrupt:
        return _said("interrupted", Exit.INTERRUPTED)
    except SystemExit as error:  # of argparse
        return error.code if isinstance(error.code, int) else Exit.USAGE
    except ConfigurationFileError as error:
        for problem in error.problems:
            complain(problem)
        return Exit.USAGE
    except (ConfigurationError, MissingDependencyError) as error:
        return _said(str(error), Exit.USAGE)
    except TruthoundError as error:
        return _said(str(error), Exit.INCOMPLETE)
    except Exception as error:  # noqa: BLE001 - the outermost boundary
        told = " ".join(str(error).split())[:300]
        return _said(f"unexpected {type(error).__name__}: {told}", Exit.INCOMPLETE)


def say(line: str) -> None:
    """Write a line to standard output; nobody need be there to read it."""
    _write(sys.stdout, line)


def complain(line: str) -> None:
    """Write a line to standard error; if that fails, the exit code has to do."""
    _write(sys.stderr, line)


def _said(text: str, code: Exit) -> Exit:
    complain(f"truthound: {text}")
    return code


def _write(stream: TextIO | None, line: str) -> None:
    if stream is None:
        return
    coded = safe(line).encode(stream.encoding or "utf-8", "backslashreplace")
    try:
        stream.write(coded.decode(stream.encoding or "utf-8") + "\n")
    except (OSError, ValueError):
        _drop(stream)


def _flush(stream: TextIO | None) -> None:
    if stream is not None:
        try:
            stream.flush()
        except (OSError, ValueError):
            _drop(stream)


def _drop(stream: TextIO) -> None:
    # What is still in the buffer would be written, and fail, when the process ends,
    # and the exit code would be 120.
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)
