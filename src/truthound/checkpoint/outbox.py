"""The outbox: notifications that runs owe, delivered until they have arrived.

A run with a store owes each of its actions from the moment its result is stored. The
first try belongs to the run; what fails, or was cut off with its process, is tried
again from here, with the same idempotency key, until it is delivered, or dead.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from truthound._clock import SYSTEM_CLOCK, Clock
from truthound.async_core._tasks import undisturbed
from truthound.checkpoint._adapter import ended, executed, name_of
from truthound.checkpoint._book import kept_in
from truthound.checkpoint._clients import shared_client
from truthound.checkpoint._keeping import retained
from truthound.checkpoint._threads import SOURCES, in_thread
from truthound.checkpoint._tries import bare, one_try, settled
from truthound.checkpoint.model import ActionResult, ActionStatus, CheckpointResult
from truthound.errors import ActionError, StoreError
from truthound.store import Notice, NoticeState, Settled

if TYPE_CHECKING:
    from truthound.store import Store

__all__ = ["deliver_due"]

AT_ONCE = 16  # notifications that are sent side by side
SECONDS = 30.0  # for one try, if the action does not say

logger: logging.Logger = logging.getLogger("truthound.checkpoint")

Delivered = list[tuple[Notice, str | None]]


async def deliver_due(
    store: Store,
    checkpoints: Sequence[Any],
    *,
    only: Sequence[tuple[str, int]] | None = None,
    clock: Clock = SYSTEM_CLOCK,
    is_hurried: bool = False,
) -> Delivered:
    """Try each notification once that is owed by runs of some checkpoints, and is due.

    If cancelled, what is not sent is owed again.

    Args:
        store: that knows of them; it is opened for as long as it takes.
        checkpoints: whose actions send them.
        only: run ids and positions of the actions; None: all.
        clock: tells the time.
        is_hurried: nothing is put off or left out by the policies of notifications.

    Returns:
        What was tried, with what went wrong; None: it was delivered, put off, or
        left out by a policy.

    Raises:
        StoreError: the store cannot be read or written.
    """
    await retained(store)
    try:
        owner = await store.present()
        sender = Sender(store, owner, clock, is_hurried=is_hurried)
        known = {checkpoint.name: checkpoint for checkpoint in checkpoints}
        found: Delivered = []
        async with shared_client():
            while some := await sender.round(known, only):
                found += some
        return found
    finally:
        await undisturbed(in_thread(store.release, SOURCES))


class Sender:
    """Sends what is due, and writes down what became of it.

    Args:
        store: that knows of it.
        owner: in whose name.
        clock: tells the time.
        on_failure: told what could not be delivered.
        is_hurried: nothing is put off or left out by a policy.
    """

    def __init__(
        self,
        store: Store,
        owner: str,
        clock: Clock,
        on_failure: Callable[[Exception], Awaitable[None]] | None = None,
        is_hurried: bool = False,
    ) -> None:
        self._store = store
        self._owner = owner
        self._clock = clock
        self._on_failure = on_failure
        self._is_hurried = is_hurried

    async def round(
        self,
        known: Mapping[str, Any],
        only: Sequence[tuple[str, int]] | None = None,
    ) -> Delivered:
        """Take some notifications that are due, and try each once.

        Args:
            known: checkpoints by their names.
            only: run ids and positions; None: all.

        Raises:
            StoreError: the store cannot be read or written.
        """
        if not known:
            return []
        taken = await self._claimed(known, only)
        tasks: list[asyncio.Task[str | None]] = []
        try:
            async with asyncio.TaskGroup() as group:
                for notice in taken:
                    send = self._send(notice, known[notice.checkpoint])
                    tasks.append(group.create_task(send))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return [
            (notice, task.result()) for notice, task in zip(taken, tasks, strict=True)
        ]

    async def _claimed(
        self, known: Mapping[str, Any], only: Sequence[tuple[str, int]] | None
    ) -> list[Notice]:
        """Take what is due; if cancelled meanwhile, what was taken is owed again."""
        claiming = asyncio.ensure_future(
            self._store.claim(self._owner, known, limit=AT_ONCE, only=only)
        )
        try:
            return await undisturbed(claiming)
        except asyncio.CancelledError:
            if not claiming.cancelled() and claiming.exception() is None:
                for notice in claiming.result():
                    owed = Settled(position=notice.position, state=NoticeState.OWED)
                    await undisturbed(self._settle(notice, owed))
            raise

    async def _send(self, notice: Notice, checkpoint: Any) -> str | None:
        """Try one notification; return what went wrong."""
        outcome = Settled(position=notice.position, state=NoticeState.OWED)
        try:
            outcome = await self._tried(notice, checkpoint)
        finally:
            await undisturbed(self._settle(notice, outcome))
        if outcome.state == NoticeState.DELIVERED:
            return None
        if outcome.is_held or outcome.state == NoticeState.DROPPED:
            logger.info("%s: %s: %s", notice.run_id, notice.action, outcome.error)
            return None
        told = f"{notice.checkpoint}: action {notice.action}: {outcome.error}"
        if outcome.state == NoticeState.DEAD:
            told += " (given up; 'truthound outbox retry' sends it again)"
        logger.warning("%s", told)
        if self._on_failure is not None:
            await self._on_failure(ActionError(told))
        return outcome.error or str(outcome.state)

    async def _settle(self, notice: Notice, outcome: Settled) -> None:
        """Write the outcome down; what cannot be written does not stop the others."""
        try:
            await self._store.settle(notice.run_id, self._owner, outcome)
        except StoreError as error:
            logger.error("%s", error)
            if self._on_failure is not None:
                await self._on_failure(error)

    async def _tried(self, notice: Notice, checkpoint: Any) -> Settled:
        action = _action_of(checkpoint, notice)
        config = getattr(action, "config", None)
        error: ActionError | None = None
        if action is None:
            known = ", ".join(name_of(a) for a in checkpoint.actions) or "none"
            said = f"the checkpoint has no such action any more; it has {known}"
            error = ActionError(said, is_final=True)
            found = ActionResult(
                notice.action, notice.action_type, ActionStatus.ERROR, error=said
            )
        else:
            found, error = await self._executed(notice, action)
        now = self._clock.now()
        return settled(
            notice.position, found, error, notice.attempts, now, config=config
        )

    async def _executed(
        self, notice: Notice, action: Any
    ) -> tuple[ActionResult, ActionError | None]:
        try:
            document = await in_thread(
                lambda: self._store.document(notice.run_id), SOURCES
            )
            result = CheckpointResult.from_dict(document)
        except (StoreError, ValueError, KeyError, TypeError, AttributeError) as error:
            said = f"its result cannot be read: {error}"
            return ended(action, ActionStatus.ERROR, error=said), None
        hurried = kept_in(self._store, is_hurried=self._is_hurried)
        with one_try() as errors, hurried:
            found = await executed(action, result, SECONDS)
        return found, errors.get(id(bare(action)))


def _action_of(checkpoint: Any, notice: Notice) -> Any:
    """Return the action that a notification is for: there, else of the same name."""
    actions = list(getattr(checkpoint, "actions", ()))
    if notice.position < len(actions):
        there = actions[notice.position]
        if name_of(there) == notice.action:
            return there
    return next((a for a in actions if name_of(a) == notice.action), None)
