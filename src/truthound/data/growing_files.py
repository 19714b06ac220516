"""The files of a source that grows: one by one, and all as one table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from truthound.data.delimited import DelimitedTable
from truthound.data.files import as_it_is, is_read_whole, listed, one_kind
from truthound.data.formats import DELIMITERS, delimited, open_files
from truthound.data.options import ReadOptions
from truthound.data.origin import Origin
from truthound.data.partitions import Partitions
from truthound.data.parts import digest
from truthound.data.schema import Schema
from truthound.data.table import Table
from truthound.errors import DataError, MalformedDataError


class Files(ABC):
    """Files of one format, of which most are not to be opened.

    Args:
        origins: the files, in the order of their rows.
        kind: their format.
        name: how results call the source.
        options: how they are read.
        base: the folder that their names begin at.

    Attributes:
        names: of the files, from the folder on.
        warnings: what was noticed when they were opened.
        schema: the columns, known once ``settle`` was called.
        described: a digest of the columns as one file has them.
    """

    schema: Schema
    described: str

    def __init__(
        self,
        origins: Sequence[Origin],
        kind: str,
        name: str,
        options: ReadOptions,
        base: Path,
    ) -> None:
        self.origins: Sequence[Origin] = origins
        self.kind: str = kind
        self.name: str = name
        self.options: ReadOptions = options
        self.names: list[str] = [_name(origin, base) for origin in origins]
        self.warnings: list[str] = []

    @abstractmethod
    def settle(self, new: Sequence[int], known: Sequence[str]) -> bool:
        """Find out the columns, from the files that are new.

        Args:
            new: the places of files that will be read.
            known: what describes the columns of the others.

        Returns:
            Whether all files have the same columns.
        """

    def _settle_for(self, schema: Schema, described: str) -> None:
        """Take the columns of all files as known."""
        self.schema = schema
        self.described = described

    @abstractmethod
    def one(self, place: int) -> Table:
        """Open one of the files by itself, as it is read among the others.

        Raises:
            DataError: it cannot be read.
        """

    def whole(self) -> Table:
        """Open all of them.

        Raises:
            DataError: one of them cannot be read, or they do not fit together.
        """
        return open_files(self.origins, self.kind, self.name, self.options)

    def fingerprint(self, place: int) -> str:
        """Return what changes when a file does: its size, time and identity."""
        return "-".join(str(part) for part in self.origins[place].stamp or ())


class TypedFiles(Files):
    """Files that tell their columns themselves: a file that is known stays closed."""

    def settle(self, new: Sequence[int], known: Sequence[str]) -> bool:
        self._partitions = Partitions(self.origins)
        self._opened: dict[int, tuple[Table, str]] = {}
        # One file must be looked at, to know the types as the engine has them.
        for place in new or [0]:
            self._open(place)
        place, (table, described) = next(iter(self._opened.items()))
        self._settle_for(table.schema, described)
        seen = {described, *known, *(text for _, text in self._opened.values())}
        return len(seen) == 1

    def one(self, place: int) -> Table:
        # Once: a table may hold what it has read.
        if place not in self._opened:
            self._open(place)
        table, described = self._opened.pop(place)
        if described != self.described:
            raise MalformedDataError(table.name, "it was changed; try again")
        return table

    def _open(self, place: int) -> None:
        self._opened[place] = self._looked_at(place)

    def _looked_at(self, place: int) -> tuple[Table, str]:
        origin = self.origins[place]
        table = open_files(
            [origin], self.kind, origin.name, self.options, self._partitions
        )
        columns = table.to_polars().collect_schema()
        return table, digest(repr(list(columns.items())))


class TextFiles(Files):
    """Delimited files: their types are guessed from the first rows of the first ones.

    So the beginnings of all files are looked at, as always; of those that are known, no
    more.
    """

    def settle(self, new: Sequence[int], known: Sequence[str]) -> bool:
        self._files = delimited(self.origins, self.kind, self.name, self.options)
        self.warnings.extend(self._files.warnings)
        notations = sorted(self._files.notations.items())
        types = list(self._files.types.items())
        partitions = self._files.partitions.types
        described = digest(repr((types, notations, partitions)))
        self._settle_for(self._files.schema, described)
        return set(known) <= {self.described}

    def one(self, place: int) -> Table:
        return DelimitedTable(self._files.only(place))


def local_files(text: str, options: ReadOptions) -> Files | None:
    """List the files that a path leads to, without opening any.

    Returns:
        The files; None if to open one of them is to read it.

    Raises:
        DataError: there are none, or they do not fit together.
    """
    base, found = listed(text, options)
    if is_read_whole(found, options):
        return None
    origins, kind = one_kind((as_it_is(base, file, options) for file in found), text)
    make = TextFiles if kind in DELIMITERS else TypedFiles
    return make(origins, kind, text, options, base)


def _name(origin: Origin, base: Path) -> str:
    if origin.path is None:
        raise DataError(f"{origin.name} is no local file")
    return origin.path.relative_to(base).as_posix()
