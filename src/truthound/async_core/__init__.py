"""A toolkit for asyncio; it knows nothing of data."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from truthound.async_core.file import (
        AsyncDirectoryWatcher,
        AsyncFileReader,
        AsyncFileWriter,
        async_copy_file,
        async_file_exists,
        async_mkdir,
        async_read_file,
        async_read_files,
        async_write_file,
        walk_async,
    )
    from truthound.async_core.http import (
        AsyncHTTPClient,
        CircuitBreaker,
        CircuitState,
        RetryPolicy,
        async_batch_requests,
        async_download,
        async_upload,
    )
    from truthound.async_core.runner import (
        AsyncRunner,
        ResourcePool,
        TaskPriority,
        TaskScheduler,
        async_background,
        async_run,
        async_timeout,
    )
    from truthound.async_core.streams import (
        AsyncPipeline,
        AsyncQueue,
        AsyncStream,
        QueueClosed,
        async_batch,
        async_filter,
        async_map,
        async_merge,
        async_window,
    )

# Loaded when first used, as in the package above (PEP 562).
_HOMES = {
    "AsyncDirectoryWatcher": "file",
    "AsyncFileReader": "file",
    "AsyncFileWriter": "file",
    "AsyncHTTPClient": "http",
    "AsyncPipeline": "streams",
    "AsyncQueue": "streams",
    "AsyncRunner": "runner",
    "AsyncStream": "streams",
    "CircuitBreaker": "http",
    "CircuitState": "http",
    "QueueClosed": "streams",
    "ResourcePool": "runner",
    "RetryPolicy": "http",
    "TaskPriority": "runner",
    "TaskScheduler": "runner",
    "async_background": "runner",
    "async_batch": "streams",
    "async_batch_requests": "http",
    "async_copy_file": "file",
    "async_download": "http",
    "async_file_exists": "file",
    "async_filter": "streams",
    "async_map": "streams",
    "async_merge": "streams",
    "async_mkdir": "file",
    "async_read_file": "file",
    "async_read_files": "file",
    "async_run": "runner",
    "async_timeout": "runner",
    "async_upload": "http",
    "async_window": "streams",
    "async_write_file": "file",
    "walk_async": "file",
}

__all__ = [
    "AsyncDirectoryWatcher",
    "AsyncFileReader",
    "AsyncFileWriter",
    "AsyncHTTPClient",
    "AsyncPipeline",
    "AsyncQueue",
    "AsyncRunner",
    "AsyncStream",
    "CircuitBreaker",
    "CircuitState",
    "QueueClosed",
    "ResourcePool",
    "RetryPolicy",
    "TaskPriority",
    "TaskScheduler",
    "async_background",
    "async_batch",
    "async_batch_requests",
    "async_copy_file",
    "async_download",
    "async_file_exists",
    "async_filter",
    "async_map",
    "async_merge",
    "async_mkdir",
    "async_read_file",
    "async_read_files",
    "async_run",
    "async_timeout",
    "async_upload",
    "async_window",
    "async_write_file",
    "walk_async",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
