"""Profiles: one select for the numbers of all columns, one for the histograms."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from truthound.data import (
    ROWS,
    Batch,
    Column,
    Metric,
    ReadOptions,
    RetypedError,
    Table,
    open_source,
    samples,
)
from truthound.profile._model import ColumnProfile, Histogram, Profile
from truthound.validators import Examples
from truthound.validators.metrics import nans_of, nulls_of, statistic
from truthound.validators.repeats import distinct

QUARTILES = (0.25, 0.5, 0.75)


def profile(
    data: Any,
    *,
    columns: str | Sequence[str] | None = None,
    bins: int = 20,
    top: int = 5,
    redact: str | Iterable[str] = (),
    **read_options: Any,
) -> Profile:
    """Look at data once and say what is in its columns. Blocks.

    Args:
        data: whatever ``truthound.check`` takes.
        columns: names, globs or groups of types; None for all.
        bins: of the histograms.
        top: how many of the most frequent values are named.
        redact: columns (names or globs) of which no value is shown.
        read_options: how the data is read; see ``truthound.check``.

    Raises:
        DataError: the data cannot be read.
        CheckError: there is no such column.

    Example:
        >>> from truthound.profile import profile
        >>> fares = profile({"fare": [1.0, 2.0, None, 9.0]})["fare"]
        >>> fares.nulls, fares.mean, fares.max
        (1, 4.0, 9.0)
    """
    table = open_source(data, ReadOptions.of(read_options))
    shown = Examples.of(redact=redact)
    chosen = _prepared(table, columns)
    asked = {column.name: _metrics(column, top) for column in chosen}
    found = _ask(table, [ROWS, *(m for some in asked.values() for m in some.values())])
    rows = found[ROWS]
    numbers = {
        name: {key: found[metric] for key, metric in some.items()}
        for name, some in asked.items()
    }
    edges = {
        column.name: _edges(numbers[column.name], bins)
        for column in chosen
        if _has_histogram(column)
    }
    counts = {name: _bins(name, some) for name, some in edges.items() if some}
    drawn = _ask(table, list(counts.values())) if counts else {}
    return Profile(
        source=table.name,
        row_count=rows,
        columns=[
            _made(
                column,
                rows,
                numbers[column.name],
                edges.get(column.name) or [],
                drawn.get(counts[column.name]) if column.name in counts else None,
                shown.hides(column.name),
            )
            for column in chosen
        ],
        warnings=[*table.warnings, *shown.unmet(table.schema)],
    )


def _prepared(table: Table, columns: str | Sequence[str] | None) -> list[Column]:
    while True:
        chosen = list(table.schema.values())
        if columns is not None:
            chosen = table.schema.select(columns)
        names = frozenset(column.name for column in chosen)
        try:
            table.prepare(names, names)
        except RetypedError:
            # A text file has other types than its first rows made believe; each time
            # a column loses a type, so this comes to an end.
            continue
        return chosen


def _bins(name: str, edges: Sequence[float]) -> Metric:
    inner = edges[1:-1]
    return statistic(
        ("histogram", tuple(edges)),
        name,
        lambda values, ns: samples.counts_up_to(values, inner),
        portable=False,
    )


def _ask(table: Table, metrics: Sequence[Metric]) -> dict[Metric, Any]:
    batch = Batch(metrics)
    return dict(zip(batch.metrics, table.measure(batch)[0], strict=True))


def _has_histogram(column: Column) -> bool:
    return column.is_a("numeric") or column.kind in {"date", "datetime"}


def _metrics(column: Column, top: int) -> dict[str, Metric]:
    name = column.name

    def number(kind: Any, build: Any, portable: bool = True) -> Metric:
        return statistic(kind, name, build, portable=portable)

    metrics = {"nulls": nulls_of(name)}
    if column.kind in {"nested", "other", "binary", "null"}:
        return metrics
    metrics["distinct"] = distinct((name,), None)
    if column.is_a("numeric") or column.is_a("temporal"):
        metrics["min"] = number("min", lambda values, ns: values.min())
        metrics["max"] = number("max", lambda values, ns: values.max())
    if _has_histogram(column):
        metrics["low"] = number("lowest", _finite_min, False)
        metrics["high"] = number("highest", _finite_max, False)
    if column.is_a("numeric"):
        metrics["mean"] = number("mean", lambda values, ns: values.mean())
        metrics["std"] = number("std", lambda values, ns: values.std())
        for q in QUARTILES:
            metrics[f"q{q}"] = number(
                ("quantile", q),
                lambda values, ns, q=q: values.quantile(q, interpolation="linear"),
            )
    if column.is_a("float"):
        metrics["nans"] = nans_of(name)
    if column.kind == "string":
        metrics["shortest"] = number(
            "shortest", lambda values, ns: values.str.len_chars().min()
        )
        metrics["longest"] = number(
            "longest", lambda values, ns: values.str.len_chars().max()
        )
    if column.is_a("text") or column.kind == "boolean":
        metrics["top"] = number(
            ("top", top), lambda values, ns: samples.most_frequent(values, top), False
        )
    return metrics


def _finite_min(values: Any, ns: Any) -> Any:
    return samples.finite(values).min()


def _finite_max(values: Any, ns: Any) -> Any:
    return samples.finite(values).max()


def _edges(numbers: dict[str, Any], bins: int) -> list[float]:
    low, high = numbers["low"], numbers["high"]
    if low is None or high is None:
        return []
    if low == high:
        return [low, high]
    step = (high - low) / bins
    if not math.isfinite(step) or step == 0:
        return [low, high]
    return [low, *(low + step * n for n in range(1, bins)), high]


def _made(
    column: Column,
    rows: int,
    found: dict[str, Any],
    edges: list[float],
    up_to: Sequence[int] | None,
    hidden: bool,
) -> ColumnProfile:
    nulls, nans = found["nulls"] or 0, int(found.get("nans") or 0)
    histogram = None
    if up_to is not None and not hidden:
        total = rows - nulls - nans
        bounds = [0, *up_to, total]
        counts = [after - before for before, after in pairwise(bounds)]
        histogram = Histogram(edges=edges, counts=counts)
    top = [(entry["value"], entry["count"]) for entry in found.get("top") or ()]
    return ColumnProfile(
        name=column.name,
        dtype=column.dtype,
        kind=column.kind,
        rows=rows,
        nulls=nulls,
        nans=nans,
        distinct=(found["distinct"] or 0) if "distinct" in found else None,
        min=None if hidden else found.get("min"),
        max=None if hidden else found.get("max"),
        mean=None if hidden else _plain(found.get("mean")),
        std=None if hidden else _plain(found.get("std")),
        quantiles={}
        if hidden
        else {q: found[f"q{q}"] for q in QUARTILES if found.get(f"q{q}") is not None},
        shortest=found.get("shortest"),
        longest=found.get("longest"),
        top=[] if hidden else top,
        histogram=histogram,
    )


def _plain(value: Any) -> float | None:
    return None if value is None else float(value)
