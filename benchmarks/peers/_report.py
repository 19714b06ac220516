"""Medians, ratios and wrong answers, as lines of text."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from datasets import Check, Truth

OURS = "ours"
PLAIN = "ours_plain"  # ours, without example rows
BARE = "bare"


@dataclass
class Entry:
    """All measurements of one peer in one case."""

    peer: str
    version: str = ""
    times_ms: list[float] = field(default_factory=list)
    peak_mib: float = 0.0
    counts: dict[str, int | None] = field(default_factory=dict)
    verdicts: dict[str, bool] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)
    problem: str = ""

    @property
    def median_ms(self) -> float:
        """The median over all rounds."""
        return statistics.median(self.times_ms)

    def add(self, measured: dict[str, Any], found: list[str]) -> None:
        """Take in one round; a wrong answer in any round stays."""
        self.version = measured["version"]
        self.times_ms += measured["times_ms"]
        self.peak_mib = max(self.peak_mib, measured["peak_mib"])
        if found or not self.differences:
            self.counts = measured["counts"]
            self.verdicts = measured["verdicts"]
            self.differences = found


def differences(
    checks: tuple[Check, ...], measured: dict[str, Any], truth: Truth
) -> list[str]:
    """Say where an answer is not the truth; an empty list is a right answer.

    For `unique`, the rows of all groups of equal ids and the surplus rows are both
    right: libraries define the count in one of these two ways.
    """
    found = []
    for check in checks:
        right = truth.counts[check.name]
        given = measured["counts"].get(check.name)
        verdict = measured["verdicts"].get(check.name)
        if verdict != truth.verdicts[check.name]:
            found.append(f"{check.name}: holds={verdict}, truth is {not verdict}")
        if right is None or given == right:
            continue
        if given is None:
            found.append(f"{check.name}: no count")
        elif check.kind != "unique" or given != truth.surplus:
            reason = _reason(check, given, truth)
            found.append(f"{check.name}: {given} rows, truth is {right}{reason}")
    return found


def _reason(check: Check, given: int, truth: Truth) -> str:
    """Return what explains a wrong count, if the planted values do."""
    right = truth.counts[check.name] or 0
    special = truth.planted[check.column or ""]
    null, empty, absent = special["null"], special["empty"], special["n/a"]
    reasons = {}
    if check.kind == "unique":
        reasons = {
            right + null: "nulls count as duplicates of each other",
            truth.surplus - 1: "null counts as a value and hides a duplicate",
        }
    elif check.kind == "not_null":
        reasons = {
            right + empty + absent: "empty text and n/a are read as null",
            right + empty: "empty text is read as null",
            right + absent: "n/a is read as null",
        }
    elif check.kind in ("regex", "in_set"):
        reasons = {
            right + null: "nulls fail the check",
            right - empty - absent: "empty text and n/a are skipped or read as null",
            right - empty: "empty text is skipped or read as null",
            right - absent: "n/a is skipped or read as null",
        }
    return f" ({reasons[given]})" if given in reasons else ""


def table(title: str, entries: list[Entry]) -> Iterator[str]:
    """Yield the table of one case, fastest first."""
    done = sorted((e for e in entries if e.times_ms), key=lambda e: e.median_ms)
    by_peer = {entry.peer: entry.median_ms for entry in done}
    yield title
    yield (
        f"  {'peer':<20}{'version':<9}{'median ms':>11}{'best ms':>10}"
        f"{'to ours':>9}{'to bare':>9}{'peak MiB':>10}  answers"
    )
    for entry in done:
        wrong = len(entry.differences)
        yield (
            f"  {entry.peer:<20}{entry.version:<9}{entry.median_ms:>11.3f}"
            f"{min(entry.times_ms):>10.3f}"
            f"{_ratio(entry.median_ms, by_peer.get(OURS)):>9}"
            f"{_ratio(entry.median_ms, by_peer.get(BARE)):>9}"
            f"{entry.peak_mib:>10.0f}  {f'{wrong} wrong' if wrong else 'right'}"
        )
    for entry in entries:
        if entry.problem:
            last = entry.problem.splitlines()[-1]
            yield f"  {entry.peer:<20}not measured: {last}"


def _ratio(value: float, base: float | None) -> str:
    return "-" if base is None else f"{value / base:.2f}"


def wrong_answers(entries: list[Entry]) -> Iterator[str]:
    """Yield each difference from the truth with the name of its peer."""
    if any(entry.differences for entry in entries):
        yield "  differs from the truth:"
    for entry in entries:
        for line in entry.differences:
            yield f"    {entry.peer}: {line}"


def standing(entries: list[Entry], target: float) -> str:
    """Return how far ours is ahead of the fastest other library, and the target.

    The bare query is not a library and does not count here.
    """
    done = {entry.peer: entry.median_ms for entry in entries if entry.times_ms}
    ours, plain = done.pop(OURS, None), done.pop(PLAIN, None)
    done.pop(BARE, None)
    if ours is None or not done:
        return "ours vs next fastest: not measured"
    fastest = min(done, key=lambda peer: done[peer])
    ratio = done[fastest] / ours
    state = "reached" if ratio >= target else "missed"
    line = f"ours vs next fastest: {ratio:.2f} times ({fastest})"
    if plain is not None:
        line += f", without example rows {done[fastest] / plain:.2f} times"
    return f"{line}; target {target:g}: {state}"
