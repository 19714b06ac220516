# ruff: noqa: ASYNC240 - a test may look at its files
"""The actions of the package: Slack, webhook, stored results, docs, custom."""

from __future__ import annotations

import asyncio
import base64
import functools
import gzip
import json
import logging
import os
import re
import signal
import sys
import threading
import time
import tracemalloc
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

import pytest
import yaml

import truthound.async_core.http  # noqa: F401 - imports block a running loop
from probes import ROWS, checkpoint
from scripted_server import RESET, Received, Script, free_port, reply, serving
from telemetry_reader import Recorded
from truthound.checkpoint import (
    ActionResult,
    CheckpointResult,
    CheckpointStatus,
    _clients,
)
from truthound.checkpoint.actions import (
    CustomAction,
    SlackNotification,
    StoreValidationResult,
    UpdateDataDocs,
    WebhookAction,
    custom,
    store_result,
)
from truthound.errors import ConfigurationError

RESULT: CheckpointResult = checkpoint("rides", ROWS).run()
CANARY = "T0/B0/canary-secret"
HOSTILE = "<!channel> <http://x|pay> &"
STATUSES = ["success", "warning", "failure", "error"]
MEBIBYTE = 2**20


def ended(name: str = "rides", number: int = 0, **changes: Any) -> CheckpointResult:
    """Return the result of another run."""
    run_id = f"{name}_20260302_120000_{number:08x}"
    return replace(RESULT, checkpoint_name=name, run_id=run_id, **changes)


def with_issues(count: int = 1, **changes: Any) -> Any:
    """Return what a run found: as many issues, each with some changes."""
    run = RESULT.validation_run
    (issue,) = run.issues
    checks = [
        replace(issue, **{"name": f"null(c{n})", **changes}) for n in range(count)
    ]
    return replace(run, checks=checks)


def in_turn(*answers: bytes) -> Script:
    """Give each answer once, the last one for ever."""
    return lambda request: answers[min(request.number, len(answers) - 1)]


def slack(url: str, **options: Any) -> SlackNotification:
    options.setdefault("retry_delay_seconds", 0)
    return SlackNotification(webhook_url=url, **options)


def webhook(url: str, **options: Any) -> WebhookAction:
    options.setdefault("retry_delay_seconds", 0)
    return WebhookAction(url=url, **options)


both_senders = pytest.mark.parametrize("sender", [slack, webhook])


@pytest.fixture(params=["aiohttp", "httpx2"])
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Send over either library."""
    monkeypatch.setattr(_clients, "HAS_AIOHTTP", request.param == "aiohttp")
    return request.param  # type: ignore[no-any-return]


async def received(action: Any, result: CheckpointResult = RESULT) -> Any:
    """Return what a server gets from a Slack action, as JSON."""
    async with serving(in_turn(reply(200, b"ok"))) as server:
        action.config.webhook_url = type(action.config.webhook_url)(server.url)
        told = await action.execute_async(result)
    assert told.status == "success", told.error
    return json.loads(server.requests[0].body)


def texts(payload: Any) -> list[str]:
    """Return every text in a message, wherever it stands."""
    if isinstance(payload, str):
        return [payload]
    if isinstance(payload, dict):
        payload = list(payload.values())
    return [t for p in payload for t in texts(p)] if isinstance(payload, list) else []


# ----------------------------------------------------------- Slack: the message


async def test_slack_message_says_what_ended_how() -> None:
    action = slack("http://x", channel="#data", username="Watch", icon_emoji=":eyes:")

    payload = await received(action)

    assert (payload["username"], payload["icon_emoji"]) == ("Watch", ":eyes:")
    assert payload["channel"] == "#data"
    assert payload["text"] == "rides: warning"
    (attachment,) = payload["attachments"]
    kinds = [block["type"] for block in attachment["blocks"]]
    assert set(kinds) == {"section"}
    said = "\n".join(texts(attachment["blocks"]))
    for part in (
        "*rides*: warning",
        "*Rows*\n3",
        "1 of 2",
        RESULT.run_id,
        "null(fare)",
    ):
        assert part in said


async def test_slack_message_leaves_out_what_nobody_asked_for() -> None:
    payload = await received(slack("http://x", include_details=False))

    assert "channel" not in payload
    assert "null(fare)" not in str(payload)
    assert "<" not in str(payload)


async def test_slack_colour_tells_the_status() -> None:
    found = {}
    for status in STATUSES:
        action = slack("http://x", notify_on="always")
        result = replace(RESULT, status=CheckpointStatus(status))
        payload = await received(action, result)
        assert payload["text"] == f"rides: {status}"
        found[status] = payload["attachments"][0]["color"]

    assert len(set(found.values())) == 4
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in found.values())


async def test_slack_keeps_quiet_after_a_success() -> None:
    told = await slack("http://x").execute_async(replace(RESULT, status="success"))

    assert (told.status, told.message) == ("skipped", "notify_on not_success")


async def test_slack_tells_why_a_run_broke() -> None:
    broken = ended(status=CheckpointStatus.ERROR, validation_run=None, error="no file")

    payload = await received(slack("http://x"), broken)

    assert "Error: no file" in texts(payload)


async def test_slack_counts_the_issues_that_do_not_fit() -> None:
    payload = await received(slack("http://x"), ended(validation_run=with_issues(12)))

    said = texts(payload)[-1]
    assert said.count("• *null(c") == 10
    assert said.endswith("\nand 2 more issues")


@pytest.mark.parametrize("place", ["name", "asset", "issue", "message", "error", "own"])
async def test_slack_sees_no_markup_in_data(place: str) -> None:
    changes: dict[str, Any] = {
        "name": {"name": HOSTILE},
        "asset": {"data_asset": HOSTILE},
        "issue": {"validation_run": with_issues(name=HOSTILE)},
        "message": {"validation_run": with_issues(message=HOSTILE)},
        "error": {"error": HOSTILE},
        "own": {},
    }[place]
    own = {"custom_message": HOSTILE} if place == "own" else {}

    payload = await received(slack("http://x", **own), ended(**changes))

    said = "\n".join(texts(payload))
    assert "&lt;!channel&gt; &lt;http://x|pay&gt; &amp;" in said
    assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", said)


@pytest.mark.parametrize("sign", ["x", "<", "é", "😀"])
async def test_slack_message_stays_within_limits(sign: str) -> None:
    long = sign * 10_000
    run = with_issues(10, message=long, name=long)
    result = replace(
        RESULT, checkpoint_name=long, validation_run=run, error=long, data_asset=long
    )

    payload = await received(slack("http://x", custom_message=long), result)

    blocks = payload["attachments"][0]["blocks"]
    assert len(blocks) <= 50
    assert len(payload["text"]) <= 3_000
    for block in blocks:
        assert len(block.get("text", {"text": "."})["text"]) <= 3_000
        assert all(len(f["text"]) <= 2_000 for f in block.get("fields", ()))


async def test_slack_text_is_not_cut_within_an_entity() -> None:
    payload = await received(slack("http://x"), ended("<" * 10_000))

    assert not any(re.search("&(?!amp;|lt;|gt;)", text) for text in texts(payload))


@pytest.mark.parametrize(
    ("whom", "mention"),
    [
        (["U123"], "<@U123>"),
        ("U123", "<@U123>"),
        (["<@U123>"], "<@U123>"),
        (["@here"], "<!here>"),
        (["channel"], "<!channel>"),
        (["<!everyone>"], "<!everyone>"),
        (["S0AB"], "<!subteam^S0AB>"),
        (["U1", "S2"], "<@U1> <!subteam^S2>"),
    ],
)
async def test_slack_mentions_whom_it_was_told(whom: Any, mention: str) -> None:
    action = slack("http://x", mention_on_failure=whom, notify_on="always")

    bad = await received(action)
    good = await received(action, replace(RESULT, status=CheckpointStatus.SUCCESS))

    assert f"{mention} *rides*: warning" in texts(bad)
    assert "*rides*: success" in texts(good)
    assert "<" not in str(good)


# ------------------------------------------------------------ what servers answer


@pytest.mark.parametrize(
    ("sender", "status"),
    [(slack, 500), *((webhook, s) for s in (408, 425, 429, 500, 502, 503, 504))],
)
async def test_passing_fault_is_tried_again(sender: Any, status: int) -> None:
    async with serving(in_turn(reply(status, b"busy"))) as server:
        told = await sender(server.url, retry_count=2).execute_async(RESULT)

    assert told.status == "error"
    assert told.error == f"127.0.0.1 answered {status}: busy"
    assert told.details == {"attempts": 3}
    assert server.methods == ["POST"] * 3


@both_senders
async def test_success_after_faults_is_a_success(sender: Any) -> None:
    answers = in_turn(reply(500), reply(503), reply(200, b"ok"))
    async with serving(answers) as server:
        told = await sender(server.url, retry_count=5).execute_async(RESULT)

    assert (told.status, told.error) == ("success", None)
    assert told.details["attempts"] == len(server.requests) == 3
    keys = {request.headers["idempotency-key"] for request in server.requests}
    assert len(keys) == 1
    assert len({request.body for request in server.requests}) == 1


@both_senders
async def test_nothing_is_tried_again_unless_asked_for(sender: Any) -> None:
    async with serving(in_turn(reply(500))) as server:
        told = await sender(server.url).execute_async(RESULT)

    assert (told.status, told.error) == ("error", "127.0.0.1 answered 500")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("sender", "status"),
    [(slack, 404), *((webhook, s) for s in (400, 401, 403, 404, 410, 501))],
)
async def test_lasting_refusal_is_not_tried_again(sender: Any, status: int) -> None:
    answer = reply(status, b"no such hook", retry_after=0)
    async with serving(in_turn(answer)) as server:
        told = await sender(server.url, retry_count=3).execute_async(RESULT)

    assert told.error == f"127.0.0.1 answered {status}: no such hook"
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@both_senders
async def test_redirect_is_an_error(sender: Any, status: int) -> None:
    answer = reply(status, location="/elsewhere")
    async with serving(in_turn(answer)) as server:
        told = await sender(server.url, retry_count=3).execute_async(RESULT)

    assert (told.status, told.error) == ("error", f"127.0.0.1 answered {status}")
    assert [request.target for request in server.requests] == ["/"]


async def test_server_says_when_to_come_back() -> None:
    answers = in_turn(reply(429, retry_after=1), reply(200, b"ok"))
    async with serving(answers) as server:
        told = await slack(server.url, retry_count=1).execute_async(RESULT)

    assert told.status == "success"
    assert 1 <= server.requests[1].at - server.requests[0].at < 10


@pytest.mark.parametrize("after", ["0", "soon", "-5", "Thu, 01 Jan 1970 00:00:00 GMT"])
async def test_odd_retry_after_holds_up_nobody(after: str) -> None:
    answers = in_turn(reply(429, retry_after=after), reply(200, b"ok"))
    began = time.monotonic()
    async with serving(answers) as server:
        told = await slack(server.url, retry_count=1).execute_async(RESULT)

    assert told.status == "success"
    assert time.monotonic() - began < 5


async def test_slack_answer_that_is_not_ok_is_an_error() -> None:
    answer = reply(200, b'{"ok": false, "error": "invalid_auth"}')
    async with serving(in_turn(answer)) as server:
        told = await slack(server.url, retry_count=3).execute_async(RESULT)

    assert (told.status, told.error) == ("error", "Slack answered not ok: invalid_auth")
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", [b"ok", b"", b'{"ok": true}', b'{"ok": fal', b"{}"])
async def test_other_answers_of_slack_are_good(body: bytes) -> None:
    async with serving(in_turn(reply(200, body))) as server:
        told = await slack(server.url).execute_async(RESULT)

    assert (told.status, told.message) == ("success", "sent")


@both_senders
async def test_nobody_there_is_an_error(sender: Any, transport: str) -> None:
    action = sender(f"http://127.0.0.1:{free_port()}", retry_count=2)

    told = await action.execute_async(RESULT)

    assert told.status == "error"
    assert told.error.startswith("127.0.0.1: ConnectError: ")
    assert told.details == {"attempts": 3}


async def reset(_: Received) -> AsyncGenerator[bytes, None]:
    yield RESET


async def breaks_off(_: Received) -> AsyncGenerator[bytes, None]:
    yield reply(200, b"half", content_length=100)


async def silent(_: Received) -> AsyncGenerator[bytes, None]:
    await asyncio.sleep(60)
    yield b""


@pytest.mark.parametrize(
    "script",
    [reset, breaks_off, lambda _: b"nonsense\r\n\r\n"],
    ids=["reset", "breaks off", "nonsense"],
)
@both_senders
async def test_broken_answer_is_an_error_and_tried_again(
    sender: Any, script: Script, transport: str
) -> None:
    async with serving(script) as server:
        told = await sender(server.url, retry_count=1).execute_async(RESULT)

    assert told.status == "error"
    assert told.error.startswith("127.0.0.1: ")
    assert told.details == {"attempts": 2}


@both_senders
async def test_silent_server_takes_no_more_than_its_time(sender: Any) -> None:
    async with serving(silent) as server:
        action = sender(server.url, timeout_seconds=0.25, retry_count=1)
        told = await action.execute_async(RESULT)

    assert told.error == "Action timed out after 0.25 s"
    assert len(server.requests) == 2


async def test_cancelled_send_is_cancelled() -> None:
    async with serving(silent) as server:
        task = asyncio.create_task(webhook(server.url).execute_async(RESULT))
        while not server.requests:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@both_senders
async def test_answer_too_large_is_an_error(sender: Any, transport: str) -> None:
    sent = 0

    async def script(_: Received) -> AsyncGenerator[bytes, None]:
        nonlocal sent
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        while sent < 256 * MEBIBYTE:
            sent += 65_536
            yield b"10000\r\n" + b"x" * 65_536 + b"\r\n"

    async with serving(script) as server:
        told = await sender(server.url).execute_async(RESULT)

    assert told.status == "error"
    assert "max_response_bytes=1,048,576" in told.error
    assert sent < 32 * MEBIBYTE  # what the buffers between hold


@pytest.mark.parametrize("status", [200, 404])
async def test_answer_with_its_length_too_large_is_an_error(
    status: int, transport: str
) -> None:
    async with serving(in_turn(reply(status, b"x" * 5 * MEBIBYTE))) as server:
        told = await webhook(server.url).execute_async(RESULT)

    assert told.status == "error"
    assert "5242880 bytes" in told.error


async def test_packed_answer_is_not_unpacked_beyond_the_limit(transport: str) -> None:
    packed = gzip.compress(bytes(16 * MEBIBYTE))
    answer = reply(200, packed, content_encoding="gzip")
    async with serving(in_turn(answer)) as server:
        await webhook(server.url).execute_async(RESULT)
        tracemalloc.start()
        try:
            told = await webhook(server.url).execute_async(RESULT)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert "max_response_bytes" in told.error
    assert peak < 8 * MEBIBYTE


async def test_many_at_once_are_sent_each_once() -> None:
    async with serving(in_turn(reply(200, b"ok"))) as server:
        actions = [slack(server.url, name=f"a{n}") for n in range(20)]
        told = await asyncio.gather(*(a.execute_async(RESULT) for a in actions))

    assert {result.status for result in told} == {"success"}
    keys = [request.headers["idempotency-key"] for request in server.requests]
    assert sorted(keys) == sorted(f"{RESULT.run_id}:a{n}" for n in range(20))


# A run's id begins with the checkpoint's name, and is sent in a header as it is: of
# ASCII headers are made, so that no checkpoint "Zürich" can ever notify anybody.
@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "x" * 5_000,
        pytest.param("Zürich"),
        pytest.param("a\nb"),
    ],
    ids=["plain", "long", "latin", "lines"],
)
@both_senders
async def test_any_name_of_a_checkpoint_can_be_sent(sender: Any, name: str) -> None:
    async with serving(in_turn(reply(200, b"ok"))) as server:
        told = await sender(server.url).execute_async(ended(name))

    assert (told.status, told.error) == ("success", None)


# ---------------------------------------------------------------------- secrets


def echo(request: Received) -> bytes:
    """Return all that a talkative server may say about a request."""
    address = f"http://{request.headers['host']}{request.target}"
    said = [
        request.target,
        address,
        quote(address, safe=""),
        *(request.headers.get(h, "") for h in ("x-api-key", "x-token")),
        request.headers.get("authorization", "").removeprefix("Bearer "),
    ]
    if said[-1].startswith("Basic "):
        said[-1] = base64.b64decode(said[-1][6:]).decode().partition(":")[2]
    return " ".join(part for part in said if part)[:190].encode()


def redirecting(request: Received) -> bytes:
    return reply(302, echo(request), location=request.target + "/again")


FAILURES: dict[str, Any] = {
    "500": lambda r: reply(500, echo(r)),
    "404": lambda r: reply(404, echo(r)),
    "429": lambda r: reply(429, echo(r), retry_after=0),
    "302": redirecting,
    "not ok": lambda r: reply(
        200, json.dumps({"ok": False, "error": echo(r).decode()}).encode()
    ),
    "reset": reset,
    "broken": breaks_off,
    "nonsense": lambda r: echo(r) + b"\r\n\r\n",
    "too large": lambda r: reply(200, echo(r).ljust(2 * MEBIBYTE)),
    "silent": silent,
    "refused": None,
}
# Where the secret stands: the end of the address, and options.
CARRIERS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "slack": (slack, f"/services/{CANARY}", {}),
    "slack, query": (slack, f"/hook?t={CANARY}", {}),
    "webhook": (webhook, f"/{CANARY}/%C3%BC", {}),
    "bearer": (
        webhook,
        "",
        {"auth_type": "bearer", "auth_credentials": {"token": CANARY}},
    ),
    "basic": (
        webhook,
        "",
        {
            "auth_type": "basic",
            "auth_credentials": {"username": "me", "password": CANARY},
        },
    ),
    "api_key": (
        webhook,
        "",
        {"auth_type": "api_key", "auth_credentials": {"key": CANARY}},
    ),
    "header": (webhook, "", {"headers": {"X-Token": CANARY}}),
}


async def outcome(
    failure: str, carrier: str, by_reference: bool = False
) -> tuple[ActionResult, Any]:
    """Let an action with a secret fail; return how it ended, and the action."""
    make, path, options = CARRIERS[carrier]
    seconds = 0.1 if failure == "silent" else 10
    options = {"timeout_seconds": seconds, **options}
    script = FAILURES[failure]
    if script is None:
        base = f"http://127.0.0.1:{free_port()}"
        action = make(_address(base + path, by_reference), **options)
        return await action.execute_async(RESULT), action
    async with serving(script) as server:
        action = make(_address(server.url + path, by_reference), **options)
        return await action.execute_async(RESULT), action


def _address(url: str, by_reference: bool) -> str:
    if by_reference:
        os.environ["TRUTHOUND_ADDRESS"] = url
    return "${TRUTHOUND_ADDRESS}" if by_reference else url


def shown(action: Any, told: ActionResult) -> str:
    """Return all that people may see of an action and of how it ended."""
    parts = [repr(action), str(action), repr(action.config), str(action.config)]
    parts += [str(vars(action.config)), json.dumps(told.to_dict()), repr(told)]
    return "\n".join(parts)


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("carrier", CARRIERS)
async def test_no_failure_shows_the_secret(
    failure: str, carrier: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "truthound")

    told, action = await outcome(failure, carrier)

    # A webhook is told by the status alone whether it is well.
    is_fine = failure == "not ok" and carrier not in ("slack", "slack, query")
    assert told.status == ("success" if is_fine else "error")
    for text in (shown(action, told), caplog.text):
        assert "canary" not in text.lower()


@pytest.mark.parametrize("failure", FAILURES)
async def test_no_failure_shows_a_secret_of_the_environment(
    failure: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TRUTHOUND_ADDRESS", "")  # is put back at the end
    caplog.set_level(logging.DEBUG, "truthound")

    told, action = await outcome(failure, "slack", by_reference=True)

    assert told.status == "error"
    for text in (shown(action, told), caplog.text):
        assert "canary" not in text.lower()


@pytest.mark.parametrize("failure", ["404", "refused", "broken", "nonsense"])
async def test_other_library_shows_no_secret(
    failure: str, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "truthound")

    told, action = await outcome(failure, "slack, query")

    assert told.status == "error"
    assert "canary" not in (shown(action, told) + caplog.text).lower()


async def test_log_of_everything_shows_no_secret(
    transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    await outcome("404", "slack")

    assert "canary" not in caplog.text


async def test_spans_show_no_secret() -> None:
    recorded = Recorded()

    await outcome("404", "webhook")

    assert "canary" not in "".join(str(dict(s.attributes)) for s in recorded.spans)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(lambda r: r.target.rpartition("/")[2], id="last part"),
        pytest.param(lambda r: quote(r.target, safe=""), id="path, encoded"),
        pytest.param(lambda r: r.target.replace("/", "\\/"), id="path as JSON"),
        # SHOWN cuts the answer before its secrets are looked for.
        pytest.param(lambda r: "x" * 172 + " " + r.target, id="cut at its end"),
    ],
)
async def test_answer_that_names_part_of_the_secret_is_concealed(
    said: Callable[[Received], str],
) -> None:
    async with serving(lambda r: reply(404, said(r).encode())) as server:
        address = f"{server.url}/services/{CANARY}-and-more"
        told = await slack(address).execute_async(RESULT)

    assert "canary" not in str(told.error).lower()


async def test_echo_of_basic_credentials_is_concealed() -> None:
    pair = base64.b64encode(f"me:{CANARY}".encode()).decode()
    async with serving(lambda r: reply(401, r.headers["authorization"].encode())) as s:
        known = {"username": "me", "password": CANARY}
        action = webhook(s.url, auth_type="basic", auth_credentials=known)
        told = await action.execute_async(RESULT)

    assert pair not in str(told.error)


@pytest.mark.parametrize(
    "address", ["http://[canary-secret]/", "http://u:canary-secret℀@host/"]
)
async def test_address_that_cannot_be_read_is_refused(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    action = slack(address)

    told = await action.execute_async(RESULT)

    assert len(action.validate_config()) == 1
    assert "canary" not in str(told.error) + caplog.text


# What reads a secret from a file often gets a line feed with it. Without aiohttp the
# error is "Illegal header value b'Bearer T0/B0/canary-secret\\n'": the line feed stands
# there as two characters, so that Secret.conceal() does not find it.
@pytest.mark.parametrize(
    ("library", "secret"),
    [
        ("aiohttp", CANARY + "\n"),
        ("httpx2", CANARY + "\n"),
        ("httpx2", CANARY + "é"),
    ],
)
async def test_token_that_cannot_be_sent_is_concealed(
    library: str,
    secret: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(_clients, "HAS_AIOHTTP", library == "aiohttp")
    known = {"token": secret}
    async with serving(in_turn(reply(200))) as server:
        action = webhook(server.url, auth_type="bearer", auth_credentials=known)
        told = await action.execute_async(RESULT)

    assert told.status == "error"
    assert "canary" not in shown(action, told) + caplog.text


async def test_address_with_a_colon_is_concealed() -> None:
    action = slack(f"http://127.0.0.1:{free_port()}/a: canary-secret")

    told = await action.execute_async(RESULT)

    assert "canary" not in str(told.error)


@pytest.mark.parametrize("port", ["99999", "abc"])
def test_port_that_is_none_is_told(port: str) -> None:
    assert slack(f"http://host:{port}/x").validate_config() != []


# ------------------------------------------------- references, schemes, options


@both_senders
async def test_reference_leads_to_the_address(
    sender: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = sender("${HOOK_OF_TEST}")
    async with serving(in_turn(reply(200, b"ok"))) as server:
        monkeypatch.setenv("HOOK_OF_TEST", f"{server.url}/{CANARY}")
        problems = action.validate_config()
        told = await action.execute_async(RESULT)

    assert (told.status, problems) == ("success", [])
    assert [request.target for request in server.requests] == [f"/{CANARY}"]


@both_senders
async def test_reference_to_nothing_names_the_variable(
    sender: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOOK_OF_TEST", raising=False)
    action = sender("${HOOK_OF_TEST}", retry_count=2)

    told = await action.execute_async(RESULT)

    expected = "the environment variable HOOK_OF_TEST is not set"
    assert (told.status, told.error) == ("error", expected)
    assert told.details == {}  # not tried again
    assert action.validate_config() == [expected]


def test_reference_in_credentials_and_headers_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("TOKEN_OF_TEST", "TRACE_OF_TEST"):
        monkeypatch.delenv(name, raising=False)
    action = webhook(
        "https://example.org",
        auth_type="bearer",
        auth_credentials={"token": "${TOKEN_OF_TEST}"},
        headers={"X-Trace": "${TRACE_OF_TEST}"},
    )

    problems = action.validate_config()

    assert len(problems) == 2
    assert "TOKEN_OF_TEST" in problems[0]
    assert "TRACE_OF_TEST" in problems[1]


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "gopher://127.0.0.1:70/x",
        "data:text/plain,canary",
        "//127.0.0.1/canary",
        "canary",
        "http:///canary",
        "https:canary",
    ],
)
@both_senders
async def test_other_schemes_are_refused(sender: Any, address: str) -> None:
    action = sender(address, retry_count=3)

    told = await action.execute_async(RESULT)

    (problem,) = action.validate_config()
    for text in (problem, told.error):
        assert "expected an address that begins with https:// or http://" in text
        assert "canary" not in text
        assert "passwd" not in text
    assert (told.status, told.details) == ("error", {})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SlackNotification(), "webhook_url is missing"),
        (lambda: SlackNotification(webhook_url=3), "webhook_url: expected a text"),
        (lambda: WebhookAction(), "url is missing"),
        (lambda: webhook("http://x", method="PSOT"), "did you mean 'POST'"),
        (lambda: webhook("http://x", auth_type="baerer"), "did you mean 'bearer'"),
        (lambda: webhook("http://x", auth_type="bearer"), "bearer needs token"),
        (lambda: webhook("http://x", auth_type="api_key"), "api_key needs key"),
        (
            lambda: webhook(
                "http://x", auth_type="basic", auth_credentials={"username": "me"}
            ),
            "basic needs password",
        ),
        (lambda: webhook("http://x", headers=[("a", "b")]), "headers is a mapping"),
        (
            lambda: webhook("http://x", payload_template={"a": ["${chekpoint}"]}),
            "did you mean 'checkpoint'",
        ),
        (
            lambda: webhook("http://x", payload_template="${HOME}"),
            "payload_template",
        ),
        (lambda: StoreValidationResult(format="jsn"), "did you mean 'json'"),
        (lambda: StoreValidationResult(partition_by="dat"), "did you mean 'date'"),
        (lambda: StoreValidationResult(retention_days=-1), "retention_days"),
        (lambda: StoreValidationResult(store_path=""), "store_path"),
        (lambda: UpdateDataDocs(format="htm"), "did you mean 'html'"),
        (lambda: UpdateDataDocs(max_history_items=0), "max_history_items"),
        (lambda: CustomAction(), "either callback or shell_command"),
        (lambda: CustomAction(shell_command=""), "either callback or shell_command"),
        (
            lambda: CustomAction(callback=print, shell_command="true"),
            "either callback or shell_command",
        ),
        (lambda: CustomAction(callback="print"), "package.module:name"),
        (lambda: CustomAction(callback=3), "callback is a function, not int"),
    ],
)
def test_wrong_options_are_refused(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        make()


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: webhook("http://x", success_codes=200), id="a code"),
        pytest.param(lambda: webhook("http://x", success_codes=["200"]), id="texts"),
        pytest.param(
            lambda: webhook("http://x", payload_template={"a": "${naïve}"}),
            id="placeholder that is not ASCII",
        ),
        pytest.param(
            lambda: webhook("http://x", payload_template={"a": {1}}), id="no JSON"
        ),
        pytest.param(lambda: CustomAction(shell_command=5), id="no command"),
        pytest.param(
            lambda: CustomAction(shell_command="true", environment={"N": 1}),
            id="no text",
        ),
    ],
)
def test_options_that_cannot_work_are_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(ConfigurationError):
        make()


# --------------------------------------------------------- webhook: what is sent


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "GET", "DELETE", "put"])
async def test_webhook_method_is_that_of_the_request(
    method: str, transport: str
) -> None:
    async with serving(in_turn(reply(204))) as server:
        told = await webhook(server.url, method=method).execute_async(RESULT)

    (request,) = server.requests
    assert told.details == {"status_code": 204}
    assert request.method == method.upper()
    assert bool(request.body) == (method not in ("GET", "DELETE"))


async def test_webhook_sends_the_result() -> None:
    async with serving(in_turn(reply(200, b"ok"))) as server:
        await webhook(server.url).execute_async(RESULT)

    (request,) = server.requests
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {
        "event": "checkpoint_completed",
        "checkpoint": "rides",
        "status": "warning",
        "run_id": RESULT.run_id,
        "run_time": RESULT.run_time.isoformat(),
        "data_asset": "DataFrame",
        "duration_ms": RESULT.duration_ms,
        "summary": RESULT.summary(),
        "full_result": RESULT.to_dict(),
    }


async def test_webhook_leaves_out_the_full_result() -> None:
    async with serving(in_turn(reply(200))) as server:
        await webhook(server.url, include_full_result=False).execute_async(RESULT)

    sent = json.loads(server.requests[0].body)
    assert "full_result" not in sent
    assert sent["summary"] == RESULT.summary()


async def test_webhook_result_can_be_read_again() -> None:
    async with serving(in_turn(reply(200))) as server:
        await webhook(server.url).execute_async(RESULT)

    sent = json.loads(server.requests[0].body)
    read = CheckpointResult.from_dict(sent["full_result"])
    assert read.to_dict() == RESULT.to_dict()


async def test_webhook_headers_arrive(transport: str) -> None:
    headers = {"X-Team": "pricing", "Content-Type": "application/vnd.x+json"}
    async with serving(in_turn(reply(200))) as server:
        await webhook(server.url, headers=headers).execute_async(RESULT)

    found = server.requests[0].headers
    assert found["x-team"] == "pricing"
    assert found["content-type"] == "application/vnd.x+json"
    assert found["idempotency-key"] == f"{RESULT.run_id}:webhook"


@pytest.mark.parametrize(
    ("kind", "credentials", "header", "value"),
    [
        ("none", {}, "authorization", None),
        (
            "basic",
            {"username": "mé", "password": "a:b"},
            "authorization",
            "Basic " + base64.b64encode("mé:a:b".encode()).decode(),
        ),
        ("bearer", {"token": "t0k3n"}, "authorization", "Bearer t0k3n"),
        ("bearer", {"token": "${TOKEN_OF_TEST}"}, "authorization", "Bearer from-env"),
        ("api_key", {"key": "k3y"}, "x-api-key", "k3y"),
        ("api_key", {"key": "k3y", "header": "X-Own"}, "x-own", "k3y"),
    ],
)
async def test_webhook_credentials_arrive(
    kind: str,
    credentials: Any,
    header: str,
    value: str | None,
    transport: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TOKEN_OF_TEST", "from-env")
    async with serving(in_turn(reply(200))) as server:
        action = webhook(server.url, auth_type=kind, auth_credentials=credentials)
        told = await action.execute_async(RESULT)

    assert told.status == "success"
    assert server.requests[0].headers.get(header) == value


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\0b"])
async def test_webhook_header_cannot_bring_another(value: str, transport: str) -> None:
    async with serving(in_turn(reply(200))) as server:
        told = await webhook(server.url, headers={"X-A": value}).execute_async(RESULT)

    assert told.status == "error"
    assert server.requests == []


async def test_webhook_template_is_filled() -> None:
    template = {
        "title": "${checkpoint}: ${status}",
        "list": ["${run_id}", {"deep": "${total_issues} of ${total_checks}"}],
        "number": 3,
        "none": None,
        "price": "$5 {x} $checkpoint",
        "${status}": "keys stay",
    }
    async with serving(in_turn(reply(200))) as server:
        await webhook(server.url, payload_template=template).execute_async(
            ended('a "b" ${error}', 1)
        )

    assert json.loads(server.requests[0].body) == {
        "title": 'a "b" ${error}: warning',  # what is filled in is not looked through
        "list": ['a "b" ${error}_20260302_120000_00000001', {"deep": "1 of 2"}],
        "number": 3,
        "none": None,
        "price": "$5 {x} $checkpoint",
        "${status}": "keys stay",
    }


async def test_webhook_template_may_be_a_text() -> None:
    action = functools.partial(webhook, payload_template="${status} ${data_asset} é")
    async with serving(in_turn(reply(200))) as server:
        await action(server.url).execute_async(replace(RESULT, validation_run=None))

    assert server.requests[0].body.decode() == "warning DataFrame é"


@pytest.mark.parametrize(
    ("codes", "status", "ends_as"),
    [
        ((200, 201, 202, 204), 202, "success"),
        ((418,), 418, "success"),
        ((418,), 200, "error"),
        ((302,), 302, "success"),
        ((500,), 500, "success"),
    ],
)
async def test_webhook_success_is_what_its_codes_say(
    codes: Any, status: int, ends_as: str
) -> None:
    async with serving(in_turn(reply(status, b"said"))) as server:
        action = webhook(server.url, success_codes=codes, retry_count=2)
        told = await action.execute_async(RESULT)

    assert told.status == ends_as
    assert len(server.requests) == 1


async def test_webhook_key_differs_from_run_to_run_and_action_to_action() -> None:
    async with serving(in_turn(reply(200))) as server:
        for name, result in (("a", ended()), ("b", ended()), ("a", ended(number=1))):
            await webhook(server.url, name=name).execute_async(result)

    keys = {request.headers["idempotency-key"] for request in server.requests}
    assert len(keys) == 3


async def test_webhook_sends_what_json_does_not_know() -> None:
    odd = ended(duration_ms=float("nan"), metadata={"x": float("nan")})
    async with serving(in_turn(reply(200))) as server:
        told = await webhook(server.url).execute_async(odd)

    assert told.status == "success"


# ---------------------------------------------------------------- stored results


def stored(path: str) -> Any:
    """Read a stored result as its name says."""
    content = Path(path).read_bytes()
    if path.endswith(".gz"):
        path, content = path[:-3], gzip.decompress(content)
    read = json.loads if path.endswith(".json") else yaml.safe_load
    return read(content.decode())


@pytest.fixture
def _looks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_result, "_looked", {})


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("format", ["json", "yaml"])
async def test_stored_result_can_be_read_again(format: str, compress: bool) -> None:
    odd = {"when": RESULT.run_time, "no": "yes", "x": ["1e3", "~", "é\n\t😀"], "0": {}}
    done = ActionResult("mail", "mail", "error", error="down", details={"a": [1]})
    result = ended("Zürich", metadata=odd, action_results=[done], error="a: b\n- c")
    action = StoreValidationResult(store_path="s", format=format, compress=compress)

    told = await action.execute_async(result)

    assert told.status == "success", told.error
    path = told.details["path"]
    assert path.endswith(f".{format}" + ".gz" * compress)
    read = CheckpointResult.from_dict(stored(path))
    assert stored(path) == result.to_dict() == read.to_dict()
    assert (read.run_time, read.status) == (result.run_time, "warning")
    assert [issue.name for issue in read.validation_run.issues] == ["null(fare)"]


@pytest.mark.parametrize(
    ("partition", "folder"),
    [
        ("date", RESULT.run_time.strftime("s/%Y-%m-%d")),
        ("checkpoint", "s/rides"),
        ("status", "s/warning"),
        ("", "s"),
    ],
)
async def test_stored_result_lies_in_its_folder(partition: str, folder: str) -> None:
    action = StoreValidationResult(store_path="s", partition_by=partition)

    told = await action.execute_async(RESULT)

    assert told.details == {"path": f"{folder}/{RESULT.run_id}.json"}
    assert [p for p in Path("s").rglob("*") if p.is_file()] == [
        Path(told.details["path"])
    ]


def test_result_is_stored_without_a_loop() -> None:
    told = StoreValidationResult(store_path="s").execute(RESULT)

    assert CheckpointResult.from_dict(stored(told.details["path"])).run_id


async def test_many_results_are_stored_at_once() -> None:
    action = StoreValidationResult(store_path="s")

    told = await asyncio.gather(
        *(action.execute_async(ended(number=n)) for n in range(30))
    )

    assert len({result.details["path"] for result in told}) == 30
    assert all(stored(result.details["path"]) for result in told)


HOSTILE_NAMES = {
    "up": "../../x",
    "absolute": "/etc/x",
    "hidden": ".hidden",
    "slash": "a/b",
    "backslash": "..\\x",
    "dots": "..",
    "empty": "",
    "nul": "a\0b",
    "lines": "a\nb",
    "long": "x" * 5_000,
    "emoji": "😀" * 300,
}


@pytest.mark.parametrize(
    "name",
    [
        *(pytest.param(name, id=key) for key, name in HOSTILE_NAMES.items()),
        # safe_name() keeps 150 characters, which are up to 600 bytes; a name has 255.
        pytest.param("日" * 150, id="long, cjk"),
        # What is cut off the front leaves a dot there.
        pytest.param("../" * 2_000, id="long, up"),
    ],
)
async def test_hostile_name_stays_in_the_folder(name: str) -> None:
    for partition in ("", "checkpoint"):
        action = StoreValidationResult(store_path="s", partition_by=partition)

        told = await action.execute_async(ended(name))

        assert told.status == "success", told.error
        (file,) = [p for p in Path().resolve().parent.rglob("*") if p.is_file()]
        assert file == Path(told.details["path"]).resolve()
        inside = file.relative_to(Path("s").resolve())
        assert len(inside.parts) == (2 if partition else 1)
        assert not any(part.startswith(".") for part in inside.parts)
        read = CheckpointResult.from_dict(stored(str(file)))
        assert read.checkpoint_name == name
        file.unlink()


@pytest.mark.usefixtures("_looks_again")
async def test_old_results_are_removed_and_nothing_else() -> None:
    names = {
        "s/2026-01-01/rides_20260101_120000_0000000a.json": True,
        "s/rides_20260101_120000_0000000b.yaml": True,
        "s/fares/x_20260101_120000_0000000c.json.gz": True,
        "s/rides_20260101_120000_0000000d.txt": False,
        "s/rides_20260101_120000_0000000e.json.bak": False,
        "s/rides_20260101_120000_XXXXXXXX.json": False,
        "s/notes.json": False,
        "s/deep/er/rides_20260101_120000_0000000f.json": False,
        "rides_20260101_120000_00000010.json": False,
    }
    young = Path("s/2026-01-01/rides_20260101_120000_00000011.json")
    old = time.time() - 31 * 86_400
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("{}")
        os.utime(name, (old, old))
    young.write_text("{}")
    os.utime(young, (old + 2 * 86_400, old + 2 * 86_400))

    action = StoreValidationResult(store_path="s", retention_days=30)
    told = await action.execute_async(RESULT)

    assert told.details["removed"] == 3
    assert {name: not Path(name).exists() for name in names} == names
    assert young.exists()
    assert Path(told.details["path"]).exists()


@pytest.mark.usefixtures("_looks_again")
async def test_old_results_stay_when_nothing_is_said() -> None:
    action = StoreValidationResult(store_path="s")
    first = await action.execute_async(ended(number=1))
    os.utime(first.details["path"], (0, 0))

    told = await action.execute_async(ended(number=2))

    assert "removed" not in told.details
    assert Path(first.details["path"]).exists()


@pytest.mark.usefixtures("_looks_again")
async def test_old_results_are_looked_for_once_in_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    action = StoreValidationResult(store_path="s", retention_days=1)
    first = await action.execute_async(ended(number=1))
    os.utime(first.details["path"], (0, 0))

    told = await action.execute_async(ended(number=2))
    assert "removed" not in told.details

    monkeypatch.setattr(store_result, "_looked", {})
    told = await action.execute_async(ended(number=3))
    assert told.details["removed"] == 1


@pytest.mark.usefixtures("_looks_again")
async def test_old_results_of_other_run_names_are_removed() -> None:
    result = checkpoint("rides", ROWS, run_name_template="%Y-%m-%d").run()
    action = StoreValidationResult(store_path="s", retention_days=1)
    first = await StoreValidationResult(store_path="s").execute_async(result)
    os.utime(first.details["path"], (0, 0))

    await action.execute_async(RESULT)

    assert not Path(first.details["path"]).exists()


@pytest.mark.parametrize("place", ["s", "s/2026"])
@pytest.mark.parametrize("make", [StoreValidationResult, UpdateDataDocs])
async def test_folder_that_cannot_be_made_is_an_error(make: Any, place: str) -> None:
    Path("s").write_text("a file in the place of the folder")
    option = "store_path" if make is StoreValidationResult else "site_path"

    told = await make(**{option: place}).execute_async(RESULT)

    assert told.status == "error"
    assert re.search(r"s\S*: (File exists|Not a directory)", told.error)
    assert Path("s").read_text() == "a file in the place of the folder"


async def test_half_written_result_is_not_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(self: Path, target: Any) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)

    told = await StoreValidationResult(store_path="s").execute_async(RESULT)

    assert "No space left on device" in told.error
    assert [p for p in Path("s").rglob("*") if p.is_file()] == []


# ------------------------------------------------------------------------- docs


class Page(HTMLParser):
    """The elements, links and texts of a page."""

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.links: list[str] = []
        self.rows = 0
        self.said = ""
        self.feed(Path(path).read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append(tag)
        self.attributes += attrs
        self.links += [value for key, value in attrs if tag == "a" and key == "href"]

    def handle_data(self, data: str) -> None:
        self.said += data


async def update(result: CheckpointResult = RESULT, **options: Any) -> str:
    """Update the site and return where its index is."""
    options.setdefault("site_path", "site")
    told = await UpdateDataDocs(**options).execute_async(result)
    assert told.status == "success", told.error
    return str(told.details["path"])


def later(number: int, name: str = "rides") -> CheckpointResult:
    began = RESULT.run_time + timedelta(minutes=number)
    return ended(name, number, run_time=began)


async def test_site_has_an_index_a_page_and_a_style() -> None:
    index = await update(site_name="Data & more")

    page = Page(index)
    assert index == "site/index.html"
    assert page.links == [f"runs/{RESULT.run_id}.html"]
    assert "Data & more" in page.said
    assert "rides" in Page(Path("site", page.links[0])).said
    assert Path("site/assets/style.css").read_text().startswith(":root")
    assert ("href", "assets/style.css") in page.attributes
    files = {str(p.relative_to("site")) for p in Path("site").rglob("[!.]*.*")}
    assert files == {"index.html", "runs.json", "assets/style.css", page.links[0]}


async def test_site_lists_the_latest_first() -> None:
    for number in (2, 3, 1):
        index = await update(later(number))

    numbers = [int(link[-6]) for link in Page(index).links]
    assert numbers == [3, 2, 1]


async def test_site_lists_a_run_once_however_often_it_is_told() -> None:
    await update()
    index = await update(replace(RESULT, status=CheckpointStatus.ERROR))

    page = Page(index)
    assert len(page.links) == 1
    assert "error" in page.said
    assert "warning" not in re.sub("rides: warning", "", page.said)


@pytest.mark.parametrize("format", ["html", "markdown"])
async def test_site_shows_no_markup_of_the_data(format: str) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\" onclick='x' | a"
    run = with_issues(name=evil, message=evil, observed=evil, expected=evil)
    result = ended(evil, validation_run=run, data_asset=evil, error=evil)
    index = await update(result, site_name=evil, format=format)

    for path in (index, *Path("site/runs").iterdir()):
        page, text = Page(path), Path(path).read_text()
        assert not {"script", "img"} & set(page.elements)
        assert not [key for key, _ in page.attributes if key.startswith("on")]
        assert "<script" not in text
        assert "alert" in text
    if format == "html":
        assert "<script>alert(1)</script>" in Page(index).said


async def test_site_needs_no_network_and_no_script() -> None:
    index = await update()

    for path in (index, *Path("site/runs").iterdir()):
        policies = [v for _, v in Page(path).attributes if v and "default-src" in v]
        assert len(policies) == 1
        assert "default-src 'none'" in policies[0]
        assert not re.search("(?:src|href)=.https?:", Path(path).read_text())


@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES)
async def test_page_of_a_hostile_name_stays_in_the_site(name: str) -> None:
    index = await update(ended(name))

    (link,) = Page(index).links
    target = Path(urljoin(f"file:{Path(index).resolve()}", link).removeprefix("file:"))
    assert re.fullmatch(r"runs/[^./\\][^/\\]*\.html", link)
    assert target.is_file()
    assert target.parent == Path("site/runs").resolve()
    files = [p for p in Path().resolve().parent.rglob("*") if p.is_file()]
    assert all(p.is_relative_to(Path("site").resolve()) for p in files)


async def test_pages_beyond_the_history_are_removed() -> None:
    Path("site/runs").mkdir(parents=True)
    Path("site/runs/notes.txt").write_text("mine")
    await update(later(0, "fares"), max_history_items=2)
    for number in range(5):
        index = await update(later(number), max_history_items=2)

    links = Page(index).links
    pages = [f"runs/{p.name}" for p in Path("site/runs").glob("*.html")]
    assert sorted(links) == sorted(pages)
    assert sorted(int(link[-6]) for link in links if "rides" in link) == [3, 4]
    assert sum("fares" in link for link in links) == 1
    assert Path("site/runs/notes.txt").read_text() == "mine"


async def test_site_without_history_lists_the_last_of_each() -> None:
    for number in range(3):
        await update(later(number, "fares"), include_history=False)
        index = await update(later(number), include_history=False)

    links = Page(index).links
    assert sorted(links) == [
        f"runs/{later(2, n).run_id}.html" for n in ("fares", "rides")
    ]
    assert len(list(Path("site/runs").iterdir())) == 6


async def test_site_may_be_markdown() -> None:
    await update(later(1), format="markdown")
    index = await update(later(2), format="markdown", site_name="All *data*")

    lines = Path(index).read_text().splitlines()
    assert index == "site/index.markdown"
    assert lines[0] == "# All \\*data\\*"
    assert [line.split(" | ")[1] for line in lines[4:]] == [
        f"[rides](runs/{later(n).run_id}.markdown)" for n in (2, 1)
    ]
    assert not list(Path("site").rglob("*.html"))
    page = Path("site/runs", f"{later(2).run_id}.markdown").read_text()
    assert page.startswith("## rides")


async def test_updates_at_once_lose_no_line() -> None:
    await asyncio.gather(*(update(later(n)) for n in range(20)))

    assert len(json.loads(Path("site/runs.json").read_text())) == 20
    assert len(set(Page("site/index.html").links)) == 20


async def test_updates_at_once_lose_no_page() -> None:
    await asyncio.gather(*(update(later(n)) for n in range(20)))

    links = Page("site/index.html").links
    assert [link for link in links if not Path("site", link).exists()] == []


def _record(**changes: Any) -> str:
    names = ("page", "checkpoint", "status", "run_time", "data_asset", "summary")
    return json.dumps([{**dict.fromkeys(names, "x"), **changes}])


@pytest.mark.parametrize("format", ["html", "markdown"])
@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param("", id="empty"),
        pytest.param('[{"page": ', id="half"),
        pytest.param("{}", id="object"),
        pytest.param('"text"', id="text"),
        pytest.param('[1, null, "x", {}, {"page": 1}]', id="no records"),
        pytest.param("\udcff\udcfe", id="bytes"),
        pytest.param(_record(page="../../../etc/passwd"), id="other place"),
    ],
)
async def test_damaged_list_of_runs_does_not_break_the_site(
    damaged: str, format: str
) -> None:
    Path("site").mkdir()
    Path("site/runs.json").write_text(damaged, errors="surrogateescape")

    index = await update(format=format)

    assert RESULT.run_id in Path(index).read_text()
    records = json.loads(Path("site/runs.json").read_text())
    assert [r["checkpoint"] for r in records if "rides" in r["page"]] == ["rides"]


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param("null", id="null"),
        pytest.param(_record(page=["x"]), id="page"),
        pytest.param(_record(checkpoint={}), id="name"),
        pytest.param(_record(run_time=None), id="time"),
        pytest.param(_record(summary=None), id="summary"),
    ],
)
async def test_other_json_in_the_list_of_runs_does_not_break_it(damaged: str) -> None:
    Path("site").mkdir()
    Path("site/runs.json").write_text(damaged)

    index = await update(format="markdown")

    assert RESULT.run_id in Path(index).read_text()


async def test_damaged_list_of_runs_costs_no_pages() -> None:
    await update(later(1))
    Path("site/runs.json").write_text("[{")

    await update(later(2))

    assert len(list(Path("site/runs").iterdir())) == 2


# --------------------------------------------------------------- custom: functions


class Called:
    """An object that is called, and awaited."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def __call__(self, result: Any) -> None:
        await asyncio.sleep(0)
        self.seen.append(result)


async def test_callbacks_of_every_kind_get_the_result() -> None:
    seen: list[Any] = []

    async def awaited(result: Any) -> None:
        await asyncio.sleep(0)
        seen.append(result)

    def tagged(tag: str, result: Any) -> None:
        seen.append(result)

    def promised(result: Any) -> Any:
        return awaited(result)

    called = Called()
    partial = functools.partial(tagged, "x")
    for callback in (seen.append, awaited, partial, promised, called):
        told = await CustomAction(callback=callback).execute_async(RESULT)
        assert (told.status, told.error) == ("success", None)

    assert [*map(id, seen), *map(id, called.seen)] == [id(RESULT)] * 5


async def test_callback_that_blocks_has_a_thread_of_its_own() -> None:
    places: list[str] = []

    def where(result: Any) -> None:
        time.sleep(0.01)
        places.append(threading.current_thread().name)

    async def here(result: Any) -> None:
        places.append(threading.current_thread().name)

    await CustomAction(callback=where).execute_async(RESULT)
    await CustomAction(callback=here).execute_async(RESULT)

    assert places[0].startswith("truthound-action")
    assert places[1] == threading.current_thread().name


def test_callback_is_called_without_a_loop() -> None:
    told = CustomAction(callback=lambda result: result.checkpoint_name).execute(RESULT)

    assert (told.status, told.message) == ("success", "rides")


@pytest.mark.parametrize(
    ("returned", "status", "message", "details"),
    [
        (None, "success", "", {}),
        (True, "success", "", {}),
        (False, "failure", "the callback returned False", {}),
        (0, "success", "", {}),
        ("done", "success", "done", {}),
        ({"rows": 3}, "success", "", {"rows": 3}),
        ({}, "success", "", {}),
    ],
)
async def test_what_a_callback_returns_decides(
    returned: Any, status: str, message: str, details: Any
) -> None:
    told = await CustomAction(callback=lambda _: returned).execute_async(RESULT)

    assert (told.status, told.message, told.details) == (status, message, details)


async def test_callback_may_use_any_key() -> None:
    for key in ("rows", "status", "message", "error", "self", 3):
        told = await CustomAction(callback=lambda _, k=key: {k: 1}).execute_async(
            RESULT
        )
        assert (told.status, told.to_dict()["details"]) == ("success", {str(key): 1})


async def test_result_of_a_callback_is_passed_through() -> None:
    own = ActionResult("mine", "own", "failure", "not today", details={"a": 1})

    told = await CustomAction(callback=lambda _: own).execute_async(RESULT)

    assert told is own
    assert (told.action_name, told.status, told.details) == (
        "mine",
        "failure",
        {"a": 1},
    )


async def test_callback_that_raises_is_an_error_and_tried_again() -> None:
    calls: list[Any] = []

    def fail(result: Any) -> None:
        calls.append(result)
        raise KeyError("x")

    async def fail_later(result: Any) -> None:
        fail(result)

    for callback in (fail, fail_later):
        options = {"retry_count": 1, "retry_delay_seconds": 0}
        told = await CustomAction(callback=callback, **options).execute_async(RESULT)
        assert (told.status, told.error) == ("error", "KeyError: 'x'")

    assert len(calls) == 4


# in_thread() hands StopIteration to a future, which does not take it: nobody ever
# wakes up. With timeout_seconds=0 it hangs for good (on 3.11).
async def test_callback_that_runs_out_of_items_is_an_error() -> None:
    action = CustomAction(callback=lambda _: next(iter([])), timeout_seconds=0.3)

    told = await action.execute_async(RESULT)

    assert "StopIteration" in told.error


async def test_callback_has_its_time() -> None:
    action = CustomAction(callback=lambda _: asyncio.sleep(30), timeout_seconds=0.05)

    told = await action.execute_async(RESULT)

    assert told.error == "Action timed out after 0.05 s"


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put some modules where they can be imported."""
    folder = tmp_path / "importable"
    (folder / "told_pack").mkdir(parents=True)
    (folder / "told_pack/__init__.py").touch()
    (folder / "told_pack/inner.py").write_text(
        "class Desk:\n"
        "    @staticmethod\n"
        "    def take(result):\n"
        "        return {'name': result.checkpoint_name}\n"
        "async def later(result):\n"
        "    return result.run_id\n"
        "number = 3\n"
    )
    (folder / "told_broken.py").write_text("1 / 0\n")
    (folder / "told_typo.py").write_text("def (:\n")
    (folder / "told_slow.py").write_text(
        "import time\ntime.sleep(0.01)\ndef take(result): ...\n"
    )
    monkeypatch.syspath_prepend(folder)
    names = ("told_pack", "told_pack.inner", "told_broken", "told_typo", "told_slow")
    for name in names:
        monkeypatch.setitem(sys.modules, name, None)  # puts back what was there
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.usefixtures("places")
def test_callback_may_be_given_by_its_place() -> None:
    take = CustomAction(callback="told_pack.inner:Desk.take")
    later = CustomAction(callback="told_pack.inner:later")

    assert take.validate_config() == later.validate_config() == []
    assert take.execute(RESULT).details == {"name": "rides"}
    assert later.execute(RESULT).message == RESULT.run_id


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("told_nowhere:take", "No module named 'told_nowhere'"),
        ("told_pack.inner:tak", "has no attribute 'tak'"),
        ("told_pack.inner:Desk.x", "has no attribute 'x'"),
        ("told_pack.inner:number", "is no function"),
        # Only ImportError and AttributeError are caught.
        pytest.param("told_broken:x", "division"),
        pytest.param("told_typo:x", "syntax"),
        pytest.param(".inner:x", "relative"),
    ],
)
@pytest.mark.usefixtures("places")
def test_place_where_nothing_is_is_told(place: str, words: str) -> None:
    action = CustomAction(callback=place, retry_count=2)

    (problem,) = action.validate_config()
    told = action.execute(RESULT)

    assert problem.startswith(f"callback {place}")
    assert words in problem
    assert (told.status, told.error, told.details) == ("error", problem, {})


@pytest.mark.usefixtures("places")
async def test_place_of_a_callback_is_imported_on_a_thread() -> None:
    told = await CustomAction(callback="told_slow:take").execute_async(RESULT)

    assert (told.status, told.error) == ("success", None)


# ---------------------------------------------------------------- custom: commands


def members(group: int) -> list[int]:
    """Return the processes of a group that have not ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of = path.read_text().rpartition(") ")[2].split()[:3]
        except OSError:
            continue  # it has just ended
        if int(of) == group and state not in "ZX":
            found.append(int(path.parent.name))
    return found


async def gone(group: int) -> bool:
    """Tell whether a group ends soon; end it if not."""
    give_up = time.monotonic() + 0.5
    while time.monotonic() < give_up:
        if not members(group):
            return True
        await asyncio.sleep(0.01)
    os.killpg(group, signal.SIGKILL)
    return False


has_proc = pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")


async def run(command: Any, result: CheckpointResult = RESULT, **options: Any) -> Any:
    return await CustomAction(shell_command=command, **options).execute_async(result)


@pytest.mark.parametrize(
    ("command", "status", "code", "error"),
    [
        ("exit 0", "success", 0, None),
        (["true"], "success", 0, None),
        ("exit 3", "failure", 3, "exit code 3"),
        (["sh", "-c", "exit 4"], "failure", 4, "exit code 4"),
        ("kill -9 $$", "failure", -9, "killed by signal 9"),
        ("no-such-program-here 2>&1", "failure", 127, "exit code 127"),
    ],
)
async def test_exit_code_of_a_command_decides(
    command: Any, status: str, code: int, error: str | None
) -> None:
    told = await run(command, retry_count=2)

    assert (told.status, told.error) == (status, error)
    assert told.details["exit_code"] == code
    assert "attempts" not in told.details  # it was done, and says no


async def test_command_reads_the_result() -> None:
    result = ended("Zürich", metadata={"x": "é" * 100_000})

    told = await run("cat > got.json", result)

    assert told.status == "success"
    assert json.loads(Path("got.json").read_text()) == result.to_dict()


async def test_command_gets_nothing_to_read_unless_asked_for() -> None:
    told = await run("wc -c", pass_result_as_json=False)

    assert told.details["output"].strip() == "0"


@pytest.mark.parametrize("command", ["exit 0", "exec <&-; sleep 0.05", ["true"]])
async def test_command_need_not_read(command: Any) -> None:
    big = ended(metadata={"x": "y" * 2_000_000})

    told = await run(command, big)

    assert (told.status, told.error) == ("success", None)


async def test_command_knows_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTER_OF_TEST", "outer")
    Path("there").mkdir()
    names = ("CHECKPOINT", "RUN_ID", "STATUS")
    given = " ".join(f'"$TRUTHOUND_{name}"' for name in names)
    command = f'printf "%s\\n" {given} "$OUTER_OF_TEST" "$OWN"; pwd'

    told = await run(
        command, environment={"OWN": "own"}, working_directory=Path("there")
    )

    *said, folder = told.details["output"].splitlines()
    assert said == ["rides", RESULT.run_id, "warning", "outer", "own"]
    assert Path(folder) == Path("there").resolve()


@pytest.mark.parametrize(
    "name", ["$(touch pwned)", "`touch pwned`", "'; touch pwned; '", "a\nb", "Zürich"]
)
async def test_nothing_in_the_data_is_executed(name: str) -> None:
    told = await run('printf %s "$TRUTHOUND_CHECKPOINT"', ended(name))

    assert told.details["output"] == name
    assert not Path("pwned").exists()


async def test_missing_program_is_an_error_and_not_tried_again() -> None:
    told = await run(["no-such-program-here", "-x"], retry_count=2)

    assert told.status == "error"
    assert told.error == "no-such-program-here: No such file or directory"
    assert told.details == {}


async def test_missing_folder_of_a_command_is_named() -> None:
    told = await run("true", working_directory="nowhere")

    assert (told.status, "nowhere" in str(told.error)) == ("error", True)


async def test_end_of_what_a_command_prints_is_kept() -> None:
    async with asyncio.timeout(10):
        told = await run("head -c 10000000 /dev/zero | tr '\\0' y; echo the end >&2")

    output = told.details["output"]
    assert told.status == "success"
    assert len(output) == custom.KEPT
    assert output.endswith("yyythe end\n")


async def test_output_that_is_no_text_is_shown_all_the_same() -> None:
    told = await run("printf 'a\\377b'")

    assert told.details["output"] == "a\ufffdb"
    assert json.loads(json.dumps(told.to_dict()))["details"]["exit_code"] == 0


async def test_output_is_not_kept_unless_asked_for() -> None:
    told = await run("echo hidden; echo hidden >&2", capture_output=False)

    assert told.details == {"exit_code": 0, "output": ""}


LASTING = [
    pytest.param("sh -c 'sleep 30 & sleep 30'", id="child"),
    pytest.param(
        ["sh", "-c", "echo $$ > group; sleep 30 & sleep 30"], id="no shell of ours"
    ),
    pytest.param("sleep 30 & exit 0", id="leader has ended"),
    pytest.param("trap '' TERM; sleep 30 & sleep 30", id="does not listen"),
    pytest.param("(trap '' TERM; sleep 30) & sleep 30", id="child does not listen"),
    pytest.param("exec >&- 2>&-; sleep 30", id="says nothing"),
    pytest.param("while :; do echo x; done", id="says much"),
]


@has_proc
@pytest.mark.parametrize("command", LASTING)
async def test_command_is_ended_with_its_children(
    command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(custom, "GRACE", 0.1)
    if isinstance(command, str):
        command = f"echo $$ > group; {command}"
    began = time.monotonic()

    told = await run(command, timeout_seconds=0.4)

    assert told.error == "Action timed out after 0.4 s"
    assert time.monotonic() - began < 10
    assert await gone(int(Path("group").read_text()))


@has_proc
async def test_cancelled_command_is_ended_with_its_children() -> None:
    task = asyncio.create_task(run("sleep 30 & echo $$ > group; sleep 30"))
    async with asyncio.timeout(5):
        while not Path("group").exists():  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)  # see below

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert await gone(int(Path("group").read_text()))


@has_proc
async def test_command_cancelled_while_it_starts_is_ended_with_its_children(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect = asyncio.SelectorEventLoop.connect_read_pipe

    async def slowly(self: Any, *given: Any) -> Any:
        await asyncio.sleep(0.2)
        return await connect(self, *given)

    monkeypatch.setattr(asyncio.SelectorEventLoop, "connect_read_pipe", slowly)
    task = asyncio.create_task(run("sleep 30 & echo $$ > group; sleep 30"))
    async with asyncio.timeout(5):
        while not Path("group").exists():  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)

    task.cancel()

    done, _ = await asyncio.wait([task], timeout=0.5)
    is_gone = await gone(int(Path("group").read_text()))
    await asyncio.wait([task])
    assert (bool(done), is_gone) == (True, True)


@has_proc
async def test_command_may_clean_up_when_its_time_is_over() -> None:
    command = "trap 'echo tidy > left; exit 1' TERM; sleep 30 & wait"

    told = await run(command, timeout_seconds=0.4)

    assert told.status == "error"
    assert Path("left").read_text() == "tidy\n"


# -------------------------------------------------------------------- all together


async def test_actions_of_a_checkpoint_run_one_after_the_other() -> None:
    async with serving(in_turn(reply(200, b"ok"))) as server:
        actions = [
            slack(f"{server.url}/services/{CANARY}"),
            webhook(f"{server.url}/hook/{CANARY}"),
            StoreValidationResult(store_path="s"),
            UpdateDataDocs(site_path="site"),
            CustomAction(callback=lambda result: {"seen": result.run_id}),
            CustomAction(shell_command="cat", name="cat"),
        ]
        run = checkpoint("rides", ROWS, actions=actions)
        result = await run.run_async()

    told = result.action_results
    assert [r.status for r in told] == ["success"] * 6
    assert [r.action_type for r in told] == [
        "slack_notification", "webhook", "store_result", "update_docs", "custom",
        "custom",
    ]  # fmt: skip
    assert told[4].details == {"seen": result.run_id}
    assert "canary" not in json.dumps(result.to_dict()) + repr(run.to_dict())


async def test_failing_action_makes_the_run_a_failure_if_it_says_so() -> None:
    action = slack(
        f"http://127.0.0.1:{free_port()}/services/{CANARY}",
        fail_checkpoint_on_error=True,
    )

    result = await checkpoint("rides", ROWS, actions=[action]).run_async()

    assert result.status == "failure"
    assert "the action slack_notification failed: 127.0.0.1: Connect" in result.error
    assert "canary" not in json.dumps(result.to_dict())
