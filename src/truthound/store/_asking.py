"""What a store is asked by people and by what looks back; all of it blocks."""

from __future__ import annotations

import functools
import os
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from truthound.store._database import Database
from truthound.store.records import Notice, NoticeState, Past, RunRecord, RunState

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Asking(Database):
    """The questions; see :class:`truthound.store.Store`."""

    def run_with_slot(self, slot: str) -> str | None:
        """Return the id of the run that was accepted with a slot; None: none. Blocks.

        Raises:
            StoreError: the store cannot be read.
        """
        from truthound.store import _reading

        with self.reading() as connection:
            return _reading.run_with_slot(connection, slot)

    def runs(
        self,
        checkpoint: str | None = None,
        *,
        statuses: Collection[str] = (),
        states: Collection[RunState | str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        source: str | None = None,
        limit: int | None = 50,
        before: str | None = None,
    ) -> list[RunRecord]:
        """Return runs, the newest first. Blocks.

        Args:
            checkpoint: whose; None: all.
            statuses: of their results; none: all.
            states: in which they are; none: all.
            since: accepted then or later.
            until: accepted before.
            source: of this data.
            limit: how many at the most; None: all.
            before: only those that are older than the run of this id.

        Raises:
            StoreError: the store cannot be read.
        """
        from truthound.store import _reading

        with self.reading() as connection:
            return _reading.runs_of(
                connection,
                checkpoint=checkpoint,
                statuses=statuses,
                states=states,
                since=since,
                until=until,
                source=source,
                limit=limit,
                before=before,
            )

    def run(self, which: str) -> RunRecord:
        """Return one run. Blocks.

        Args:
            which: its id; the beginning of it, or what stands behind its last ``_``,
                if there is but one such; ``latest``; the name of a checkpoint, for its
                latest run; either with ``~2``: two runs before that.

        Raises:
            UnknownNameError: there is none.
            ConfigurationError: there are several.
            StoreError: the store cannot be read.
        """
        from truthound.store import _reading

        with self.reading() as connection:
            return _reading.run_of(connection, which)

    def state_of_slot(self, slot: str) -> RunState | None:
        """Return where the run is that has a slot; None: none has it. Blocks.

        Raises:
            StoreError: the store cannot be read.
        """
        from truthound.store import _reading

        with self.reading() as connection:
            return _reading.state_of_slot(connection, slot)

    def checkpoints(self) -> list[str]:
        """Return the names of all checkpoints that have runs, sorted. Blocks.

        Raises:
            StoreError: the store cannot be read.
        """
        from truthound.store import _reading

        with self.reading() as connection:
            return _reading.names_of(connection)

    def bad_since(self, checkpoint: str) -> tuple[datetime, int] | None:
        """Return since when a checkpoint is not well, and in how many runs. Blocks.

        Returns:
            None if its last run was a success, or it has none.

        Raises:
            StoreError: the store cannot be read.
        """
        from truthound.store import _reading

        with self.reading() as connection:
            return _reading.bad_since(connection, checkpoint)

    def document(self, run_id: str) -> dict[str, Any]:
        """Return the result of a run as plain values. Blocks.

        It is what ``CheckpointResult.from_dict`` takes. A run that has no result yet,
        or never came to one, has what is known of it.

        Raises:
            StoreError: there is no such run, or what is stored is damaged.
        """
        from truthound.store import _reading

        with self.reading() as connection:
            return _reading.document_of(connection, run_id)

    def past(
        self,
        checkpoint: str,
        source: str | None = None,
        limit: int = 60,
        statuses: Collection[str] | None = None,
    ) -> list[Past]:
        """Return the metrics of the last runs of a checkpoint, oldest first. Blocks.

        Args:
            checkpoint: whose runs.
            source: of this data; None: of any.
            limit: how many at the most.
            statuses: of their results; None: any.

        Raises:
            StoreError: the store cannot be read.
        """
        from truthound.store import _reading

        with self.reading() as connection:
            return _reading.past_of(connection, checkpoint, source, limit, statuses)

    def notices(
        self,
        *,
        states: Collection[NoticeState | str] = (),
        checkpoint: str | None = None,
        run_id: str | None = None,
        limit: int | None = 1_000,
    ) -> list[Notice]:
        """Return notifications, those first that are due first. Blocks.

        Args:
            states: in which they are; none: all.
            checkpoint: of its runs; None: of all.
            run_id: of this run; None: of all.
            limit: how many at the most; None: all.

        Raises:
            StoreError: the store cannot be read.
        """
        from truthound.store import _reading

        with self.reading() as connection:
            return _reading.notices_of(
                connection,
                states=states,
                checkpoint=checkpoint,
                run_id=run_id,
                limit=limit,
            )

    def counts(self) -> dict[str, int]:
        """Return how many rows each table has, and runs and notices by state. Blocks.

        Raises:
            StoreError: the store cannot be read.
        """
        from truthound.store import _reading

        with self.reading() as connection:
            return _reading.counts(connection)

    def export(
        self, path: str | os.PathLike[str], *, documents: bool = False, **filters: Any
    ) -> int:
        """Write runs to a file, the newest first, whole or not at all. Blocks.

        Args:
            path: ends with ``.parquet``, ``.jsonl`` or ``.ndjson``; an existing file is
                replaced.
            documents: with the whole result of each run, and what its actions did.
            filters: ``checkpoint``, ``statuses``, ``states``, ``since``, ``until``,
                ``source`` and ``limit``, as for :meth:`runs`; without a limit: all.

        Returns:
            How many there were.

        Raises:
            ConfigurationError: another suffix.
            StoreError: the store cannot be read, or the file not be written.
        """
        from truthound.store import _exporting

        with self.reading() as connection:
            return _exporting.export(connection, path, documents=documents, **filters)

    def prune(
        self,
        *,
        older_than: timedelta | None = None,
        keep: int | None = None,
        checkpoint: str | None = None,
        trial: bool = False,
    ) -> int:
        """Remove old runs with their results and notices, a few at a time. Blocks.

        Of each checkpoint the latest run stays, and the last one that was no success;
        so do runs that have not ended, and those that owe a notification.

        Args:
            older_than: runs that were accepted longer ago are removed.
            keep: of the newest runs of a checkpoint so many stay; the others are
                removed.
            checkpoint: whose runs; None: of all.
            trial: only count them.

        Returns:
            How many there were.

        Raises:
            ConfigurationError: neither is given, or one makes no sense.
            StoreError: the store cannot be read or written.
        """
        from truthound.store import _reading, _retention

        _retention.checked(older_than, keep)
        with self.reading() as connection:
            names = [checkpoint] if checkpoint else _reading.names_of(connection)
        now, removed = self.clock.now(), 0

        def some(connection: Connection, name: str) -> int:
            return _retention.prune(
                connection, now, name, older_than=older_than, keep=keep, is_trial=trial
            )

        for name in names:
            number = _retention.BATCH
            while number == _retention.BATCH:
                number = self._do(functools.partial(some, name=name))
                removed += number
                if trial:
                    break
        return removed
