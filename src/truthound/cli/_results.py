"""How results are drawn, and which exit code they make."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from truthound.cli._boundary import Exit, is_terminal
from truthound.errors import TruthoundError

if TYPE_CHECKING:
    from truthound.checkpoint import Checkpoint, CheckpointResult
    from truthound.profile import Profile

_SUFFIXES = {
    ".html": "html",
    ".htm": "html",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".xml": "junit",
    ".md": "markdown",
}


def suffix_format(form: str, output: str | None) -> str:
    """Return the format that ``auto`` stands for."""
    if form != "auto":
        return form
    return _SUFFIXES.get(Path(output or "").suffix.lower(), "table")


def code_of(results: Sequence[CheckpointResult], fail_on: str) -> Exit:
    """Return the exit code of some results.

    Args:
        results: what was found.
        fail_on: the least severity that counts as failed; ``any`` or ``never``.
    """
    from truthound.checkpoint import CheckpointStatus

    if any(result.status == CheckpointStatus.ERROR for result in results):
        return Exit.INCOMPLETE
    if fail_on == "never":
        return Exit.PASSED
    from truthound.validators import Severity

    bar = Severity.LOW if fail_on == "any" else Severity.parse(fail_on)
    for result in results:
        run = result.validation_run
        if result.status == CheckpointStatus.FAILURE and (
            run is None or not run.issues
        ):
            return Exit.FAILED  # by an action that may make a run fail
        if any(issue.severity.rank >= bar.rank for issue in run.issues):
            return Exit.FAILED
    return Exit.PASSED


def render(
    results: Sequence[CheckpointResult],
    form: str,
    output: str | None,
    *,
    verbose: int = 0,
    profiles: Mapping[str, Profile] | None = None,
) -> str:
    """Draw results in a format.

    Args:
        results: what was found.
        form: a format of reports.
        output: the file that it goes to, None for standard output.
        verbose: list the checks that passed, too.
        profiles: of the data, by its name; for a page.
    """
    from truthound import report

    options: dict[str, Any] = {}
    if form == "table":
        options = {**terminal(output), "verbose": bool(verbose)}
    elif form == "html":
        options = {"profiles": profiles}
    return report.render(results, form, **options)


def profiles_of(
    checkpoints: Sequence[Checkpoint], results: Sequence[CheckpointResult]
) -> dict[str, Profile]:
    """Describe the data of the runs that were completed. Blocks.

    Data that cannot be described is left out: the report has its checks.
    """
    found = {}
    for checkpoint, result in zip(checkpoints, results, strict=True):
        if result.validation_run is not None:
            with contextlib.suppress(TruthoundError):
                found[result.data_asset] = checkpoint.profile()
    return found


def terminal(output: str | None) -> dict[str, Any]:
    """Return how wide and colourful a table may be."""
    if output not in (None, "-"):
        return {"color": False, "width": 80}
    # COLUMNS, else the terminal's own, else 80.
    width = shutil.get_terminal_size((80, 24)).columns
    return {"color": is_terminal(sys.stdout), "width": width}
