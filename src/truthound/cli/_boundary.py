"""Where every failure becomes one line and an exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from enum import IntEnum
from types import FrameType
from typing import TextIO

from truthound.errors import (
    ConfigurationError,
    ConfigurationFileError,
    MissingDependencyError,
    TruthoundError,
)

# Control characters but for tab and newline, and those that change the direction.
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)


class Exit(IntEnum):
    """How a command ends. Interrupted comes before 2, then 3, then 1, then 4."""

    PASSED = 0
    FAILED = 1
    USAGE = 2
    INCOMPLETE = 3
    ACTION_FAILED = 4
    NOTHING_SELECTED = 5
    INTERRUPTED = 130
    TERMINATED = 143


class _Terminated(SystemExit):
    """SIGTERM has come. An event loop lets SystemExit through, and few others."""


def guarded(work: Callable[[dict[str, int]], object]) -> int:
    """Do some work and return the exit code; nothing but that leaves it.

    Args:
        work: returns an exit code or None. In the dictionary that it is given it
            notes how ``verbose`` it is told to be.
    """
    with _signals():
        try:
            return _called(work)
        finally:
            _flush_stderr()


def _called(work: Callable[[dict[str, int]], object]) -> int:
    verbosity = {"verbose": 0}
    try:
        code = work(verbosity)
        _flush()
        return code if isinstance(code, int) else Exit.PASSED
    except _Terminated:
        return _said("terminated", Exit.TERMINATED)
    except KeyboardInterrupt:
        return _said("interrupted", Exit.INTERRUPTED)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else Exit.USAGE
    except TruthoundError as error:
        return _expected(error)
    except Exception as error:  # noqa: BLE001 - the outermost boundary
        return _of_click(error) or _unexpected(
            error, verbose=bool(verbosity["verbose"])
        )


def _expected(error: TruthoundError) -> Exit:
    if isinstance(error, ConfigurationFileError):
        return _said("\n".join(error.problems), Exit.USAGE, prefix="")
    if isinstance(error, (ConfigurationError, MissingDependencyError)):
        return _said(str(error), Exit.USAGE)
    return _said(str(error), Exit.INCOMPLETE)


def _of_click(error: Exception) -> Exit | None:
    import click  # what is answered without it does not wait for it

    if isinstance(error, click.Abort):
        return _said("interrupted", Exit.INTERRUPTED)
    if isinstance(error, click.ClickException):
        with contextlib.suppress(OSError):
            error.show()
        return Exit.USAGE
    return None


def _unexpected(error: Exception, *, verbose: bool) -> Exit:
    if isinstance(error, OSError) and error.errno == errno.EPIPE:
        _drop_stdout()
        return Exit.PASSED
    if verbose:
        import traceback

        traceback.print_exception(error)
        return Exit.INCOMPLETE
    said = " ".join(str(error).split())[:300]
    return _said(
        f"unexpected {type(error).__name__}: {said} (-v shows where)", Exit.INCOMPLETE
    )


def stdout(text: str) -> bool:
    """Write to standard output; False: its reader has gone.

    Raises:
        click.ClickException: it cannot be written.
    """
    try:
        if sys.stdout is None:
            raise OSError(errno.EBADF, "it is closed")
        print(text, end="" if text.endswith("\n") else "\n", flush=True)
        return True
    except BrokenPipeError:
        _drop_stdout()
        return False
    except OSError as error:
        import click

        _drop_stdout()
        raise click.ClickException(
            f"cannot write to standard output: {error.strerror}"
        ) from error


def stderr(text: str) -> None:
    """Write a line to standard error; if that fails, the exit code has to do."""
    if sys.stderr is not None:  # else print would take standard output
        try:
            print(printable(text), file=sys.stderr, flush=True)
        except OSError:
            _drop(sys.stderr)


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether somebody reads along; a stream that is closed is None."""
    return stream is not None and stream.isatty()


def printable(text: str) -> str:
    """Return a text without the signs that steer a terminal or turn it around."""
    return _STEERING.sub("�", text)


def _said(text: str, code: Exit, prefix: str = "truthound: ") -> Exit:
    stderr(prefix + text)
    return code


def _flush() -> None:
    if sys.stdout is not None:
        with _quiet_pipe():
            sys.stdout.flush()


def _flush_stderr() -> None:
    if sys.stderr is not None:
        try:
            sys.stderr.flush()
        except (OSError, ValueError):
            _drop(sys.stderr)


@contextlib.contextmanager
def _quiet_pipe() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        _drop_stdout()


def _drop_stdout() -> None:
    if sys.stdout is not None:
        _drop(sys.stdout)


def _drop(stream: TextIO) -> None:
    # What is still in the buffer would be written, and fail, when the process ends,
    # and the exit code would be 120.
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Make SIGTERM and Ctrl-C end the command, and a second Ctrl-C at once."""

    def terminate(number: int, frame: FrameType | None) -> None:
        raise _Terminated

    def at_once(number: int, frame: FrameType | None) -> None:
        os._exit(Exit.INTERRUPTED)

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, at_once)
        raise KeyboardInterrupt

    try:
        before = {
            signal.SIGTERM: signal.signal(signal.SIGTERM, terminate),
            signal.SIGINT: signal.signal(signal.SIGINT, interrupt),
        }
    except ValueError:  # not in the main thread: signals go elsewhere
        yield
        return
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is not at_once:  # else the process ends
            for number, handler in before.items():
                signal.signal(number, handler)
