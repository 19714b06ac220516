"""What is known of a checkpoint that is not well, and whether somebody is told.

Pure: a standing, a policy and a run go in, a decision and the next standing come out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from truthound.checkpoint._alert_policy import AlertPolicy
from truthound.checkpoint.messages.message import MessageKind, moment_text

AGAIN = timedelta(seconds=2)  # until it is asked again whether somebody has told
LOST = timedelta(seconds=120)  # after which who is telling is taken for gone
_WORSE = ("success", "warning", "failure", "error")  # the worse, the later


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The last message of one notification about a checkpoint.

    Attributes:
        status: of the run that it told about.
        run_id: of that run.
        at: when it was sent.
        since: when the incident began that it was about; None: about none.
        thread: how its channel calls the first message of that incident.
        held: runs that were not told since then, and would have been.
    """

    status: str
    run_id: str
    at: datetime
    since: datetime | None = None
    thread: str | None = None
    held: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A message that was put off, or is being sent.

    Attributes:
        run_id: about which run it is.
        until: when it is due; if it is being sent, when that is taken for given up.
        is_sent: it is being sent.
    """

    run_id: str
    until: datetime
    is_sent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a checkpoint stands, as its notifications know it.

    Attributes:
        run_id: the newest run that was seen.
        at: when that began.
        status: how it ended.
        since: when the incident began; None: there is none.
        runs: how many runs that has.
        was_since: when the incident before began that has ended.
        was_runs: how many runs that had.
        acknowledged_by: who takes care of the incident; None: nobody has said so.
        acknowledged_at: when that was said.
        acknowledged_status: how it stood then.
        told: the last message of each notification, by its name.
        waiting: what was put off or is being sent, by the name of the notification.
    """

    run_id: str = ""
    at: datetime | None = None
    status: str = ""
    since: datetime | None = None
    runs: int = 0
    was_since: datetime | None = None
    was_runs: int = 0
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    acknowledged_status: str = ""
    told: Mapping[str, Told] = field(default_factory=dict)
    waiting: Mapping[str, Waiting] = field(default_factory=dict)

    @classmethod
    def of(cls, plain: Any) -> Standing:
        """Return the standing that plain values describe; a new one for None."""
        if plain is None:
            return cls()
        return msgspec.convert(plain, cls)

    def plain(self) -> Any:
        """Return plain values."""
        return msgspec.to_builtins(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A run, as far as it matters here.

    Attributes:
        run_id: which.
        at: when it began.
        status: how it ended.
        severity: of its worst finding.
        is_wanted: whether ``notify_on`` names its status.
    """

    run_id: str
    at: datetime
    status: str
    severity: str
    is_wanted: bool

    @property
    def is_bad(self) -> bool:
        """Whether it was no success."""
        return self.status != "success"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a message.

    Attributes:
        kind: send it as such; None: do not send it.
        why: it is not sent, or put off.
        until: when to ask again; None: it is left out for good.
        is_held: it would have been told, but for a limit: it is counted.
        since: when the incident began.
        runs: how many runs that has.
        held: how many were not told since the last message.
        thread: how the channel calls the first message of the incident.
    """

    kind: MessageKind | None = None
    why: str = ""
    until: datetime | None = None
    is_held: bool = False
    since: datetime | None = None
    runs: int = 1
    held: int = 0
    thread: str | None = None


def observed(standing: Standing, run: Seen) -> Standing:
    """Return how a checkpoint stands after a run; an older one changes nothing."""
    if run.run_id == standing.run_id:
        return standing
    if standing.at is not None and run.at <= standing.at:
        return standing
    now = replace(standing, run_id=run.run_id, at=run.at, status=run.status)
    if run.is_bad and standing.since is not None:
        return replace(now, runs=standing.runs + 1)
    if run.is_bad:
        return replace(
            now,
            since=run.at,
            runs=1,
            acknowledged_by=None,
            acknowledged_at=None,
            acknowledged_status="",
        )
    if standing.since is not None:
        return replace(
            now, since=None, runs=0, was_since=standing.since, was_runs=standing.runs
        )
    return now


def decide(
    policy: AlertPolicy,
    standing: Standing,
    action: str,
    run: Seen,
    now: datetime,
    *,
    mute: str | None = None,
    puts_off: bool = True,
    resolves_unknown: bool = False,
) -> Decision:
    """Say what becomes of the message of a notification about a run.

    Args:
        policy: of the notification.
        standing: of the checkpoint, which has seen the run.
        action: the name of the notification.
        run: about which it is; it may be older than the newest.
        now: the moment.
        mute: why nobody is to be told; None: somebody may be.
        puts_off: whether what is put off comes again.
        resolves_unknown: a resolve is sent also if it is not known whether somebody was
            told; for channels to which it does no harm.
    """
    told = standing.told.get(action)
    waiting = standing.waiting.get(action)
    if waiting is not None and (waiting.run_id == run.run_id or waiting.until <= now):
        waiting = None  # it is this one, or nobody's any more
    if puts_off and _is_outdated(policy, standing, waiting, run):
        return Decision(why=f"{standing.run_id} says how it is now", is_held=True)
    if waiting is not None and waiting.is_sent and not _is_one_of_all(policy, run):
        # What there is to say is known when that has arrived, or has not.
        until = now + AGAIN if puts_off else None
        return Decision(why=f"{waiting.run_id} is being told", until=until)
    if run.is_bad:
        wanted = _about_bad(policy, standing, told, run, now)
    else:
        wanted = _about_good(policy, standing, told, run, resolves_unknown)
    if wanted.kind is None:
        return wanted
    if mute is not None:
        return replace(wanted, kind=None, why=mute, is_held=True)
    if (until := policy.quiet_until(now, run.severity)) is not None and puts_off:
        return _off(wanted, until, f"quiet until {moment_text(until)}")
    return _throttled(policy, told, wanted, now, puts_off)


def _is_one_of_all(policy: AlertPolicy, run: Seen) -> bool:
    """Tell whether a run is told whatever is told of others."""
    return run.is_bad and policy.when == "every"


def _is_outdated(
    policy: AlertPolicy, standing: Standing, waiting: Waiting | None, run: Seen
) -> bool:
    """Tell whether a newer run has its own to say, which may be put off, too."""
    if run.run_id == standing.run_id:
        return False
    is_put_off = waiting is not None and not waiting.is_sent
    return is_put_off or not _is_one_of_all(policy, run)


def _off(wanted: Decision, until: datetime, why: str) -> Decision:
    return replace(wanted, kind=None, until=until, why=why)


def _throttled(
    policy: AlertPolicy,
    told: Told | None,
    wanted: Decision,
    now: datetime,
    puts_off: bool,
) -> Decision:
    if told is None or not policy.throttle_seconds:
        return wanted
    free = told.at + timedelta(seconds=policy.throttle_seconds)
    if now >= free:
        return wanted
    why = f"the last message was sent at {moment_text(told.at)}"
    is_end = wanted.kind is MessageKind.RESOLVED  # which nothing later would tell
    if puts_off and (is_end or policy.when == "change"):
        return _off(wanted, free, why)
    return wanted if is_end else replace(wanted, kind=None, why=why, is_held=True)


def _about_good(
    policy: AlertPolicy,
    standing: Standing,
    told: Told | None,
    run: Seen,
    resolves_unknown: bool,
) -> Decision:
    if standing.run_id != run.run_id and standing.since is not None:
        return Decision(why="it is not well again by now")
    is_open = told is not None and told.status != "success"
    if policy.resolve and (is_open or (told is None and resolves_unknown)):
        return Decision(
            kind=MessageKind.RESOLVED,
            since=(told and told.since) or standing.was_since,
            runs=max(1, standing.was_runs),
            held=told.held if told else 0,
            thread=told.thread if told else None,
        )
    if run.is_wanted and policy.when == "every":
        return Decision(kind=MessageKind.RUN)
    return Decision(why="it was well before")


def _about_bad(
    policy: AlertPolicy,
    standing: Standing,
    told: Told | None,
    run: Seen,
    now: datetime,
) -> Decision:
    if not run.is_wanted:
        return Decision(why=f"notify_on does not name {run.status}")
    began = standing.since
    if began is None or run.at < began:
        return Decision(why="it was well again before somebody was told")
    by, before = standing.acknowledged_by, standing.acknowledged_status
    if by is not None and _rank(run.status) <= _rank(before or run.status):
        return Decision(why=f"{by} has acknowledged it")
    is_known = told is not None and told.since == began and told.status != "success"
    message = Decision(
        since=began,
        runs=standing.runs,
        held=told.held if told else 0,
        thread=told.thread if told and is_known else None,
    )
    due = began + timedelta(seconds=policy.after_seconds)
    if now < due and not is_known:
        return _off(message, due, f"nobody is asked before {moment_text(due)}")
    if policy.when == "every":
        return replace(message, kind=MessageKind.RUN)
    if told is None or not is_known or told.status != run.status:
        return replace(message, kind=MessageKind.ALARM)
    return _reminded(policy, told, message, now)


def _rank(status: str) -> int:
    return _WORSE.index(status) if status in _WORSE else len(_WORSE)


def _reminded(
    policy: AlertPolicy,
    told: Told,
    message: Decision,
    now: datetime,
) -> Decision:
    said = f"{told.status} was told at {moment_text(told.at)}"
    if not policy.remind_seconds:
        return Decision(why=said)
    if now < told.at + timedelta(seconds=policy.remind_seconds):
        return Decision(why=said)
    return replace(message, kind=MessageKind.REMINDER)


def claimed(standing: Standing, action: str, run: Seen, now: datetime) -> Standing:
    """Return the standing while a message is being sent: nobody else sends it."""
    mine = Waiting(run_id=run.run_id, until=now + LOST, is_sent=True)
    return replace(standing, waiting={**standing.waiting, action: mine})


def after(
    standing: Standing,
    action: str,
    run: Seen,
    decision: Decision,
) -> Standing:
    """Return the standing after a decision that was not to send."""
    waiting = {k: v for k, v in standing.waiting.items() if k != action}
    mine, is_newest = standing.waiting.get(action), run.run_id == standing.run_id
    if (
        mine is not None
        and mine.run_id != run.run_id
        and (mine.is_sent or not is_newest)
    ):
        waiting[action] = mine
    elif decision.until is not None:
        waiting[action] = Waiting(run_id=run.run_id, until=decision.until)
    told = dict(standing.told)
    if decision.is_held and action in told:
        told[action] = replace(told[action], held=told[action].held + 1)
    return replace(standing, waiting=waiting, told=told)


def sent(
    standing: Standing,
    action: str,
    run: Seen,
    decision: Decision,
    now: datetime,
    thread: str | None,
) -> Standing:
    """Return the standing after a message was sent.

    Args:
        standing: before.
        action: the name of the notification.
        run: about which it was.
        decision: by which it was sent.
        now: when.
        thread: how the channel calls it; None: it does not say.
    """
    waiting = {k: v for k, v in standing.waiting.items() if k != action}
    is_over = decision.kind is MessageKind.RESOLVED or not run.is_bad
    told = Told(
        status=run.status,
        run_id=run.run_id,
        at=now,
        since=None if is_over else decision.since,
        thread=None if is_over else decision.thread or thread,
    )
    return replace(standing, told={**standing.told, action: told}, waiting=waiting)
