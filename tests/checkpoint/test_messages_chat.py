"""What people are told in chats: within each limit, and nothing in it acts."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from hostile import TEXTS, messages
from truthound.checkpoint.messages import _tidy
from truthound.checkpoint.messages import discord as of_discord
from truthound.checkpoint.messages import slack as of_slack
from truthound.checkpoint.messages import telegram as of_telegram
from truthound.checkpoint.messages.card import adaptive_card
from truthound.checkpoint.messages.discord import discord_embeds
from truthound.checkpoint.messages.message import (
    Finding,
    Message,
    MessageKind,
    grouped,
)
from truthound.checkpoint.messages.slack import slack_blocks
from truthound.checkpoint.messages.telegram import telegram_html
from vendors import discord, slack, teams, telegram

often: Any = settings(
    max_examples=30,
    deadline=None,
    # Such messages are large: to make them smaller takes minutes.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
MESSAGE = Message(
    kind=MessageKind.RUN,
    checkpoint="rides",
    status="failure",
    run_id="rides_20260302_120000_00000001",
    at=datetime(2026, 3, 2, 12, tzinfo=UTC),
    source="rides.parquet",
    rows=1_234_567,
    checks=9,
    failed_checks=2,
    findings=[
        Finding(
            name="range(fare)",
            severity="critical",
            message="expected 0 to 500; 3 of 1,234,567 rows fail",
            examples=[{"row": "17", "fare": "-3"}],
        ),
    ],
    more_findings=4,
    note="Call the taxi team.",
    links={"Runbook": "https://wiki.example/rides?a=1&b=(2)"},
    tags={"team": "taxi"},
)
ENDLESS = replace(
    MESSAGE,
    checkpoint="😀" * 9_000,
    run_id="&" * 9_000,
    source="<" * 9_000,
    error="😀\n" * 9_000,
    note="<&>" * 9_000,
    findings=[
        Finding(
            name="&" * 900,
            severity="high",
            message="😀" * 900,
            examples=[{"&": "<" * 200}] * 9,
        )
    ]
    * 10,
    tags={f"{n}&": "<" * 900 for n in range(20)},
    links={"😀" * 90 + str(n): "https://x.example/" + "&" * 1_400 for n in range(9)},
)
LONG = Finding(name="n" * 150, severity="low", message="m" * 450)
SIZES = [
    MESSAGE,
    ENDLESS,
    grouped([MESSAGE] * 2),
    grouped([MESSAGE] * 300),
    grouped([ENDLESS] * 300),
    replace(ENDLESS, error=None, note=None),
    # Each embed is within its limits, but not all of them together.
    grouped([replace(MESSAGE, findings=[LONG] * 3)] * 5),
]


def flat(value: Any) -> str:
    """Return all texts in a form of a message."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return "\n".join(map(flat, value))
    return value if isinstance(value, str) else ""


FORMS: dict[str, Any] = {
    "slack": lambda message: flat(slack_blocks(message)),
    "teams": lambda message: flat(adaptive_card(message)),
    "discord": lambda message: flat(discord_embeds(message)).replace("\\", ""),
    "telegram": lambda message: telegram.Entities(telegram_html(message)).text,
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_tells_everything(form: str) -> None:
    said = FORMS[form](MESSAGE)

    for part in (
        "failure",
        "rides.parquet",
        "1,234,567",
        "2 of 9",
        "2026-03-02 12:00:00 UTC",
        MESSAGE.run_id,
        "range(fare)",
        "critical",
        "expected 0 to 500",
        "fare: -3",
        "and 4 more issues",
        "Call the taxi team.",
        "team=taxi",
        "Runbook",
    ):
        assert part in said, part


@pytest.mark.parametrize("form", FORMS)
def test_each_form_tells_several_runs(form: str) -> None:
    trips = replace(MESSAGE, checkpoint="trips", status="success")

    said = FORMS[form](grouped([MESSAGE, trips]))

    for part in ("2 checkpoints, 1 not well", "rides", "trips", "range(fare)"):
        assert part in said, part


@pytest.mark.parametrize("form", FORMS)
def test_each_form_says_how_many_it_leaves_out(form: str) -> None:
    said = FORMS[form](grouped([MESSAGE] * 300))

    assert "300 checkpoints, 300 not well" in said
    shown = len(re.findall("range.fare", said))
    (left,) = re.findall(r"and ([\d,]+) more checkpoints", said)
    assert shown >= 2
    assert shown + int(left) == 300


@pytest.mark.parametrize("form", FORMS)
def test_each_form_labels_a_test(form: str) -> None:
    said = FORMS[form](replace(MESSAGE, kind=MessageKind.TEST))

    assert "TEST, nothing has happened: " in said


@pytest.mark.parametrize("message", SIZES, ids=range(len(SIZES)))
def test_every_size_is_within_the_limits(message: Message) -> None:
    slack.check_blocks(slack_blocks(message))
    check_card(adaptive_card(message))
    discord.check_embeds(discord_embeds(message))
    telegram.check_text(telegram_html(message))


def check_card(card: Any) -> None:
    assert 2 * len(json.dumps(card)) <= 28_000
    teams.check_card(card)


@often
@given(messages)
def test_slack_takes_any_message_and_nothing_in_it_acts(message: Message) -> None:
    blocks = slack_blocks(message)

    slack.check_blocks(blocks)
    said = slack.texts([b for b in blocks if b["type"] == "section"])
    text = "\n".join(said)
    assert all(
        b["text"]["verbatim"] for b in blocks if b["type"] != "header" if "text" in b
    )
    shown = _tidy.tidied(message).links
    links = [m.replace("&amp;", "&") for m in re.findall(r"<([^<>|]*)\|", text)]
    assert set(links) <= set(shown.values())
    assert not re.search(r"(?<!\w)[_~]|[_~](?!\w)|`", re.sub(r"<[^<>|]*\|", "", text))
    assert not re.search(r":[\w+'-]*[a-zA-Z_+][\w+'-]*:", re.sub("<[^<>]*>", "", text))
    # Bold is a whole name or label, and nothing else.
    for line in re.sub(r"<[^<>|]*\|", "", text).split("\n"):
        assert len(re.findall(r"(?<!\w)\*|\*(?!\w)", line)) in (0, 2), line


@often
@given(messages)
def test_card_takes_any_message_and_nothing_in_it_acts(message: Message) -> None:
    card = adaptive_card(message, mentions={"29:1": "Ops"})

    check_card(card)
    (markdown,) = [e for e in card["body"] if e["type"] == "TextBlock"]
    assert markdown["text"] == "<at>Ops</at>"
    addresses = [action["url"] for action in card.get("actions", ())]
    assert set(addresses) <= set(_tidy.tidied(message).links.values())


@often
@given(messages)
def test_discord_takes_any_message_and_nothing_in_it_acts(message: Message) -> None:
    embeds = discord_embeds(message)

    discord.check_embeds(embeds)
    shown = _tidy.tidied(message).links
    for embed in embeds:
        assert discord.live(embed["title"]) == []
        for field in embed.get("fields", ()):
            assert discord.live(field["value"]) == []
        text = embed.get("description", "")
        for address in shown.values():  # our own links
            text = text.replace(f"](<{address}>)", "\\]").replace(" · [", " · ")
        found = discord.live(text)
        assert set(found) <= {"**", "["}, found
        assert found.count("**") % 2 == 0


@often
@given(messages)
def test_telegram_takes_any_message_and_nothing_in_it_acts(message: Message) -> None:
    parsed = telegram.check_text(telegram_html(message))

    assert set(parsed.links) <= set(_tidy.tidied(message).links.values())
    assert telegram.found_in(parsed.free) == []
    assert {name for name, _ in parsed.spans} <= {"b", "code", "pre", "a"}


@pytest.mark.parametrize("text", TEXTS)
def test_telegram_code_holds_what_was_said(text: str) -> None:
    clean = _tidy.clean(text, 200)
    finding = Finding(name=text, severity="low", message="x")

    parsed = telegram.Entities(telegram_html(replace(MESSAGE, findings=[finding])))

    wanted = clean if clean.strip() else "-"
    assert ("code", wanted) in parsed.spans


@pytest.mark.parametrize(
    "text", ["rides", "fare_amount", "a*b", "12:30:45", "x~y", "range(a_b)"]
)
def test_slack_leaves_ordinary_names_as_they_are(text: str) -> None:
    assert of_slack.escaped(text) == text


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("<!channel>", "&lt;!channel&gt;"),
        ("*b* _i_ ~s~ `c`", "∗b∗ ˍiˍ ∼s∼ ˋcˋ"),
        (":tada: a:b:c", "∶tada: a∶b:c"),
        ("a_ _a", "aˍ ˍa"),
    ],
)
def test_slack_sees_no_markup(text: str, safe: str) -> None:
    assert of_slack.escaped(text) == safe


@pytest.mark.parametrize("text", TEXTS)
def test_discord_shows_what_was_said(text: str) -> None:
    clean = _tidy.clean(text, 200)

    shown = re.sub(r"\\([^A-Za-z0-9\s])", r"\1", of_discord.escaped(clean))
    assert shown == clean
    assert discord.live(of_discord.escaped(clean)) == []


@pytest.mark.parametrize(
    "text",
    ["@name", "#tag", "/start", "a.example.com", "https://x.example", "+4912345678"],
)
def test_telegram_titles_are_broken_up(text: str) -> None:
    assert telegram.found_in(text)
    broken = of_telegram.broken_up(text)
    assert telegram.found_in(broken) == []
    assert broken.replace("\u2060", "") == text
