"""Checkpoints by the clock: an interval, cron, and a time that was missed.

One checkpoint runs every half second, each time a random moment later; the other one
each second by a cron expression, on the days on which it does. The third takes longer
than its interval: the times that it misses are written into the store, where they can
be read when the program has ended. All in a folder of its own, in three seconds.

    python examples/async/by_the_clock.py
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint
from truthound.checkpoint.triggers import CronTrigger, ScheduleTrigger
from truthound.store import Store

RIDES = {"id": [1, 2, 3], "fare": [12.5, 8.0, 9.5]}
SECONDS = 3


async def slow() -> dict[str, list[float]]:
    """Return data that takes its time."""
    await asyncio.sleep(1.2)
    return {"total": [30.0]}


def checkpoints() -> list[Checkpoint]:
    """Return the checkpoints, each with its trigger."""
    today = date.today()  # noqa: DTZ011 - days far away do for an example
    holidays = [today + timedelta(days=days) for days in (180, 181)]
    return [
        Checkpoint(
            "often",
            data_source=RIDES,
            validators=["null"],
            triggers=[ScheduleTrigger(interval_seconds=0.5, jitter_seconds=0.1)],
        ),
        Checkpoint(
            "each second",
            data_source=RIDES,
            validators=[{"range": {"column": "fare", "min": 0}}],
            triggers=[
                CronTrigger(
                    expression="* * * * * *",
                    timezone="Europe/Helsinki",
                    holidays=holidays,
                    catch_up=True,
                )
            ],
        ),
        Checkpoint(
            "slow",
            data_source=slow,
            validators=["null"],
            triggers=[ScheduleTrigger(interval_seconds=0.5)],
        ),
    ]


async def main() -> None:
    """Run for a while, and look back."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "runs.db"
        ended: Counter[str] = Counter()
        runner = AsyncCheckpointRunner(
            store=place,
            result_callback=lambda result: ended.update([result.checkpoint_name]),
            result_queue_size=None,
        )
        for checkpoint in checkpoints():
            runner.add_checkpoint(checkpoint)
        async with runner:
            await asyncio.sleep(SECONDS)
        for checkpoint in checkpoints():
            print(f"{checkpoint.name}: {ended[checkpoint.name]} runs")
        async with Store(place) as store:
            missed = await asyncio.to_thread(
                lambda: store.runs("slow", states=["missed"])
            )
        for run in missed[:1]:
            print(f"slow: {run.error} (trigger {run.trigger})")


if __name__ == "__main__":
    asyncio.run(main())
