"""A validation run as plain values; ``ValidationRun.from_dict`` is the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from truthound.validators._plain import to_plain

if TYPE_CHECKING:
    from truthound.validators.result import CheckResult, ValidationRun

CHECK_FIELDS = (
    "name",
    "validator",
    "status",
    "checked",
    "failed",
    "observed",
    "expected",
    "message",
    "where",
    "error",
)


def run_to_dict(run: ValidationRun) -> dict[str, Any]:
    """Return plain values that JSON can hold."""
    checks = [check_to_dict(check) for check in run.checks]
    issues = run.issues
    return {
        "run_id": run.run_id,
        "run_time": run.run_time.isoformat(),
        "source": run.source,
        "row_count": run.row_count,
        "column_count": run.column_count,
        "success": not issues and not run.errors,
        "statistics": run.statistics,
        "checks": checks,
        "issues": [issue.name for issue in issues],
        "min_severity": to_plain(run.min_severity),
        "warnings": list(run.warnings),
        "learned": to_plain(run.learned),
        "metadata": to_plain(run.metadata),
        "duration_ms": run.duration_ms,
    }


def check_to_dict(check: CheckResult) -> dict[str, Any]:
    """Return one check's result as plain values."""
    return {
        "name": to_plain(check.name),
        "validator": to_plain(check.validator),
        "status": check.status,
        "checked": to_plain(check.checked),
        "failed": to_plain(check.failed),
        "observed": to_plain(check.observed),
        "expected": to_plain(check.expected),
        "message": to_plain(check.message),
        "where": to_plain(check.where),
        "error": to_plain(check.error),
        "columns": list(check.columns),
        "severity": to_plain(check.severity),
        "success": check.success,
        "share": check.share,
        "examples": to_plain(check.examples) if check.examples else [],
        "groups": [
            {
                "group": to_plain(group.group),
                "passed": group.passed,
                "checked": group.checked,
                "failed": group.failed,
                "observed": to_plain(group.observed),
            }
            for group in check.groups
        ],
        "details": to_plain(check.details) if check.details else {},
    }
