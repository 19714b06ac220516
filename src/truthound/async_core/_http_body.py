"""Reading an answer without taking in more than was allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from truthound.async_core._http_errors import ResponseTooLargeError

if TYPE_CHECKING:
    import httpx2

# More than one way of packing is already odd; each layer can multiply by a thousand.
LAYERS = 2


async def read(response: httpx2.Response, most: int | None) -> None:
    """Read the body of an answer, so that ``content`` and ``json()`` work.

    httpx2 unpacks in pieces of at most 1 MiB, so that no more than that is held beyond
    the limit, whatever the body would swell to.

    Args:
        response: an open answer.
        most: bytes of the body, unpacked; None: any number.

    Raises:
        ResponseTooLargeError: there are more, or it is packed too often.
    """
    check_layers(response)
    declared = response.headers.get("content-length", "")
    if most is not None and declared.isdigit() and int(declared) > most:
        raise ResponseTooLargeError(f"the answer has {declared} bytes{_limit(most)}")
    chunks = []
    length = 0
    async for chunk in response.aiter_bytes():
        length += len(chunk)
        if most is not None and length > most:
            raise ResponseTooLargeError(f"the answer goes on{_limit(most)}")
        chunks.append(chunk)
    # What aread() sets; it takes any number of bytes.
    response._content = b"".join(chunks)


def check_layers(response: httpx2.Response) -> None:
    """Raise ResponseTooLargeError if the body is packed more than ``LAYERS`` times."""
    packed = response.headers.get("content-encoding")
    if packed is not None and packed.count(",") >= LAYERS:
        raise ResponseTooLargeError(
            f"the answer is packed {packed.count(',') + 1} times, {LAYERS} are allowed"
        )


def _limit(most: int) -> str:
    return f", more than max_response_bytes={most:,}"
