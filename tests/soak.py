"""Runs of all kinds, one after the other; prints what has grown on the way.

A script, so that nothing else grows in its process.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import sys
import threading
from pathlib import Path
from typing import Any

from probes import Act, Probe, checkpoint
from truthound.checkpoint import CheckpointPool, CheckpointResult

PROCESS = Path("/proc/self")


class Bad(Probe):
    async def run_async(self, context: Any = None) -> CheckpointResult:
        raise KeyError("x")


def now() -> dict[str, int]:
    gc.collect()
    lines = (PROCESS / "status").read_text().splitlines()
    memory = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    return {
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "descriptors": len(list((PROCESS / "fd").iterdir())),
        "kilobytes": memory,
    }


async def main(number: int) -> dict[str, float]:
    plain, bad, slow = checkpoint("ok"), Bad("bad"), Probe("slow", 60)
    act = Act("late", 60, timeout_seconds=0.001)
    acts = checkpoint("acts", actions=[act])
    pool = CheckpointPool(8, graceful_shutdown_timeout=0)

    async def some(runs: int) -> None:
        for _ in range(runs // 25):
            tasks = [asyncio.create_task(pool.submit(slow)) for _ in range(3)]
            await pool.submit_many([plain] * 18 + [bad] * 2 + [acts] * 2)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for watched in (slow.watched, act.watched):
                watched.begun.clear()
                watched.ended.clear()
                watched.times.clear()

    await pool.start()
    await some(number // 5)
    before = now()
    await some(number * 4 // 5)
    after = now()
    await pool.stop()
    grown: dict[str, float] = {name: after[name] - before[name] for name in before}
    grown["bytes_per_run"] = grown.pop("kilobytes") * 1024 / (number * 4 / 5)
    stats = pool.get_stats()
    return {
        **grown,
        "runs": stats["accepted_runs"],
        "delivered": stats["delivered_results"],
    }


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    print(json.dumps(asyncio.run(main(int(sys.argv[1])))))
