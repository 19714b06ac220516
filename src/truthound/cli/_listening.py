"""A server on an address of this machine, in the loop of what it serves."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from truthound.async_core._tasks import undisturbed
from truthound.errors import ConfigurationError, MissingDependencyError

try:
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol
except ImportError as error:
    raise MissingDependencyError("uvicorn", "hooks", "Listening") from error

HEADER_SECONDS = 10.0  # that the head of a request has to come
FAREWELL = 5  # seconds that answers have when it is closed
CONNECTIONS = 1_000  # at once; those after them are told to come again


class _Protocol(H11Protocol):
    """HTTP/1.1 that does not wait for ever for the head of a request."""

    _limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Begin to count where a head has begun and is not there yet."""
        if self._has_request() or self.transport.is_closing():
            self._unwatch()
        elif self._limit is None:
            self._limit = self.loop.call_later(HEADER_SECONDS, self._over)

    def _unwatch(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _over(self) -> None:
        self._limit = None
        if not self._has_request():
            self.transport.close()

    def _has_request(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete


class _Server(uvicorn.Server):
    """A server that leaves signals to who has begun it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let them come to others."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()


def bound(host: str, port: int) -> list[socket.socket]:
    """Return sockets that are bound to an address; nobody is answered yet.

    Args:
        host: a name or number; of a name, each of its addresses.
        port: 0 for a free one.

    Raises:
        ConfigurationError: it cannot be had.
    """
    found: list[socket.socket] = []
    try:
        for family, kind, _, _, address in dict.fromkeys(
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        ):
            one = socket.socket(family, kind)
            found.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if port == 0 and len(found) > 1:
                port = found[0].getsockname()[1]
            one.bind((address[0], port, *address[2:]))
            one.setblocking(False)
    except (OSError, UnicodeError) as error:
        for one in found:
            one.close()
        why = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"cannot listen on {host}:{port}: {why}") from error
    return found


def address_of(one: socket.socket) -> str:
    """Return the address of a socket as the beginning of a URL."""
    host, port = one.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextlib.asynccontextmanager
async def listening(
    app: Any, sockets: list[socket.socket], on_up: Callable[[], None] | None = None
) -> AsyncIterator[None]:
    """Serve an application in the block; in the end requests are still answered.

    Args:
        app: of ASGI.
        sockets: as :func:`bound` returns them; they are closed in the end.
        on_up: called when it listens.
    """
    config = uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=FAREWELL,
    )
    server = _Server(config)
    loop = asyncio.get_running_loop()
    serving = loop.create_task(server.serve(sockets))
    coming = loop.create_task(server.is_up.wait())
    try:
        await asyncio.wait([serving, coming], return_when="FIRST_COMPLETED")
        if on_up is not None:
            on_up()
        yield
    finally:
        coming.cancel()
        server.should_exit = True
        await undisturbed(serving)
