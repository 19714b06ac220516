"""`AsyncDirectoryWatcher`: what changes in a folder, as soon as it does.

The operating system says where something happened (by watchfiles); what happened comes
from comparing the place with what was there before. Both ways of watching, and the
beginning, are that same comparison, so that a lost or doubled message changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import stat
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from truthound._clock import SYSTEM_CLOCK
from truthound.async_core._disk import AnyPath, as_path
from truthound.async_core._file_ops import matcher
from truthound.async_core._limit import check_seconds
from truthound.async_core._signatures import (
    Signature,
    changed_at,
    check_folder,
    identity_of,
    signature_of,
)
from truthound.async_core._tasks import undisturbed

logger = logging.getLogger(__name__)

# 12.5 ms from the event to the iteration with 1 % of a core while nothing happens;
# smaller steps cost more, larger ones time (measurements of the design, 3.7).
STEP = 10  # milliseconds
DEBOUNCE = 50  # milliseconds
FAREWELL = 2.0  # seconds for the thread to see that it is over
LOOK_UP = 1_000  # milliseconds until a look at whether the folder is still there
BURST = 1_000  # messages at once, after which some may have been lost
# What the atomic writes of this package leave for a moment.
_OURS = re.compile(r"\..+\.[0-9a-f]{8}\.tmp\Z")

Known = dict[str, Signature]


class FileChange(StrEnum):
    """What happened to a file."""

    CREATED = "created"
    MODIFIED = "modified"
    DELETED = "deleted"


class ChangedPath(type(Path())):  # type: ignore[misc] # the path of this system
    """A path, with what happened to the file.

    Attributes:
        change: created, modified or deleted.
    """

    change: FileChange


class AsyncDirectoryWatcher:
    """Report files that are created, modified and deleted in a folder.

    What happens to one file before its turn comes is one event: several writes are one
    modification, a file that came and went is none, one replaced by a rename is
    modified. A restored file (an older time, another size) is modified, too. Nothing
    is missed while the caller works on an event; at most one event for each file waits.

    Args:
        directory: the folder, which must be there.
        patterns: of names, as ``fnmatch`` understands them; one with a slash is for the
            path below the folder. None: all files.
        poll_interval: seconds between two looks where the operating system does not
            say what happens (network file systems, or its watches used up).
        recursive: watch the folders below it, too, also those that are made later.
        initial: begin with the files that are there, as created: each is then reported
            once, whether it was there before or came later.
        force_polling: do not ask the operating system.

    Raises:
        ConfigurationError: ``poll_interval`` is not above 0.

    Example::

        watcher = AsyncDirectoryWatcher("incoming", patterns=["*.csv"])
        async for path in watcher.watch():
            if path.change != "deleted":
                print(path.name, len(await async_read_file(path)))
    """

    def __init__(
        self,
        directory: AnyPath,
        patterns: Sequence[str] | None = None,
        poll_interval: float = 1.0,
        *,
        recursive: bool = True,
        initial: bool = False,
        force_polling: bool = False,
    ) -> None:
        check_seconds("poll_interval", poll_interval)
        self.directory: Path = as_path(directory)
        self.patterns: list[str] = ["*"] if patterns is None else _as_list(patterns)
        self.poll_interval = poll_interval
        self.recursive = recursive
        self.initial = initial
        self.force_polling = force_polling
        self._stopped = threading.Event()

    def watch(self, since: int | None = None) -> AsyncGenerator[ChangedPath, None]:
        """Yield each changed path; what happens from this call on counts.

        A file that was changed at most a tick of the file system's clock before it
        (4 ms on Linux) is reported as created.

        Ends after :meth:`stop`. If cancelled or left early, watching ends with it.

        Args:
            since: an earlier moment from which on to count, in nanoseconds since 1970.

        Raises:
            FileNotFoundError: the folder is not there, is no longer, or is another one;
                the files that went with it have been reported.
            NotADirectoryError: it is a file.
        """
        return self._watch(SYSTEM_CLOCK.file_time() if since is None else since)

    async def _watch(self, since: int) -> AsyncGenerator[ChangedPath, None]:
        loop = asyncio.get_running_loop()
        stopped = threading.Event()
        mail = _Mail(loop)
        eye = _Eye(self, since, lambda: stopped.is_set() or self._stopped.is_set())
        thread = threading.Thread(
            target=eye.look, args=(mail,), name="truthound-watch", daemon=True
        )
        thread.start()
        try:
            while True:
                changes = await mail.take()
                for path, change in changes.items():
                    if self._stopped.is_set():
                        return
                    changed = ChangedPath(path)
                    changed.change = change
                    yield changed
                if mail.is_ended and not mail.waiting:
                    if mail.failure is not None:
                        raise mail.failure
                    return
        finally:
            stopped.set()
            eye.wake()
            await mail.ended()

    def stop(self) -> None:
        """End the iteration, at once and for good; from any thread, more than once."""
        self._stopped.set()


class _Mail:
    """What the watching thread has for the loop: one change a path at most."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.waiting: dict[str, FileChange] = {}
        self.is_ended = False
        self.failure: Exception | None = None
        self._loop = loop
        self._lock = threading.Lock()
        self._news = asyncio.Event()
        self._end = asyncio.Event()

    def put(self, changes: dict[str, FileChange]) -> None:
        """Add changes; called by the thread."""
        with self._lock:
            for path, change in changes.items():
                merged = _merged(self.waiting.pop(path, None), change)
                if merged is not None:
                    self.waiting[path] = merged
        self._call(self._news.set)

    def end(self, failure: Exception | None) -> None:
        """Say that nothing more comes; called by the thread."""
        self.failure, self.is_ended = failure, True
        self._call(self._end.set)
        self._call(self._news.set)

    async def take(self) -> dict[str, FileChange]:
        """Wait for changes; none: there are no more."""
        await self._news.wait()
        self._news.clear()
        with self._lock:
            changes, self.waiting = self.waiting, {}
        return changes

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


class _Eye:
    """Watches, in a thread of its own."""

    def __init__(
        self, options: AsyncDirectoryWatcher, since: int, is_over: Callable[[], bool]
    ) -> None:
        self._options = options
        self._since = since
        self._top = Path()
        self._matches: Callable[[Path], bool] = bool
        self._known: Known = {}
        self._woken = threading.Event()
        self.is_over = is_over

    def is_set(self) -> bool:
        """Tell whether to stop: what watchfiles asks at each step."""
        return self.is_over()

    def wake(self) -> None:
        """End a pause between two looks."""
        self._woken.set()

    def look(self, mail: _Mail) -> None:
        """Report changes until it is over."""
        failure: Exception | None = None
        try:
            check_folder(self._options.directory)
            # The system names what it tells of without links.
            self._top = Path(os.path.realpath(self._options.directory))
            self._matches = matcher(self._options.patterns, self._top)
            notify = self._notify()
            with notify or contextlib.nullcontext():
                self._begin(mail)
                folder = identity_of(self._options.directory)
                while not self.is_over():
                    places = self._places(notify)
                    changes = self._compare(places)
                    self._put(mail, changes)
                    check_folder(self._options.directory)
                    if identity_of(self._options.directory) != folder:
                        raise FileNotFoundError(
                            f"{self._options.directory}: the folder is another one now"
                        )
        except Exception as error:  # noqa: BLE001 - raised where the iteration is
            failure = error
        mail.end(failure)

    def _notify(self) -> Any:
        """Return what asks the operating system; None: there is nobody to ask."""
        options = self._options
        if options.force_polling:
            return None
        try:
            from watchfiles._rust_notify import RustNotify

            return RustNotify(
                [str(self._top)], False, False, 0, options.recursive, True
            )
        except (ImportError, OSError) as error:
            logger.warning(
                "%s: looking every %g s, as the system does not tell (%s)",
                self._top,
                options.poll_interval,
                error,
            )
            return None

    def _begin(self, mail: _Mail) -> None:
        self._known = self._scan([str(self._top)])
        if self._options.initial:
            new = list(self._known)
        else:
            new = [path for path in self._known if changed_at(path) >= self._since]
        told = sorted(path for path in new if self._tells(path))
        self._put(mail, dict.fromkeys(told, FileChange.CREATED))

    def _put(self, mail: _Mail, changes: dict[str, FileChange]) -> None:
        if changes:
            given, top = self._options.directory, len(str(self._top)) + 1
            mail.put({str(given / path[top:]): how for path, how in changes.items()})

    def _places(self, notify: Any) -> list[str] | None:
        """Wait until something may have happened; where, or None for anywhere."""
        if notify is None:
            end = SYSTEM_CLOCK.monotonic() + self._options.poll_interval
            while not self.is_over():
                left = end - SYSTEM_CLOCK.monotonic()
                if left <= 0:
                    break
                self._woken.wait(min(left, STEP / 1000))
            return None
        found = notify.watch(DEBOUNCE, STEP, LOOK_UP, self)
        if isinstance(found, str):  # "timeout", "stop", "signal"
            return []
        return None if len(found) >= BURST else [path for _, path in found]

    def _compare(self, places: list[str] | None) -> dict[str, FileChange]:
        """Return what is different at some places, and remember how it is now."""
        if places == []:
            return {}
        if places is None:
            before, self._known = self._known, self._scan([str(self._top)])
            return self._differences(before, self._known, {*before, *self._known})
        now = self._scan(places)
        below = tuple(place + os.sep for place in places)
        gone = {
            path
            for path in self._known
            if path not in now and (path in places or path.startswith(below))
        }
        changes = self._differences(self._known, now, {*now, *gone})
        self._known.update(now)
        for path in gone:
            del self._known[path]
        return changes

    def _differences(
        self, before: Known, now: Known, paths: Iterable[str]
    ) -> dict[str, FileChange]:
        found = {}
        for path in sorted(paths):
            if before.get(path) != now.get(path) and self._tells(path):
                if path not in before:
                    found[path] = FileChange.CREATED
                elif path not in now:
                    found[path] = FileChange.DELETED
                else:
                    found[path] = FileChange.MODIFIED
        return found

    def _tells(self, path: str) -> bool:
        name = os.path.basename(path)  # noqa: PTH119 - thousands of times
        return not _OURS.match(name) and self._matches(Path(path))

    def _scan(self, places: Iterable[str]) -> Known:
        """Return the signatures of the files at some places and below them."""
        found: Known = {}
        left = list(places)
        while left:
            place = left.pop()
            try:
                status = os.lstat(place)
                if stat.S_ISDIR(status.st_mode):
                    left += self._listed(place, found)
                elif not stat.S_ISDIR(os.stat(place).st_mode):  # noqa: PTH116 - links
                    found[place] = signature_of(status)
            except OSError:
                continue  # it is gone again, or not for us
        return found

    def _listed(self, folder: str, found: Known) -> list[str]:
        folders = []
        with os.scandir(folder) as listing:
            for entry in listing:
                if entry.is_dir(follow_symlinks=False):
                    if self._options.recursive:
                        folders.append(entry.path)
                elif not entry.is_dir():
                    with contextlib.suppress(FileNotFoundError):
                        status = entry.stat(follow_symlinks=False)
                        found[entry.path] = signature_of(status)
        return folders


def _merged(before: FileChange | None, after: FileChange) -> FileChange | None:
    """Return what two changes of a file are together; None: nothing."""
    if before is None:
        return after
    if before is FileChange.CREATED:
        return None if after is FileChange.DELETED else before
    if before is FileChange.DELETED:
        return FileChange.MODIFIED
    return after


def _as_list(patterns: Sequence[str]) -> list[str]:
    return [patterns] if isinstance(patterns, str) else list(patterns)
