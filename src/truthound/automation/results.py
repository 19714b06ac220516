"""The whole story of a run: each site, each attempt, and what came of it."""

from __future__ import annotations

import dataclasses
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from truthound import _atomic
from truthound._words import plural
from truthound.automation._names import shown_name
from truthound.errors import StoreError

Outcome = Literal["success", "failure", "incomplete", "interrupted"]
FORMAT = 1  # of the file
LINES = 5  # of a site's output in a summary


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One process, or the attempt to start one.

    Attributes:
        number: from 1.
        started_at: aware, in UTC.
        seconds: until its end.
        exit_code: None if it has none.
        signal: name of the signal that ended it, such as SIGKILL.
        error: why it is no success, in words; None if it is one.
        output: the end of what it printed, at most 10,000 characters.
        peak_memory: bytes that it, or one that it started, has had at most.
    """

    number: int
    started_at: datetime
    seconds: float
    exit_code: int | None = None
    signal: str | None = None
    error: str | None = None
    output: str = ""
    peak_memory: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SiteResult:
    """What became of one site.

    Attributes:
        site: its name.
        outcome: success; failure (its command says so); incomplete (it was not
            started, was killed or took too long); interrupted (the run was).
        attempts: in their order; none if it was not started.
        error: what is wrong; None for a success.
        ended_at: when that was known, aware, in UTC; None if it was never begun.
        log: the file with all that it printed, if there is one.
    """

    site: str
    outcome: Outcome
    attempts: tuple[Attempt, ...] = ()
    error: str | None = None
    ended_at: datetime | None = None
    log: str | None = None

    @property
    def success(self) -> bool:
        """Whether it ended as it should."""
        return self.outcome == "success"

    @property
    def seconds(self) -> float:
        """The time of all its attempts, without the pauses."""
        return sum(attempt.seconds for attempt in self.attempts)

    @property
    def last(self) -> Attempt | None:
        """The last attempt."""
        return self.attempts[-1] if self.attempts else None

    def summary(self) -> str:
        """Say in one line what became of it."""
        took = f"{self.seconds:.1f} s"
        if len(self.attempts) > 1:
            took = f"{plural(len(self.attempts), 'attempt')}, {took}"
        return f"{shown_name(self.site)}: {self.error or 'success'} ({took})"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRun:
    """One run over many sites.

    Attributes:
        run_id: unique to the run.
        started_at: aware, in UTC.
        seconds: until its end.
        sites: by name, in the order given.
        interrupted: whether it was ended before its time.
        problems: what could not be written at its end.
    """

    run_id: str
    started_at: datetime
    seconds: float
    sites: Mapping[str, SiteResult]
    interrupted: bool = False
    problems: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[SiteResult]:
        return iter(self.sites.values())

    @property
    def results(self) -> dict[str, bool]:
        """Whether each site ended as it should, in the order given."""
        return {site.site: site.success for site in self}

    @property
    def success(self) -> bool:
        """Whether all of them did."""
        return all(site.success for site in self)

    @property
    def failures(self) -> list[SiteResult]:
        """Those that did not, in the order given."""
        return [site for site in self if not site.success]

    def summary(self) -> str:
        """Say in one line how many sites ended in which way."""
        counts = Counter(site.outcome for site in self)
        words = {"failure": "failed"}
        bad = [f"{n} {words.get(k, k)}" for k, n in counts.items() if k != "success"]
        text = f"{counts['success']} of {plural(len(self.sites), 'site')} succeeded"
        return f"{', '.join([text, *bad])} in {self.seconds:.1f} s"

    def error_summary(self) -> str:
        """Tell of every site that did not succeed, with the end of its output.

        Sites of which the same is to be said stand together. Empty if there are none.
        """
        alike: dict[tuple[str, str], list[SiteResult]] = {}
        for site in self.failures:
            end = _end_of(site.last.output) if site.last else ""
            alike.setdefault((site.error or site.outcome, end), []).append(site)
        lines = []
        for (error, end), sites in alike.items():
            names = ", ".join(shown_name(site.site) for site in sites[:10])
            if len(sites) > 10:
                names += f" and {len(sites) - 10} more"
            lines.append(f"{names}: {error}")
            lines += [f"    {line}" for line in end.splitlines()]
            logs = [site.log for site in sites if site.log]
            if logs:
                lines.append(f"    log: {logs[0]}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold; ``from_dict`` is the way back."""
        return {
            "format": FORMAT,
            "run_id": self.run_id,
            "started_at": self.started_at.isoformat(),
            "seconds": self.seconds,
            "interrupted": self.interrupted,
            "problems": list(self.problems),
            "sites": [_site_record(site) for site in self],
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> PipelineRun:
        """Make a run of what ``to_dict`` returned.

        Raises:
            ValueError: it is something else.
        """
        import msgspec

        try:
            if record["format"] != FORMAT:
                raise ValueError(f"it is of another format, {record['format']!r}")
            sites = {site["site"]: site for site in record["sites"]}
            return msgspec.convert({**record, "sites": sites}, cls)
        except (LookupError, TypeError, msgspec.ValidationError) as error:
            raise ValueError(f"no run of a pipeline: {error}") from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the run as JSON, whole or not at all; folders are made.

        Raises:
            StoreError: it cannot be written.
        """
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            _atomic.write_text(path, json.dumps(self.to_dict(), indent=2) + "\n")
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreError(f"cannot write {os.fspath(path)}: {reason}") from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> PipelineRun:
        """Read what ``save`` has written.

        Raises:
            StoreError: there is no such file, or it is damaged.
        """
        try:
            return cls.from_dict(json.loads(Path(path).read_bytes()))
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreError(f"cannot read {os.fspath(path)}: {reason}") from error
        except (ValueError, RecursionError) as error:
            raise StoreError(
                f"{os.fspath(path)} is no run of a pipeline, or is damaged"
            ) from error


def _end_of(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    return "\n".join(lines[-LINES:])


def _site_record(site: SiteResult) -> dict[str, Any]:
    record = dataclasses.asdict(site)
    for attempt in record["attempts"]:
        attempt["started_at"] = attempt["started_at"].isoformat()
    ended_at = site.ended_at and site.ended_at.isoformat()
    return {**record, "attempts": list(record["attempts"]), "ended_at": ended_at}
