"""The hand-written query: one Polars select that counts everything.

What a person who knows Polars would write for exactly these checks and nothing
else: no messages, no examples, no report. It is the floor that the others are
compared with.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import polars as pl
from _harness import Answer, Check, Job, main

if TYPE_CHECKING:
    from collections.abc import Callable

Row = tuple[Any, ...]


def expressions(check: Check) -> list[pl.Expr]:
    """Return the aggregates of one check; the first one counts failing rows."""
    column = pl.col(check.column)
    options = check.options
    if check.kind == "row_count":
        return [pl.len()]
    if check.kind == "not_null":
        return [column.null_count()]
    if check.kind == "range":
        return [(~column.is_between(options["min"], options["max"])).sum()]
    if check.kind == "unique":
        return [column.count() - column.drop_nulls().n_unique()]
    if check.kind == "regex":
        return [(~column.str.contains(options["pattern"])).sum()]
    if check.kind == "in_set":
        return [(~column.is_in(options["values"])).sum()]
    if check.kind == "mean_std":
        return [column.mean(), column.std()]
    return [column.quantile(options["q"], "linear")]


def holds(check: Check, values: Row) -> bool:
    """Decide one check from its aggregates."""
    options = check.options
    if check.kind == "row_count":
        return bool(options["min"] <= values[0] <= options["max"])
    if check.kind == "mean_std":
        bounds = (options["mean"], options["std"])
        return all(
            low <= value <= high
            for value, (low, high) in zip(values, bounds, strict=True)
        )
    if check.kind == "quantile":
        return bool(values[0] <= options["max"])
    return bool(values[0] == 0)


def prepare(job: Job) -> tuple[Callable[[], Row], Callable[[Row], Answer]]:
    """Build the expressions once; a run reads the file and evaluates them."""
    parts = [expressions(check) for check in job.checks]
    flat = [
        expression.alias(str(number))
        for number, expression in enumerate(chain.from_iterable(parts))
    ]
    frame = pl.read_parquet(job.path) if job.source == "memory" else None

    def run() -> Row:
        if frame is not None:
            return frame.select(flat).row(0)
        scan = pl.scan_csv if job.source == "csv" else pl.scan_parquet
        return scan(job.path).select(flat).collect().row(0)

    def read(row: Row) -> Answer:
        counts: dict[str, int | None] = {}
        verdicts = {}
        left = list(row)
        for check, part in zip(job.checks, parts, strict=True):
            values = tuple(left.pop(0) for _ in part)
            counts[check.name] = values[0] if check.counts_rows else None
            verdicts[check.name] = holds(check, values)
        return Answer(counts, verdicts)

    return run, read


if __name__ == "__main__":
    main("polars", prepare)
