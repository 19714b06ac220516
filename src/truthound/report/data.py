"""Reports for programs: JSON, and JSON lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from truthound.report._item import Item


def render_json(items: Sequence[Item]) -> str:
    """Return one document with all that was found."""
    document = {"runs": [_run(item) for item in items]}
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def render_jsonl(items: Sequence[Item]) -> str:
    """Return one line a check, with the run that it belongs to.

    A run that could not be completed is a line of its own, with ``error``.
    """
    lines = []
    for item in items:
        head = {"run": item.title, "source": item.source, "run_status": item.status}
        if item.run is None:
            lines.append({**head, "error": item.error})
            continue
        run = item.run.to_dict()
        head["run_id"] = run["run_id"]
        lines += [{**head, **check} for check in run["checks"]]
    return "".join(
        json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in lines
    )


def _run(item: Item) -> dict[str, Any]:
    return {
        "name": item.title,
        "status": item.status,
        "source": item.source,
        "error": item.error,
        "duration_ms": item.duration_ms,
        "actions": list(item.actions),
        "validation_run": item.run.to_dict() if item.run else None,
    }
