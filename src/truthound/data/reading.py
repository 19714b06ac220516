"""What reading a file may raise, as errors that name the file."""

from __future__ import annotations

import contextlib
import errno
import zlib
from collections.abc import Iterator

import polars as pl

from truthound.errors import (
    DataError,
    DataNotFoundError,
    MalformedDataError,
    TruthoundError,
)
from truthound.secrets import without_password

# What Polars, and object stores through it, raise for a file.
READ_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    zlib.error,
    pl.exceptions.PolarsError,
)


@contextlib.contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn what is raised while a source is read into an error that names it."""
    try:
        yield
    except TruthoundError:
        raise
    except READ_ERRORS as error:
        # An object store repeats the address, and that may hold a password.
        secret = without_password(str(error)) != str(error)
        raise read_error(name, error) from (None if secret else error)
    except BaseException as error:
        # A panic in the engine's own code, as a file that is cut while it is read
        # can cause, is not an Exception for Python.
        if type(error).__name__ != "PanicException":
            raise
        raise MalformedDataError(
            name, "the engine gave up; the file may have been changed while it was read"
        ) from error


def read_error(name: str, error: BaseException) -> DataError:
    """Return the error of ours for what reading a source has raised."""
    said = without_password(str(error).strip().partition("\n")[0])
    if isinstance(error, FileNotFoundError):
        return DataNotFoundError(f"there is no file {name}")
    if isinstance(error, PermissionError):
        return DataError(f"{name} cannot be read: permission denied")
    if isinstance(error, pl.exceptions.NoDataError):
        return MalformedDataError(name, "the file is empty")
    if isinstance(error, (EOFError, zlib.error)) or "end of file" in said:
        return MalformedDataError(name, "the archive is truncated or damaged")
    remote = "object-store error" in said and "LocalFileSystem" not in said
    if isinstance(error, ConnectionError) or (isinstance(error, OSError) and remote):
        return DataError(f"{name} cannot be read: {said}")
    if isinstance(error, OSError):
        if error.errno is None or error.errno == errno.EINVAL:
            return MalformedDataError(name, f"damaged or truncated ({said})")
        return DataError(f"{name} cannot be read: {error.strerror or said}")
    return MalformedDataError(name, said or type(error).__name__)
