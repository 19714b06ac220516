"""``FileWatchTrigger``: when files arrive or change."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from truthound.async_core._disk import from_disk
from truthound.async_core._limit import check_seconds
from truthound.async_core._telling import FileChange
from truthound.checkpoint._action import check_number
from truthound.checkpoint._arrived import ARRIVED
from truthound.checkpoint._trigger import PushTrigger, TriggerConfig, TriggerResult
from truthound.checkpoint.triggers._landing import Arrival, Landing
from truthound.checkpoint.triggers._paths import TEMPORARY, marker_fault, place_of
from truthound.checkpoint.triggers._seen import Signature, modified_of
from truthound.checkpoint.triggers._settling import Settling
from truthound.errors import ConfigurationError, did_you_mean

EVENTS = ("created", "modified", "deleted")
MOST = 1_000  # paths that a run is given, the latest
_MAY_BE_EMPTY = ("ignore_patterns", "temporary_patterns")


@dataclass
class FileWatchConfig(TriggerConfig):
    """Options of a :class:`FileWatchTrigger`.

    Attributes:
        paths: folders, files, or patterns of paths such as
            ``landing/*/2026-*.parquet``; one that is not there yet is waited for.
        patterns: of names, or, with a slash, of paths below the folder
            (``**/*.csv``); a file has to match one of them.
        recursive: watch the folders below, too; a pattern in ``paths`` says that
            itself.
        events: what counts: created, modified, deleted.
        ignore_patterns: of names or paths that do not count.
        temporary_patterns: the same, for files that their writers have not finished,
            and for folders of such: ``*.tmp``, ``*.part``, ``*~``, ``*.crdownload``,
            ``_temporary`` and the like; an empty list for none.
        hash_check: a file that is written anew with the same content does not count
            (of those up to 64 MiB).
        poll_interval_seconds: between two looks where the operating system does not
            say what happens (network file systems).
        settle_seconds: how long a file has to stay as it is before it counts, so that
            no half of one is read. One that is renamed into place counts at once. 0:
            when its writer closes it.
        marker: a name without which nothing counts: ``{name}.done`` or ``{stem}.done``
            beside each file, or one like ``_SUCCESS`` in a folder, which then counts as
            a whole.
        per_file: one run for each file, in the order in which they came.
    """

    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = ()
    patterns: str | Sequence[str] = ("*",)
    recursive: bool = True
    events: str | Sequence[str] = ("modified", "created")
    ignore_patterns: str | Sequence[str] = ()
    temporary_patterns: str | Sequence[str] = TEMPORARY
    hash_check: bool = True
    poll_interval_seconds: float = 5.0
    settle_seconds: float = 0.2
    marker: str | None = None
    per_file: bool = False

    def check(self) -> None:
        super().check()
        for option in ("paths", "patterns", "events", *_MAY_BE_EMPTY):
            given = getattr(self, option)
            given = [given] if isinstance(given, (str, os.PathLike)) else given
            kinds = (str, os.PathLike) if option == "paths" else str
            if not isinstance(given, (list, tuple)) or not all(
                isinstance(item, kinds) and str(item) for item in given
            ):
                raise ConfigurationError(
                    f"{option} is a text, or a list of texts, not {given!r}"
                )
            if not given and option not in _MAY_BE_EMPTY:
                raise ConfigurationError(f"{option}: there is none")
            if option != "temporary_patterns" or given is not TEMPORARY:
                setattr(self, option, list(given))
        for event in self.events:
            if event not in EVENTS:
                raise ConfigurationError(
                    f"events are {', '.join(EVENTS)}, not {event!r}"
                    f"{did_you_mean(str(event), EVENTS)}"
                )
        if self.marker is not None and (fault := marker_fault(self.marker)):
            raise ConfigurationError(f"marker is {fault}")
        check_seconds("poll_interval_seconds", self.poll_interval_seconds)
        check_number("settle_seconds", self.settle_seconds)


class FileWatchTrigger(PushTrigger[FileWatchConfig]):
    """Runs when files are created or changed, as soon as they are complete.

    Files that come while the checkpoint cannot run go into one run after that, or wait
    for their own with ``per_file``. A run's metadata has the last one as ``file``, up
    to 1,000 of them as ``files``, and their number as ``file_count``; of the last one
    also ``file_change``, ``file_size`` (bytes) and ``file_modified``. A checkpoint
    whose ``data_source`` is ``trigger:file`` checks the file that has arrived.

    A runner is told by the operating system what happens; with a store it knows which
    files were checked, and goes on there after a restart. Without a runner,
    ``should_trigger()`` looks through the folders itself.
    """

    trigger_type: str = "file_watch"
    watches = True

    def __init__(self, config: FileWatchConfig | None = None, **options: Any) -> None:
        super().__init__(config, **options)
        self.taken: list[Arrival] = []  # what the last take() has returned
        self.on_seen: Callable[[], None] | None = None  # set by the runner
        self._lock = threading.Lock()
        self._ready: dict[str, Arrival] = {}
        self._landings: list[Landing] | None = None
        self._looked: dict[str, Signature] | None = None
        self._settling: Settling | None = None

    def validate_config(self) -> list[str]:
        found = []
        for path in self._given():
            place = place_of(path)
            if not os.path.lexists(place.top):
                found.append(f"paths: there is no {place.top}")
        source = getattr(getattr(self.checkpoint, "config", None), "data_source", None)
        if isinstance(source, str) and source == ARRIVED and not self.per_file:
            found.append(f"per_file: data_source is {ARRIVED}, which needs it")
        if isinstance(source, str) and source == ARRIVED and self.run_immediately:
            found.append(
                f"run_immediately: data_source is {ARRIVED}: there is none yet"
            )
        if isinstance(source, str) and source == ARRIVED and "deleted" in self.events:
            found.append(
                f"events: data_source is {ARRIVED}, and a file that was deleted is not "
                "there to be read"
            )
        return found

    def whole_paths(self) -> list[str]:
        """Return the paths that it was given, from the root. Blocks."""
        return [os.path.abspath(path) for path in self._given()]  # noqa: PTH100 - a text

    def anew(self) -> list[Landing]:
        """Forget what is known of files, and return the places. Blocks."""
        self._landings = None
        return self.landings()

    def landings(self) -> list[Landing]:
        """Return the places that are watched. Blocks the first time."""
        if self._landings is None:
            made = [Landing(place_of(path), self._config) for path in self._given()]
            self._landings = made
        return self._landings

    def _on_start(self) -> None:
        with self._lock:
            self._ready.clear()
        self._looked = None

    def wait_for(self, now: float) -> float | None:
        return 0.0 if self._ready else None

    def next_up(self) -> Arrival | None:
        """Return what :meth:`take` would return if each file has a run of its own."""
        with self._lock:
            if not self._config.per_file or not self._ready:
                return None
            return next(iter(self._ready.values()))

    def take(self) -> TriggerResult:
        with self._lock:
            if self._config.per_file and self._ready:
                first = next(iter(self._ready))
                found = {first: self._ready.pop(first)}
            else:
                found, self._ready = self._ready, {}
        self.taken = list(found.values())
        if not self.taken:
            return TriggerResult(True, "file_watch", context=_context([]))
        last = self.taken[-1]
        reason = f"{last.path} was {last.change}"
        return TriggerResult(True, reason, context=_context(self.taken))

    def should_trigger(self) -> TriggerResult:
        if self.on_news is None:
            self._compare()
        return super().should_trigger()

    async def watch(self) -> None:
        landings = await from_disk(self.landings)
        settling = Settling(self._config.settle_seconds, self._count, self.clock)
        async with asyncio.TaskGroup() as group:
            group.create_task(settling.run())
            for landing in landings:
                group.create_task(landing.follow(settling.note, self._begun))

    def _begun(self, landing: Landing) -> None:
        if self.on_seen is not None:
            self.on_seen()

    def _count(self, arrivals: list[Arrival]) -> None:
        """Take in what has arrived; what has no files is only remembered."""
        with self._lock:
            for arrival in arrivals:
                seen, below = arrival.landing.seen, arrival.landing.below(arrival.path)
                if arrival.found is None and arrival.files:
                    seen.known.pop(below, None)  # the store, when its run has ended
                elif arrival.found is None:
                    seen.forget(below)
                elif arrival.found.is_kept:
                    seen.count(below, arrival.found)
                    seen.keep(below, arrival.found)
                else:
                    seen.count(below, arrival.found)
                if arrival.files:
                    self._ready.pop(arrival.path, None)
                    self._ready[arrival.path] = arrival
        if self.on_seen is not None and any(a.landing.seen.unsaved for a in arrivals):
            self.on_seen()
        if self._ready:
            self.news()

    def _compare(self) -> None:
        """Look through the folders for what has changed since the last look. Blocks."""
        now: dict[str, Signature] = {}
        homes: dict[str, Landing] = {}
        for landing in self.landings():
            for path, signature in landing.listed():
                now[path], homes[path] = signature, landing
        before, self._looked = self._looked, now
        if before is None:
            return
        found = []
        for path in sorted({*before, *now}):
            change = FileChange.MODIFIED if path in before else FileChange.CREATED
            if path not in now:
                home = self.landing_of(path)
                if home is not None:
                    found.append(home.gone(path, FileChange.DELETED))
            elif before.get(path) != now[path]:
                found.append(homes[path].judged(path, change, now[path]))
        self._count([arrival for arrival in found if arrival is not None])

    def landing_of(self, path: str) -> Landing | None:
        """Return the place where a file lies, by its path."""
        for landing in self.landings():
            if landing.holds(path):
                return landing
        return None

    def _given(self) -> list[str | os.PathLike[str]]:
        given: Any = self._config.paths
        return list(given)


def _context(arrivals: list[Arrival]) -> dict[str, Any]:
    """Return what a run is to know of the files for which it is."""
    files = [file for arrival in arrivals for file in arrival.files]
    last = arrivals[-1] if arrivals else None
    context: dict[str, Any] = {
        "file": last.path if last else None,
        "files": files[-MOST:],
        "file_count": len(files),
    }
    folders = [a.path for a in arrivals if a.landing.is_by_folder]
    if folders:
        context["folders"] = folders[-MOST:]
    if last is not None:
        context["file_change"] = str(last.change)
        if last.found is not None:
            context["file_modified"] = modified_of(last.found.signature)
            context["file_size"] = last.found.signature[1]
    return context
