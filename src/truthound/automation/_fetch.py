"""Data of a site that lies behind an http address, as a file."""

from __future__ import annotations

from collections.abc import Mapping
from email.message import Message
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import httpx2

from truthound.async_core.http import AsyncHTTPClient, RetryPolicy, async_download
from truthound.data.files import SUFFIXES
from truthound.secrets import without_password

PACKED = frozenset({".gz", ".zst", ".zip"})
# The suffixes of formats that answers call by these names.
MEDIA_TYPES = {
    "text/csv": ".csv",
    "application/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/vnd.apache.parquet": ".parquet",
    "application/x-parquet": ".parquet",
    "application/json": ".json",
    "application/ndjson": ".ndjson",
    "application/x-ndjson": ".ndjson",
    "application/jsonl": ".ndjson",
    "application/x-jsonlines": ".ndjson",
    "application/vnd.apache.arrow.file": ".arrow",
}


class FetchError(Exception):
    """Raised when data was not fetched; the message says why, without the address."""


async def fetch(
    address: str, folder: Path, headers: Mapping[str, str], *, needs_suffix: bool
) -> Path:
    """Download data and return where it is. Nothing is tried twice.

    The file has the suffix by which its format is known, if the address or the server
    tells one. ``TRUTHOUND_ASYNC_TIMEOUT`` (30 seconds) is the limit for the answer to
    begin and for each piece of it.

    Args:
        address: of the data.
        folder: where the file is made.
        headers: sent along; no other origin gets those that are credentials.
        needs_suffix: ask the server about the format if the address does not tell.

    Raises:
        FetchError: it was not fetched.
    """
    try:
        async with AsyncHTTPClient(RetryPolicy(max_retries=0)) as client:
            suffix = _suffix(urlsplit(address).path)
            if needs_suffix and not suffix:
                suffix = await _told(client, address, headers)
            path = folder / f"data{suffix}"
            return await async_download(
                address, path, client=client, headers=dict(headers)
            )
    except httpx2.HTTPStatusError as error:
        answer = error.response
        said = f"the answer is {answer.status_code} {answer.reason_phrase}"
        raise FetchError(said.strip()) from None
    except (httpx2.HTTPError, OSError, ValueError) as error:
        told = str(error).removeprefix(f"GET {without_password(address)}: ")
        kind = type(error).__name__
        raise FetchError(f"{kind}: {told}" if told != kind else kind) from None


async def _told(
    client: AsyncHTTPClient, address: str, headers: Mapping[str, str]
) -> str:
    """Return the suffix that fits what the server says of the data."""
    try:
        answer = await client.head(
            address, headers=dict(headers), follow_redirects=True
        )
    except httpx2.HTTPError:
        return ""  # the download will say what is wrong
    if answer.status_code >= 400:
        return ""
    said = Message()
    said["content-type"] = answer.headers.get("content-type", "")
    said["content-disposition"] = answer.headers.get("content-disposition", "")
    return (
        _suffix(answer.url.path)
        or _suffix(said.get_filename() or "")
        or MEDIA_TYPES.get(said.get_content_type(), "")
    )


def _suffix(path: str) -> str:
    """Return the suffix of a file by which its format is known; empty if none is."""
    name = PurePosixPath(unquote(path).lower())
    packing = name.suffix if name.suffix in PACKED else ""
    suffix = PurePosixPath(name.stem).suffix if packing else name.suffix
    return suffix + packing if suffix in SUFFIXES else ""
