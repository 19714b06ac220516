"""The faster way to send: aiohttp below the same client, as a transport of httpx2."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined] # no stub

import httpx2

from truthound.async_core import _http_body as body
from truthound.async_core._http_errors import AddressBlockedError
from truthound.async_core._http_guard import Guard, blocked
from truthound.errors import MissingDependencyError

if TYPE_CHECKING:
    from truthound.async_core._http_call import Call

try:
    import aiohttp
    import yarl
except ImportError as error:
    raise MissingDependencyError(
        "aiohttp", "aiohttp", "the transport 'aiohttp'"
    ) from error

# Options of a request that is sent quickly, and its address: nothing in it has to be
# encoded, nobody is named.
PLAIN = frozenset({"content", "headers"})
_PLAIN_URL = re.compile(r"https?://[\w.:\[\]-]+(?:/[\w./~:,;=&?+*$!()-]*)?\Z", re.ASCII)

FAULTS = (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError)
ITS_OWN = {"transfer-encoding"}  # headers that aiohttp insists on setting
FAREWELL = 1.0  # seconds for what is cancelled at the end
KEPT = 5.0  # seconds for which an unused connection is kept, as httpx2 does


class AiohttpTransport(httpx2.AsyncBaseTransport):
    """Sends the requests of one client, from one event loop."""

    def __init__(
        self,
        context: ssl.SSLContext | bool,
        limits: httpx2.Limits,
        guard: Guard | None,
        trust_env: bool,
        proxy: str | None,
    ) -> None:
        self._context = context
        self._most = limits.max_connections or 0
        self._guard = guard
        # Left to itself, aiohttp asks for them in threads, twice a request.
        self._proxies = getproxies_environment() if trust_env and not guard else {}
        if proxy:
            self._proxies = {"http": proxy, "https": proxy}
        self._cleared: set[str] = set()  # addresses, for the name that led to them
        self._session: aiohttp.ClientSession | None = None
        self._sending = 0  # bodies
        self.headers: list[tuple[str, str]] = []  # for every request

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = await self.send(
            request.method,
            # Who is named in the address is in the headers already.
            yarl.URL(str(request.url), encoded=True).with_user(None),
            [pair for pair in request.headers.multi_items() if pair[0] not in ITS_OWN],
            await self._body(request),
            _timeout(**request.extensions.get("timeout", {})),
        )
        return httpx2.Response(
            status_code=answer.status,
            headers=answer.raw_headers,
            stream=_Stream(answer),
            extensions={"http_version": b"HTTP/1.1"},
        )

    async def send(
        self,
        method: str,
        url: Any,
        headers: Any,
        content: Any,
        limit: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        """Send a request and return the head of its answer."""
        try:
            return await self._opened().request(
                method,
                url,
                headers=headers,
                data=content,
                allow_redirects=False,
                proxy=self._proxy(str(url)) if self._proxies else None,
                timeout=limit,
            )
        except FAULTS as error:
            raise _translated(error) from error

    def _proxy(self, url: str) -> str | None:
        parts = urlsplit(url)
        if proxy_bypass_environment(parts.hostname or "", self._proxies):
            return None
        return self._proxies.get(parts.scheme) or self._proxies.get("all")

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
            # A body that nobody wants any more is sent by a task of aiohttp's, which it
            # cancels and does not wait for.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL):
                    while self._sending:  # noqa: ASYNC110 - its end is no event
                        await asyncio.sleep(0.001)

    async def _body(self, request: httpx2.Request) -> Any:
        stream = request.stream
        if isinstance(stream, httpx2.ByteStream):
            return b"".join([part async for part in stream]) or None
        return self._sent(stream)

    async def _sent(self, stream: Any) -> AsyncIterator[bytes]:
        self._sending += 1
        try:
            async for part in stream:
                yield part
        finally:
            self._sending -= 1

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            # Made in the loop in which it is used.
            connector = aiohttp.TCPConnector(
                limit=self._most,
                ssl=self._context,
                keepalive_timeout=KEPT,
                resolver=_Resolver(self._guard, self._cleared) if self._guard else None,
                socket_factory=self._socket if self._guard else None,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                headers=self.headers,
                auto_decompress=False,  # httpx2 unpacks, in bounded pieces
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
                trust_env=False,
            )
        return self._session

    def _socket(self, address: Any) -> socket.socket:
        """Make the socket for an address, which is the one that is connected to."""
        family, kind, protocol, _, target = address
        assert self._guard is not None
        # No name was looked up for a host that is an address already.
        if target[0] not in self._cleared and not self._guard.allows("", target[0]):
            raise AddressBlockedError(blocked("the address", target[0]))
        return socket.socket(family=family, type=kind, proto=protocol)


class _Resolver(aiohttp.abc.AbstractResolver):
    def __init__(self, guard: Guard, cleared: set[str]) -> None:
        self._guard = guard
        self._cleared = cleared

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        found = await self._guard.addresses(host, port)
        self._cleared.update(found)
        return [
            aiohttp.abc.ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
        ]

    async def close(self) -> None:
        """Nothing is held."""


class Quick:
    """Plain requests, past the machinery of httpx2, which costs five times as much.

    Those with an absolute address, headers and bytes at most, from a client that adds
    nothing but headers; no redirect is followed. The answers are ``Response`` all the
    same, whose headers and request are made when somebody looks at them.
    """

    def __init__(self, transport: AiohttpTransport, client: httpx2.AsyncClient) -> None:
        self._transport = transport
        self._client = client
        self.has_cookies = bool(client.cookies)
        transport.headers = client.headers.multi_items()
        self._timeouts = client.timeout.as_dict()

    @classmethod
    def of(cls, transport: Any, client: httpx2.AsyncClient) -> Quick | None:
        """Return one for a client of which it can do something."""
        adds = client.auth or client.params or str(client.base_url)
        if adds or not isinstance(transport, AiohttpTransport):
            return None
        return cls(transport, client)

    def takes(self, url: str, options: dict[str, Any]) -> bool:
        """Tell whether it can send this."""
        return (
            not self.has_cookies
            and _is_plain(url)
            and (not options or _are_plain(options))
        )

    def look_at_cookies(self) -> None:
        """See whether a server has set any; they are for httpx2 to send."""
        self.has_cookies = bool(self._client.cookies)

    async def exchange(
        self, call: Call, options: dict[str, Any], left: float | None
    ) -> httpx2.Response:
        """Send a request and read its answer, in the seconds that are left."""
        # Those of the client are those of the session, to which these are added.
        given = options.get("headers")
        headers = list(given.items()) if given else None
        answer = await self._transport.send(
            call.method,
            call.url,
            headers,
            options.get("content"),
            _timeout(**self._timeouts) if left is None else _timeout(left),
        )
        most = call.client.max_response_bytes
        try:
            length = answer.content_length
            if (
                length is None
                or (most is not None and length > most)
                or "Content-Encoding" in answer.headers
            ):
                return await call.in_time(_unpacked(answer, call, most))
            # Often it is all there by now; if not, aiohttp's own limit does not see
            # to it that the rest comes in time.
            rest = answer.read()
            is_there = answer.content.is_eof()
            content = await (rest if is_there else call.in_time(rest))
        except FAULTS as error:
            answer.close()
            raise _translated(error) from error
        except BaseException:
            answer.close()
            raise
        response = _Answer(answer.status, answer.raw_headers, content, call)
        if "Set-Cookie" in answer.headers:
            self._client.cookies.extract_cookies(response)
            self.look_at_cookies()
        return response


def _are_plain(options: dict[str, Any]) -> bool:
    return (
        PLAIN.issuperset(options)
        and _are_texts(options.get("headers"))
        and isinstance(options.get("content"), (bytes, type(None)))
    )


def _are_texts(headers: Any) -> bool:
    if headers is None:
        return True
    return isinstance(headers, dict) and all(
        isinstance(name, str) and isinstance(value, str)
        for name, value in headers.items()
    )


@functools.lru_cache(maxsize=1024)
def _is_plain(url: str) -> bool:
    return _PLAIN_URL.match(url) is not None


async def _unpacked(
    answer: aiohttp.ClientResponse, call: Call, most: int | None
) -> httpx2.Response:
    response = httpx2.Response(
        answer.status,
        headers=answer.raw_headers,
        stream=_Stream(answer),
        request=call.request,
        extensions={"http_version": b"HTTP/1.1"},
    )
    await body.read(response, most)
    return response


class _Answer(httpx2.Response):
    """An answer that was read, which makes what is seldom looked at when it is."""

    def __init__(
        self,
        status: int,
        raw: tuple[tuple[bytes, bytes], ...],
        content: bytes,
        call: Call,
    ) -> None:
        self.status_code = status
        self.history = []
        self.next_request = None
        self.extensions = {"http_version": b"HTTP/1.1"}
        self.is_closed = self.is_stream_consumed = True
        self.default_encoding = "utf-8"
        self.stream = httpx2.ByteStream(b"")
        self._content = content
        self._num_bytes_downloaded = len(content)
        self._raw = raw
        self._call = call
        self._made: httpx2.Headers | None = None

    @property
    def headers(self) -> httpx2.Headers:  # type: ignore[override] # an attribute there
        if self._made is None:
            self._made = httpx2.Headers(self._raw)
        return self._made

    @property
    def _request(self) -> httpx2.Request:  # type: ignore[override] # never set here
        return self._call.request

    @property  # type: ignore[misc] # never set here
    def elapsed(self) -> timedelta:
        return timedelta(seconds=self._call.took)


class _Stream(httpx2.AsyncByteStream):
    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._answer.content.iter_any():
                yield chunk
        except FAULTS as error:
            raise _translated(error) from error

    async def aclose(self) -> None:
        # One that was read to its end has given its connection back already.
        self._answer.close()


@functools.lru_cache(maxsize=64)
def _timeout(
    total: float | None = None,
    connect: float | None = None,
    read: float | None = None,
    write: float | None = None,
    pool: float | None = None,
) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(
        total=total, connect=pool, sock_connect=connect, sock_read=read
    )


def _translated(error: Exception) -> httpx2.RequestError:
    """Return the error of httpx2 for one of aiohttp."""
    for kind, ours in (
        (aiohttp.ConnectionTimeoutError, httpx2.ConnectTimeout),
        (asyncio.TimeoutError, httpx2.ReadTimeout),
        (aiohttp.ClientConnectorError, httpx2.ConnectError),
        (aiohttp.ServerDisconnectedError, httpx2.RemoteProtocolError),
        (aiohttp.ClientOSError, httpx2.ReadError),
        (aiohttp.ClientPayloadError, httpx2.RemoteProtocolError),
        (aiohttp.ClientResponseError, httpx2.RemoteProtocolError),
        (aiohttp.ClientConnectionError, httpx2.NetworkError),
        (aiohttp.InvalidURL, httpx2.UnsupportedProtocol),
    ):
        if isinstance(error, kind):
            return ours(str(error) or type(error).__name__)
    return httpx2.LocalProtocolError(str(error))
