"""`AsyncHTTPClient`: httpx2 with one retry policy, a breaker, and limits that hold."""

from __future__ import annotations

import contextlib
import functools
import logging
import mimetypes
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator, Collection
from types import TracebackType
from typing import TYPE_CHECKING, Any

import httpcore2
import httpx2

from truthound import telemetry
from truthound._settings import settings
from truthound.async_core._breaker import CircuitBreaker
from truthound.async_core._disk import from_disk
from truthound.async_core._http_call import Call, limits_of, recorded
from truthound.async_core._http_errors import name, raise_for_status
from truthound.async_core._http_guard import (
    Guard,
    GuardedBackend,
    Resolver,
)
from truthound.async_core._limit import check_count
from truthound.async_core._policy import RetryPolicy
from truthound.errors import ConfigurationError, NotRunningError, UnknownOptionError
from truthound.secrets import without_password

if TYPE_CHECKING:
    from truthound.async_core._http_aiohttp import Quick

logger = logging.getLogger(__name__)

MEBIBYTE = 2**20
HOSTS = 1_000  # of which the breakers are kept, the last used ones
OPTIONS = frozenset(
    {
        "auth",
        "content",
        "cookies",
        "data",
        "extensions",
        "files",
        "follow_redirects",
        "headers",
        "json",
        "params",
        "timeout",
    }
)


class _FromEnvironment(float):
    """Stands for a default that is looked up when the client is made."""

    def __repr__(self) -> str:
        return "TRUTHOUND_ASYNC_TIMEOUT or 30.0"


TIMEOUT = _FromEnvironment(30.0)


class AsyncHTTPClient:
    """Send HTTP requests over kept connections; several tasks may use it at once.

    The methods take what those of ``httpx2.AsyncClient`` take and return its
    ``Response``. What is different: failed requests are sent again as the retry policy
    says, ``timeout`` is a limit for the whole, answers have a largest size, and
    redirects carry no credentials to another origin.

    Args:
        retry_policy: None: ``RetryPolicy()``. Its ``RetryPolicy(max_retries=0)`` sends
            each request once. When retries are used up, the last answer is returned,
            whatever its status, or the last error raised.
        circuit_breaker: every try goes through it. Lost connections, timeouts and the
            statuses 408, 429 and 500 to 599 are failures. While it is open, requests
            raise ``CircuitOpenError``.
        timeout: seconds for a request with its retries, waits and body. None: no limit.
            Default: ``TRUTHOUND_ASYNC_TIMEOUT``, else 30.
        max_connections: at once; further requests wait. None:
            ``TRUTHOUND_ASYNC_POOL_SIZE``, else 100.
        timeouts: limits for the phases of each try (connect, read, write, a free
            connection), so that a silent server can be asked again in time. None: as
            long as ``timeout`` leaves.
        breaker_per_host: make a breaker like ``circuit_breaker`` for each origin (of
            the last 1,000), so that one dead host does not stop the others.
        follow_redirects: go where a redirect points, as httpx2 does not by default.
        max_redirects: how many in a row.
        max_response_bytes: the largest body, unpacked; None: any. Does not hold for
            ``stream()``, whose reader decides.
        block_private: refuse to connect to addresses that are not public, whatever
            name led to them. Takes no proxy, from the environment neither.
        allowed_hosts: names, addresses or networks that may be private all the same.
        transport: ``"httpx2"``, or the faster ``"aiohttp"`` (the extra of that name).
        base_url: for addresses without a host.
        headers: for every request.
        params: for every request.
        cookies: for every request. Cookies that servers set are kept as well.
        auth: for every request: ``(user, password)`` or an ``httpx2.Auth``.
        verify: False: connect to anybody who claims to be the server. That is logged.
            An ``ssl.SSLContext``: use it.
        proxy: the address of a proxy. None: of the environment, if ``trust_env``.
        trust_env: use proxies that the environment names.
        resolver: how names are looked up with ``block_private``; for tests.

    Raises:
        ConfigurationError: an option is out of range, or two contradict each other.

    Example::

        retry = RetryPolicy(max_retries=3, backoff_factor=2.0)
        async with AsyncHTTPClient(retry_policy=retry) as client:
            response = await client.get("https://api.example.com/rows")
            rows = response.raise_for_status().json()
    """

    def __init__(
        self,
        retry_policy: RetryPolicy | None = None,
        circuit_breaker: CircuitBreaker | None = None,
        timeout: float | httpx2.Timeout | None = TIMEOUT,
        max_connections: int | None = None,
        *,
        timeouts: httpx2.Timeout | float | None = None,
        breaker_per_host: bool = False,
        follow_redirects: bool = False,
        max_redirects: int = 20,
        max_response_bytes: int | None = 64 * MEBIBYTE,
        block_private: bool = False,
        allowed_hosts: Collection[str] = (),
        transport: str = "httpx2",
        base_url: str = "",
        headers: Any = None,
        params: Any = None,
        cookies: Any = None,
        auth: Any = None,
        verify: bool | ssl.SSLContext = True,
        proxy: str | None = None,
        trust_env: bool = True,
        resolver: Resolver | None = None,
    ) -> None:
        self.retry_policy: RetryPolicy = (
            RetryPolicy() if retry_policy is None else retry_policy
        )
        self.circuit_breaker = circuit_breaker
        if timeout is TIMEOUT:
            timeout = settings().timeout
        self.timeout: float | None
        self.timeout, self._phases = limits_of(timeout, timeouts)
        if max_connections is None:
            max_connections = settings().pool_size
        check_count("max_connections", max_connections)
        check_count("max_redirects", max_redirects, least=0)
        if max_response_bytes is not None:
            check_count("max_response_bytes", max_response_bytes)
        if block_private and proxy:
            raise ConfigurationError(
                "block_private and proxy contradict each other: it would be the proxy "
                "that looks up addresses"
            )
        if breaker_per_host and circuit_breaker is None:
            raise ConfigurationError("breaker_per_host needs a circuit_breaker to copy")
        if verify is False:
            logger.warning("verify=False: servers are not asked who they are")
        self.max_connections = max_connections
        self.max_redirects = max_redirects
        self.max_response_bytes = max_response_bytes
        self.follow_redirects = follow_redirects
        self._breakers: OrderedDict[str, CircuitBreaker] | None = (
            OrderedDict() if breaker_per_host else None
        )
        guard = Guard(allowed_hosts, resolver) if block_private else None
        context = _ssl_context() if verify is True else verify
        limits = httpx2.Limits(
            max_connections=max_connections, max_keepalive_connections=max_connections
        )
        sender = _transport(transport, context, limits, guard, trust_env, proxy)
        self._client = httpx2.AsyncClient(
            transport=sender,
            verify=context,
            limits=limits,
            timeout=self._phases,
            base_url=base_url,
            headers=headers,
            params=params,
            cookies=cookies,
            auth=auth,
            proxy=proxy if transport == "httpx2" else None,
            trust_env=trust_env and guard is None,
        )
        self._quick: Quick | None = None
        if transport == "aiohttp":
            from truthound.async_core._http_aiohttp import Quick

            if timeouts is None:
                self._quick = Quick.of(sender, self._client)

    def __repr__(self) -> str:
        base = without_password(str(self._client.base_url))
        return f"AsyncHTTPClient(base_url={base!r}, timeout={self.timeout})"

    async def __aenter__(self) -> AsyncHTTPClient:
        self._check_open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; what is under way fails."""
        await self._client.aclose()

    async def request(self, method: str, url: str, **options: Any) -> httpx2.Response:
        """Send a request and read its answer.

        If cancelled, the connection is closed and the cancellation goes on.

        Args:
            method: ``"GET"`` and so on.
            url: http or https; relative to ``base_url`` if there is one.
            **options: ``params``, ``headers``, ``cookies``, ``auth``,
                ``follow_redirects``, ``timeout`` (seconds, or an ``httpx2.Timeout``),
                ``extensions``, and one of ``content``, ``data``, ``files``, ``json``.

        Raises:
            RequestTimeoutError: ``timeout`` went by; a ``TimeoutError`` too.
            CircuitOpenError: the circuit breaker lets nothing through.
            ResponseTooLargeError: the body exceeds ``max_response_bytes``.
            AddressBlockedError: ``block_private`` refuses the address.
            httpx2.RequestError: no answer; all but the second are of this type.
            NotRunningError: the client is closed.
        """
        return await self._request(method, url, options, is_read=True)

    async def get(self, url: str, **options: Any) -> httpx2.Response:
        """Send a GET request; see :meth:`request`."""
        return await self._request("GET", url, options, is_read=True)

    async def head(self, url: str, **options: Any) -> httpx2.Response:
        """Send a HEAD request; see :meth:`request`."""
        return await self._request("HEAD", url, options, is_read=True)

    async def post(self, url: str, **options: Any) -> httpx2.Response:
        """Send a POST request; see :meth:`request`."""
        return await self._request("POST", url, options, is_read=True)

    async def put(self, url: str, **options: Any) -> httpx2.Response:
        """Send a PUT request; see :meth:`request`."""
        return await self._request("PUT", url, options, is_read=True)

    async def patch(self, url: str, **options: Any) -> httpx2.Response:
        """Send a PATCH request; see :meth:`request`."""
        return await self._request("PATCH", url, options, is_read=True)

    async def delete(self, url: str, **options: Any) -> httpx2.Response:
        """Send a DELETE request; see :meth:`request`."""
        return await self._request("DELETE", url, options, is_read=True)

    def stream(self, method: str, url: str, **options: Any) -> ResponseStream:
        """Send a request and leave its body to be read bit by bit.

        The limit ``timeout`` holds until the head of the answer is there, and for each
        piece of the body. There are two ways to use what this returns::

            async with client.stream("GET", url) as response:
                async for chunk in response.aiter_bytes(): ...

            async for chunk in client.stream("GET", url): ...

        The second one raises ``httpx2.HTTPStatusError`` for a status of 400 or more.

        Args:
            method: as for :meth:`request`.
            url: as for :meth:`request`.
            **options: as for :meth:`request`.
        """
        return ResponseStream(self, method, url, options)

    async def _request(
        self, method: str, url: str, options: dict[str, Any], is_read: bool
    ) -> httpx2.Response:
        self._check_open()
        if not OPTIONS.issuperset(options):
            unknown = min(set(options) - OPTIONS)
            raise UnknownOptionError("a request", unknown, OPTIONS)
        if "files" in options and not mimetypes.inited:
            # By their names httpx2 finds the kinds of files, in tables on the disk.
            await from_disk(mimetypes.init)
        method = method.upper()
        try:
            call = Call(self, method, str(url), options, is_read)
            if not telemetry.is_on():
                return await call.send()
            return await recorded(call)
        except httpx2.InvalidURL as error:
            wrong = httpx2.UnsupportedProtocol(f"no address: {error}")
            name(wrong, method, str(url))
            raise wrong from error
        except httpx2.RequestError as error:
            name(error, method, str(url))
            raise

    def _check_open(self) -> None:
        if self._client.is_closed:
            raise NotRunningError("the HTTP client is closed")

    def _breaker(self, url: httpx2.URL) -> CircuitBreaker | None:
        if self._breakers is None or self.circuit_breaker is None:
            return self.circuit_breaker
        origin = f"{url.scheme}://{url.host}:{url.port or ''}"
        breaker = self._breakers.get(origin)
        if breaker is None:
            breaker = self._breakers[origin] = self.circuit_breaker.copy(origin)
            if len(self._breakers) > HOSTS:
                self._breakers.popitem(last=False)
        self._breakers.move_to_end(origin)
        return breaker


class ResponseStream:
    """A request whose answer is read bit by bit; made by ``AsyncHTTPClient.stream``."""

    def __init__(
        self, client: AsyncHTTPClient, method: str, url: str, options: dict[str, Any]
    ) -> None:
        self._client = client
        self._method = method
        self._url = url
        self._options = options
        self._response: httpx2.Response | None = None

    async def __aenter__(self) -> httpx2.Response:
        self._response = await self._client._request(
            self._method, self._url, self._options, is_read=False
        )
        return self._response

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._response is not None:
            await self._response.aclose()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async with self as response:
            raise_for_status(response)
            try:
                async for chunk in response.aiter_bytes():
                    yield chunk
            except httpx2.RequestError as error:
                name(error, self._method, self._url)
                raise


def _transport(
    name: str,
    context: ssl.SSLContext | bool,
    limits: httpx2.Limits,
    guard: Guard | None,
    trust_env: bool,
    proxy: str | None,
) -> httpx2.AsyncBaseTransport | None:
    """Return what sends requests; None: what httpx2 makes for itself."""
    if name == "aiohttp":
        from truthound.async_core._http_aiohttp import AiohttpTransport

        return AiohttpTransport(context, limits, guard, trust_env, proxy)
    if name != "httpx2":
        raise ConfigurationError(f"transport={name!r}: expected 'httpx2' or 'aiohttp'")
    if guard is None:
        return None
    transport = httpx2.AsyncHTTPTransport(verify=context, limits=limits)
    # It has no option for what connects.
    transport._pool._network_backend = GuardedBackend(guard, httpcore2.AnyIOBackend())
    return transport


@functools.cache
def _ssl_context() -> ssl.SSLContext:
    # It takes 10 ms or more to make, and any number of connections can share it.
    return httpx2.create_ssl_context()


# Reads the certificates of the system now, and not when a loop makes its first client.
with contextlib.suppress(OSError):
    _ssl_context()
