"""What Linux tells of a tree of folders: where something happens, and what is whole.

watchfiles says where as well, but neither that a file was renamed into place nor that
its writer has closed it, and it looks every few milliseconds, where this waits.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import select
import struct
import threading
from dataclasses import dataclass, field
from typing import Any

from truthound._clock import SYSTEM_CLOCK

STEP = 0.01  # seconds that what goes on with a file that is being written is gathered
PIECE = 2**16  # bytes of messages that one call reads

# <sys/inotify.h>
_MODIFY, _ATTRIB, _CLOSE_WRITE = 0x2, 0x4, 0x8
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF = 0x400, 0x800
_OVERFLOW, _IGNORED, _IS_FOLDER = 0x4000, 0x8000, 0x40000000
_ONLY_FOLDERS, _NO_LINKS = 0x01000000, 0x02000000
_MASK = (
    _MODIFY | _ATTRIB | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE
    | _DELETE_SELF | _MOVE_SELF | _ONLY_FOLDERS | _NO_LINKS
)  # fmt: skip
_HEAD = struct.Struct("iIII")  # descriptor, mask, cookie, length of the name
_FINAL = _CLOSE_WRITE | _MOVED_TO


@dataclass(slots=True)
class News:
    """Where something has happened.

    Attributes:
        places: files and folders, in the order in which something happened last.
        whole: of these, what was renamed into place.
        closed: what its writer has closed.
        is_everywhere: messages were lost; it may have happened anywhere.
    """

    places: dict[str, None] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    is_everywhere: bool = False


@functools.cache
def _libc() -> Any:
    found = ctypes.CDLL(None, use_errno=True)
    if not hasattr(found, "inotify_init1"):
        raise OSError(errno.ENOSYS, "this system has no inotify")
    return found


def _checked(answer: int) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer


class Inotify:
    """Watches a folder, and the folders below it.

    Args:
        top: the folder, links followed.
        recursive: watch those below, too, also those that are made later.

    Raises:
        OSError: the system has no inotify, or no more watches.
    """

    def __init__(self, top: str, recursive: bool) -> None:
        self._top, self._recursive = top, recursive
        self._folders: dict[int, str] = {}
        self._numbers: dict[str, int] = {}
        self._lock = threading.Lock()
        flags = os.O_NONBLOCK | os.O_CLOEXEC
        self._messages = _checked(_libc().inotify_init1(flags))
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        for descriptor in (self._messages, self._bell):
            self._poll.register(descriptor, select.POLLIN)
        try:
            self._add(top)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Inotify:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Watch no more."""
        with self._lock:
            descriptors = (self._messages, self._bell)
            self._messages = self._bell = -1
            for descriptor in descriptors:
                if descriptor >= 0:
                    os.close(descriptor)

    def wake(self) -> None:
        """End a wait; from any thread."""
        with self._lock:  # else the number may be another file's by now
            if self._bell >= 0:
                os.eventfd_write(self._bell, 1)

    def wait(self, seconds: float) -> News:
        """Wait until something happens, but not longer than that.

        What a writer does is gathered for a moment, until it closes the file.

        Raises:
            OSError: there are no more watches.
        """
        news = News()
        ready = dict(self._poll.poll(seconds * 1000))
        if self._bell in ready or not ready:
            return news
        end = SYSTEM_CLOCK.monotonic() + STEP
        is_final = self._read(news)
        while not is_final and not news.is_everywhere:
            left = end - SYSTEM_CLOCK.monotonic()
            if left <= 0:
                break
            ready = dict(self._poll.poll(left * 1000))
            if self._bell in ready:
                break
            if ready:
                is_final = self._read(news)
        return news

    def _read(self, news: News) -> bool:
        """Read what there is; tell whether a file has come to its end by it."""
        is_final = False
        try:
            messages = os.read(self._messages, PIECE)
        except BlockingIOError:
            return False
        at = 0
        while at < len(messages):
            number, mask, _, length = _HEAD.unpack_from(messages, at)
            at += _HEAD.size
            name = messages[at : at + length].rstrip(b"\0")
            at += length
            is_final |= bool(mask & _FINAL)
            self._take(number, mask, os.fsdecode(name), news)
        return is_final

    def _take(self, number: int, mask: int, name: str, news: News) -> None:
        if mask & _OVERFLOW:
            news.is_everywhere = True
            self._add(self._top)  # folders may have come
            return
        folder = self._folders.get(number)
        if mask & _IGNORED:
            self._forget(number)
            return
        if folder is None:
            return
        if not name:
            if mask & (_DELETE_SELF | _MOVE_SELF):
                news.places[folder] = None
            return
        path = f"{folder.rstrip(os.sep)}{os.sep}{name}"
        news.places.pop(path, None)
        news.places[path] = None
        news.whole.discard(path)
        news.closed.discard(path)
        if mask & _MOVED_TO:
            news.whole.add(path)
        elif mask & _CLOSE_WRITE:
            news.closed.add(path)
        if mask & _IS_FOLDER and self._recursive:
            self._follow(path, mask)

    def _follow(self, folder: str, mask: int) -> None:
        """Watch a folder that has come, or no more one that went elsewhere."""
        if mask & (_CREATE | _MOVED_TO):
            self._add(folder)
        elif mask & _MOVED_FROM:
            below = folder + os.sep
            for path in [p for p in self._numbers if f"{p}{os.sep}".startswith(below)]:
                _libc().inotify_rm_watch(self._messages, self._numbers[path])
                self._forget(self._numbers[path])

    def _forget(self, number: int) -> None:
        path = self._folders.pop(number, None)
        if path is not None and self._numbers.get(path) == number:
            del self._numbers[path]

    def _add(self, top: str) -> None:
        """Watch a folder and those below it."""
        left = [top]
        while left:
            folder = left.pop()
            name = os.fsencode(folder)
            try:
                found = _libc().inotify_add_watch(self._messages, name, _MASK)
                number = _checked(found)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.ENOMEM) or folder == self._top:
                    raise
                continue  # it is gone again, or not for us
            self._folders[number] = folder
            self._numbers[folder] = number
            if self._recursive:
                left += _folders_in(folder)


def _folders_in(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as listing:
            return [e.path for e in listing if e.is_dir(follow_symlinks=False)]
    except OSError:
        return []
