"""Slack, as strict as Slack: its incoming webhooks, and chat.postMessage.

The rules are those of its reference: "Block Kit: Blocks" (header, section), "Text
object", "Reference: Message payloads", "Sending messages using incoming webhooks"
(handling errors), "chat.postMessage" (errors) and "Rate limits".
"""

from __future__ import annotations

import json
import re
from typing import Any

from scripted_server import Received, reply

TOKEN = "xoxb-test-canary-secret"
CHANNEL = "C0TEST"
WEBHOOK = "/services/T0TEST/B0TEST/canarysecret"
_BOTH = {
    "attachments",
    "blocks",
    "channel",
    "icon_emoji",
    "mrkdwn",
    "text",
    "thread_ts",
    "unfurl_links",
    "unfurl_media",
    "username",
}
_POST = _BOTH | {"link_names", "parse", "reply_broadcast"}
_ENTITY = re.compile(r"&(?!amp;|lt;|gt;)")
_SPECIAL = re.compile(r"<[^<>\n]*>")
_MEANT = re.compile(
    r"<(@[UW]\w+|!subteam\^S\w+|!here|!channel|!everyone|https?://[^\s<>|]+\|[^<>\n]+)>"
)


class Refused(Exception):
    """What Slack would say."""


def check(payload: Any, *, is_post: bool) -> None:
    """Raise if Slack would refuse a message."""
    known = _POST if is_post else _BOTH
    if not isinstance(payload, dict) or set(payload) - known:
        raise Refused("invalid_payload" if not is_post else "invalid_arguments")
    kinds = {"text": str, "username": str, "icon_emoji": str, "channel": str}
    kinds |= {"unfurl_links": bool, "unfurl_media": bool, "mrkdwn": bool}
    kinds |= {"link_names": bool, "parse": str, "thread_ts": str}
    for key, kind in kinds.items():
        if key in payload and not isinstance(payload[key], kind):
            raise Refused("invalid_payload")
    if not payload.get("text", "").strip() and not payload.get("attachments"):
        raise Refused("no_text")
    if len(payload.get("text", "")) > 4_000:
        raise Refused("msg_too_long")
    _check_text(payload.get("text", ""))
    attachments = payload.get("attachments", [])
    if len(attachments) > 20:
        raise Refused("too_many_attachments")
    for attachment in attachments:
        if set(attachment) - {"color", "blocks", "fallback"}:
            raise Refused("invalid_attachments")
        if not re.fullmatch("#[0-9a-fA-F]{6}", attachment.get("color", "#000000")):
            raise Refused("invalid_attachments")
        check_blocks(attachment["blocks"])
    check_blocks(payload.get("blocks", []))


def check_blocks(blocks: Any) -> None:
    if len(blocks) > 50:
        raise Refused("invalid_blocks: more than 50")
    for block in blocks:
        _check_block(block)
    if sum(len(text) for text in texts(blocks)) > 13_200:
        raise Refused("msg_blocks_too_long")


def _check_block(block: Any) -> None:
    kind = block.get("type")
    if kind == "header":
        if set(block) - {"type", "text", "block_id"}:
            raise Refused("invalid_blocks: header")
        _check_object(block["text"], 150, "plain_text")
    elif kind == "section":
        if set(block) - {"type", "text", "fields", "accessory", "block_id", "expand"}:
            raise Refused("invalid_blocks: section")
        fields = block.get("fields", [])
        if "text" not in block and not fields:
            raise Refused("invalid_blocks: an empty section")
        if "text" in block:
            _check_object(block["text"], 3_000, "mrkdwn", "plain_text")
        if len(fields) > 10:
            raise Refused("invalid_blocks: more than 10 fields")
        for field in fields:
            _check_object(field, 2_000, "mrkdwn", "plain_text")
    else:
        raise Refused(f"invalid_blocks: {kind}")


def _check_object(value: Any, longest: int, *kinds: str) -> None:
    kind = value.get("type")
    more = {"mrkdwn": {"verbatim"}, "plain_text": {"emoji"}}
    if kind not in kinds or set(value) - {"type", "text"} - more[kind]:
        raise Refused(f"invalid_blocks: {kind}")
    if not isinstance(value["text"], str) or not 1 <= len(value["text"]) <= longest:
        raise Refused(f"invalid_blocks: a text of {len(value['text'])} characters")
    if kind == "mrkdwn":
        _check_text(value["text"])


def _check_text(text: str) -> None:
    """Every special character is escaped, or part of what was meant."""
    rest = _MEANT.sub("", text)
    if _ENTITY.search(rest) or _SPECIAL.search(rest) or "<" in rest or ">" in rest:
        raise Refused(f"not escaped: {rest[:100]!r}")


def texts(blocks: Any) -> list[str]:
    """Return the texts of blocks in turn."""
    found = []
    for block in blocks:
        objects = [block["text"]] if "text" in block else []
        found += [one["text"] for one in [*objects, *block.get("fields", [])]]
    return found


class Slack:
    """A workspace; ``answers`` are given before its own, one for each request."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.messages: list[dict[str, Any]] = []

    def __call__(self, request: Received) -> bytes:
        if self.answers:
            return self.answers.pop(0)
        if request.target == "/api/chat.postMessage":
            return self._posted(request)
        return self._hooked(request)

    def _hooked(self, request: Received) -> bytes:
        if request.method != "POST":
            return reply(405, b"method_not_allowed")
        if request.target != WEBHOOK:
            return reply(404, b"no_service")
        try:
            payload = json.loads(request.body)
            check(payload, is_post=False)
        except (ValueError, KeyError, Refused) as error:
            return reply(400, f"{error}".encode())
        self.messages.append(payload)
        return reply(200, b"ok")

    def _posted(self, request: Received) -> bytes:
        headers = request.headers
        if headers.get("authorization") != f"Bearer {TOKEN}":
            said = "invalid_auth" if "authorization" in headers else "not_authed"
            return _json({"ok": False, "error": said})
        if not headers.get("content-type", "").startswith("application/json"):
            return _json({"ok": False, "error": "invalid_post_type"})
        try:
            payload = json.loads(request.body)
            check(payload, is_post=True)
        except (ValueError, KeyError, Refused) as error:
            return _json({"ok": False, "error": f"{error}"})
        if payload.get("channel") not in (CHANNEL, "#data"):
            return _json({"ok": False, "error": "channel_not_found"})
        known = {message["ts"] for message in self.messages}
        if "thread_ts" in payload and payload["thread_ts"] not in known:
            return _json({"ok": False, "error": "thread_not_found"})
        stamp = f"17000000{len(self.messages):02}.000100"
        self.messages.append({**payload, "ts": stamp})
        return _json({"ok": True, "channel": CHANNEL, "ts": stamp, "message": {}})


def _json(content: Any) -> bytes:
    return reply(200, json.dumps(content).encode(), content_type="application/json")


def not_ok(error: str) -> bytes:
    """Return how Slack says no, with a status that says yes."""
    return _json({"ok": False, "error": error})


def busy(seconds: int) -> bytes:
    """Return how it says that there were too many."""
    body = b'{"ok": false, "error": "ratelimited"}'
    return reply(429, body, "Too Many Requests", retry_after=seconds)
