"""Watching a folder in a thread: where something happens, what that is, and telling.

The operating system says where something happened; what happened comes from comparing
the place with what was there before. Both ways of watching, and the beginning, are that
same comparison, so that a lost or doubled message changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import stat
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from truthound._clock import SYSTEM_CLOCK
from truthound.async_core._inotify import Inotify, News
from truthound.async_core._signatures import (
    Signature,
    check_folder,
    identity_of,
    signature_of,
)
from truthound.async_core._telling import FileChange, Happened, Mail, Stop

logger = logging.getLogger(__name__)

# Where watchfiles tells: 12.5 ms from the event to the iteration with 1 % of a core
# while nothing happens; smaller steps cost more, larger ones time (measurements of the
# design, 3.7).
STEP = 10  # milliseconds
DEBOUNCE = 50  # milliseconds
LOOK_UP = 1.0  # seconds until a look at whether the folder is still there
HAS_INOTIFY: bool = sys.platform == "linux"
BURST = 1_000  # messages at once, after which some may have been lost
# What the atomic writes of this package leave for a moment.
_OURS = re.compile(r"\..+\.[0-9a-f]{8}\.tmp\Z")

Known = dict[str, Signature]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What to watch.

    Attributes:
        folder: which, with its links.
        accepts: tells of a path below the real folder whether it is told of.
        is_new: tells of a file that is there at the beginning, by the path that is
            told, its signature and when anything of it was changed (in nanoseconds
            since 1970), whether it counts as created.
        poll_interval: seconds between two looks where nobody tells.
        recursive: the folders below it, too.
        force_polling: do not ask the operating system.
    """

    folder: Path
    accepts: Callable[[str, str], bool]
    is_new: Callable[[str, Signature, int], bool]
    poll_interval: float
    recursive: bool
    force_polling: bool = False


async def batches(
    watched: Watched, stop: Stop
) -> AsyncGenerator[dict[str, Happened], None]:
    """Yield what happens, by path, first what is new at the beginning (maybe nothing).

    Ends when it is stopped. If cancelled or left early, watching ends with it.

    Raises:
        FileNotFoundError: the folder is not there, is no longer, or is another one.
        NotADirectoryError: it is a file.
    """
    loop = asyncio.get_running_loop()
    stopped = threading.Event()
    mail = Mail(loop)
    eye = _Eye(watched, lambda: stopped.is_set() or stop.is_set())
    thread = threading.Thread(
        target=eye.look, args=(mail,), name="truthound-watch", daemon=True
    )
    thread.start()
    try:
        with stop.waking(eye.wake):
            while not mail.is_over:
                yield await mail.take()
        if mail.failure is not None:
            raise mail.failure
    finally:
        stopped.set()
        eye.wake()
        await mail.ended()


class _Eye:
    """Watches, in a thread of its own."""

    def __init__(self, watched: Watched, is_over: Callable[[], bool]) -> None:
        self._watched = watched
        self._top = ""
        self._known: Known = {}
        self._folders: set[str] = set()
        self._changed: dict[str, int] | None = {}  # while the beginning is looked at
        self._before = _before(watched.folder)
        self._woken = threading.Event()
        self._inotify: Inotify | None = None
        self.is_over = is_over

    def is_set(self) -> bool:
        """Tell whether to stop: what watchfiles asks at each step."""
        return self.is_over()

    def wake(self) -> None:
        """End a pause between two looks."""
        self._woken.set()
        if self._inotify is not None:
            self._inotify.wake()

    def look(self, mail: Mail) -> None:
        """Report changes until it is over."""
        failure: Exception | None = None
        folder = self._watched.folder
        try:
            check_folder(folder)
            # The system names what it tells of without links.
            self._top = os.path.realpath(folder)
            notify = self._notify()
            with notify or contextlib.nullcontext():
                self._begin(mail)
                identity = identity_of(folder)
                while not self.is_over():
                    news = self._news(notify)
                    self._put(mail, self._compare(news))
                    check_folder(folder)
                    if identity_of(folder) != identity:
                        raise FileNotFoundError(
                            f"{folder}: the folder is another one now"
                        )
        except Exception as error:  # noqa: BLE001 - raised where the iteration is
            failure = error
        mail.end(failure)

    def _notify(self) -> Any:
        """Return what asks the operating system; None: there is nobody to ask."""
        watched = self._watched
        if watched.force_polling:
            return None
        try:
            if HAS_INOTIFY:
                self._inotify = Inotify(self._top, watched.recursive)
                return self._inotify
            from watchfiles._rust_notify import RustNotify

            return RustNotify([self._top], False, False, 0, watched.recursive, True)
        except (ImportError, OSError) as error:
            self._tell_polling(error)
            return None

    def _tell_polling(self, error: Exception) -> None:
        logger.warning(
            "%s: looking every %g s, as the system does not tell (%s)",
            self._top,
            self._watched.poll_interval,
            error,
        )

    def _begin(self, mail: Mail) -> None:
        self._known = self._scan([self._top])
        moments, self._changed = self._changed or {}, None
        is_new, new = self._watched.is_new, []
        for path, signature in self._known.items():
            if self._tells(path) and is_new(
                self._told(path), signature, moments.get(path, 0)
            ):
                new.append((signature, path))
        created = FileChange.CREATED
        self._put(
            mail, {path: Happened(created, signature=s) for s, path in sorted(new)}
        )

    def _told(self, path: str) -> str:
        """Return a path as the user would write it, with the links of the folder."""
        return self._before + path[len(self._top.rstrip(os.sep)) + 1 :]

    def _put(self, mail: Mail, happened: dict[str, Happened] | None) -> None:
        if happened is not None:
            mail.put({self._told(path): how for path, how in happened.items()})

    def _news(self, notify: Any) -> News | None:
        """Wait until something may have happened; None: nothing."""
        if isinstance(notify, Inotify) and self._inotify is not None:
            try:
                return notify.wait(LOOK_UP)
            except OSError as error:
                self._tell_polling(error)
                self._inotify = None
                return News(is_everywhere=True)
        if notify is None or isinstance(notify, Inotify):
            end = SYSTEM_CLOCK.monotonic() + self._watched.poll_interval
            while not self.is_over():
                left = end - SYSTEM_CLOCK.monotonic()
                if left <= 0:
                    break
                self._woken.wait(min(left, STEP / 1000))
            return News(is_everywhere=True)
        found = notify.watch(DEBOUNCE, STEP, int(LOOK_UP * 1000), self)
        if isinstance(found, str):  # "timeout", "stop", "signal"
            return None
        if len(found) >= BURST:
            return News(is_everywhere=True)
        return News(dict.fromkeys(path for _, path in found))

    def _compare(self, news: News | None) -> dict[str, Happened] | None:
        """Return what is different at some places, and remember how it is now."""
        if news is None:
            return None
        if news.is_everywhere:
            before, self._known = self._known, self._scan([self._top])
            known = self._known
            paths = {*before, *known}
            ordered = sorted(paths, key=lambda p: (known.get(p, (0, 0, 0)), p))
            return self._differences(before, known, ordered) or None
        if not news.places:
            return None
        now: Known = {}
        for place in news.places:
            found = self._scan([place])
            now.update(sorted(found.items()) if len(found) > 1 else found)
        gone = self._gone(set(news.places), now)
        changes = self._differences(self._known, now, [*now, *sorted(gone)], news)
        self._known.update(now)
        for path in gone:
            self._known.pop(path, None)
        return changes or None

    def _gone(self, places: set[str], now: Known) -> set[str]:
        """Return the files that are not there any more."""
        gone = {p for p in places if p in self._known and p not in now}
        # Only of a folder the whole memory has to be looked through.
        below = tuple(place + os.sep for place in places if place in self._folders)
        if below:
            gone |= {p for p in self._known if p.startswith(below) and p not in now}
            for place in places & self._folders:
                if not os.path.isdir(place):  # noqa: PTH112 - a text
                    self._folders.discard(place)
        return gone

    def _differences(
        self,
        before: Known,
        now: Known,
        paths: Iterable[str],
        news: News | None = None,
    ) -> dict[str, Happened]:
        whole = news.whole if news else ()
        folders = tuple(path + os.sep for path in whole if path not in now)
        closed = news.closed if news else ()
        found = {}
        for path in paths:
            signature = now.get(path)
            is_changed = before.get(path) != signature
            is_closed = path in closed
            if (is_changed or is_closed) and self._tells(path):
                change = None
                if is_changed and signature is None:
                    change = FileChange.DELETED
                elif is_changed:
                    is_new = path not in before
                    change = FileChange.CREATED if is_new else FileChange.MODIFIED
                is_whole = path in whole or bool(folders and path.startswith(folders))
                found[path] = Happened(change, is_whole, is_closed, signature)
        return found

    def _tells(self, path: str) -> bool:
        name = os.path.basename(path)  # noqa: PTH119 - thousands of times
        return not _OURS.match(name) and self._watched.accepts(path, self._top)

    def _scan(self, places: Iterable[str]) -> Known:
        """Return the signatures of the files at some places and below them."""
        found: Known = {}
        left = list(places)
        while left:
            place = left.pop()
            try:
                status = os.lstat(place)
                if stat.S_ISDIR(status.st_mode):
                    self._folders.add(place)
                    left += self._listed(place, found)
                elif not stat.S_ISDIR(os.stat(place).st_mode):  # noqa: PTH116 - links
                    self._find(place, status, found)
            except OSError:
                continue  # it is gone again, or not for us
        return found

    def _listed(self, folder: str, found: Known) -> list[str]:
        folders = []
        with os.scandir(folder) as listing:
            for entry in listing:
                if entry.is_dir(follow_symlinks=False):
                    if self._watched.recursive:
                        folders.append(entry.path)
                elif not entry.is_dir():
                    with contextlib.suppress(FileNotFoundError):
                        status = entry.stat(follow_symlinks=False)
                        self._find(entry.path, status, found)
        return folders

    def _find(self, path: str, status: os.stat_result, found: Known) -> None:
        found[path] = signature_of(status)
        if self._changed is not None:
            self._changed[path] = status.st_ctime_ns


def _before(folder: Path) -> str:
    """Return what stands before the path of a file below a folder."""
    text = str(folder)
    return "" if text == "." else text.rstrip(os.sep) + os.sep
