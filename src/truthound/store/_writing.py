"""What is written in the transaction of a group: statements over one connection.

Every change of a run names the run, the attempt and the owner, and applies only while
the run has not ended: compare and set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    Connection,
    Table,
    bindparam,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from truthound.store._rows import row_of_run
from truthound.store._tables import notices, owners, results, runs
from truthound.store.records import RunRecord, RunState

ACTIVE = (RunState.ACCEPTED.value, RunState.RUNNING.value)

Row = dict[str, Any]


@dataclass(slots=True)
class Group:
    """What one transaction writes, by kind; a run passes the kinds in this order.

    Attributes:
        accepted: runs.
        begun: runs that began and have not ended since.
        found: results that are stored before the actions begin.
        owed: what they owe.
        ended: runs that ended.
        documents: results that are stored with the end.
        actions: what became of the actions, for those that were stored before.
        settled: what became of what was owed.
    """

    accepted: list[RunRecord] = field(default_factory=list)
    begun: list[Row] = field(default_factory=list)
    found: list[Row] = field(default_factory=list)
    owed: list[Row] = field(default_factory=list)
    ended: list[Row] = field(default_factory=list)
    documents: list[Row] = field(default_factory=list)
    actions: list[Row] = field(default_factory=list)
    settled: list[Row] = field(default_factory=list)


class _Many:
    """A statement for many rows: compiled once, and executed by the driver.

    A row may have more values than the statement names.
    """

    def __init__(self, statement: Any) -> None:
        self._texts = {
            "sqlite": str(statement.compile(dialect=_SQLITE)),
            "postgresql": str(statement.compile(dialect=_POSTGRESQL)),
        }

    def __call__(self, connection: Connection, rows: list[Row]) -> int:
        """Execute it; return the number of rows that were changed, -1 if unknown."""
        text = self._texts[connection.dialect.name]
        return connection.exec_driver_sql(text, rows).rowcount


_SQLITE = sqlite.dialect(paramstyle="named")
_POSTGRESQL: Any = postgresql.psycopg.dialect()  # type: ignore[no-untyped-call]


def _bound(table: Table, *names: str, prefix: str = "") -> dict[str, Any]:
    return {n: bindparam(prefix + n, type_=table.c[n].type) for n in names}


def _said(value: str) -> Any:
    return literal_column(f"'{value}'")


_OURS = (
    (runs.c.run_id == bindparam("the_run"))
    & (runs.c.attempt == bindparam("the_attempt"))
    & (runs.c.owner == bindparam("the_owner"))
    & runs.c.state.in_([_said(state) for state in ACTIVE])
)
_RUN = ("run_id", "checkpoint", "state", "owner", "attempt", "trigger", "slot")
_OUTCOME = ("status", "source", "summary", "error", "duration_ms", "row_count")
_NOTICE = tuple(c.name for c in notices.c if c.name not in ("id", "ended_at", "error"))

_ACCEPT = _Many(insert(runs).values(_bound(runs, *_RUN, "accepted_at", "context")))
_BEGIN = _Many(
    update(runs)
    .where(_OURS)
    .values(state=_said(RunState.RUNNING), **_bound(runs, "began_at", prefix="new_"))
)
_FIND = _Many(update(runs).where(_OURS).values(_bound(runs, *_OUTCOME, prefix="new_")))
_END = _Many(
    update(runs)
    .where(_OURS)
    .values(
        {
            **_bound(runs, *_OUTCOME, "state", "ended_at", prefix="new_"),
            "began_at": func.coalesce(
                bindparam("new_began_at", type_=runs.c.began_at.type), runs.c.began_at
            ),
        }
    )
)
# What ends later in this transaction is still ours here.
_DOCUMENT = _Many(
    insert(results).from_select(
        ["seq", "metrics", "actions", "document"],
        select(
            runs.c.seq,
            *_bound(results, "metrics", "actions", "document", prefix="the_").values(),
        ).where(_OURS),
    )
)
_ACTIONS = _Many(
    update(results)
    .where(results.c.seq == select(runs.c.seq).where(_OURS).scalar_subquery())
    .values(_bound(results, "actions", prefix="the_"))
)
_OWE = _Many(
    insert(notices).from_select(
        _NOTICE,
        select(*_bound(notices, *_NOTICE).values()).where(
            select(runs.c.seq).where(_OURS).exists()
        ),
    )
)
SETTLE = _Many(
    update(notices)
    .where(
        notices.c.run_id == bindparam("the_run"),
        notices.c.position == bindparam("the_position"),
        notices.c.owner == bindparam("the_owner"),
        notices.c.state == _said("sending"),
    )
    .values(_bound(notices, "state", "due_at", "ended_at", "error", prefix="new_"))
)


def write_group(connection: Connection, group: Group) -> dict[str, bool]:
    """Write a group; return the runs of which a change was refused, by id.

    A run that was to be accepted and was not (its slot is taken) has True, one that was
    to end or find something and was not ours has False.
    """
    refused = dict.fromkeys(accept(connection, group.accepted), True)
    if group.begun:
        _BEGIN(connection, group.begun)
    if group.found:
        _change(connection, _FIND, group.found, refused)
        _DOCUMENT(connection, group.found)
    for statement, rows in (
        (_OWE, group.owed),
        (_DOCUMENT, group.documents),
        (_ACTIONS, group.actions),
        (SETTLE, group.settled),
    ):
        if rows:
            statement(connection, rows)
    if group.ended:
        _change(connection, _END, group.ended, refused)
    return refused


def accept(connection: Connection, records: Sequence[RunRecord]) -> list[str]:
    """Write accepted runs; return the ids of those whose slot is taken."""
    plain = [row_of_run(record) for record in records if record.slot is None]
    if plain:
        _ACCEPT(connection, plain)
    timed = [record for record in records if record.slot is not None]
    if not timed:
        return []
    make = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = make.insert(runs).on_conflict_do_nothing()
    for record in timed:
        if record.slot_ends:
            _free(connection, record)
        connection.execute(statement, row_of_run(record))
    ids = [record.run_id for record in timed]
    known = set(connection.scalars(select(runs.c.run_id).where(runs.c.run_id.in_(ids))))
    return [run_id for run_id in ids if run_id not in known]


def _free(connection: Connection, record: RunRecord) -> None:
    """Take a slot from a run whose process is gone."""
    living = select(owners.c.owner)
    connection.execute(
        update(runs)
        .where(runs.c.slot == record.slot, runs.c.owner.not_in(living))
        .values(slot=None)
    )


def _change(
    connection: Connection, statement: _Many, rows: list[Row], refused: dict[str, bool]
) -> None:
    """Change runs, and note those that were not ours: they look otherwise now."""
    if statement(connection, rows) == len(rows):
        return
    for row in rows:
        now = connection.execute(
            select(runs.c.owner, runs.c.attempt, runs.c.state, runs.c.ended_at).where(
                runs.c.run_id == row["the_run"]
            )
        ).one_or_none()
        wanted = (
            row["the_owner"],
            row["the_attempt"],
            row.get("new_state") or (now and now.state),
            row.get("new_ended_at"),
        )
        if now is None or tuple(now) != wanted:
            refused[row["the_run"]] = False
