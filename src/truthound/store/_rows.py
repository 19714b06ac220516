"""Records as rows of the tables, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from truthound.errors import StoreError
from truthound.store._tables import moment, stamp
from truthound.store.records import (
    Notice,
    NoticeState,
    Outcome,
    RunRecord,
    RunState,
)

_NAMES = {state: state.value for state in RunState}
_encoder = msgspec.json.Encoder(decimal_format="number")
_DEEPEST = 100  # levels that a value is nested before the rest of it is left out
_DEEPER = "nested deeper"


def as_json(value: Any) -> str:
    """Return plain values as JSON; whatever is none as text, NaN as null.

    It never raises: what a user's object says of itself may fail, too.
    """
    for encode in (_encoder.encode, _plainly, _roughly):
        try:
            return encode(value).decode()
        except Exception:  # noqa: BLE001 - code of the user's
            continue
    return '"cannot be stored"'


def _plainly(value: Any) -> bytes:
    return _encoder.encode(_plain(value, 0))


def _roughly(value: Any) -> bytes:
    return _encoder.encode(as_text(repr(value)))


def _plain(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        return _DEEPER
    if isinstance(value, Mapping):
        items = list(value.items())
        return {as_text(str(k)): _plain(v, depth + 1) for k, v in items}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item, depth + 1) for item in list(value)]
    if isinstance(value, str):
        return as_text(value)
    try:
        _encoder.encode(value)
    except Exception:  # noqa: BLE001 - code of the user's
        return _told(value)
    return value


def _told(value: Any) -> str:
    try:
        return as_text(str(value))
    except Exception:  # noqa: BLE001 - code of the user's
        return f"a {type(value).__name__}, which says nothing"


def from_json(text: str, what: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        StoreError: it is none; ``what`` says whose it is.
    """
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise StoreError(
            f"{what} in the store is damaged ({error}); 'truthound store check' says "
            "how far"
        ) from error


def as_text(value: str) -> str:
    """Return a text as every database can hold it: without NUL and half signs."""
    if value.isascii():
        return value.replace("\0", "�") if "\0" in value else value
    return value.replace("\0", "�").encode("utf-8", "replace").decode()


def row_of_run(record: RunRecord) -> dict[str, Any]:
    """Return the row of a run that is accepted."""
    return {
        "run_id": as_text(record.run_id),
        "checkpoint": as_text(record.checkpoint),
        "state": _NAMES[record.state],
        "owner": as_text(record.owner),
        "attempt": record.attempt,
        "trigger": record.trigger and as_text(record.trigger),
        "slot": record.slot and as_text(record.slot),
        "accepted_at": stamp(record.accepted_at),
        "context": as_json(dict(record.context)) if record.context else None,
    }


def run_of_row(row: Any) -> RunRecord:
    """Return the record of a row of ``runs``.

    Raises:
        StoreError: what stands there makes no sense.
    """
    context: Mapping[str, Any] = {}
    if row.context:
        context = from_json(row.context, f"the context of run {row.run_id}")
    try:
        return RunRecord(
            run_id=row.run_id,
            checkpoint=row.checkpoint,
            state=RunState(row.state),
            owner=row.owner,
            attempt=row.attempt,
            accepted_at=moment(row.accepted_at),
            began_at=None if row.began_at is None else moment(row.began_at),
            ended_at=None if row.ended_at is None else moment(row.ended_at),
            trigger=row.trigger,
            context=context if isinstance(context, Mapping) else {},
            slot=row.slot,
            status=row.status,
            source=row.source,
            summary=row.summary,
            error=row.error,
            duration_ms=row.duration_ms,
            row_count=row.row_count,
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise _damaged(f"run {row.run_id}", error) from error


def row_of_notice(notice: Notice) -> dict[str, Any]:
    """Return the row of a notification that a run comes to owe."""
    return {
        "run_id": as_text(notice.run_id),
        "position": notice.position,
        "checkpoint": as_text(notice.checkpoint),
        "action": as_text(notice.action),
        "action_type": as_text(notice.action_type),
        "state": notice.state.value,
        "attempts": notice.attempts,
        "due_at": stamp(notice.due_at),
        "created_at": stamp(notice.created_at),
        "owner": notice.owner and as_text(notice.owner),
    }


def notice_of_row(row: Any) -> Notice:
    """Return the record of a row of ``notices``.

    Raises:
        StoreError: what stands there makes no sense.
    """
    try:
        return Notice(
            run_id=row.run_id,
            position=row.position,
            checkpoint=row.checkpoint,
            action=row.action,
            action_type=row.action_type,
            state=NoticeState(row.state),
            attempts=row.attempts,
            due_at=moment(row.due_at),
            created_at=moment(row.created_at),
            ended_at=None if row.ended_at is None else moment(row.ended_at),
            owner=row.owner,
            error=row.error,
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise _damaged(f"a notification of run {row.run_id}", error) from error


def outcome_columns(outcome: Outcome) -> dict[str, Any]:
    """Return what the row of a run has of its outcome."""
    return {
        "new_status": outcome.status,
        "new_source": as_text(outcome.source),
        "new_summary": as_text(outcome.summary),
        "new_error": outcome.error and as_text(outcome.error),
        "new_duration_ms": outcome.duration_ms,
        "new_row_count": outcome.row_count,
    }


def document_text(outcome: Outcome) -> str | None:
    """Return the document of a result as JSON; None if it is stored already.

    A result of the user's own may fail to say what it is; the run has its end all the
    same, with what went wrong in place of the document.
    """
    if outcome.document is None:
        return None
    try:
        return as_json(outcome.document())
    except Exception as error:  # noqa: BLE001 - code of the user's
        said = f"the result could not be stored: {type(error).__name__}: {error}"
        return as_json({"status": outcome.status, "error": said})


def actions_text(outcome: Outcome) -> str | None:
    """Return what became of the actions as JSON; None if it is not said."""
    if outcome.actions is None:
        return None
    try:
        return as_json(list(outcome.actions()))
    except Exception:  # noqa: BLE001 - code of the user's
        return None


def _damaged(what: str, error: Exception) -> StoreError:
    return StoreError(
        f"{what} in the store is damaged ({error}); 'truthound store check' says how "
        "far"
    )
