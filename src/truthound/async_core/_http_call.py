"""One request on its way: its tries, its redirects, its limits."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Coroutine
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2

from truthound import telemetry
from truthound._clock import SYSTEM_CLOCK
from truthound.async_core import _http_body as body
from truthound.async_core._http_errors import RequestTimeoutError
from truthound.async_core._http_guard import check_scheme, without_credentials
from truthound.async_core._limit import check_seconds, limit
from truthound.async_core._policy import parse_retry_after
from truthound.secrets import without_password, without_path

if TYPE_CHECKING:
    from truthound.async_core._http_aiohttp import Quick
    from truthound.async_core._http_client import AsyncHTTPClient

T = TypeVar("T")

logger = logging.getLogger(__name__)

MAX_PORT = 65_535  # httpx2 takes larger ones, and fails in a way of its own

# Set around requests whose address nobody may see, beyond the name of the host.
SECRET_ADDRESS: ContextVar[bool] = ContextVar("truthound_secret_address", default=False)


class _Silent(logging.Filter):
    """Keeps httpx2 from logging such addresses."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not SECRET_ADDRESS.get()


logging.getLogger("httpx2").addFilter(_Silent())

# What may pass: the connection broke, nothing came in time, or half an answer did.
PASSING = (httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError)
# The request has not reached the server.
UNSENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
# The caller's own mistakes, for which no server is to blame.
OWN_FAULTS = (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError)


class Call:
    """One request on its way, with all its tries."""

    def __init__(
        self,
        client: AsyncHTTPClient,
        method: str,
        url: str,
        options: dict[str, Any],
        is_read: bool,
    ) -> None:
        self.client = client
        self.method = method
        self.url = url
        self.retries = 0
        self.status: int | None = None
        self.took = 0.0  # seconds
        self._is_read = is_read
        self._auth: Any = httpx2.USE_CLIENT_DEFAULT
        self._follows = client.follow_redirects
        self._total = client.timeout
        if options:
            options = dict(options)
            self._auth = options.pop("auth", httpx2.USE_CLIENT_DEFAULT)
            self._follows = options.pop("follow_redirects", self._follows)
            if "timeout" in options:
                self._total, options["timeout"] = limits_of(options["timeout"], None)
        self._options = options
        self._request: httpx2.Request | None = None
        quick = client._quick
        self._quick = (
            quick
            if quick is not None
            and is_read
            and not self._follows
            and self._auth is httpx2.USE_CLIENT_DEFAULT
            and quick.takes(url, options)
            else None
        )
        self._loop = asyncio.get_running_loop()
        self._begun = self._loop.time()

    @property
    def request(self) -> httpx2.Request:
        """What is sent; made when it is asked for."""
        if self._request is None:
            build = self.client._client.build_request
            request = build(self.method, self.url, **self._options)
            if (request.url.port or 0) > MAX_PORT:
                raise httpx2.InvalidURL(f"Invalid port: '{request.url.port}'")
            self._request = request
        return self._request

    async def send(self) -> httpx2.Response:
        """Try until there is an answer, or the policy says that it is enough."""
        while True:
            response: httpx2.Response | None = None
            try:
                response = await self._try()
                if (delay := self._delay(response)) is None:
                    return response
                await response.aclose()
                why = f"status {response.status_code}"
            except httpx2.RequestError as error:
                if response is not None or (delay := self._delay_after(error)) is None:
                    raise
                why = str(error) or type(error).__name__
            self.retries += 1
            telemetry.count("truthound.http.retries", method=self.method)
            logger.info(
                "%s %s: %s; again in %.2f s",
                self.method,
                without_password(self.url),
                without_password(why),
                delay,
            )
            await asyncio.sleep(delay)

    async def _try(self) -> httpx2.Response:
        has_breaker = self.client.circuit_breaker is not None
        breaker = self.client._breaker(self.request.url) if has_breaker else None
        period = breaker.enter() if breaker else 0
        try:
            if self._quick is not None:
                response = await self._quickly(self._quick)
            else:
                response = await self.in_time(self._exchange())
                if self.client._quick is not None:
                    self.client._quick.look_at_cookies()
        except BaseException as error:
            if breaker is not None:
                is_theirs = isinstance(error, httpx2.TransportError)
                if is_theirs and not isinstance(error, OWN_FAULTS):
                    breaker.failed(period)
                else:
                    breaker.left(period)
            raise
        self.status = response.status_code
        self.took = self._loop.time() - self._begun
        if breaker is not None:
            is_bad = self.status >= 500 or self.status in {408, 429}
            (breaker.failed if is_bad else breaker.succeeded)(period)
        return response

    async def in_time(self, work: Coroutine[Any, Any, T]) -> T:
        """Await something in the seconds that are left."""
        if self._total is None:
            return await work
        async with limit(self._left(), self._late(), RequestTimeoutError):
            return await work

    async def _quickly(self, quick: Quick) -> httpx2.Response:
        # The limit is left to aiohttp, which sets one in any case, until the head is
        # there.
        left = self._left() if self.retries and self._total else self._total
        try:
            return await quick.exchange(self, self._options, left)
        except httpx2.ReadTimeout as error:
            if self._total is None:
                raise
            raise RequestTimeoutError(self._late()) from error

    async def _exchange(self) -> httpx2.Response:
        """Send the request, and on from there where a redirect points."""
        client = self.client
        request, auth = self.request, self._auth
        history: list[httpx2.Response] = []
        while True:
            check_scheme(request.url)
            response = await client._client.send(
                request, stream=True, auth=auth, follow_redirects=False
            )
            try:
                following = response.next_request if self._follows else None
                if following is None:
                    response.history = history
                    if self._is_read:
                        await body.read(response, client.max_response_bytes)
                    else:
                        body.check_layers(response)
                    return response
                if len(history) >= client.max_redirects:
                    raise httpx2.TooManyRedirects(
                        f"more than max_redirects={client.max_redirects} redirects",
                        request=request,
                    )
            except BaseException:
                await response.aclose()
                raise
            await response.aclose()
            history.append(response)
            request, auth = without_credentials(following, request.url), None

    def _late(self) -> str:
        return f"no answer within {self._total:g} s"

    def _left(self) -> float:
        assert self._total is not None
        return self._total - (self._loop.time() - self._begun)

    def _delay(self, response: httpx2.Response) -> float | None:
        """Return the seconds until the next try; None: the answer stands."""
        policy = self.client.retry_policy
        if response.status_code not in policy.retry_statuses:
            return None
        told = response.headers.get("retry-after")
        after = parse_retry_after(told, SYSTEM_CLOCK.now()) if told else None
        # Who says when to come back has not done what was asked.
        is_refused = after is not None and response.status_code in {429, 503}
        return self._wait(after) if self._may_repeat(is_refused) else None

    def _delay_after(self, error: httpx2.RequestError) -> float | None:
        policy = self.client.retry_policy
        if not isinstance(error, policy.retry_exceptions or PASSING):
            return None
        if _is_certificate_refused(error):
            return None
        is_repeatable = self._may_repeat(isinstance(error, UNSENT))
        return self._wait(None) if is_repeatable else None

    def _may_repeat(self, is_harmless: bool) -> bool:
        # A body that comes from an iterator is gone once it was sent.
        stream: Any = self.request.stream
        body = getattr(stream, "_stream", stream)
        if not isinstance(stream, httpx2.ByteStream) and not getattr(
            body, "can_repeat", False
        ):
            return False
        return is_harmless or self.method in self.client.retry_policy.retry_methods

    def _wait(self, after: float | None) -> float | None:
        spent = self._loop.time() - self._begun
        delay = self.client.retry_policy.wait(self.retries, spent, after)
        if delay is None or (self._total is not None and spent + delay >= self._total):
            return None
        return delay


async def recorded(call: Call) -> httpx2.Response:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    status: Any = "error"
    try:
        url = without_path(call.url) if SECRET_ADDRESS.get() else call.url
        attributes = {"http.request.method": call.method, "url.full": url}
        with telemetry.span("http.request", **attributes) as recording:
            try:
                response = await call.send()
            finally:
                if call.retries:
                    recording.set_attribute("http.request.resend_count", call.retries)
                recording.set_attribute("http.response.status_code", call.status)
        status = response.status_code
        return response
    finally:
        telemetry.record(
            "http.client.request.duration",
            loop.time() - begun,
            **{"http.request.method": call.method, "http.response.status_code": status},
        )


def limits_of(
    timeout: Any, phases: httpx2.Timeout | float | None
) -> tuple[float | None, httpx2.Timeout]:
    """Return the limit for the whole, and those for the phases of a try."""
    if isinstance(timeout, httpx2.Timeout):
        return None, timeout
    if timeout is not None:
        check_seconds("timeout", timeout)
    return timeout, httpx2.Timeout(timeout if phases is None else phases)


def _is_certificate_refused(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
