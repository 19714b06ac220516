"""Runs while they last: a table of what runs, what waits and what has failed."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from truthound._clock import SYSTEM_CLOCK
from truthound.checkpoint._running.pool import CheckpointPool
from truthound.checkpoint._running.signals import catching_signals
from truthound.checkpoint.outbox import deliver_due
from truthound.cli._boundary import is_terminal, printable, stderr
from truthound.errors import StoreError

if TYPE_CHECKING:
    from truthound.checkpoint import Checkpoint, CheckpointResult
    from truthound.cli._store import Recording

SILENT_FOR = 0.5  # seconds before anything is shown
STEP = 0.2  # seconds between two pictures
FAILED = 5  # that are listed, the latest


async def run_live(
    checkpoints: Sequence[Checkpoint],
    most: int,
    grace: float,
    *,
    quiet: bool,
    recording: Recording,
    owing: Sequence[Checkpoint],
) -> tuple[list[CheckpointResult], int | None]:
    """Run checkpoints side by side and show how far they are.

    What runs of any configured checkpoint still owe is sent at the end, if it is due.
    With a store that cannot be used they run all the same, and ``recording`` has given
    up.

    Args:
        checkpoints: that run.
        most: how many run at once.
        grace: seconds that they have to end after a signal.
        quiet: show nothing.
        recording: the store.
        owing: all that are configured.

    Returns:
        Their results, in their order, and the signal that ended it early, if one did.
    """
    ended: list[CheckpointResult] = []

    def made() -> CheckpointPool:
        return CheckpointPool(
            most,
            ended.append,
            graceful_shutdown_timeout=grace,
            store=recording.store,
        )

    async with catching_signals() as signals:
        pool = made()
        try:
            await pool.start()
        except StoreError as error:
            recording.give_up(error)
            pool = made()
            await pool.start()
        try:
            task = asyncio.get_running_loop().create_task(pool.submit_many(checkpoints))
            async with _shown(pool, ended, len(checkpoints), quiet=quiet):
                await signals.until(task)
                if signals.came:
                    left = sum(r["state"] == "running" for r in pool.active_runs())
                    stderr(
                        f"stopping: {left} under way may end within {grace:g} s; "
                        "again to cut them off"
                    )
                    await signals.first_of(pool.stop())
            if recording.store and not signals.came:
                await signals.first_of(deliver_due(recording.store, owing))
        except StoreError as error:
            stderr(f"truthound: {error}")
        finally:
            await pool.stop(wait=False)
        return await task, signals.came[0] if signals.came else None


@contextlib.asynccontextmanager
async def _shown(
    pool: CheckpointPool, ended: list[CheckpointResult], number: int, *, quiet: bool
) -> AsyncIterator[None]:
    if quiet or not is_terminal(sys.stderr):
        yield
        return
    task = asyncio.get_running_loop().create_task(_show(pool, ended, number))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _show(
    pool: CheckpointPool, ended: list[CheckpointResult], number: int
) -> None:
    began = SYSTEM_CLOCK.monotonic()
    await asyncio.sleep(SILENT_FOR)
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            seconds = SYSTEM_CLOCK.monotonic() - began
            live.update(picture(pool.active_runs(), ended, number, seconds))
            live.refresh()
            await asyncio.sleep(STEP)


def picture(
    active: Sequence[dict[str, Any]],
    ended: Sequence[CheckpointResult],
    number: int,
    seconds: float,
) -> Any:
    """Return what is shown of some runs.

    Args:
        active: as ``active_runs()`` has them.
        ended: results, in the order in which they came.
        number: of checkpoints.
        seconds: since the beginning.
    """
    from rich.table import Table
    from rich.text import Text

    running = [run for run in active if run["state"] != "waiting"]
    waiting = [run for run in active if run["state"] == "waiting"]
    bad = [result for result in ended if not result.success]
    table = Table.grid(padding=(0, 2))
    height = max(8, shutil.get_terminal_size((80, 24)).lines - 2)
    now = SYSTEM_CLOCK.now()
    listed = running[: height - FAILED - 3]
    for run in listed:
        since = (now - run["began_at"]).total_seconds() if run["began_at"] else 0.0
        table.add_row(
            Text("running", style="cyan"),
            Text(printable(run["checkpoint"])),
            Text(f"{since:.0f} s", style="dim"),
        )
    if len(running) > len(listed):
        table.add_row("", Text(f"and {len(running) - len(listed)} more"), "")
    for run in waiting[: max(0, min(3, height - len(listed) - FAILED - 3))]:
        table.add_row(
            Text("waiting", style="dim"), Text(printable(run["checkpoint"])), ""
        )
    if len(waiting) > 3:
        table.add_row("", Text(f"and {len(waiting) - 3} more wait", style="dim"), "")
    for result in bad[-FAILED:]:
        style = "yellow" if result.status == "warning" else "red"
        said = printable(result.summary().split(": ", 2)[-1])
        table.add_row(
            Text(str(result.status), style=style),
            Text(printable(result.checkpoint_name)),
            Text(said, overflow="ellipsis", no_wrap=True),
        )
    failed = f", {len(bad)} not passed" if bad else ""
    table.caption = Text(
        f"{len(ended)} of {number} done, {len(running)} run, {len(waiting)} wait"
        f"{failed} · {seconds:.0f} s",
        justify="left",
    )
    return table
