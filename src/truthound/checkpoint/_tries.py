"""Who tries again: the action itself, or the outbox of a store."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any

from truthound.checkpoint.model import ActionResult, ActionStatus
from truthound.errors import ActionError
from truthound.store import NoticeState, Settled

MOST = 12  # tries of a notification, with those in its run
LONGEST = 3600.0  # seconds between two of them
FIRST = 1.0  # seconds after the first one
SOON = timedelta(milliseconds=50)  # what is put off is not asked for again before

HELD = "held_until"  # the detail of a result that says until when it is put off

# What went wrong, by the action. Where it is there, somebody else tries again: an
# action then makes one attempt.
TRIES: ContextVar[dict[int, ActionError] | None] = ContextVar(
    "truthound_tries", default=None
)

# Whether somebody only tries the way: what is told is then labelled as a test.
TESTING: ContextVar[bool] = ContextVar("truthound_testing", default=False)


@contextmanager
def one_try() -> Iterator[dict[int, ActionError]]:
    """Let actions in the block make one attempt each; yields what went wrong."""
    errors: dict[int, ActionError] = {}
    token = TRIES.set(errors)
    try:
        yield errors
    finally:
        TRIES.reset(token)


def bare(action: Any) -> Any:
    """Return an action without the adapter around it."""
    return getattr(action, "wrapped_action", action)


def settled(
    position: int,
    found: ActionResult,
    error: ActionError | None,
    tries: int,
    now: datetime,
    *,
    config: Any = None,
    is_cut: bool = False,
) -> Settled:
    """Return what becomes of a notification after a try.

    Args:
        position: of its action.
        found: how the try has ended.
        error: what was raised, if the action told.
        tries: how many there were, this one included.
        now: when it ended.
        config: of the action.
        is_cut: whether the run was cut off before the action could run.
    """
    said = found.error or found.message or None
    if found.status == ActionStatus.SUCCESS:
        return Settled(position=position, state=NoticeState.DELIVERED)
    if (until := held_until(found)) is not None:
        return Settled(
            position=position,
            state=NoticeState.OWED,
            due_at=max(until, now + SOON),
            error=said,
            is_held=True,
        )
    if found.status == ActionStatus.SKIPPED and not is_cut:
        return Settled(position=position, state=NoticeState.DROPPED, error=said)
    if found.status == ActionStatus.FAILURE:  # it was done, and says no
        return Settled(position=position, state=NoticeState.DEAD, error=said)
    if found.status == ActionStatus.SKIPPED:
        return Settled(position=position, state=NoticeState.OWED, due_at=now)
    most = MOST + int(getattr(config, "retry_count", 0) or 0)
    if (error is not None and error.is_final) or tries >= most:
        return Settled(position=position, state=NoticeState.DEAD, error=said)
    wait = pause(tries, config, error)
    return Settled(
        position=position,
        state=NoticeState.OWED,
        due_at=now + timedelta(seconds=wait),
        error=said,
    )


def held_until(found: ActionResult) -> datetime | None:
    """Return until when a notification is put off; None: it is not."""
    until = found.details.get(HELD)
    if found.status != ActionStatus.SKIPPED or not isinstance(until, str):
        return None
    return datetime.fromisoformat(until)


def pause(tries: int, config: Any, error: ActionError | None) -> float:
    """Return the seconds until the next try.

    ``retry_delay_seconds * 2**(tries - 1)``, at most an hour, less up to the half at
    random, so that what failed together does not come back together; but not before
    the other side said (``Retry-After``), if that is within the hour.
    """
    first = float(getattr(config, "retry_delay_seconds", FIRST) or FIRST)
    longest = min(LONGEST, first * 2.0 ** min(tries - 1, 40))
    wait = longest * (1 - random.random() / 2)
    if error is not None and error.retry_after is not None:
        wait = max(wait, min(error.retry_after, LONGEST))
    return wait
