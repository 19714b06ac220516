"""Events: a loader says what it has loaded, and checkpoints run one after the other.

`rides` and `fares` run when the program says that their table was loaded; many events
that come at once are one run. `totals` runs after `fares`, if that went well.

    python examples/async/events.py
"""

from __future__ import annotations

import asyncio

import polars as pl

from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint
from truthound.checkpoint.triggers import EventTrigger, UpstreamTrigger

TABLES = {
    "rides": pl.DataFrame({"id": [1, 2, 2], "fare": [12.5, 8.0, 3.0]}),
    "fares": pl.DataFrame({"id": [1, 2, 3], "fare": [12.5, 8.0, 3.0]}),
}


async def main() -> None:
    """Run everything."""
    runner = AsyncCheckpointRunner()
    loaded = {}
    for name, table in TABLES.items():
        loaded[name] = EventTrigger(
            event_type="loaded",
            event_filter={"table": name},
            batch_events=True,
            batch_window_seconds=0.2,
        )
        runner.add_checkpoint(
            Checkpoint(
                name,
                data_source=table,
                validators=[{"unique": {"column": "id"}}],
                triggers=[loaded[name]],
            )
        )
    runner.add_checkpoint(
        Checkpoint(
            "totals",
            data_source=pl.DataFrame({"sum": [23.5]}),
            validators=["null"],
            triggers=[UpstreamTrigger(checkpoint="fares", statuses=["success"])],
        )
    )
    async with runner:
        for part in range(50):
            for trigger in loaded.values():
                # Only the one whose filter fits takes it.
                trigger.fire_event({"table": "rides", "part": part})
        loaded["fares"].fire_event({"table": "fares", "part": 0})
        number = 0
        async for result in runner.iter_results_async(timeout=30):
            told = result.metadata
            why = told.get("upstream") or f"events: {told['event_count']}"
            if "upstream" in told:
                why = f"after {told['upstream']['checkpoint']}"
            print(f"{result.checkpoint_name}: {result.status} ({why})")
            number += 1
            if number == 3:
                break


if __name__ == "__main__":
    asyncio.run(main())
