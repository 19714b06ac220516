"""Removing old runs, a few at a time, and never the ones that still matter."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, or_, select

from truthound.errors import ConfigurationError
from truthound.store._reading import selected
from truthound.store._tables import notices, results, runs, stamp
from truthound.store._writing import ACTIVE

BATCH = 500  # runs that one transaction removes
_PENDING = ("owed", "sending")
_BAD = ("error", "failure", "warning")


def checked(older_than: timedelta | None, keep: int | None) -> None:
    """Refuse a retention that says nothing, or makes no sense.

    Raises:
        ConfigurationError: it is one.
    """
    if older_than is None and keep is None:
        raise ConfigurationError("prune: say older_than, keep, or both")
    if older_than is not None and older_than < timedelta(0):
        raise ConfigurationError(f"older_than is a span of time, not {older_than}")
    if keep is not None and keep < 0:
        raise ConfigurationError(f"keep is a number of runs, 0 or more, not {keep}")


def prune(
    connection: Connection,
    now: datetime,
    checkpoint: str,
    *,
    older_than: timedelta | None = None,
    keep: int | None = None,
    size: int = BATCH,
    is_trial: bool = False,
) -> int:
    """Remove some old runs of a checkpoint, with their results and notices.

    The latest run stays, and the last one that was no success; so do runs that have not
    ended, and those that owe a notification.

    Args:
        connection: in a transaction.
        now: the age of a run is measured from here back to when it was accepted.
        checkpoint: whose runs.
        older_than: runs of a greater age are removed.
        keep: of the newest runs so many stay; the others are removed.
        size: how many at the most.
        is_trial: only count them.

    Returns:
        How many were removed; call it again unless that is less than ``size``.
    """
    condition = _old(connection, now, checkpoint, older_than, keep)
    if condition is None:
        return 0
    owes = (
        select(notices.c.id)
        .where(notices.c.run_id == runs.c.run_id, notices.c.state.in_(_PENDING))
        .exists()
    )
    old = select(runs.c.seq, runs.c.run_id).where(
        runs.c.checkpoint == checkpoint,
        condition,
        runs.c.seq.not_in(_protected(connection, checkpoint)),
        runs.c.state.not_in(ACTIVE),
        ~owes,
    )
    if is_trial:
        counted = select(func.count()).select_from(old.subquery())
        return int(connection.execute(counted).scalar_one())
    found = connection.execute(old.order_by(runs.c.accepted_at).limit(size)).all()
    numbers, ids = [row.seq for row in found], [row.run_id for row in found]
    if found:
        connection.execute(delete(notices).where(notices.c.run_id.in_(ids)))
        connection.execute(delete(results).where(results.c.seq.in_(numbers)))
        connection.execute(delete(runs).where(runs.c.seq.in_(numbers)))
    return len(found)


def _old(
    connection: Connection,
    now: datetime,
    checkpoint: str,
    older_than: timedelta | None,
    keep: int | None,
) -> Any:
    """Return the condition of a run that is too old, or one too many; None: none is."""
    conditions: list[Any] = []
    if older_than is not None:
        conditions.append(runs.c.accepted_at < stamp(now - older_than))
    if keep is not None:
        newest = selected(select(runs.c.accepted_at, runs.c.seq), checkpoint=checkpoint)
        first = connection.execute(newest.offset(keep).limit(1)).one_or_none()
        if first is not None:  # the newest that is one too many
            at = runs.c.accepted_at
            same = (at == first.accepted_at) & (runs.c.seq <= first.seq)
            conditions.append((at < first.accepted_at) | same)
    return or_(*conditions) if conditions else None


def _protected(connection: Connection, checkpoint: str) -> list[int]:
    """Return the numbers of the latest run, and of the last that was no success."""
    found: list[int] = []
    for statuses in ((), _BAD):
        asked = selected(select(runs.c.seq), checkpoint=checkpoint, statuses=statuses)
        found += connection.scalars(asked.limit(1)).all()
    return found
