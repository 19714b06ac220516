"""HTTP with retries, a circuit breaker, and limits that hold.

- :class:`AsyncHTTPClient`: ``get``, ``post``, … and ``stream``, over httpx2.
- :class:`RetryPolicy`: how often to try again, and how long to wait before that.
- :class:`CircuitBreaker` and its :class:`CircuitState`.
- :func:`async_download`, :func:`async_upload`, :func:`async_batch_requests`.

Errors are those of httpx2 (``httpx2.HTTPError`` and below, which ``TruthoundError`` of
this module are as well) and ``CircuitOpenError``.
"""

from __future__ import annotations

from truthound.async_core._breaker import CircuitBreaker, CircuitState
from truthound.async_core._http_client import AsyncHTTPClient
from truthound.async_core._http_errors import (
    AddressBlockedError,
    DownloadError,
    RequestTimeoutError,
    ResponseTooLargeError,
)
from truthound.async_core._http_transfer import (
    async_batch_requests,
    async_download,
    async_upload,
)
from truthound.async_core._policy import RetryPolicy
from truthound.errors import CircuitOpenError

__all__ = [
    "AddressBlockedError",
    "AsyncHTTPClient",
    "CircuitBreaker",
    "CircuitOpenError",
    "CircuitState",
    "DownloadError",
    "RequestTimeoutError",
    "ResponseTooLargeError",
    "RetryPolicy",
    "async_batch_requests",
    "async_download",
    "async_upload",
]
