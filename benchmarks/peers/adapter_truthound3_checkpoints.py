"""The original project's pool and parallel runs, on the same checkpoints.

Run by its own interpreter, in a folder of its own, as it writes two files for each run
into the current one. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import polars as pl

from truthound.checkpoint import Checkpoint
from truthound.checkpoint.async_runner import (
    CheckpointPool,
    run_checkpoints_parallel,
)

NUMBER = int(sys.argv[1])
FRAME = pl.DataFrame({"id": range(100), "fare": [n * 0.5 for n in range(100)]})


def made() -> list[Checkpoint]:
    return [
        Checkpoint(name=f"c{n}", data_source=FRAME, validators=["null"])
        for n in range(NUMBER)
    ]


async def main() -> dict[str, float]:
    await run_checkpoints_parallel(made()[:20], max_concurrent=10)  # imports
    begun = time.perf_counter()
    async with CheckpointPool(workers=10) as pool:
        results = await pool.submit_many(made())
    pooled = NUMBER / (time.perf_counter() - begun)
    begun = time.perf_counter()
    parallel = await run_checkpoints_parallel(made(), max_concurrent=10)
    side_by_side = NUMBER / (time.perf_counter() - begun)
    assert {str(r.status) for r in [*results, *parallel]} == {"success"}
    return {"pool": pooled, "parallel": side_by_side}


print(json.dumps(asyncio.run(main())))
