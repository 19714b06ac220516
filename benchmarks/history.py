"""Questions to a store with many runs.

Load: 1,000,000 runs of 100 checkpoints, each with a result; one in twenty is no
success. Asked are the latest 50 runs of one checkpoint, its latest 50 that were no
success, and the metrics of its last 60 runs.

Machine: the one it runs on. SQLite in a file; PostgreSQL too if
TRUTHOUND_TEST_POSTGRES_URL names a server.

Comparison: the median of 50 calls as a ratio to the limit, 5 ms.

    python benchmarks/history.py [RUNS]

Exits 1 if an answer is wrong; a missed limit is printed.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import text

from truthound.store import Store

CHECKPOINTS, CALLS, LIMIT = 100, 50, 5.0  # the limit in milliseconds
_SERIES = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
    "WHERE i < :runs) ",
    "postgresql": "WITH n(i) AS (SELECT generate_series(1, :runs)) ",
}
_RUNS = """
INSERT INTO runs (seq, run_id, checkpoint, state, owner, attempt, accepted_at, status,
source, duration_ms, row_count, summary) {series}
SELECT i, 'run_' || i, 'checkpoint_' || (i % {checkpoints}), 'finished', 'bench', 1,
1700000000000000 + CAST(i AS bigint) * 1000,
CASE WHEN i / {checkpoints} % 20 = 0 THEN 'failure' ELSE 'success' END,
'rides.csv', 5.0, i, 'all is well' FROM n
"""
_RESULTS = """
INSERT INTO results (seq, metrics, document) SELECT seq,
'{"rows": 1000, "nulls fare": 3, "check:null(fare)": 3}', '{"status": "success"}'
FROM runs
"""


def fill(store: Store, runs: int) -> None:
    """Write the runs."""

    def write(connection: Any) -> None:
        series = _SERIES[connection.dialect.name]
        made = _RUNS.replace("{series}", series)
        made = made.replace("{checkpoints}", str(CHECKPOINTS))
        connection.execute(text(made), {"runs": runs})
        connection.exec_driver_sql(_RESULTS)

    store._do(write)


def timed(call: Callable[[], Any]) -> float:
    """Return the median milliseconds of a call."""
    spent = []
    for _ in range(CALLS):
        begun = time.perf_counter()
        call()
        spent.append((time.perf_counter() - begun) * 1e3)
    return statistics.median(spent)


def measure(store: Store, kind: str, runs: int) -> bool:
    """Print a line for each question; return whether an answer is wrong."""
    name = "checkpoint_7"
    questions: dict[str, tuple[int, Callable[[], list[Any]]]] = {
        "latest 50": (50, lambda: store.runs(name)),
        "latest 50 failures": (50, lambda: store.runs(name, statuses=["failure"])),
        "metrics of 60": (60, lambda: store.past(name, "rides.csv", 60)),
    }
    wrong = False
    for title, (number, ask) in questions.items():
        found = ask()
        if len(found) != number and runs >= 200_000:
            wrong = True
            print(f"{kind}: {title}: {len(found)} runs, expected {number}")
        spent = timed(ask)
        missed = "" if spent <= LIMIT else "  missed"
        print(f"{kind:12}{title:22}{spent:8.2f} ms{spent / LIMIT:8.2f}{missed}")
    return wrong


def main() -> int:
    """Measure SQLite, and PostgreSQL if there is one; return the exit status."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print(f"{runs:,} runs of {CHECKPOINTS} checkpoints; ratio to {LIMIT:g} ms")
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder, "h.db")) as store:
        fill(store, runs)
        wrong = measure(store, "SQLite", runs)
    address = os.environ.get("TRUTHOUND_TEST_POSTGRES_URL")
    if address:
        with Store(address) as store:
            fill(store, runs)
            store._do(lambda c: c.execute(text("ANALYZE")))
            wrong |= measure(store, "PostgreSQL", runs)
            store._do(lambda c: c.execute(text("TRUNCATE runs, results CASCADE")))
    return int(wrong)


if __name__ == "__main__":
    raise SystemExit(main())
