"""Files over HTTP, and many requests at once."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import inspect
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import httpx2

from truthound import telemetry
from truthound.async_core._disk import AnyPath, as_path, on_disk, open_to_read
from truthound.async_core._file_write import Target
from truthound.async_core._http_client import AsyncHTTPClient
from truthound.async_core._http_errors import DownloadError, raise_for_status
from truthound.async_core._limit import check_count
from truthound.async_core.runner import AsyncRunner
from truthound.errors import ConfigurationError
from truthound.secrets import without_password

# Told how many bytes there are so far, and how many there will be (None: unknown).
Progress = Callable[[int, int | None], Any]

PIECE = 2**20  # bytes for one hop to a thread


async def async_download(
    url: str,
    path: AnyPath,
    chunk_size: int = PIECE,
    client: AsyncHTTPClient | None = None,
    *,
    digest: str | None = None,
    max_bytes: int | None = None,
    progress: Progress | None = None,
    root: AnyPath | None = None,
    headers: dict[str, str] | None = None,
) -> Path:
    """Download a file: it appears whole, or what was there stays.

    Redirects are followed. When the connection is lost, the download goes on where it
    stopped, as often as the client's retry policy allows without anything new coming;
    it begins anew if the server cannot give a part, or the file has changed meanwhile.
    The client's ``timeout`` is for each answer to begin, and for each piece of it.

    Args:
        url: what to download.
        path: where to.
        chunk_size: bytes that are gathered before they are written.
        client: None: one for this download.
        digest: what the content must have, as ``"sha256:<hexadecimal>"``; any
            algorithm of ``hashlib``.
        max_bytes: the largest file to accept.
        progress: called with the bytes so far and the bytes in all; either kind of
            function.
        root: a folder that the path has to stay in, links followed.
        headers: of the request.

    Returns:
        The path.

    Raises:
        httpx2.HTTPStatusError: the answer is an error page.
        DownloadError: the content is too short, too long or has another digest.
        httpx2.RequestError: no answer, or not to its end.
        OSError: the file cannot be written.
        ConfigurationError: there is no such digest.
    """
    check_count("chunk_size", chunk_size)
    download = _Download(url, digest, max_bytes, progress)
    target = Target(as_path(path), "w", root)
    try:
        await on_disk(target.open)
        async with _borrowed(client) as sender:
            with telemetry.span("http.download", url=url):
                await download.run(sender, target, chunk_size, dict(headers or {}))
        await on_disk(target.finish)
    finally:
        await on_disk(target.abandon)  # unless it has its place
    return as_path(path)


async def async_upload(
    url: str,
    path: AnyPath,
    client: AsyncHTTPClient | None = None,
    *,
    method: str = "POST",
    field: str | None = "file",
    progress: Progress | None = None,
    **options: Any,
) -> httpx2.Response:
    """Upload a file, read bit by bit, and return the answer.

    Args:
        url: where to.
        path: a regular file.
        client: None: one for this upload.
        method: ``"PUT"`` may be sent again after a lost connection.
        field: its name in a form (``multipart/form-data``); None: the file is the body.
        progress: called with the bytes read so far and the bytes in all.
        **options: of :meth:`AsyncHTTPClient.request`.

    Raises:
        OSError: the file cannot be read, or became shorter meanwhile.
        httpx2.RequestError: as of a request. An answer of 400 or more is returned.
    """
    source = as_path(path)
    size = await on_disk(partial(_size, source))
    body = _FileBody(source, size, field, progress)
    headers = {**body.headers, **options.pop("headers", {})}
    async with _borrowed(client) as sender:
        return await sender.request(
            method, url, content=body, headers=headers, **options
        )


async def async_batch_requests(
    urls: Iterable[str],
    max_concurrent: int = 10,
    method: str = "GET",
    client: AsyncHTTPClient | None = None,
    **options: Any,
) -> list[httpx2.Response | Exception]:
    """Send many requests and return what came of each, in their order.

    A request that fails has its exception in its place; the others are not affected.

    Args:
        urls: the addresses; an iterator is read as requests are sent.
        max_concurrent: requests under way at once.
        method: of all of them.
        client: None: one for this batch.
        **options: of :meth:`AsyncHTTPClient.request`, for all of them.

    Raises:
        ConfigurationError: ``max_concurrent`` is less than 1.
    """
    check_count("max_concurrent", max_concurrent)
    runner = AsyncRunner(max_concurrent)
    async with _borrowed(client, max_connections=max_concurrent) as sender:
        requests = (sender.request(method, url, **options) for url in urls)
        return await runner.gather(requests, return_exceptions=True)  # type: ignore[return-value] # never BaseException


@contextlib.asynccontextmanager
async def _borrowed(
    client: AsyncHTTPClient | None, **options: Any
) -> AsyncIterator[AsyncHTTPClient]:
    if client is not None:
        yield client
        return
    async with AsyncHTTPClient(**options) as own:
        yield own


class _Download:
    """What has come of a file so far."""

    def __init__(
        self,
        url: str,
        digest: str | None,
        max_bytes: int | None,
        progress: Progress | None,
    ) -> None:
        self._url = url
        self._algorithm, self._digest = _parsed(digest)
        self._max_bytes = max_bytes
        self._progress = progress
        self._received = 0
        self._total: int | None = None
        self._version = ""  # of the file, as the server names it
        self._hash = self._new_hash()

    async def run(
        self,
        client: AsyncHTTPClient,
        target: Target,
        chunk_size: int,
        headers: dict[str, str],
    ) -> None:
        """Receive all of it."""
        # Packed, neither lengths nor parts would be those of the file.
        headers.setdefault("Accept-Encoding", "identity")
        tries = 0
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while True:
            before = self._received
            try:
                await self._receive(client, target, chunk_size, headers)
                break
            except _Cut as error:
                if self._received > before:
                    tries, begun = 0, loop.time()
                delay = client.retry_policy.wait(tries, loop.time() - begun)
                if delay is None:
                    raise self._failed(str(error)) from error
            tries += 1
            await asyncio.sleep(delay)
        if self._hash is not None and self._hash.hexdigest() != self._digest:
            raise self._failed(
                f"expected {self._algorithm} {self._digest}, "
                f"got {self._hash.hexdigest()}"
            )

    async def _receive(
        self,
        client: AsyncHTTPClient,
        target: Target,
        chunk_size: int,
        headers: dict[str, str],
    ) -> None:
        if self._received:
            headers = {
                **headers,
                "Range": f"bytes={self._received}-",
                **({"If-Range": self._version} if self._version else {}),
            }
        async with client.stream(
            "GET", self._url, headers=headers, follow_redirects=True
        ) as response:
            raise_for_status(response)
            await self._begin(response, target)
            held: list[bytes] = []
            length = 0
            try:
                async for chunk in response.aiter_bytes():
                    held.append(chunk)
                    length += len(chunk)
                    if length >= chunk_size:
                        await self._keep(held, target)
                        held, length = [], 0
            except httpx2.TransportError as error:
                if held:
                    await self._keep(held, target)
                raise _Cut(str(error) or type(error).__name__) from error
            if held:
                await self._keep(held, target)
        if self._total is not None and self._received < self._total:
            raise _Cut(f"it ended after {self._received:,} of {self._total:,} bytes")

    async def _begin(self, response: httpx2.Response, target: Target) -> None:
        """Find out what the answer holds: all of it, or what is missing."""
        if response.status_code not in {200, 206}:
            raise self._failed(f"status {response.status_code} instead of a file")
        headers = response.headers
        if response.status_code == 206:
            first, total = _range(headers.get("content-range", ""))
            if first != self._received:
                raise self._failed(f"asked from {self._received}, got from {first}")
            self._total = total
            return
        if self._received:
            await on_disk(target.empty)
            self._received, self._hash = 0, self._new_hash()
        length = headers.get("content-length", "")
        is_plain = headers.get("content-encoding", "identity") == "identity"
        self._total = int(length) if length.isdigit() and is_plain else None
        tag = headers.get("etag", "")
        # RFC 9110, 13.1.5: a weak tag is no proof that the bytes are the same.
        is_weak = tag.startswith("W/")
        self._version = "" if is_weak else tag or headers.get("last-modified", "")
        if self._max_bytes is not None and (self._total or 0) > self._max_bytes:
            raise self._failed(
                f"it has {self._total:,} bytes, more than max_bytes={self._max_bytes:,}"
            )

    async def _keep(self, chunks: list[bytes], target: Target) -> None:
        content = b"".join(chunks)
        most = self._max_bytes
        if most is not None and self._received + len(content) > most:
            raise self._failed(f"it goes on after max_bytes={most:,}")

        def work() -> None:
            target.write(content)
            if self._hash is not None:
                self._hash.update(content)

        await on_disk(work)
        self._received += len(content)
        await _tell(self._progress, self._received, self._total)

    def _new_hash(self) -> Any:
        return hashlib.new(self._algorithm) if self._algorithm else None

    def _failed(self, why: str) -> DownloadError:
        name = without_password(self._url)
        return DownloadError(
            f"{name}: {without_password(why).removeprefix(f'GET {name}: ')}"
        )


class _Cut(Exception):  # noqa: N818 - never leaves this module
    """The body ended before its end."""


class _FileBody:
    """The body of an upload, read anew each time it is sent."""

    can_repeat = True

    def __init__(
        self, path: Path, size: int, field: str | None, progress: Progress | None
    ) -> None:
        self._path = path
        self._size = size
        self._progress = progress
        self._head = self._tail = b""
        kind = "application/octet-stream"
        if field is not None:
            mark = secrets.token_hex(16)
            self._head = (
                f"--{mark}\r\nContent-Disposition: form-data; "
                f'name="{_quoted(field)}"; filename="{_quoted(path.name)}"\r\n'
                f"Content-Type: {kind}\r\n\r\n"
            ).encode()
            self._tail = f"\r\n--{mark}--\r\n".encode()
            kind = f"multipart/form-data; boundary={mark}"
        length = len(self._head) + size + len(self._tail)
        self.headers = {"Content-Type": kind, "Content-Length": str(length)}

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._head:
            yield self._head
        pieces = _pieces(self._path, self._size)
        sent = 0
        try:
            while piece := await on_disk(partial(next, pieces, b"")):
                yield piece
                sent += len(piece)
                await _tell(self._progress, sent, self._size)
        finally:
            await on_disk(pieces.close)
        if self._tail:
            yield self._tail


def _pieces(path: Path, size: int) -> Any:
    with os.fdopen(open_to_read(path), "rb") as file:
        while size:
            piece = file.read(min(PIECE, size))
            if not piece:
                raise OSError(f"{path}: it became shorter while it was sent")
            size -= len(piece)
            yield piece


def _size(path: Path) -> int:
    descriptor = open_to_read(path)
    try:
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


def _quoted(name: str) -> str:
    # As browsers do: WHATWG HTML, multipart form data.
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _range(header: str) -> tuple[int, int | None]:
    """Return the first byte and the length of the whole; RFC 9110, 14.4."""
    unit, _, rest = header.partition(" ")
    part, _, total = rest.partition("/")
    first = part.partition("-")[0]
    if unit != "bytes" or not first.isdigit():
        return -1, None
    return int(first), int(total) if total.isdigit() else None


def _parsed(digest: str | None) -> tuple[str, str]:
    if digest is None:
        return "", ""
    algorithm, _, value = digest.partition(":")
    if algorithm not in hashlib.algorithms_available or not value:
        raise ConfigurationError(
            f"digest={digest!r}: expected an algorithm of hashlib and its value, as in "
            "'sha256:<hexadecimal>'"
        )
    return algorithm, value.strip().lower()


async def _tell(progress: Progress | None, done: int, total: int | None) -> None:
    if progress is not None:
        outcome = progress(done, total)
        if inspect.isawaitable(outcome):
            await outcome
