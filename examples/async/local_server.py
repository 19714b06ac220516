"""A small HTTP server on this machine, so that the examples need no network.

It answers ``/rows/<n>`` with JSON after 20 ms, ``/flaky`` with 503 twice and then with
200, ``/broken`` with 500, and keeps what is sent to ``/upload``. As a program it prints
its port and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator

LATENCY = 0.02  # seconds: a server in the same region
flaky = 0


async def answer(method: str, target: str, body: bytes) -> tuple[int, bytes]:
    """Return a status and a body."""
    global flaky
    path = target.partition("?")[0]
    if path.startswith("/rows/"):
        await asyncio.sleep(LATENCY)
        number = path.removeprefix("/rows/")
        return 200, json.dumps({"id": number, "rows": 3}).encode()
    if path == "/flaky":
        flaky += 1
        return (503, b"busy") if flaky % 3 else (200, b"here at last")
    if path == "/broken":
        return 500, b"out of order"
    if path == "/hook":
        return 200, b"ok"
    if path == "/upload":
        return 201, f"{method}: {len(body):,} bytes".encode()
    return 404, b"no such page"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection."""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.split("\r\n")
            method, target, _ = first.split(" ")
            pairs = (line.lower().partition(":") for line in lines)
            headers = {name: value.strip() for name, _, value in pairs}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            status, content = await answer(method, target, body)
            writer.write(
                f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(content)}\r\n\r\n".encode()
                + content
            )
            await writer.drain()
    writer.close()


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Run the server as a program of its own; yield its address."""
    with subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.stdin.close()
            server.wait()


async def main() -> None:
    """Serve until the standard input ends."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
