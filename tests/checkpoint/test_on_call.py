"""PagerDuty and Opsgenie: what opens an incident, and what resolves it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import truthound.async_core.http  # noqa: F401 - imports block a running loop
from on_call_servers import API_KEY, ROUTING_KEY, Opsgenie, PagerDuty
from probes import ROWS, WHOLE, checkpoint
from scripted_server import Received, reply, serving
from truthound.checkpoint import CheckpointResult, CheckpointStatus
from truthound.checkpoint._trial import try_action
from truthound.checkpoint.actions import OpsGenieAction, PagerDutyAction
from truthound.checkpoint.messages.message import grouped
from truthound.errors import ConfigurationError, UnknownOptionError
from truthound.validators import Severity

BAD: CheckpointResult = checkpoint("rides", ROWS, tags={"team": "fares"}).run()
GOOD: CheckpointResult = checkpoint("rides", WHOLE).run()
AUTHORISED = {"authorization": f"GenieKey {API_KEY}"}


def with_severity(severity: str | None, **changes: Any) -> CheckpointResult:
    """Return a bad run of which the worst finding is so bad."""
    run = BAD.validation_run
    (issue,) = run.issues
    parsed = None if severity is None else Severity.parse(severity)
    found = replace(run, checks=[replace(issue, severity=parsed, **changes)])
    return replace(BAD, status=CheckpointStatus.FAILURE, validation_run=found)


def pagerduty(url: str, **options: Any) -> PagerDutyAction:
    options.setdefault("retry_delay_seconds", 0)
    options.setdefault("routing_key", ROUTING_KEY)
    return PagerDutyAction(api_url=f"{url}/v2/enqueue", **options)


def opsgenie(url: str, **options: Any) -> OpsGenieAction:
    options.setdefault("retry_delay_seconds", 0)
    options.setdefault("api_key", API_KEY)
    return OpsGenieAction(api_url=url, **options)


both = pytest.mark.parametrize(
    ("make", "vendor"),
    [
        pytest.param(pagerduty, PagerDuty, id="pagerduty"),
        pytest.param(opsgenie, Opsgenie, id="opsgenie"),
    ],
)


@both
async def test_only_what_may_be_open_is_resolved(make: Any, vendor: Any) -> None:
    """A resolve after each success would be thousands of requests for nothing."""
    there = vendor()
    async with serving(there) as server:
        action = make(server.url)
        told = [await action.execute_async(run) for run in (GOOD, GOOD, BAD, GOOD)]
    # BAD began before GOOD, so it is nothing new.
    assert [one.status for one in told] == ["success", "skipped", "skipped", "skipped"]
    assert there.open == {}


# --------------------------------------------------------------------- PagerDuty


async def test_pagerduty_bad_run_opens_and_good_run_resolves_one_incident() -> None:
    vendor = PagerDuty()
    async with serving(vendor) as server:
        action = pagerduty(server.url)
        opened = [await action.execute_async(BAD) for _ in range(2)]
        assert list(vendor.open) == ["truthound:rides"]
        resolved = await action.execute_async(GOOD)

    assert [one.status for one in (*opened, resolved)] == ["success"] * 3
    assert vendor.open == {}
    assert [e["event_action"] for e in vendor.events] == [
        *("trigger", "trigger", "resolve")
    ]
    assert opened[0].details == {
        "status_code": 202,
        "event_action": "trigger",
        "dedup_key": "truthound:rides",
        "thread": "truthound:rides",
    }


async def test_pagerduty_event_says_what_was_found() -> None:
    vendor = PagerDuty()
    async with serving(vendor) as server:
        action = pagerduty(
            server.url,
            component="warehouse",
            group="data",
            class_type="quality",
            custom_details={"runbook": "R7", "tries": 3},
            client_url="https://example.com/checks",
            links={"Run": "https://example.com/{checkpoint}"},
        )
        assert (await action.execute_async(BAD)).success

    (event,) = vendor.events
    payload = event["payload"]
    assert payload["summary"].startswith("rides: warning: null(fare): ")
    assert payload["source"] == BAD.data_asset
    assert payload["timestamp"] == BAD.run_time.isoformat()
    named = {key: payload[key] for key in ("component", "group", "class")}
    assert named == {"component": "warehouse", "group": "data", "class": "quality"}
    details = payload["custom_details"]
    assert (details["runbook"], details["tries"], details["Rows"]) == ("R7", 3, "3")
    assert "null(fare)" in details["Check 1"]
    assert event["links"] == [{"href": "https://example.com/rides", "text": "Run"}]
    assert event["client_url"] == "https://example.com/checks"


@pytest.mark.parametrize(
    ("worst", "severity", "priority"),
    [
        ("critical", "critical", "P1"),
        ("high", "error", "P2"),
        ("medium", "warning", "P3"),
        ("low", "info", "P4"),
        (None, "error", "P5"),
    ],
)
async def test_worst_finding_decides(
    worst: str | None, severity: str, priority: str
) -> None:
    events, alerts = PagerDuty(), Opsgenie()
    async with serving(events) as one, serving(alerts) as other:
        await pagerduty(one.url).execute_async(with_severity(worst))
        await opsgenie(other.url, priority="P5").execute_async(with_severity(worst))
        fixed = pagerduty(one.url, auto_severity=False, severity="warning")
        await fixed.execute_async(with_severity(worst))
        alike = opsgenie(other.url, auto_priority=False, priority="P1")
        await alike.execute_async(with_severity(worst))

    assert [e["payload"]["severity"] for e in events.events] == [severity, "warning"]
    assert [a["priority"] for a in alerts.created] == [priority, "P1"]


async def test_run_that_could_not_be_completed_is_an_error() -> None:
    broken = replace(
        GOOD, status=CheckpointStatus.ERROR, validation_run=None, error="no file\nhere"
    )
    events, alerts = PagerDuty(), Opsgenie()
    async with serving(events) as one, serving(alerts) as other:
        await pagerduty(one.url).execute_async(broken)
        await opsgenie(other.url).execute_async(broken)

    assert events.events[0]["payload"]["summary"] == "rides: error: no file here"
    assert events.events[0]["payload"]["severity"] == "error"
    assert alerts.created[0]["priority"] == "P2"


@both
async def test_example_rows_are_told_if_asked_for(
    make: Callable[..., Any], vendor: Callable[..., Any]
) -> None:
    there = vendor()
    run = checkpoint("rides", ROWS, sample_rows=1).run()
    async with serving(there) as server:
        for rows in (0, 1):
            told = await make(server.url, include_examples=rows).execute_async(run)
            assert told.success, told.error

    if isinstance(there, PagerDuty):
        without, with_rows = (e["payload"]["custom_details"] for e in there.events)
    else:
        without, with_rows = (alert["details"] for alert in there.created)
    assert "Rows of check 1" not in without
    assert "fare: null" in with_rows["Rows of check 1"]


@both
async def test_limits_of_the_vendor_are_kept(
    make: Callable[..., Any], vendor: Callable[..., Any]
) -> None:
    long = "<é\ud800\n\0" * 9_000
    run = with_severity("critical", name=long, message=long)
    tags = {f"key{n}": "v" * 90 for n in range(40)}
    run = replace(
        run,
        checkpoint_name=long,
        data_asset=long,
        error=long,
        metadata={"tags": tags},
    )
    there = vendor()
    async with serving(there) as server:
        told = await make(server.url).execute_async(run)
        assert len(there.open) == 1, told.error
        ended = replace(run, status=CheckpointStatus.SUCCESS, error=None)
        told = await make(server.url).execute_async(ended)

    assert told.success, told.error
    assert there.open == {}, "another key resolves than opens"


@both
async def test_long_keys_that_begin_alike_stay_apart(
    make: Callable[..., Any], vendor: Callable[..., Any]
) -> None:
    there = vendor()
    async with serving(there) as server:
        for end in "ab":
            run = replace(BAD, checkpoint_name="x" * 600 + end)
            assert (await make(server.url).execute_async(run)).success

    assert len(there.open) == 2


@both
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_busy_vendor_is_asked_again(
    make: Callable[..., Any], vendor: Callable[..., Any], status: int
) -> None:
    there = vendor(reply(status, retry_after=0))
    async with serving(there) as server:
        told = await make(server.url, retry_count=1).execute_async(BAD)

    assert told.success, told.error
    assert told.details["attempts"] == 2


@both
@pytest.mark.parametrize("status", [400, 401, 403, 422, 200])
async def test_no_is_no(
    make: Callable[..., Any], vendor: Callable[..., Any], status: int
) -> None:
    there = vendor(reply(status, b'{"message": "never"}'))
    async with serving(there) as server:
        told = await make(server.url, retry_count=3).execute_async(BAD)

    assert told.status == "error"
    assert f"answered {status}: " in str(told.error)
    assert "never" in str(told.error)
    assert len(server.requests) == 1


async def test_pagerduty_key_of_another_length_is_refused_and_foretold() -> None:
    async with serving(PagerDuty()) as server:
        action = pagerduty(server.url, routing_key="short-canary")
        told = await action.execute_async(BAD)

    assert action.validate_config() == [
        "routing_key has 32 characters, this one 12",
    ]
    assert "answered 400: " in str(told.error)
    assert "32 characters" in str(told.error)
    assert "canary" not in str(told.to_dict())


@both
async def test_keys_are_seen_nowhere(
    make: Callable[..., Any],
    vendor: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    canary = ROUTING_KEY if make is pagerduty else API_KEY
    echo = json.dumps({"message": f"the key {canary} is unknown"}).encode()
    there = vendor(reply(400, echo))
    async with serving(there) as server:
        action = make(server.url)
        told = [await action.execute_async(BAD) for _ in range(2)]
    shown = [
        repr(action),
        repr(action.config),
        str(checkpoint(actions=[action]).to_dict()),
        *(str(one.to_dict()) for one in told),
        caplog.text,
    ]

    assert "the key *** is unknown" in shown[3]
    assert told[1].success
    assert canary not in "".join(shown)
    assert "c4n4ry" not in "".join(shown)


@both
async def test_test_message_is_labelled_and_touches_no_incident(
    make: Callable[..., Any], vendor: Callable[..., Any]
) -> None:
    there = vendor()
    async with serving(there) as server:
        told, (shown,) = await try_action(make(server.url), "rides")

    assert told.success, told.error
    assert list(there.open) == ["truthound:rides:test"]
    assert "TEST, nothing has happened" in shown.body
    assert "c4n4ry" not in str(shown)


@both
async def test_policy_sends_what_changes_and_resolves_after_a_restart(
    make: Callable[..., Any], vendor: Callable[..., Any]
) -> None:
    there = vendor()
    async with serving(there) as server:
        action = make(server.url, alerts="change")
        runs = [BAD, replace(BAD, run_id="b"), replace(GOOD, run_id="c")]
        told = [await action.execute_async(run) for run in runs]
        assert there.open == {}
        await make(server.url).execute_async(BAD)
        again = await make(server.url, alerts="change").execute_async(GOOD)

    assert [one.status for one in told] == ["success", "skipped", "success"]
    assert again.success
    assert there.open == {}


@both
async def test_checkpoints_told_together_have_an_incident_each(
    make: Callable[..., Any], vendor: Callable[..., Any]
) -> None:
    there = vendor()
    other = replace(BAD, checkpoint_name="fares")
    async with serving(there) as server:
        action = make(server.url)
        message = grouped([action._message(BAD), action._message(other)])
        told = await action._notify(message, BAD)

    assert told.success
    assert list(there.open) == ["truthound:rides", "truthound:fares"]


@both
async def test_success_is_not_told_if_it_resolves_nothing(
    make: Callable[..., Any], vendor: Callable[..., Any]
) -> None:
    option = "resolve_on_success" if make is pagerduty else "close_on_success"
    async with serving(vendor()) as server:
        told = await make(server.url, **{option: False}).execute_async(GOOD)

    assert told.status == "skipped"
    assert server.requests == []


TEXTS = st.text() | st.text(alphabet="aé\0\ud800 \n", min_size=100).map(
    lambda t: t * 99
)


@given(name=TEXTS, said=TEXTS, key=st.text(), value=TEXTS)
def test_any_text_is_taken(name: str, said: str, key: str, value: str) -> None:
    run = with_severity("high", name=name, message=said)
    tags = {"tags": {key: value}}
    run = replace(
        run, checkpoint_name=name, data_asset=said, error=value, metadata=tags
    )
    for vendor, action, target, headers in (
        (PagerDuty(), pagerduty("http://x"), "/v2/enqueue", {}),
        (Opsgenie(), opsgenie("http://x"), "/v2/alerts", AUTHORISED),
    ):
        body = json.dumps(action._build_payload(run)).encode()
        answer = vendor(Received("POST", target, headers, body, 0, 0.0))
        assert answer.startswith(b"HTTP/1.1 202"), answer


# ---------------------------------------------------------------------- Opsgenie


async def test_opsgenie_bad_runs_are_one_alert_that_a_good_one_closes() -> None:
    vendor = Opsgenie()
    odd = replace(BAD, checkpoint_name="fares / é?#")
    async with serving(vendor) as server:
        action = opsgenie(server.url)
        opened = [await action.execute_async(odd) for _ in range(2)]
        assert vendor.open == {"truthound:fares / é?#": 2}
        closed = await action.execute_async(
            replace(odd, status=CheckpointStatus.SUCCESS)
        )

    assert closed.success, closed.error
    assert vendor.open == {}
    assert opened[0].details == {
        "status_code": 202,
        "alias": "truthound:fares / é?#",
        "request_id": "request-1-0",
        "thread": "truthound:fares / é?#",
    }


async def test_opsgenie_alert_says_what_was_found() -> None:
    vendor = Opsgenie()
    team = {"type": "team", "name": "Data"}
    async with serving(vendor) as server:
        action = opsgenie(
            server.url,
            responders=[team],
            tags=["data"],
            actions=["rerun"],
            details={"runbook": "R7"},
        )
        assert (await action.execute_async(BAD)).success

    (alert,) = vendor.created
    assert alert["message"].startswith("rides: warning: null(fare)")
    assert alert["responders"] == [team]
    assert alert["tags"] == ["data", "team:fares"]
    assert alert["actions"] == ["rerun"]
    assert alert["entity"] == BAD.data_asset
    assert (alert["details"]["runbook"], alert["details"]["Rows"]) == ("R7", "3")
    assert "null(fare)" in alert["description"]


async def test_opsgenie_details_fit_whatever_is_given() -> None:
    vendor = Opsgenie()
    given = {"runbook": "R" * 5_000, "owner": "o" * 5_000, "more": "m"}
    async with serving(vendor) as server:
        told = await opsgenie(server.url, details=given).execute_async(BAD)

    assert told.success, told.error
    details = vendor.created[0]["details"]
    assert details["runbook"] == given["runbook"]
    assert details["owner"].endswith("…")


async def test_jira_takes_the_same_at_another_place() -> None:
    vendor = Opsgenie(base="/jsm/ops/integration")
    async with serving(vendor) as server:
        place = f"{server.url}/jsm/ops/integration"
        action = opsgenie(
            place, region="jira", responders=[{"type": "user", "id": "7"}]
        )
        opened = await action.execute_async(BAD)
        closed = await action.execute_async(GOOD)

    assert opened.success, opened.error
    assert closed.success, closed.error
    assert vendor.closed == ["truthound:rides"]


@pytest.mark.parametrize(
    ("region", "address"),
    [
        ("us", "https://api.opsgenie.com"),
        ("eu", "https://api.eu.opsgenie.com"),
        ("jira", "https://api.atlassian.com/jsm/ops/integration"),
    ],
)
def test_region_decides_where_to_send(region: str, address: str) -> None:
    action = OpsGenieAction(api_key=API_KEY, region=region)
    assert action.config.api_url == address


# ------------------------------------------------------------------ wrong options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"routing_key": ""}, "the option routing_key is missing"),
        ({"severity": "eror"}, "did you mean 'error'?"),
        ({"dedup_key_template": "{run_id}"}, "may name {checkpoint}, {source}"),
        ({"dedup_key_template": "{chekpoint}"}, "did you mean 'checkpoint'?"),
        ({"dedup_key_template": ""}, "dedup_key_template is empty"),
        ({"custom_details": "x"}, "custom_details is a mapping"),
    ],
)
def test_pagerduty_option_that_makes_no_sense(
    options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said.replace("?", r"\?")):
        pagerduty("http://x", **options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"api_key": ""}, "the option api_key is missing"),
        ({"region": "uk"}, "region is us, eu, jira, not 'uk'"),
        ({"priority": "P0"}, "priority is P1"),
        ({"alias_template": ""}, "alias_template is empty"),
        ({"alias_template": "{status}"}, "may name {checkpoint}"),
        ({"tags": ["x"] * 21}, "tags: at most 20 of them"),
        ({"tags": ["x" * 51]}, "tags: expected a text of 1 to 50"),
        ({"tags": "data"}, "tags is a list"),
        ({"responders": ["Ann"]}, "responders: expected a type of team"),
        ({"responders": [{"type": "team"}]}, "responders: expected type and id"),
        (
            {"region": "jira", "responders": [{"type": "team", "name": "x"}]},
            "responders: expected type and id, not",
        ),
        ({"details": {"a": 1}}, "details is a mapping of texts"),
    ],
)
def test_opsgenie_option_that_makes_no_sense(
    options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        opsgenie("http://x", **options)


@both
def test_address_that_is_none_is_told_before_it_is_used(
    make: Callable[..., Any], vendor: object
) -> None:
    (said,) = make("ftp://x").validate_config()
    assert said.startswith("api_url: expected an address that begins with https://")


def test_option_of_another_name_is_named() -> None:
    with pytest.raises(UnknownOptionError, match="did you mean 'routing_key'"):
        PagerDutyAction(routingkey=ROUTING_KEY)


def test_variable_that_is_not_set_is_told() -> None:
    (said,) = PagerDutyAction(routing_key="${NO_SUCH_KEY}").validate_config()
    assert said == "the environment variable NO_SUCH_KEY is not set"
