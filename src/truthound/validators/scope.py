"""What a validator may know when it states its checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from truthound._clock import SYSTEM_CLOCK, Clock
from truthound.data import ReadOptions, Schema, Table, open_source
from truthound.errors import CheckError, DataError, StoreError
from truthound.store import Past

_WITH_OPTIONS = {"source", "read_options"}


class Scope:
    """What a validator may know when it states its checks.

    Args:
        schema: the columns of the table.
        baseline: returns what an earlier run learned, by key.
        open: opens another source, such as a table of references; called with the
            source and, if there are any, its reading options.
        clock: tells the present moment, aware, in UTC.
        ordered: whether the rows have an order.
        past: returns so many earlier runs of the same checkpoint and source, the
            oldest first.

    Attributes:
        reusable: False once something outside the table was looked at; checks that
            were stated then hold for this run only.
    """

    def __init__(
        self,
        schema: Schema,
        baseline: Callable[[], Mapping[str, Any]] = dict,
        open: Callable[..., Table] | None = None,
        clock: Clock = SYSTEM_CLOCK,
        ordered: bool = True,
        past: Callable[[int], Sequence[Past]] = lambda limit: (),
    ) -> None:
        self.schema = schema
        self.ordered = ordered
        self.clock = clock
        self.reusable: bool = True
        self._baseline = baseline
        self._open = open
        self._past = past

    def past(self, limit: int) -> Sequence[Past]:
        """Return the numbers of earlier runs, the oldest first; none without a store.

        Args:
            limit: how many runs at the most, the last ones.

        Raises:
            CheckError: the store cannot be read.
        """
        self.reusable = False
        try:
            return self._past(limit)
        except StoreError as error:
            raise CheckError(f"earlier runs cannot be read: {error}") from error

    def learned(self, key: str) -> Any:
        """Return what was learned under a key, None if nothing was yet.

        Raises:
            StoreError: the baseline cannot be read.
        """
        self.reusable = False
        return self._baseline().get(key)

    def open(self, source: Any) -> Table:
        """Open another source.

        Args:
            source: whatever ``truthound.check`` takes, or a mapping with ``source``, a
                path or address, and ``read_options``.

        Raises:
            CheckError: it cannot be read.
        """
        self.reusable = False
        opener = self._open or open_source
        try:
            if isinstance(source, Mapping) and set(source) == _WITH_OPTIONS:
                return opener(source["source"], ReadOptions.of(source["read_options"]))
            return opener(source)
        except DataError as error:
            raise CheckError(str(error)) from error
