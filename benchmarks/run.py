"""All benchmarks that need nothing but the project's own environment.

    make bench
    python benchmarks/run.py --quick

Each part is a process of its own and prints its table: the ten checks of
`peers/run.py` against the hand-written query (a million rows as Parquet and CSV, ten
million as Parquet), the 100-row frame of `small_frame.py`, `startup.py` and
`streams.py`. Exits 1 if a part failed or an answer was wrong.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Run the parts in turn; return the exit status."""
    parser = argparse.ArgumentParser(description="compare with the hand-written query")
    parser.add_argument("--quick", action="store_true", help="no 10-million-row part")
    quick = parser.parse_args().quick
    fused = ["peers/run.py", "--peers", "ours,bare", "--rounds", "5"]
    parts = [fused, ["small_frame.py"], ["startup.py"], ["streams.py"]]
    if not quick:
        parts.insert(1, [*fused, "--rows", "10000000"])
    failed = 0
    for script, *arguments in parts:
        command = [sys.executable, str(HERE / script), *arguments]
        failed |= subprocess.run(command, check=False).returncode
        print(flush=True)
    return int(bool(failed))


if __name__ == "__main__":
    raise SystemExit(main())
