"""Webhooks that are sent: signed, in an envelope, judged by receivers that refuse."""

from __future__ import annotations

import asyncio
import functools
import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from standardwebhooks import Webhook

import truthound.async_core.http  # noqa: F401 - imports block a running loop
from probes import ROWS, checkpoint
from scripted_server import Received, reply, serving
from truthound.checkpoint import (
    AsyncCheckpointRunner,
    Checkpoint,
    CheckpointStatus,
    _clients,
)
from truthound.checkpoint.actions import WebhookAction
from truthound.checkpoint.actions._notifying import TESTING
from truthound.checkpoint.actions._payload import payload_of
from truthound.checkpoint.hooks import hooks_app
from truthound.checkpoint.triggers import HookTrigger
from truthound.cli._listening import address_of, bound, listening
from truthound.errors import ConfigurationError

RESULT = checkpoint("rides", ROWS).run()
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
CE_REQUIRED = ("specversion", "id", "source", "type")


def webhook(url: str = "http://x", **options: Any) -> WebhookAction:
    options.setdefault("retry_delay_seconds", 0)
    return WebhookAction(url=url, **options)


def test_payload_of_a_result_is_at_hand() -> None:
    told = webhook(include_full_result=False)._build_payload(RESULT)
    assert told["run_id"] == RESULT.run_id
    assert "full_result" not in told


def verifying(request: Received, secret: str = SECRET, fails: int = 0) -> bytes:
    """Answer as a receiver does that knows a secret; the first requests fail."""
    try:
        Webhook(secret).verify(request.body, request.headers, json_parse=False)
    except Exception as error:
        return reply(401, str(error).encode())
    return reply(503 if request.number < fails else 204)


def event_of(request: Received) -> tuple[dict[str, Any], Any]:
    """Read an event as the HTTP binding of CloudEvents 1.0 says."""
    kind = request.headers["content-type"]
    if kind.startswith("application/cloudevents+json"):
        event = json.loads(request.body)
        data = event.pop("data")
    else:
        assert not kind.startswith("application/cloudevents")
        event = {
            name.removeprefix("ce-"): unquote(value, errors="strict")
            for name, value in request.headers.items()
            if name.startswith("ce-")
        }
        assert all(v.isascii() and '"' not in v for v in request.headers.values())
        event["datacontenttype"] = kind
        is_json = kind == "application/json"
        data = json.loads(request.body) if is_json else request.body.decode()
    assert all(isinstance(event[name], str) and event[name] for name in CE_REQUIRED)
    assert event["specversion"] == "1.0"
    assert datetime.fromisoformat(event["time"]).tzinfo is not None
    assert all(name.isalnum() and name == name.lower() for name in event)
    return event, data


# -------------------------------------------------------------------------- signatures


@pytest.mark.parametrize("transport", ["aiohttp", "httpx2"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"payload_template": "${status} ü \ud800"},
        {"payload_template": {"a": "ü"}},
        {"method": "GET"},
        {"envelope": "cloudevents"},
        {"envelope": "cloudevents", "envelope_mode": "binary"},
        {"signing_secret": SECRET.removeprefix("whsec_")},
        {"signing_secret": [OTHER, SECRET]},
        {"auth_type": "bearer", "auth_credentials": {"token": "t"}},
    ],
)
async def test_what_is_sent_is_signed(
    options: Any, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_clients, "HAS_AIOHTTP", transport == "aiohttp")
    async with serving(verifying) as server:
        action = webhook(server.url, **{"signing_secret": SECRET, **options})
        told = await action.execute_async(RESULT)

    assert told.status == "success", told.error


async def test_receiver_with_another_secret_refuses() -> None:
    async with serving(functools.partial(verifying, secret=OTHER)) as server:
        told = await webhook(server.url, signing_secret=SECRET).execute_async(RESULT)

    assert told.status == "error"
    assert "401" in str(told.error)
    assert SECRET[6:] not in str(told.error)


async def test_id_is_the_same_for_each_try() -> None:
    script = functools.partial(verifying, fails=2)
    async with serving(script) as server:
        action = webhook(server.url, signing_secret=SECRET, retry_count=2)
        told = await action.execute_async(RESULT)
        await action.execute_async(replace(RESULT, run_id="another"))

    ids = [request.headers["webhook-id"] for request in server.requests]
    assert told.status == "success"
    assert ids[:3] == [f"{RESULT.run_id}:webhook"] * 3
    assert ids[3] == "another:webhook"


async def test_id_is_the_same_when_the_outbox_tries(tmp_path: Path) -> None:
    arrived = asyncio.Event()

    def script(request: Received) -> bytes:
        if request.number:
            arrived.set()
        return verifying(request, fails=1)

    async with serving(script) as server:
        action = webhook(server.url, signing_secret=SECRET, retry_delay_seconds=0.001)
        rides = Checkpoint(
            "rides", data_source=ROWS, validators=["null"], actions=[action]
        )
        async with AsyncCheckpointRunner(store=tmp_path / "s.db") as runner:
            first = await runner.run_once_async(rides)
            async with asyncio.timeout(20):
                await arrived.wait()

    ids = [request.headers["webhook-id"] for request in server.requests]
    (ended,) = first.action_results
    assert (ended.status, ended.details["owed"]) == ("error", True)
    assert ids == [f"{first.run_id}:webhook"] * 2


async def test_id_has_no_full_stop_and_is_not_too_long() -> None:
    async with serving(verifying) as server:
        for run_id in ("v1.2", "x" * 500):
            action = webhook(server.url, name="a.1", signing_secret=SECRET)
            told = await action.execute_async(replace(RESULT, run_id=run_id))
            assert told.status == "success"

    first, second = (request.headers["webhook-id"] for request in server.requests)
    assert first == "v1%2E2:a%2E1"
    assert len(second) == 64


async def test_hook_of_another_runner_understands_it() -> None:
    results: list[Any] = []
    runner = AsyncCheckpointRunner(
        result_callback=results.append, result_queue_size=None, store=False
    )
    trigger = HookTrigger(secret=SECRET)
    runner.add_checkpoint(Checkpoint("in.2", data_source=ROWS, triggers=[trigger]))
    sockets = bound("127.0.0.1", 0)
    async with runner, listening(hooks_app(runner), sockets):
        url = f"{address_of(sockets[0])}/hooks/in.2"
        told = await webhook(url, signing_secret=SECRET).execute_async(RESULT)
        await runner.wait_for_completion_async(10)

    assert told.status == "success", told.error
    (result,) = results
    assert result.metadata["hook"]["body"]["run_id"] == RESULT.run_id


# -------------------------------------------------------------------------- envelopes


@pytest.mark.parametrize("mode", ["structured", "binary"])
async def test_event_has_what_the_standard_wants(mode: str) -> None:
    odd = replace(RESULT, checkpoint_name='a "b" 100% ü', run_id='r "1" ü%')
    async with serving(lambda request: reply(202)) as server:
        action = webhook(server.url, envelope="cloudevents", envelope_mode=mode)
        for result in (RESULT, odd):
            told = await action.execute_async(result)
            assert told.status == "success", told.error

    (event, data), (other, _) = map(event_of, server.requests)
    assert event["id"] == f"{RESULT.run_id}:webhook"
    assert event["source"] == "/truthound/checkpoints/rides"
    assert event["type"] == "dev.truthound.checkpoint.completed"
    assert event["subject"] == RESULT.run_id
    assert datetime.fromisoformat(event["time"]) == RESULT.run_time
    assert event["datacontenttype"] == "application/json"
    assert data["status"] == "warning"
    assert data["full_result"] == RESULT.to_dict()
    assert other["subject"] == 'r "1" ü%'
    assert other["source"] == "/truthound/checkpoints/a%20%22b%22%20100%25%20%C3%BC"


@pytest.mark.parametrize("mode", ["structured", "binary"])
async def test_event_with_a_template_and_a_source(mode: str) -> None:
    async with serving(lambda request: reply(202)) as server:
        action = webhook(
            server.url,
            envelope="cloudevents",
            envelope_mode=mode,
            event_source="https://example.com/dq",
            payload_template="${status} ü",
        )
        await action.execute_async(RESULT)

    event, data = event_of(server.requests[0])
    assert event["source"] == "https://example.com/dq"
    assert event["datacontenttype"] == "text/plain; charset=utf-8"
    assert data == "warning ü"


# ------------------------------------------------------------------- methods and policy


@pytest.mark.parametrize("transport", ["aiohttp", "httpx2"])
@pytest.mark.parametrize("method", ["query", "PURGE", "OPTIONS", "HEAD", "REPORT"])
async def test_method_is_any_that_receivers_know(
    method: str, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_clients, "HAS_AIOHTTP", transport == "aiohttp")
    async with serving(lambda request: reply(200)) as server:
        told = await webhook(server.url, method=method).execute_async(RESULT)

    assert told.status == "success", told.error
    assert server.methods == [method.upper()]
    has_body = method not in ("OPTIONS", "HEAD")
    assert bool(server.requests[0].body) is has_body


async def test_policy_tells_of_changes_only() -> None:
    later = [RESULT.run_time + timedelta(seconds=n) for n in (1, 2)]
    again = replace(RESULT, run_id="again", run_time=later[0])
    well = replace(RESULT, run_id="well", run_time=later[1])
    well.status = CheckpointStatus.SUCCESS
    async with serving(lambda request: reply(200)) as server:
        action = webhook(server.url, alerts="change", custom_message="see here")
        for result in (RESULT, again, well):
            await action.execute_async(result)

    bodies = [json.loads(request.body) for request in server.requests]
    assert [body["run_id"] for body in bodies] == [RESULT.run_id, "well"]
    assert [body["kind"] for body in bodies] == ["alarm", "resolved"]
    assert bodies[0]["note"] == "see here"


async def test_event_of_a_change_says_which() -> None:
    links = {"run book": "https://example.com/{checkpoint}"}
    async with serving(lambda request: reply(200)) as server:
        action = webhook(
            server.url, alerts="change", envelope="cloudevents", links=links
        )
        await action.execute_async(RESULT)

    event, data = event_of(server.requests[0])
    assert event["type"] == "dev.truthound.checkpoint.alarm"
    assert data["kind"] == "alarm"
    assert data["links"] == {"run book": "https://example.com/rides"}


def test_others_that_are_told_together_are_named() -> None:
    action = webhook(include_full_result=False)
    message = action._message(RESULT)
    both = replace(message, others=[replace(message, checkpoint="fares")])

    payload = payload_of(both, RESULT, is_full=False)
    assert payload["others"] == [
        {"checkpoint": "fares", "status": "warning", "run_id": RESULT.run_id}
    ]


@pytest.mark.parametrize("template", [None, "${status}"])
async def test_test_is_labelled(template: Any) -> None:
    token = TESTING.set(True)
    try:
        async with serving(lambda request: reply(200)) as server:
            action = webhook(
                server.url,
                payload_template=template,
                envelope="cloudevents",
                envelope_mode="binary",
            )
            await action.execute_async(RESULT)
    finally:
        TESTING.reset(token)

    (request,) = server.requests
    assert request.headers["truthound-test"] == "true"
    assert request.headers["ce-type"] == "dev.truthound.checkpoint.test"
    if template is None:
        assert json.loads(request.body)["event"] == "checkpoint_test"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"auth_type": "hmac"}, "signed if there is a signing_secret"),
        ({"signing_secret": 3}, "signing_secret: expected a text"),
        ({"signing_secret": [SECRET, ""]}, "one of the secrets is empty"),
        ({"envelope": "cloudevent"}, "did you mean 'cloudevents'"),
        ({"envelope_mode": "batch"}, "envelope_mode is structured, binary"),
        ({"envelope": "cloudevents", "method": "GET"}, "GET has no body"),
        ({"event_source": "a b"}, "reference to a URI"),
        ({"method": "TRACE"}, "method is POST"),
        ({"include_examples": 3}, "is for messages to people"),
    ],
)
def test_wrong_options_are_refused(options: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        webhook(**options)


@pytest.mark.parametrize("given", ["no base64!", "${NOT_SET_ANYWHERE}"])
def test_secret_that_is_none_is_told_by_validate(given: str) -> None:
    (problem,) = webhook(signing_secret=given).validate_config()

    assert "no base64" not in problem
    assert SECRET not in repr(webhook(signing_secret=SECRET).config)
