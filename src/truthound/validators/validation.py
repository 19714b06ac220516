"""One validation: open the source, plan, run, keep what was learned."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from truthound._clock import SYSTEM_CLOCK, Clock
from truthound._words import plural
from truthound.data import (
    FrameTable,
    ReadOptions,
    RetypedError,
    Table,
    open_source,
)
from truthound.data.growing import ReadAllError
from truthound.data.parts import KeptParts
from truthound.errors import ConfigurationError, StoreError
from truthound.store import Baseline, Baselines, Past
from truthound.validators.base import Scope, Validator
from truthound.validators.examples import Examples
from truthound.validators.keeping import Keeping
from truthound.validators.plan import Outcome, Plan
from truthound.validators.registry import build_all
from truthound.validators.result import CheckResult, Severity, ValidationRun

PastRuns = Callable[[str, int], Sequence[Past]]

# What can be judged of any table without knowing what it should hold.
DEFAULT_VALIDATORS = ("null", "blank", "duplicate")


@dataclass(kw_only=True)
class Validation:
    """What must hold of a source; run it as often as there is new data.

    Args:
        name: under which baselines are kept; None to keep none for frames, and
            those of a file under the name ``check``.
        validators: names, mappings or objects.
        read: how the source is read.
        examples: which of the failing rows are shown, and how.
        allow_empty: accept a table without rows.
        min_severity: failures below it are not issues.
        baselines: where they are kept; None for the usual place.
        incremental: read only the new and the changed files of a source of files, and
            take the rest from what was kept of earlier runs.
        clock: tells the time.

    Raises:
        ConfigurationError: ``incremental`` of a sample.
    """

    validators: Sequence[Validator]
    name: str | None = None
    read: ReadOptions = field(default_factory=ReadOptions)
    examples: Examples = field(default_factory=Examples)
    allow_empty: bool = False
    min_severity: Severity | None = None
    baselines: Baselines | None = None
    incremental: bool = False
    clock: Clock = SYSTEM_CLOCK
    _plan: Plan | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.incremental and self.read.sample_size is not None:
            raise ConfigurationError(
                "incremental does not go together with sample_size: rows are chosen "
                "from all files"
            )
        self.calls_python: bool = any(v.calls_python for v in self.validators)
        self.looks_back: bool = any(v.looks_back for v in self.validators)

    def runs_in_place(self, source: object) -> bool:
        """Tell whether a run takes about as long as handing it to a thread."""
        return (
            isinstance(source, pl.DataFrame)
            and source.height * source.width <= FrameTable.SMALL
            and not self.calls_python
            and not self.looks_back
        )

    def run(
        self,
        source: object,
        run_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        *,
        parts: KeptParts | None = None,
        full: bool = False,
        past: PastRuns | None = None,
    ) -> ValidationRun:
        """Validate a source. Blocks; called in a worker thread.

        Args:
            source: the data.
            run_id: of the run; one is made up if there is none.
            metadata: copied into the result.
            parts: where an incremental validation keeps what it finds of each file.
            full: read all files, also those of which something is kept.
            past: returns earlier runs of the same checkpoint: called with the name of
                the source and how many runs at the most; the oldest first.

        Raises:
            DataError: it cannot be read.
            StoreError: a baseline that a check needs cannot be read.
        """
        began, now = self.clock.monotonic(), self.clock.now()
        keeping = Keeping(parts, self.name or "check", full, self.clock)
        opened = keeping.open if self.incremental else open_source
        table = opened(source, self.read)
        memory = _Memory(self, table, past)
        outcome = self._outcome(table, memory, keeping)
        unmet = self.examples.unmet(table.schema)
        kept = keeping.kept(table)
        warnings = [*table.warnings, *kept, *unmet, *memory.keep(outcome.learned)]
        return ValidationRun(
            run_id=run_id or f"{now:%Y%m%d_%H%M%S}_{secrets.token_hex(4)}",
            run_time=now,
            source=table.name,
            row_count=outcome.row_count,
            column_count=len(table.schema),
            checks=self._with_emptiness(outcome),
            min_severity=self.min_severity,
            warnings=warnings,
            metadata={**(metadata or {}), **keeping.metadata(table)},
            learned=outcome.learned,
            duration_ms=(self.clock.monotonic() - began) * 1000,
            metrics=outcome.metrics,
        )

    def _outcome(self, table: Table, memory: _Memory, keeping: Keeping) -> Outcome:
        while True:
            plan = self._plan
            if plan is None or plan.schema != table.schema:
                plan = Plan(self.validators, self._scope(table, memory))
                # Its judges look back from this run.
                self._plan = plan if plan.reusable and not self.looks_back else None
            keeping.planned(plan, table)
            try:
                return plan.run(table, self.examples)
            except (RetypedError, ReadAllError):
                # A text file has other types than its first rows made believe. Each
                # time a column loses a type, so this comes to an end.
                continue

    def _with_emptiness(self, outcome: Outcome) -> Sequence[CheckResult]:
        if outcome.row_count or self.allow_empty:
            return outcome.checks
        empty = CheckResult(
            name="empty",
            validator="empty",
            columns=(),
            status="failed",
            severity=Severity.HIGH,
            observed=0,
            expected="at least one row",
            message="the table has no rows (allow_empty accepts that)",
        )
        return [empty, *outcome.checks]

    def write_failing(self, source: object, path: str | os.PathLike[str]) -> int:
        """Write all rows that fail a check to a Parquet or CSV file. Blocks.

        The source is read once more. See :func:`truthound.data.failing.write_failing`
        for the file and for what is raised.

        Returns:
            How many rows were written.
        """
        from truthound.data.failing import write_failing

        table = open_source(source, self.read)
        memory = _Memory(self, table)
        while True:
            plan = Plan(self.validators, self._scope(table, memory))
            try:
                return write_failing(table, plan.failing(), path)
            except RetypedError:  # see _outcome
                continue

    def plan(self, source: object) -> Plan:
        """Return the plan for a source without running it.

        Raises:
            DataError: the source cannot be opened.
        """
        table = open_source(source, self.read)
        memory = _Memory(self, table)
        return Plan(self.validators, self._scope(table, memory))

    def _scope(self, table: Table, memory: _Memory) -> Scope:
        return Scope(
            table.schema,
            memory.values,
            open_source,
            self.clock,
            table.ordered,
            memory.past,
        )

    @classmethod
    def of(cls, validators: object, **options: Any) -> Validation:
        """Make one of whatever ``validators=`` may be; None for the default ones."""
        specs = DEFAULT_VALIDATORS if validators is None else validators
        return cls(validators=build_all(specs), **options)


class _Memory:
    """What one run may remember: its baseline, and earlier runs.

    Each is read when a check asks; a baseline is written when one learned.
    """

    def __init__(
        self, validation: Validation, table: Table, past: PastRuns | None = None
    ) -> None:
        self._runs: dict[int, Sequence[Past]] = {}
        self._read_past = past
        self._name = validation.name or "check"
        self._source = table.name
        # A frame handed to truthound.check() has no identity to remember it by.
        self._kept = validation.name is not None or table.addressable
        self._baselines = validation.baselines
        self._clock = validation.clock
        self._values: Mapping[str, Any] | None = None

    def values(self) -> Mapping[str, Any]:
        if self._values is None:
            known = self._store().get(self._name, self._source) if self._kept else None
            self._values = known.values if known else {}
        return self._values

    def past(self, limit: int) -> Sequence[Past]:
        if self._read_past is None:
            return ()
        if limit not in self._runs:
            self._runs[limit] = self._read_past(self._source, limit)
        return self._runs[limit]

    def keep(self, learned: Mapping[str, Any]) -> list[str]:
        """Add what was learned to the baseline; return warnings."""
        if not learned:
            return []
        if not self._kept:
            return ["nothing was kept as baseline: the data has no name (name=...)"]
        # Only what was unknown is added: a baseline never changes by a later run.
        values = {**learned, **self.values()}
        baseline = Baseline(
            checkpoint=self._name,
            source=self._source,
            learned_at=self._clock.now().isoformat(),
            values=values,
        )
        try:
            self._store().put(baseline)
        except StoreError as error:
            return [str(error)]
        return [
            f"learned a baseline for {plural(len(learned), 'check')} of "
            f"{self._source} (truthound baseline show {self._name})"
        ]

    def _store(self) -> Baselines:
        if self._baselines is None:
            self._baselines = Baselines.near()
        return self._baselines
