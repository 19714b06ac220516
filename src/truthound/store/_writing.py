"""What is written in the transaction of a group: statements over one connection.

Every change of a run names the run, the attempt and the owner, and applies only while
the run has not ended: compare and set.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, select, update

from truthound.store._rows import as_text, row_of_run
from truthound.store._tables import notices, owners, runs
from truthound.store.records import HOOKS, MESSAGES, RunRecord, RunState

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
    """A statement for many rows, each of which the driver binds at once.

    SQLite gives up the interpreter for each step of a statement, and a thread that is
    busy does not give it back for milliseconds. So that a group takes a few steps and
    not one for each row, its rows stand in one ``VALUES`` list.

    Args:
        columns: the values that a row has, by name, with their types.
        text: the statement; ``{rows}`` stands for the list, as a table named ``v``.
    """

    def __init__(self, columns: Mapping[str, str], text: str) -> None:
        self._columns = tuple(columns)
        self._values = itemgetter(*columns)
        self._types = tuple(columns.values())
        self._text = text
        self._made: dict[tuple[str, int], str] = {}

    def __call__(self, connection: Connection, rows: Sequence[Row]) -> int:
        """Execute it; return the number of rows that were changed."""
        changed = start = 0
        # The driver itself: what lies above it takes longer than a statement. Closed in
        # any case: a statement that failed would keep the file open.
        cursor: Any = connection.connection.cursor()
        with contextlib.closing(cursor):
            while start < len(rows):
                size = next(n for n in _SIZES if n <= len(rows) - start)
                some = rows[start : start + size]
                values = tuple(chain.from_iterable(map(self._values, some)))
                cursor.execute(self._of(connection.dialect.name, size), values)
                changed += cursor.rowcount
                start += size
        return changed

    def _of(self, dialect: str, size: int) -> str:
        text = self._made.get((dialect, size))
        if text is None:
            names, types = ", ".join(self._columns), self._types
            if dialect == "sqlite":
                row = ", ".join("?" for _ in types)
            else:
                row = ", ".join(f"%s::{kind}" for kind in types)
            values = ", ".join(f"({row})" for _ in range(size))
            rows = f"(SELECT {_numbered(names, dialect)} FROM (VALUES {values})"
            rows += ") AS v" if dialect == "sqlite" else f" AS t({names})) AS v"
            text = self._made[dialect, size] = self._text.replace("{rows}", rows)
        return text


def _numbered(names: str, dialect: str) -> str:
    """Return the columns of a list of values under their names."""
    if dialect != "sqlite":
        return names
    listed = enumerate(names.split(", "), 1)
    return ", ".join(f"column{number} AS {name}" for number, name in listed)


# Rows that go together: few different statements, so that they stay prepared.
_SIZES = (128, 32, 8, 2, 1)
_THIS = {"the_run": "text", "the_attempt": "integer", "the_owner": "text"}
_OURS = (
    "runs.run_id = v.the_run AND runs.attempt = v.the_attempt "
    "AND runs.owner = v.the_owner AND runs.state IN ('accepted', 'running')"
)
_OUTCOME = {
    "status": "text",
    "source": "text",
    "duration_ms": "double precision",
    "row_count": "bigint",
    "summary": "text",
    "error": "text",
}
_NEW = {f"new_{name}": kind for name, kind in _OUTCOME.items()}
_SET = ", ".join(f"{name} = v.new_{name}" for name in _OUTCOME)
_RUN = {
    "run_id": "text",
    "checkpoint": "text",
    "state": "text",
    "owner": "text",
    "attempt": "integer",
    "trigger": "text",
    "slot": "text",
    "accepted_at": "bigint",
    "context": "text",
}
_NOTICE = {
    "run_id": "text",
    "position": "integer",
    "checkpoint": "text",
    "action": "text",
    "action_type": "text",
    "state": "text",
    "attempts": "integer",
    "due_at": "bigint",
    "created_at": "bigint",
    "owner": "text",
}


def _listed(names: Iterable[str], before: str = "") -> str:
    return ", ".join(f"{before}{name}" for name in names)


_INSERT = f"INSERT INTO runs ({_listed(_RUN)}) SELECT {_listed(_RUN)} FROM {{rows}}"
_ACCEPT = _Many(_RUN, _INSERT)
# SQLite would take ON for a part of the FROM without a WHERE before it.
_CLAIM = _Many(_RUN, f"{_INSERT} WHERE true ON CONFLICT DO NOTHING")
_BEGIN = _Many(
    {**_THIS, "new_began_at": "bigint"},
    "UPDATE runs SET state = 'running', began_at = v.new_began_at "
    f"FROM {{rows}} WHERE {_OURS}",
)
_FIND = _Many({**_THIS, **_NEW}, f"UPDATE runs SET {_SET} FROM {{rows}} WHERE {_OURS}")
_END = _Many(
    {
        **_THIS,
        **_NEW,
        "new_state": "text",
        "new_ended_at": "bigint",
        "new_began_at": "bigint",
    },
    f"UPDATE runs SET {_SET}, state = v.new_state, ended_at = v.new_ended_at, "
    "began_at = coalesce(v.new_began_at, began_at), "
    "slot = CASE WHEN v.new_state <> 'finished' AND "
    f"substr(slot, 1, {len(MESSAGES)}) = '{MESSAGES}' THEN NULL "
    "WHEN v.new_state IN ('interrupted', 'cancelled') AND "
    f"substr(slot, 1, {len(HOOKS)}) = '{HOOKS}' THEN NULL ELSE slot END "
    f"FROM {{rows}} WHERE {_OURS}",
)
# What ends later in this transaction is still ours here.
_DOCUMENT = _Many(
    {**_THIS, "the_metrics": "text", "the_actions": "text", "the_document": "text"},
    "INSERT INTO results (seq, metrics, actions, document) "
    "SELECT runs.seq, v.the_metrics, v.the_actions, v.the_document "
    f"FROM {{rows}} JOIN runs ON {_OURS}",
)
_ACTIONS = _Many(
    {**_THIS, "the_actions": "text"},
    "UPDATE results SET actions = v.the_actions "
    f"FROM {{rows}} JOIN runs ON {_OURS} WHERE results.seq = runs.seq",
)
_OWE = _Many(
    {**_THIS, **_NOTICE},
    f"INSERT INTO notices ({_listed(_NOTICE)}) SELECT {_listed(_NOTICE, 'v.')} "
    f"FROM {{rows}} JOIN runs ON {_OURS}",
)
_SETTLE = _Many(
    {
        "the_run": "text",
        "the_position": "integer",
        "the_owner": "text",
        "new_state": "text",
        "new_due_at": "bigint",
        "new_ended_at": "bigint",
        "new_error": "text",
        "not_tried": "integer",
    },
    "UPDATE notices SET state = v.new_state, due_at = v.new_due_at, "
    "ended_at = v.new_ended_at, error = v.new_error, "
    "attempts = notices.attempts - v.not_tried FROM {rows} "
    "WHERE notices.run_id = v.the_run AND notices.position = v.the_position "
    "AND notices.owner = v.the_owner AND notices.state = 'sending'",
)


Refused = dict[str | tuple[str, int], bool]


def write_group(connection: Connection, group: Group) -> Refused:
    """Write a group; return the runs of which a change was refused, by id.

    A run that was to be accepted and was not (its slot is taken) has True, one that was
    to end or find something and was not ours has False; so has a notification that was
    to be settled and was not ours, by the id and the position.
    """
    refused: Refused = dict.fromkeys(accept(connection, group.accepted), True)
    if group.begun:
        _BEGIN(connection, group.begun)
    if group.found:
        _change(connection, _FIND, group.found, refused)
        _DOCUMENT(connection, group.found)
    for statement, rows in (
        (_OWE, group.owed),
        (_DOCUMENT, group.documents),
        (_ACTIONS, group.actions),
    ):
        if rows:
            statement(connection, rows)
    if group.settled:
        _settle(connection, group.settled, refused)
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
    for record in timed:
        if record.slot_ends:
            _free(connection, record)
        _CLAIM(connection, [row_of_run(record)])
    ids = [as_text(record.run_id) for record in timed]
    known = set(connection.scalars(select(runs.c.run_id).where(runs.c.run_id.in_(ids))))
    return [run_id for run_id in ids if run_id not in known]


def _free(connection: Connection, record: RunRecord) -> None:
    """Take a slot from a run whose process is gone, if nobody else uses the store.

    Whoever does may have the same schedule, and goes on with it: for him this due time
    has had its run.
    """
    own = as_text(record.owner)
    others = select(owners.c.owner).where(owners.c.owner != own)
    connection.execute(
        update(runs)
        .where(
            runs.c.slot == as_text(record.slot or ""),
            runs.c.owner != own,
            ~others.exists(),
        )
        .values(slot=None)
    )


def _settle(connection: Connection, rows: list[Row], refused: Refused) -> None:
    """Settle notifications, and note those that were not ours."""
    if _SETTLE(connection, rows) == len(rows):
        return
    for row in rows:
        now = connection.execute(
            select(notices.c.owner, notices.c.state, notices.c.due_at).where(
                notices.c.run_id == row["the_run"],
                notices.c.position == row["the_position"],
            )
        ).one_or_none()
        wanted = (row["the_owner"], row["new_state"], row["new_due_at"])
        if now is None or tuple(now) != wanted:
            refused[row["the_run"], row["the_position"]] = False


def _change(
    connection: Connection, statement: _Many, rows: list[Row], refused: Refused
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
