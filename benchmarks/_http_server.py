"""A server that answers every request with 1 KiB, in as few steps as asyncio allows.

Run as a child process, so that what is measured is the client: it prints its port and
ends with its standard input. The argument is the seconds that an answer takes.
"""

from __future__ import annotations

import asyncio
import sys

ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n"
    + b"x" * 1024
)
DELAY = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0  # seconds


class Answering(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.received = b""

    def data_received(self, data: bytes) -> None:
        *requests, self.received = (self.received + data).split(b"\r\n\r\n")
        if not requests:
            return
        if DELAY:
            answer = ANSWER * len(requests)
            asyncio.get_running_loop().call_later(DELAY, self.answer, answer)
        else:
            self.transport.write(ANSWER * len(requests))

    def answer(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
