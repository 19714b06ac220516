"""What a store keeps of a result."""

from __future__ import annotations

from truthound.checkpoint.model import CheckpointResult
from truthound.store import Outcome


def outcome_of(result: CheckpointResult) -> Outcome:
    """Return what is to be kept of a result."""
    run = result.validation_run
    return Outcome(
        status=str(result.status),
        source=result.data_asset,
        summary=result.summary(),
        error=result.error,
        duration_ms=result.duration_ms,
        row_count=getattr(run, "row_count", None),
        metrics=getattr(run, "metrics", {}),
        document=result.to_dict,
    )
