"""A new file in a folder of fifty, checked incrementally.

Load: 51 files of 1 M rows and four columns, as Parquet and as CSV, made from a seed; 50
of them are known from an earlier run, one is new. Compared with the same checks of the
new file alone, and with a full read of the folder. The ways take turns; medians.

    python benchmarks/incremental.py [--rows 1000000] [--files 50] [--rounds 7]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from _rounds import line, medians
from truthound.data.parts import KeptPart
from truthound.validators.validation import Validation

AIM = 1.3
KINDS = ("parquet", "csv")
SKETCHED = [
    {"median": {"column": "fare", "max": 40}},
    {"distinct_count": {"column": "kind", "max": 10}},
]
EXACT = [
    "null",
    {"range": {"column": "fare", "min": 0, "max": 1_000}},
    {"in_set": {"column": "kind", "values": ["card", "cash", "none", "other"]}},
    {"regex": {"column": "kind", "pattern": "^[a-z]+$"}},
    {"mean": {"column": "fare", "max": 100}},
    {"std": {"column": "fare", "max": 100}},
    {"sum": {"column": "miles", "min": 0}},
    {"expression": {"expression": "miles >= 0 AND fare >= 0"}},
]


class Kept:
    """What is known of fifty files; a run finds it as it was, and leaves nothing."""

    def __init__(self) -> None:
        self.parts: list[KeptPart] = []
        self.closed = False

    def load(self, source: str) -> Iterable[KeptPart]:
        return self.parts

    def save(
        self, source: str, parts: Sequence[KeptPart], removed: Sequence[str]
    ) -> None:
        if not self.closed:
            self.parts = list(parts)


def make(folder: Path, kind: str, number: int, rows: int) -> None:
    random = np.random.default_rng(number)
    frame = pl.DataFrame(
        {
            "id": np.arange(number * rows, (number + 1) * rows),
            "fare": random.gamma(3.0, 8.0, rows).round(2),
            "miles": random.integers(0, 400, rows),
            "kind": random.choice(["card", "cash", "none", "other"], rows),
        }
    )
    path = folder / f"day={number:03}.{kind}"
    getattr(frame, f"write_{kind}")(path)
    before = time.time_ns() - 60 * 10**9  # not so new that it is read twice
    os.utime(path, ns=(before, before))


def ways(
    rules: list[Any], folder: Path, new: Path, kept: Kept
) -> dict[str, Callable[[], Any]]:
    alone = Validation.of(rules, name="bench")
    grows = Validation.of(rules, name="bench", incremental=True)

    async def of_one() -> bool:
        return alone.run(new).success

    async def incremental() -> bool:
        run = grows.run(folder, parts=kept)
        assert run.metadata["incremental"]["files_read"] == 1, run.metadata
        return run.success

    return {"alone": of_one, "incremental": incremental}


def measure(kind: str, rules: list[Any], what: str, given: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made, "folder")
        folder.mkdir()
        for number in range(given.files):
            make(folder, kind, number, given.rows)
        kept = Kept()
        grows = Validation.of(rules, name="bench", incremental=True)
        begun = time.perf_counter()
        grows.run(folder, parts=kept)
        first = time.perf_counter() - begun
        kept.closed = True
        make(folder, kind, given.files, given.rows)
        new = folder / f"day={given.files:03}.{kind}"
        found = asyncio.run(medians(ways(rules, folder, new, kept), given.rounds))
        plain = Validation.of(rules, name="bench")
        begun = time.perf_counter()
        plain.run(folder)
        full = time.perf_counter() - begun
    print(f"{kind}, {what}: the new file alone takes {found['alone'] * 1000:.0f} ms")
    line("a new file, incrementally", found["incremental"] / found["alone"], AIM)
    line("all files, by an ordinary run", full / found["alone"])
    line("all files, by the first incremental run", first / found["alone"])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    for kind in KINDS:
        measure(kind, EXACT, "exact checks", given)
        measure(kind, EXACT + SKETCHED, "with a median and a distinct count", given)


if __name__ == "__main__":
    main()
