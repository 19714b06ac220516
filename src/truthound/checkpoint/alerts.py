"""Alerts: what is not well, who takes care of it, and what nobody is to be told.

What is kept is what notifications with the option ``alerts`` have told, in the store of
their runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from truthound.checkpoint._alert_policy import AlertPolicy
from truthound.checkpoint._book import MUTES, STANDING
from truthound.checkpoint._incident import Standing
from truthound.errors import ConfigurationError, UnknownNameError

if TYPE_CHECKING:
    from truthound.store import Store

__all__ = [
    "Alert",
    "AlertPolicy",
    "Mute",
    "acknowledge",
    "alerts_of",
    "forget",
    "mute",
    "mutes_of",
    "unmute",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A checkpoint that is not well.

    Attributes:
        checkpoint: its name.
        status: of its last run.
        since: when the first run began that was no success.
        runs: how many there are since.
        told: when each of its notifications was sent last, by name.
        waiting: until when each of them is put off, by name.
        acknowledged_by: who takes care of it; None: nobody has said so.
        acknowledged_at: when that was said.
    """

    checkpoint: str
    status: str
    since: datetime
    runs: int
    told: Mapping[str, datetime]
    waiting: Mapping[str, datetime]
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """Of what nobody is told for a while.

    Attributes:
        what: the name of a checkpoint, a glob, or ``tag:team=pricing``.
        until: when that ends.
        by: who has said so.
        why: for people.
    """

    what: str
    until: datetime
    by: str
    why: str = ""


def alerts_of(store: Store) -> list[Alert]:
    """Return the checkpoints that are not well, the oldest first. Blocks.

    Those whose notifications have a policy: what others tell is not kept.

    Raises:
        StoreError: the store cannot be read.
    """
    found = []
    for name, plain in store.cursors(STANDING).items():
        standing = Standing.of(plain)
        if standing.since is not None:
            found.append(_alert(name.removeprefix(STANDING), standing))
    return sorted(found, key=lambda alert: alert.since)


def _alert(checkpoint: str, standing: Standing) -> Alert:
    assert standing.since is not None
    told = {k: v.at for k, v in standing.told.items() if v.since == standing.since}
    return Alert(
        checkpoint=checkpoint,
        status=standing.status,
        since=standing.since,
        runs=standing.runs,
        told=told,
        waiting={k: v.until for k, v in standing.waiting.items() if not v.is_sent},
        acknowledged_by=standing.acknowledged_by,
        acknowledged_at=standing.acknowledged_at,
    )


def acknowledge(store: Store, checkpoint: str, *, by: str) -> Alert:
    """Say that somebody takes care of a checkpoint: nobody else is asked. Blocks.

    It holds until the checkpoint is well again. What is worse than before is told.

    Args:
        store: that knows of it.
        checkpoint: its name.
        by: who.

    Raises:
        UnknownNameError: it is well, or none of its notifications has a policy.
        StoreError: the store cannot be written.
    """
    now = store.clock.now()

    def change(plain: Any) -> tuple[Any, Any]:
        if plain is None or Standing.of(plain).since is None:
            return plain, None
        plain = {
            **plain,
            "acknowledged_by": by,
            "acknowledged_at": now.isoformat(),
            "acknowledged_status": plain["status"],
        }
        return plain, _alert(checkpoint, Standing.of(plain))

    found: Alert | None = store.change(f"{STANDING}{checkpoint}", change)
    if found is None:
        known = [alert.checkpoint for alert in alerts_of(store)]
        raise UnknownNameError("alert", checkpoint, known)
    return found


def forget(store: Store, checkpoint: str) -> None:
    """Forget what is known of a checkpoint that was renamed or removed. Blocks.

    Of one that still runs, the next run that is not well begins a new incident.

    Args:
        store: that knows of it.
        checkpoint: its name.

    Raises:
        UnknownNameError: it is not known.
        StoreError: the store cannot be written.
    """

    def change(plain: Any) -> tuple[Any, bool]:
        return None, plain is not None

    if not store.change(f"{STANDING}{checkpoint}", change):
        known = [
            name.removeprefix(STANDING)
            for name, plain in store.cursors(STANDING).items()
            if plain is not None
        ]
        raise UnknownNameError("alert", checkpoint, known)


def mute(store: Store, what: str, until: datetime, *, by: str, why: str = "") -> Mute:
    """Let nobody be told of some checkpoints for a while. Blocks.

    Args:
        store: where it is kept.
        what: the name of a checkpoint, a glob, or ``tag:team=pricing``.
        until: when that ends, aware.
        by: who wants it.
        why: for people.

    Raises:
        ConfigurationError: it names nothing, or the time is over.
        StoreError: the store cannot be written.
    """
    now = store.clock.now()
    if not what or what in ("tag:", "tag:="):
        raise ConfigurationError(
            "expected the name of a checkpoint, a glob, or tag:NAME=VALUE, not "
            f"{what!r}"
        )
    if until <= now:
        raise ConfigurationError(f"the time until {until:%Y-%m-%d %H:%M} is over")
    made = {"until": until.isoformat(), "by": by, "why": why}

    def change(plain: Any) -> tuple[Any, None]:
        return {**_lasting(plain, now), what: made}, None

    store.change(MUTES, change)
    return Mute(what=what, until=until, by=by, why=why)


def unmute(store: Store, what: str) -> bool:
    """Let people be told again; False: nothing of that name was muted. Blocks.

    Raises:
        StoreError: the store cannot be written.
    """
    now = store.clock.now()

    def change(plain: Any) -> tuple[Any, bool]:
        left = _lasting(plain, now)
        was = left.pop(what, None) is not None
        return left, was

    return bool(store.change(MUTES, change))


def mutes_of(store: Store) -> list[Mute]:
    """Return what is muted now. Blocks.

    Raises:
        StoreError: the store cannot be read.
    """
    found = _lasting(store.cursor(MUTES), store.clock.now())
    return [
        Mute(
            what=what,
            until=datetime.fromisoformat(one["until"]),
            by=one["by"],
            why=one["why"],
        )
        for what, one in found.items()
    ]


def _lasting(plain: Any, now: datetime) -> dict[str, Any]:
    """Return the mutes that have not ended."""
    return {
        what: one
        for what, one in (plain or {}).items()
        if datetime.fromisoformat(one["until"]) > now
    }
