"""The ten checks in this project, in five other libraries and by hand.

Load: row count, three columns without nulls, two ranges, one unique column, one
regular expression, one set of allowed values, mean with standard deviation, and
the 95th percentile, on the table of `benchmarks/datasets.py`: 100 rows in memory
(with one check, and with all), one million rows as Parquet and as CSV. Files are
read in the timed part, from a warm page cache. Every library gets the whole
table, and what it does not need is its own affair; imports, suites and one first
run come before the clock.

Machine: the one it runs on. Each measurement is a process of its own in the
library's own environment, made under `--envs` from `<peer>.txt`. Rounds go
through all peers in turn, so that a machine that gets slower hits all alike.
Trust the ratios.

Comparison: medians as ratios to ours and to `bare`, the hand-written Polars
query. Every answer is compared with the truth that is known from making the data.

    make bench-peers
    python benchmarks/peers/run.py --peers ours,bare --rows 10000000

Exits 1 if a measurement broke or an answer of ours is wrong, else 0; a missed
target is printed, not an error.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from _environments import EnvironmentFailedError, clean_variables, interpreter
from _report import (
    BARE,
    OURS,
    PLAIN,
    Entry,
    differences,
    standing,
    table,
    wrong_answers,
)

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import datasets  # noqa: E402 - it lies beside this folder, not in a package

PEERS = ("great_expectations", "pandera", "pointblank", "soda", "truthound3")
HERE_TOO = (OURS, PLAIN, BARE)  # they run with the interpreter of the project
ALL = (*HERE_TOO, *PEERS)
SMALL = 100  # rows
LARGE = 1_000_000  # rows
PATIENCE = 900.0  # seconds for one process


@dataclass(frozen=True)
class Case:
    """One row of the comparison: a table, where it lies, and which checks."""

    key: str
    title: str
    source: str
    dataset: datasets.Dataset
    checks: tuple[datasets.Check, ...]
    target: float


def cases(rows: int) -> list[Case]:
    """Return the four cases, making the tables if they are missing."""
    small = datasets.make(SMALL)
    large = datasets.make(rows)
    one = tuple(check for check in small.checks if check.name == "not_null:customer")
    return [
        Case("memory-one", "100 rows in memory, one check", "memory", small, one, 8),
        Case(
            "memory-ten",
            "100 rows in memory, ten checks",
            "memory",
            small,
            small.checks,
            8,
        ),
        Case("parquet", f"{rows:,} rows, Parquet", "parquet", large, large.checks, 1.5),
        Case("csv", f"{rows:,} rows, CSV", "csv", large, large.checks, 1.5),
    ]


def measure(peer: str, python: Path, case: Case, repeats: int) -> dict[str, Any]:
    """Run one adapter in its own process and return what it measured.

    Raises:
        RuntimeError: The adapter failed; the text is the end of its stderr.
    """
    file = case.dataset.csv if case.source == "csv" else case.dataset.parquet
    in_memory = case.source == "memory"
    job = {
        "source": case.source,
        "path": str(file),
        "checks": [
            {**asdict(check), "column": check.column or ""} for check in case.checks
        ],
        "repeats": repeats,
        "seconds": 0.5 if in_memory else 0.0,
    }
    ours = peer in HERE_TOO
    try:
        done = subprocess.run(
            [str(python), str(HERE / f"adapter_{peer}.py")],
            input=json.dumps(job),
            env=dict(os.environ) if ours else clean_variables(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"no answer in {PATIENCE:g} s") from None
    if done.returncode:
        raise RuntimeError(done.stderr.strip()[-800:] or f"exit {done.returncode}")
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def compare(
    case: Case, pythons: dict[str, Path | str], rounds: int, repeats: int
) -> list[Entry]:
    """Measure all peers in turn, as often as there are rounds.

    A peer whose environment could not be made has a text instead of a path.
    """
    entries = {peer: Entry(peer) for peer in pythons}
    order = list(pythons)
    for number in range(rounds):
        for peer in order[number % len(order) :] + order[: number % len(order)]:
            python = pythons[peer]
            entry = entries[peer]
            if isinstance(python, str):
                entry.problem = python
            if entry.problem:
                continue
            try:
                measured = measure(peer, Path(python), case, repeats)
            except RuntimeError as error:
                entry.problem = str(error)
                continue
            truth = case.dataset.truth
            entry.add(measured, differences(case.checks, measured, truth))
    return list(entries.values())


def environments(peers: list[str], cache: Path) -> dict[str, Path | str]:
    """Return each peer's Python, or why there is none."""
    found: dict[str, Path | str] = {}
    for peer in peers:
        if peer in HERE_TOO:
            found[peer] = Path(sys.executable)
            continue
        try:
            found[peer] = interpreter(peer, cache)
        except EnvironmentFailedError as error:
            found[peer] = f"environment: {error}"
    return found


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="compare with other libraries")
    parser.add_argument("--peers", help=f"comma separated, of {','.join(ALL)}")
    parser.add_argument("--cases", help="comma separated: memory-one,memory-ten,…")
    parser.add_argument("--rows", type=int, default=LARGE, help="rows of the files")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3, help="per round and case")
    parser.add_argument("--json", type=Path, metavar="FILE", help="raw results")
    parser.add_argument("--envs", type=Path, default=HERE / ".envs", metavar="FOLDER")
    options = parser.parse_args()
    # The slow peers take minutes at ten million rows; they come if asked for.
    default = ALL if options.rows <= LARGE else HERE_TOO
    options.peers = options.peers.split(",") if options.peers else list(default)
    unknown = [peer for peer in options.peers if peer not in ALL]
    if unknown:
        parser.error(f"unknown peers {unknown}; there are {', '.join(ALL)}")
    return options


def main() -> int:
    """Measure, print, and return the exit status."""
    options = arguments()
    wanted = cases(options.rows)
    if options.cases:
        wanted = [case for case in wanted if case.key in options.cases.split(",")]
    pythons = environments(options.peers, options.envs)
    print(
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}; {options.rounds} rounds\n"
    )
    results: dict[str, list[Entry]] = {}
    for case in wanted:
        entries = compare(case, pythons, options.rounds, options.repeats)
        results[case.key] = entries
        print("\n".join(table(case.title, entries)))
        print("\n".join(wrong_answers(entries)))
        print(f"  {standing(entries, case.target)}\n", flush=True)
    if options.json:
        raw = {key: [asdict(e) for e in entries] for key, entries in results.items()}
        options.json.write_text(json.dumps(raw), encoding="utf-8")
    everything = [entry for entries in results.values() for entry in entries]
    broken = any(entry.problem for entry in everything)
    wrong = any(
        entry.differences for entry in everything if entry.peer in (OURS, PLAIN)
    )
    return int(broken or wrong)


if __name__ == "__main__":
    sys.exit(main())
