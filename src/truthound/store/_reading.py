"""Questions to a store: runs, results, metrics, and what is owed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select, text

from truthound.errors import ConfigurationError, StoreError, UnknownNameError
from truthound.store._rows import as_text, from_json, notice_of_row, run_of_row
from truthound.store._tables import metadata, moment, notices, results, runs, stamp
from truthound.store.records import Notice, NoticeState, Past, RunRecord, RunState

LATEST = "latest"
NEAR = 1_000  # runs among which a mistyped id is looked for
# As the index of such runs has it: only so a database sees that it may be used.
_BAD = text("status in ('warning', 'failure', 'error')")
BAD = frozenset({"warning", "failure", "error"})
_BACK = re.compile(r"(?P<name>.+)~(?P<back>\d{1,9})")


def runs_of(
    connection: Connection,
    *,
    checkpoint: str | None = None,
    limit: int | None = 50,
    before: str | None = None,
    **filters: Any,
) -> list[RunRecord]:
    """Return runs, the newest first.

    Args:
        connection: that reads.
        checkpoint: whose; None: all.
        limit: how many at the most; None: all.
        before: only those that are older than the run of this id.
        filters: the others of :func:`selected`.

    Raises:
        StoreError: what is stored makes no sense.
    """
    asked = selected(select(runs), checkpoint=checkpoint, **filters)
    if before is not None:
        asked = _older(connection, asked, before, checkpoint)
    found = connection.execute(asked.limit(limit)).all()
    if not found:
        _refuse_damage(connection)
    return [run_of_row(row) for row in found]


def selected(
    asked: Select[Any],
    *,
    checkpoint: str | None = None,
    statuses: Collection[str] = (),
    states: Collection[RunState | str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    source: str | None = None,
) -> Select[Any]:
    """Return a question with the filters of ``Store.runs``, the newest first."""
    if checkpoint is not None:
        asked = asked.where(runs.c.checkpoint == checkpoint)
    elif since is not None:
        # So the index of checkpoints and times serves all of them.
        asked = asked.where(runs.c.checkpoint.in_(_names()))
    if statuses:
        asked = asked.where(runs.c.status.in_(sorted(statuses)))
        if set(statuses) <= BAD:
            asked = asked.where(_BAD)
    if states:
        asked = asked.where(runs.c.state.in_(sorted(map(str, states))))
    if since is not None:
        asked = asked.where(runs.c.accepted_at >= stamp(since))
    if until is not None:
        asked = asked.where(runs.c.accepted_at < stamp(until))
    if source is not None:
        asked = asked.where(runs.c.source == source)
    if checkpoint is None:
        return asked.order_by(runs.c.seq.desc())
    return asked.order_by(runs.c.accepted_at.desc(), runs.c.seq.desc())


def state_of_slot(connection: Connection, slot: str) -> RunState | None:
    """Return where the run is that has a slot; None: none has it."""
    state = connection.scalar(select(runs.c.state).where(runs.c.slot == as_text(slot)))
    return None if state is None else RunState(state)


def bad_since(connection: Connection, checkpoint: str) -> tuple[datetime, int] | None:
    """Return since when a checkpoint is not well, and how many runs that are.

    Runs are counted by their beginning that come after the last success. None: the last
    one was a success, or there is none.
    """
    mine = runs.c.checkpoint == checkpoint
    last = (
        select(runs.c.accepted_at)
        .where(mine, runs.c.status == "success")
        .order_by(runs.c.accepted_at.desc())
        .limit(1)
    )
    good = connection.scalar(last)
    asked = select(func.min(runs.c.accepted_at), func.count()).where(mine, _BAD)
    if good is not None:
        asked = asked.where(runs.c.accepted_at > good)
    first, number = connection.execute(asked).one()
    return None if first is None else (moment(first), number)


def names_of(connection: Connection) -> list[str]:
    """Return the names of all checkpoints that have runs, sorted.

    It steps from one to the next in the index, however many runs there are.
    """
    return sorted(connection.scalars(_names()))


def _names() -> Select[Any]:
    first = select(func.min(runs.c.checkpoint).label("name"))
    names = first.cte("names", recursive=True)
    following = (
        select(func.min(runs.c.checkpoint))
        .where(runs.c.checkpoint > names.c.name)
        .scalar_subquery()
    )
    names = names.union_all(select(following).where(names.c.name.is_not(None)))
    return select(names.c.name).where(names.c.name.is_not(None))


def _older(
    connection: Connection, asked: Select[Any], before: str, checkpoint: str | None
) -> Select[Any]:
    this = connection.execute(
        select(runs.c.seq, runs.c.accepted_at).where(runs.c.run_id == before)
    ).one_or_none()
    if this is None:
        raise UnknownNameError("run", before, _near(connection, before))
    if checkpoint is None:
        return asked.where(runs.c.seq < this.seq)
    is_older = runs.c.accepted_at < this.accepted_at
    at_once = (runs.c.accepted_at == this.accepted_at) & (runs.c.seq < this.seq)
    return asked.where(runs.c.accepted_at <= this.accepted_at, is_older | at_once)


def run_of(connection: Connection, which: str) -> RunRecord:
    """Return one run.

    Args:
        connection: that reads.
        which: its id; the beginning of it, or what stands behind its last ``_``, if
            there is but one such; ``latest``; the name of a checkpoint, for its latest
            run; either with ``~2``: two runs before that.

    Raises:
        UnknownNameError: there is none.
        ConfigurationError: there are several.
        StoreError: what is stored makes no sense.
    """
    row = connection.execute(select(runs).where(runs.c.run_id == which)).one_or_none()
    if row is not None:
        return run_of_row(row)
    parts = _BACK.fullmatch(which)
    name, back = (parts["name"], int(parts["back"])) if parts else (which, 0)
    latest = selected(select(runs), checkpoint=None if name == LATEST else name)
    row = connection.execute(latest.offset(back).limit(1)).one_or_none()
    if row is not None:
        return run_of_row(row)
    row = None if parts else _abbreviated(connection, which)
    if row is None:
        _refuse_damage(connection)
        raise UnknownNameError("run", which, _near(connection, which))
    return run_of_row(row)


def _abbreviated(connection: Connection, part: str) -> Any:
    """Return the one run whose id begins or ends so; None: there is none."""
    if not part:
        return None
    begins = runs.c.run_id.startswith(part, autoescape=True)
    if connection.dialect.name == "sqlite":  # so that the index serves
        begins = (runs.c.run_id >= part) & (runs.c.run_id < f"{part}\U0010ffff")
    for condition in (begins, runs.c.run_id.endswith(f"_{part}", autoescape=True)):
        found = connection.execute(
            select(runs).where(condition).order_by(runs.c.seq.desc()).limit(4)
        ).all()
        if len(found) > 1:
            some = ", ".join(row.run_id for row in found[:3])
            more = ", ..." if len(found) > 3 else ""
            raise ConfigurationError(f"{part!r} stands for several runs: {some}{more}")
        if found:
            return found[0]
    return None


def _near(connection: Connection, which: str) -> list[str]:
    """Return what may have been meant, else the latest runs."""
    latest = select(runs.c.run_id).order_by(runs.c.seq.desc()).limit(NEAR)
    ids = list(connection.scalars(latest))
    known = [*names_of(connection), *ids]
    return difflib.get_close_matches(which, known, n=3) or ids[:3]


def run_with_slot(connection: Connection, slot: str) -> str | None:
    """Return the id of the run that has a slot, if one has."""
    found = connection.scalar(select(runs.c.run_id).where(runs.c.slot == as_text(slot)))
    return None if found is None else str(found)


def document_of(connection: Connection, run_id: str) -> dict[str, Any]:
    """Return the result of a run, as ``CheckpointResult.from_dict`` takes it.

    The document was stored before the actions began; how the run ended, and what became
    of them, is added. A run that has no document has what its row says.

    Args:
        connection: that reads.
        run_id: which run.

    Raises:
        StoreError: there is no such run, or what is stored is damaged.
    """
    row = connection.execute(
        select(runs, results.c.document, results.c.actions)
        .outerjoin(results, results.c.seq == runs.c.seq)
        .where(runs.c.run_id == run_id)
    ).one_or_none()
    if row is None:
        raise StoreError(f"the store has no run {run_id}")
    run = run_of_row(row)
    document = _mapping(row.document or "{}", f"the result of run {run_id}")
    found = {**_skeleton(run), **document}
    if run.state.is_end:
        ended = {
            "status": run.status,
            "error": run.error,
            "duration_ms": run.duration_ms,
        }
        found |= {name: value for name, value in ended.items() if value is not None}
    if row.actions:
        found["action_results"] = from_json(
            row.actions, f"what became of the actions of run {run_id}"
        )
    return found


def _skeleton(run: RunRecord) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "checkpoint_name": run.checkpoint,
        "run_time": (run.began_at or run.accepted_at).isoformat(),
        "status": run.status or ("error" if run.state.is_end else "running"),
        "validation_run": None,
        "action_results": [],
        "data_asset": run.source,
        "duration_ms": run.duration_ms,
        "error": run.error or (None if run.status else str(run.state)),
        "metadata": dict(run.context),
    }


def past_of(
    connection: Connection,
    checkpoint: str,
    source: str | None,
    limit: int,
    statuses: Collection[str] | None = None,
) -> list[Past]:
    """Return the metrics of the last runs of a checkpoint that have some, oldest first.

    Args:
        connection: that reads.
        checkpoint: whose runs.
        source: of this data; None: of any.
        limit: how many at the most.
        statuses: of their results; None: any.

    Raises:
        StoreError: what is stored is damaged.
    """
    columns = (runs.c.run_id, runs.c.accepted_at, runs.c.status, results.c.metrics)
    asked = selected(
        select(*columns).join(results, results.c.seq == runs.c.seq),
        checkpoint=checkpoint,
        statuses=statuses or (),
        source=source,
    )
    found = connection.execute(asked.where(runs.c.status.is_not(None)).limit(limit))
    return [
        Past(
            run_id=row.run_id,
            at=moment(row.accepted_at),
            status=row.status,
            values=_mapping(row.metrics, f"the metrics of run {row.run_id}"),
        )
        for row in reversed(found.all())
    ]


def notices_of(
    connection: Connection,
    *,
    states: Collection[NoticeState | str] = (),
    checkpoint: str | None = None,
    run_id: str | None = None,
    limit: int | None = 1_000,
) -> list[Notice]:
    """Return notifications, those first that are due first.

    Args:
        connection: that reads.
        states: in which they are; none: all.
        checkpoint: of its runs; None: of all.
        run_id: of this run; None: of all.
        limit: how many at the most; None: all.

    Raises:
        StoreError: what is stored makes no sense.
    """
    asked = select(notices)
    if run_id is not None:
        asked = asked.where(notices.c.run_id == run_id)
    if checkpoint is not None:
        asked = asked.where(notices.c.checkpoint == checkpoint)
    if states:
        asked = asked.where(notices.c.state.in_(sorted(map(str, states))))
    asked = asked.order_by(notices.c.due_at, notices.c.run_id, notices.c.position)
    found = connection.execute(asked.limit(limit)).all()
    if not found:
        _refuse_damage(connection)
    return [notice_of_row(row) for row in found]


def counts(connection: Connection) -> dict[str, int]:
    """Return how many rows each table has, and of runs and notices in which state."""
    found = {
        name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for name, table in metadata.tables.items()
    }
    for table in (runs, notices):
        states = select(table.c.state, func.count()).group_by(table.c.state)
        for state, number in connection.execute(states.order_by(table.c.state)):
            found[f"{table.name} {state}"] = number
    return found


def _mapping(text: str, what: str) -> dict[str, Any]:
    found = from_json(text, what)
    if not isinstance(found, Mapping):
        raise StoreError(
            f"{what} in the store is damaged (it is a {type(found).__name__}); "
            "'truthound store check' says how far"
        )
    return dict(found)


def _refuse_damage(connection: Connection) -> None:
    """Raise if nothing was found for the reason that the file is damaged.

    A single byte of it can make a table look as if it were empty.
    """
    if connection.dialect.name != "sqlite":
        return
    said = connection.execute(text("PRAGMA quick_check(1)")).scalar()
    if said != "ok":
        raise StoreError(
            f"the store is damaged ({' '.join(str(said).split())}); 'truthound store "
            "check' says how far, 'truthound store repair' saves what can be read"
        )
