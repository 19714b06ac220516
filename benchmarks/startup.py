"""Start-up: `import truthound` and `truthound --help` against a bare interpreter.

Load: whole processes, started one after the other.

Machine: the one it runs on; the commands take turns, 15 rounds.

Comparison: the median wall time as a ratio to `python -c pass` of the same
interpreter. Limit: 5 times for `truthound --help`.

    python benchmarks/startup.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

ROUNDS = 15
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import truthound": ["-c", "import truthound"],
    "truthound --help": ["-m", "truthound", "--help"],
}


def main() -> int:
    """Measure and print one line a command; return the exit status."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, arguments in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run(
                [sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL
            )
            times[name].append((time.perf_counter() - start) * 1_000)
    bare = statistics.median(times["python -c pass"])
    print(f"{'start-up':20}{'ms':>8}{'ratio':>8}  limit")
    for name, measured in times.items():
        median = statistics.median(measured)
        limit = "5" if name.endswith("--help") else ""
        missed = "  missed" if limit and median > 5 * bare else ""
        print(f"{name:20}{median:8.1f}{median / bare:8.2f}  {limit}{missed}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
