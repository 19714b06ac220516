"""``truthound run``: configured checkpoints, side by side, with their actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from truthound.cli import _options, _store
from truthound.cli._boundary import Exit, stderr
from truthound.cli.check import chosen, deliver, running, selection

if TYPE_CHECKING:
    from truthound.checkpoint import CheckpointResult


@click.command(short_help="Run configured checkpoints, with their actions.")
@click.argument("which", nargs=-1)
@_options.configuration
@click.option(
    "--max-concurrent",
    metavar="N",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="How many run at once.",
)
@click.option(
    "--grace",
    metavar="S",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    help="Seconds that runs have to end after Ctrl-C or SIGTERM.",
)
@click.option(
    "--strict-actions",
    is_flag=True,
    help="Exit with 4 if all checks passed but an action failed.",
)
@_store.recording
@running
def run(
    which: tuple[str, ...],
    config: str | None,
    max_concurrent: int,
    grace: float,
    strict_actions: bool,
    **given: Any,
) -> int:
    """Run checkpoints of a configuration: all, or those that are selected.

    WHICH is a name, a pattern or tag:KEY=VALUE. Their actions are executed, and what is
    due of what earlier runs of all checkpoints owe is sent. Ctrl-C lets those end that
    run, and begins no more; a second one cuts them off.
    """
    import asyncio

    from truthound.cli._live import run_live
    from truthound.cli._results import code_of
    from truthound.cli._run import write_failing
    from truthound.cli._select import selected

    everything = chosen(config, ())
    checkpoints = selection(selected(everything, which), given)
    if isinstance(checkpoints, int):
        return checkpoints
    with _store.opened(given, config) as recording:
        results, signal = asyncio.run(
            run_live(
                checkpoints,
                max_concurrent,
                grace,
                quiet=given["quiet"],
                recording=recording,
                owing=everything,
            )
        )
    deliver(checkpoints, results, given)
    if given["failed_rows"] is not None:
        write_failing(
            checkpoints[0], results[0], given["failed_rows"], quiet=given["quiet"]
        )
    if given["quiet"] or given["output"] is not None:
        _tell_bad_actions(results, quiet=given["quiet"])
    if signal is not None:
        return 128 + signal
    code = recording.worst(code_of(results, given["fail_on"]))
    if code == Exit.PASSED and strict_actions and _any_bad(results):
        return Exit.ACTION_FAILED
    return code


def _tell_bad_actions(results: list[CheckpointResult], *, quiet: bool) -> None:
    for result in results:
        for ended in result.action_results:
            told = f"{result.checkpoint_name}: action {ended.action_name}: "
            if ended.is_bad:
                stderr(f"{told}{ended.error or ended.message or ended.status}")
            elif (until := ended.details.get("held_until")) and not quiet:
                stderr(f"{told}put off until {until}")


def _any_bad(results: list[CheckpointResult]) -> bool:
    return any(ended.is_bad for r in results for ended in r.action_results)
