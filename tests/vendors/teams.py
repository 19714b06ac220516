"""A webhook of Teams Workflows, as strict as one.

The rules are those of "Create incoming webhooks with Workflows for Microsoft Teams",
"Format cards in Teams" (which elements, mentions) and the schema of Adaptive Cards
("RichTextBlock", "TextRun", "TextBlock", "Container", "Action.OpenUrl").
"""

from __future__ import annotations

import json
import re
from typing import Any

from scripted_server import Received, reply

WEBHOOK = "/workflows/abc/triggers/manual/paths/invoke?sp=run&sig=canarysecret"
KIND = "application/vnd.microsoft.card.adaptive"
_BLOCK = {"type", "spacing", "separator"}
_RUN = {
    "color": {"default", "dark", "light", "accent", "good", "warning", "attention"},
    "fontType": {"Default", "Monospace"},
    "isSubtle": {True, False},
    "size": {"Small", "Default", "Medium", "Large", "ExtraLarge"},
    "weight": {"Lighter", "Default", "Bolder"},
}
_SPACING = {"None", "Small", "Default", "Medium", "Large", "ExtraLarge", "Padding"}
_STYLES = {"default", "emphasis", "good", "attention", "warning", "accent"}


class Refused(Exception):
    """What is wrong with a message."""


def _need(condition: object, what: object) -> None:
    if not condition:
        raise Refused(str(what)[:200])


def check(payload: Any, size: int) -> None:
    """Raise if the workflow or Teams would refuse a message."""
    _need(size * 2 <= 28_672, f"{size} characters")  # it counts them in UTF-16
    _need(set(payload) == {"type", "attachments"}, payload)
    _need(payload["type"] == "message", payload["type"])
    (attachment,) = payload["attachments"]
    _need(set(attachment) <= {"contentType", "contentUrl", "content"}, attachment)
    _need(attachment["contentType"] == KIND, attachment)
    check_card(attachment["content"])


def check_card(card: Any) -> None:
    known = {"$schema", "type", "version", "body", "actions", "msteams"}
    _need(set(card) <= known, set(card) - known)
    _need(card["type"] == "AdaptiveCard", card["type"])
    _need(re.fullmatch(r"1\.[2-5]", card["version"]), card["version"])
    _need(card["body"], "an empty card")
    for element in card["body"]:
        _check_element(element)
    actions = card.get("actions", [])
    _need(len(actions) <= 6, "more than 6 actions")
    for action in actions:
        _need(set(action) == {"type", "title", "url"}, action)
        _need(action["type"] == "Action.OpenUrl" and action["title"], action)
        _need(re.match(r"https?://\S+\Z", action["url"]), action)
    said = json.dumps(card["body"], ensure_ascii=False)
    teams = card.get("msteams", {})
    _need(set(teams) <= {"width", "entities"}, teams)
    for entity in teams.get("entities", []):
        _need(set(entity) == {"type", "text", "mentioned"}, entity)
        _need(entity["type"] == "mention", entity)
        _need(set(entity["mentioned"]) == {"id", "name"}, entity)
        _need(entity["text"] == f"<at>{entity['mentioned']['name']}</at>", entity)
        _need(said.count(entity["text"]) == 1, "a mention that is not in the text")
    _need(said.count("<at>") == len(teams.get("entities", [])), "a false mention")


def _check_element(element: Any) -> None:
    kind = element["type"]
    _need(element.get("spacing", "None") in _SPACING, element)
    if kind == "Container":
        _need(set(element) <= _BLOCK | {"style", "bleed", "items"}, element)
        _need(element.get("style", "default") in _STYLES, element)
        for item in element["items"]:
            _check_element(item)
    elif kind == "RichTextBlock":
        _need(set(element) <= _BLOCK | {"inlines"}, element)
        _need(element["inlines"], element)
        for run in element["inlines"]:
            _need(run["type"] == "TextRun", run)
            _need(isinstance(run["text"], str) and run["text"], run)
            _need(set(run) <= {"type", "text", *_RUN}, run)
            _need(all(run[k] in _RUN[k] for k in set(run) & set(_RUN)), run)
    elif kind == "TextBlock":
        _need(set(element) <= _BLOCK | {"text", "wrap"}, element)
        _need(element["text"], element)
    else:
        raise Refused(kind)


def runs(card: Any) -> list[str]:
    """Return the texts of a card in turn, without those that are Markdown."""
    blocks = [i for e in card["body"] for i in e.get("items", [e])]
    return [
        "".join(run["text"] for run in block["inlines"])
        for block in blocks
        if block["type"] == "RichTextBlock"
    ]


class Teams:
    """A channel; ``answers`` are given before its own, one for each request."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.messages: list[dict[str, Any]] = []

    def __call__(self, request: Received) -> bytes:
        if self.answers:
            return self.answers.pop(0)
        if request.target != WEBHOOK:
            return _refusal(401, "DirectApiAuthorizationRequired")
        if request.headers.get("content-type") != "application/json":
            return _refusal(415, "UnsupportedMediaType")
        try:
            payload = json.loads(request.body)
            check(payload, len(request.body))
        except (ValueError, KeyError, TypeError, Refused) as error:
            return _refusal(400, f"{type(error).__name__}: {error}")
        self.messages.append(payload)
        return reply(202, b"", "Accepted")


def _refusal(status: int, why: str) -> bytes:
    body = json.dumps({"error": {"code": why, "message": why}}).encode()
    return reply(status, body, content_type="application/json")
