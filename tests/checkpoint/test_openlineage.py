"""Events of OpenLineage, judged by the models of openlineage-python."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from openlineage.client import event_v2, facet_v2
from openlineage.client.generated import base
from openlineage.client.naming import dataset as naming
from openlineage.client.serde import Serde

import truthound.async_core.http  # noqa: F401 - imports block a running loop
from probes import ROWS, checkpoint
from scripted_server import Received, reply, serving
from truthound.checkpoint import Checkpoint, CheckpointResult
from truthound.checkpoint._trial import try_action
from truthound.checkpoint.actions import OpenLineageAction
from truthound.checkpoint.actions._lineage import dataset_of, lineage_id
from truthound.errors import ConfigurationError

RESULT = checkpoint("rides", ROWS).run()
MIXED = Checkpoint(
    "mixed",
    data_source={"id": [1, 2, 2], "fare": [1.0, None, 3.0]},
    validators=[
        "null",
        {"unique": {"column": "id"}},
        {"range": {"column": "fare", "min": 0, "where": "id > 1"}},
        {"duplicate": {"columns": ["id", "fare"]}},
    ],
).run()
ERROR = replace(
    RESULT, status="error", validation_run=None, error="there is no file rides.csv"
)
ASSERTIONS = facet_v2.data_quality_assertions_dataset
METRICS = facet_v2.data_quality_metrics_input_dataset
PARENT = facet_v2.parent_run
# What each facet becomes, by its key.
MODELS: dict[str, Any] = {
    "dataQualityAssertions": ASSERTIONS.DataQualityAssertionsDatasetFacet,
    "dataQualityMetrics": METRICS.DataQualityMetricsInputDatasetFacet,
    "errorMessage": facet_v2.error_message_run.ErrorMessageRunFacet,
    "jobType": facet_v2.job_type_job.JobTypeJobFacet,
    "nominalTime": facet_v2.nominal_time_run.NominalTimeRunFacet,
    "parent": PARENT.ParentRunFacet,
}


def facet(key: str, given: dict[str, Any]) -> Any:
    """Make a facet of what was sent: an unknown field is an error."""
    fields = dict(given)
    producer, schema = fields.pop("_producer"), fields.pop("_schemaURL")
    if key == "dataQualityAssertions":
        fields["assertions"] = [
            ASSERTIONS.Assertion(**one) for one in fields["assertions"]
        ]
    if key == "dataQualityMetrics":
        columns = fields["columnMetrics"]
        fields["columnMetrics"] = {
            name: METRICS.ColumnMetrics(**columns[name]) for name in columns
        }
    if key == "parent":
        fields["run"] = PARENT.Run(**fields["run"])
        fields["job"] = PARENT.Job(**fields["job"])
    made = MODELS[key](producer=producer, **fields)
    assert schema == made._get_schema()
    return made


def event_of(sent: dict[str, Any]) -> event_v2.RunEvent:
    """Make an event of what was sent, and see that the models say the same."""
    run, job = sent["run"], sent["job"]
    made = event_v2.RunEvent(
        eventType=event_v2.RunState[sent["eventType"]],
        eventTime=sent["eventTime"],
        producer=sent["producer"],
        run=event_v2.Run(
            run["runId"], {k: facet(k, v) for k, v in run["facets"].items()}
        ),
        job=event_v2.Job(
            job["namespace"],
            job["name"],
            {k: facet(k, v) for k, v in job["facets"].items()},
        ),
        inputs=[
            base.InputDataset(
                one["namespace"],
                one["name"],
                {k: facet(k, v) for k, v in one["inputFacets"].items()},
                facets={k: facet(k, v) for k, v in one["facets"].items()},
            )
            for one in sent["inputs"]
        ],
        outputs=sent["outputs"],
    )
    again = json.loads(Serde.to_json(made))
    assert _bare(again) == _bare(sent)
    return made


def _bare(value: Any) -> Any:
    """Return a value without what is empty: the models add some."""
    if isinstance(value, dict):
        found = {k: _bare(v) for k, v in value.items()}
        return {k: v for k, v in found.items() if v not in ({}, [], None)}
    return [_bare(v) for v in value] if isinstance(value, list) else value


def receiving(request: Received) -> bytes:
    """Answer as a server of OpenLineage does: what the models refuse is a 422."""
    try:
        assert request.target == "/api/v1/lineage"
        assert request.headers["content-type"] == "application/json"
        event_of(json.loads(request.body))
    except Exception as error:
        return reply(422, repr(error).encode())
    return reply(201)


async def events(result: CheckpointResult, **options: Any) -> list[dict[str, Any]]:
    """Return what is sent for a result; a server has taken it."""
    async with serving(receiving) as server:
        action = OpenLineageAction(url=server.url, **options)
        told = await action.execute_async(result)
    assert told.status == "success", told.error
    assert told.details["lineage_run_id"] == lineage_id(result.run_id)
    return [json.loads(request.body) for request in server.requests]


@pytest.mark.parametrize("result", [RESULT, MIXED, ERROR], ids=["ok", "mixed", "error"])
async def test_models_take_every_event(result: CheckpointResult) -> None:
    start, end = await events(result)

    assert start["eventType"] == "START"
    assert end["eventType"] == ("FAIL" if result is ERROR else "COMPLETE")
    assert start["run"]["runId"] == end["run"]["runId"]
    assert start["eventTime"] <= end["eventTime"]
    assert end["job"]["name"] == result.checkpoint_name


async def test_assertions_say_what_was_found() -> None:
    _, end = await events(MIXED)

    facets = end["inputs"][0]["inputFacets"]
    found = {one["name"]: one for one in facets["dataQualityAssertions"]["assertions"]}
    assert [one["success"] for one in found.values()] == [
        check.success for check in MIXED.validation_run.checks
    ]
    null = found["null(fare)"]
    assert (null["assertion"], null["column"]) == ("not_null", "fare")
    assert null["params"] == {"checked": 3, "failed": 1, "severity": "high"}
    assert null["severity"] == "warn"
    assert "severity" not in found["null(id)"]
    several = [one for one in found.values() if "columns" in one["params"]]
    assert several[0]["params"]["columns"] == ["id", "fare"]
    assert any(one["params"].get("where") == "id > 1" for one in found.values())
    metrics = facets["dataQualityMetrics"]
    assert metrics["rowCount"] == 3
    assert metrics["columnMetrics"] == {
        "id": {"nullCount": 0},
        "fare": {"nullCount": 1},
    }


async def test_run_that_could_not_be_completed_says_why() -> None:
    _, end = await events(ERROR)

    message = end["run"]["facets"]["errorMessage"]
    assert message["message"] == ERROR.error
    assert "dataQualityAssertions" not in end["inputs"][0]["inputFacets"]


async def test_ids_are_the_same_each_time_and_differ() -> None:
    first, second = await events(RESULT), await events(RESULT)

    assert first == second
    assert UUID(first[0]["run"]["runId"]).version == 5
    assert lineage_id("a") != lineage_id("b")


async def test_only_the_end_is_told_without_a_start_event() -> None:
    (end,) = await events(RESULT, start_event=False)

    assert end["eventType"] == "COMPLETE"


async def test_parent_and_nominal_time(monkeypatch: pytest.MonkeyPatch) -> None:
    parent = "0190c1e0-7b3c-7000-8000-0123456789ab"
    upstream = {"upstream": {"checkpoint": "loaded", "run_id": "loaded_1"}}
    due = {"nominal_time": "2026-11-29T03:00:00+00:00"}
    after, _ = await events(replace(RESULT, metadata={**upstream, **due}))
    given, _ = await events(RESULT, parent=f"airflow/dag/task.1/{parent}")
    monkeypatch.setenv("OPENLINEAGE_PARENT_ID", f"dbt/job/{parent}")
    known, _ = await events(RESULT)

    found = after["run"]["facets"]
    assert found["parent"]["run"]["runId"] == lineage_id("loaded_1")
    assert found["parent"]["job"] == {"namespace": "truthound", "name": "loaded"}
    assert found["nominalTime"]["nominalStartTime"] == due["nominal_time"]
    assert given["run"]["facets"]["parent"]["job"] == {
        "namespace": "airflow",
        "name": "dag/task.1",
    }
    assert known["run"]["facets"]["parent"]["run"]["runId"] == parent


async def test_key_and_path_of_the_server() -> None:
    async with serving(lambda request: reply(200)) as server:
        action = OpenLineageAction(
            url=f"{server.url}/base/?a=${{b}}".replace("${b}", "b"),
            endpoint="/v2/",
            api_key="k3y",
            dataset_namespace="lake",
            dataset_name="rides",
            producer="https://example.com/v1",
        )
        await action.execute_async(RESULT)

    request = server.requests[0]
    sent = json.loads(request.body)
    assert request.target == "/base/v2?a=b"
    assert request.headers["authorization"] == "Bearer k3y"
    assert (sent["inputs"][0]["namespace"], sent["inputs"][0]["name"]) == (
        "lake",
        "rides",
    )
    assert sent["producer"] == "https://example.com/v1"


async def test_what_the_server_refuses_is_said_without_the_key() -> None:
    async with serving(lambda request: reply(422, b"bad k3y-secret")) as server:
        action = OpenLineageAction(url=server.url, api_key="k3y-secret")
        told = await action.execute_async(RESULT)

    assert told.status == "error"
    assert str(told.error).endswith("answered 422: bad ***")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("/lake/a.csv", naming.LocalFileSystem("/lake/a.csv")),
        ("file:///lake/a%20b.csv", naming.LocalFileSystem("/lake/a b.csv")),
        ("file://nas/a.csv", naming.RemoteFileSystem("nas", "/a.csv")),
        ("s3://bucket/a/b.parquet", naming.S3("bucket", "a/b.parquet")),
        ("s3a://bucket/a", naming.S3("bucket", "a")),
        ("gcs://bucket/a", naming.GCS("bucket", "a")),
        ("abfss://c@s.dfs.core.windows.net/a/b", naming.ABFSS("c", "s", "a/b")),
        ("postgresql://u:p@db/x.s.t", naming.Postgres("db", "5432", "x", "s", "t")),
        ("mysql+aiomysql://u:p@db:1/x.t", naming.MySQL("db", "1", "x", "t")),
        ("hdfs://nn:8020/a", naming.HDFS("nn", "8020", "/a")),
    ],
)  # fmt: skip
def test_data_is_named_by_the_rules(source: str, expected: Any) -> None:
    assert dataset_of(source, "x") == (expected.get_namespace(), expected.get_name())


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("https://u:p@host:8443/a.csv?token=x", ("https://host:8443", "/a.csv")),
        ("DataFrame", ("ns", "DataFrame")),
        ("", ("ns", "unknown")),
        ("data/rides.csv", ("file", "data/rides.csv")),
    ],
)  # fmt: skip
def test_other_data_has_a_name_too(source: str, expected: Any) -> None:
    assert dataset_of(source, "ns") == expected


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "url is missing"),
        ({"url": "http://x", "namespace": ""}, "namespace is a text"),
        ({"url": "http://x", "parent": "a/b/c"}, "expected NAMESPACE/NAME/ID"),
        ({"url": "http://x", "parent": "a"}, "expected NAMESPACE/NAME/ID"),
        ({"url": "http://x", "producer": "me"}, "producer is a URI"),
    ],
)
def test_wrong_options_are_refused(options: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        OpenLineageAction(**options)


def test_unset_variables_are_told_by_validate() -> None:
    action = OpenLineageAction(url="ftp://x", api_key="${NOT_SET_ANYWHERE}")

    address, key = action.validate_config()
    assert "expected an address" in address
    assert "NOT_SET_ANYWHERE is not set" in key


async def test_test_is_of_a_job_and_of_data_that_there_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(
        "OPENLINEAGE_PARENT_ID", "dbt/job/0190c1e0-7b3c-7000-8000-0123456789ab"
    )
    async with serving(receiving) as server:
        action = OpenLineageAction(url=server.url, dataset_name="lake.rides")
        told, _ = await try_action(action, "rides")
    assert told.success, told.error
    for request in server.requests:
        event = json.loads(request.body)
        assert event["job"]["name"] == "rides.truthound-test"
        assert event["inputs"][0]["name"] == "lake.rides.truthound-test"
        assert "parent" not in event["run"]["facets"]
