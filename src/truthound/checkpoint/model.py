"""What a checkpoint is configured with and what a run of it results in."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from truthound.async_core._slots import TaskPriority
from truthound.errors import ConfigurationError, ValidationFailedError, did_you_mean
from truthound.validators.result import Severity, ValidationRun


class CheckpointStatus(StrEnum):
    """How a run ended, or where it is."""

    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"
    WARNING = "warning"
    RUNNING = "running"
    PENDING = "pending"


class ActionStatus(StrEnum):
    """How an action ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    SKIPPED = "skipped"
    ERROR = "error"


@dataclass
class ActionResult:
    """The end of one action.

    Attributes:
        action_name: whose it is.
        action_type: of which kind the action is.
        status: error: it could not be done; failure: it was done and says no; skipped:
            it was not to run.
        message: one line for people.
        started_at: when it began, aware, in UTC; filled in if the action does not.
        completed_at: when it ended.
        duration_ms: from begin to end with all attempts, in milliseconds.
        details: what else the action has to say, as JSON can hold it.
        error: why it could not be done.
    """

    action_name: str
    action_type: str
    status: ActionStatus
    message: str = ""
    started_at: datetime | None = None
    completed_at: datetime | None = None
    duration_ms: float = 0.0
    details: dict[str, Any] = field(default_factory=dict)
    error: str | None = None

    def __post_init__(self) -> None:
        self.status = ActionStatus(self.status)

    @property
    def success(self) -> bool:
        """Whether it was done."""
        return self.status == ActionStatus.SUCCESS

    @property
    def is_bad(self) -> bool:
        """Whether it ended as error or failure."""
        return self.status in (ActionStatus.ERROR, ActionStatus.FAILURE)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold; ``from_dict`` is the way back."""
        from truthound.validators import to_plain

        plain: dict[str, Any] = to_plain(
            {f.name: getattr(self, f.name) for f in fields(self)}
        )
        return plain

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> ActionResult:
        """Make a result of what ``to_dict`` returned."""
        known = {f.name: record[f.name] for f in fields(cls) if f.name in record}
        for moment in ("started_at", "completed_at"):
            if isinstance(known.get(moment), str):
                known[moment] = datetime.fromisoformat(known[moment])
        return cls(**known)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStart:
    """What actions are told when a run begins.

    Attributes:
        run_id: which its result will have.
        checkpoint_name: whose run it is.
        run_time: when it began, aware, in UTC.
        metadata: which its result will have.
    """

    run_id: str
    checkpoint_name: str
    run_time: datetime
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class CheckpointConfig:
    """Everything that can be said about a checkpoint.

    Attributes:
        name: how results and baselines call it.
        data_source: the data, of any kind that ``truthound.check`` takes;
            ``trigger:file`` is the file that has started the run.
        validators: names, mappings of a name to options, or objects; None for
            ``null``, ``blank`` and ``duplicate``, which fit any table.
        validator_config: options by validator name, for validators given by name.
        min_severity: failures below it are reported, but are no issues.
        schema: what the columns must be: a mapping, or a file (see ``schema``).
        auto_schema: learn the columns in the first run and hold later ones to them.
        run_name_template: the middle of a run's id, for ``strftime``.
        tags: for choosing checkpoints (``--select tag:team=pricing``).
        metadata: copied into each result.
        fail_on_critical: a critical issue makes the run a failure, not a warning.
        fail_on_high: a high one does, too.
        timeout_seconds: a run that takes longer ends as ``error``; 0 for no limit.
        sample_size: check only so many rows, spread evenly over the data.
        incremental: of a source of files, read only those that are new or changed.
        read_options: how the source is read: ``delimiter``, ``null_values``, ...
        sample_rows: example rows for each failing check; 0 for none.
        id_columns: columns that are shown with each example row.
        redact: columns (names or globs) whose values never appear in a result.
        allow_empty: accept a table without rows.
        priority: who goes first when a runner or pool is short of slots: critical,
            high, normal, low or background.
        max_concurrent_runs: of this checkpoint at once in a runner or pool; 0: any.
        resources: what a run uses, and how many runs may use it at once in a runner
            or pool: ``{"warehouse": 2}``.
    """

    name: str = "default_checkpoint"
    data_source: Any = ""
    validators: Any = None
    validator_config: dict[str, dict[str, Any]] = field(default_factory=dict)
    min_severity: Severity | str | None = None
    schema: Any = None
    auto_schema: bool = False
    run_name_template: str = "%Y%m%d_%H%M%S"
    tags: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    fail_on_critical: bool = True
    fail_on_high: bool = False
    timeout_seconds: float = 3600
    sample_size: int | None = None
    read_options: dict[str, Any] = field(default_factory=dict)
    sample_rows: int = 5
    id_columns: str | Sequence[str] = ()
    redact: str | Sequence[str] = ()
    allow_empty: bool = False
    priority: TaskPriority | str = TaskPriority.NORMAL
    incremental: bool = False
    max_concurrent_runs: int = 0
    resources: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for option, (kind, words) in _TYPES.items():
            value = getattr(self, option)
            if not isinstance(value, kind):
                raise ConfigurationError(f"{option} is {words}, not {value!r}")
        seconds, rows = self.timeout_seconds, self.sample_rows
        if not (_is_a(seconds, (int, float)) and 0 <= seconds <= threading.TIMEOUT_MAX):
            raise ConfigurationError(
                f"timeout_seconds is a number of seconds, 0 for no limit, not "
                f"{seconds!r}"
            )
        if not (_is_a(rows, int) and rows >= 0):
            raise ConfigurationError(
                f"sample_rows is a number of rows, 0 for none, not {rows!r}"
            )
        if self.min_severity is not None:
            self.min_severity = Severity.parse(self.min_severity)
        self.priority = priority_of(self.priority)
        if not (_is_a(self.max_concurrent_runs, int) and self.max_concurrent_runs >= 0):
            raise ConfigurationError(
                f"max_concurrent_runs is a number of runs, 0 for any, not "
                f"{self.max_concurrent_runs!r}"
            )
        for name, number in self.resources.items():
            if not (_is_a(number, int) and number >= 1):
                raise ConfigurationError(
                    f"resources: {name} is a number of runs at once, 1 or more, not "
                    f"{number!r}"
                )


_TYPES: dict[str, tuple[type, str]] = {
    "name": (str, "a text"),
    "validator_config": (Mapping, "a mapping of validators to their options"),
    "auto_schema": (bool, "True or False"),
    "run_name_template": (str, "a text for strftime"),
    "tags": (Mapping, "a mapping of texts"),
    "metadata": (Mapping, "a mapping"),
    "fail_on_critical": (bool, "True or False"),
    "fail_on_high": (bool, "True or False"),
    "read_options": (Mapping, "a mapping of options"),
    "id_columns": (Iterable, "the name of a column, or several"),
    "redact": (Iterable, "the name of a column, or several"),
    "allow_empty": (bool, "True or False"),
    "incremental": (bool, "True or False"),
    "resources": (Mapping, "a mapping of names to numbers of runs"),
}


def priority_of(given: Any) -> TaskPriority:
    """Return the priority of that name or number.

    Raises:
        ConfigurationError: there is none.
    """
    names = {priority.name.lower(): priority for priority in TaskPriority}
    if isinstance(given, str) and given.lower() in names:
        return names[given.lower()]
    try:
        return TaskPriority(given)
    except ValueError:
        raise ConfigurationError(
            f"priority is {', '.join(names)}, not {given!r}"
            f"{did_you_mean(str(given), names)}"
        ) from None


def _is_a(value: object, kinds: type | tuple[type, ...]) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


@dataclass
class CheckpointResult:
    """The end of one run.

    Attributes:
        run_id: ``{checkpoint}_{time}_{8 hex digits}``.
        checkpoint_name: whose run it was.
        run_time: when it began, aware, in UTC.
        status: error, failure, warning or success.
        validation_run: what was found; None if the run could not be completed.
        action_results: what the actions did.
        data_asset: the data, as results call it.
        duration_ms: from begin to end, in milliseconds.
        error: why the run could not be completed.
        metadata: the checkpoint's own and the run's context.
    """

    run_id: str
    checkpoint_name: str
    run_time: datetime
    status: CheckpointStatus
    validation_run: Any = None
    action_results: list[Any] = field(default_factory=list)
    data_asset: str = ""
    duration_ms: float = 0.0
    error: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def success(self) -> bool:
        """Whether every check held."""
        return self.status == CheckpointStatus.SUCCESS

    def summary(self) -> str:
        """One line for people."""
        run = self.validation_run
        found = run.summary() if isinstance(run, ValidationRun) else self.data_asset
        text = f"{self.checkpoint_name}: {self.status}"
        said = ", ".join(part for part in (found, self.error) if part)
        return f"{text}: {said}" if said else text

    def raise_for_failure(self) -> None:
        """Raise if the run is not a success.

        Raises:
            ValidationFailedError: with this result as ``result``.
        """
        if not self.success:
            raise ValidationFailedError(self.summary(), self)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold; ``from_dict`` is the way back."""
        from truthound.validators import to_plain

        run = self.validation_run
        return {
            "run_id": self.run_id,
            "checkpoint_name": self.checkpoint_name,
            "run_time": self.run_time.isoformat(),
            "status": str(self.status),
            "validation_run": run.to_dict() if hasattr(run, "to_dict") else None,
            "action_results": [
                r.to_dict() if hasattr(r, "to_dict") else to_plain(r)
                for r in self.action_results
            ],
            "data_asset": self.data_asset,
            "duration_ms": to_plain(self.duration_ms),
            "error": self.error,
            "metadata": to_plain(self.metadata),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> CheckpointResult:
        """Make a result of what ``to_dict`` returned."""
        run = record.get("validation_run")
        return cls(
            run_id=record["run_id"],
            checkpoint_name=record["checkpoint_name"],
            run_time=datetime.fromisoformat(record["run_time"]),
            status=CheckpointStatus(record["status"]),
            validation_run=ValidationRun.from_dict(run) if run else None,
            action_results=[
                ActionResult.from_dict(r) if "action_name" in r else r
                for r in record.get("action_results", [])
            ],
            data_asset=record.get("data_asset", ""),
            duration_ms=record.get("duration_ms") or 0.0,
            error=record.get("error"),
            metadata=dict(record.get("metadata", {})),
        )

    def _repr_html_(self) -> str:
        from truthound.validators._notebook import result_as_html

        return result_as_html(self)
