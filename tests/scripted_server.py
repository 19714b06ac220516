"""A server on the loopback interface that says, byte by byte, what a test scripts.

It runs in the test's own event loop. A script is a function of the request that returns
bytes, or an async generator of bytes between which anything may happen; ``RESET`` cuts
the connection off.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

RESET = b"<reset>"
Script = Callable[["Received"], "bytes | AsyncGenerator[bytes, None]"]


@dataclass
class Received:
    """A request as it came."""

    method: str
    target: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    number: int  # among all, from 0
    at: float  # on the loop's clock


class Server:
    """What a test sees of it."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[Received] = []
        self.connections = 0
        self.url = ""

    @property
    def methods(self) -> list[str]:
        return [request.method for request in self.requests]

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        try:
            while (request := await self._receive(reader)) is not None:
                if not await self._answer(request, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            writer.close()

    async def _receive(self, reader: asyncio.StreamReader) -> Received | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        pairs = [line.split(":", 1) for line in lines]
        headers = {name.strip().lower(): value.strip() for name, value in pairs}
        body = b""
        if length := int(headers.get("content-length", 0)):
            body = await reader.readexactly(length)
        elif headers.get("transfer-encoding") == "chunked":
            while size := int((await reader.readline()).strip(), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readline()
        now = asyncio.get_running_loop().time()
        number = len(self.requests)
        request = Received(method, target, headers, body, number, now)
        self.requests.append(request)
        return request

    async def _answer(self, request: Received, writer: asyncio.StreamWriter) -> bool:
        answer = self.script(request)
        if isinstance(answer, bytes):
            writer.write(answer)
            await writer.drain()
            return b"connection: close" not in answer.partition(b"\r\n\r\n")[0].lower()
        async with contextlib.aclosing(answer) as parts:
            async for part in parts:
                if part == RESET:
                    _reset(writer)
                    return False
                writer.write(part)
                await writer.drain()
        return False


def reply(
    status: int = 200, body: bytes = b"", reason: str = "Said", **headers: Any
) -> bytes:
    """Return an answer; underscores in names of headers stand for dashes."""
    headers.setdefault("content_length", len(body))
    lines = [f"HTTP/1.1 {status} {reason}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@contextlib.asynccontextmanager
async def serving(
    script: Script, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    """Serve on a free port; ``url`` has no slash at its end."""
    server = Server(script)
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(server.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listening = await asyncio.start_server(connected, host, 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    name = f"[{host}]" if ":" in host else host
    server.url = f"{'https' if tls else 'http'}://{name}:{port}"
    try:
        yield server
    finally:
        listening.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listening.wait_closed()
        await asyncio.sleep(0)


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    option = struct.pack("ii", 1, 0)  # close at once, without a farewell
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, option)
    writer.transport.abort()
