"""The one message that all notifications tell, before it has the form of a channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from truthound._words import plural
from truthound.checkpoint.model import CheckpointResult

ISSUES = 10  # that a message names; the others are counted
CELL = 200  # characters of one value of an example row


class MessageKind(StrEnum):
    """Why somebody is told.

    ``run``: how a run ended, whatever was before; ``alarm``: it was well until now, or
    is bad in another way; ``reminder``: it is still bad; ``resolved``: it is well
    again; ``test``: somebody tries the way.
    """

    RUN = "run"
    ALARM = "alarm"
    REMINDER = "reminder"
    RESOLVED = "resolved"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check that failed, or could not be evaluated.

    Attributes:
        name: of the check, like ``range(fare)``.
        severity: critical, high, medium, low; ``error``: it could not be evaluated.
        message: one line.
        failed: rows that failed.
        checked: rows that were judged.
        examples: some of them, by column; values are texts of at most 200 characters.
    """

    name: str
    severity: str
    message: str = ""
    failed: int = 0
    checked: int = 0
    examples: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What people are told of a run. Nothing in it is escaped for any channel.

    Attributes:
        kind: why they are told.
        checkpoint: whose run it was.
        status: how it ended: success, warning, failure or error.
        run_id: of the run.
        at: when it began, aware, in UTC.
        source: the data, as results call it.
        error: why the run could not be completed.
        rows: of the data; None where they were not counted.
        checks: how many there were.
        failed_checks: how many of them failed or could not be evaluated.
        findings: the worst of these, at most ten.
        more_findings: how many there are besides.
        since: when the incident began to which the run belongs; None: not known.
        runs: how many runs of it there were in that incident, this one included.
        held: how many messages were not sent since the last one (throttle, mute).
        note: what the configuration wants to be said, before the rest.
        links: by label, addresses of pages about it.
        tags: of the checkpoint.
        thread: what the channel called the first message of the incident; None: this
            is the first.
        others: messages of other runs that are told together with this one.
    """

    kind: MessageKind
    checkpoint: str
    status: str
    run_id: str
    at: datetime
    source: str = ""
    error: str | None = None
    rows: int | None = None
    checks: int = 0
    failed_checks: int = 0
    findings: Sequence[Finding] = ()
    more_findings: int = 0
    since: datetime | None = None
    runs: int = 1
    held: int = 0
    note: str | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    thread: str | None = None
    others: Sequence[Message] = ()

    @property
    def is_bad(self) -> bool:
        """Whether the run was no success."""
        return self.status != "success"

    @property
    def title(self) -> str:
        """One line that says it all."""
        if self.others:
            told = [self, *self.others]
            bad = sum(message.is_bad for message in told)
            return f"{plural(len(told), 'checkpoint')}, {bad} not well"
        words = {
            MessageKind.REMINDER: f"{self.checkpoint}: still {self.status}",
            MessageKind.RESOLVED: f"{self.checkpoint}: resolved, {self.status}",
            MessageKind.TEST: f"TEST, nothing has happened: {self.checkpoint}",
        }
        return words.get(self.kind, f"{self.checkpoint}: {self.status}")

    @property
    def worst(self) -> str:
        """The severity of the worst finding; ``error`` where the run has no result."""
        if self.error or self.status == "error":
            return "error"
        return self.findings[0].severity if self.findings else "none"

    def facts(self) -> dict[str, str]:
        """Return the numbers and names that stand under the title, by their labels."""
        told = {"Data": self.source or "-"}
        if self.rows is not None:
            told["Rows"] = f"{self.rows:,}"
        if self.checks:
            told["Checks failed"] = f"{self.failed_checks:,} of {self.checks:,}"
        if self.since is not None and (self.runs > 1 or self.kind in _OF_INCIDENTS):
            told["Since"] = f"{moment_text(self.since)} ({plural(self.runs, 'run')})"
        if self.held:
            told["Not told meanwhile"] = plural(self.held, "run")
        told["Time"] = moment_text(self.at)
        told["Run"] = self.run_id
        return told


_OF_INCIDENTS = (MessageKind.REMINDER, MessageKind.RESOLVED)


def moment_text(moment: datetime) -> str:
    """Return a moment as messages have it."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def message_of(
    result: CheckpointResult,
    *,
    kind: MessageKind = MessageKind.RUN,
    examples: int = 0,
    details: bool = True,
    **more: Any,
) -> Message:
    """Return the message about a result.

    Args:
        result: of a run; its ``validation_run`` may be anything, or None.
        kind: why somebody is told.
        examples: rows that are shown of each failed check, of those that the result
            has.
        details: name the failed checks.
        more: other attributes of the message.
    """
    run = result.validation_run
    statistics = getattr(run, "statistics", None)
    known: Mapping[str, Any] = statistics if isinstance(statistics, Mapping) else {}
    rows = getattr(run, "row_count", None)
    bad = [*_listed(run, "errors"), *_listed(run, "issues")]
    findings = [_finding(check, examples) for check in bad[:ISSUES]]
    return Message(
        kind=kind,
        checkpoint=result.checkpoint_name,
        status=str(result.status),
        run_id=result.run_id,
        at=result.run_time,
        source=result.data_asset,
        error=result.error,
        rows=rows if isinstance(rows, int) else None,
        checks=_number(known.get("total_checks")),
        failed_checks=len(bad) or _number(known.get("total_issues")),
        findings=findings if details else (),
        more_findings=len(bad) - len(findings) if details else 0,
        **more,
    )


def grouped(messages: Sequence[Message]) -> Message:
    """Return one message that tells several, what is bad and new before the others.

    It goes into a thread only if all of them do.
    """
    first, *others = sorted(messages, key=_calm)
    threads = {message.thread for message in messages}
    thread = threads.pop() if len(threads) == 1 else None
    return replace(first, others=others, thread=thread)


def _calm(message: Message) -> int:
    if not message.is_bad:
        return 2
    return 1 if message.kind is MessageKind.REMINDER else 0


def _listed(run: Any, name: str) -> list[Any]:
    found = getattr(run, name, None)
    return list(found) if isinstance(found, (list, tuple)) else []


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _finding(check: Any, examples: int) -> Finding:
    severity = getattr(check, "severity", None)
    is_error = getattr(check, "status", None) == "error"
    said = getattr(check, "message", "") or getattr(check, "error", "") or ""
    rows = getattr(check, "examples", ()) if examples else ()
    return Finding(
        name=str(getattr(check, "name", check)),
        severity="error" if is_error else str(severity or "unknown"),
        message=str(said),
        failed=_number(getattr(check, "failed", 0)),
        checked=_number(getattr(check, "checked", 0)),
        examples=[_row(row) for row in list(rows)[:examples]],
    )


def _row(row: Mapping[str, Any]) -> dict[str, str]:
    shown = {}
    for column, value in row.items():
        text = "null" if value is None else str(value)
        shown[str(column)] = text if len(text) <= CELL else text[: CELL - 1] + "…"
    return shown
