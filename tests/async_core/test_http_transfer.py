"""Downloads, uploads and batches."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from scripted_server import RESET, Received, Script, free_port, reply, serving
from truthound.async_core import (
    AsyncHTTPClient,
    RetryPolicy,
    async_batch_requests,
    async_download,
    async_upload,
)
from truthound.async_core.http import DownloadError, RequestTimeoutError
from truthound.errors import ConfigurationError, UnsafePathError

PATIENCE = 20  # seconds, until something counts as hanging
CONTENT = bytes(range(256)) * 2000
FAST = RetryPolicy(max_retries=3, backoff_factor=0.01)

both = pytest.mark.parametrize("transport", ["httpx2", "aiohttp"])


def old(folder: Path) -> Path:
    path = folder / "file.bin"
    path.write_text("old")
    return path


def only(folder: Path) -> bool:
    return [p.name for p in folder.iterdir() if p.name != "cwd"] == ["file.bin"]


def served(request: Received, **headers: Any) -> bytes:
    """Answer as a file server that can give parts."""
    wanted = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
    if wanted is None:
        return reply(200, CONTENT, **headers)
    first = int(wanted[1])
    span = f"bytes {first}-{len(CONTENT) - 1}/{len(CONTENT)}"
    return reply(206, CONTENT[first:], content_range=span, **headers)


def breaking(after: int, times: int, **headers: Any) -> Script:
    """Cut the first answers off after so many bytes of their bodies."""

    async def script(request: Received) -> AsyncGenerator[bytes, None]:
        answer = served(request, **headers)
        if request.number < times:
            head, _, body = answer.partition(b"\r\n\r\n")
            yield head + b"\r\n\r\n" + body[:after]
            await asyncio.sleep(0.05)
            yield RESET
        else:
            yield answer

    return script


@both
async def test_download_replaces_the_file(tmp_path: Path, transport: str) -> None:
    told: list[tuple[int, int | None]] = []

    async def later(done: int, total: int | None) -> None:
        told.append((done, total))

    path = old(tmp_path)
    async with (
        serving(served) as server,
        AsyncHTTPClient(transport=transport) as client,
    ):
        for progress in (lambda *args: told.append(args), later):
            got = await async_download(
                server.url, str(path), 100_000, client, progress=progress
            )
            assert got == path
            assert path.read_bytes() == CONTENT
            assert told[-1] == (len(CONTENT), len(CONTENT))
            assert [done for done, _ in told] == sorted(done for done, _ in told)
            assert len(told) >= 2
            told.clear()
    assert only(tmp_path)
    assert server.requests[0].headers["accept-encoding"] == "identity"


async def test_download_with_a_client_of_its_own(tmp_path: Path) -> None:
    async with serving(served) as server:
        await async_download(server.url, tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


@both
@pytest.mark.parametrize("status", [404, 410, 500])
async def test_error_page_does_not_replace_the_file(
    tmp_path: Path, transport: str, status: int
) -> None:
    path = old(tmp_path)
    async with (
        serving(lambda _: reply(status, b"<html>sorry</html>")) as server,
        AsyncHTTPClient(FAST, transport=transport) as client,
    ):
        with pytest.raises(httpx2.HTTPStatusError, match=str(status)) as caught:
            await async_download(f"{server.url}?token=canary", path, client=client)
    assert path.read_text() == "old"
    assert only(tmp_path)
    assert "canary" not in str(caught.value)


@both
async def test_download_goes_on_where_it_stopped(
    tmp_path: Path, transport: str
) -> None:
    path = old(tmp_path)
    digest = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
    async with (
        serving(breaking(100_000, 4, etag='"1"')) as server,
        AsyncHTTPClient(
            RetryPolicy(1, 0.01), transport=transport
        ) as client,  # one retry, four times: each brings something new
        asyncio.timeout(PATIENCE),
    ):
        await async_download(server.url, path, 10_000, client, digest=digest)
    assert path.read_bytes() == CONTENT
    ranges = [request.headers.get("range") for request in server.requests]
    assert ranges[0] is None
    assert all(ranges[1:])
    assert server.requests[1].headers["if-range"] == '"1"'


@both
async def test_file_that_changed_meanwhile_is_taken_anew(
    tmp_path: Path, transport: str
) -> None:
    async def script(request: Received) -> AsyncGenerator[bytes, None]:
        if request.number == 0:
            yield reply(200, b"a" * 1000, etag='"1"')[:-500]
            await asyncio.sleep(0.05)
            yield RESET
        else:
            yield reply(200, b"b" * 10, etag='"2"')  # If-Range did not match

    async with (
        serving(script) as server,
        AsyncHTTPClient(FAST, transport=transport) as client,
    ):
        digest = "md5:" + hashlib.md5(b"b" * 10).hexdigest()
        path = await async_download(
            server.url, tmp_path / "x", client=client, digest=digest
        )
    assert path.read_bytes() == b"b" * 10


@both
@pytest.mark.parametrize("way", ["for ever", "no part", "digest", "large", "endless"])
async def test_what_is_not_the_file_does_not_replace_it(
    tmp_path: Path, transport: str, way: str
) -> None:
    async def endless(_: Received) -> AsyncGenerator[bytes, None]:
        yield b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
        while True:
            yield bytes(10_000)

    def wrong_part(request: Received) -> Any:
        if request.number == 0:
            return breaking(1000, 1)(request)
        return reply(206, CONTENT[5:], content_range=f"bytes 5-9/{len(CONTENT)}")

    script: Any = {
        "for ever": breaking(1, 10**6),
        "no part": wrong_part,
        "endless": endless,
    }.get(way, served)
    options: dict[str, Any] = {
        "digest": {"digest": "sha256:" + "0" * 64},
        "large": {"max_bytes": 1000},
        "endless": {"max_bytes": 1_000_000},
        "for ever": {"chunk_size": 10**6},
    }.get(way, {})
    path = old(tmp_path)
    policy = RetryPolicy(1, 0.01, deadline=1.0)
    async with (
        serving(script) as server,
        AsyncHTTPClient(policy, transport=transport) as client,
        asyncio.timeout(PATIENCE),
    ):
        if way == "for ever":

            async def once(request: Received) -> AsyncGenerator[bytes, None]:
                yield b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
                yield RESET

            server.script = once
        with pytest.raises(DownloadError, match="http://127"):
            await async_download(server.url, path, client=client, **options)
    assert path.read_text() == "old"
    assert only(tmp_path)


@pytest.mark.parametrize("after", range(0, 24, 2))
async def test_cancelled_download_leaves_the_file(tmp_path: Path, after: int) -> None:
    path = old(tmp_path)
    async with serving(served) as server:
        task = asyncio.create_task(async_download(server.url, path, 1000))
        for _ in range(after):
            await asyncio.sleep(0.002)
        task.cancel()
        await asyncio.wait([task])
    assert path.read_bytes() in {b"old", CONTENT}
    assert path.read_bytes() == b"old" or not task.cancelled() or after > 0
    assert only(tmp_path)


@both
async def test_silent_server_does_not_hold_up_a_download(
    tmp_path: Path, transport: str
) -> None:
    async def silent(_: Received) -> AsyncGenerator[bytes, None]:
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"
        await asyncio.Event().wait()

    path = old(tmp_path)
    async with (
        serving(silent) as server,
        AsyncHTTPClient(
            RetryPolicy(max_retries=0), timeout=0.3, transport=transport
        ) as client,
        asyncio.timeout(PATIENCE),
    ):
        with pytest.raises((DownloadError, RequestTimeoutError)):
            await async_download(server.url, path, client=client)
    assert path.read_text() == "old"


async def test_download_stays_in_its_root_and_knows_its_digests(tmp_path: Path) -> None:
    async with serving(served) as server:
        for name in ("../../x", "/etc/x"):
            with pytest.raises(UnsafePathError):
                await async_download(server.url, name, root=tmp_path / "root")
        with pytest.raises(ConfigurationError, match="digest='sha1024:7'"):
            await async_download(server.url, tmp_path / "x", digest="sha1024:7")
        assert server.requests == []


# --- uploads


@both
async def test_upload_as_a_form(tmp_path: Path, transport: str) -> None:
    path = tmp_path / 'a "quoted".csv'
    path.write_bytes(CONTENT)
    told: list[Any] = []
    async with (
        serving(lambda _: reply(201, b"done")) as server,
        AsyncHTTPClient(transport=transport) as client,
    ):
        response = await async_upload(
            server.url, path, client, progress=lambda *args: told.append(args)
        )
    assert response.status_code == 201
    (request,) = server.requests
    kind = request.headers["content-type"]
    mark = kind.removeprefix("multipart/form-data; boundary=").encode()
    head, _, rest = request.body.partition(b"\r\n\r\n")
    assert head.startswith(b"--" + mark)
    assert b'name="file"; filename="a %22quoted%22.csv"' in head
    assert rest == CONTENT + b"\r\n--" + mark + b"--\r\n"
    assert "transfer-encoding" not in request.headers
    assert told[-1] == (len(CONTENT), len(CONTENT))


@both
async def test_upload_as_the_body_is_sent_again(tmp_path: Path, transport: str) -> None:
    path = tmp_path / "data"
    path.write_bytes(CONTENT)
    async with (
        serving(lambda r: reply(200 if r.number else 503)) as server,
        AsyncHTTPClient(FAST, transport=transport) as client,
    ):
        response = await async_upload(
            server.url, path, client, method="PUT", field=None, headers={"X-A": "1"}
        )
    assert response.status_code == 200
    assert [request.body for request in server.requests] == [CONTENT] * 2
    assert server.requests[1].headers["x-a"] == "1"


async def test_upload_of_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await async_upload("http://127.0.0.1:9/", tmp_path / "missing")
    with pytest.raises(IsADirectoryError):
        await async_upload("http://127.0.0.1:9/", tmp_path)


# --- batches


@both
async def test_dead_host_does_not_lose_the_answers_of_the_others(
    transport: str,
) -> None:
    dead = f"http://127.0.0.1:{free_port()}/"

    def script(request: Received) -> bytes:
        return reply(200, request.target.encode())

    async with (
        serving(script) as server,
        AsyncHTTPClient(FAST, transport=transport) as client,
    ):
        urls = [f"{server.url}/{n}" for n in range(8)]
        urls.insert(3, dead)
        found = await async_batch_requests(urls, client=client)
    assert isinstance(found[3], httpx2.ConnectError)
    good = [answer for answer in found if isinstance(answer, httpx2.Response)]
    assert [answer.text for answer in good] == [f"/{n}" for n in range(8)]


async def test_batch_keeps_to_its_limit_and_passes_options_on() -> None:
    running = peak = 0

    async def script(request: Received) -> AsyncGenerator[bytes, None]:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0.01)
        running -= 1
        yield reply(200, request.body)

    async with serving(script) as server:
        urls = (server.url for _ in range(12))
        found = await async_batch_requests(urls, 3, "PUT", content=b"x")
        with pytest.raises(ConfigurationError, match="max_concurrent=0"):
            await async_batch_requests([], 0)
    assert peak == 3
    assert [answer.content for answer in found if isinstance(answer, httpx2.Response)]
    assert len(found) == 12
    assert await async_batch_requests([]) == []


async def test_batch_keeps_even_what_is_no_address() -> None:
    found = await async_batch_requests(["nonsense", "file:///etc/hosts"])
    assert all(isinstance(answer, httpx2.UnsupportedProtocol) for answer in found)
