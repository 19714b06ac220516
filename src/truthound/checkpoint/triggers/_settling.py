"""Files that may still be written: each counts when it is complete."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from truthound._clock import Clock
from truthound.async_core._disk import from_disk
from truthound.async_core._telling import FileChange, Happened
from truthound.checkpoint.triggers._landing import Arrival, Landing
from truthound.checkpoint.triggers._seen import Signature

LOOK = 0.1  # seconds without a change, if nobody says that a file was closed
SOME = 64  # files that are looked at in one hop to a thread


@dataclass(slots=True)
class Waiting:
    """A file that may still be written.

    Attributes:
        landing: where it is.
        path: which.
        change: what happened to it.
        signature: as it was when it was looked at last.
        due: when to look again, in seconds of the monotonic clock.
        is_whole: nobody writes it any more.
    """

    landing: Landing
    path: str
    change: FileChange
    signature: Signature | None
    due: float
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found when a file was looked at.

    Attributes:
        signature: as it is now.
        is_ready: whether it is complete.
        arrival: what becomes of it; None: nothing.
        brings: files for which it is the marker.
    """

    signature: Signature | None
    is_ready: bool = True
    arrival: Arrival | None = None
    brings: tuple[str, ...] = ()


class Settling:
    """Lets files count when they have stayed as they are for a while.

    Args:
        seconds: how long; 0: until their writer closes them.
        ready: gets those that count.
        clock: tells the time.
    """

    def __init__(
        self, seconds: float, ready: Callable[[list[Arrival]], None], clock: Clock
    ) -> None:
        self._seconds = seconds
        self._ready = ready
        self._clock = clock
        self._waiting: dict[str, Waiting] = {}
        self._news: asyncio.Event | None = None

    def clear(self) -> None:
        """Forget all."""
        self._waiting.clear()

    def note(self, landing: Landing, path: str, happened: Happened) -> None:
        """Take in what happened to a file."""
        before = self._waiting.pop(path, None)
        change = happened.change
        if change is None and before is None:
            return
        if before is not None and (
            change is None
            or (before.change is FileChange.CREATED and change is FileChange.MODIFIED)
        ):
            change = before.change
        assert change is not None
        now = self._clock.monotonic()
        is_marked = landing.is_by_folder or landing.is_marker(path)
        is_whole = happened.is_whole or is_marked or change is FileChange.DELETED
        if before is not None and happened.change is None:
            is_whole = is_whole or before.is_whole
        if self._seconds == 0 and happened.is_closed:
            is_whole = True
        due = now if is_whole else now + (self._seconds or LOOK)
        known = happened.signature
        signature = None if known is None else (known[0], known[1])
        # At the end: those that were noted first come first.
        self._waiting[path] = Waiting(landing, path, change, signature, due, is_whole)
        if self._news is not None:
            self._news.set()

    async def run(self) -> None:
        """Look at files when they are due, as long as it takes."""
        self._news = asyncio.Event()
        while True:
            now = self._clock.monotonic()
            due = [w for w in self._waiting.values() if w.due <= now]
            for at in range(0, len(due), SOME):
                await self._look(due[at : at + SOME])
            if not due:
                await self._pause(now)

    async def _pause(self, now: float) -> None:
        news = self._news
        assert news is not None
        news.clear()
        first = min((w.due for w in self._waiting.values()), default=None)
        try:
            async with asyncio.timeout(None if first is None else max(0, first - now)):
                await news.wait()
        except TimeoutError:
            pass

    async def _look(self, some: list[Waiting]) -> None:
        verdicts = await from_disk(partial(_looked_at, some))
        now = self._clock.monotonic()
        counted = []
        for waiting, verdict in zip(some, verdicts, strict=True):
            if self._waiting.get(waiting.path) is not waiting:
                continue  # something has happened since
            if not verdict.is_ready:
                waiting.signature = verdict.signature
                waiting.due = now + (self._seconds or LOOK)
                continue
            del self._waiting[waiting.path]
            for path in verdict.brings:
                landing = waiting.landing
                is_known = landing.below(path) in landing.seen.known
                change = FileChange.MODIFIED if is_known else FileChange.CREATED
                self.note(landing, path, Happened(change, is_whole=True))
            if verdict.arrival is not None:
                counted.append(verdict.arrival)
        if counted:
            self._ready(counted)


def _looked_at(some: list[Waiting]) -> list[Verdict]:
    return [_verdict(waiting) for waiting in some]


def _verdict(waiting: Waiting) -> Verdict:
    """Look at a file. Blocks."""
    landing, path = waiting.landing, waiting.path
    signature = landing.looked_at(path)
    if landing.is_marker(path):
        brings = () if signature is None else tuple(landing.brought_by(path))
        return Verdict(signature, brings=brings)
    if signature is None:
        return Verdict(None, arrival=landing.gone(path, waiting.change))
    if not waiting.is_whole and signature != waiting.signature:
        return Verdict(signature, is_ready=False)
    change = waiting.change
    if change is FileChange.DELETED:  # it has come again
        change = FileChange.MODIFIED
    return Verdict(signature, arrival=landing.judged(path, change, signature))
