"""Running checkpoints side by side, with what the command line adds to them."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from truthound.cli import _files
from truthound.cli._boundary import stderr
from truthound.cli._progress import progress
from truthound.errors import StoreError

if TYPE_CHECKING:
    from truthound.checkpoint import Checkpoint, CheckpointResult

Result = TypeVar("Result")


def with_options(checkpoint: Checkpoint, given: dict[str, Any]) -> Checkpoint:
    """Return a checkpoint with what was said on the command line beside it."""
    config = checkpoint.config
    changes: dict[str, Any] = {}
    if given["sample_rows"] is not None:
        changes["sample_rows"] = given["sample_rows"]
    if given["timeout"] is not None:
        changes["timeout_seconds"] = given["timeout"]
    if given["min_severity"] is not None:
        changes["min_severity"] = given["min_severity"]
    if given["allow_empty"]:
        changes["allow_empty"] = True
    for option, name in (("redact", "redact"), ("id_column", "id_columns")):
        if given[option]:
            there = getattr(config, name)
            there = (there,) if isinstance(there, str) else tuple(there)
            changes[name] = (*there, *given[option])
    if changes:
        checkpoint.config = dataclasses.replace(config, **changes)
    return checkpoint


def problems_of(checkpoints: Sequence[Checkpoint]) -> list[str]:
    """Return what is wrong with the configuration of checkpoints about to run."""
    return [problem for checkpoint in checkpoints for problem in checkpoint.validate()]


async def run_all(
    checkpoints: Sequence[Checkpoint], *, quiet: bool = False
) -> list[CheckpointResult]:
    """Run checkpoints, some at once, and return their results in their order.

    If cancelled, the runs are given up and the cancellation goes on.
    """
    # As many as there are threads that validate: the time limit of a checkpoint
    # counts from here and must not pass while it waits for one.
    slots = asyncio.Semaphore(max(2, min(8, os.cpu_count() or 2)))
    running: list[str] = []
    done: list[str] = []

    async def one(checkpoint: Checkpoint) -> CheckpointResult:
        async with slots:
            running.append(checkpoint.name)
            try:
                return await checkpoint.run_async()
            finally:
                running.remove(checkpoint.name)
                done.append(checkpoint.name)

    def what() -> str:
        if len(checkpoints) == 1:
            return f"checking {checkpoints[0].config.data_source}"
        names = ", ".join(running[:3])
        return f"{len(done)} of {len(checkpoints)} done; running {names}"

    with progress(what, quiet=quiet):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(checkpoint)) for checkpoint in checkpoints]
    return [task.result() for task in tasks]


def in_thread(work: Callable[[], Result], what: str, *, quiet: bool = False) -> Result:
    """Do what blocks on a thread, so that Ctrl-C is heard at once."""
    from truthound.checkpoint._threads import VALIDATION

    future = VALIDATION.submit(work)
    try:
        with progress(lambda: what, quiet=quiet):
            return future.result()
    finally:
        VALIDATION.give_up(future)


def refuse_rows_file(checkpoints: Sequence[Checkpoint], file: str | None) -> None:
    """Refuse a file for failing rows that cannot become one, before anything runs.

    Raises:
        click.ClickException: another suffix, the data itself, no such folder.
        click.UsageError: the rows of several checkpoints.
    """
    if file is None:
        return
    if len(checkpoints) > 1:
        raise click.UsageError(
            f"--failed-rows takes the rows of one checkpoint, "
            f"but {len(checkpoints)} are selected"
        )
    if Path(file).suffix.lower() not in (".parquet", ".csv"):
        raise click.BadParameter(
            f"{file} ends neither with .parquet nor with .csv",
            param_hint="--failed-rows",
        )
    _files.refuse_unwritable(file)
    source = checkpoints[0].config.data_source
    if os.path.realpath(source) == os.path.realpath(file):
        raise click.BadParameter(
            f"{file} is the data itself", param_hint="--failed-rows"
        )


def write_failing(
    checkpoint: Checkpoint, result: CheckpointResult, file: str, *, quiet: bool
) -> None:
    """Write the failing rows of a run to a file.

    Raises:
        click.ClickException: it cannot be written.
    """
    if result.validation_run is None:
        stderr(f"{file} is not written: the run was not completed")
        return
    try:
        rows = in_thread(
            lambda: checkpoint.write_failing(file), f"writing {file}", quiet=quiet
        )
    except StoreError as error:
        raise click.ClickException(str(error)) from error
    if not quiet:
        stderr(f"wrote {rows:,} failing rows to {file}")
