"""Files arrive in a folder; each is checked as soon as it is complete.

Everything is real, in a folder of its own: a runner with a file trigger, a checkpoint
after it, an action that keeps the results, one that writes to a chat (here a server on
this machine), and a shutdown that waits for what runs.

    python examples/async/watch_a_folder.py
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path

from local_server import running

from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint, CheckpointResult
from truthound.checkpoint.actions import SlackNotification, StoreValidationResult
from truthound.checkpoint.triggers import FileWatchTrigger, UpstreamTrigger

GOOD = "id,fare\n1,12.5\n2,8.0\n"
BAD = "id,fare\n3,12.5\n3,-4.0\n"


async def produce(incoming: Path) -> None:
    """Write files as a feed does: one after the other, the last one in two pieces."""
    (incoming / "monday.csv").write_text(GOOD)
    await asyncio.sleep(0.6)
    with (incoming / "tuesday.csv").open("w") as file:
        file.write(BAD[:12])
        file.flush()
        await asyncio.sleep(0.1)  # nobody must read it now
        file.write(BAD[12:])


async def main() -> None:
    """Run everything."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        incoming = folder / "incoming"
        incoming.mkdir()
        with running() as chat:
            await watch(folder, incoming, chat)


async def watch(folder: Path, incoming: Path, chat: str) -> None:
    """Watch the folder until both files have been judged."""
    rides = Checkpoint(
        "rides",
        data_source=str(incoming / "*.csv"),
        validators=[
            {"unique": {"column": "id", "severity": "critical"}},
            {"range": {"column": "fare", "min": 0}},
        ],
        actions=[
            StoreValidationResult(store_path=folder / "results", partition_by=""),
            SlackNotification(webhook_url=f"{chat}/hook", retry_count=2),
        ],
        triggers=[FileWatchTrigger(paths=incoming, patterns=["*.csv"])],
    )
    report = Checkpoint(
        "report",
        data_source={"total": [1]},
        validators=["null"],
        triggers=[UpstreamTrigger(checkpoint="rides", statuses=["success"])],
    )
    runner = AsyncCheckpointRunner(error_callback=lambda error: print(f"! {error}"))
    runner.add_checkpoint(rides).add_checkpoint(report)
    async with runner:
        feed = asyncio.create_task(produce(incoming))
        async for result in runner.iter_results_async():
            tell(result)
            if result.status == "failure":
                break
        await feed
    kept = [json.loads(p.read_text()) for p in (folder / "results").glob("*.json")]
    kept.sort(key=lambda result: result["run_time"])
    statuses = [result["status"] for result in kept]
    print(f"kept: {', '.join(statuses)}")


def tell(result: CheckpointResult) -> None:
    """Say how a run ended, and what was done about it."""
    file = result.metadata.get("file")
    arrived = f" ({Path(file).name})" if file else ""
    print(f"{result.checkpoint_name}: {result.status}{arrived}")
    for ended in result.action_results:
        print(f"  {ended.action_name}: {ended.status}")


if __name__ == "__main__":
    asyncio.run(main())
