# ruff: noqa: ASYNC240 - a test may look at its files
"""Notifications to Slack, Teams, Discord and Telegram, against strict servers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import truthound.async_core.http  # noqa: F401 - imports block a running loop
from hostile import TEXTS
from probes import ROWS, WHOLE, checkpoint
from scripted_server import RESET, Received, Server, free_port, reply, serving
from store_records import rows
from telemetry_reader import Recorded
from truthound._clock import Clock
from truthound.checkpoint import Checkpoint, CheckpointResult, _clients
from truthound.checkpoint.actions import (
    DiscordNotification,
    SlackNotification,
    TeamsNotification,
    TelegramNotification,
)
from truthound.checkpoint.actions._notifying import TESTING
from truthound.checkpoint.outbox import deliver_due
from truthound.errors import ConfigurationError, UnknownOptionError
from truthound.store import Store
from vendors import discord, slack, teams, telegram

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
RESULT: CheckpointResult = checkpoint("rides", ROWS).run()


class SetClock(Clock):
    """A clock that is set by hand."""

    def __init__(self) -> None:
        object.__setattr__(self, "at", MONDAY)

    def now(self) -> datetime:
        return self.at  # type: ignore[attr-defined,no-any-return]

    def passes(self, passed: timedelta) -> None:
        object.__setattr__(self, "at", self.now() + passed)


@dataclass(frozen=True)
class Vendor:
    """How a vendor's server and action are made, and how it says that it is busy."""

    there: Any
    make: Any
    busy: Any


def bot(url: str, **options: Any) -> SlackNotification:
    options = {"token": slack.TOKEN, "channel": slack.CHANNEL, **options}
    return SlackNotification(api_url=f"{url}/api", **options)


def hook(url: str, **options: Any) -> SlackNotification:
    return SlackNotification(webhook_url=url + slack.WEBHOOK, **options)


def workflow(url: str, **options: Any) -> TeamsNotification:
    return TeamsNotification(webhook_url=url + teams.WEBHOOK, **options)


def channel(url: str, **options: Any) -> DiscordNotification:
    return DiscordNotification(webhook_url=url + discord.WEBHOOK, **options)


def chat(url: str, **options: Any) -> TelegramNotification:
    options = {"bot_token": telegram.TOKEN, "chat_id": telegram.CHAT, **options}
    return TelegramNotification(api_url=url, **options)


def _later(seconds: int) -> bytes:
    return reply(429, b"", retry_after=seconds)


VENDORS = {
    "slack hook": Vendor(slack.Slack, hook, slack.busy),
    "slack bot": Vendor(slack.Slack, bot, slack.busy),
    "teams": Vendor(teams.Teams, workflow, _later),
    "discord": Vendor(discord.Discord, channel, discord.busy),
    "telegram": Vendor(telegram.Telegram, chat, telegram.busy),
}
every_vendor = pytest.mark.parametrize("name", VENDORS)


@contextlib.asynccontextmanager
async def talking(
    name: str, *answers: bytes, **options: Any
) -> AsyncIterator[tuple[Any, Any, Server]]:
    """Yield an action, its vendor, and the server."""
    vendor = VENDORS[name].there(*answers)
    async with serving(vendor) as server:
        options.setdefault("retry_delay_seconds", 0)
        yield VENDORS[name].make(server.url, **options), vendor, server


async def sent(name: str, result: CheckpointResult = RESULT, **options: Any) -> Any:
    """Return the message that a vendor has taken from an action."""
    async with talking(name, **options) as (action, vendor, _):
        told = await action.execute_async(result)
        assert told.status == "success", told.error
    return vendor.messages[0]


def with_texts(text: str) -> CheckpointResult:
    """Return a result that says a text wherever it can."""
    run = RESULT.validation_run
    (issue,) = run.issues
    bad = replace(issue, name=text, message=text, examples=[{text: text}] * 3)
    return replace(
        RESULT,
        checkpoint_name=text or "rides",
        data_asset=text,
        error=text,
        validation_run=replace(run, checks=[bad] * 12),
        metadata={"tags": {text: text}},
    )


# ---------------------------------------------------------------------- what all do


@every_vendor
async def test_message_arrives(name: str) -> None:
    async with talking(name) as (action, vendor, server):
        told = await action.execute_async(RESULT)

    assert (told.status, told.message) == ("success", "sent")
    assert len(vendor.messages) == 1
    assert "null(fare)" in json.dumps(vendor.messages[0]).replace("\\", "")
    assert action._build_payload(RESULT).items() <= vendor.messages[0].items()
    assert [r.headers["idempotency-key"] for r in server.requests] == [
        f"{RESULT.run_id}:{action.name}"
    ]


@every_vendor
async def test_links_note_and_examples_are_told(name: str) -> None:
    said = json.dumps(
        await sent(
            name,
            custom_message="Call the taxi team.",
            links={"Runbook": "https://wiki.example/{checkpoint}?run={run_id}"},
            include_examples=1,
        )
    )

    assert "Call the taxi team." in said
    assert f"https://wiki.example/rides?run={RESULT.run_id}" in said
    assert "fare: null" in said


@every_vendor
async def test_vendor_takes_whatever_the_data_says(name: str) -> None:
    async with talking(name, include_examples=3) as (action, vendor, _):
        for text in TEXTS:
            action.config.custom_message = text
            told = await action.execute_async(with_texts(text))
            assert told.status == "success", (text[:80], told.error)

    assert len(vendor.messages) == len(TEXTS)


@every_vendor
async def test_nobody_is_told_of_a_success(name: str) -> None:
    async with talking(name) as (action, vendor, _):
        told = await action.execute_async(replace(RESULT, status="success"))

    assert (told.status, vendor.messages) == ("skipped", [])


@every_vendor
async def test_a_test_is_labelled_and_wakes_nobody(name: str) -> None:
    whom: dict[str, Any] = {
        "teams": {"mention_on_failure": {"Ops": "ops@example.com"}},
        "discord": {"mention_user_ids": [123]},
        "telegram": {},
    }.get(name, {"mention_on_failure": ["U1"]})
    token = TESTING.set(True)
    try:
        said = json.dumps(await sent(name, **whom))
    finally:
        TESTING.reset(token)

    assert "TEST, nothing has happened" in said
    for mention in ("<@", "<at>", "users"):
        assert mention not in said


@every_vendor
@pytest.mark.parametrize("status", [500, 502, 503, 429])
async def test_passing_fault_is_tried_again(name: str, status: int) -> None:
    answer = reply(status, b"busy", retry_after=0)
    async with talking(name, answer, retry_count=1) as (action, vendor, server):
        told = await action.execute_async(RESULT)

    assert told.status == "success", told.error
    assert (len(server.requests), len(vendor.messages)) == (2, 1)
    assert len({r.headers["idempotency-key"] for r in server.requests}) == 1


@every_vendor
@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 302])
async def test_lasting_refusal_is_final(name: str, status: int) -> None:
    answer = reply(status, b"no", location="/elsewhere")
    async with talking(name, answer, retry_count=3) as (action, _, server):
        told = await action.execute_async(RESULT)

    assert told.status == "error"
    assert told.error.startswith(f"127.0.0.1 answered {status}")
    assert len(server.requests) == 1


@every_vendor
async def test_vendor_that_is_not_there_is_an_error(name: str) -> None:
    action = VENDORS[name].make(f"http://127.0.0.1:{free_port()}", retry_count=0)

    told = await action.execute_async(RESULT)

    assert told.status == "error"
    assert told.error.startswith("127.0.0.1: ConnectError")
    assert "canary" not in f"{told}{action!r}{action.config!r}".lower()


@every_vendor
async def test_outbox_waits_as_long_as_the_vendor_says(name: str) -> None:
    clock = SetClock()
    async with talking(name, VENDORS[name].busy(600)) as (action, vendor, server):
        made = Checkpoint(
            "rides",
            data_source=ROWS,
            validators=["null"],
            actions=[action],
            store=Store("s.db", clock=clock),
            clock=clock,
        )
        result = await made.run_async()
        assert "429" in result.action_results[0].error
        async with Store("s.db", clock=clock) as store:
            query = "SELECT state, due_at - created_at FROM notices"
            ((state, wait),) = await asyncio.to_thread(rows, store, query)
            assert (state, wait >= 600e6) == ("owed", True)
            clock.passes(timedelta(seconds=500))
            assert await deliver_due(store, [made], clock=clock) == []
            clock.passes(timedelta(seconds=200))
            ((_, error),) = await deliver_due(store, [made], clock=clock)

    assert error is None
    assert (len(server.requests), len(vendor.messages)) == (2, 1)


@every_vendor
async def test_concurrent_messages_all_arrive(name: str) -> None:
    async with talking(name) as (action, vendor, _):
        runs = [replace(RESULT, run_id=f"rides_{n}") for n in range(20)]
        told = await asyncio.gather(*map(action.execute_async, runs))

    assert [one.status for one in told] == ["success"] * 20
    assert len(vendor.messages) == 20


@every_vendor
async def test_grouped_runs_are_one_message(name: str) -> None:
    async with talking(name) as (action, vendor, _):
        messages = [
            action._message(replace(RESULT, checkpoint_name=f"c{n}")) for n in range(60)
        ]
        together = replace(messages[0], others=messages[1:])
        told = await action._notify(together, RESULT)

    assert told.status == "success"
    assert "60 checkpoints, 60 not well" in json.dumps(vendor.messages[0])


# ------------------------------------------------------------------------- no secrets


def echo(request: Received) -> str:
    """Return what a careless server repeats of a request."""
    parts = [request.target, quote(request.target, safe="")]
    parts += [part.rpartition(":")[2] for part in request.target.split("/")]
    parts += [request.headers.get("authorization", ""), request.target.split("/")[-1]]
    return " ".join(parts)


async def reset(_: Received) -> AsyncGenerator[bytes, None]:
    yield RESET


FAULTS: dict[str, Any] = {
    "404": lambda r: reply(404, echo(r).encode()),
    "500": lambda r: reply(500, echo(r).encode()),
    "JSON": lambda r: reply(
        400,
        json.dumps({"ok": False, "description": echo(r), "message": echo(r)}).encode(),
    ),
    "not ok": lambda r: reply(
        200,
        json.dumps({"ok": False, "error": echo(r), "description": echo(r)}).encode(),
    ),
    "302": lambda r: reply(302, location=r.target),
    "reset": reset,
    "nonsense": lambda r: echo(r).encode() + b"\r\n\r\n",
}


@every_vendor
@pytest.mark.parametrize(
    ("fault", "has_aiohttp"),
    [*((fault, True) for fault in FAULTS), ("404", False), ("nonsense", False)],
)
async def test_no_fault_shows_a_secret(
    name: str,
    fault: str,
    has_aiohttp: bool,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_clients, "HAS_AIOHTTP", has_aiohttp)
    caplog.set_level(logging.INFO)
    logging.getLogger("truthound").setLevel(logging.DEBUG)
    recorded = Recorded()
    async with serving(FAULTS[fault]) as server:
        action = VENDORS[name].make(server.url, retry_delay_seconds=0, retry_count=1)
        made = checkpoint("rides", ROWS, actions=[action], store="s.db")
        result = await made.run_async()

    (told,) = result.action_results
    if not (fault == "not ok" and name in ("teams", "discord")):
        assert told.status == "error"
    spans = "".join(f"{s.name}{dict(s.attributes)}{s.events}" for s in recorded.spans)
    seen = f"{told}{result.to_dict()}{made.to_dict()}{action!r}{action.config!r}"
    seen += str(vars(action.config)) + caplog.text + spans
    seen += Path("s.db").read_bytes().decode("latin-1")
    assert "canary" not in seen.lower()


@pytest.mark.parametrize("pad", [170, 185, 195])
@pytest.mark.parametrize("name", ["slack bot", "telegram"])
async def test_secret_that_is_cut_is_not_shown_in_part(name: str, pad: int) -> None:
    token = {"slack bot": slack.TOKEN, "telegram": telegram.TOKEN}[name]
    text = "x" * pad + " " + token
    no = reply(
        200, json.dumps({"ok": False, "error": text, "description": text}).encode()
    )
    async with talking(name, no) as (action, _, _):
        told = await action.execute_async(RESULT)

    assert "xxx" in told.error
    assert token[:4] not in told.error


@every_vendor
async def test_span_of_a_message_shows_no_secret(name: str) -> None:
    recorded = Recorded()

    await sent(name)

    assert recorded.spans
    spans = "".join(f"{s.name}{dict(s.attributes)}{s.events}" for s in recorded.spans)
    assert "canary" not in spans.lower()


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: SlackNotification(webhook_url="${NO_SUCH}"), "NO_SUCH is not set"),
        (
            lambda: SlackNotification(token="${NO_SUCH}", channel="C1"),
            "token: the environment variable NO_SUCH is not set",
        ),
        (lambda: TeamsNotification(webhook_url="x"), "webhook_url: expected an addr"),
        (lambda: DiscordNotification(webhook_url="ftp://x"), "webhook_url: expected"),
        (
            lambda: TelegramNotification(bot_token="${NO_SUCH}", chat_id=1),
            "bot_token: the environment variable NO_SUCH is not set",
        ),
        (
            lambda: TelegramNotification(bot_token="canary", chat_id=1),
            "bot_token: expected a number, a colon and the rest of a token",
        ),
    ],
)
async def test_problem_of_a_secret_is_found_before_and_told_later(
    make: Any, problem: str
) -> None:
    action = make()

    (found,) = action.validate_config()
    told = await action.execute_async(RESULT)

    assert problem in found
    assert told.status == "error"
    assert "canary" not in f"{found}{told}"


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: SlackNotification(), "the option webhook_url is missing; or give tok"),
        (
            lambda: SlackNotification(webhook_url="https://x", token="y", channel="C"),
            "give webhook_url or token, not both",
        ),
        (lambda: SlackNotification(token="y"), "the option channel is missing"),
        (
            lambda: SlackNotification(
                webhook_url="https://x", mention_on_failure="@ann"
            ),
            "expected the id of a member",
        ),
        (
            lambda: SlackNotification(token="y", channel="C", api_url="slack.com"),
            "api_url: expected an address",
        ),
        (lambda: TeamsNotification(), "the option webhook_url is missing"),
        (
            lambda: TeamsNotification(webhook_url="https://x", card_version="2.0"),
            "card_version is 1.2, 1.3, 1.4, 1.5, not '2.0'",
        ),
        (
            lambda: TeamsNotification(
                webhook_url="https://x", mention_on_failure=["a"]
            ),
            "mention_on_failure is a mapping of names to ids",
        ),
        (
            lambda: TeamsNotification(
                webhook_url="https://x", mention_on_failure={"<at>": "a"}
            ),
            "a name is a text without < and >",
        ),
        (lambda: DiscordNotification(), "the option webhook_url is missing"),
        (
            lambda: DiscordNotification(webhook_url="https://x", username="Discordia"),
            "username: Discord takes up to 80 characters without",
        ),
        (
            lambda: DiscordNotification(
                webhook_url="https://x", mention_user_ids="ann"
            ),
            "mention_user_ids: expected the id of somebody",
        ),
        (
            lambda: DiscordNotification(webhook_url="https://x", mention_role_ids=0.5),
            "mention_role_ids: expected the id of somebody",
        ),
        (
            lambda: DiscordNotification(webhook_url="https://x", thread_id="-1"),
            "thread_id: expected the id of a thread",
        ),
        (
            lambda: DiscordNotification(
                webhook_url="https://x", mention_user_ids=range(10**18, 10**18 + 99)
            ),
            "mention_user_ids and mention_role_ids are too many for a message",
        ),
        (
            lambda: DiscordNotification(webhook_url="https://x", avatar_url="me.png"),
            "avatar_url: expected an address",
        ),
        (lambda: TelegramNotification(chat_id=1), "the option bot_token is missing"),
        (
            lambda: TelegramNotification(bot_token="1:a"),
            "the option chat_id is missing",
        ),
        (
            lambda: TelegramNotification(bot_token="1:a", chat_id="quality"),
            "chat_id is a number, or @name of a public chat, not 'quality'",
        ),
        (
            lambda: TelegramNotification(bot_token="1:a", chat_id=1, api_url="x?y"),
            "api_url: expected an address",
        ),
    ],
)
def test_wrong_option_is_named(make: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make()

    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("option", "near"), [("chat", "chat_id"), ("token", "bot_token")]
)
def test_unknown_option_names_the_nearest(option: str, near: str) -> None:
    with pytest.raises(UnknownOptionError, match=near):
        TelegramNotification(**{option: "x"})


# ------------------------------------------------------------------------------ Slack


class Incident:
    """A checkpoint that ends as it is told to, with one notification on each change."""

    def __init__(self, action: Any) -> None:
        self.clock = action.clock = SetClock()
        self.checkpoint = Checkpoint(
            "rides",
            data_source=WHOLE,
            validators=["null"],
            actions=[action],
            store=Store("a.db", clock=self.clock),
            clock=self.clock,
        )

    async def run(self, *, well: bool, hours: float = 1) -> Any:
        self.clock.passes(timedelta(hours=hours))
        self.checkpoint.config.data_source = WHOLE if well else ROWS
        result = await self.checkpoint.run_async()
        return result.action_results[0]


@pytest.mark.parametrize("name", ["slack bot", "telegram"])
async def test_what_follows_an_alarm_stands_in_its_thread(name: str) -> None:
    alerts = {"when": "change", "remind_seconds": 7_200}
    async with talking(name, alerts=alerts) as (action, vendor, _):
        incident = Incident(action)
        for well in (False, False, False, True, False):
            told = await incident.run(well=well)
            assert told.status in ("success", "skipped"), told.error

    replies = [
        message.get("thread_ts")
        or message.get("reply_parameters", {}).get("message_id")
        for message in vendor.messages
    ]
    first = {"slack bot": "1700000000.000100", "telegram": 1}[name]
    assert replies == [None, first, first, None]
    said = [json.dumps(message) for message in vendor.messages]
    assert "still warning" in said[1]
    assert "resolved, success" in said[2]


async def test_slack_bot_says_who_it_is_and_what_it_wrote() -> None:
    async with talking("slack bot") as (action, vendor, server):
        told = await action.execute_async(RESULT)

    assert told.details == {"thread": "1700000000.000100", "channel": slack.CHANNEL}
    (message,) = vendor.messages
    assert server.requests[0].headers["authorization"] == f"Bearer {slack.TOKEN}"
    # Its own name and picture; nothing in the text becomes a link or a mention.
    assert not {"username", "icon_emoji"} & set(message)
    assert (message["parse"], message["link_names"]) == ("none", False)
    assert (message["unfurl_links"], message["unfurl_media"]) == (False, False)


async def test_slack_bot_has_the_name_that_was_given() -> None:
    message = await sent("slack bot", username="Watch", icon_emoji=":eyes:")

    assert (message["username"], message["icon_emoji"]) == ("Watch", ":eyes:")


async def test_slack_thread_that_is_gone_costs_no_message() -> None:
    async with talking("slack bot") as (action, vendor, server):
        message = replace(action._message(RESULT), thread="1600000000.000100")
        told = await action._notify(message, RESULT)

    assert told.details["thread"] == "1700000000.000100"
    assert (len(server.requests), len(vendor.messages)) == (2, 1)


async def test_slack_shows_a_reply_in_the_channel_if_asked() -> None:
    async with talking("slack bot", reply_broadcast=True) as (action, vendor, _):
        told = await action.execute_async(RESULT)
        thread = told.details["thread"]
        again = replace(action._message(RESULT), thread=thread)
        await action._notify(again, RESULT)

    assert vendor.messages[1]["reply_broadcast"] is True


@pytest.mark.parametrize("name", ["slack hook", "slack bot"])
async def test_slack_mentions_where_it_is_heard(name: str) -> None:
    message = await sent(name, mention_on_failure=["U1", "here"])

    assert message["text"] == "<@U1> <!here> rides: warning"


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        *((e, 2) for e in ("ratelimited", "internal_error", "fatal_error")),
        *((e, 1) for e in ("invalid_auth", "channel_not_found", "not_in_channel")),
        ("invalid_blocks", 1),
        ("msg_too_long", 1),
    ],
)
@pytest.mark.parametrize("name", ["slack hook", "slack bot"])
async def test_slack_says_no_with_a_good_status(
    name: str, error: str, tries: int
) -> None:
    no = slack.not_ok(error)
    async with talking(name, no, no, retry_count=1) as (action, _, server):
        told = await action.execute_async(RESULT)

    assert (told.status, told.error) == ("error", f"Slack answered not ok: {error}")
    assert len(server.requests) == tries


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"token": "xoxb-wrong"}, "invalid_auth"),
        ({"channel": "#nowhere"}, "channel_not_found"),
    ],
)
async def test_slack_bot_that_may_not_write_is_told_why(
    options: dict[str, Any], said: str
) -> None:
    async with talking("slack bot", **options) as (action, _, _):
        told = await action.execute_async(RESULT)

    assert told.error == f"Slack answered not ok: {said}"


# ------------------------------------------------------------------------------ Teams


async def test_teams_gets_a_card_and_mentions() -> None:
    message = await sent("teams", mention_on_failure={"On call": "on.call@example.com"})

    card = message["attachments"][0]["content"]
    assert teams.runs(card)[0] == "rides: warning"
    (entity,) = card["msteams"]["entities"]
    assert entity["mentioned"] == {"id": "on.call@example.com", "name": "On call"}
    assert card["msteams"]["width"] == "Full"


@pytest.mark.parametrize(("status", "tries"), [(429, 2), (503, 2), (413, 1)])
async def test_teams_says_no_with_a_good_status(status: int, tries: int) -> None:
    no = reply(
        200,
        b"Webhook message delivery failed with error: Microsoft Teams endpoint "
        b"returned HTTP error %d with ContextId x" % status,
    )
    async with talking("teams", no, no, retry_count=1) as (action, _, server):
        told = await action.execute_async(RESULT)

    assert told.error == f"Teams did not deliver the message: HTTP error {status}"
    assert len(server.requests) == tries


# ---------------------------------------------------------------------------- Discord


async def test_discord_tells_the_id_and_mentions_nobody() -> None:
    async with talking("discord") as (action, vendor, _):
        told = await action.execute_async(RESULT)

    assert told.details == {"message_id": "991"}
    (message,) = vendor.messages
    assert message["allowed_mentions"] == {"parse": []}
    assert "content" not in message
    assert vendor.queries == [{"wait": ["true"]}]


async def test_discord_mentions_whom_it_was_told() -> None:
    message = await sent("discord", mention_user_ids=[123], mention_role_ids=["456"])

    assert message["content"] == "<@123> <@&456>"
    assert message["allowed_mentions"] == {
        "parse": [],
        "users": ["123"],
        "roles": ["456"],
    }


async def test_discord_writes_to_a_thread() -> None:
    async with talking("discord", thread_id=77) as (action, vendor, _):
        await action.execute_async(RESULT)

    assert vendor.queries == [{"wait": ["true"], "thread_id": ["77"]}]


async def test_discord_says_in_the_body_when_to_come_back() -> None:
    busy = discord.busy(0.25, in_header=False)
    async with talking("discord", busy, retry_count=1) as (action, _, server):
        told = await action.execute_async(RESULT)

    assert told.status == "success"
    first, second = (request.at for request in server.requests)
    assert second - first >= 0.25


async def test_discord_refusal_is_told_in_its_words() -> None:
    async with talking("discord") as (action, _, server):
        url = server.url + discord.WEBHOOK + "x"
        action.config.webhook_url = type(action.config.webhook_url)(url)
        told = await action.execute_async(RESULT)

    assert told.error == "127.0.0.1 answered 404: Unknown Webhook"


# --------------------------------------------------------------------------- Telegram


@pytest.mark.parametrize("given", [telegram.CHAT, str(telegram.CHAT), "@quality"])
async def test_telegram_chat_is_a_number_or_a_name(given: Any) -> None:
    message = await sent(
        "telegram", chat_id=given, message_thread_id=7, disable_notification=True
    )

    assert message["chat_id"] == (given if given == "@quality" else telegram.CHAT)
    assert message["message_thread_id"] == 7
    assert message["disable_notification"] is True
    assert message["link_preview_options"] == {"is_disabled": True}


async def test_telegram_says_in_the_body_when_to_come_back() -> None:
    async with talking("telegram", telegram.busy(1), retry_count=1) as made:
        action, _, server = made
        told = await action.execute_async(RESULT)

    assert told.status == "success"
    first, second = (request.at for request in server.requests)
    assert second - first >= 1


async def test_telegram_refusal_is_told_in_its_words() -> None:
    async with talking("telegram", chat_id=5, retry_count=2) as (action, _, server):
        told = await action.execute_async(RESULT)

    assert told.error == "127.0.0.1 answered 400: Bad Request: chat not found"
    assert len(server.requests) == 1


async def test_telegram_follows_a_group_that_has_moved() -> None:
    moved = telegram.moved(telegram.CHAT)
    async with talking("telegram", moved, chat_id=-5) as (action, vendor, server):
        told = await action.execute_async(RESULT)

    assert told.details == {"thread": "1", "chat_id": str(telegram.CHAT)}
    assert vendor.messages[0]["chat_id"] == telegram.CHAT
    assert len(server.requests) == 2


async def test_telegram_token_leads_nowhere_else() -> None:
    async with talking("telegram", bot_token="1:a/../../x?y=") as (action, _, server):
        told = await action.execute_async(RESULT)

    assert told.status == "error"
    assert server.requests == []
