"""The Bot API of Telegram, as strict as it is.

The rules are those of "Telegram Bot API": "Making requests" (ok, description,
parameters), "sendMessage", "HTML style", "ResponseParameters", "ReplyParameters".
"""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from typing import Any

from scripted_server import Received, reply

TOKEN = "123456789:AAcanary-secret_token"
CHAT = -1001234567890
_KNOWN = {
    "chat_id": (int, str),
    "disable_notification": (bool,),
    "link_preview_options": (dict,),
    "message_thread_id": (int,),
    "parse_mode": (str,),
    "protect_content": (bool,),
    "reply_parameters": (dict,),
    "text": (str,),
}
_NAMED = re.compile(r"&(?!(amp|lt|gt|quot|#\d+|#x[0-9a-fA-F]+);)")


class Refused(Exception):
    """What Telegram would say."""


class Entities(HTMLParser):
    """What Telegram makes of a text: ``text`` without tags, ``spans`` by their tags."""

    TAGS = ("b", "i", "u", "s", "a", "code", "pre", "blockquote")

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        if _NAMED.search(text) or re.search(r"<(?!/?[a-z]+[ >])", text):
            raise Refused("can't parse entities: unsupported sign")
        self.open: list[tuple[str, int]] = []
        self.text = ""
        self.spans: list[tuple[str, str]] = []
        self.links: list[str] = []
        self.free = ""  # what stands in no code
        self.feed(text)
        self.close()
        if self.open:
            raise Refused("can't parse entities: can't find end tag")

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in self.TAGS or any(name != "href" for name, _ in attrs):
            raise Refused(f'can\'t parse entities: unsupported start tag "{tag}"')
        if any(name in ("code", "pre") for name, _ in self.open):
            raise Refused("can't parse entities: nested in code")
        self.links += [value for _, value in attrs]
        self.open.append((tag, len(self.text)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1][0] != tag:
            raise Refused("can't parse entities: unexpected end tag")
        name, start = self.open.pop()
        self.spans.append((name, self.text[start:]))

    def handle_data(self, data: str) -> None:
        self.text += data
        is_code = any(name in ("code", "pre") for name, _ in self.open)
        self.free += "\n" if is_code else data


def found_in(text: str) -> list[str]:
    """Return what Telegram makes a link or a mention of by itself."""
    return re.findall(
        r"@\w+|#\w+|\$[A-Z]+|(?:(?<=\s)|^)/\w+|\w+://\S+|\b[\w-]+\.[a-z]{2,}\b|\+\d{7,}|\d{13,}",
        text,
    )


def check(payload: Any) -> Entities:
    """Raise if Telegram would refuse a message."""
    for key, value in payload.items():
        if key not in _KNOWN or type(value) not in _KNOWN[key]:
            raise Refused(f"the server ignores or refuses {key}: {value!r}")
    if payload.get("parse_mode") != "HTML":
        raise Refused("unsupported parse_mode")
    reply_to = payload.get("reply_parameters", {"message_id": 1})
    if set(reply_to) - {"message_id", "allow_sending_without_reply"}:
        raise Refused("wrong reply_parameters")
    return check_text(payload.get("text", ""))


def check_text(text: str) -> Entities:
    parsed = Entities(text)
    if not parsed.text.strip():
        raise Refused("message text is empty")
    if len(parsed.text.encode("utf-16-le")) // 2 > 4_096:
        raise Refused("message is too long")
    if len(parsed.spans) > 100:
        raise Refused("entities are ignored")
    assert html.unescape(re.sub(r"<[^>]*>", "", text)) == parsed.text
    return parsed


class Telegram:
    """A bot in a chat; ``answers`` are given before its own, one for each request."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.messages: list[dict[str, Any]] = []

    def __call__(self, request: Received) -> bytes:
        if self.answers:
            return self.answers.pop(0)
        if request.target != f"/bot{TOKEN}/sendMessage":
            is_bot = request.target.startswith("/bot")
            return _refusal(401 if is_bot else 404, "Unauthorized")
        try:
            payload = json.loads(request.body)
            check(payload)
        except (ValueError, Refused) as error:
            return _refusal(400, f"Bad Request: {error}")
        if payload.get("chat_id") not in (CHAT, "@quality"):
            return _refusal(400, "Bad Request: chat not found")
        to = payload.get("reply_parameters", {})
        is_known = to.get("message_id", 1) in range(1, len(self.messages) + 2)
        if not is_known and not to.get("allow_sending_without_reply"):
            return _refusal(400, "Bad Request: message to be replied not found")
        self.messages.append(payload)
        result = {"message_id": len(self.messages), "chat": {"id": CHAT}}
        return _json(200, {"ok": True, "result": result})


def _json(status: int, content: Any) -> bytes:
    text = json.dumps(content).encode()
    return reply(status, text, content_type="application/json")


def _refusal(code: int, why: str, **parameters: Any) -> bytes:
    body: dict[str, Any] = {"ok": False, "error_code": code, "description": why}
    if parameters:
        body["parameters"] = parameters
    return _json(code, body)


def busy(seconds: int) -> bytes:
    """Return how it says that there were too many."""
    why = f"Too Many Requests: retry after {seconds}"
    return _refusal(429, why, retry_after=seconds)


def moved(chat: int) -> bytes:
    """Return how it says that a group has become a supergroup."""
    why = "Bad Request: group chat was upgraded to a supergroup chat"
    return _refusal(400, why, migrate_to_chat_id=chat)
