"""Taking turns: every way of doing the same is timed once a round."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

Way = Callable[[], Awaitable[Any]]


async def medians(ways: dict[str, Way], rounds: int) -> dict[str, float]:
    """Return the median seconds of each; their results must be equal."""
    spent: dict[str, list[float]] = {name: [] for name in ways}
    expected: Any = None
    for _ in range(rounds):
        for name, way in ways.items():
            begun = time.perf_counter()
            result = await way()
            spent[name].append(time.perf_counter() - begun)
            await asyncio.sleep(0)
            expected = result if expected is None else expected
            if result != expected:
                raise SystemExit(f"{name}: the results differ")
    return {name: statistics.median(times) for name, times in spent.items()}


def line(name: str, ratio: float, aim: float | None = None) -> None:
    """Print a ratio, and whether it is at most what it should be."""
    told = "" if aim is None else f"  aim at most {aim}"
    missed = "  MISSED" if aim is not None and ratio > aim else ""
    print(f"  {name:52} {ratio:7.2f}{told}{missed}")
