"""Runs of sites while they last, and what is known of them afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from signal import SIGINT, SIGTERM
from typing import TYPE_CHECKING, Any

from truthound._clock import SYSTEM_CLOCK
from truthound.automation import AsyncPipelineExecutor, PipelineExecutor
from truthound.automation._names import shown_name
from truthound.checkpoint._running.signals import catching_signals
from truthound.cli._boundary import is_terminal, printable, stderr
from truthound.errors import ConfigurationError, StoreError

if TYPE_CHECKING:
    from truthound.automation import PipelineConfig, PipelineRun, SiteResult
    from truthound.automation._story import Story

SILENT_FOR = 0.5  # seconds before anything is shown
STEP = 0.2  # seconds between two pictures
FAILED = 5  # that are listed, the latest
Executor = AsyncPipelineExecutor | PipelineExecutor


def run_all(
    config: PipelineConfig, names: Sequence[str], *, sync: bool, quiet: bool
) -> tuple[PipelineRun, int | None]:
    """Run sites and show how far they are.

    Returns:
        The run, and the signal that ended it early, if one did.
    """
    executor: Executor
    signal: int | None = None
    if sync:
        executor = PipelineExecutor(config)
        with shown(executor, len(names), quiet=quiet):
            signal = _run_blocking(executor, names)
    else:
        executor = AsyncPipelineExecutor(config)
        with shown(executor, len(names), quiet=quiet):
            signal = asyncio.run(_run(executor, names))
    assert executor.last_run is not None  # it has just ended
    return executor.last_run, signal


def _run_blocking(executor: PipelineExecutor, names: Sequence[str]) -> int | None:
    try:
        executor.run_all(names)
    except (KeyboardInterrupt, SystemExit) as error:
        if executor.last_run is None:
            raise
        return SIGINT if isinstance(error, KeyboardInterrupt) else SIGTERM
    return None


async def _run(executor: AsyncPipelineExecutor, names: Sequence[str]) -> int | None:
    async with catching_signals() as signals:
        task = asyncio.get_running_loop().create_task(executor.run_all_async(names))
        await signals.until(task)
        while not task.done():
            if len(signals.came) == 1:
                active = len(executor.story.active) if executor.story else 0
                stderr(
                    f"stopping: {active} under way are asked to end; "
                    "again to end them at once"
                )
            task.cancel()
            await signals.until(task)
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return signals.came[0] if signals.came else None


def known_of(config: PipelineConfig, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return what is known of sites: their status, else how their last run ended.

    Args:
        config: says where that is kept.
        names: the sites.
    """
    from truthound.automation import PipelineRun
    from truthound.automation._executor import LAST_RUN

    output = config.output_directory
    try:
        ended = PipelineRun.load(output / LAST_RUN).sites
    except StoreError as error:
        ended = {}
        if (output / LAST_RUN).exists():
            stderr(f"truthound: {error}")
    found = [_known(name, config, ended.get(name)) for name in names]
    return found if any(r["status"] != "unknown" for r in found) else []


def _known(
    name: str, config: PipelineConfig, ended: SiteResult | None
) -> dict[str, Any]:
    from truthound.automation._names import refuse_name
    from truthound.automation._status import path_of, read_status

    record: dict[str, Any] = {
        "site": name,
        "status": "unknown",
        "run_time": None,
        "reasons": [],
    }
    last = None
    if ended is not None and ended.ended_at is not None:
        last = ended.last.started_at.isoformat() if ended.last else "9999"
        record["status"] = ended.outcome
        record["run_time"] = ended.ended_at.isoformat()
        record["reasons"] = [ended.error] if ended.error else []
    if config.command is not None:
        return record
    try:
        refuse_name(name)
        kept = read_status(path_of(config.output_directory, name))
    except FileNotFoundError:
        return record
    except (ConfigurationError, StoreError) as error:
        return {**record, "status": "unknown", "reasons": [str(error)]}
    # A process that did not get so far has written no status: the run knows more.
    if last is not None and last > kept.run_time:
        return record
    return {
        **dataclasses.asdict(kept),
        "reasons": list(kept.reasons),
        "warnings": list(kept.warnings),
    }


@contextlib.contextmanager
def shown(executor: Executor, number: int, *, quiet: bool) -> Iterator[None]:
    """Show on a terminal how far an executor is while the block runs."""
    if quiet or not is_terminal(sys.stderr):
        yield
        return
    over = threading.Event()
    thread = threading.Thread(target=_show, args=(executor, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _show(executor: Executor, over: threading.Event) -> None:
    began = SYSTEM_CLOCK.monotonic()
    if over.wait(SILENT_FOR):
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            if executor.story is not None:
                seconds = SYSTEM_CLOCK.monotonic() - began
                live.update(picture(executor.story, seconds), refresh=True)
            if over.wait(STEP):
                return


def picture(story: Story, seconds: float) -> Any:
    """Return what is shown of a run: what runs, what failed, and a bar."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    ended = list(story.ended.values())
    active = list(story.active.values())
    bad = [site for site in ended if not site.success]
    table = Table.grid(padding=(0, 2))
    height = max(8, shutil.get_terminal_size((80, 24)).lines - 2)
    listed = active[: height - FAILED - 3]
    for site in listed:
        attempt = f"attempt {site.number}" if site.number > 1 else ""
        table.add_row(
            Text("waiting" if site.waits else "running", style="cyan"),
            Text(printable(shown_name(site.name))),
            Text(f"{site.seconds:.0f} s  {attempt}", style="dim"),
        )
    if len(active) > len(listed):
        table.add_row("", Text(f"and {len(active) - len(listed)} more"), "")
    for result in bad[-FAILED:]:
        table.add_row(
            Text("failed" if result.outcome == "failure" else "incomplete", "red"),
            Text(printable(shown_name(result.site))),
            Text(printable(result.error or ""), overflow="ellipsis", no_wrap=True),
        )
    total = len(story.names)
    failed = f", {len(bad)} failed" if bad else ""
    line = Table.grid(padding=(0, 2))
    line.add_row(
        ProgressBar(total=total, completed=len(ended), width=30),
        Text(
            f"{len(ended)} of {total} sites done, {len(active)} under way{failed} · "
            f"{seconds:.0f} s"
        ),
    )
    return Group(table, line)
