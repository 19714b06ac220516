"""What a webhook sends: the result as plain values, or a template that is filled."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from truthound.checkpoint.messages.message import Message, MessageKind
from truthound.checkpoint.model import CheckpointResult
from truthound.errors import ConfigurationError, did_you_mean

_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
STATISTICS = (
    "total_checks",
    "passed_checks",
    "total_issues",
    "critical_issues",
    "high_issues",
    "medium_issues",
    "low_issues",
    "total_records",
    "pass_rate",
)
FACTS = (
    "checkpoint",
    "run_id",
    "status",
    "run_time",
    "data_asset",
    "duration_ms",
    "error",
    "summary",
    *STATISTICS,
)


def check_template(template: Any) -> None:
    """Raise if a template holds what JSON cannot, or names what there is not.

    Raises:
        ConfigurationError: which part of it.
    """
    for name in _placeholders(template):
        if name not in FACTS:
            raise ConfigurationError(
                f"payload_template: ${{...}} is {', '.join(FACTS)}, not {name!r}"
                f"{did_you_mean(name, FACTS)}"
            )


def _placeholders(template: Any) -> Iterator[str]:
    if isinstance(template, str):
        yield from _PLACEHOLDER.findall(template)
    elif isinstance(template, Mapping):
        for key, value in template.items():
            if not isinstance(key, str):
                raise ConfigurationError(f"payload_template: {key!r} is no text")
            yield from _placeholders(value)
    elif isinstance(template, (list, tuple)):
        for value in template:
            yield from _placeholders(value)
    elif template is not None and not isinstance(template, (bool, int, float)):
        raise ConfigurationError(
            f"payload_template: JSON cannot hold a {type(template).__name__}"
        )


def facts(result: CheckpointResult) -> dict[str, str]:
    """Return what a template may name, as texts."""
    found = getattr(result.validation_run, "statistics", None)
    known: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    return {
        "checkpoint": result.checkpoint_name,
        "run_id": result.run_id,
        "status": str(result.status),
        "run_time": result.run_time.isoformat(),
        "data_asset": result.data_asset,
        "duration_ms": f"{result.duration_ms:.1f}",
        "error": result.error or "",
        "summary": result.summary(),
        **{name: str(known.get(name, "")) for name in STATISTICS},
    }


def filled(template: Any, told: Mapping[str, str]) -> Any:
    """Return a template with what it names."""
    if isinstance(template, str):
        return _PLACEHOLDER.sub(lambda m: told[m[1]], template)
    if isinstance(template, Mapping):
        return {key: filled(value, told) for key, value in template.items()}
    if isinstance(template, (list, tuple)):
        return [filled(value, told) for value in template]
    return template


def payload_of(
    message: Message, result: CheckpointResult, *, is_full: bool
) -> dict[str, Any]:
    """Return a result as plain values.

    Args:
        message: why it is sent.
        result: of the run.
        is_full: with the whole result under ``full_result``.
    """
    is_test = message.kind is MessageKind.TEST
    duration = result.duration_ms
    payload: dict[str, Any] = {
        "event": "checkpoint_test" if is_test else "checkpoint_completed",
        "checkpoint": result.checkpoint_name,
        "status": str(result.status),
        "run_id": result.run_id,
        "run_time": result.run_time.isoformat(),
        "data_asset": result.data_asset,
        "duration_ms": duration if math.isfinite(duration) else None,
        "summary": result.summary(),
    }
    if message.kind is not MessageKind.RUN:
        payload["kind"] = str(message.kind)
    if message.since is not None:
        payload["since"] = message.since.isoformat()
    if message.note:
        payload["note"] = message.note
    if message.links:
        payload["links"] = dict(message.links)
    if message.others:
        payload["others"] = [
            {"checkpoint": o.checkpoint, "status": o.status, "run_id": o.run_id}
            for o in message.others
        ]
    if is_full:
        payload["full_result"] = result.to_dict()
    return payload
