"""What the HTTP client raises beside the errors of httpx2, which it passes on.

All of them are ``httpx2.RequestError`` too, so that one ``except httpx2.HTTPError``
catches whatever a request can raise.
"""

from __future__ import annotations

import httpx2

from truthound.errors import TruthoundError
from truthound.secrets import without_password


class RequestTimeoutError(TruthoundError, httpx2.TimeoutException, TimeoutError):
    """Raised when a request took longer than its ``timeout``, retries included."""


class ResponseTooLargeError(TruthoundError, httpx2.RequestError):
    """Raised when an answer is larger than allowed, as sent or when unpacked."""


class AddressBlockedError(TruthoundError, httpx2.RequestError):
    """Raised when a name leads to an address that may not be connected to."""


class DownloadError(TruthoundError, httpx2.RequestError):
    """Raised when what came is not the file; the one there before stays."""


def name(error: httpx2.RequestError, method: str, url: str) -> None:
    """Put method and address, without passwords, before the message of an error."""
    what = f"{method} {without_password(url)}: "
    told = without_password(str(error)) or type(error).__name__
    if not told.startswith(what):
        error.args = (what + told,)


def raise_for_status(response: httpx2.Response) -> None:
    """Raise HTTPStatusError for 400 and above, without passwords in its message."""
    try:
        response.raise_for_status()
    except httpx2.HTTPStatusError as error:
        error.args = (without_password(str(error)),)
        raise
