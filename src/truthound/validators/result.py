"""What a validation found: the one result model of the package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from truthound._words import plural
from truthound.errors import ConfigurationError, ValidationFailedError, did_you_mean
from truthound.validators._json import CHECK_FIELDS, run_to_dict
from truthound.validators._notebook import run_as_html


class Severity(StrEnum):
    """How bad a finding is; ordered, low to critical."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for low to 3 for critical."""
        return _RANKS[self]

    @classmethod
    def parse(cls, value: Severity | str) -> Severity:
        """Return the severity of that name.

        Raises:
            ConfigurationError: there is none of that name.
        """
        try:
            return cls(value)
        except ValueError:
            raise ConfigurationError(
                f"severity is low, medium, high or critical, not {value!r}"
                f"{did_you_mean(str(value), list(cls))}"
            ) from None

    @classmethod
    def of_share(cls, share: float) -> Severity:
        """Return the severity of a share of failing rows, 0 to 1.

        Over 50 % is critical, over 10 % high, over 1 % medium, anything less low.
        """
        if share > 0.5:
            return cls.CRITICAL
        if share > 0.1:
            return cls.HIGH
        return cls.MEDIUM if share > 0.01 else cls.LOW


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


def _badness(check: CheckResult) -> tuple[int, float]:
    return (check.severity.rank if check.severity else -1, check.share)


CheckStatus = Literal["passed", "failed", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupResult:
    """What a check with ``by`` found in one group.

    Attributes:
        group: the values of the ``by`` columns.
        passed: whether the check holds in this group.
        checked: rows judged in it.
        failed: rows that failed in it.
        observed: the value seen.
    """

    group: Mapping[str, Any]
    passed: bool
    checked: int
    failed: int
    observed: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What one check found on one column, or on the table.

    Attributes:
        name: the check's own name, ``range(fare)`` unless one was given.
        validator: the rule: ``range``.
        columns: the columns that it looked at.
        status: passed, failed or error (it could not be evaluated).
        severity: of the failure; None if it did not fail.
        checked: rows that were judged.
        failed: rows that failed; 0 for a check of the whole table.
        observed: what was seen, as a number or in words.
        expected: what should have been seen.
        message: one line for people.
        examples: some of the failing rows, by column, with their number (counted
            from 1, without a header) under ``row``, or ``_row`` if a column is
            called ``row``.
        groups: the same per group, failing groups first, if ``by`` was given.
        details: what else the rule has to say.
        where: the row filter, as given.
        error: why it could not be evaluated.
    """

    name: str
    validator: str
    columns: tuple[str, ...]
    status: CheckStatus
    severity: Severity | None = None
    checked: int = 0
    failed: int = 0
    observed: Any = None
    expected: Any = None
    message: str = ""
    examples: Sequence[Mapping[str, Any]] = ()
    groups: Sequence[GroupResult] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    where: str | None = None
    error: str | None = None

    @property
    def success(self) -> bool:
        """Whether the check holds."""
        return self.status == "passed"

    @property
    def share(self) -> float:
        """Share of the judged rows that failed, 0 to 1."""
        return self.failed / self.checked if self.checked else 0.0

    @property
    def column(self) -> str | None:
        """The column, if it is one."""
        return self.columns[0] if len(self.columns) == 1 else None

    @property
    def count(self) -> int:
        """The number of failing rows; another name of ``failed``."""
        return self.failed

    @property
    def issue_type(self) -> str:
        """The rule that was broken; another name of ``validator``."""
        return self.validator


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationRun:
    """All that one validation of one source found.

    Attributes:
        run_id: unique to the run.
        run_time: when it began, aware, in UTC.
        source: the data, as results call it; without any password.
        row_count: rows of the data, None where it was never counted.
        column_count: columns of the data.
        checks: one result a check and column, in the order given.
        min_severity: failures below it are not issues.
        metadata: what the caller added, and the reader's warnings.
        learned: what a first run kept as baseline, by check.
        metrics: the numbers of the run by name, and by ``check:NAME`` what each check
            saw. A store keeps them beside the result, for later runs to look back at.
    """

    run_id: str
    run_time: datetime
    source: str
    row_count: int | None
    column_count: int
    checks: Sequence[CheckResult]
    min_severity: Severity | None = None
    warnings: Sequence[str] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    learned: Mapping[str, Any] = field(default_factory=dict)
    duration_ms: float = 0.0
    metrics: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def issues(self) -> list[CheckResult]:
        """The failed checks, the worst first."""
        floor = self.min_severity.rank if self.min_severity else 0
        failed = [
            check
            for check in self.checks
            if check.severity is not None and check.severity.rank >= floor
        ]
        failed.sort(key=_badness, reverse=True)
        return failed

    @property
    def errors(self) -> list[CheckResult]:
        """The checks that could not be evaluated."""
        return [check for check in self.checks if check.status == "error"]

    @property
    def success(self) -> bool:
        """Whether every check was evaluated and holds."""
        return not self.issues and not self.errors

    @property
    def statistics(self) -> dict[str, Any]:
        """Counts over all checks; ``pass_rate`` is a share, 0 to 1."""
        issues = self.issues
        worst = [issue.severity for issue in issues]
        total, errors = len(self.checks), len(self.errors)
        passed = total - len(issues) - errors
        return {
            "total_checks": total,
            "passed_checks": passed,
            "failed_checks": len(issues),
            "error_checks": errors,
            "total_issues": len(issues),
            "critical_issues": worst.count(Severity.CRITICAL),
            "high_issues": worst.count(Severity.HIGH),
            "medium_issues": worst.count(Severity.MEDIUM),
            "low_issues": worst.count(Severity.LOW),
            "total_records": self.row_count or 0,
            "pass_rate": passed / total if total else 1.0,
        }

    def __iter__(self) -> Iterator[CheckResult]:
        return iter(self.checks)

    def summary(self) -> str:
        """One line for people: how many checks hold and what does not."""
        bad, total = [*self.errors, *self.issues], len(self.checks)
        passed = f"{total - len(bad):,} of {plural(total, 'check')} passed"
        text = f"{passed} on {self.source}"
        if self.row_count is not None:
            text += f" ({plural(self.row_count, 'row')})"
        worst = ", ".join(check.name for check in bad[:3])
        return f"{text}; not: {worst}" if worst else text

    def raise_for_failure(self) -> None:
        """Raise if a check failed or could not be evaluated.

        Raises:
            ValidationFailedError: with this run as ``result``.
        """
        if not self.success:
            raise ValidationFailedError(self.summary(), self)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold; ``from_dict`` is the way back."""
        return run_to_dict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> ValidationRun:
        """Make a run of what ``to_dict`` returned."""
        floor = record.get("min_severity")
        return cls(
            run_id=record["run_id"],
            run_time=datetime.fromisoformat(record["run_time"]),
            source=record["source"],
            row_count=record["row_count"],
            column_count=record["column_count"],
            checks=[_check_of(check) for check in record["checks"]],
            min_severity=None if floor is None else Severity(floor),
            warnings=list(record.get("warnings", ())),
            metadata=dict(record.get("metadata", {})),
            learned=dict(record.get("learned", {})),
            duration_ms=record.get("duration_ms", 0.0),
        )

    def _repr_html_(self) -> str:
        return run_as_html(self)


def _check_of(record: Mapping[str, Any]) -> CheckResult:
    severity = record["severity"]
    return CheckResult(
        **{name: record[name] for name in CHECK_FIELDS},
        columns=tuple(record["columns"]),
        severity=None if severity is None else Severity(severity),
        examples=record["examples"],
        groups=[GroupResult(**group) for group in record["groups"]],
        details=record["details"],
    )
