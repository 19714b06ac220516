"""great_expectations: an expectation suite on a pandas frame, in a context in memory.

pandas is the only engine of 1.24 that takes files and frames on one machine.
`batch.validate` is used, without example values and progress bars:
`ValidationDefinition.run` also stores the result, which costs more and fails on
this suite (the quantile's result cannot be written as JSON). Usage statistics
are switched off.
"""

from __future__ import annotations

import os
from itertools import chain
from typing import TYPE_CHECKING, Any

os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read when the package is imported

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
from _harness import Answer, Check, Job, main

if TYPE_CHECKING:
    from collections.abc import Callable

RESULT = {"result_format": "BASIC", "partial_unexpected_count": 0}


def expectations(check: Check) -> list[Any]:
    """Return the expectations of one check, all bearing its name."""
    options = check.options
    shared: dict[str, Any] = {"meta": {"check": check.name}}
    if check.kind == "row_count":
        bounds = {"min_value": options["min"], "max_value": options["max"]}
        return [gxe.ExpectTableRowCountToBeBetween(**bounds, **shared)]
    shared["column"] = check.column
    if check.kind == "not_null":
        return [gxe.ExpectColumnValuesToNotBeNull(**shared)]
    if check.kind == "range":
        bounds = {"min_value": options["min"], "max_value": options["max"]}
        return [gxe.ExpectColumnValuesToBeBetween(**bounds, **shared)]
    if check.kind == "unique":
        return [gxe.ExpectColumnValuesToBeUnique(**shared)]
    if check.kind == "regex":
        pattern = options["pattern"]
        return [gxe.ExpectColumnValuesToMatchRegex(regex=pattern, **shared)]
    if check.kind == "in_set":
        values = options["values"]
        return [gxe.ExpectColumnValuesToBeInSet(value_set=values, **shared)]
    if check.kind == "mean_std":
        mean = dict(zip(("min_value", "max_value"), options["mean"], strict=True))
        std = dict(zip(("min_value", "max_value"), options["std"], strict=True))
        return [
            gxe.ExpectColumnMeanToBeBetween(**mean, **shared),
            gxe.ExpectColumnStdevToBeBetween(**std, **shared),
        ]
    ranges = {"quantiles": [options["q"]], "value_ranges": [[None, options["max"]]]}
    return [gxe.ExpectColumnQuantileValuesToBeBetween(quantile_ranges=ranges, **shared)]


def prepare(job: Job) -> tuple[Callable[[], Any], Callable[[Any], Answer]]:
    """Build context and suite once; a run reads the file and validates a batch."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_pandas("bench")
    asset = source.add_dataframe_asset("table")
    definition = asset.add_batch_definition_whole_dataframe("whole")
    flat = list(chain.from_iterable(map(expectations, job.checks)))
    suite = gx.ExpectationSuite(name="checks", expectations=flat)
    frame = pd.read_parquet(job.path) if job.source == "memory" else None
    load = pd.read_csv if job.source == "csv" else pd.read_parquet

    def run() -> Any:
        table = load(job.path) if frame is None else frame
        batch = definition.get_batch(batch_parameters={"dataframe": table})
        return batch.validate(suite, result_format=RESULT)

    def read(outcome: Any) -> Answer:
        counts: dict[str, int | None] = {check.name: None for check in job.checks}
        verdicts = {check.name: True for check in job.checks}
        for result in outcome.results:
            name = result.expectation_config.meta["check"]
            rows = result.result.get("unexpected_count")
            counts[name] = None if rows is None else int(rows)
            verdicts[name] = verdicts[name] and bool(result.success)
        return Answer(counts, verdicts)

    return run, read


if __name__ == "__main__":
    main("great_expectations", prepare)
