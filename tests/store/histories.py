"""Stores with runs in them, made without running anything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from truthound.store import Store
from truthound.store._tables import notices, results, runs, stamp

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
STATUSES = ("success", "success", "warning", "success", "failure", "error")


def moment(number: int) -> datetime:
    return BEGIN + timedelta(minutes=number)


def document(number: int, checkpoint: str, status: str) -> dict[str, Any]:
    bad = status != "success"
    check = {
        "name": "null(fare)",
        "validator": "null",
        "columns": ["fare"],
        "status": "failed" if bad else "passed",
        "severity": "high" if bad else None,
        "checked": 100 + number,
        "failed": number if bad else 0,
        "observed": None,
        "expected": None,
        "message": "expected no missing values",
        "where": None,
        "error": None,
        "examples": [],
        "groups": [],
        "details": {},
    }
    return {
        "run_id": run_id(number),
        "checkpoint_name": checkpoint,
        "run_time": moment(number).isoformat(),
        "status": status,
        "validation_run": {
            "run_id": f"v{number}",
            "run_time": moment(number).isoformat(),
            "source": "rides.csv",
            "row_count": 100 + number,
            "column_count": 1,
            "checks": [check],
        },
        "data_asset": "rides.csv",
        "duration_ms": 5.0,
    }


def run_id(number: int) -> str:
    return f"run_{moment(number):%Y%m%d_%H%M%S}_{number:08x}"


def run_row(number: int, checkpoint: str, **values: Any) -> dict[str, Any]:
    status = STATUSES[number % len(STATUSES)]
    return {
        "seq": number,
        "run_id": run_id(number),
        "checkpoint": checkpoint,
        "state": "failed" if status == "error" else "finished",
        "owner": "here:1:00",
        "attempt": 1,
        "trigger": None,
        "accepted_at": stamp(moment(number)),
        "began_at": stamp(moment(number)),
        "ended_at": stamp(moment(number)) + 5_000,
        "status": status,
        "source": "rides.csv",
        "duration_ms": 5.0,
        "row_count": 100 + number,
        "summary": f"{checkpoint}: {status}",
        **values,
    }


def fill(
    store: Store, number: int = 60, checkpoints: Sequence[str] = ("a", "b", "c")
) -> None:
    """Write runs 1 to ``number``, the checkpoints in turn, each with its result."""
    rows = [run_row(n, checkpoints[n % len(checkpoints)]) for n in range(1, number + 1)]
    found = [
        {
            "seq": row["seq"],
            "metrics": json.dumps({"rows": row["row_count"]}),
            "document": json.dumps(
                document(row["seq"], row["checkpoint"], row["status"])
            ),
        }
        for row in rows
    ]

    def write(connection: Any) -> None:
        connection.execute(insert(runs), rows)
        connection.execute(insert(results), found)

    store._do(write)


def owe(store: Store, number: int, state: str, position: int = 0) -> None:
    """Write a notification that a run owes."""
    row = {
        "run_id": run_id(number),
        "position": position,
        "checkpoint": "abc"[number % 3],
        "action": "slack",
        "action_type": "slack",
        "state": state,
        "attempts": 2,
        "due_at": stamp(moment(number)),
        "created_at": stamp(moment(number)),
        "error": "503",
    }
    store._do(lambda connection: connection.execute(insert(notices), row))


def filled(path: Path, number: int = 60) -> Path:
    """Make a store with runs, closed."""
    with Store(path) as store:
        fill(store, number)
        owe(store, 3, "dead")
    return path
