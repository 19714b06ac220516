"""What a thread that watches a folder has to tell the loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from truthound.async_core._signatures import Signature
from truthound.async_core._tasks import undisturbed

FAREWELL = 2.0  # seconds for the thread to see that it is over


class FileChange(StrEnum):
    """What happened to a file."""

    CREATED = "created"
    MODIFIED = "modified"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Happened:
    """What happened to a file.

    Attributes:
        change: None: nothing but what the other fields say.
        is_whole: it was renamed into place, so that nobody writes it any more.
        is_closed: its writer has closed it.
        signature: as it was; None: it was not there.
    """

    change: FileChange | None
    is_whole: bool = False
    is_closed: bool = False
    signature: Signature | None = None


class Stop:
    """Ends watching, at once and for good; from any thread."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._wakes: list[Callable[[], None]] = []

    def set(self) -> None:
        """End it."""
        self._event.set()
        for wake in list(self._wakes):
            wake()

    def is_set(self) -> bool:
        """Tell whether it is to end."""
        return self._event.is_set()

    @contextlib.contextmanager
    def waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """Let something be called when it ends."""
        self._wakes.append(wake)
        try:
            yield
        finally:
            self._wakes.remove(wake)


class Mail:
    """What the watching thread has for the loop: one change a path at most."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.waiting: dict[str, Happened] = {}
        self.is_ended = False
        self.failure: Exception | None = None
        self._loop = loop
        self._lock = threading.Lock()
        self._news = asyncio.Event()
        self._end = asyncio.Event()

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to take."""
        return self.is_ended and not self.waiting

    def put(self, happened: dict[str, Happened]) -> None:
        """Add what happened; called by the thread."""
        with self._lock:
            for path, now in happened.items():
                merged = _together(self.waiting.pop(path, None), now)
                if merged is not None:
                    self.waiting[path] = merged
        self._call(self._news.set)

    def end(self, failure: Exception | None) -> None:
        """Say that nothing more comes; called by the thread."""
        self.failure, self.is_ended = failure, True
        self._call(self._end.set)
        self._call(self._news.set)

    async def take(self) -> dict[str, Happened]:
        """Wait for news; none: there are no more, or it was the beginning."""
        await self._news.wait()
        self._news.clear()
        with self._lock:
            happened, self.waiting = self.waiting, {}
        return happened

    async def ended(self) -> None:
        """Wait until the thread has ended; a cancellation goes on after that.

        One that hangs on a disk is left behind: it ends with its call, or the process.
        """

        async def wait() -> None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL):
                    await self._end.wait()

        await undisturbed(wait())

    def _call(self, what: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(what)


def _together(before: Happened | None, now: Happened) -> Happened | None:
    """Return what two things that happened to a file are together; None: nothing."""
    if before is None:
        return now
    if now.change is None:
        is_whole = before.is_whole
        return Happened(before.change, is_whole, now.is_closed, now.signature)
    if before.change is None:
        return now
    change = merged(before.change, now.change)
    if change is None:
        return None
    return Happened(change, now.is_whole, now.is_closed, now.signature)


def merged(before: FileChange | None, after: FileChange) -> FileChange | None:
    """Return what two changes of a file are together; None: nothing."""
    if before is None:
        return after
    if before is FileChange.CREATED:
        return None if after is FileChange.DELETED else before
    if before is FileChange.DELETED:
        return FileChange.MODIFIED
    return after
