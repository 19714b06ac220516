"""Where notifications keep what they have told: a store, or the memory of each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from truthound.checkpoint._threads import SOURCES, in_thread
from truthound.checkpoint.messages.message import moment_text
from truthound.checkpoint.model import CheckpointResult
from truthound.errors import StoreError

Change = Callable[[Any], tuple[Any, Any]]

STANDING = "alerts|"  # before the name of a checkpoint
MUTES = "alert mutes"
GROUP = "alert group|"


class MemoryBook:
    """Keeps it as long as the notification lives, and puts nothing off."""

    puts_off: bool = False
    is_hurried: bool = False  # whether nothing is to be put off, nor left out

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._lock = threading.Lock()

    async def change(self, name: str, change: Change) -> Any:
        """Change a value; see :meth:`truthound.store.Store.change_cursor`."""
        with self._lock:
            self._values[name], answer = change(self._values.get(name))
        return answer

    async def mute(
        self, checkpoint: str, tags: Mapping[str, str], now: datetime
    ) -> str | None:
        """Say why nobody is to be told about a checkpoint; None: somebody may be."""
        return None

    async def since(self, checkpoint: str) -> tuple[datetime, int] | None:
        """Return since when a checkpoint is not well, and in how many runs."""
        return None

    async def result(self, run_id: str) -> CheckpointResult:
        """Return the result of an earlier run.

        Raises:
            StoreError: there is none.
        """
        raise StoreError(f"the result of {run_id} is kept nowhere: there is no store")


class StoreBook(MemoryBook):
    """Keeps it in a store: over restarts, and for all processes that share it."""

    puts_off = True

    def __init__(self, store: Any, *, is_hurried: bool = False) -> None:
        super().__init__()
        self._store = store
        self.is_hurried = is_hurried

    async def change(self, name: str, change: Change) -> Any:
        return await self._store.change_cursor(name, change)

    async def mute(
        self, checkpoint: str, tags: Mapping[str, str], now: datetime
    ) -> str | None:
        mutes = await in_thread(lambda: self._store.cursor(MUTES), SOURCES)
        for what, mute in (mutes or {}).items():
            until = datetime.fromisoformat(mute["until"])
            if now < until and is_meant(what, checkpoint, tags):
                return f"{mute['by']} has muted {what} until {moment_text(until)}"
        return None

    async def since(self, checkpoint: str) -> tuple[datetime, int] | None:
        found: tuple[datetime, int] | None = await in_thread(
            lambda: self._store.bad_since(checkpoint), SOURCES
        )
        return found

    async def result(self, run_id: str) -> CheckpointResult:
        document = await in_thread(lambda: self._store.document(run_id), SOURCES)
        return CheckpointResult.from_dict(document)


# The book of the store in which the run is written down; None: each has its own.
BOOK: ContextVar[MemoryBook | None] = ContextVar("truthound_book", default=None)


@contextmanager
def kept_in(store: Any, *, is_hurried: bool = False) -> Iterator[None]:
    """Let notifications in the block keep in a store what they tell.

    Args:
        store: which.
        is_hurried: nothing is put off or left out: somebody has asked for it.
    """
    token = BOOK.set(StoreBook(store, is_hurried=is_hurried))
    try:
        yield
    finally:
        BOOK.reset(token)


def is_meant(what: str, checkpoint: str, tags: Mapping[str, str]) -> bool:
    """Tell whether a mute is meant for a checkpoint.

    Args:
        what: a name or glob, or ``tag:team=pricing``.
        checkpoint: the name.
        tags: of the checkpoint.
    """
    if what.startswith("tag:"):
        tag, _, value = what.removeprefix("tag:").partition("=")
        return tag in tags and fnmatchcase(str(tags[tag]), value or "*")
    # A name with brackets is no pattern that it fits itself.
    return what == checkpoint or fnmatchcase(checkpoint, what)
