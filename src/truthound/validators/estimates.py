"""Verdicts on numbers that a sketch tells: only as far as its error lets them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from truthound.data import Metric
from truthound.data.sketches import Estimate
from truthound.validators.check import Finding, Judge, Question


def judged(judge: Judge, metrics: Sequence[Metric], values: Sequence[Any]) -> Any:
    """Judge the values of some metrics, estimates among them.

    The verdict stands if both ends of what an estimate may mean lead to it; else the
    exact numbers are asked for.

    Args:
        judge: of a check.
        metrics: those that it needs.
        values: theirs.
    """
    errors = [value.error for value in values if isinstance(value, Estimate)]
    if not errors:
        return judge(*values)
    found, *ends = (
        judge(*(getattr(v, side) if isinstance(v, Estimate) else v for v in values))
        for side in ("plain", "low", "high")
    )
    if isinstance(found, Finding) and all(
        isinstance(end, Finding) and end.passed is found.passed for end in ends
    ):
        error = "; ".join(dict.fromkeys(errors))
        said = found.message or f"expected {found.expected}; {found.observed}"
        return replace(
            found,
            message=f"{said} ({error})",
            details={**found.details, "sketch": error},
        )
    exact = (
        replace(metric, merge=None) if isinstance(value, Estimate) else metric
        for metric, value in zip(metrics, values, strict=True)
    )
    return Question(tuple(exact), judge)
