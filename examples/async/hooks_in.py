"""A signed request starts a check; a forged, a repeated and a late one do not.

    pip install 'truthound-async[hooks]'
    python examples/async/hooks_in.py

It needs nothing else: the server is one on this machine, and the program sends the
requests itself, as a loader would that has written a file.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import socket
import sys
import tempfile
from pathlib import Path

import httpx2
import uvicorn

from truthound._clock import SYSTEM_CLOCK
from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint, CheckpointResult
from truthound.checkpoint.hooks import hooks_app
from truthound.checkpoint.triggers import HookTrigger

KEY = secrets.token_bytes(32)
SECRET = "whsec_" + base64.b64encode(KEY).decode()


def signed(id_: str, body: bytes, late: int = 0) -> dict[str, str]:
    """Return the headers of a message, as Standard Webhooks has them."""
    sent = str(int(SYSTEM_CLOCK.now().timestamp()) - late)
    content = f"{id_}.{sent}.".encode() + body
    digest = base64.b64encode(hmac.digest(KEY, content, hashlib.sha256)).decode()
    return {
        "webhook-id": id_,
        "webhook-timestamp": sent,
        "webhook-signature": f"v1,{digest}",
        "content-type": "application/json",
    }


async def send(url: str) -> None:
    """Send what a loader sends, and what others would."""
    body = json.dumps({"file": "rides.csv", "rows": 3}).encode()
    async with httpx2.AsyncClient() as http:
        for said, headers, content in (
            ("signed  ", signed("load-1", body), body),
            ("repeated", signed("load-1", body), body),
            ("forged  ", signed("load-2", body), body.replace(b"3", b"4")),
            ("late    ", signed("load-3", body, late=3600), body),
        ):
            answer = await http.post(url, headers=headers, content=content)
            print(f"{said}  {answer.status_code}  {answer.json()}")


def told(result: CheckpointResult) -> None:
    """Print what a run has found, and which request has started it."""
    hook = result.metadata["hook"]
    print(f"{result.summary()} ({hook['id']}: {hook['body']['file']})")


async def main(folder: Path) -> None:
    """Serve the hook, and use it."""
    rides = folder / "rides.csv"
    rides.write_text("id,fare\n1,9.5\n2,\n3,7.0\n")
    checkpoint = Checkpoint(
        "rides",
        data_source=str(rides),
        validators=["null"],
        triggers=[HookTrigger(secret=SECRET)],
    )
    runner = AsyncCheckpointRunner(
        result_callback=told, result_queue_size=None, store=folder / "quality.db"
    )
    runner.add_checkpoint(checkpoint)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(hooks_app(runner), log_level="warning", lifespan="off")
        server = uvicorn.Server(config)
        async with runner:
            serving = asyncio.create_task(server.serve([listening]))
            port = listening.getsockname()[1]
            await send(f"http://127.0.0.1:{port}/hooks/rides")
            await runner.wait_for_completion_async()
            server.should_exit = True
            await serving


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(main(Path(name)))
    sys.exit(0)
