"""``FileWatchTrigger``: when files arrive or change."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

from truthound._clock import SYSTEM_CLOCK
from truthound.async_core._disk import from_disk
from truthound.async_core._limit import check_seconds
from truthound.async_core._watcher import AsyncDirectoryWatcher, FileChange
from truthound.checkpoint._action import check_number
from truthound.checkpoint._trigger import PushTrigger, TriggerConfig, TriggerResult
from truthound.errors import ConfigurationError, did_you_mean

logger: logging.Logger = logging.getLogger("truthound.checkpoint")

EVENTS = ("created", "modified", "deleted")
LOOK = 0.05  # seconds between two looks at a file that may still be written
MOST = 1_000  # paths that a run is given, the latest
BLOCK = 2**20  # bytes
LARGE = 64 * 2**20  # bytes; of a larger file size and time have to do

Signature = tuple[int, int]


@dataclass
class FileWatchConfig(TriggerConfig):
    """Options of a :class:`FileWatchTrigger`.

    Attributes:
        paths: folders or files; one that is not there yet is waited for.
        patterns: of names; a file has to match one of them.
        recursive: watch the folders below, too.
        events: what counts: created, modified, deleted.
        ignore_patterns: of names that do not count.
        hash_check: a file that is written anew with the same content does not count
            (of those up to 64 MiB).
        poll_interval_seconds: between two looks where the operating system does not
            say what happens (network file systems).
        settle_seconds: how long a file has to stay as it is before it counts, so that
            no half of one is read.
    """

    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = ()
    patterns: str | Sequence[str] = ("*",)
    recursive: bool = True
    events: str | Sequence[str] = ("modified", "created")
    ignore_patterns: str | Sequence[str] = ()
    hash_check: bool = True
    poll_interval_seconds: float = 5.0
    settle_seconds: float = 0.2

    def check(self) -> None:
        super().check()
        for option in ("paths", "patterns", "events", "ignore_patterns"):
            given = getattr(self, option)
            given = [given] if isinstance(given, (str, os.PathLike)) else given
            kinds = (str, os.PathLike) if option == "paths" else str
            if not isinstance(given, (list, tuple)) or not all(
                isinstance(item, kinds) and str(item) for item in given
            ):
                raise ConfigurationError(
                    f"{option} is a text, or a list of texts, not {given!r}"
                )
            if not given and option != "ignore_patterns":
                raise ConfigurationError(f"{option}: there is none")
            setattr(self, option, list(given))
        for event in self.events:
            if event not in EVENTS:
                raise ConfigurationError(
                    f"events are {', '.join(EVENTS)}, not {event!r}"
                    f"{did_you_mean(str(event), EVENTS)}"
                )
        check_seconds("poll_interval_seconds", self.poll_interval_seconds)
        check_number("settle_seconds", self.settle_seconds)


class FileWatchTrigger(PushTrigger[FileWatchConfig]):
    """Runs when files are created or changed, as soon as they are complete.

    Files that come while the checkpoint cannot run go into one run after that. A run's
    metadata has the last one as ``file``, up to 1,000 of them as ``files``, and their
    number as ``file_count``.

    A runner is told by the operating system what happens. Without a runner,
    ``should_trigger()`` looks through the folders itself.
    """

    trigger_type: str = "file_watch"
    watches = True

    def __init__(self, config: FileWatchConfig | None = None, **options: Any) -> None:
        super().__init__(config, **options)
        self._lock = threading.Lock()
        self._ready: dict[str, str] = {}
        self._settling: dict[str, tuple[FileChange, Signature, float]] = {}
        self._hashes: dict[str, bytes] = {}
        self._known: dict[str, Signature] | None = None
        self._since: int | None = None

    def validate_config(self) -> list[str]:
        return [
            f"paths: there is no {path}"
            for path in self._paths()
            if not os.path.lexists(path)
        ]

    def _on_start(self) -> None:
        with self._lock:
            self._ready.clear()
        self._settling.clear()
        self._known = None
        # What arrives from now on counts, before the watching has begun, too.
        self._since = SYSTEM_CLOCK.file_time()

    def wait_for(self, now: float) -> float | None:
        return 0.0 if self._ready else None

    def take(self) -> TriggerResult:
        with self._lock:
            found, self._ready = self._ready, {}
        files = list(found)
        return TriggerResult(
            True,
            f"{files[-1]} was {found[files[-1]]}" if files else "file_watch",
            context={
                "file": files[-1] if files else None,
                "files": files[-MOST:],
                "file_count": len(files),
            },
        )

    def should_trigger(self) -> TriggerResult:
        if self.on_news is None:
            self._compare()
        return super().should_trigger()

    async def watch(self) -> None:
        async with asyncio.TaskGroup() as group:
            for path in self._paths():
                group.create_task(self._follow(path))
            group.create_task(self._settle())

    async def _follow(self, path: Path) -> None:
        """Report what happens at a path, as long as it takes."""
        config = self._config
        is_first = True
        while True:
            is_file = await from_disk(path.is_file)
            watcher = AsyncDirectoryWatcher(
                path.parent if is_file else path,
                [path.name] if is_file else list(config.patterns),
                config.poll_interval_seconds,
                recursive=config.recursive and not is_file,
                # What is there when the folder appears has arrived with it.
                initial=not is_first,
            )
            try:
                async for changed in watcher.watch(self._since if is_first else None):
                    self._note(str(changed), changed.change)
            except (FileNotFoundError, NotADirectoryError) as error:
                if is_first:
                    logger.warning("file_watch waits: %s", error)
            is_first = False
            await asyncio.sleep(min(1.0, config.poll_interval_seconds))

    def _note(self, path: str, change: FileChange) -> None:
        name = os.path.basename(path)  # noqa: PTH119 - a text
        if any(fnmatchcase(name, pattern) for pattern in self._config.ignore_patterns):
            return
        before = self._settling.get(path)
        was_created = before is not None and before[0] is FileChange.CREATED
        if was_created and change is FileChange.MODIFIED:
            change = FileChange.CREATED
        self._settling[path] = (change, (-1, -1), self.clock.monotonic())

    async def _settle(self) -> None:
        """Let files count when they have stayed as they are for a while."""
        while True:
            await asyncio.sleep(LOOK)
            if not self._settling:
                continue
            looked = list(self._settling.items())
            found = await from_disk(partial(self._looked_at, looked))
            now = self.clock.monotonic()
            done = []
            for (path, seen), signature in zip(looked, found, strict=True):
                if self._settling.get(path) is not seen:
                    continue  # something has happened since
                change, before, since = seen
                if signature is None:  # it is gone
                    done.append((path, FileChange.DELETED))
                elif signature != before:
                    self._settling[path] = (change, signature, now)
                elif now - since >= self._config.settle_seconds:
                    done.append((path, change))
            if done:
                await self._count(done)

    @staticmethod
    def _looked_at(paths: Any) -> list[Signature | None]:
        return [_signature(path) for path, _ in paths]

    async def _count(self, done: list[tuple[str, FileChange]]) -> None:
        for path, _ in done:
            self._settling.pop(path, None)
        counted = await from_disk(lambda: list(self._counted(done)))
        if counted:
            with self._lock:
                for path, change in counted:
                    self._ready.pop(path, None)
                    self._ready[path] = change
            self.news()

    def _counted(self, done: list[tuple[str, FileChange]]) -> Iterator[tuple[str, str]]:
        """Yield those that are wanted and have another content than before. Blocks."""
        for path, change in done:
            if self._config.hash_check:
                before = self._hashes.pop(path, None)
                now = None if change is FileChange.DELETED else _hash(path)
                if now is not None:
                    self._hashes[path] = now
                    if before == now:
                        continue
            if change.value in self._config.events:
                yield path, change.value

    def _compare(self) -> None:
        """Look through the folders for what has changed since the last look. Blocks."""
        now = dict(self._listed())
        before, self._known = self._known, now
        if before is None:
            return
        changes = []
        for path in sorted({*before, *now}):
            if path not in before:
                changes.append((path, FileChange.CREATED))
            elif path not in now:
                changes.append((path, FileChange.DELETED))
            elif before[path] != now[path]:
                changes.append((path, FileChange.MODIFIED))
        with self._lock:
            self._ready.update(self._counted(changes))

    def _listed(self) -> Iterator[tuple[str, Signature]]:
        config = self._config
        for top in self._paths():
            if top.is_file():
                found: Any = [top]
            elif config.recursive:
                found = top.rglob("*")
            else:
                found = top.glob("*")
            for path in found:
                name = path.name
                if (
                    any(fnmatchcase(name, p) for p in config.patterns)
                    and not any(fnmatchcase(name, p) for p in config.ignore_patterns)
                    and path.is_file()
                    and (signature := _signature(str(path))) is not None
                ):
                    yield str(path), signature

    def _paths(self) -> list[Path]:
        paths: Any = self._config.paths
        return [Path(path) for path in paths]


def _signature(path: str) -> Signature | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - many times
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _hash(path: str) -> bytes | None:
    digest = hashlib.blake2b(digest_size=16)
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a text
            if os.fstat(file.fileno()).st_size > LARGE:
                return None
            while block := file.read(BLOCK):
                digest.update(block)
    except OSError:
        return None
    return digest.digest()
