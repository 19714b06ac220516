"""Files and folders, without holding up the event loop.

- :class:`AsyncFileReader`, :func:`async_read_file`, :func:`async_read_files`
- :class:`AsyncFileWriter`, :func:`async_write_file`: a file appears whole or not at all
- :func:`async_copy_file`, :func:`walk_async`, :func:`async_file_exists`,
  :func:`async_mkdir`
- :class:`AsyncDirectoryWatcher`: what changes in a folder, as :class:`ChangedPath`

The work is done in a few threads, in pieces as large as is sensible. They do not hold
up the end of the process.
"""

from __future__ import annotations

from truthound.async_core._file_ops import (
    async_copy_file,
    async_file_exists,
    async_mkdir,
    walk_async,
)
from truthound.async_core._file_read import (
    AsyncFileReader,
    async_read_file,
    async_read_files,
)
from truthound.async_core._file_write import AsyncFileWriter, async_write_file
from truthound.async_core._watcher import (
    AsyncDirectoryWatcher,
    ChangedPath,
    FileChange,
)
from truthound.errors import FileEncodingError, UnsafePathError

__all__ = [
    "AsyncDirectoryWatcher",
    "AsyncFileReader",
    "AsyncFileWriter",
    "ChangedPath",
    "FileChange",
    "FileEncodingError",
    "UnsafePathError",
    "async_copy_file",
    "async_file_exists",
    "async_mkdir",
    "async_read_file",
    "async_read_files",
    "async_write_file",
    "walk_async",
]
