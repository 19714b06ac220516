"""A table of files of which only the new and the changed ones are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from truthound._clock import SYSTEM_CLOCK, Clock
from truthound.data.expr import ROWS, Batch, Metric, Showing
from truthound.data.growing_files import Files
from truthound.data.parts import FilePart, KeptPart, Known, key_digest, packed, unpacked
from truthound.data.schema import Schema
from truthound.data.sketches import available
from truthound.data.table import RetypedError, Row, Table, number_key
from truthound.errors import TruthoundError

if TYPE_CHECKING:
    import polars as pl

# A file that was changed so shortly before it was read might be changed again without
# another time; some file systems count whole seconds only.
_TICK, _COARSE_TICK = 20_000_000, 2_000_000_000  # nanoseconds
_SECOND = 1_000_000_000


class ReadAllError(TruthoundError):
    """Raised when the files cannot be judged one by one after all.

    The table will read all of them, maybe with other types; the checks are to be stated
    anew.
    """


class GrowingTable(Table):
    """Files that are measured one by one, each of them once.

    What can be merged is taken from what is known of the files that did not change, and
    measured on the others. Whatever else is asked, is asked of all files.

    Args:
        files: the files, whose columns are settled.
        known: what is known of files that did not change, by place.
        options: a digest of how the files are read.
        exact: measure what a sketch would tell on all files.
        clock: tells the time.
    """

    addressable = True

    schema: Schema

    def __init__(
        self,
        files: Files,
        known: Mapping[int, Known],
        options: str,
        *,
        exact: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__(files.name, files.schema)
        self.files = files
        self.all_because: str = ""
        self._options = options
        self._exact = exact
        self._clock = clock
        places = range(len(files.names))
        self._known = [known.get(n) or Known(files.described) for n in places]
        self._read: set[int] = set()
        self._lasting: set[int] = set()  # of these, those that may be kept
        self._keys: dict[Metric, str | None] = {}
        self._batches: dict[tuple[Metric, ...], Batch] = {}
        self._open: tuple[int, Table] | None = None
        self._whole: Table | None = None

    @property
    def files_read(self) -> int:
        """How many files were read, or looked into."""
        return len(self.files.names) if self._whole else len(self._read)

    def merges(self, metric: Metric) -> bool:
        """Tell whether a metric can be had without reading all files."""
        merge = metric.merge
        if merge is None or (merge.sketch and not available()):
            return False
        return all(self._key(part) for part in merge.parts or (metric,))

    def prepare(self, columns: frozenset[str], parsed: frozenset[str]) -> None:
        if self.all_because:
            try:
                self._all().prepare(columns, parsed)
            finally:
                self.schema = self._all().schema

    def measure(self, batch: Batch) -> list[tuple[Any, ...]]:
        if self.all_because or batch.by:
            return self._asked_of_all(batch)
        merged = [metric for metric in batch.metrics if self.merges(metric)]
        values = self._merged(merged)
        rest = batch.subset(lambda metric: metric not in values)
        if rest.metrics:
            row = self._asked_of_all(rest)[0]
            values.update(zip(rest.metrics, row, strict=True))
        return [tuple(values[metric] for metric in batch.metrics)]

    def examples(self, wanted: Sequence[Showing]) -> list[list[Row]]:
        by_file = [s for s in wanted if not self.all_because and self._counts(s)]
        found = dict(zip(by_file, self._shown(by_file), strict=True))
        others = [showing for showing in wanted if showing not in found]
        if others:
            found.update(zip(others, self._all().examples(others), strict=True))
        return [found[showing] for showing in wanted]

    def to_polars(self, columns: Iterable[str] | None = None) -> pl.LazyFrame:
        return self._all().to_polars(columns)

    def number(self, place: pl.Expr) -> pl.Expr | None:
        return self._all().number(place)

    def noticed(self) -> list[str]:
        """Return what a reader of the result should know about the reading."""
        if self.all_because:
            return [*self._all().warnings, f"incremental: {self.all_because}"]
        by_file = [
            f"{name}: {warning}"
            for name, known in zip(self.files.names, self._known, strict=True)
            for warning in known.warnings
        ]
        return [*self.files.warnings, *by_file]

    def to_keep(self) -> list[FilePart]:
        """Return what is now known of the files that were read."""
        asked = {key for key in self._keys.values() if key}
        parts = []
        for place in sorted(self._lasting):
            known = self._known[place]
            values = {key: v for key, v in known.values.items() if key in asked}
            state = packed(Known(known.schema, values, known.warnings), self._options)
            fingerprint = self.files.fingerprint(place)
            name = self.files.names[place]
            parts.append(FilePart(file=name, fingerprint=fingerprint, state=state))
        return parts

    def _key(self, metric: Metric) -> str | None:
        if metric not in self._keys:
            self._keys[metric] = key_digest(metric.key)
        return self._keys[metric]

    def _kept(self, metric: Metric) -> str:
        key = self._key(metric)
        assert key is not None  # see ``merges``
        return key

    def _merged(self, metrics: Sequence[Metric]) -> dict[Metric, Any]:
        """Return the values of metrics that can be merged."""
        parts = dict.fromkeys(part for metric in metrics for part in _parts_of(metric))
        self._measure_files(list(parts))
        values: dict[Metric, Any] = {}
        for metric in metrics:
            merge = metric.merge
            assert merge is not None  # or it was not among them
            if self._exact and merge.sketch:
                continue
            columns = [
                [known.values[self._kept(part)] for known in self._known]
                for part in _parts_of(metric)
            ]
            values[metric] = merge.combine(*columns)
        return values

    def _measure_files(self, metrics: Sequence[Metric]) -> None:
        for place, known in enumerate(self._known):
            missing = tuple(m for m in metrics if self._kept(m) not in known.values)
            if not missing:
                continue
            if missing not in self._batches:
                self._batches[missing] = Batch(missing)
            batch = self._batches[missing]
            row = self._of_file(place, batch)
            keys = (self._kept(metric) for metric in batch.metrics)
            known.values.update(zip(keys, row, strict=True))

    def _of_file(self, place: int, batch: Batch) -> tuple[Any, ...]:
        lasting = self._is_lasting(place)
        try:
            table = self._table(place, batch)
            row = table.measure(batch)[0]
        except RetypedError:
            self._give_up(place)
        if dict(table.schema) != dict(self.schema):
            self._give_up(place)
        self._read.add(place)
        if lasting:
            self._lasting.add(place)
        known = self._known[place]
        known.warnings += [w for w in table.warnings if w not in known.warnings]
        return row

    def _table(self, place: int, batch: Batch | None = None) -> Table:
        """Return the table of a file; the last one stays open."""
        if self._open is None or self._open[0] != place:
            table = self.files.one(place)
            if batch is not None:
                table.prepare(batch.reads, batch.parsed)
            self._open = (place, table)
        return self._open[1]

    def _is_lasting(self, place: int) -> bool:
        """Tell whether any change of a file from now on is one of its fingerprint."""
        changed = (self.files.origins[place].stamp or (0, 0, 0))[1]
        tick = _TICK if changed % _SECOND else _COARSE_TICK
        now = int(self._clock.now().timestamp() * _SECOND)
        return not 0 <= now - changed < tick

    def _give_up(self, place: int) -> NoReturn:
        self._read_all(
            f"a value in {self.files.names[place]} is not of the type that the first "
            f"rows have; all files were read (schema_overrides gives the types)"
        )

    def _read_all(self, reason: str) -> NoReturn:
        self.all_because = reason
        self._open = None
        self.schema = self._all().schema
        raise ReadAllError(reason)

    def _asked_of_all(self, batch: Batch) -> list[tuple[Any, ...]]:
        table = self._all()
        if not self.all_because:
            try:
                table.prepare(batch.reads, batch.parsed)
            except RetypedError as error:
                self._read_all(f"{error}; all files were read")
        return table.measure(batch)

    def _all(self) -> Table:
        if self._whole is None:
            self._whole = self.files.whole()
        return self._whole

    def _counts(self, showing: Showing) -> bool:
        counted = showing.predicate.count
        return counted is not None and self.merges(counted)

    def _shown(self, wanted: Sequence[Showing]) -> list[list[Row]]:
        found: list[list[Row]] = [[] for _ in wanted]
        before = 0  # rows of the files that come first
        for place, known in enumerate(self._known):
            left = [
                (rows, Showing(s.predicate, s.columns, s.limit - len(rows)))
                for rows, s in zip(found, wanted, strict=True)
                if len(rows) < s.limit and self._fails_in(known, s)
            ]
            if left:
                self._read.add(place)
                here = self._table(place).examples([showing for _, showing in left])
                for (rows, showing), more in zip(left, here, strict=True):
                    key = number_key(showing.columns)
                    rows += [{**row, key: row[key] + before} for row in more]
            before += known.values[self._kept(ROWS)]
        return found

    def _fails_in(self, known: Known, showing: Showing) -> bool:
        counted = showing.predicate.count
        assert counted is not None  # see _counts
        return known.values.get(self._kept(counted)) != 0


def restored(
    files: Files, parts: Iterable[KeptPart], options: str
) -> tuple[dict[int, Known], list[str], int]:
    """Find what is known of files that did not change since.

    Args:
        files: as they are now.
        parts: what was kept.
        options: a digest of how the files are read.

    Returns:
        What is known, by place; the names of files that are gone; and how many states
        cannot be used.
    """
    places = {name: place for place, name in enumerate(files.names)}
    known: dict[int, Known] = {}
    gone: list[str] = []
    useless = 0
    for part in parts:
        place = places.get(part.file)
        if place is None:
            gone.append(part.file)
        elif part.fingerprint == files.fingerprint(place):
            found = unpacked(part.state, options)
            if found is None:
                useless += 1
            else:
                known[place] = found
    return known, gone, useless


def _parts_of(metric: Metric) -> tuple[Metric, ...]:
    parts = metric.merge.parts if metric.merge else ()
    return parts or (metric,)
