"""A checkpoint on a 100-row frame in memory against the bare Polars select.

Load: one validator (`not_null`) on a frame of 100 rows and three columns, run in a
loop: once on a column where it holds, once on one where a tenth of the rows fail and
five example rows are fetched. Then the same for `range`.

Machine: the one it runs on. The two sides take turns in blocks of 200 calls, so that
a machine that gets slower hits both alike.

Comparison: the median block of `Checkpoint.run()` as a ratio to that of the bare
`df.select(expressions).row(0)` that counts the same things, with the expressions made
beforehand. Limits: 3 times when the check holds, 5 times when it fails.

    python benchmarks/small_frame.py

Exits 1 if a count is wrong; a missed limit is printed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import polars as pl

import truthound

BLOCK, BLOCKS = 200, 31
FRAME = pl.DataFrame(
    {
        "id": range(100),
        "fare": [None if n % 10 == 0 else float(n) for n in range(100)],
        "kind": ["card" if n % 3 else "cash" for n in range(100)],
    }
)


def compare(ours: Callable[[], Any], bare: Callable[[], Any]) -> tuple[float, float]:
    """Return the median time of a call of each, in microseconds."""
    times: tuple[list[float], list[float]] = ([], [])
    for call in (ours, bare):
        call()
    for _ in range(BLOCKS):
        for call, into in zip((ours, bare), times, strict=True):
            start = time.perf_counter()
            for _ in range(BLOCK):
                call()
            into.append((time.perf_counter() - start) / BLOCK * 1e6)
    return statistics.median(times[0]), statistics.median(times[1])


def main() -> int:
    """Measure and print one line a case; return the exit status."""
    rows, fare, number = pl.len().alias("rows"), pl.col("fare"), pl.col("id")
    cases: list[tuple[str, dict[str, Any], list[pl.Expr], int, float]] = [
        (
            "not_null, holds",
            {"not_null": {"column": "id"}},
            [rows, number.null_count()],
            0,
            3,
        ),
        (
            "not_null, fails",
            {"not_null": {"column": "fare"}},
            [rows, fare.null_count()],
            10,
            5,
        ),
        (
            "range, holds",
            {"range": {"column": "id", "min": 0, "max": 99}},
            [rows, (~number.is_between(0, 99)).sum()],
            0,
            3,
        ),
        (
            "range, fails",
            {"range": {"column": "id", "min": 0, "max": 49}},
            [rows, (~number.is_between(0, 49)).sum()],
            50,
            5,
        ),
    ]
    wrong = False
    print(f"{'100 rows in memory':22}{'ours µs':>10}{'bare µs':>10}{'ratio':>8}  limit")
    for title, validator, expressions, expected, limit in cases:
        checkpoint = truthound.Checkpoint(
            "small", data_source=FRAME, validators=[validator]
        )
        found = checkpoint.run().validation_run.checks[0]
        if found.failed != expected or FRAME.select(expressions).row(0)[1] != expected:
            wrong = True
            print(f"{title}: counted {found.failed}, expected {expected}")
        ours, bare = compare(
            checkpoint.run,
            lambda expressions=expressions: FRAME.select(expressions).row(0),
        )
        verdict = "" if ours / bare <= limit else "  missed"
        print(
            f"{title:22}{ours:10.1f}{bare:10.1f}{ours / bare:8.2f}  {limit:g}{verdict}"
        )
    return int(wrong)


if __name__ == "__main__":
    raise SystemExit(main())
