"""Notifications that are owed: taken by one sender at a time, settled, put off."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select, tuple_, update

from truthound.store._rows import as_text, notice_of_row
from truthound.store._tables import moment, notices, stamp
from truthound.store._writing import Row
from truthound.store.records import Notice, NoticeState, Settled

Selection = Sequence[tuple[str, int]]


def claim(
    connection: Connection,
    owner: str,
    now: datetime,
    *,
    checkpoints: Collection[str],
    limit: int,
    only: Selection | None = None,
) -> list[Notice]:
    """Take notifications that are due, to send them: nobody else gets them meanwhile.

    Args:
        connection: in a transaction.
        owner: who sends them.
        now: those that are due by then.
        checkpoints: of which checkpoints.
        limit: how many at the most, those first that have waited longest.
        only: of these run ids and positions.
    """
    wanted = (
        select(notices.c.id)
        .where(
            notices.c.state == NoticeState.OWED.value,
            notices.c.due_at <= stamp(now),
            notices.c.checkpoint.in_(sorted(map(as_text, checkpoints))),
        )
        .order_by(notices.c.due_at, notices.c.id)
        .limit(limit)
    )
    if only is not None:
        wanted = wanted.where(_of(only))
    if connection.dialect.name == "postgresql":
        wanted = wanted.with_for_update(skip_locked=True)
    ids = list(connection.scalars(wanted))
    if not ids:
        return []
    taken = connection.execute(
        update(notices)
        .where(notices.c.id.in_(ids), notices.c.state == NoticeState.OWED.value)
        .values(
            state=NoticeState.SENDING.value,
            owner=as_text(owner),
            attempts=notices.c.attempts + 1,
        )
        .returning(notices)
    ).all()
    return sorted(map(notice_of_row, taken), key=lambda n: (n.due_at, n.run_id))


def settle_row(run_id: str, owner: str, settled: Settled, now: datetime) -> Row:
    """Return what becomes of a notification, as a group takes it."""
    is_owed = settled.state is NoticeState.OWED
    return {
        "the_run": as_text(run_id),
        "the_position": settled.position,
        "the_owner": as_text(owner),
        "new_state": settled.state.value,
        "new_due_at": stamp(settled.due_at or now),
        "new_ended_at": None if is_owed else stamp(now),
        "new_error": settled.error and as_text(settled.error),
        "not_tried": int(settled.is_held),
    }


def next_due(connection: Connection, checkpoints: Collection[str]) -> datetime | None:
    """Return when the next notification of some checkpoints is due; None: never."""
    found = connection.execute(
        select(func.min(notices.c.due_at)).where(
            notices.c.state == NoticeState.OWED.value,
            notices.c.checkpoint.in_(sorted(map(as_text, checkpoints))),
        )
    ).scalar()
    return None if found is None else moment(found)


def put_back(
    connection: Connection, now: datetime, selection: Selection | None, states: Any
) -> int:
    """Make notifications owed and due, whatever they are now; return how many.

    Args:
        connection: in a transaction.
        now: when they are due.
        selection: run ids and positions; None: all in one of these states.
        states: in which they may be.
    """
    return _moved(
        connection,
        selection,
        states,
        {
            "state": NoticeState.OWED.value,
            "due_at": stamp(now),
            "ended_at": None,
            "owner": None,
            "attempts": 0,
        },
    )


def drop(
    connection: Connection, now: datetime, selection: Selection | None, states: Any
) -> int:
    """Say of notifications that they need not be sent; return how many."""
    values = {"state": NoticeState.DROPPED.value, "ended_at": stamp(now)}
    return _moved(connection, selection, states, values)


def _moved(
    connection: Connection,
    selection: Selection | None,
    states: Collection[NoticeState],
    values: Row,
) -> int:
    change = update(notices).where(notices.c.state.in_([s.value for s in states]))
    if selection is not None:
        change = change.where(_of(selection))
    return connection.execute(change.values(values)).rowcount


def _of(selection: Selection) -> Any:
    if not selection:
        return or_(False)
    return tuple_(notices.c.run_id, notices.c.position).in_(list(selection))
