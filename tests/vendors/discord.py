"""A webhook of Discord, as strict as one.

The rules are those of its reference: "Execute Webhook" (parameters, wait), "Embed
limits", "Allowed mentions object", "Usernames and nicknames", "Rate limits".
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from scripted_server import Received, reply

WEBHOOK = "/api/webhooks/1234567890/canary-secret-token"
_KNOWN = {"content", "username", "avatar_url", "embeds", "allowed_mentions"}
_EMBED = {"title", "description", "url", "color", "timestamp", "fields", "footer"}
_CODE = re.compile(r"```\n(.*?)\n```", re.DOTALL)


class Refused(Exception):
    """What is wrong with a message."""


def _need(condition: object, what: object) -> None:
    if not condition:
        raise Refused(str(what)[:200])


def _size(text: Any) -> int:
    _need(isinstance(text, str), text)
    return len(text.encode("utf-16-le")) // 2


def check(payload: Any) -> None:
    """Raise if Discord would refuse a message."""
    _need(set(payload) <= _KNOWN, set(payload) - _KNOWN)
    content, name = payload.get("content", ""), payload.get("username", "x")
    _need(_size(content) <= 2_000, "content")
    _need(1 <= len(name) <= 80, "username")
    _need(not re.search("discord|clyde|```|[@#:]", name, re.IGNORECASE), name)
    _need(content or payload.get("embeds"), "Cannot send an empty message")
    mentions = payload.get("allowed_mentions", {})
    _need(set(mentions) <= {"parse", "users", "roles", "replied_user"}, mentions)
    for kind in ("users", "roles"):
        _need(len(mentions.get(kind, [])) <= 100, kind)
        _need(all(re.fullmatch(r"\d+", i) for i in mentions.get(kind, [])), mentions)
    check_embeds(payload.get("embeds", []))


def check_embeds(embeds: Any) -> None:
    _need(len(embeds) <= 10, "more than 10 embeds")
    _need(sum(map(_check_embed, embeds)) <= 6_000, "more than 6000 characters")


def _check_embed(embed: Any) -> int:
    _need(set(embed) <= _EMBED, set(embed) - _EMBED)
    title, text = embed.get("title", ""), embed.get("description", "")
    _need(_size(title) <= 256, "title")
    _need(_size(text) <= 4_096, "description")
    _need(0 <= embed.get("color", 0) <= 0xFFFFFF, "color")
    datetime.fromisoformat(embed["timestamp"])
    fields = embed.get("fields", [])
    _need(len(fields) <= 25, "more than 25 fields")
    for field in fields:
        _need(set(field) <= {"name", "value", "inline"}, field)
        _need(1 <= _size(field["name"]) <= 256, field)
        _need(1 <= _size(field["value"]) <= 1_024, field)
    return sum(
        map(_size, [title, text, *(f[k] for f in fields for k in f if k != "inline")])
    )


def live(text: str) -> list[str]:
    """Return what Discord would not show as it stands: markup, mentions, links."""
    text = _CODE.sub(lambda m: "" if "```" not in m[1] else "`", text)
    text = re.sub(r"\\[^A-Za-z0-9\s]", "\ufffd", text)  # escaped
    return re.findall(
        r"\*\*|[\\`*_~|]|<[^>\n]*>|\[|\]|@|#|\w+://|:\w*[A-Za-z_]\w*:"
        r"|^\s*[-+>] |^\s*\d+\. ",
        text,
        re.MULTILINE,
    )


class Discord:
    """A channel; ``answers`` are given before its own, one for each request."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.messages: list[dict[str, Any]] = []
        self.queries: list[dict[str, list[str]]] = []

    def __call__(self, request: Received) -> bytes:
        if self.answers:
            return self.answers.pop(0)
        parts = urlsplit(request.target)
        if parts.path != WEBHOOK:
            return _refusal(404, 10015, "Unknown Webhook")
        query = parse_qs(parts.query)
        if set(query) - {"wait", "thread_id"}:
            return _refusal(400, 50035, "Invalid Form Body")
        try:
            payload = json.loads(request.body)
            check(payload)
        except (ValueError, KeyError, TypeError, Refused) as error:
            return _refusal(400, 50035, f"Invalid Form Body: {error}")
        self.messages.append(payload)
        self.queries.append(query)
        if query.get("wait") != ["true"]:
            return reply(204, b"", "No Content")
        body = json.dumps({"id": f"99{len(self.messages)}", "type": 0}).encode()
        return reply(200, body, content_type="application/json")


def _refusal(status: int, code: int, why: str) -> bytes:
    body = json.dumps({"message": why, "code": code}).encode()
    return reply(status, body, content_type="application/json")


def busy(seconds: float, *, in_header: bool = True) -> bytes:
    """Return how it says that there were too many."""
    body = {"message": "You are being rate limited.", "retry_after": seconds}
    headers = {"retry_after": str(int(seconds))} if in_header else {}
    text = json.dumps({**body, "global": False}).encode()
    return reply(429, text, "Too Many", content_type="application/json", **headers)
