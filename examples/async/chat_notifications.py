"""Slack, Teams, Discord and Telegram are told once that it is bad, and once it is well.

    pip install truthound-async
    python examples/async/chat_notifications.py

It needs nothing else: a server on this machine stands in for all four, and prints what
each of them gets. The checkpoint runs three times. After the first run everybody is
told; Telegram says "too many requests" at first, and is asked again. After the second
one, which is as bad, nobody is; after the third one everybody hears that it is well.
Slack and Telegram have threads: there the end stands below the alarm. A value of the
data would call the whole channel, were it not escaped.

To write to real channels, give their addresses and tokens, and leave ``api_url`` out.
"""

from __future__ import annotations

import asyncio
import html
import http.server
import json
import re
import threading
from typing import Any

import polars as pl

from truthound.checkpoint import Checkpoint
from truthound.checkpoint.actions import (
    DiscordNotification,
    SlackNotification,
    TeamsNotification,
    TelegramNotification,
)


def slack(payload: Any) -> tuple[str, str | None, int, Any]:
    """Return what is seen, what it replies to, and the answer."""
    texts = [
        part["text"]
        for block in payload["attachments"][0]["blocks"]
        for part in [block.get("text"), *block.get("fields", [])]
        if part
    ]
    answer = {"ok": True, "ts": "1700000000.000100", "channel": payload["channel"]}
    return "\n".join(texts), payload.get("thread_ts"), 200, answer


def teams(payload: Any) -> tuple[str, str | None, int, Any]:
    """Return what is seen, what it replies to, and the answer."""
    body = payload["attachments"][0]["content"]["body"]
    blocks = [inner for block in body for inner in block.get("items", [block])]
    lines = ["".join(run["text"] for run in block["inlines"]) for block in blocks]
    return "\n".join(lines), None, 202, None


def discord(payload: Any) -> tuple[str, str | None, int, Any]:
    """Return what is seen, what it replies to, and the answer."""
    (embed,) = payload["embeds"]
    facts = [f"{field['name']}: {field['value']}" for field in embed["fields"]]
    lines = [embed["title"], embed.get("description", ""), *facts]
    return "\n".join(lines).replace("\\", ""), None, 200, {"id": "1"}


def telegram(payload: Any) -> tuple[str, str | None, int, Any]:
    """Return what is seen, what it replies to, and the answer."""
    if Channels.patience:
        Channels.patience -= 1
        why = {"ok": False, "description": "Too Many Requests: retry after 1"}
        return "too many requests", None, 429, {**why, "parameters": {"retry_after": 1}}
    reply = payload.get("reply_parameters", {}).get("message_id")
    text = html.unescape(re.sub("<[^>]+>", "", payload["text"]))
    answer = {"ok": True, "result": {"message_id": 17}}
    return text, str(reply) if reply else None, 200, answer


PLACES = {
    "/slack/chat.postMessage": slack,
    "/teams/workflow": teams,
    "/discord/webhooks/1/token": discord,
    "/bot123456:token/sendMessage": telegram,
}


class Channels(http.server.BaseHTTPRequestHandler):
    """Stands in for the four, and prints what they get."""

    patience = 1  # times that Telegram says no
    turn = threading.Lock()

    def do_POST(self) -> None:
        """Take one message."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        vendor = PLACES[self.path.partition("?")[0]]
        with self.turn:
            seen, replies_to, status, answer = vendor(json.loads(body))
            above = f", below {replies_to}" if replies_to else ""
            print(f"-- {vendor.__name__} ({status}{above})")
            print("\n".join(f"   {line}" for line in seen.split("\n") if line))
        content = json.dumps(answer).encode() if answer else b""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing on standard error."""


async def main(url: str) -> None:
    """Run a checkpoint that tells all four, on data that is bad, bad and good."""
    common: dict[str, Any] = {
        "alerts": "change",
        "include_examples": 1,
        "retry_count": 2,
        "links": {"Runbook": "https://wiki.example.com/{checkpoint}"},
    }
    checkpoint = Checkpoint(
        "rides",
        data_source=pl.DataFrame(
            {"id": [1, 2, None], "zone": ["a", *["<!channel>"] * 2]}
        ),
        validators=[{"null": {"column": "id"}}, {"unique": {"column": "zone"}}],
        actions=[
            SlackNotification(
                token="xoxb-token", channel="C0DATA", api_url=f"{url}/slack", **common
            ),
            TeamsNotification(webhook_url=f"{url}/teams/workflow", **common),
            DiscordNotification(
                webhook_url=f"{url}/discord/webhooks/1/token", **common
            ),
            TelegramNotification(
                bot_token="123456:token", chat_id=-1001, api_url=url, **common
            ),
        ],
    )
    bad = checkpoint.config.data_source
    good = pl.DataFrame({"id": [1, 2, 3], "zone": ["a", "b", "c"]})
    for name, data in (("bad", bad), ("bad again", bad), ("good", good)):
        print(f"== {name}")
        checkpoint.config.data_source = data
        result = await checkpoint.run_async()
        told = ", ".join(f"{r.action_name} {r.status}" for r in result.action_results)
        print(f"== {result.status}: {told}")


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Channels)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        asyncio.run(main(f"http://127.0.0.1:{server.server_port}"))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
