"""What every adapter shares: read the job, time the work, print one JSON line.

Standard library only, because it runs in each peer's own environment.

An adapter builds its suite once, untimed, and gives back the work to repeat and a
way to read counts and verdicts off a result. Reading the answer is not timed; it
may only look at what the timed work has already computed.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar("Result")
TOO_MANY = 1_000  # repetitions of one job; more do not make the median better


@dataclass(frozen=True)
class Check:
    """One check in neutral words; see `datasets.Check`. No column is an empty text."""

    name: str
    kind: str
    column: str
    options: dict[str, Any]

    @property
    def counts_rows(self) -> bool:
        """Whether the check is about rows, rather than the table as a whole."""
        return self.kind not in ("row_count", "mean_std", "quantile")


@dataclass(frozen=True)
class Job:
    """What to validate and for how long.

    Args:
        source: `memory`, `parquet` or `csv`. A job in memory reads its Parquet
            file before the clock starts.
        path: The file.
        checks: The checks, in a fixed order.
        repeats: Timed repetitions at least.
        seconds: Repeat until this much time was measured.
    """

    source: str
    path: str
    checks: tuple[Check, ...]
    repeats: int
    seconds: float


@dataclass(frozen=True)
class Answer:
    """What a library said about each check; a count is None if it gave none."""

    counts: dict[str, int | None]
    verdicts: dict[str, bool]


@dataclass(frozen=True)
class Measured:
    """The JSON line that an adapter prints."""

    version: str
    times_ms: list[float]
    peak_mib: float
    counts: dict[str, int | None]
    verdicts: dict[str, bool]


Prepare = Callable[[Job], tuple[Callable[[], Result], Callable[[Result], Answer]]]


def main(distribution: str, prepare: Prepare[Any]) -> None:
    """Do the job that stands on stdin and print the measurement.

    Whatever the library prints goes to stderr, so that stdout is one line.
    It works in an empty folder, so that files it leaves behind are gone after.
    """
    line = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    given = json.load(sys.stdin)
    given["checks"] = tuple(Check(**check) for check in given["checks"])
    job = Job(**given)
    home = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="bench-peer-") as folder:
        os.chdir(folder)
        try:
            measured = _measure(_version(distribution), job, prepare)
        finally:
            os.chdir(home)
    with line:
        json.dump(asdict(measured), line)
        line.write("\n")


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "source"  # imported from a checkout that is not installed


def _measure(version: str, job: Job, prepare: Prepare[Any]) -> Measured:
    run, read = prepare(job)
    result = run()
    times: list[float] = []
    while len(times) < job.repeats or (
        sum(times) < job.seconds and len(times) < TOO_MANY
    ):
        result = None  # the last result's memory is not part of the next run
        gc.collect(0)
        start = time.perf_counter()
        result = run()
        times.append(time.perf_counter() - start)
    peak = peak_mib()
    answer = read(result)
    return Measured(
        version=version,
        times_ms=[round(seconds * 1_000, 4) for seconds in times],
        peak_mib=peak,
        counts=answer.counts,
        verdicts=answer.verdicts,
    )


def peak_mib() -> float:
    """Return the most memory this process has held, in MiB.

    Linux hands a child its parent's peak in `getrusage`; the status file does not.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1_024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1_024**2 if sys.platform == "darwin" else 1_024)
