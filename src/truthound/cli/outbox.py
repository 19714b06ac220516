"""``truthound outbox``: notifications that runs owe."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from truthound._words import plural
from truthound.cli import _looking, _options, _store
from truthound.cli._boundary import Exit, stderr, stdout
from truthound.cli._lazy import LazyGroup
from truthound.errors import ConfigurationError

if TYPE_CHECKING:
    from truthound.store import Notice, Store

STATES = ("owed", "sending", "delivered", "dead", "dropped")
OPEN = ("owed", "sending", "dead")
# What became of those that did not fail.
WORDS = {"delivered": "delivered", "dropped": "left out", "dead": "failed"}
WORDS |= {"owed": "put off", "sending": "put off"}
STYLES = {"owed": "yellow", "sending": "cyan", "dead": "red", "delivered": "green"}


@click.group(
    cls=LazyGroup,
    short_help="List, send or drop owed notifications.",
    commands_at={
        "drop": ("outbox:drop", "Say that some need not be sent."),
        "list": ("outbox:list_", "List what is owed, or was given up."),
        "retry": ("outbox:retry", "Send them now."),
        "send": ("outbox:send", "Send what is due by the policies, for cron."),
    },
)
def outbox() -> None:
    """List, send or drop the notifications that runs owe."""


_dead = click.option("--dead", is_flag=True, help="Only those that were given up.")
_which = click.argument("which", nargs=-1, metavar="[RUN[:POSITION]]...")


@click.command("list", short_help="List what is owed, or was given up.")
@click.option(
    "--state",
    "states",
    type=click.Choice(("all", *STATES)),
    multiple=True,
    help="Only in this state (repeatable); owed, sending and dead if left out.",
)
@click.option("--checkpoint", metavar="NAME", help="Only of its runs.")
@_options.limit(100, "How many at the most.")
@_options.form
@_store.place
@_options.configuration
def list_(
    states: tuple[str, ...],
    checkpoint: str | None,
    limit: int,
    form: str,
    store: str | None,
    config: str | None,
) -> int:
    """List notifications that are owed, are being sent or were given up."""
    found = _looking.store_that_is(store, config)
    if found is None:
        return Exit.NOTHING_SELECTED
    wanted = () if "all" in states else states or OPEN
    with found:
        listed = found.notices(states=wanted, checkpoint=checkpoint, limit=limit)
    if form == "json":
        plain = [_looking.plain(notice) for notice in listed]
        stdout(json.dumps(plain, indent=2, ensure_ascii=False))
    elif listed:
        stdout(_as_table(listed))
    if not listed:
        stderr("truthound: nothing is owed")
        return Exit.NOTHING_SELECTED
    return Exit.PASSED


def _as_table(listed: list[Notice]) -> str:
    short = _looking.short_ids(sorted({notice.run_id for notice in listed}))
    head = [("state", "left"), ("tries", "right"), ("next try", "left")]
    head += [("checkpoint", "left"), ("action", "left"), ("run", "left"), ("", "rest")]
    rows: list[list[Any]] = [
        [
            (str(notice.state), STYLES.get(str(notice.state), "dim")),
            str(notice.attempts),
            _looking.when(notice.due_at)[5:] if notice.state == "owed" else "–",
            notice.checkpoint,
            notice.action,
            f"{short[notice.run_id]}:{notice.position}",
            notice.error or "",
        ]
        for notice in listed
    ]
    return _looking.table(head, rows)


@click.command(short_help="Send them now.")
@_which
@_dead
@_store.place
@_options.configuration
def retry(
    which: tuple[str, ...], dead: bool, store: str | None, config: str | None
) -> int:
    """Send owed notifications now, with all their tries before them.

    Without RUN those are sent that are owed; with --dead those that were given up.
    Their actions are looked up in the configuration. The exit code is 4 if one could
    not be delivered.
    """
    import asyncio

    from truthound.checkpoint import load_checkpoints
    from truthound.checkpoint.outbox import deliver_due

    found = _looking.store_that_is(store, config)
    if found is None:
        return Exit.NOTHING_SELECTED
    checkpoints = load_checkpoints(config)
    states = ("dead",) if dead else OPEN if which else ("owed",)
    with found:
        chosen = _selection(found, which, states)
        if not chosen or not found.retry_notices(chosen, _states(states)):
            stderr("truthound: nothing is owed")
            return Exit.NOTHING_SELECTED
        tried = asyncio.run(
            deliver_due(found, checkpoints, only=chosen, is_hurried=True)
        )
    failed = [(notice, error) for notice, error in tried if error is not None]
    for notice, error in failed:
        stderr(f"{notice.checkpoint}: action {notice.action}: {error}")
    stdout(f"delivered {len(tried) - len(failed)} of {len(chosen)}")
    _tell_unknown(len(chosen) - len(tried))
    return Exit.ACTION_FAILED if len(tried) - len(failed) < len(chosen) else Exit.PASSED


@click.command(short_help="Send what is due by the policies, for cron.")
@_store.place
@_options.configuration
def send(store: str | None, config: str | None) -> int:
    """Send what is due now of what all configured checkpoints owe.

    What 'alerts' has put off is sent when its time has come, not before. Put it into
    cron if nothing else runs all the time. Nothing is said if nothing is due. The exit
    code is 4 if one could not be delivered.
    """
    import asyncio
    from collections import Counter

    from truthound.checkpoint import load_checkpoints
    from truthound.checkpoint.outbox import deliver_due

    checkpoints = load_checkpoints(config)
    found = _looking.store_that_is(store, config)
    if found is None:
        return Exit.PASSED  # of a cron job that is older than the first run
    with found:
        tried = asyncio.run(deliver_due(found, checkpoints))
        states = {
            (notice.run_id, notice.position): str(notice.state)
            for run_id in {notice.run_id for notice, _ in tried}
            for notice in found.notices(run_id=run_id)
        }
    became = Counter(
        "failed" if error else WORDS[states.get((one.run_id, one.position), "owed")]
        for one, error in tried
    )
    for one, error in tried:
        if error is not None:
            stderr(f"{one.checkpoint}: action {one.action}: {error}")
    if tried:
        stdout(", ".join(f"{number} {word}" for word, number in became.items()))
    return Exit.ACTION_FAILED if became["failed"] else Exit.PASSED


def _tell_unknown(number: int) -> None:
    if number > 0:
        stderr(
            f"truthound: {plural(number, 'notification')} not tried: no such "
            "checkpoint in the configuration, or another process sends them"
        )


@click.command(short_help="Say that some need not be sent.")
@_which
@_dead
@click.option("--all", "everything", is_flag=True, help="All that are open.")
@_store.place
@_options.configuration
def drop(
    which: tuple[str, ...],
    dead: bool,
    everything: bool,
    store: str | None,
    config: str | None,
) -> int:
    """Say of notifications that they need not be sent."""
    if bool(which) == (everything or (dead and not which)):
        raise click.UsageError("name RUN or RUN:POSITION, or say --all or --dead")
    found = _looking.store_that_is(store, config)
    if found is None:
        return Exit.NOTHING_SELECTED
    states = ("dead",) if dead else ("owed", "dead")
    with found:
        chosen = _selection(found, which, states)
        number = found.drop_notices(chosen, _states(states)) if chosen else 0
    if not number:
        stderr("truthound: nothing is owed")
        return Exit.NOTHING_SELECTED
    stdout(f"dropped {plural(number, 'notification')}")
    return Exit.PASSED


def _states(states: tuple[str, ...]) -> list[Any]:
    from truthound.store import NoticeState

    return [NoticeState(s) for s in states if s != "sending"]


def _selection(
    store: Store, which: tuple[str, ...], states: tuple[str, ...]
) -> list[tuple[str, int]]:
    """Return the notifications that are meant, as runs and positions."""
    wanted = [s for s in states if s != "sending"]
    if not which:
        listed = store.notices(states=wanted, limit=None)
        return [(notice.run_id, notice.position) for notice in listed]
    chosen: list[tuple[str, int]] = []
    for item in which:
        name, _, position = item.rpartition(":")
        if not (name and position.isascii() and position.isdigit()):
            name, position = item, ""
        run_id = store.run(name).run_id
        there = [n.position for n in store.notices(run_id=run_id)]
        if position and int(position) not in there:
            known = ", ".join(map(str, there)) or "none"
            raise ConfigurationError(
                f"run {run_id} owes nothing at position {position}; it has {known}"
            )
        open_ones = store.notices(run_id=run_id, states=wanted)
        chosen += [
            (run_id, n.position)
            for n in open_ones
            if not position or n.position == int(position)
        ]
    return chosen
