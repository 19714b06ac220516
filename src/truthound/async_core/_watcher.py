"""`AsyncDirectoryWatcher`: what changes in a folder, as soon as it does."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

from truthound._clock import SYSTEM_CLOCK
from truthound.async_core._disk import AnyPath, as_path
from truthound.async_core._file_ops import matcher
from truthound.async_core._limit import check_seconds
from truthound.async_core._telling import FileChange, Stop
from truthound.async_core._watching import Watched, batches

__all__ = ["AsyncDirectoryWatcher", "ChangedPath", "FileChange"]


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
        self._stopped = Stop()

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
        matches: list[Callable[[Path], bool]] = []

        def accepts(path: str, top: str) -> bool:
            if not matches:
                matches.append(matcher(self.patterns, Path(top)))
            return matches[0](Path(path))

        watched = Watched(
            folder=self.directory,
            accepts=accepts,
            is_new=lambda path, _, changed: self.initial or changed >= since,
            poll_interval=self.poll_interval,
            recursive=self.recursive,
            force_polling=self.force_polling,
        )
        found = batches(watched, self._stopped)
        async with contextlib.aclosing(found):
            async for batch in found:
                for path, happened in batch.items():
                    if self._stopped.is_set():
                        return
                    if happened.change is not None:
                        changed = ChangedPath(path)
                        changed.change = happened.change
                        yield changed

    def stop(self) -> None:
        """End the iteration, at once and for good; from any thread, more than once."""
        self._stopped.set()


def _as_list(patterns: Sequence[str]) -> list[str]:
    return [patterns] if isinstance(patterns, str) else list(patterns)
