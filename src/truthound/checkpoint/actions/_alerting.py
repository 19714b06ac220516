"""Notifications with a policy: told once for each incident, together, in time."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from truthound.checkpoint import _incident
from truthound.checkpoint._alert_policy import AlertPolicy
from truthound.checkpoint._book import GROUP, STANDING, MemoryBook
from truthound.checkpoint._incident import AGAIN, LOST, Decision, Seen, Standing
from truthound.checkpoint._tries import HELD
from truthound.checkpoint.messages.message import Message, MessageKind, grouped
from truthound.checkpoint.model import ActionResult, CheckpointResult
from truthound.errors import ConfigurationError, StoreError
from truthound.secrets import Secret

if TYPE_CHECKING:
    from truthound.checkpoint.actions._notifying import Notification


logger: logging.Logger = logging.getLogger("truthound.checkpoint")


@dataclass(frozen=True, slots=True)
class _Ready:
    """A message that is to be sent: about which run, and by which decision."""

    result: CheckpointResult
    run: Seen
    decision: Decision
    message: Message


def tags_of(result: CheckpointResult) -> Mapping[str, str]:
    """Return the tags of the checkpoint whose run it was."""
    tags = result.metadata.get("tags")
    return tags if isinstance(tags, Mapping) else {}


class Alerting:
    """Decides about one message of a notification, sends it, and keeps that.

    Args:
        action: the notification.
        policy: its policy.
        book: where it is kept what was told.
    """

    def __init__(
        self, action: Notification[Any], policy: AlertPolicy, book: MemoryBook
    ) -> None:
        if policy.puts_off and not book.puts_off:
            raise ConfigurationError(
                "alerts: quiet_hours, group_by and after_seconds put off what is told, "
                "and need a store: store= for the runner or checkpoint, or "
                "TRUTHOUND_STORE"
            )
        self._action = action
        self._policy = policy
        self._book = book

    async def tell(self, result: CheckpointResult) -> ActionResult:
        """Send a message about a run, put it off, or leave it out.

        Raises:
            ActionError: it could not be sent.
            StoreError: it cannot be kept what was told.
        """
        group = self._group_of(result)
        ready = await self._ready(result, claims=group is None)
        if isinstance(ready, ActionResult):
            if group is not None and HELD not in ready.details:
                await self._leave(group, result.run_id)
            return ready
        if group is None:
            return await self._told_at_once([ready])
        if self._book.is_hurried:
            found = await self._told_at_once([ready])
            await self._leave(group, result.run_id)
            return found
        return await self._told_together(ready, group)

    async def _told_at_once(self, told: list[_Ready]) -> ActionResult:
        """Send one message about some runs, and keep whether it has arrived."""
        # Of several runs of a checkpoint the newest says it all.
        newest = {one.message.checkpoint: one for one in sorted(told, key=_age)}
        messages = [one.message for one in newest.values()]
        message = grouped(messages) if messages[1:] else messages[0]
        leader = next(o for o in told if o.message.run_id == message.run_id)
        try:
            found = await self._action._notify(message, leader.result)
        except BaseException:
            await self._give_up(told)
            raise
        if found.success:
            await self._note_sent(told, found)
        else:
            await self._give_up(told)
        return found

    async def _give_up(self, told: list[_Ready]) -> None:
        """Let others tell what did not arrive: this one again, or a newer run."""
        for one in told:

            def change(plain: Any, one: _Ready = one) -> tuple[Any, None]:
                left = Decision(why="it did not arrive")
                standing = Standing.of(plain)
                name = self._action.name
                return _incident.after(standing, name, one.run, left).plain(), None

            await self._kept(one, change)

    async def _kept(self, one: _Ready, change: Any) -> str | None:
        """Change what is kept of a checkpoint; return why that cannot be."""
        try:
            await self._book.change(f"{STANDING}{one.result.checkpoint_name}", change)
        except StoreError as error:
            logger.error("%s: %s", one.run.run_id, error)
            return str(error)
        return None

    async def _leave(self, group: str, run_id: str) -> None:
        await self._book.change(group, lambda plain: (_left(plain, run_id), None))

    def _group_of(self, result: CheckpointResult) -> str | None:
        """Name what a run is told together with in the book; None: it is told alone."""
        group = self._policy.group_of(tags_of(result))
        if group is None:
            return None
        return f"{GROUP}{self._action.name}|{_alike(self._action)}|{group}"

    async def _ready(
        self, result: CheckpointResult, *, claims: bool
    ) -> _Ready | ActionResult:
        """Decide about a run; return what is not sent as the result of the action.

        Args:
            result: of the run.
            claims: it is sent now, so nobody else is to send it.
        """
        action, now = self._action, self._action.clock.now()
        message = action._message(result)
        run = Seen(
            run_id=result.run_id,
            at=result.run_time,
            status=str(result.status),
            severity=message.worst,
            is_wanted=action.is_wanted(result.status),
        )
        mute = await self._book.mute(result.checkpoint_name, tags_of(result), now)

        def change(plain: Any) -> tuple[Any, Decision]:
            standing = _incident.observed(Standing.of(plain), run)
            decision = _incident.decide(
                self._policy,
                standing,
                action.name,
                run,
                now,
                mute=mute,
                puts_off=self._book.puts_off and not self._book.is_hurried,
                resolves_unknown=action.resolves_unknown,
            )
            if decision.kind is None:
                standing = _incident.after(standing, action.name, run, decision)
            elif claims:
                standing = _incident.claimed(standing, action.name, run, now)
            return standing.plain(), decision

        name = f"{STANDING}{result.checkpoint_name}"
        decision: Decision = await self._book.change(name, change)
        if decision.kind is None and self._book.is_hurried:
            decision = replace(decision, kind=MessageKind.RUN, until=None)
        if decision.kind is None:
            return self._left_out(decision.why, decision.until)
        message = replace(
            message,
            kind=decision.kind,
            since=decision.since,
            runs=decision.runs,
            held=decision.held,
            thread=decision.thread,
        )
        return _Ready(result, run, decision, message)

    def _left_out(self, why: str, until: datetime | None = None) -> ActionResult:
        told = {} if until is None else {HELD: until.isoformat()}
        return self._action.result("skipped", why, **told)

    async def _note_sent(self, told: list[_Ready], found: ActionResult) -> None:
        """Keep what was told."""
        action, now = self._action, self._action.clock.now()
        thread = found.details.get("thread")
        for one in told:

            def change(plain: Any, one: _Ready = one) -> tuple[Any, None]:
                standing = _incident.sent(
                    Standing.of(plain),
                    action.name,
                    one.run,
                    one.decision,
                    now,
                    thread if isinstance(thread, str) else None,
                )
                return standing.plain(), None

            # It has arrived: sent again it would be told twice for certain.
            if (error := await self._kept(one, change)) is not None:
                found.details["not_kept"] = error

    # ------------------------------------------------------------------ told together

    async def _told_together(self, ready: _Ready, group: str) -> ActionResult:
        """Tell a run together with the others of its group, when that is complete.

        The group is kept in the book: until when it waits, and what became of each of
        its runs. Whoever comes first after that tells all; the others learn of it.
        """
        now, run_id = self._action.clock.now(), ready.run.run_id
        wait = timedelta(seconds=self._policy.group_seconds)

        def join(plain: Any) -> tuple[Any, tuple[str, Any]]:
            return _joined(plain, run_id, now, wait)

        word, more = await self._book.change(group, join)
        if word == "told":
            return self._action.result("success", f"told with {more}")
        if word == "wait":
            why = "told together with others"
            await self._put_off(ready, Decision(why=why, until=more))
            return self._left_out(why, more)
        own = await self._ready(ready.result, claims=True)
        told = {run_id: own, **{run: await self._other(run) for run in more}}
        sent = [one for one in told.values() if isinstance(one, _Ready)]
        for run, one in told.items():
            if isinstance(one, ActionResult) and HELD not in one.details:
                await self._leave(group, run)
        members: list[str] = []
        try:
            if sent:
                found = await self._told_at_once(sent)
                members = [one.run.run_id for one in sent] if found.success else []
        finally:
            await self._book.change(group, lambda p: (_ended(p, run_id, members), None))
        return own if isinstance(own, ActionResult) else found

    async def _put_off(self, ready: _Ready, decision: Decision) -> None:
        def change(plain: Any) -> tuple[Any, None]:
            standing = Standing.of(plain)
            name = self._action.name
            return _incident.after(standing, name, ready.run, decision).plain(), None

        await self._kept(ready, change)

    async def _other(self, run_id: str) -> _Ready | ActionResult:
        """Decide about another run of the group."""
        try:
            result = await self._book.result(run_id)
        except (StoreError, ValueError, KeyError, TypeError, AttributeError) as error:
            logger.error("the result of %s cannot be read: %s", run_id, error)
            return self._left_out(f"its result cannot be read: {error}")
        return await self._ready(result, claims=True)


def _alike(action: Notification[Any]) -> str:
    """Return what tells notifications of one name with other options apart.

    Of secrets there is too little in it to guess them by.
    """
    plain = {k: _written(v) for k, v in sorted(vars(action.config).items())}
    said = repr((action.action_type, plain)).encode("utf-8", "replace")
    return blake2b(said, digest_size=8).hexdigest()


def _written(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.mark()
    if isinstance(value, Mapping):
        return {str(key): _written(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_written(item) for item in value]
    return value if isinstance(value, (str, int, float, type(None))) else repr(value)


def _age(ready: _Ready) -> datetime:
    return ready.run.at


def _joined(
    plain: Any, run_id: str, now: datetime, wait: timedelta
) -> tuple[Any, tuple[str, Any]]:
    """Add a run to a group, or learn what became of it there.

    Returns:
        The group, and: ``told`` and by which run; ``wait`` and until when; ``tell`` and
        which others with it.
    """
    group: dict[str, Any] = plain or {"until": None, "runs": {}, "by": None, "at": None}
    runs: dict[str, str | None] = dict(group["runs"])
    if runs.get(run_id):
        return plain, ("told", runs.pop(run_id))
    until = group["until"] and datetime.fromisoformat(group["until"])
    open_runs = [other for other, by in runs.items() if by is None]
    if until is None or not open_runs:
        until = now + wait
    runs.setdefault(run_id, None)
    group = {**group, "until": until.isoformat(), "runs": _last(runs)}
    if now < until:
        return group, ("wait", until)
    at = group["at"] and datetime.fromisoformat(group["at"])
    if group["by"] not in (None, run_id) and at is not None and now < at + LOST:
        return group, ("wait", now + AGAIN)
    group |= {"by": run_id, "at": now.isoformat()}
    return group, ("tell", [other for other in open_runs if other != run_id])


def _ended(plain: Any, run_id: str, told: list[str]) -> Any:
    """Return a group after one of its runs has told some, or none."""
    runs = {**plain["runs"], **dict.fromkeys(told, run_id)}
    return {**plain, "runs": runs, "by": None, "at": None}


def _left(plain: Any, run_id: str) -> Any:
    """Return a group without a run that is not told after all."""
    if plain is None or plain["runs"].get(run_id, "") is not None:
        return plain
    return {**plain, "runs": {k: v for k, v in plain["runs"].items() if k != run_id}}


def _last(runs: Mapping[str, str | None]) -> dict[str, str | None]:
    """Forget the oldest of those that were told: nobody asks for them any more."""
    told = [run for run, by in runs.items() if by is not None]
    old = set(told[: max(0, len(told) - 1_000)])
    return {run: by for run, by in runs.items() if run not in old}
