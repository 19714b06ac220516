"""A line to a server that a test cuts and mends, and servers of a test's own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

PATIENCE = 15.0  # seconds for a server to start


class Line:
    """Passes on what comes to a port of its own, to a server and back.

    Args:
        url: of the server.
        port: of that, if the address has none.

    Attributes:
        url: that leads through the line.
    """

    def __init__(self, url: str, port: int) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or port
        self._parts = parts
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._own = free_port()
        self.is_cut = False

    @property
    def url(self) -> str:
        user, at, _ = self._parts.netloc.rpartition("@")
        return urlunsplit(
            self._parts._replace(netloc=f"{user}{at}127.0.0.1:{self._own}")
        )

    async def __aenter__(self) -> Line:
        self._server = await asyncio.start_server(self._met, "127.0.0.1", self._own)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """End all connections, and take no more."""
        self.is_cut = True
        for writer in list(self._writers):
            writer.transport.abort()

    def mend(self) -> None:
        """Take connections again."""
        self.is_cut = False

    async def _met(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        far: asyncio.StreamWriter | None = None
        try:
            if not self.is_cut:
                there, far = await asyncio.open_connection(self._host, self._port)
                self._writers.add(far)
                async with asyncio.TaskGroup() as group:
                    group.create_task(_pass_on(reader, far))
                    group.create_task(_pass_on(there, writer))
        except* OSError:
            pass
        finally:
            for end in (writer, far):
                if end is not None:
                    self._writers.discard(end)
                    end.transport.abort()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while found := await reader.read(65536):
        writer.write(found)
        await writer.drain()
    writer.transport.abort()
    raise ConnectionResetError


def free_port() -> int:
    """Return a port at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class OwnServer:
    """A server process of a test: started, ended and started again, by its id.

    Args:
        command: what runs it, without a shell.
        port: at which it listens.
        folder: where it writes.
    """

    def __init__(self, command: Sequence[str], port: int, folder: Path) -> None:
        self._command = list(command)
        self.port = port
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens. Blocks."""
        self._process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            time.sleep(0.02)
        raise AssertionError(f"{self._command[0]} does not start")

    def end(self, number: int = signal.SIGTERM) -> None:
        """End it. Blocks."""
        process, self._process = self._process, None
        if process is not None:
            os.kill(process.pid, number)
            process.wait(timeout=PATIENCE)


@contextlib.contextmanager
def own_server(command: Sequence[str], port: int, folder: Path) -> Iterator[OwnServer]:
    """Yield a server that is running, and is ended in the end."""
    server = OwnServer(command, port, folder)
    server.start()
    try:
        yield server
    finally:
        server.end(signal.SIGKILL)
