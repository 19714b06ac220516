"""Files arrive in a folder; each is checked by itself, as soon as it is complete.

Everything is real, in a folder of its own: a runner with a file trigger, a checkpoint
after it, an action that keeps the results, one that writes to a chat (here a server on
this machine), and a shutdown that waits for what runs. Then a file arrives while nobody
watches: the store knows that it was not checked, and the next start does it.

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
    """Write files as feeds do: one renamed into place, the other in two pieces."""
    (incoming / "monday.csv.part").write_text(GOOD)
    (incoming / "monday.csv.part").rename(incoming / "monday.csv")
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
        (folder / "incoming").mkdir()
        with running() as chat:
            await watch(folder, chat)
            (folder / "incoming" / "wednesday.csv").write_text(GOOD)
            print("wednesday.csv arrives, and nobody watches")
            await watch_again(folder, chat)
        told(folder / "results")


def runner_of(folder: Path, chat: str) -> AsyncCheckpointRunner:
    """Return a runner whose store knows which files were checked."""
    rides = Checkpoint(
        "rides",
        data_source="trigger:file",
        validators=[
            {"unique": {"column": "id", "severity": "critical"}},
            {"range": {"column": "fare", "min": 0}},
        ],
        actions=[
            StoreValidationResult(store_path=folder / "results", partition_by=""),
            SlackNotification(webhook_url=f"{chat}/hook", retry_count=2),
        ],
        triggers=[
            FileWatchTrigger(
                paths=folder / "incoming", patterns=["*.csv"], per_file=True
            )
        ],
    )
    report = Checkpoint(
        "report",
        data_source={"total": [1]},
        validators=["null"],
        triggers=[UpstreamTrigger(checkpoint="rides", statuses=["success"])],
    )
    runner = AsyncCheckpointRunner(
        store=folder / "runs.db", error_callback=lambda error: print(f"! {error}")
    )
    return runner.add_checkpoint(rides).add_checkpoint(report)


async def watch(folder: Path, chat: str) -> None:
    """Watch the folder until both files have been judged."""
    runner = runner_of(folder, chat)
    async with runner:
        feed = asyncio.create_task(produce(folder / "incoming"))
        async for result in runner.iter_results_async():
            tell(result)
            if result.status == "failure":
                break
        await feed


async def watch_again(folder: Path, chat: str) -> None:
    """Watch again until the file has been judged that came meanwhile."""
    runner = runner_of(folder, chat)
    async with runner:
        async for result in runner.iter_results_async():
            tell(result)
            if result.checkpoint_name == "rides":
                break


def tell(result: CheckpointResult) -> None:
    """Say how a run ended, and what was done about it."""
    file = result.metadata.get("file")
    arrived = f" ({Path(file).name})" if file else ""
    print(f"{result.checkpoint_name}: {result.status}{arrived}")
    for ended in result.action_results:
        print(f"  {ended.action_name}: {ended.status}")


def told(results: Path) -> None:
    """Say what was kept."""
    kept = [json.loads(path.read_text()) for path in results.glob("*.json")]
    kept.sort(key=lambda result: result["run_time"])
    statuses = [result["status"] for result in kept]
    print(f"kept: {', '.join(statuses)}")


if __name__ == "__main__":
    asyncio.run(main())
