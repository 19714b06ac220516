"""A test message: sent the way that a real one goes, and shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from truthound._clock import SYSTEM_CLOCK
from truthound.checkpoint._adapter import executed
from truthound.checkpoint._clients import shared_client
from truthound.checkpoint._run import new_run_id
from truthound.checkpoint._tries import TESTING, one_try
from truthound.checkpoint.actions._sent import SENT, Sent
from truthound.checkpoint.model import (
    ActionResult,
    CheckpointResult,
    CheckpointStatus,
)
from truthound.validators import CheckResult, Severity, ValidationRun

SECONDS = 30.0  # if the action does not say


async def try_action(
    action: Any, checkpoint: str, tags: Any = None
) -> tuple[ActionResult, Sequence[Sent]]:
    """Send one test message, whatever ``notify_on`` and the policy of the action say.

    The message is labelled as a test, and nothing of it is kept.

    Args:
        action: which.
        checkpoint: in whose name.
        tags: of that.

    Returns:
        How it ended, and what was sent.
    """
    sent: list[Sent] = []
    tokens = (TESTING.set(True), SENT.set(sent))
    try:
        async with shared_client():
            with one_try():
                found = await executed(action, _example(checkpoint, tags), SECONDS)
    finally:
        TESTING.reset(tokens[0])
        SENT.reset(tokens[1])
    return found, sent


def _example(checkpoint: str, tags: Any) -> CheckpointResult:
    """Return a result that never was, with one failed check."""
    now = SYSTEM_CLOCK.now()
    run_id = new_run_id(checkpoint, "test_%Y%m%d_%H%M%S", now)
    check = CheckResult(
        name="test(example)",
        validator="test",
        columns=("example",),
        status="failed",
        severity=Severity.LOW,
        checked=100,
        failed=1,
        message="this is what a failed check looks like",
    )
    run = ValidationRun(
        run_id=run_id,
        run_time=now,
        source="no data: a test",
        row_count=100,
        column_count=1,
        checks=[check],
    )
    return CheckpointResult(
        run_id=run_id,
        checkpoint_name=checkpoint,
        run_time=now,
        status=CheckpointStatus.WARNING,
        validation_run=run,
        data_asset=run.source,
        metadata={"test": True, **({"tags": dict(tags)} if tags else {})},
    )
