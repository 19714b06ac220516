"""A result goes to a webhook: signed, as an event, again when the receiver is down.

    pip install truthound-async
    python examples/async/webhook_out.py

It needs nothing else: the receiver is a server on this machine. It says 503 at first,
so that the second try can be seen to be the same message, and it checks the signature
as anybody can who knows the secret.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import http.server
import json
import secrets
import threading

import polars as pl

from truthound.checkpoint import Checkpoint
from truthound.checkpoint.actions import WebhookAction

KEY = secrets.token_bytes(32)
SECRET = "whsec_" + base64.b64encode(KEY).decode()


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes events whose signature is right; the first request comes too early."""

    requests = 0

    def do_POST(self) -> None:
        """Answer one request."""
        Receiver.requests += 1
        body = self.rfile.read(int(self.headers["Content-Length"]))
        id_, sent = self.headers["webhook-id"], self.headers["webhook-timestamp"]
        digest = hmac.digest(KEY, f"{id_}.{sent}.".encode() + body, hashlib.sha256)
        wanted = "v1," + base64.b64encode(digest).decode()
        is_signed = hmac.compare_digest(wanted, self.headers["webhook-signature"])
        status = 401 if not is_signed else 503 if Receiver.requests == 1 else 202
        print(f"{status}  signed: {is_signed}  {id_}")
        if status == 202:
            event = json.loads(body)
            print(f"{event['type']}: {event['data']['summary']}")
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing on standard error."""


async def main(url: str) -> None:
    """Run a checkpoint whose result goes there."""
    checkpoint = Checkpoint(
        "rides",
        data_source=pl.DataFrame({"id": [1, 2, 3], "fare": [9.5, None, 7.0]}),
        validators=["null"],
        actions=[
            WebhookAction(
                url=url,
                signing_secret=SECRET,
                envelope="cloudevents",
                include_full_result=False,
                retry_count=2,
                retry_delay_seconds=0.1,
            )
        ],
    )
    result = await checkpoint.run_async()
    (sent,) = result.action_results
    print(f"{sent.status} after {sent.details['attempts']} attempts")


if __name__ == "__main__":
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        try:
            asyncio.run(main(f"http://127.0.0.1:{server.server_port}/hook"))
        finally:
            server.shutdown()
