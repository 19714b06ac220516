"""This project: `truthound.check` on a file, `Checkpoint.run` on a frame.

Run with the interpreter of the project. Options are the defaults, so up to five
example rows are fetched for every failing check. No peer is asked for examples:
`adapter_ours_plain.py` does without them, too.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import polars as pl
from _harness import Answer, Check, Job, main

import truthound

if TYPE_CHECKING:
    from collections.abc import Callable


def validators(check: Check) -> list[dict[str, dict[str, Any]]]:
    """Return the validators that make up one check, all bearing its name."""
    options = check.options
    shared = {"name": check.name}
    if check.kind == "row_count":
        return [{"row_count": {**shared, **options}}]
    shared["column"] = check.column
    if check.kind == "mean_std":
        return [
            {name: {**shared, "min": options[name][0], "max": options[name][1]}}
            for name in ("mean", "std")
        ]
    return [{check.kind: {**shared, **options}}]


def prepare(
    job: Job, *, sample_rows: int = 5
) -> tuple[Callable[[], Any], Callable[[Any], Answer]]:
    """Write the validators once; a run checks the file or the frame."""
    flat = list(chain.from_iterable(map(validators, job.checks)))
    if job.source == "memory":
        checkpoint = truthound.Checkpoint(
            "bench",
            data_source=pl.read_parquet(job.path),
            validators=flat,
            sample_rows=sample_rows,
        )

        def run() -> Any:
            return checkpoint.run().validation_run

    else:

        def run() -> Any:
            return truthound.check(job.path, validators=flat, sample_rows=sample_rows)

    def read(result: Any) -> Answer:
        counts: dict[str, int | None] = {}
        verdicts = {check.name: True for check in job.checks}
        by_rows = {check.name for check in job.checks if check.counts_rows}
        for outcome in result.checks:
            name = outcome.name
            counts[name] = outcome.failed if name in by_rows else None
            verdicts[name] = verdicts[name] and outcome.success
        return Answer(counts, verdicts)

    return run, read


if __name__ == "__main__":
    main("truthound-async", prepare)
