"""One place where files land: which of them count, and when."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from truthound._clock import SYSTEM_CLOCK
from truthound.async_core._disk import from_disk
from truthound.async_core._signatures import Signature as Whole
from truthound.async_core._signatures import changed_at
from truthound.async_core._telling import FileChange, Happened, Stop
from truthound.async_core._watching import Watched, batches
from truthound.checkpoint.triggers._paths import Marker, Place, among
from truthound.checkpoint.triggers._seen import (
    Print,
    Seen,
    Signature,
    digest_of,
    signature_of,
)

if TYPE_CHECKING:
    from truthound.checkpoint.triggers.file_watch import FileWatchConfig

logger: logging.Logger = logging.getLogger("truthound.checkpoint")

Note = Callable[["Landing", str, Happened], None]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file, or a folder, that counts.

    Attributes:
        landing: where.
        path: as the user would write it.
        change: what happened to it.
        found: what it was; None: it is gone.
        files: those of the folder; of a file itself.
    """

    landing: Landing
    path: str
    change: FileChange
    found: Print | None
    files: tuple[str, ...]


class Landing:
    """One of the places of a trigger.

    Attributes:
        place: which.
        whole_path: by which a store knows it, wherever the process works.
        seen: the files that have counted.
        is_first: whether the watching begins, and not begins again.
        is_first_look: whether it is not known yet what was there at the beginning.
    """

    def __init__(self, place: Place, config: FileWatchConfig) -> None:
        self.place = place
        self.whole_path: str = os.path.abspath(place.given)  # noqa: PTH100 - a text
        self.seen: Seen = Seen(SYSTEM_CLOCK.file_time())
        self.is_first: bool = True
        self.is_first_look: bool = True
        self._config = config
        self._marker = Marker(config.marker) if config.marker else None
        self._is_listed = among(list(config.patterns))
        self._is_left_out = among(list(config.ignore_patterns))
        self._is_temporary = among(list(config.temporary_patterns), of_folders=True)
        self._fits = None if place.pattern is None else among([place.pattern])
        self._folder = place.top
        self._only: str | None = None  # if the place is a file
        self._present: set[str] = set()
        self._baseline: list[tuple[str, Print]] = []

    def look_up(self) -> None:
        """See whether it is a file or a folder. Blocks."""
        top = self.place.top
        is_file = self.place.pattern is None and top.is_file()
        self._folder, self._only = (top.parent, top.name) if is_file else (top, None)

    def holds(self, path: str) -> bool:
        """Tell whether a path is one of those that are told of here."""
        top = str(self.place.top)
        if top == ".":
            return not path.startswith(os.sep)
        return path == top or path.startswith(top.rstrip(os.sep) + os.sep)

    @property
    def recursive(self) -> bool:
        """Whether folders below are watched."""
        if self._only is not None:
            return False
        if self.place.pattern is not None:
            return self.place.is_deep
        return self._config.recursive

    # ------------------------------------------------------------------ which count

    def wants(self, below: str) -> bool:
        """Tell whether a file is one of those that are meant, by its path."""
        if self._only is not None:
            return below == self._only and not self._is_left_out(below)
        if self._fits is not None and not self._fits(below):
            return False
        if self._is_temporary(below) or self._is_left_out(below):
            return False
        if not self._is_listed(below):
            return False
        return self._marker is None or not self._marker.is_one(os.path.basename(below))  # noqa: PTH119

    def accepts(self, path: str, top: str) -> bool:
        """Tell whether what happens to a file matters."""
        below = path[len(top.rstrip(os.sep)) + 1 :]
        marker = self._marker
        if marker is not None and marker.is_one(os.path.basename(below)):  # noqa: PTH119
            return True
        return (marker is None or not marker.of_folder) and self.wants(below)

    def below(self, path: str) -> str:
        """Return the path below the place, by which the file is known."""
        top = str(self._folder)
        if top == ".":
            return path.removeprefix("./")
        # Without a look at the disk, which os.path.relpath takes.
        return path[len(top.rstrip(os.sep)) + 1 :] or "."

    def unit(self, path: str) -> str:
        """Return what counts when something happens to a file: it, or its folder."""
        if self._marker is not None and self._marker.of_folder:
            return os.path.dirname(path) or "."  # noqa: PTH120
        return path

    def is_new(self, path: str, signature: Whole, moment: int) -> bool:
        """Tell of a file that is there at the beginning whether it counts. Blocks."""
        unit, marker = self.unit(path), self._marker
        if marker is not None and not marker.of_folder:
            if marker.is_one(os.path.basename(path)):  # noqa: PTH119
                return False  # its files are there, too, or it counts later
            sign = changed_at(marker.of(path))
            if not sign:
                return False
            moment = max(moment, sign)
        below = self.below(unit)
        self._present.add(below)
        before = self.seen.known.get(below)
        if before is not None:
            return before.signature != signature[:2]
        if moment >= self.seen.since or not self.is_first:
            return True
        self._baseline.append((below, Print((signature[0], signature[1]))))
        return False

    # ----------------------------------------------------------------- watching

    async def follow(self, note: Note, begun: Callable[[Landing], None]) -> None:
        """Note what happens, as long as it takes."""
        pause = min(1.0, self._config.poll_interval_seconds)
        is_told = False
        while True:
            try:
                await self._watched(note, begun)
            except (FileNotFoundError, NotADirectoryError) as error:
                if not is_told or not self.is_first_look:
                    logger.warning("file_watch waits: %s", error)
                is_told = True
            # What is there when a folder appears has arrived with it.
            self.is_first, self.is_first_look = False, True
            await asyncio.sleep(pause)

    async def _watched(self, note: Note, begun: Callable[[Landing], None]) -> None:
        """Note what happens, until the folder is gone.

        Raises:
            FileNotFoundError: it is.
            NotADirectoryError: it is a file.
        """
        await from_disk(self.look_up)
        watched = Watched(
            folder=self._folder,
            accepts=self.accepts,
            is_new=self.is_new,
            poll_interval=self._config.poll_interval_seconds,
            recursive=self.recursive,
        )
        self._present = set()
        async with contextlib.aclosing(batches(watched, Stop())) as found:
            async for batch in found:
                for path, happened in batch.items():
                    note(self, path, happened)
                if self.is_first_look:
                    self._begun(note)
                    begun(self)

    def _begun(self, note: Note) -> None:
        """Compare what is there at the beginning with what was there before."""
        seen = self.seen
        for below, found in self._baseline:
            seen.known[below] = found._replace(is_kept=True)
            if not seen.is_whole:
                seen.unsaved[below] = seen.known[below]
        self._baseline = []
        # Where nothing at all is left, a disk may not be there.
        if self._present:
            for below in [b for b in seen.known if b not in self._present]:
                if "deleted" in self._config.events and self._marker is None:
                    gone = Happened(FileChange.DELETED)
                    note(self, str(self._folder / below), gone)
                else:
                    seen.forget(below)
        self._present = set()
        self.is_first_look = False

    # ---------------------------------------------------------------- judging

    def looked_at(self, path: str) -> Signature | None:
        """Return the signature of a file; None: it is gone. Blocks."""
        return signature_of(path)

    def brought_by(self, path: str) -> list[str]:
        """Return the files for which a path is the marker. Blocks."""
        marker = self._marker
        if marker is None or marker.of_folder:
            return []
        return [p for p in marker.files_of(path) if self.wants(self.below(p))]

    def is_marker(self, path: str) -> bool:
        """Tell whether a path is that of a marker beside its files."""
        marker, name = self._marker, os.path.basename(path)  # noqa: PTH119
        return marker is not None and not marker.of_folder and marker.is_one(name)

    @property
    def is_by_folder(self) -> bool:
        """Whether folders count, by their markers."""
        return self._marker is not None and self._marker.of_folder

    def gone(self, path: str, change: FileChange) -> Arrival | None:
        """Return what becomes of a file that is gone. Blocks."""
        unit = self.unit(path)
        if not self._folder.is_dir():
            return None  # with everything: a disk, perhaps, that comes back
        if change is FileChange.DELETED and "deleted" in self._config.events:
            return Arrival(self, unit, change, None, (unit,))
        return Arrival(self, unit, change, None, ())

    def judged(
        self, path: str, change: FileChange, signature: Signature
    ) -> Arrival | None:
        """Return what becomes of a file that is complete; None: nothing. Blocks.

        One without files does not count, but is remembered.
        """
        unit, marker = self.unit(path), self._marker
        below = self.below(unit)
        before = self.seen.known.get(below)
        if before is not None and before.signature == signature:
            return None
        if self.is_by_folder:
            files = tuple(self._files_in(unit))
            if not files:
                return None
            digest = b""
        else:
            if marker is not None and not changed_at(marker.of(path)):
                return None  # it comes with that
            files = (unit,)
            digest = digest_of(path) if self._config.hash_check else b""
        found = Print(signature, digest)
        if before is not None and digest and before.digest == digest:
            return Arrival(
                self, unit, change, found._replace(is_kept=before.is_kept), ()
            )
        if change.value not in self._config.events:
            return Arrival(self, unit, change, found._replace(is_kept=True), ())
        return Arrival(self, unit, change, found, files)

    def _files_in(self, folder: str) -> Iterator[str]:
        for top, folders, names in os.walk(folder):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(top, name)  # noqa: PTH118
                if self.wants(self.below(path)):
                    yield path

    def listed(self) -> Iterator[tuple[str, Signature]]:
        """Yield the files that matter, for who asks instead of being told. Blocks."""
        self.look_up()
        top = str(self._folder)
        for folder, folders, names in os.walk(top):
            if not self.recursive:
                folders.clear()
            for name in names:
                path = os.path.join(folder, name)  # noqa: PTH118
                if self.accepts(path, top) and not self.is_marker(path):
                    signature = signature_of(path)
                    if signature is not None:
                        yield path, signature
