"""Kept results: files, a site of pages, a command, a step of GitHub, a catalogue.

One checkpoint, and everything that is done with its result besides telling people:
a file for each run, pages to look at, a command that reads the result, the summary and
annotations of a step in GitHub Actions (this program plays the step), and an event for
a catalogue of data, such as Marquez, played by a small server in this program.

    python examples/async/kept_results.py
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl

from truthound.checkpoint import Checkpoint
from truthound.checkpoint.actions import (
    CustomAction,
    GitHubAction,
    OpenLineageAction,
    StoreValidationResult,
    UpdateDataDocs,
)

RIDES = pl.DataFrame({"id": [1, 2, 2]})


class Catalogue:
    """Takes the events of OpenLineage."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer the requests of one connection."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while head := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
                lines = head.lower().split("\r\n")
                (size,) = [line for line in lines if line.startswith("content-length:")]
                body = await reader.readexactly(int(size.partition(":")[2]))
                self.events.append(json.loads(body))
                writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        writer.close()


async def main(folder: Path) -> None:
    """Run everything."""
    catalogue = Catalogue()
    server = await asyncio.start_server(catalogue.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    rides = Checkpoint(
        "rides",
        data_source=RIDES,
        validators=[{"unique": {"column": "id"}}],
        actions=[
            StoreValidationResult(store_path=folder / "results", partition_by=""),
            UpdateDataDocs(site_path=folder / "site"),
            CustomAction(shell_command=f"cat > '{folder}/piped.json'"),
            GitHubAction(),
            OpenLineageAction(url=f"http://127.0.0.1:{port}", namespace="shop"),
        ],
    )
    result = await rides.run_async()
    server.close()
    for one in result.action_results:
        print(f"{one.action_name}: {one.status}")

    await asyncio.to_thread(show, folder)
    for event in catalogue.events:
        print(f"catalogue: {event['eventType']} {event['job']['name']}")


def show(folder: Path) -> None:
    """Say what lies in the folder now."""
    (stored,) = (folder / "results").glob("*.json")
    piped = json.loads((folder / "piped.json").read_text())
    print("the file and the command have the same run:", piped["run_id"] in stored.name)
    print("pages:", len(list((folder / "site").rglob("*.html"))))
    summary = Path(os.environ["GITHUB_STEP_SUMMARY"]).read_text()
    print("the summary names the check:", "unique" in summary)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        # What GitHub sets for each step.
        os.environ["GITHUB_ACTIONS"] = "true"
        os.environ["GITHUB_STEP_SUMMARY"] = f"{name}/summary.md"
        os.environ["GITHUB_OUTPUT"] = f"{name}/output"
        asyncio.run(main(Path(name)))
