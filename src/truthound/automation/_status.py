"""The status of a site: healthy, degraded or failed, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from truthound.automation._ending import Exit
from truthound.automation._names import file_name
from truthound.automation._schema import write
from truthound.checkpoint import CheckpointResult, CheckpointStatus
from truthound.errors import StoreError
from truthound.report._words import told
from truthound.validators import ValidationRun, to_plain

FOLDER = "status"
REASONS = 20  # that are told; the others are counted

Health = Literal["healthy", "degraded", "failed"]
_HEALTH: dict[CheckpointStatus, Health] = {
    CheckpointStatus.SUCCESS: "healthy",
    CheckpointStatus.WARNING: "degraded",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteStatus:
    """How a site is, as its last run found it.

    Attributes:
        version: of this form.
        site: the site.
        status: healthy, degraded or failed.
        completed: whether the data was checked; if not, nobody knows how it is.
        exit_code: of the process, unless it is interrupted while it ends.
        reasons: why it is not healthy, a line each, the worst first.
        run_id: of the run; empty if there was none.
        run_time: when it began, as ISO 8601.
        duration_ms: of fetching and checking, in milliseconds.
        source: the data as it is configured, without any password.
        row_count: its rows; None if they were not counted.
        column_count: its columns.
        statistics: how many checks passed and failed.
        warnings: what else there is to know about the reading.
    """

    version: Literal[1] = 1
    site: str
    status: Health
    completed: bool
    exit_code: int
    reasons: Sequence[str] = ()
    run_id: str = ""
    run_time: str
    duration_ms: float = 0.0
    source: str = ""
    row_count: int | None = None
    column_count: int | None = None
    statistics: dict[str, Any] = field(default_factory=dict)
    warnings: Sequence[str] = ()


def judge(
    site: str,
    result: CheckpointResult,
    drift: Sequence[str] = (),
    hidden: Callable[[str], str] = str,
) -> SiteStatus:
    """Return the status that a run gives a site.

    A run that is a success makes it healthy, with drift degraded; a warning makes it
    degraded; a failure and an error make it failed.

    Args:
        site: whose run it was.
        result: the run's.
        drift: how the columns differ from the run before.
        hidden: takes out of a text what nobody is to see.
    """
    run = result.validation_run
    health = _HEALTH.get(result.status, "failed")
    if health == "healthy" and drift:
        health = "degraded"
    completed = result.status != CheckpointStatus.ERROR
    code = Exit.HEALTHY if health == "healthy" else Exit.UNHEALTHY
    reasons = [*(_failures(run) if run else ()), *drift]
    if run is None or (not completed and not run.errors):
        reasons.insert(0, f"could not be completed: {result.error}")
    return SiteStatus(
        site=site,
        status=health,
        completed=completed,
        exit_code=int(code if completed else Exit.INCOMPLETE),
        reasons=_limited([hidden(line) for line in reasons]),
        run_id=result.run_id,
        run_time=result.run_time.isoformat(),
        duration_ms=round(result.duration_ms, 3),
        source=result.data_asset,
        row_count=run.row_count if run else None,
        column_count=run.column_count if run else None,
        statistics=run.statistics if run else {},
        warnings=[hidden(line) for line in run.warnings] if run else (),
    )


def path_of(output: Path, site: str) -> Path:
    """Return where a site's status is kept."""
    return output / FOLDER / f"{file_name(site)}.json"


def write_status(output: Path, status: SiteStatus) -> Path:
    """Write a status and return where.

    Raises:
        StoreError: that is not possible; the message names the file.
    """
    path = path_of(output, status.site)
    plain = {name: to_plain(getattr(status, name)) for name in status.__slots__}
    content = msgspec.json.format(msgspec.json.encode(plain), indent=1) + b"\n"
    write(path, content)
    return path


def read_status(path: Path) -> SiteStatus:
    """Return a status from its file.

    Raises:
        FileNotFoundError: there is none.
        StoreError: it cannot be read, or is damaged; the message names it.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=SiteStatus)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreError(f"{path} is damaged: {error}") from error


def _failures(run: ValidationRun) -> list[str]:
    errors = [f"{check.name} was not evaluated: {check.error}" for check in run.errors]
    issues = [f"{c.name} ({c.severity}): {told(c)}" for c in run.issues]
    return errors + issues


def _limited(reasons: list[str]) -> list[str]:
    if len(reasons) <= REASONS:
        return reasons
    return [*reasons[:REASONS], f"and {len(reasons) - REASONS:,} more"]
