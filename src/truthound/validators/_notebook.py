"""Results as a notebook shows them: a small table, everything in it escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from truthound._words import without_count

if TYPE_CHECKING:
    from truthound.validators.result import CheckResult, ValidationRun

_CELL = "padding:2px 8px;text-align:left;border-bottom:1px solid #8884"


def run_as_html(run: ValidationRun) -> str:
    """Return a run as a fragment of HTML: what it found, the worst first."""
    shown = [*run.errors, *run.issues]
    rows = [_row(check) for check in shown]
    if not rows:
        return f"<p>✔ {escape(run.summary())}</p>"
    head = "".join(
        f'<th style="{_CELL}">{title}</th>'
        for title in ("check", "severity", "failed", "share", "what was found")
    )
    return (
        f"<p>{escape(run.summary())}</p>"
        f'<table style="border-collapse:collapse"><tr>{head}</tr>'
        f"{''.join(rows)}</table>"
    )


def result_as_html(result: Any) -> str:
    """Return a checkpoint's result as a fragment of HTML."""
    run = result.validation_run
    found = run_as_html(run) if hasattr(run, "issues") else ""
    error = f"<p>{escape(result.error)}</p>" if result.error and not found else ""
    head = f"<b>{escape(result.checkpoint_name)}</b>: {escape(str(result.status))}"
    return f"<p>{head}</p>{found}{error}"


def _row(check: CheckResult) -> str:
    cells = (
        check.name,
        check.status if check.severity is None else str(check.severity),
        f"{check.failed:,} of {check.checked:,}" if check.failed else "",
        f"{check.share:.2%}" if check.failed else "",
        without_count(check.message, check.failed, check.checked),
    )
    drawn = "".join(f'<td style="{_CELL}">{escape(str(cell))}</td>' for cell in cells)
    return f"<tr>{drawn}</tr>"
