"""What an incremental run takes from earlier ones, and leaves to later ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from truthound._clock import Clock
from truthound._words import plural
from truthound.data import ReadOptions, Table, open_source
from truthound.data.files import local_path
from truthound.data.growing import GrowingTable, restored
from truthound.data.growing_files import Files, local_files
from truthound.data.parts import KeptParts, digest
from truthound.data.sketches import EXTRA, available
from truthound.errors import DataError, StoreError
from truthound.secrets import Reference
from truthound.validators.plan import Plan

_BEGIN = "incremental: "


class Keeping:
    """One incremental run of a source.

    Args:
        parts: where the parts are kept; None: nowhere, and all is read.
        name: of the checkpoint, which has its own parts of a source.
        full: read all files, and keep what is found of them.
        clock: tells the time.
    """

    def __init__(
        self, parts: KeptParts | None, name: str, full: bool, clock: Clock
    ) -> None:
        self._parts = parts
        self._name = name
        self._full = full
        self._clock = clock
        self._notes: list[str] = []
        self._gone: list[str] = []
        self._reading_all: list[str] = []

    def open(self, source: object, read: ReadOptions) -> Table:
        """Open a source, if it is one of files as a :class:`GrowingTable`.

        Raises:
            DataError: it cannot be opened.
        """
        if self._parts is None:
            self._note("nothing is kept without a store; all files were read")
        elif isinstance(source, (str, os.PathLike, Reference)):
            try:
                table = self._opened(self._parts, source, read)
            except DataError:
                table = None  # the ordinary way says what is wrong, in its words
            if table is not None:
                return table
        else:
            self._note(f"a {type(source).__name__} has no files; all of it was read")
        return open_source(source, read)

    def planned(self, plan: Plan, table: Table) -> None:
        """Note which checks make the run read all files."""
        if isinstance(table, GrowingTable) and not table.all_because:
            self._reading_all = [
                check.name
                for check in plan.checks
                if check.validator.groups
                or not all(table.merges(metric) for metric in check.metrics)
            ]

    def kept(self, table: Table) -> list[str]:
        """Keep what was found, once the run is judged; return warnings."""
        if not isinstance(table, GrowingTable):
            return self._notes
        if self._reading_all and not table.all_because:
            names = ", ".join(self._reading_all)
            sketched = "" if available() else f" (quantiles and such need {EXTRA})"
            self._note(f"all files were read for {names}{sketched}")
        parts = table.to_keep()
        if parts or self._gone:
            try:
                assert self._parts is not None  # or the table would be another
                self._parts.save(self._key(table), parts, self._gone)
            except StoreError as error:
                self._note(f"nothing was kept: {error}")
        return [*table.noticed(), *self._notes]

    def metadata(self, table: Table) -> Mapping[str, Any]:
        """Return how many files there are, and how many of them were read."""
        if not isinstance(table, GrowingTable):
            return {}
        counts = {"files": len(table.files.names), "files_read": table.files_read}
        return {"incremental": counts}

    def _opened(
        self, parts: KeptParts, source: Any, read: ReadOptions
    ) -> GrowingTable | None:
        text = local_path(os.fspath(source))
        if "://" in text:
            self._note("an address has no files that can be told apart; all was read")
            return None
        files = local_files(text, read)
        if files is None:
            self._note("archives, and text with encoding=, are read as a whole")
            return None
        if isinstance(source, Reference):
            files.name = str(source)  # as it was written, not as it was looked up
        options = _digest(read)
        known, self._gone, useless = restored(
            files, self._loaded(parts, files), options
        )
        if useless:
            self._note(
                f"what was kept of {plural(useless, 'file')} is damaged or of another "
                f"version or other options; read again"
            )
        if self._full:
            known = {}
        if not _settled(files, known):
            self._note("the files differ in columns or types; all were read")
            return None
        return GrowingTable(files, known, options, exact=self._full, clock=self._clock)

    def _loaded(self, parts: KeptParts, files: Files) -> Any:
        try:
            return list(parts.load(self._key(files)))
        except StoreError as error:
            self._note(f"what was kept cannot be read: {error}")
            return []

    def _key(self, source: Files | Table) -> str:
        return f"{self._name} {source.name}"

    def _note(self, text: str) -> None:
        self._notes.append(f"{_BEGIN}{text}")


def _settled(files: Files, known: dict[int, Any]) -> bool:
    """Settle the columns; what is known of files with other columns is dropped."""
    places = range(len(files.names))
    new = [place for place in places if place not in known]
    if files.settle(new, [found.schema for found in known.values()]):
        return True
    for place in [p for p, found in known.items() if found.schema != files.described]:
        del known[place]
    new = [place for place in places if place not in known]
    return files.settle(new, [found.schema for found in known.values()])


def _digest(read: ReadOptions) -> str:
    options = [
        (f.name, repr(getattr(read, f.name)))
        for f in fields(read)
        if f.init and f.repr  # without the keys of object stores
    ]
    return digest(repr(options))
