"""What a store keeps: plain records, in and out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

# A slot that begins so names messages of a broker. It is free again when its run has an
# end that is not ``finished``: the messages come again.
MESSAGES = "message|"
# One that begins so names a request over HTTP. It is free again when its run was cut
# off: whoever sends the request again gets another run.
HOOKS = "hook|"


class RunState(StrEnum):
    """Where a run is.

    A due time that had no run is written down as one that was missed.
    """

    ACCEPTED = "accepted"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"
    MISSED = "missed"

    @property
    def is_end(self) -> bool:
        """Whether a run stays in it."""
        return self not in (RunState.ACCEPTED, RunState.RUNNING)


class NoticeState(StrEnum):
    """Where a notification is that a run owes.

    It is owed until somebody sends it, being sent by one owner at a time, and in the
    end delivered, dead (it was tried as often as it may be, or never can succeed) or
    dropped (somebody has said that it need not be sent).
    """

    OWED = "owed"
    SENDING = "sending"
    DELIVERED = "delivered"
    DEAD = "dead"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is kept of the result of a run.

    Attributes:
        status: of the result: success, warning, failure or error.
        source: the data, as results call it.
        summary: the result in one line.
        error: why the run could not be completed.
        duration_ms: from begin to end, in milliseconds.
        row_count: rows of the data, None where it was never counted.
        metrics: the numbers of the run by name, for looking back.
        document: returns the whole result as plain values. It is called once, on the
            store's own thread.
        actions: returns what became of the actions as plain values, for a run whose
            document is stored already.
    """

    status: str
    source: str = ""
    summary: str = ""
    error: str | None = None
    duration_ms: float = 0.0
    row_count: int | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    document: Callable[[], Mapping[str, Any]] | None = None
    actions: Callable[[], Sequence[Any]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run, as a journal knows it.

    Attributes:
        run_id: unique to the run.
        checkpoint: whose run it is.
        state: where it is.
        owner: the process that runs it.
        attempt: how often it was begun, from 1.
        accepted_at: when somebody asked for it, aware, in UTC.
        began_at: when it began.
        ended_at: when it ended.
        trigger: what started it; None: a call.
        context: what it was started with.
        slot: names the due time for which it was started; of several runs with the
            same slot only the first is accepted.
        slot_ends: whether the slot is free again when the process that had it is gone
            and no other uses the store.
        status: of its result; None as long as there is none.
        source: the data, as results call it.
        summary: the result in one line.
        error: why it could not be completed.
        duration_ms: from begin to end, in milliseconds.
        row_count: rows of the data.
    """

    run_id: str
    checkpoint: str
    state: RunState
    owner: str
    attempt: int = 1
    accepted_at: datetime
    began_at: datetime | None = None
    ended_at: datetime | None = None
    trigger: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    slot: str | None = None
    slot_ends: bool = False
    status: str | None = None
    source: str = ""
    summary: str = ""
    error: str | None = None
    duration_ms: float | None = None
    row_count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The metrics of one earlier run.

    Attributes:
        run_id: which run.
        at: when it was accepted, aware, in UTC.
        status: of its result.
        values: the numbers by the name of the metric (``nulls fare``) or, for the
            checks, ``check:`` and the name of the check.
    """

    run_id: str
    at: datetime
    status: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What is known of one file of a source that grows.

    Attributes:
        file: which, as the source names it.
        fingerprint: changes when the file does.
        state: what was computed of it, as bytes.
    """

    file: str
    fingerprint: str
    state: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A notification that a run owes.

    Attributes:
        run_id: whose it is.
        position: of its action among those of the checkpoint, from 0.
        checkpoint: the name of the checkpoint.
        action: the name of the action.
        action_type: its type.
        state: where it is.
        attempts: how often it was tried.
        due_at: when it is to be tried next, aware, in UTC.
        created_at: when the run came to owe it.
        ended_at: when it was delivered or given up.
        owner: who sends it, or did last.
        error: what went wrong the last time.
    """

    run_id: str
    position: int
    checkpoint: str
    action: str
    action_type: str
    state: NoticeState = NoticeState.OWED
    attempts: int = 0
    due_at: datetime
    created_at: datetime
    ended_at: datetime | None = None
    owner: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What became of one try to send a notification.

    Attributes:
        position: of its action among those of the checkpoint, from 0.
        state: delivered, dead, dropped, or owed again.
        due_at: when it is to be tried again, if it is owed.
        error: what went wrong.
        is_held: it was put off before anything was sent, which is not counted as a try.
    """

    position: int
    state: NoticeState
    due_at: datetime | None = None
    error: str | None = None
    is_held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process that runs checkpoints, or a part of one.

    Attributes:
        name: unique to it.
        host: the machine and, on Linux, the process namespace.
        pid: of the process, on that machine.
        process: tells it from a later process with the same pid; empty if unknown.
    """

    name: str
    host: str
    pid: int
    process: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What was found of owners that are gone.

    Attributes:
        again: runs that are to be run again, now in the name of who asked.
        ended: runs that were given an end, with it.
        notices: how many notifications are owed again.
    """

    again: tuple[RunRecord, ...] = ()
    ended: tuple[RunRecord, ...] = ()
    notices: int = 0
