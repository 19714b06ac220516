"""Notifications with a policy: told once for each incident, together, in time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from truthound.checkpoint import _incident
from truthound.checkpoint._alert_policy import AlertPolicy
from truthound.checkpoint._book import GROUP, STANDING, MemoryBook
from truthound.checkpoint._incident import AGAIN, LOST, Decision, Seen, Standing
from truthound.checkpoint._tries import HELD
from truthound.checkpoint.messages.message import Message, MessageKind, grouped
from truthound.checkpoint.model import ActionResult, CheckpointResult
from truthound.errors import ActionError, ConfigurationError, StoreError

if TYPE_CHECKING:
    from truthound.checkpoint.actions._notifying import Notification


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
        ready = await self._ready(result)
        group = self._group_of(result)
        if isinstance(ready, ActionResult):
            if group is not None and HELD not in ready.details:
                await self._book.change(
                    group, lambda p: (_left(p, result.run_id), None)
                )
            return ready
        if group is None or self._book.is_hurried:
            return await self._told_alone(ready)
        return await self._told_together(ready, group)

    async def _told_alone(self, ready: _Ready) -> ActionResult:
        try:
            found = await self._action._notify(ready.message, ready.result)
        except BaseException:
            await self._give_up(ready)
            raise
        if found.success:
            await self._note_sent([ready], found)
        else:
            await self._give_up(ready)
        return found

    async def _give_up(self, ready: _Ready) -> None:
        """Let the next run tell what did not arrive, if this one is not tried again."""
        if self._book.puts_off:
            return

        def change(plain: Any) -> tuple[Any, None]:
            left = Decision(why="it did not arrive")
            standing = Standing.of(plain)
            return _incident.after(
                standing, self._action.name, ready.run, left
            ).plain(), None

        await self._book.change(f"{STANDING}{ready.result.checkpoint_name}", change)

    def _group_of(self, result: CheckpointResult) -> str | None:
        """Name what a run is told together with in the book; None: it is told alone."""
        group = self._policy.group_of(tags_of(result))
        return None if group is None else f"{GROUP}{self._action.name}|{group}"

    async def _ready(self, result: CheckpointResult) -> _Ready | ActionResult:
        """Decide about a run; return what is not sent as the result of the action."""
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
            else:
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

            name = f"{STANDING}{one.result.checkpoint_name}"
            try:
                await self._book.change(name, change)
            except StoreError as error:
                # It has arrived: sent again it would be told twice for certain.
                found.details["not_kept"] = str(error)

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
            return self._left_out("told together with others", more)
        told = [ready]
        for run in more:
            other = await self._other(run)
            if other is not None:
                told.append(other)
        # Of several runs of a checkpoint the newest says it all.
        newest = {one.message.checkpoint: one for one in sorted(told, key=_age)}
        messages = [one.message for one in newest.values()]
        message = grouped(messages) if messages[1:] else messages[0]
        try:
            found = await self._action._notify(message, ready.result)
        except BaseException:
            await self._book.change(group, lambda p: (_released(p, run_id), None))
            raise
        if found.success:
            await self._note_sent(told, found)
            members = [one.run.run_id for one in told]
            await self._book.change(group, lambda p: (_ended(p, run_id, members), None))
        else:
            await self._book.change(group, lambda p: (_released(p, run_id), None))
        return found

    async def _other(self, run_id: str) -> _Ready | None:
        """Return the message about another run of the group; None: it is not told."""
        try:
            ready = await self._ready(await self._book.result(run_id))
        except (StoreError, ValueError, KeyError, TypeError, AttributeError) as error:
            said = f"the result of {run_id} cannot be read: {error}"
            raise ActionError(said) from error
        return ready if isinstance(ready, _Ready) else None


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
    open_runs = [other for other, by in runs.items() if by is None]
    until = group["until"] and datetime.fromisoformat(group["until"])
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
    runs = {**plain["runs"], **dict.fromkeys(told, run_id)}
    return {**plain, "runs": runs, "by": None, "at": None}


def _left(plain: Any, run_id: str) -> Any:
    """Return a group without a run that is not told after all."""
    if plain is None or plain["runs"].get(run_id, "") is not None:
        return plain
    return {**plain, "runs": {k: v for k, v in plain["runs"].items() if k != run_id}}


def _released(plain: Any, run_id: str) -> Any:
    return {**plain, "by": None, "at": None} if plain["by"] == run_id else plain


def _last(runs: Mapping[str, str | None]) -> dict[str, str | None]:
    """Forget the oldest of those that were told: nobody asks for them any more."""
    told = [run for run, by in runs.items() if by is not None]
    old = set(told[: max(0, len(told) - 1_000)])
    return {run: by for run, by in runs.items() if run not in old}
