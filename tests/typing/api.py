"""The contract of our signatures: checked by mypy, never run."""

from __future__ import annotations

from typing import assert_type

import polars as pl

import truthound
from truthound import (
    AsyncCheckpoint,
    Checkpoint,
    CheckpointResult,
    Severity,
    ValidationRun,
)
from truthound.validators import CheckResult, RangeValidator

frame = pl.DataFrame({"a": [1]})

run = truthound.check(
    frame, ["null", {"range": {"min": 0}}, RangeValidator("a", min=0)]
)
assert_type(run, ValidationRun)
assert_type(run.issues, list[CheckResult])
assert_type(run.success, bool)
assert_type(run.checks[0].severity, Severity | None)

checkpoint = Checkpoint("a", data_source=frame, validators=["null"], timeout_seconds=5)
assert_type(checkpoint.run(), CheckpointResult)
assert_type(checkpoint.validate(), list[str])
assert_type(checkpoint.explain(), str)


async def awaited() -> None:
    async with AsyncCheckpoint("a", data_source=frame) as watched:
        assert_type(watched, AsyncCheckpoint)
        assert_type(await watched.run_async({"k": 1}), CheckpointResult)


RangeValidator("a", min=0, mistyped=1)  # type: ignore[call-arg]
