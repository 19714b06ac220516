"""On call: bad data opens an incident, good data resolves it.

PagerDuty, Opsgenie and a dead man's switch are played by one small server in this
program. The same checkpoint runs on a bad day and on a good one; then the pager is
busy, and what it refuses is tried again.

    python examples/async/on_call.py
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

import polars as pl

from truthound.checkpoint import Checkpoint
from truthound.checkpoint.actions import (
    HeartbeatAction,
    OpsGenieAction,
    PagerDutyAction,
)

MONDAY = pl.DataFrame({"id": [1, 2, 2]})
TUESDAY = pl.DataFrame({"id": [1, 2, 3]})


class Vendors:
    """What all three of them have been told."""

    def __init__(self) -> None:
        self.open: dict[str, set[str]] = {"pagerduty": set(), "opsgenie": set()}
        self.busy = 0  # requests that are refused before one is taken

    def take(self, path: str, body: bytes) -> tuple[int, str]:
        """Take a request; return the status and what is said."""
        if self.busy:
            self.busy -= 1
            print("  the pager is busy")
            return 429, "later"
        path = path.partition("?")[0]
        if path.startswith("/check"):
            print(f"  heartbeat: {path[len('/check/') :] or 'success'}")
            return 200, "OK"
        told = json.loads(body)
        if path == "/v2/enqueue":
            self._note("pagerduty", told["dedup_key"], told["event_action"])
        elif path == "/v2/alerts":
            self._note("opsgenie", told["alias"], "create")
        else:
            self._note("opsgenie", "truthound:rides", "close")
        return 202, json.dumps({"requestId": "1"})

    def _note(self, vendor: str, key: str, verb: str) -> None:
        incidents = self.open[vendor]
        if verb in ("trigger", "create"):
            incidents.add(key)
        else:
            incidents.discard(key)
        print(f"  {vendor}: {verb} {key}, open: {len(incidents)}")

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer the requests of one connection."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.split("\r\n")
                pairs = (line.lower().partition(":") for line in lines)
                headers = {name: value.strip() for name, _, value in pairs}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                status, said = self.take(first.split(" ")[1], body)
                head = f"HTTP/1.1 {status} -\r\nContent-Length: {len(said)}\r\n\r\n"
                writer.write((head + said).encode())
                await writer.drain()
        writer.close()


async def main() -> None:
    """Run everything."""
    vendors = Vendors()
    server = await asyncio.start_server(vendors.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    actions = [
        HeartbeatAction(url=f"{address}/check"),
        PagerDutyAction(
            routing_key="0123456789abcdef0123456789abcdef",
            api_url=f"{address}/v2/enqueue",
            retry_count=2,
            retry_delay_seconds=0.05,
        ),
        OpsGenieAction(
            api_key="01234567-89ab-cdef-0123-456789abcdef",
            api_url=address,
            responders=[{"type": "team", "name": "Data"}],
        ),
    ]
    async with server:
        for name, rides in (("monday", MONDAY), ("tuesday", TUESDAY)):
            print(f"{name}:")
            await run(rides, actions)
        print("a busy pager:")
        vendors.busy = 1
        await run(MONDAY, [actions[1]])
    print(f"still open: {sum(map(len, vendors.open.values()))}")


async def run(rides: pl.DataFrame, actions: list[object]) -> None:
    """Check the rides of a day and say how that ended."""
    checkpoint = Checkpoint(
        "rides",
        data_source=rides,
        validators=[{"unique": {"column": "id", "severity": "critical"}}],
        actions=actions,
    )
    result = await checkpoint.run_async()
    ended = ", ".join(f"{a.action_name} {a.status}" for a in result.action_results)
    print(f"  {result.status}: {ended}")


if __name__ == "__main__":
    asyncio.run(main())
