"""Where requests may go, and what they take along."""

from __future__ import annotations

import asyncio
import datetime
import ssl
import subprocess
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from scripted_server import Received, reply, serving
from truthound.async_core import AsyncHTTPClient, RetryPolicy
from truthound.async_core._http_guard import Guard
from truthound.async_core.http import AddressBlockedError
from truthound.errors import ConfigurationError

ONCE = RetryPolicy(max_retries=0)
SECRETS = {
    "Authorization": "Bearer canary",
    "Cookie": "session=canary",
    "X-Api-Key": "canary",
    "X-Auth-Token": "canary",
    "Proxy-Authorization": "canary",
    "X-Plain": "kept",
}

both = pytest.mark.parametrize("transport", ["httpx2", "aiohttp"])


def to(location: str, status: int = 302) -> Any:
    return lambda _: reply(status, location=location)


# --- redirects


@both
async def test_redirect_is_not_followed_unless_asked(transport: str) -> None:
    async with (
        serving(to("/there")) as server,
        AsyncHTTPClient(transport=transport) as client,
    ):
        response = await client.get(server.url)
    assert response.status_code == 302
    assert len(server.requests) == 1


@both
@pytest.mark.parametrize("of_client", [True, False])
async def test_redirect_is_followed_when_asked(transport: str, of_client: bool) -> None:
    def script(request: Received) -> bytes:
        return reply(200, b"there") if request.number else reply(302, location="/b")

    async with (
        serving(script) as server,
        AsyncHTTPClient(transport=transport, follow_redirects=of_client) as client,
    ):
        options = {} if of_client else {"follow_redirects": True}
        response = await client.get(server.url, headers=SECRETS, **options)
    assert response.content == b"there"
    assert [past.status_code for past in response.history] == [302]
    assert server.requests[1].headers["authorization"] == "Bearer canary"  # same origin


@both
async def test_redirect_takes_no_credentials_to_another_origin(transport: str) -> None:
    async with (
        serving(lambda _: reply(200, b"there")) as other,
        serving(to(f"{other.url}/x", 307)) as server,
        AsyncHTTPClient(
            transport=transport,
            follow_redirects=True,
            auth=("me", "canary"),
            cookies={"all": "canary"},
        ) as client,
    ):
        await client.post(server.url, headers=SECRETS, content=b"body")
    (arrived,) = other.requests
    assert arrived.body == b"body"
    assert arrived.headers["x-plain"] == "kept"
    assert "canary" not in str(arrived.headers)
    assert "canary" in str(server.requests[0].headers)


@both
async def test_redirects_without_end_are_an_error(transport: str) -> None:
    async with (
        serving(to("/again")) as server,
        AsyncHTTPClient(
            transport=transport, follow_redirects=True, max_redirects=4
        ) as client,
    ):
        with pytest.raises(httpx2.TooManyRedirects, match="max_redirects=4"):
            await client.get(server.url)
    assert len(server.requests) == 5


@both
@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/hosts",
        "ftp://127.0.0.1/x",
        "gopher://127.0.0.1/x",
        "data:text/plain,x",
        "javascript:alert(1)",
        "127.0.0.1/x",
        "http:///x",
    ],
)
async def test_other_schemes_are_refused(transport: str, url: str) -> None:
    async with AsyncHTTPClient(transport=transport, follow_redirects=True) as client:
        with pytest.raises(httpx2.UnsupportedProtocol):
            await client.get(url)
        async with serving(to(url)) as server:
            if "://" in url and not url.startswith("http"):
                with pytest.raises(httpx2.UnsupportedProtocol, match="expected an add"):
                    await client.get(server.url)


# --- addresses


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
    ],
)
def test_address_that_is_not_public_is_blocked(address: str) -> None:
    assert not Guard().allows("name.test", address)


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "8.8.8.8"]
)
def test_public_address_is_allowed(address: str) -> None:
    assert Guard().allows("name.test", address)


@pytest.mark.parametrize("entry", ["name.test", "10.1.2.3", "10.0.0.0/8", "NAME.test."])
def test_allowed_hosts_are_names_addresses_and_networks(entry: str) -> None:
    guard = Guard([entry])
    assert guard.allows("name.test", "10.1.2.3")
    assert not guard.allows("other.test", "192.168.0.1")
    with pytest.raises(ConfigurationError, match="an entry is empty"):
        Guard([""])


@both
@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "[::1]", "[::ffff:7f00:1]"],
)
async def test_loopback_is_blocked_however_it_is_written(
    transport: str, host: str
) -> None:
    async with serving(lambda _: reply()) as server:
        port = server.url.rpartition(":")[2]
        async with AsyncHTTPClient(
            ONCE, transport=transport, block_private=True
        ) as client:
            # What is no canonical address, aiohttp does not even look up.
            with pytest.raises((AddressBlockedError, httpx2.UnsupportedProtocol)):
                await client.get(f"http://{host}:{port}/")
    assert server.requests == []


@both
async def test_redirect_to_a_blocked_address(transport: str) -> None:
    async with (
        serving(lambda _: reply(200, b"secret")) as inside,
        serving(to(inside.url.replace("127.0.0.1", "localhost"))) as server,
        AsyncHTTPClient(
            ONCE,
            transport=transport,
            block_private=True,
            allowed_hosts=["127.0.0.1"],
            follow_redirects=True,
            resolver=Names({"localhost": ["::ffff:10.0.0.1"]}),
        ) as client,
    ):
        with pytest.raises(AddressBlockedError, match="localhost leads to"):
            await client.get(server.url)
        assert inside.requests == []


class Names:
    """A resolver that gives each of a name's answers in turn."""

    def __init__(self, answers: dict[str, list[str]]) -> None:
        self.answers = answers
        self.asked = 0

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked += 1
        answers = self.answers.get(host, [host])
        return [answers.pop(0) if len(answers) > 1 else answers[0]]


@both
async def test_address_that_was_looked_at_is_the_one_connected_to(
    transport: str,
) -> None:
    names = Names({"rebinding.test": ["127.0.0.1", "10.9.9.9"]})
    async with (
        serving(lambda _: reply(200, b"ok")) as server,
        AsyncHTTPClient(
            ONCE,
            transport=transport,
            block_private=True,
            allowed_hosts=["127.0.0.0/8"],
            resolver=names,
        ) as client,
    ):
        port = server.url.rpartition(":")[2]
        response = await client.get(f"http://rebinding.test:{port}/")
        assert response.content == b"ok"
        assert names.asked == 1
    assert server.requests[0].headers["host"] == f"rebinding.test:{port}"

    changed = Names({"rebinding.test": ["10.9.9.9"]})
    async with AsyncHTTPClient(
        ONCE, transport=transport, block_private=True, resolver=changed
    ) as client:
        with pytest.raises(AddressBlockedError, match=r"leads to 10\.9\.9\.9"):
            await client.get("http://rebinding.test/")


@both
async def test_proxy_of_the_environment(
    transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(lambda _: reply(200, b"by proxy")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        async with AsyncHTTPClient(ONCE, transport=transport) as client:
            response = await client.get("http://data.test/x")
        assert response.content == b"by proxy"
        assert proxy.requests[0].target == "http://data.test/x"
        async with AsyncHTTPClient(
            ONCE,
            transport=transport,
            block_private=True,
            resolver=Names({"data.test": ["10.0.0.1"]}),
        ) as client:
            with pytest.raises(AddressBlockedError):
                await client.get("http://data.test/x")
        assert len(proxy.requests) == 1


# --- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    both_in_one = folder / "server.pem"
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    subprocess.run(
        [*command.split(), "-keyout", str(key), "-out", str(cert)],
        check=True,
        capture_output=True,
    )
    both_in_one.write_bytes(key.read_bytes() + cert.read_bytes())
    return both_in_one


@both
async def test_server_that_nobody_vouches_for_is_refused(
    transport: str, certificate: Path, caplog: pytest.LogCaptureFixture
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    async def script(_: Received) -> AsyncGenerator[bytes, None]:
        yield reply(200, b"ok")

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)  # of handshakes that the client broke
    async with serving(script, tls=context) as server:
        begun = datetime.datetime.now(datetime.UTC)
        async with AsyncHTTPClient(
            RetryPolicy(5, 5), transport=transport, timeout=60
        ) as client:
            with pytest.raises(httpx2.ConnectError, match=r"(?i)certificate"):
                await client.get(server.url)
        took = datetime.datetime.now(datetime.UTC) - begun
        assert took.total_seconds() < 5  # not tried again
        assert "verify=False" not in caplog.text
        async with AsyncHTTPClient(ONCE, transport=transport, verify=False) as client:
            assert (await client.get(server.url)).content == b"ok"
        assert "servers are not asked who they are" in caplog.text
        await asyncio.sleep(0.05)
