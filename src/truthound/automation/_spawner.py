"""Our end of the process that starts processes."""

from __future__ import annotations

import errno
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from truthound.automation import _server

PATIENCE = 60.0  # seconds for an answer; the machine may be very busy
Popen = Callable[..., "subprocess.Popen[bytes]"]


class Channel:
    """The socket of one process: its lines are read, signals are written.

    Attributes:
        pid: the process, which leads a group and a session of its own.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._read = b""
        self.pid = 0

    def fileno(self) -> int:
        """Return the descriptor, to poll."""
        return self._end.fileno()

    def record(self) -> dict[str, Any] | None:
        """Return the next line; None if the server is gone. Blocks."""
        while b"\n" not in self._read:
            try:
                piece = self._end.recv(4096)
            except ConnectionResetError:
                piece = b""
            if not piece:
                return None
            self._read += piece
        line, _, self._read = self._read.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found

    def answers_within(self, seconds: float) -> bool:
        """Wait for something to read."""
        poll = select.poll()
        poll.register(self._end, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def signal(self, number: int) -> None:
        """Send a signal to the group, as long as it has not been told to have ended."""
        try:
            self._end.sendall(bytes([number]))
        except OSError:  # the server is gone, and nobody has waited for the process
            _server.to_group(self.pid, number)

    def close(self) -> None:
        """Hang up; the process is ended if it has not."""
        self._end.close()


class Spawner:
    """Starts processes through a server, and ends all of them when it is closed.

    A context manager. Its server is started with the first process, and again if it
    was killed.

    Args:
        folder: where the processes start.
        warm: fork the site command instead of starting programs.
        has_scratch: give the processes a folder for temporary files (``TMPDIR``) that
            is removed with what they leave in it, however they end.
        popen: starts the server; for tests.
    """

    def __init__(
        self,
        folder: Path,
        *,
        warm: bool = False,
        has_scratch: bool = False,
        popen: Popen = subprocess.Popen,
    ) -> None:
        self._folder = folder
        self._warm = warm
        self._has_scratch = has_scratch
        self._popen = popen
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._scratch = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the server and with it whatever still runs. Blocks, for milliseconds."""
        with self._lock:
            self._close()

    def spawn(
        self, argv: Sequence[str], env: Mapping[str, str], stdin: int, output: int
    ) -> Channel:
        """Start a process and return its socket. Blocks, for milliseconds.

        Args:
            argv: program and arguments. In a warm server these are the arguments.
            env: added to the environment that was ours when the server was started.
            stdin: descriptor of its standard input.
            output: of its standard output and standard error.

        Raises:
            OSError: it cannot be started.
        """
        if not self._warm:
            path = env.get("PATH") or os.environ.get("PATH", os.defpath)
            argv = [_found(argv[0], path, self._folder), *argv[1:]]
        body = json.dumps({"argv": [*argv], "env": dict(env)}).encode()
        ours, theirs = socket.socketpair()
        channel = Channel(ours)
        try:
            with theirs:
                self._ask(body, [theirs.fileno(), stdin, output])
            if not channel.answers_within(PATIENCE):
                raise OSError(errno.ETIMEDOUT, "no answer from the starting process")
            record = channel.record()
            if record is None:
                raise OSError(errno.EPIPE, "the starting process was killed")
            if "status" in record:  # a fork
                raise OSError(errno.EINTR, "it was killed before it began")
            if "pid" not in record:
                raise OSError(record["errno"], record["error"], argv[0])
            channel.pid = record["pid"]
        except BaseException:
            channel.close()
            raise
        return channel

    def _ask(self, body: bytes, descriptors: list[int]) -> None:
        with self._lock:
            request = len(body).to_bytes(4, "big") + body
            try:
                self._send(request, descriptors)
            except (BrokenPipeError, ConnectionResetError):
                self._send(request, descriptors)  # the server was killed: a new one

    def _send(self, request: bytes, descriptors: list[int]) -> None:
        if self._server is not None and self._server.poll() is not None:
            self._close()
        if self._control is None:
            self._start()
        assert self._control is not None  # just started
        try:
            sent = socket.send_fds(self._control, [request], descriptors)
            self._control.sendall(request[sent:])
        except BaseException:
            # A request that was cut would be taken for the next one.
            self._close()
            raise

    def _start(self) -> None:
        if not sys.executable:
            raise OSError(errno.ENOENT, "there is no Python interpreter to start")
        ours, theirs = socket.socketpair()
        words = [sys.executable, "-I", "-S", str(_server.__file__)]
        if self._warm:
            # -P: what lies in the folder takes the place of no module.
            words = [sys.executable, "-P", "-m", _server.__name__, "--warm"]
        words.append(str(theirs.fileno()))
        try:
            if self._has_scratch:
                self._scratch = tempfile.mkdtemp(prefix="truthound-pipeline-")
                words.append(self._scratch)
            with theirs:
                self._server = self._popen(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    cwd=self._folder,
                    start_new_session=True,
                )
        except BaseException:
            ours.close()
            theirs.close()
            self._remove_scratch()
            raise
        self._control = ours

    def _close(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._server is not None:
            try:
                self._server.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
            self._server = None
        self._remove_scratch()  # the server has, unless it was killed

    def _remove_scratch(self) -> None:
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = ""


def _found(program: str, path: str, folder: Path) -> str:
    """Return where a program is; a relative path is one from the folder.

    Raises:
        FileNotFoundError: there is none of that name.
        PermissionError: it may not be executed.
    """
    if os.path.dirname(program):  # noqa: PTH120 - a text
        return program  # the start says what is wrong with it
    places = (str(folder / place) for place in path.split(os.pathsep))
    found = shutil.which(program, path=os.pathsep.join(places))
    if found is None:
        raise FileNotFoundError(errno.ENOENT, "there is no such program", program)
    return found
