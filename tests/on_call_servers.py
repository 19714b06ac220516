"""PagerDuty, Opsgenie and Healthchecks on the loopback interface, as strict as they.

Each is a script for ``scripted_server.serving``. The rules come from the vendors' pages
"Events API v2: Send an Alert Event" (PagerDuty), "Alert API" (Opsgenie), "Integration
events" (Jira Service Management Operations) and "Pinging API" (Healthchecks).
"""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from scripted_server import Received, reply

ROUTING_KEY = "c4n4ryr0ut1ngkey0123456789abcdef"
API_KEY = "c4n4ry-ap1k-ey01-2345-6789abcdef01"
UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"


class PagerDuty:
    """The Events API v2; ``answers`` are given first, one for each request."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.events: list[dict[str, Any]] = []
        self.open: dict[str, dict[str, Any]] = {}

    def __call__(self, request: Received) -> bytes:
        if self.answers:
            return self.answers.pop(0)
        if (request.method, request.target) != ("POST", "/v2/enqueue"):
            return reply(404)
        if len(request.body) > 512 * 1024:
            return reply(413)
        try:
            event = json.loads(request.body)
        except ValueError:
            return _json(400, status="invalid event", errors=["no JSON"])
        if wrong := _wrong_event(event):
            said = "Event object is invalid"
            return _json(400, status="invalid event", message=said, errors=wrong)
        self.events.append(event)
        key = event["dedup_key"]
        if event["event_action"] == "resolve":
            self.open.pop(key, None)
        else:
            self.open[key] = event
        return _json(202, status="success", message="Event processed", dedup_key=key)


def _wrong_event(event: Any) -> list[str]:
    known = {"routing_key": str, "event_action": str, "dedup_key": str, "client": str}
    known |= {"client_url": str, "payload": dict, "links": list, "images": list}
    wrong = _wrong_types("event", event, known)
    if len(event.get("routing_key", "")) != 32:
        wrong.append("Length of 'routing_key' is incorrect (should be 32 characters)")
    if event.get("event_action") not in ("trigger", "acknowledge", "resolve"):
        wrong.append("'event_action' is invalid")
    if not 0 < len(event.get("dedup_key", "x")) <= 255:
        wrong.append("'dedup_key' is too long")
    for link in event.get("links", []):
        wrong += _wrong_types("link", link, {"href": str, "text": str})
        if not str(link.get("href")).startswith(("http://", "https://")):
            wrong.append("'href' is no address")
    if event.get("event_action") == "trigger":
        return wrong + _wrong_payload(event.get("payload"))
    return wrong if "dedup_key" in event else [*wrong, "'dedup_key' is missing"]


def _wrong_payload(payload: Any) -> list[str]:
    if not isinstance(payload, dict):
        return ["'payload' is missing or blank"]
    known = dict.fromkeys(("summary", "source", "severity", "timestamp"), str)
    known |= dict.fromkeys(("component", "group", "class"), str)
    wrong = _wrong_types("payload", payload, {**known, "custom_details": dict})
    if not 0 < len(payload.get("summary", "")) <= 1024:
        wrong.append("'payload.summary' is missing or too long")
    if not payload.get("source"):
        wrong.append("'payload.source' is missing or blank")
    if payload.get("severity") not in ("critical", "error", "warning", "info"):
        wrong.append("'payload.severity' is invalid (must be one of ...)")
    if datetime.fromisoformat(payload.get("timestamp", "")).tzinfo is None:
        wrong.append("'payload.timestamp' has no zone")
    return wrong


class Opsgenie:
    """The Alert API of Opsgenie, or the one of Jira under another path."""

    def __init__(self, *answers: bytes, base: str = "") -> None:
        self.answers = list(answers)
        self.base = base
        self.created: list[dict[str, Any]] = []
        self.open: dict[str, int] = {}  # how often an alert was counted
        self.closed: list[str] = []

    def __call__(self, request: Received) -> bytes:
        if self.answers:
            return self.answers.pop(0)
        if request.headers.get("authorization") != f"GenieKey {API_KEY}":
            return _json(401, message="Could not authenticate", requestId="r0")
        parts = urlsplit(request.target)
        if request.method != "POST" or not parts.path.startswith(self.base):
            return _json(404, message="No such path", requestId="r0")
        body = json.loads(request.body)
        steps = parts.path.removeprefix(self.base).split("/")[1:]
        if steps == ["v2", "alerts"]:
            wrong = _wrong_alert(body)
        elif steps[:2] == ["v2", "alerts"] and steps[3:] == ["close"]:
            wrong = _wrong_types("close", body, dict.fromkeys(_CLOSE, str))
            wrong += [k for k, most in _CLOSE.items() if len(body.get(k, "")) > most]
            if parse_qs(parts.query) != {"identifierType": ["alias"]}:
                wrong.append("identifierType")
        else:
            return _json(404, message="No such path", requestId="r0")
        if wrong:
            said = "Request body is not processable. Please check the errors."
            return _json(422, message=said, errors=wrong, requestId="r0")
        if len(steps) == 2:
            self.created.append(body)
            self.open[body["alias"]] = self.open.get(body["alias"], 0) + 1
        else:
            self.open.pop(unquote(steps[2]), None)
            self.closed.append(unquote(steps[2]))
        number = f"request-{len(self.created)}-{len(self.closed)}"
        said = "Request will be processed"
        return _json(202, result=said, took=0.1, requestId=number)


_CLOSE = {"user": 100, "source": 100, "note": 25_000}
_ALERT = {"message": 130, "alias": 512, "description": 15_000, "entity": 512}
_ALERT |= {"source": 100, "user": 100, "note": 25_000, "priority": 2}


def _wrong_alert(body: Any) -> list[str]:
    known: dict[str, type] = dict.fromkeys(_ALERT, str)
    known |= dict.fromkeys(("tags", "actions", "responders", "visibleTo"), list)
    wrong = _wrong_types("alert", body, {**known, "details": dict})
    wrong += [key for key, most in _ALERT.items() if len(body.get(key, "")) > most]
    if not body.get("message"):
        wrong.append("message is required")
    if body.get("priority") not in ("P1", "P2", "P3", "P4", "P5"):
        wrong.append("priority")
    for key, most in (("tags", 20), ("actions", 10), ("responders", 50)):
        if len(body.get(key, [])) > most:
            wrong.append(key)
    wrong += [tag for tag in body.get("tags", []) if not 0 < len(tag) <= 50]
    details = body.get("details", {})
    texts = [text for pair in details.items() for text in pair]
    if not all(isinstance(t, str) for t in texts) or sum(map(len, texts)) > 8_000:
        wrong.append("details")
    for who in body.get("responders", []):
        if who.get("type") not in ("team", "user", "escalation", "schedule"):
            wrong.append("responders")
    return wrong


class Healthchecks:
    """The Pinging API: which pings came, and in which state its check is."""

    def __init__(self, *answers: bytes, state: str = "new") -> None:
        self.answers = list(answers)
        self.pings: list[tuple[str, str]] = []  # which, and its rid
        self.bodies: list[bytes] = []
        self.state = state

    def __call__(self, request: Received) -> bytes:
        if self.answers:
            return self.answers.pop(0)
        parts = urlsplit(request.target)
        code, _, verb = parts.path[1:].partition("/")
        rid = parse_qs(parts.query).get("rid", [""])[0]
        if rid and str(uuid.UUID(rid)) != rid:
            return reply(400, b"invalid uuid format")
        if verb not in ("", "start", "fail", "log"):
            return reply(404, b"not found")
        if len(request.body) > 100_000:  # more is cut off, and nobody reads it
            return reply(413)
        if code != UUID:
            return reply(200, b"OK (not found)")
        self.pings.append((verb or "success", rid))
        self.bodies.append(request.body)
        states = {"": "up", "start": "started", "fail": "down"}
        self.state = states.get(verb, self.state)
        return reply(200, b"OK")


def _wrong_types(where: str, given: Any, known: dict[str, Any]) -> list[str]:
    if not isinstance(given, dict):
        return [f"{where} is no object"]
    unknown = [f"{where}.{key} is unknown" for key in given if key not in known]
    return unknown + [
        f"{where}.{key} is no {kind.__name__}"
        for key, kind in known.items()
        if key in given and not isinstance(given[key], kind)
    ]


def _json(code: int, /, **told: Any) -> bytes:
    return reply(
        code, json.dumps(told).encode(), content_type="application/json; charset=utf-8"
    )
