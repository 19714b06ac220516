"""Pointblank: one `Validate` plan on an eager Polars frame.

Extracts of failing rows and the checked tables are switched off, which is its
fastest documented way. `na_pass=True`, and None among the allowed values, let
nulls pass the checks of values. It has no check for a quantile: that one is
`specially`, with a function of ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pointblank as pb
import polars as pl
from _harness import Answer, Check, Job, main

if TYPE_CHECKING:
    from collections.abc import Callable


def add(plan: pb.Validate, check: Check) -> pb.Validate:
    """Add the steps of one check to the plan."""
    options = check.options
    column = check.column
    if check.kind == "row_count":
        middle = (options["min"] + options["max"]) // 2
        return plan.row_count_match(middle, tol=options["max"] - middle)
    if check.kind == "not_null":
        return plan.col_vals_not_null(column)
    if check.kind == "range":
        bounds = (options["min"], options["max"])
        return plan.col_vals_between(column, *bounds, na_pass=True)
    if check.kind == "unique":
        return plan.rows_distinct([column])
    if check.kind == "regex":
        return plan.col_vals_regex(column, options["pattern"], na_pass=True)
    if check.kind == "in_set":
        return plan.col_vals_in_set(column, [*options["values"], None])
    if check.kind == "mean_std":
        (mean_low, mean_high), (std_low, std_high) = options["mean"], options["std"]
        plan = plan.col_avg_ge(column, mean_low).col_avg_le(column, mean_high)
        return plan.col_sd_ge(column, std_low).col_sd_le(column, std_high)

    def below(frame: pl.DataFrame) -> list[bool]:
        return [frame[column].quantile(options["q"], "linear") <= options["max"]]

    return plan.specially(below)


def prepare(
    job: Job,
) -> tuple[Callable[[], pb.Validate], Callable[[pb.Validate], Answer]]:
    """Read the frame if it stays in memory; a run makes and interrogates the plan.

    A plan holds its table and its results, so it is made anew for every run.
    """
    frame = pl.read_parquet(job.path) if job.source == "memory" else None
    load = pl.read_csv if job.source == "csv" else pl.read_parquet

    def run() -> pb.Validate:
        plan = pb.Validate(load(job.path) if frame is None else frame)
        for check in job.checks:
            plan = add(plan, check)
        return plan.interrogate(collect_extracts=False, collect_tbl_checked=False)

    def read(plan: pb.Validate) -> Answer:
        counts: dict[str, int | None] = {}
        verdicts = {}
        steps: list[Any] = list(plan.validation_info)
        for check in job.checks:
            mine = [steps.pop(0) for _ in range(4 if check.kind == "mean_std" else 1)]
            counts[check.name] = mine[0].n_failed if check.counts_rows else None
            verdicts[check.name] = all(step.all_passed for step in mine)
        return Answer(counts, verdicts)

    return run, read


if __name__ == "__main__":
    main("pointblank", prepare)
