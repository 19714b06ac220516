"""Events of OpenLineage: what a run has read, and what was found in it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

from truthound.checkpoint.model import CheckpointResult, CheckpointStatus
from truthound.secrets import without_password
from truthound.validators import CheckResult, Severity, ValidationRun

SPEC = "https://openlineage.io/spec"
EVENT = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
# By name, the versions of the facets that are sent.
FACETS = {
    "DataQualityAssertionsDatasetFacet": "1-1-0",
    "DataQualityMetricsInputDatasetFacet": "1-0-3",
    "ErrorMessageRunFacet": "1-0-1",
    "JobTypeJobFacet": "2-0-4",
    "NominalTimeRunFacet": "1-0-1",
    "ParentRunFacet": "1-2-0",
}
# Names that other tools know, by rules.
ASSERTIONS = {"null": "not_null"}
NULLS = {"null", "not_null"}
_OF_RUNS = uuid.uuid5(uuid.NAMESPACE_URL, "urn:truthound:run")
# As OpenLineage calls places, by how addresses call them.
_SCHEMES = {"gcs": "gs", "postgresql": "postgres", "s3a": "s3", "s3n": "s3"}
_PORTS = {"postgres": 5432, "mysql": 3306, "redshift": 5439}
_OBJECTS = {"s3", "gs", "abfs", "abfss", "wasb", "wasbs"}
LONGEST = 10_000  # characters of a message


def lineage_id(run_id: str) -> str:
    """Return the id of a run as a UUID, the same wherever it is asked for."""
    return str(uuid.uuid5(_OF_RUNS, run_id))


def dataset_of(source: str, namespace: str) -> tuple[str, str]:
    """Return the namespace and the name of data, by the rules of OpenLineage.

    Args:
        source: as results call it.
        namespace: for what has no place, such as a frame.
    """
    parts = urlsplit(without_password(source)) if "://" in source else None
    if parts is None:
        is_path = "/" in source or "\\" in source or "." in source
        return ("file" if is_path else namespace), source or "unknown"
    scheme = _SCHEMES.get(
        parts.scheme.partition("+")[0], parts.scheme.partition("+")[0]
    )
    path = unquote(parts.path)
    if scheme == "file":
        return (f"file://{parts.netloc}" if parts.netloc else "file"), path
    host = parts.netloc if scheme in _OBJECTS else parts.netloc.rpartition("@")[2]
    if scheme in _PORTS and ":" not in host:
        host = f"{host}:{_PORTS[scheme]}"
    name = path.strip("/") if scheme in (*_OBJECTS, *_PORTS) else path
    return f"{scheme}://{host}", name or "/"


class Lineage:
    """Makes the events of one run.

    Args:
        result: of the run.
        namespace: of its job.
        producer: who makes them, a URI.
        dataset: the namespace and the name of the data.
        parent: namespace, name and id of the run that has started this one.
    """

    def __init__(
        self,
        result: CheckpointResult,
        *,
        namespace: str,
        producer: str,
        dataset: tuple[str, str],
        parent: tuple[str, str, str] | None = None,
    ) -> None:
        self._result = result
        self._namespace = namespace
        self._producer = producer
        self._dataset = dataset
        self._parent = parent

    def start(self) -> dict[str, Any]:
        """Return the event of its beginning."""
        return self._event("START", self._result.run_time, {}, {})

    def end(self) -> dict[str, Any]:
        """Return the event of its end, with what was found."""
        result = self._result
        took = result.duration_ms if 0 <= result.duration_ms < 1e12 else 0.0
        at = result.run_time + timedelta(milliseconds=took)
        run: dict[str, Any] = {}
        if result.error:
            run["errorMessage"] = self._facet(
                "ErrorMessageRunFacet",
                message=result.error[:LONGEST],
                programmingLanguage="PYTHON",
            )
        is_broken = result.status == CheckpointStatus.ERROR
        return self._event("FAIL" if is_broken else "COMPLETE", at, run, self._found())

    def _event(
        self, kind: str, at: datetime, run: Mapping[str, Any], found: Mapping[str, Any]
    ) -> dict[str, Any]:
        result, (namespace, name) = self._result, self._dataset
        return {
            "eventType": kind,
            "eventTime": _moment(at),
            "producer": self._producer,
            "schemaURL": EVENT,
            "run": {
                "runId": lineage_id(result.run_id),
                "facets": {**self._around(), **run},
            },
            "job": {
                "namespace": self._namespace,
                "name": result.checkpoint_name,
                "facets": {
                    "jobType": self._facet(
                        "JobTypeJobFacet",
                        processingType="BATCH",
                        integration="TRUTHOUND",
                        jobType="CHECKPOINT",
                    )
                },
            },
            "inputs": [
                {
                    "namespace": namespace,
                    "name": name,
                    "facets": {},
                    "inputFacets": dict(found),
                }
            ],
            "outputs": [],
        }

    def _around(self) -> dict[str, Any]:
        """Return what is known of the run from outside: its parent, when it was due."""
        facets = {}
        if self._parent is not None:
            namespace, name, run_id = self._parent
            facets["parent"] = self._facet(
                "ParentRunFacet",
                run={"runId": run_id},
                job={"namespace": namespace, "name": name},
            )
        due = self._result.metadata.get("nominal_time")
        if isinstance(due, str):
            facets["nominalTime"] = self._facet(
                "NominalTimeRunFacet", nominalStartTime=due
            )
        return facets

    def _found(self) -> dict[str, Any]:
        """Return the facets of data quality."""
        run = self._result.validation_run
        if not isinstance(run, ValidationRun):
            return {}
        columns: dict[str, dict[str, Any]] = {}
        for check in run.checks:
            column = check.column
            counts_all = check.where is None and check.status != "error"
            if check.validator in NULLS and column is not None and counts_all:
                columns[column] = {"nullCount": check.failed}
        metrics: dict[str, Any] = {"columnMetrics": columns}
        if run.row_count is not None:
            metrics["rowCount"] = run.row_count
        return {
            "dataQualityAssertions": self._facet(
                "DataQualityAssertionsDatasetFacet",
                assertions=[_assertion(check) for check in run.checks],
            ),
            "dataQualityMetrics": self._facet(
                "DataQualityMetricsInputDatasetFacet", **metrics
            ),
        }

    def _facet(self, name: str, **fields: Any) -> dict[str, Any]:
        url = f"{SPEC}/facets/{FACETS[name]}/{name}.json#/$defs/{name}"
        return {"_producer": self._producer, "_schemaURL": url, **fields}


def _assertion(check: CheckResult) -> dict[str, Any]:
    told: dict[str, Any] = {
        "assertion": ASSERTIONS.get(check.validator, check.validator),
        "success": check.success,
        "name": check.name,
        "description": check.error or check.message,
        "params": {"checked": check.checked, "failed": check.failed},
    }
    if check.column is not None:
        told["column"] = check.column
    elif check.columns:
        told["params"]["columns"] = list(check.columns)
    if check.where:
        told["params"]["where"] = check.where
    if check.severity is not None:
        is_worst = check.severity == Severity.CRITICAL
        told["severity"] = "error" if is_worst else "warn"
        told["params"]["severity"] = str(check.severity)
    elif check.status == "error":
        told["severity"] = "error"
    for ours, theirs in (("expected", "expected"), ("observed", "actual")):
        value = getattr(check, ours)
        if value is not None:
            told[theirs] = str(value)
    return told


def _moment(moment: datetime) -> str:
    return (
        moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )
