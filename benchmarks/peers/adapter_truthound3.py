"""The original truthound 3.2: `truthound.check` with validator objects.

The frame is read with Polars first: given a path, each validator reads the file
again, which is slower for Parquet and several times slower for CSV. Example values
are off (`BASIC` is its lowest format with counts), and nothing is written to its
workspace. `parallel=True` is not used: it keeps one validator of each name, so two
of the three null checks and one of the two ranges would never run.
"""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from _harness import Answer, Check, Job, main
from truthound.context import TruthoundContext, TruthoundContextConfig
from truthound.types import ResultFormat, ResultFormatConfig

import truthound
from truthound.validators import (
    BetweenValidator,
    InSetValidator,
    MeanBetweenValidator,
    NotNullValidator,
    QuantileValidator,
    RegexValidator,
    StdBetweenValidator,
    TableRowCountRangeValidator,
    UniqueValidator,
)

if TYPE_CHECKING:
    from collections.abc import Callable

# issue type as reported -> kind of check; everything else is taken as an error
ISSUES = {
    "row_count_below_minimum": "row_count",
    "row_count_above_maximum": "row_count",
    "not_null_violation": "not_null",
    "out_of_range": "range",
    "unique_violation": "unique",
    "regex_mismatch": "regex",
    "not_in_set": "in_set",
    "mean_below_min": "mean_std",
    "mean_above_max": "mean_std",
    "std_below_min": "mean_std",
    "std_above_max": "mean_std",
    "quantile_high": "quantile",
}


def validators(check: Check) -> list[Any]:
    """Return the validator objects of one check."""
    options = check.options
    columns = {"columns": [check.column]}
    if check.kind == "row_count":
        bounds = {"min_rows": options["min"], "max_rows": options["max"]}
        return [TableRowCountRangeValidator(**bounds)]
    if check.kind == "not_null":
        return [NotNullValidator(**columns)]
    if check.kind == "range":
        bounds = {"min_value": options["min"], "max_value": options["max"]}
        return [BetweenValidator(**bounds, **columns)]
    if check.kind == "unique":
        return [UniqueValidator(**columns)]
    if check.kind == "regex":
        return [RegexValidator(pattern=options["pattern"], **columns)]
    if check.kind == "in_set":
        return [InSetValidator(allowed_values=options["values"], **columns)]
    if check.kind == "mean_std":
        (mean_low, mean_high), (std_low, std_high) = options["mean"], options["std"]
        return [
            MeanBetweenValidator(min_value=mean_low, max_value=mean_high, **columns),
            StdBetweenValidator(min_value=std_low, max_value=std_high, **columns),
        ]
    limit = {"quantile": options["q"], "max_value": options["max"]}
    return [QuantileValidator(**limit, **columns)]


def prepare(job: Job) -> tuple[Callable[[], Any], Callable[[Any], Answer]]:
    """Build the validators once; a run reads the file and checks the frame."""
    context = TruthoundContext(
        Path.cwd(),
        TruthoundContextConfig(
            persist_runs=False, persist_docs=False, auto_create_baseline=False
        ),
    )
    flat = list(chain.from_iterable(map(validators, job.checks)))
    detail = ResultFormatConfig(format=ResultFormat.BASIC, partial_unexpected_count=0)
    frame = pl.read_parquet(job.path) if job.source == "memory" else None
    load = pl.read_csv if job.source == "csv" else pl.read_parquet

    def run() -> Any:
        return truthound.check(
            load(job.path) if frame is None else frame,
            validators=flat,
            context=context,
            result_format=detail,
        )

    def read(result: Any) -> Answer:
        found = {
            (ISSUES[issue.issue_type], issue.column): issue.count
            for issue in result.issues
        }
        counts: dict[str, int | None] = {}
        verdicts = {}
        for check in job.checks:
            count = found.get((check.kind, check.column or "_table"))
            counts[check.name] = (count or 0) if check.counts_rows else None
            verdicts[check.name] = count is None
        return Answer(counts, verdicts)

    return run, read


if __name__ == "__main__":
    main("truthound", prepare)
