"""What owners have left that are gone: runs, and notifications half sent."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    false,
    insert,
    or_,
    select,
    text,
    update,
)

from truthound.store._processes import is_gone
from truthound.store._rows import as_text, run_of_row
from truthound.store._tables import moment, notices, owners, results, runs, stamp
from truthound.store._writing import ACTIVE
from truthound.store.records import (
    HOOKS,
    MESSAGES,
    Owner,
    Recovered,
    RunRecord,
    RunState,
)

GONE = "interrupted: the process that ran it has ended"
# States in which a run keeps the messages that it is for.
KEEPING = (RunState.ACCEPTED.value, RunState.FINISHED.value)
TRIES = 12  # of a notification; after these the end of a process gives it up
UNSENT = "given up after {} tries: the process that sent it has ended in the last one"
GIVEN_UP = "given up after {} attempts: each time its process ended while it ran"


def present(connection: Connection, now: datetime) -> datetime:
    """Return the time by which leases are measured: the server's, if there is one."""
    if connection.dialect.name != "postgresql":
        return now
    at: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return at


def renew(
    connection: Connection, living: Collection[Owner], now: datetime, lease: float
) -> None:
    """Say that owners live, for so many seconds more."""
    at = present(connection, now)
    until = stamp(at + timedelta(seconds=lease))
    for owner in living:
        changed = connection.execute(
            update(owners).where(owners.c.owner == owner.name).values(lease_until=until)
        )
        if not changed.rowcount:  # new, or somebody took it for dead
            connection.execute(
                insert(owners).values(
                    owner=owner.name,
                    host=owner.host,
                    pid=owner.pid,
                    process=owner.process,
                    started_at=stamp(at),
                    lease_until=until,
                )
            )


def forget(connection: Connection, ended: Collection[str]) -> None:
    """Say that owners have ended."""
    connection.execute(delete(owners).where(owners.c.owner.in_(list(ended))))


def recover(
    connection: Connection,
    owner: str,
    now: datetime,
    *,
    known: Collection[str] | None,
    again: Collection[str],
    attempts: int,
    is_start: bool = False,
) -> Recovered:
    """Take over what owners have left that are gone.

    A run whose result is stored has ended; another one is run again, or ends as
    interrupted. What was being sent is owed again, and due, unless it was tried so
    often that it may be what ends these processes.

    Args:
        connection: in a transaction.
        owner: who asks, and gets the runs that are to be run again. It sends nothing
            that is owed meanwhile, but for what its runs try themselves.
        now: by the clock of this machine.
        known: checkpoints whose runs are looked at; None: all.
        again: of these, the ones whose runs are run again.
        attempts: how often a run may begin; one that was only waiting has not begun.
        is_start: this owner has no runs yet: requests of its own are from its last end.
    """
    at = present(connection, now)
    for row in connection.execute(select(owners)).all():
        if row.owner != owner and _is_gone(row, at):
            forget(connection, [row.owner])
    living = select(owners.c.owner)
    own_left: ColumnElement[bool] = false()
    if is_start:
        is_ours = runs.c.owner == as_text(owner)
        own_left = and_(is_ours, runs.c.slot.startswith(HOOKS))
    left = (
        select(runs, results.c.seq.is_not(None).label("has_result"))
        .outerjoin(results, results.c.seq == runs.c.seq)
        .where(runs.c.state.in_(ACTIVE), or_(runs.c.owner.not_in(living), own_left))
        .order_by(runs.c.seq)
    )
    if known is not None:
        left = left.where(runs.c.checkpoint.in_(sorted(map(as_text, known))))
    taken: list[RunRecord] = []
    ended: list[RunRecord] = []
    for row in connection.execute(left).all():
        values = _fate(row, owner, at, again, attempts)
        if _is_freed(row.slot or "", values["state"]):
            values["slot"] = None
        changed = connection.execute(
            update(runs)
            .where(
                runs.c.seq == row.seq,
                runs.c.owner == row.owner,
                runs.c.attempt == row.attempt,
                runs.c.state.in_(ACTIVE),
            )
            .values(values)
            .returning(runs)
        ).one_or_none()
        if changed is not None:
            record = run_of_row(changed)
            (ended if record.state.is_end else taken).append(record)
    has_ended = (
        select(runs.c.seq)
        .where(runs.c.run_id == notices.c.run_id, runs.c.state.not_in(ACTIVE))
        .exists()
    )
    # Of its own, what no run of it tries: it was claimed, and the answer was lost.
    own = and_(notices.c.owner == as_text(owner), has_ended)
    lost = (
        notices.c.state == "sending",
        or_(notices.c.owner.not_in(living), own),
    )
    connection.execute(
        update(notices)
        .where(*lost, notices.c.attempts >= TRIES)
        .values(state="dead", ended_at=stamp(at), error=UNSENT.format(TRIES))
    )
    owed = connection.execute(
        update(notices).where(*lost).values(state="owed", due_at=stamp(now), owner=None)
    )
    return Recovered(again=tuple(taken), ended=tuple(ended), notices=owed.rowcount)


def _is_gone(row: Any, at: datetime) -> bool:
    """Tell whether an owner is gone: its process has ended, or its lease has run out.

    Of a process on this machine it is known whether it lives, whatever the clocks say.
    """
    owner = Owner(name=row.owner, host=row.host, pid=row.pid, process=row.process)
    gone = is_gone(owner)
    return moment(row.lease_until) < at if gone is None else gone


def _is_freed(slot: str, state: str) -> bool:
    """Tell whether another run may have the slot of one that comes to a state."""
    if slot.startswith(HOOKS):
        return state == RunState.INTERRUPTED.value
    return slot.startswith(MESSAGES) and state not in KEEPING


def _fate(
    row: Any, owner: str, at: datetime, again: Collection[str], attempts: int
) -> dict[str, Any]:
    """Return what becomes of a run."""
    if row.has_result:
        state = RunState.FAILED if row.status == "error" else RunState.FINISHED
        return {"state": state.value, "ended_at": stamp(at)}
    begun = row.attempt if row.state == RunState.RUNNING.value else row.attempt - 1
    if row.checkpoint in again and begun < attempts:
        return {
            "state": RunState.ACCEPTED.value,
            "owner": owner,
            "attempt": begun + 1,
            "began_at": None,
        }
    is_last = row.checkpoint in again
    said = GIVEN_UP.format(begun) if is_last else GONE
    return {
        "state": (RunState.FAILED if is_last else RunState.INTERRUPTED).value,
        "ended_at": stamp(at),
        "status": "error",
        "error": said,
        "summary": f"{row.checkpoint}: error: {said}",
    }
