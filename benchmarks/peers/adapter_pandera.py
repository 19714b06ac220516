"""pandera: a `pandera.polars` schema, `lazy=True`, on an eager Polars frame.

A lazy frame would be checked for its schema only unless pandera is told
otherwise, and is then slower than the frame. What the library has no check for
(row count, mean, std, quantile) is a custom check, as its manual shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandera.polars as pa
import polars as pl
from _harness import Answer, Check, Job, main

if TYPE_CHECKING:
    from collections.abc import Callable

Failures = list[Any]
NULLS = "not_nullable"
DUPLICATES = "field_uniqueness"


def custom(check: Check) -> pa.Check | None:
    """Return the pandera check of one column or table, if it needs one."""
    options = check.options
    if check.kind == "range":
        return pa.Check.in_range(options["min"], options["max"], name=check.name)
    if check.kind == "regex":
        return pa.Check.str_matches(options["pattern"], name=check.name)
    if check.kind == "in_set":
        return pa.Check.isin(options["values"], name=check.name)
    if check.kind == "row_count":
        expression = pl.len().is_between(options["min"], options["max"])
    elif check.kind == "mean_std":
        column = pl.col(check.column)
        mean = column.mean().is_between(*options["mean"])
        expression = mean & column.std().is_between(*options["std"])
    elif check.kind == "quantile":
        quantile = pl.col(check.column).quantile(options["q"], "linear")
        expression = quantile <= options["max"]
    else:
        return None
    return pa.Check(lambda data: data.lazyframe.select(expression), name=check.name)


def schema(checks: tuple[Check, ...]) -> pa.DataFrameSchema:
    """Put all checks into one schema; a column without a type is of any type."""
    columns = {}
    for name in dict.fromkeys(check.column for check in checks if check.column):
        mine = [check for check in checks if check.column == name]
        kinds = {check.kind for check in mine}
        columns[name] = pa.Column(
            checks=[found for check in mine if (found := custom(check))],
            nullable="not_null" not in kinds,
            unique="unique" in kinds,
        )
    whole = [custom(check) for check in checks if not check.column]
    return pa.DataFrameSchema(columns, checks=whole)


def prepare(job: Job) -> tuple[Callable[[], Failures], Callable[[Failures], Answer]]:
    """Build the schema once; a run reads the file and validates the frame."""
    rules = schema(job.checks)
    frame = pl.read_parquet(job.path) if job.source == "memory" else None
    load = pl.read_csv if job.source == "csv" else pl.read_parquet

    def run() -> Failures:
        try:
            rules.validate(load(job.path) if frame is None else frame, lazy=True)
        except pa.errors.SchemaErrors as error:
            return list(error.schema_errors)
        return []

    def read(failures: Failures) -> Answer:
        found = {}
        for failure in failures:
            check = failure.check
            key = check if isinstance(check, str) else check.name
            column = "" if key not in (NULLS, DUPLICATES) else failure.schema.name
            found[key, column] = failure.failure_cases
        counts: dict[str, int | None] = {}
        verdicts = {}
        for check in job.checks:
            special = {"not_null": NULLS, "unique": DUPLICATES}.get(check.kind)
            key = (special, check.column) if special else (check.name, "")
            cases = found.get(key)
            verdicts[check.name] = cases is None
            rows = 0 if cases is None else cases.height
            counts[check.name] = rows if check.counts_rows else None
        return Answer(counts, verdicts)

    return run, read


if __name__ == "__main__":
    main("pandera", prepare)
