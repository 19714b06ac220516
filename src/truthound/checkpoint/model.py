"""What a checkpoint is configured with and what a run of it results in."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from truthound.errors import ConfigurationError, ValidationFailedError
from truthound.validators.result import Severity, ValidationRun


class CheckpointStatus(StrEnum):
    """How a run ended, or where it is."""

    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"
    WARNING = "warning"
    RUNNING = "running"
    PENDING = "pending"


@dataclass
class CheckpointConfig:
    """Everything that can be said about a checkpoint.

    Attributes:
        name: how results and baselines call it.
        data_source: the data, of any kind that ``truthound.check`` takes.
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
        read_options: how the source is read: ``delimiter``, ``null_values``, ...
        sample_rows: example rows for each failing check; 0 for none.
        id_columns: columns that are shown with each example row.
        redact: columns (names or globs) whose values never appear in a result.
        allow_empty: accept a table without rows.
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
}


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
            "duration_ms": self.duration_ms,
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
            action_results=list(record.get("action_results", [])),
            data_asset=record.get("data_asset", ""),
            duration_ms=record.get("duration_ms", 0.0),
            error=record.get("error"),
            metadata=dict(record.get("metadata", {})),
        )

    def _repr_html_(self) -> str:
        from truthound.validators._notebook import result_as_html

        return result_as_html(self)
