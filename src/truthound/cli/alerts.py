"""``truthound alerts``: what is not well, who takes care of it, and what is muted."""

from __future__ import annotations

import getpass
import json
from typing import TYPE_CHECKING, Any

import click

from truthound.cli import _looking, _options, _store
from truthound.cli._boundary import Exit, stderr, stdout
from truthound.cli._lazy import LazyGroup
from truthound.errors import ConfigurationError, TruthoundError, did_you_mean

if TYPE_CHECKING:
    from truthound.checkpoint.alerts import Alert, Mute

STYLES = {"warning": "yellow", "failure": "red", "error": "red"}


@click.group(
    cls=LazyGroup,
    short_help="List, acknowledge or mute alerts.",
    commands_at={
        "ack": ("alerts:ack", "Say that you take care of one."),
        "forget": ("alerts:forget", "Forget one of a checkpoint that is gone."),
        "list": ("alerts:list_", "List what is not well, and what is muted."),
        "mute": ("alerts:mute", "Tell nobody for a while."),
        "unmute": ("alerts:unmute", "Tell people again."),
    },
)
def alerts() -> None:
    """List what is not well, acknowledge it, or mute it.

    Of checkpoints whose notifications have the option 'alerts'.
    """


_by = click.option("--by", metavar="NAME", help="Who; your user name if left out.")


def _somebody(by: str | None) -> str:
    """Return who it is.

    Raises:
        ConfigurationError: it is not said, and the system does not know.
    """
    if by:
        return by
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # of a user without a name, in a container
        raise ConfigurationError(
            "the system has no name for this user: say who it is with --by NAME"
        ) from None


@click.command("list", short_help="List what is not well, and what is muted.")
@_options.form
@_store.place
@_options.configuration
def list_(form: str, store: str | None, config: str | None) -> int:
    """List the checkpoints that are not well, and what is muted.

    The exit code is 1 if one is not well and nobody takes care of it.
    """
    from truthound.checkpoint.alerts import alerts_of, mutes_of

    found = _looking.store_that_is(store, config)
    if found is None:
        return Exit.NOTHING_SELECTED
    with found:
        listed, mutes = alerts_of(found), mutes_of(found)
    if form == "json":
        plain = {
            "alerts": [_plain(alert) for alert in listed],
            "mutes": [_looking.plain(mute) for mute in mutes],
        }
        stdout(json.dumps(plain, indent=2, ensure_ascii=False))
    elif listed:
        stdout(_as_table(listed))
    if form != "json" and mutes:
        stdout(_mutes_table(mutes))
    if not listed:
        stderr("truthound: all is well, as far as notifications with 'alerts' know")
    is_open = any(alert.acknowledged_by is None for alert in listed)
    return Exit.FAILED if is_open else Exit.PASSED


def _plain(alert: Alert) -> dict[str, Any]:
    plain = _looking.plain(alert)
    for name in ("told", "waiting"):
        plain[name] = {k: v.isoformat() for k, v in plain[name].items()}
    return plain


def _as_table(listed: list[Alert]) -> str:
    head = [("checkpoint", "left"), ("status", "left"), ("since", "left")]
    head += [("runs", "right"), ("acknowledged", "left"), ("told", "rest")]
    rows: list[list[Any]] = [
        [
            alert.checkpoint,
            (alert.status, STYLES.get(alert.status, "")),
            _looking.when(alert.since),
            f"{alert.runs:,}",
            alert.acknowledged_by or "–",
            _told(alert),
        ]
        for alert in listed
    ]
    return _looking.table(head, rows)


def _told(alert: Alert) -> str:
    told = [f"{name} {_looking.when(at)[5:]}" for name, at in alert.told.items()]
    told += [
        f"{name} from {_looking.when(until)[5:]}"
        for name, until in alert.waiting.items()
    ]
    return ", ".join(told) or "nobody"


def _mutes_table(mutes: list[Mute]) -> str:
    head = [("muted", "left"), ("until", "left"), ("by", "left"), ("why", "rest")]
    rows = [[m.what, _looking.when(m.until), m.by, m.why] for m in mutes]
    return _looking.table(head, rows)


@click.command(short_help="Say that you take care of one.")
@click.argument("checkpoint")
@_by
@_store.place
@_options.configuration
def ack(checkpoint: str, by: str | None, store: str | None, config: str | None) -> int:
    """Say that somebody takes care of CHECKPOINT: no reminders, no escalation.

    It holds until the checkpoint is well again. What gets worse is told all the same.
    """
    from truthound.checkpoint.alerts import acknowledge

    found = _looking.store_that_is(store, config)
    if found is None:
        return Exit.NOTHING_SELECTED
    with found:
        alert = acknowledge(found, checkpoint, by=_somebody(by))
    said = f"{alert.status} since {_looking.when(alert.since)}"
    stdout(f"{alert.acknowledged_by} takes care of {checkpoint}: {said}")
    return Exit.PASSED


@click.command(short_help="Tell nobody for a while.")
@click.argument("what")
@click.option("--for", "span", metavar="SPAN", help="How long, like 30m, 12h or 7d.")
@click.option("--until", metavar="WHEN", help="A date or time, instead of --for.")
@click.option("--why", metavar="TEXT", default="", help="For people.")
@_by
@_store.place
@_options.configuration
def mute(
    what: str,
    span: str | None,
    until: str | None,
    why: str,
    by: str | None,
    store: str | None,
    config: str | None,
) -> int:
    """Tell nobody about WHAT for a while.

    WHAT is the name of a checkpoint, a glob, or tag:team=pricing. What is still so at
    the end is told then, with the next run.
    """
    from truthound.checkpoint.alerts import mute as mute_in

    if (span is None) == (until is None):
        raise click.UsageError("say --for how long, or --until when")
    if span is not None:
        end = _looking.moment_in(span)
    else:
        assert until is not None
        end = _looking.day_or_moment(until)
    with _store.store_for(store, config) as found:
        made = mute_in(found, what, end, by=_somebody(by), why=why)
    stdout(f"{made.what} is muted until {_looking.when(made.until)}")
    _tell_if_nothing_is_meant(what, config)
    return Exit.PASSED


def _tell_if_nothing_is_meant(what: str, config: str | None) -> None:
    from truthound.checkpoint import load_checkpoints
    from truthound.checkpoint._book import is_meant

    try:
        known = load_checkpoints(config)
    except TruthoundError:  # it may be muted where no configuration is
        return
    if not any(is_meant(what, one.name, one.config.tags) for one in known):
        hint = did_you_mean(what, [one.name for one in known])
        stderr(f"truthound: no configured checkpoint is meant by {what}{hint}")


@click.command(short_help="Forget one of a checkpoint that is gone.")
@click.argument("checkpoint")
@_store.place
@_options.configuration
def forget(checkpoint: str, store: str | None, config: str | None) -> int:
    """Forget the alert of CHECKPOINT, which was renamed or removed.

    What it still owes is left out with 'truthound outbox drop'.
    """
    from truthound.checkpoint.alerts import forget as forget_in

    found = _looking.store_that_is(store, config)
    if found is None:
        return Exit.NOTHING_SELECTED
    with found:
        forget_in(found, checkpoint)
    stdout(f"{checkpoint} is forgotten")
    return Exit.PASSED


@click.command(short_help="Tell people again.")
@click.argument("what")
@_store.place
@_options.configuration
def unmute(what: str, store: str | None, config: str | None) -> int:
    """Tell people about WHAT again; it is written as it was for 'mute'."""
    from truthound.checkpoint.alerts import mutes_of
    from truthound.checkpoint.alerts import unmute as unmute_in

    found = _looking.store_that_is(store, config)
    if found is None:
        return Exit.NOTHING_SELECTED
    with found:
        known = [one.what for one in mutes_of(found)]
        if not unmute_in(found, what):
            said = f"; {', '.join(known)} is" if known else ""
            stderr(f"truthound: {what} is not muted{said}")
            return Exit.NOTHING_SELECTED
    stdout(f"{what} is not muted any more")
    return Exit.PASSED
