"""``truthound hooks``: HTTP requests start checkpoints, until Ctrl-C."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from truthound.cli._boundary import Exit, stderr
from truthound.cli.watch import run_triggers, running, triggered_of

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from truthound.checkpoint import AsyncCheckpointRunner


@click.command(short_help="Run checkpoints when requests come over HTTP.")
@click.argument("which", nargs=-1)
@click.option(
    "--host",
    metavar="HOST",
    default="127.0.0.1",
    show_default=True,
    help="Where to listen; 0.0.0.0 is reached from everywhere.",
)
@click.option(
    "--port",
    metavar="N",
    type=click.IntRange(0, 65535),
    default=8099,
    show_default=True,
    help="Which port; 0 is a free one.",
)
@running
def hooks(
    which: tuple[str, ...], config: str | None, host: str, port: int, **given: Any
) -> int:
    """Run checkpoints when requests come over HTTP, until Ctrl-C.

    WHICH is a name, a pattern or tag:KEY=VALUE. POST /hooks/NAME starts a run of the
    checkpoint whose trigger of type hook has that name. The other triggers of what is
    selected run, too, as with 'truthound watch'.
    """
    from truthound.checkpoint.hooks import hooks_app
    from truthound.checkpoint.triggers import HookTrigger
    from truthound.cli._listening import address_of, bound, listening

    everything, triggered = triggered_of(config, which)
    names = [
        trigger.path_name
        for checkpoint in triggered
        for trigger in checkpoint.triggers
        if isinstance(trigger, HookTrigger) and trigger.enabled
    ]
    if not names:
        stderr("truthound: no checkpoint that is selected has a trigger of type hook")
        return Exit.NOTHING_SELECTED

    sockets = bound(host, port)

    def told() -> None:
        if not given["quiet"]:
            for one in sockets:
                stderr(f"listening on {address_of(one)}/hooks/{_shown(names)}")

    def beside(runner: AsyncCheckpointRunner) -> AbstractAsyncContextManager[None]:
        return listening(hooks_app(runner), sockets, told)

    try:
        return run_triggers(triggered, config, given, everything, beside)
    finally:
        for one in sockets:
            one.close()


def _shown(names: list[str]) -> str:
    from urllib.parse import quote

    shown = [quote(name, safe="/") for name in names[:5]]
    if len(names) == 1:
        return shown[0]
    return f"{{{','.join([*shown, '…'] if len(names) > 5 else shown)}}}"
