"""`AsyncHTTPClient` against a server that says what it is told to say."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx2
import pytest
import uvloop

from scripted_server import RESET, Received, Script, free_port, reply, serving
from telemetry_reader import Recorded
from truthound.async_core import (
    AsyncHTTPClient,
    CircuitBreaker,
    CircuitState,
    RetryPolicy,
)
from truthound.async_core.http import (
    CircuitOpenError,
    RequestTimeoutError,
    ResponseTooLargeError,
)
from truthound.errors import ConfigurationError, NotRunningError, TruthoundError

PATIENCE = 20  # seconds, until something counts as hanging
FAST = RetryPolicy(max_retries=3, backoff_factor=0.01)
ONCE = RetryPolicy(max_retries=0)

both = pytest.mark.parametrize("transport", ["httpx2", "aiohttp"])


def in_turn(*answers: bytes) -> Script:
    """Give each answer once, the last one for ever."""

    def script(request: Received) -> bytes:
        return answers[min(request.number, len(answers) - 1)]

    return script


async def cut_off(_: Received) -> AsyncGenerator[bytes, None]:
    yield RESET


async def silent(_: Received) -> AsyncGenerator[bytes, None]:
    await asyncio.Event().wait()
    yield b""


async def truncated(_: Received) -> AsyncGenerator[bytes, None]:
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"


async def trickling(_: Received) -> AsyncGenerator[bytes, None]:
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    while True:
        yield b"."
        await asyncio.sleep(0.05)


async def bad_chunk(_: Received) -> AsyncGenerator[bytes, None]:
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"


# --- requests and answers


@both
async def test_answer_is_that_of_httpx2(transport: str) -> None:
    script = in_turn(reply(200, b'{"rows": 3}', content_type="application/json"))
    async with (
        serving(script) as server,
        AsyncHTTPClient(transport=transport) as client,
    ):
        response = await client.get(f"{server.url}/a?b=1")

    assert isinstance(response, httpx2.Response)
    assert (response.status_code, response.json()) == (200, {"rows": 3})
    assert response.headers["content-type"] == "application/json"
    assert str(response.request.url) == f"{server.url}/a?b=1"
    assert response.raise_for_status() is response
    assert response.elapsed > timedelta(0)
    assert response.history == []
    assert server.requests[0].headers["host"] == server.url.removeprefix("http://")
    assert "gzip" in server.requests[0].headers["accept-encoding"]


@both
@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "head"])
async def test_each_method_is_sent(transport: str, method: str) -> None:
    body = b"" if method == "head" else b"ok"
    async with (
        serving(in_turn(reply(200, body))) as server,
        AsyncHTTPClient(transport=transport) as client,
    ):
        response = await getattr(client, method)(server.url)
        assert response.content == body
        assert (await client.request(method, server.url)).status_code == 200
    assert server.methods == [method.upper()] * 2


@both
async def test_options_of_a_request(transport: str) -> None:
    async with (
        serving(in_turn(reply())) as server,
        AsyncHTTPClient(transport=transport, headers={"X-All": "1"}) as client,
    ):
        await client.post(server.url, json={"a": 1}, params={"q": "ä b"})
        await client.post(server.url, content=b"raw", headers={"X-One": "2"})
        await client.post(server.url, data={"k": "v"}, auth=("me", "pass"))
        await client.post(server.url, files={"f": ("n.csv", b"a,b")})
        await client.get(server.url, cookies={"c": "3"})
        await client.get(server.url, auth=("me", "pass"))
        await client.get(server.url, params={"q": "1"})
    posts = server.requests
    assert (posts[0].body, posts[0].target) == (b'{"a":1}', "/?q=%C3%A4+b")
    assert (posts[1].body, posts[1].headers["x-one"]) == (b"raw", "2")
    assert all(post.headers["x-all"] == "1" for post in posts)
    assert posts[2].body == b"k=v"
    assert posts[2].headers["authorization"].startswith("Basic ")
    assert b"a,b" in posts[3].body
    assert posts[4].headers["cookie"] == "c=3"
    assert posts[5].headers["authorization"] == "Basic bWU6cGFzcw=="
    assert posts[6].target == "/?q=1"


@both
async def test_cookies_that_a_server_sets_are_sent_back(transport: str) -> None:
    script = in_turn(reply(200, b"", set_cookie="session=7"), reply())
    async with (
        serving(script) as server,
        AsyncHTTPClient(transport=transport) as client,
    ):
        await client.get(server.url)
        await client.get(server.url)
    assert server.requests[1].headers["cookie"] == "session=7"


@both
async def test_base_url_params_and_auth_of_the_client(transport: str) -> None:
    async with serving(in_turn(reply())) as server:
        client = AsyncHTTPClient(
            transport=transport,
            base_url=f"{server.url}/v1",
            params={"key": "k"},
            auth=("me", "pass"),
        )
        async with client:
            await client.get("/rows")
    (request,) = server.requests
    assert request.target == "/v1/rows?key=k"
    assert request.headers["authorization"] == "Basic bWU6cGFzcw=="


@both
async def test_connections_are_kept(transport: str) -> None:
    async with (
        serving(in_turn(reply(200, b"x"))) as server,
        AsyncHTTPClient(transport=transport) as client,
    ):
        for _ in range(5):
            await client.get(server.url)
        assert server.connections == 1


@both
async def test_no_more_connections_than_allowed(transport: str) -> None:
    async def slow(_: Received) -> AsyncGenerator[bytes, None]:
        await asyncio.sleep(0.01)
        yield reply(200, b"x", connection="close")

    running = peak = 0

    async def script(request: Received) -> AsyncGenerator[bytes, None]:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        async for part in slow(request):
            yield part
        running -= 1

    async with (
        serving(script) as server,
        AsyncHTTPClient(transport=transport, max_connections=3) as client,
    ):
        await asyncio.gather(*(client.get(server.url) for _ in range(12)))
    assert peak == 3


@both
async def test_client_works_without_the_block_and_not_after_its_end(
    transport: str,
) -> None:
    async with serving(in_turn(reply())) as server:
        client = AsyncHTTPClient(transport=transport)
        assert (await client.get(server.url)).status_code == 200
        await client.aclose()
        await client.aclose()
        with pytest.raises(NotRunningError, match="the HTTP client is closed"):
            await client.get(server.url)


# --- trying again


@both
@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_passing_fault_is_tried_again(transport: str, status: int) -> None:
    async with (
        serving(in_turn(reply(status), reply(status), reply(200, b"ok"))) as server,
        AsyncHTTPClient(FAST, transport=transport) as client,
    ):
        assert (await client.get(server.url)).content == b"ok"
    assert len(server.requests) == 3


@both
async def test_last_answer_is_returned_when_retries_are_used_up(transport: str) -> None:
    async with (
        serving(in_turn(reply(503, b"busy"))) as server,
        AsyncHTTPClient(FAST, transport=transport) as client,
    ):
        response = await client.get(server.url)
    assert (response.status_code, response.content) == (503, b"busy")
    assert len(server.requests) == 4


@both
@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 501])
async def test_lasting_fault_is_not_tried_again(transport: str, status: int) -> None:
    async with (
        serving(in_turn(reply(status))) as server,
        AsyncHTTPClient(FAST, transport=transport) as client,
    ):
        assert (await client.get(server.url)).status_code == status
    assert len(server.requests) == 1


@both
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("is_date", [False, True])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_retry_after_is_obeyed(
    transport: str, status: int, is_date: bool, method: str
) -> None:
    Recorded()  # with metrics on, the original failed at every retry

    def script(request: Received) -> bytes:
        moment = datetime.now(UTC) + timedelta(seconds=2)
        after = format_datetime(moment, usegmt=True) if is_date else "1"
        return reply(status, retry_after=after) if request.number == 0 else reply()

    async with (
        serving(script) as server,
        AsyncHTTPClient(FAST, transport=transport) as client,
    ):
        response = await client.request(method, server.url, content=b"x")
    assert response.status_code == 200
    first, second = server.requests
    assert second.at - first.at >= 0.99
    assert second.body == b"x"


@both
@pytest.mark.parametrize("after", ["1000000000", "Fri, 01 Jan 2100 00:00:00 GMT"])
async def test_absurd_retry_after_does_not_hold_up_the_caller(
    transport: str, after: str
) -> None:
    capped = RetryPolicy(max_retries=1, backoff_factor=0, max_delay=0.2)
    async with serving(in_turn(reply(503, retry_after=after))) as server:
        async with (
            asyncio.timeout(PATIENCE),
            AsyncHTTPClient(capped, transport=transport) as client,
        ):
            await client.get(server.url)
        assert len(server.requests) == 2  # after the 0.2 s of max_delay
        async with (
            asyncio.timeout(PATIENCE),
            AsyncHTTPClient(transport=transport, timeout=5) as client,
        ):
            response = await client.get(server.url)
        assert response.status_code == 503  # at once: 60 s would be too late
        assert len(server.requests) == 3


@both
async def test_lost_connection_is_tried_again_if_that_does_no_harm(
    transport: str,
) -> None:
    def script(request: Received) -> Any:
        return reply(200, b"ok") if request.number else cut_off(request)

    async with (
        serving(script) as server,
        AsyncHTTPClient(FAST, transport=transport) as client,
    ):
        assert (await client.get(server.url)).content == b"ok"
    assert server.methods == ["GET", "GET"]


@both
@pytest.mark.parametrize("script", [cut_off, in_turn(reply(503)), truncated])
async def test_post_is_sent_once(transport: str, script: Script) -> None:
    async with (
        serving(script) as server,
        AsyncHTTPClient(FAST, transport=transport) as client,
    ):
        try:
            response = await client.post(server.url, json={})
            assert response.status_code == 503
        except httpx2.TransportError:
            pass
    assert server.methods == ["POST"]


@both
async def test_post_is_sent_again_if_told_so(transport: str) -> None:
    policy = RetryPolicy(2, 0.01, retry_methods={"post"})
    async with (
        serving(in_turn(reply(503), reply(200))) as server,
        AsyncHTTPClient(policy, transport=transport) as client,
    ):
        await client.post(server.url, content=b"twice")
    assert [request.body for request in server.requests] == [b"twice"] * 2


@both
async def test_refused_connection_is_tried_again_whatever_the_method(
    transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "truthound")
    address = f"http://127.0.0.1:{free_port()}/x"
    async with AsyncHTTPClient(FAST, transport=transport) as client:
        with pytest.raises(httpx2.ConnectError, match=f"POST {address}: "):
            await client.post(address)
    assert caplog.text.count("again in") == 3


@both
async def test_body_from_an_iterator_is_not_sent_again(transport: str) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    async with (
        serving(in_turn(reply(503))) as server,
        AsyncHTTPClient(FAST, transport=transport) as client,
    ):
        response = await client.put(server.url, content=parts())
    assert response.status_code == 503
    assert [request.body for request in server.requests] == [b"one two"]


# --- limits


@both
async def test_timeout_is_for_the_whole(transport: str) -> None:
    loop = asyncio.get_running_loop()
    for script in (silent, trickling):
        async with (
            serving(script) as server,
            AsyncHTTPClient(FAST, transport=transport, timeout=0.4) as client,
        ):
            begun = loop.time()
            with pytest.raises(
                RequestTimeoutError, match=r"GET http://127.*no answer within 0\.4 s"
            ) as caught:
                await client.get(server.url)
            assert loop.time() - begun < 2.5
        for kind in (TimeoutError, httpx2.TimeoutException, TruthoundError):
            assert isinstance(caught.value, kind)


@both
async def test_timeout_of_one_request(transport: str) -> None:
    async with (
        serving(silent) as server,
        AsyncHTTPClient(ONCE, transport=transport) as client,
    ):
        with pytest.raises(RequestTimeoutError, match=r"within 0\.2 s"):
            await client.get(server.url, timeout=0.2)
        with pytest.raises(httpx2.ReadTimeout):
            await client.get(server.url, timeout=httpx2.Timeout(0.2))


@both
async def test_silent_server_is_asked_again_in_time(transport: str) -> None:
    def script(request: Received) -> Any:
        return reply(200, b"ok") if request.number else silent(request)

    phases = httpx2.Timeout(0.3)
    async with (
        serving(script) as server,
        AsyncHTTPClient(
            FAST, timeout=PATIENCE, timeouts=phases, transport=transport
        ) as client,
    ):
        assert (await client.get(server.url)).content == b"ok"


@both
@pytest.mark.parametrize("is_declared", [True, False])
async def test_oversize_answer_is_not_taken_in(
    transport: str, is_declared: bool
) -> None:
    sent = 0

    async def script(_: Received) -> AsyncGenerator[bytes, None]:
        nonlocal sent
        head = f"Content-Length: {64 * 2**20}" if is_declared else "X-No: length"
        yield f"HTTP/1.1 200 OK\r\n{head}\r\nConnection: close\r\n\r\n".encode()
        for _ in range(1024):
            sent += 1
            yield bytes(64 * 1024)

    async with (
        serving(script) as server,
        AsyncHTTPClient(
            FAST, transport=transport, max_response_bytes=100_000
        ) as client,
    ):
        with pytest.raises(ResponseTooLargeError, match="max_response_bytes=100,000"):
            await client.get(server.url)
    assert sent < 512
    assert len(server.requests) == 1


@both
@pytest.mark.parametrize("layers", [1, 2, 20])
async def test_packed_answer_stops_at_its_limit(transport: str, layers: int) -> None:
    import tracemalloc

    packed = bytes(300 * 2**20)
    for _ in range(layers):
        packed = gzip.compress(packed, 1)
    name = ", ".join(["gzip"] * layers)
    async with (
        serving(in_turn(reply(200, packed, content_encoding=name))) as server,
        AsyncHTTPClient(ONCE, transport=transport, max_response_bytes=10**6) as client,
    ):
        del packed
        tracemalloc.start()
        try:
            with pytest.raises(ResponseTooLargeError):
                await client.get(server.url)
            assert tracemalloc.get_traced_memory()[1] < 40e6
        finally:
            tracemalloc.stop()


@both
async def test_packed_answer_is_unpacked(transport: str) -> None:
    packed = gzip.compress(b"plain " * 1000)
    async with (
        serving(in_turn(reply(200, packed, content_encoding="gzip"))) as server,
        AsyncHTTPClient(transport=transport) as client,
    ):
        assert (await client.get(server.url)).text == "plain " * 1000


@both
@pytest.mark.parametrize("script", [truncated, bad_chunk])
async def test_half_an_answer_is_an_error(transport: str, script: Script) -> None:
    async with (
        serving(script) as server,
        AsyncHTTPClient(FAST, transport=transport) as client,
    ):
        with pytest.raises(httpx2.TransportError, match="GET http://127"):
            await client.get(server.url)
    assert len(server.requests) == 4


# --- the breaker


@both
async def test_breaker_opens_for_a_dead_server(transport: str) -> None:
    breaker = CircuitBreaker(failure_threshold=3, recovery_timeout=60)
    async with (
        serving(in_turn(reply(500))) as server,
        AsyncHTTPClient(ONCE, breaker, transport=transport) as client,
    ):
        for _ in range(3):
            await client.get(server.url)
        for _ in range(5):
            with pytest.raises(CircuitOpenError, match="Circuit breaker is OPEN"):
                await client.get(server.url)
    assert len(server.requests) == 3


@both
async def test_timeouts_open_the_breaker_and_own_mistakes_do_not(
    transport: str,
) -> None:
    breaker = CircuitBreaker(failure_threshold=1)
    async with (
        serving(in_turn(reply(404))) as fine,
        serving(silent) as dead,
        AsyncHTTPClient(ONCE, breaker, timeout=0.2, transport=transport) as client,
    ):
        await client.get(fine.url, timeout=PATIENCE)
        with pytest.raises(httpx2.UnsupportedProtocol):
            await client.get("file:///etc/hosts")
        with pytest.raises(TypeError):
            await client.get(fine.url, jsno={})
        task = asyncio.create_task(client.get(dead.url, timeout=PATIENCE))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert breaker.state is CircuitState.CLOSED
        with pytest.raises(RequestTimeoutError):
            await client.get(dead.url)
        assert breaker.state is CircuitState.OPEN


@both
async def test_breaker_per_host_keeps_the_others_going(transport: str) -> None:
    async with (
        serving(in_turn(reply(500))) as dead,
        serving(in_turn(reply())) as alive,
        AsyncHTTPClient(
            ONCE,
            CircuitBreaker(failure_threshold=1),
            breaker_per_host=True,
            transport=transport,
        ) as client,
    ):
        await client.get(dead.url)
        with pytest.raises(CircuitOpenError):
            await client.get(dead.url)
        assert (await client.get(alive.url)).status_code == 200


# --- streams


@both
async def test_stream_in_either_way(transport: str) -> None:
    async def script(_: Received) -> AsyncGenerator[bytes, None]:
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc"
        await asyncio.sleep(0.05)
        yield b"def"

    async with (
        serving(script) as server,
        AsyncHTTPClient(transport=transport) as client,
    ):
        chunks = [chunk async for chunk in client.stream("GET", server.url)]
        assert chunks == [b"abc", b"def"]
        async with client.stream("GET", server.url) as response:
            assert response.status_code == 200
            assert b"".join([c async for c in response.aiter_bytes()]) == b"abcdef"


@both
async def test_stream_that_breaks_off_names_its_address(transport: str) -> None:
    async with (
        serving(truncated) as server,
        AsyncHTTPClient(ONCE, transport=transport) as client,
    ):
        with pytest.raises(httpx2.TransportError, match=f"GET {server.url}: "):
            _ = [chunk async for chunk in client.stream("GET", server.url)]


@both
async def test_stream_left_early_closes_its_connection(transport: str) -> None:
    async with (
        serving(trickling) as server,
        AsyncHTTPClient(transport=transport, max_connections=1) as client,
        asyncio.timeout(PATIENCE),
    ):
        for _ in range(3):
            async with client.stream("GET", server.url) as response:
                async for _ in response.aiter_bytes():
                    break


@both
async def test_stream_of_a_fault_page_is_an_error(transport: str) -> None:
    async with (
        serving(in_turn(reply(404, b"<html>"))) as server,
        AsyncHTTPClient(ONCE, transport=transport) as client,
    ):
        with pytest.raises(httpx2.HTTPStatusError):
            _ = [chunk async for chunk in client.stream("GET", server.url)]
        async with client.stream("GET", server.url) as response:
            assert response.status_code == 404


# --- cancellation


@both
async def test_cancelled_requests_do_not_use_up_the_pool(transport: str) -> None:
    async def script(request: Received) -> AsyncGenerator[bytes, None]:
        await asyncio.sleep(0.004)
        yield reply(200, b"x" * 1000)

    loop = asyncio.get_running_loop()
    async with (
        serving(script) as server,
        AsyncHTTPClient(ONCE, transport=transport, max_connections=4) as client,
    ):
        end = loop.time() + 1.0

        async def churn(number: int) -> None:
            step = number
            while loop.time() < end:
                step = (step * 7 + 3) % 13
                task = asyncio.create_task(client.get(server.url))
                await asyncio.sleep(step / 1000)
                task.cancel()
                await asyncio.wait([task])

        await asyncio.gather(*(churn(number) for number in range(8)))
        async with asyncio.timeout(PATIENCE):
            for _ in range(5):
                assert (await client.get(server.url)).status_code == 200


# --- every kind of bad server in turn


@both
async def test_nemesis(transport: str) -> None:
    """A server goes through all that is bad; each request ends well and once."""
    misdeeds: list[Any] = [
        cut_off,
        truncated,
        bad_chunk,
        silent,
        trickling,
        in_turn(reply(500)),
        in_turn(reply(429, retry_after="0")),
        in_turn(reply(429, retry_after="Fri, 20 Nov 2026 00:00:00 GMT")),
        in_turn(reply(503, retry_after="1000000000")),
    ]
    rounds = 2

    def script(request: Received) -> Any:
        if request.number < rounds * len(misdeeds):
            return misdeeds[request.number % len(misdeeds)](request)
        return reply(200, b"well")

    policy = RetryPolicy(50, 0.01, max_delay=0.1)
    async with serving(script) as server:
        client = AsyncHTTPClient(
            policy, timeout=PATIENCE, timeouts=httpx2.Timeout(0.3), transport=transport
        )
        async with client, asyncio.timeout(2 * PATIENCE):
            # No limit of its own holds for the trickle but the whole; give it less.
            sent = 0
            while True:
                try:
                    response = await client.get(server.url, timeout=1.5)
                except httpx2.HTTPError:
                    assert len(server.requests) > sent
                    sent = len(server.requests)
                    continue
                if response.status_code == 200:
                    break
        assert response.content == b"well"
        number = len(server.requests)
        await asyncio.sleep(0.3)
        assert len(server.requests) == number  # one success ends it


# --- what is told, and to whom


@both
async def test_secrets_are_told_to_nobody(
    transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    recorded = Recorded()
    policy = RetryPolicy(1, 0.01)
    async with (
        serving(cut_off) as server,
        AsyncHTTPClient(
            policy, transport=transport, base_url="http://u:canary-1@h.test/"
        ) as client,
    ):
        told = [repr(client)]
        host = server.url.removeprefix("http://")
        for url in (
            f"http://me:canary-2@{host}/x?token=canary-3",
            f"{server.url}/bot12:canary-4/sendMessage",
        ):
            with pytest.raises(httpx2.TransportError) as caught:
                await client.get(url, headers={"Authorization": "Bearer canary-5"})
            told += [str(caught.value), repr(caught.value)]
        told += [span.to_json() for span in recorded.spans]
    async with (
        serving(in_turn(reply())) as server,
        AsyncHTTPClient(transport=transport) as client,
    ):
        await client.get(f"http://me:canary-6@{server.url.removeprefix('http://')}/")
    assert "canary" not in "\n".join([*told, caplog.text])
    assert "***" in told[1]


@both
async def test_requests_are_spans_and_are_measured(transport: str) -> None:
    recorded = Recorded()
    async with (
        serving(in_turn(reply(503), reply(200))) as server,
        AsyncHTTPClient(FAST, transport=transport) as client,
    ):
        await client.get(server.url)
    span = recorded.span("http.request")
    assert span.attributes == {
        "http.request.method": "GET",
        "url.full": server.url,
        "http.request.resend_count": 1,
        "http.response.status_code": 200,
    }
    assert recorded.total("truthound.http.retries", method="GET") == 1
    duration = "http.client.request.duration"
    assert recorded.total(duration, **{"http.response.status_code": 200}) == 1


# --- arguments


@both
@pytest.mark.parametrize(
    "url", ["http://host:port/", "", "http://", "http://127.0.0.1:99999/"]
)
async def test_what_is_no_address_is_named(transport: str, url: str) -> None:
    async with AsyncHTTPClient(transport=transport) as client:
        with pytest.raises(httpx2.UnsupportedProtocol, match="GET "):
            await client.get(url)


async def test_unknown_option_suggests_the_nearest() -> None:
    async with AsyncHTTPClient() as client:
        with pytest.raises(TypeError, match="no option 'jsno', did you mean 'json'"):
            await client.get("http://127.0.0.1/", jsno={})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": 0}, "timeout=0"),
        ({"timeout": "3"}, "timeout='3'"),
        ({"max_connections": 0}, "max_connections=0"),
        ({"max_redirects": -1}, "max_redirects=-1"),
        ({"max_response_bytes": 0}, "max_response_bytes=0"),
        ({"breaker_per_host": True}, "needs a circuit_breaker"),
        ({"transport": "requests"}, "transport='requests': expected 'httpx2'"),
        ({"block_private": True, "proxy": "http://p:1"}, "contradict each other"),
    ],
)
def test_option_out_of_range_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        AsyncHTTPClient(**options)


async def test_defaults_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert (AsyncHTTPClient().timeout, AsyncHTTPClient().max_connections) == (30, 100)
    monkeypatch.setenv("SPECIFY_ASYNC_TIMEOUT", "2")
    monkeypatch.setenv("SPECIFY_ASYNC_POOL_SIZE", "5")
    monkeypatch.setenv("SPECIFY_ASYNC_RETRY_MAX", "1")
    client = AsyncHTTPClient()
    assert (client.timeout, client.max_connections) == (2, 5)
    assert client.retry_policy.max_retries == 1
    assert AsyncHTTPClient(timeout=None).timeout is None


@both
def test_works_with_uvloop(transport: str) -> None:
    async def main() -> bytes:
        async with (
            serving(in_turn(reply(503), reply(200, b"ok"))) as server,
            AsyncHTTPClient(FAST, transport=transport) as client,
        ):
            return (await client.get(server.url)).content

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()) == b"ok"
