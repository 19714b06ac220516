"""Soda: a data contract verified on DuckDB.

A file is a DuckDB view over it, so that DuckDB reads only what the contract's
queries name; loading it into a table first is slower. A frame in memory is a
DuckDB table. The contract file is parsed in every run, as the one public function
for it does. Soda has no aggregate for the standard deviation on DuckDB and none
for a quantile: both are `metric` checks with an SQL expression. Usage statistics
are switched off.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ["SODA_CORE_TELEMETRY_ENABLED"] = "false"  # read on import
os.environ["OTEL_SDK_DISABLED"] = "true"

import duckdb
from _harness import Answer, Check, Job, main
from ruamel.yaml import YAML
from soda_core.contracts import verify_contract_locally
from soda_duckdb.common.data_sources.duckdb_data_source import DuckDBDataSourceImpl

if TYPE_CHECKING:
    from collections.abc import Callable

COUNTED = {
    "not_null": "missing_count",
    "range": "invalid_count",
    "unique": "duplicate_count",
    "regex": "invalid_count",
    "in_set": "invalid_count",
}


def between(low: float, high: float) -> dict[str, Any]:
    """Return a threshold with both ends included."""
    ends = {"greater_than_or_equal": low, "less_than_or_equal": high}
    return {"must_be_between": ends}


def soda_checks(check: Check) -> list[dict[str, Any]]:
    """Return the Soda checks of one check, each named after it."""
    options = check.options
    named: dict[str, Any] = {"name": check.name, "qualifier": check.kind}
    if check.kind == "row_count":
        threshold = between(options["min"], options["max"])
        return [{"row_count": {**named, "threshold": threshold}}]
    if check.kind == "not_null":
        return [{"missing": named}]
    if check.kind == "unique":
        return [{"duplicate": named}]
    if check.kind == "mean_std":
        spread = {
            **named,
            "expression": f"stddev_samp({check.column})",
            "threshold": between(*options["std"]),
        }
        mean = {**named, "function": "avg", "threshold": between(*options["mean"])}
        return [{"aggregate": mean}, {"metric": spread}]
    if check.kind == "quantile":
        quantile = f"quantile_cont({check.column}, {options['q']})"
        threshold = {"must_be_less_than_or_equal": options["max"]}
        return [{"metric": {**named, "expression": quantile, "threshold": threshold}}]
    if check.kind == "range":
        valid = {"valid_min": options["min"], "valid_max": options["max"]}
    elif check.kind == "regex":
        valid = {"valid_format": {"name": "pattern", "regex": options["pattern"]}}
    else:
        valid = {"valid_values": options["values"]}
    return [{"invalid": {**named, **valid}}]


def contract(checks: tuple[Check, ...]) -> dict[str, Any]:
    """Put all checks into one contract for the table `bench`."""
    columns: dict[str, list[Any]] = {}
    whole: list[Any] = []
    for check in checks:
        place = columns.setdefault(check.column, []) if check.column else whole
        place.extend(soda_checks(check))
    written: dict[str, Any] = {
        "dataset": "duck/main/bench",
        "columns": [{"name": name, "checks": mine} for name, mine in columns.items()],
    }
    return {**written, "checks": whole} if whole else written


def prepare(job: Job) -> tuple[Callable[[], Any], Callable[[Any], Answer]]:
    """Write the contract once; a run opens the file and verifies it."""
    agreement = Path("contract.yml").resolve()
    with agreement.open("w", encoding="utf-8") as file:
        YAML().dump(contract(job.checks), file)
    reader = "read_csv" if job.source == "csv" else "read_parquet"
    kind = "TABLE" if job.source == "memory" else "VIEW"

    def connect() -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(":memory:")
        path = job.path.replace("'", "''")
        connection.execute(f"CREATE {kind} bench AS SELECT * FROM {reader}('{path}')")
        return connection

    kept = connect() if job.source == "memory" else None

    def run() -> Any:
        connection = kept or connect()
        source = DuckDBDataSourceImpl.from_existing_cursor(connection, name="duck")
        session = verify_contract_locally(
            data_sources=[source], contract_file_path=str(agreement), publish=False
        )
        if kept is None:
            connection.close()
        return session

    def read(session: Any) -> Answer:
        (verified,) = session.contract_verification_results
        if not verified.check_results:
            raise RuntimeError(session.get_errors_str())
        counts: dict[str, int | None] = {check.name: None for check in job.checks}
        verdicts = {check.name: True for check in job.checks}
        kinds = {check.name: check.kind for check in job.checks}
        for result in verified.check_results:
            name = result.check.name
            values = result.diagnostic_metric_values
            rows = values.get(COUNTED.get(kinds[name], ""))
            counts[name] = None if rows is None else int(rows)
            verdicts[name] = verdicts[name] and result.is_passed
        return Answer(counts, verdicts)

    return run, read


if __name__ == "__main__":
    main("soda-core", prepare)
