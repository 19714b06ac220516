"""What is kept of one file of a source that grows, as bytes and back."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import msgspec
import polars as pl

from truthound._version import __version__

# Another one makes all that was kept of no use: which numbers are kept under a key, and
# how an engine reckons, may change from release to release.
VERSION = f"1 {__version__} {pl.__version__}"
_CHECKSUM = 16  # bytes before the content
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE = datetime(1970, 1, 1)  # noqa: DTZ001 - the origin of moments without a zone
_MICROSECOND = timedelta(microseconds=1)


class KeptPart(Protocol):
    """What is known of one file."""

    @property
    def file(self) -> str:
        """Which, as the source names it."""

    @property
    def fingerprint(self) -> str:
        """Changes when the file does."""

    @property
    def state(self) -> bytes:
        """What was computed of it."""


class KeptParts(Protocol):
    """Where the parts of sources are kept."""

    def load(self, source: str) -> Iterable[KeptPart]:
        """Return what is known of the files of a source.

        Raises:
            StoreError: it cannot be read.
        """

    def save(
        self, source: str, parts: Sequence[KeptPart], removed: Sequence[str]
    ) -> None:
        """Keep parts in place of what was known of their files, and forget others.

        Raises:
            StoreError: it cannot be written.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePart:
    """A :class:`KeptPart` that a run hands over to be kept."""

    file: str
    fingerprint: str
    state: bytes


@dataclass(slots=True)
class Known:
    """What is known of the rows of one file.

    Attributes:
        schema: a digest of the columns, as they were read.
        values: of metrics, by the digest of their key.
        warnings: what a reader of the result should know about the reading.
    """

    schema: str
    values: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def digest(text: str) -> str:
    """Return what stands for a text, of 32 characters."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def key_digest(key: Hashable) -> str | None:
    """Return what stands for the key of a metric in every process.

    None if it holds something that is told apart in this process only.
    """
    try:
        return digest(_written(key))
    except TypeError:
        return None


def _written(key: Any) -> str:
    if isinstance(key, tuple):
        return f"({','.join(_written(part) for part in key)})"
    if type(key) in {str, int, float, bool, bytes, type(None)}:
        return repr(key)
    found = getattr(key, "digest", None)  # of an expression
    if isinstance(found, str):
        return found
    raise TypeError(f"{key!r} has no lasting key")


def packed(known: Known, options: str) -> bytes:
    """Return what is known as bytes.

    Args:
        known: what is to be kept.
        options: how the file was read.
    """
    values = {key: _plain(value) for key, value in known.values.items()}
    record = [VERSION, options, known.schema, values, known.warnings]
    content = msgspec.msgpack.encode(record)
    return _checksum(content) + content


def unpacked(state: bytes, options: str) -> Known | None:
    """Return what is known; None if it was computed by other means, or is damaged."""
    content = state[_CHECKSUM:]
    if state[:_CHECKSUM] != _checksum(content):
        return None
    try:
        version, read_by, schema, values, warnings = msgspec.msgpack.decode(content)
        if version != VERSION or read_by != options or not isinstance(schema, str):
            return None
        restored = {str(key): _restored(value) for key, value in values.items()}
        return Known(schema, restored, [str(warning) for warning in warnings])
    except (msgspec.DecodeError, ArithmeticError, AttributeError, LookupError):
        return None
    except (OSError, TypeError, ValueError):  # a zone that is unknown here, and others
        return None


def _checksum(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_CHECKSUM).digest()


def _plain(value: Any) -> Any:
    """Return a value as MessagePack holds it: what it does not know is a pair.

    Raises:
        TypeError: it is of no kind that a metric can have.
    """
    if value is None or isinstance(value, (bool, float, str, bytes)):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else ["int", str(value)]
    if isinstance(value, Decimal):
        return ["decimal", str(value)]
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return ["datetime", (value - _NAIVE) // _MICROSECOND]
        micros = (value.astimezone(UTC) - _EPOCH) // _MICROSECOND
        return ["moment", micros, str(value.tzinfo)]
    if isinstance(value, date):
        return ["date", value.isoformat()]
    if isinstance(value, time):
        return ["time", value.isoformat()]
    if isinstance(value, timedelta):
        return ["span", value // _MICROSECOND]
    raise TypeError(f"{value!r} cannot be kept")


def _restored(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    kind, plain, *more = value
    match kind:
        case "int":
            return int(plain)
        case "decimal":
            return Decimal(plain)
        case "datetime":
            return _NAIVE + plain * _MICROSECOND
        case "moment":
            return (_EPOCH + plain * _MICROSECOND).astimezone(ZoneInfo(more[0]))
        case "date":
            return date.fromisoformat(plain)
        case "time":
            return time.fromisoformat(plain)
        case "span":
            return plain * _MICROSECOND
    raise ValueError(f"there is no kind {kind!r}")
