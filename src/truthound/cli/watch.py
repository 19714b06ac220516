"""``truthound watch``: the triggers of configured checkpoints, until Ctrl-C."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from truthound._words import plural
from truthound.cli import _options, _store
from truthound.cli._boundary import Exit, is_terminal, printable, stderr, stdout
from truthound.cli.check import chosen
from truthound.errors import StoreError

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from truthound.checkpoint import (
        AsyncCheckpointRunner,
        Checkpoint,
        CheckpointResult,
    )

SIGNS = {"success": "✔", "warning": "!", "failure": "✘", "error": "✘"}
COLOURS = {"success": "32", "warning": "33", "failure": "31", "error": "31"}
ISSUES = 3  # that are shown of a run


Function = TypeVar("Function", bound=Callable[..., Any])
# Of a runner, what is to be there as long as it runs.
Beside = Callable[["AsyncCheckpointRunner"], "AbstractAsyncContextManager[None]"]


def running(function: Function) -> Function:
    """Add the options of a command that runs checkpoints until Ctrl-C."""
    options = [
        _options.configuration,
        click.option(
            "--max-concurrent",
            metavar="N",
            type=click.IntRange(min=1),
            default=10,
            show_default=True,
            help="How many run at once.",
        ),
        click.option(
            "--grace",
            metavar="S",
            type=click.FloatRange(min=0),
            default=30.0,
            show_default=True,
            help="Seconds that runs have to end after Ctrl-C or SIGTERM.",
        ),
        click.option(
            "-f",
            "--format",
            "form",
            type=click.Choice(("lines", "jsonl")),
            default="lines",
            show_default=True,
            help="How each result looks.",
        ),
        click.option(
            "--recovery",
            type=click.Choice(("interrupted", "rerun")),
            default="interrupted",
            show_default=True,
            help="What becomes of runs whose process was killed.",
        ),
        _store.recording,
        _options.talking,
    ]
    for option in reversed(options):
        function = option(function)
    return function


@click.command(short_help="Run checkpoints when their triggers say so.")
@click.argument("which", nargs=-1)
@running
def watch(which: tuple[str, ...], config: str | None, **given: Any) -> int:
    """Run checkpoints when their triggers say so, until Ctrl-C.

    WHICH is a name, a pattern or tag:KEY=VALUE. Each result is printed as soon as it is
    there, and its actions are executed. Ctrl-C lets those end that run; a second one
    cuts them off.
    """
    everything, triggered = triggered_of(config, which)
    if not triggered:
        stderr("truthound: no checkpoint that is selected has a trigger")
        return Exit.NOTHING_SELECTED
    return run_triggers(triggered, config, given, everything)


def triggered_of(
    config: str | None, which: tuple[str, ...]
) -> tuple[list[Checkpoint], list[Checkpoint]]:
    """Return all configured checkpoints, and those selected that have a trigger."""
    from truthound.cli._select import selected

    everything = chosen(config, ())
    return everything, [one for one in selected(everything, which) if one.triggers]


def run_triggers(
    triggered: list[Checkpoint],
    config: str | None,
    given: dict[str, Any],
    owing: list[Checkpoint],
    beside: Beside | None = None,
) -> int:
    """Run checkpoints when their triggers say so, until a signal; return the exit code.

    Args:
        triggered: the checkpoints.
        config: the configuration, if one was named.
        given: what :func:`running` adds.
        owing: all that are configured: what their runs owe is sent.
        beside: what is to be there as long as they run.
    """
    from truthound.cli._run import problems_of

    waiting = [
        problem for problem in problems_of(triggered) if "there is no" in problem
    ]
    if problems := [p for p in problems_of(triggered) if p not in waiting]:
        stderr("\n".join(problems))
        return Exit.USAGE
    if not given["quiet"]:
        for problem in waiting:
            stderr(f"{problem} yet")
        if beside is None:
            _tell_of_hooks(triggered)
    with _store.opened(given, config) as recording:

        def serve() -> int | None:
            return _serve(
                triggered,
                owing,
                given["form"],
                beside,
                quiet=given["quiet"],
                max_concurrent_checkpoints=given["max_concurrent"],
                graceful_shutdown_timeout=given["grace"],
                store=recording.store,
                recovery=given["recovery"],
            )

        try:
            came = serve()
        except StoreError as error:  # it could not begin
            if not recording.store:
                raise
            recording.give_up(error)
            came = serve()
    return recording.worst(Exit.PASSED if came is None else 128 + came)


def _serve(
    checkpoints: list[Checkpoint],
    owing: list[Checkpoint],
    form: str,
    beside: Beside | None,
    *,
    quiet: bool,
    **options: Any,
) -> int | None:
    """Run checkpoints until a signal comes, and return it."""
    import asyncio

    from truthound.checkpoint import AsyncCheckpointRunner
    from truthound.checkpoint._running.signals import serve

    async def told(result: CheckpointResult) -> None:
        if not _print(result, form, quiet):
            await runner.stop_async()  # nobody reads any more

    runner = AsyncCheckpointRunner(
        # Somebody looks at it: runs that end as error are no reason to go.
        max_consecutive_failures=sys.maxsize,
        result_queue_size=None,
        result_callback=told,
        error_callback=lambda error: stderr(f"truthound: {error}"),
        **options,
    )
    for checkpoint in checkpoints:
        runner.add_checkpoint(checkpoint)
    runner.deliver_for(owing)
    if not quiet:
        stderr(f"watching {_names(checkpoints)}; Ctrl-C ends it")
    came = asyncio.run(serve(runner, beside and beside(runner)))
    if not quiet:
        stderr(f"stopped after {_told(runner.get_stats())}")
    return came


def _tell_of_hooks(checkpoints: list[Checkpoint]) -> None:
    """Say which checkpoints wait for requests that nobody listens for."""
    for checkpoint in checkpoints:
        if any(trigger.trigger_type == "hook" for trigger in checkpoint.triggers):
            stderr(
                f"{checkpoint.name}: its hook is for 'truthound hooks'; "
                "'truthound watch' does not listen"
            )


def _names(checkpoints: list[Checkpoint]) -> str:
    names = ", ".join(checkpoint.name for checkpoint in checkpoints[:5])
    more = len(checkpoints) - 5
    return names + (f" and {plural(more, 'other')}" if more > 0 else "")


def _told(stats: dict[str, Any]) -> str:
    text = plural(stats["delivered_results"], "run")
    by_status = ", ".join(f"{n} {status}" for status, n in stats["by_status"].items())
    return f"{text}: {by_status}" if by_status else text


def _print(result: CheckpointResult, form: str, quiet: bool) -> bool:
    """Print a result; False: nobody reads."""
    if form == "jsonl":
        return stdout(json.dumps(result.to_dict(), ensure_ascii=False))
    if quiet and result.success:
        return True
    status = str(result.status)
    sign = SIGNS.get(status, "?")
    if is_terminal(sys.stdout) and not _no_colour():
        sign = f"\x1b[{COLOURS.get(status, '0')}m{sign}\x1b[0m"
    moment = f"{result.run_time.astimezone():%H:%M:%S}"
    lines = [f"{moment} {sign} {printable(_summary(result))}"]
    run = result.validation_run
    issues = run.issues[:ISSUES] if run is not None else ()
    lines += [f"           {printable(f'{i.name}: {i.message}')}" for i in issues]
    return stdout("\n".join(lines))


def _summary(result: CheckpointResult) -> str:
    from truthound.checkpoint.config import shown_path

    file = result.metadata.get("file")
    if not isinstance(file, str):
        return result.summary()
    return f"{result.summary()} · {shown_path(Path(file))}"


def _no_colour() -> bool:
    import os

    return bool(os.environ.get("NO_COLOR"))
