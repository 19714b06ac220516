"""One run in a store: what it has found, what it owes for that, and how it ended."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from truthound._clock import Clock
from truthound.async_core._tasks import undisturbed
from truthound.checkpoint._adapter import name_of, type_of
from truthound.checkpoint._book import kept_in
from truthound.checkpoint._threads import SOURCES, in_thread
from truthound.checkpoint._tries import bare, one_try, settled
from truthound.checkpoint.model import CheckpointResult, CheckpointStatus
from truthound.errors import ActionError, StoreError
from truthound.store import (
    Notice,
    NoticeState,
    Outcome,
    RunRecord,
    RunState,
    Settled,
)

logger: logging.Logger = logging.getLogger("truthound.checkpoint")

TAKEN = "the run was taken over by another process, which held this one for dead"


def outcome_of(result: CheckpointResult) -> Outcome:
    """Return what is to be kept of a result."""
    run = result.validation_run
    metrics = getattr(run, "metrics", None)
    rows = getattr(run, "row_count", None)
    return Outcome(
        status=str(result.status),
        source=result.data_asset,
        summary=result.summary(),
        error=result.error,
        duration_ms=result.duration_ms,
        row_count=rows if isinstance(rows, int) else None,
        metrics=metrics if isinstance(metrics, Mapping) else {},
        document=result.to_dict,
    )


class Keeper:
    """Writes one run down in a store, beside whoever writes that it ends.

    Args:
        store: where.
        owner: in whose name.
        run_id: which run.
        attempt: how often it was begun.
        clock: tells the time.
        report: told what cannot be written; the run goes on.

    Attributes:
        errors: what the actions raised in their first try, by action.
        result: once it was found.
        owes: whether a notification was not delivered in the run.
    """

    def __init__(
        self,
        store: Any,
        owner: str,
        run_id: str,
        attempt: int,
        clock: Clock,
        report: Callable[[Exception], Awaitable[None]],
    ) -> None:
        self.store = store
        self.errors: dict[int, ActionError] = {}
        self._owner = owner
        self._run_id = run_id
        self._attempt = attempt
        self.clock = clock
        self._report = report
        self._owed: dict[int, Any] = {}  # actions, by position
        self._is_found = False
        self.result: CheckpointResult | None = None
        self.owes = False

    async def found(self, result: CheckpointResult, actions: Sequence[Any]) -> bool:
        """Store a result with what the run owes for it, before the actions begin.

        Returns:
            False: the run belongs to somebody else by now; nothing is to be done.
        """
        now = self.clock.now()
        self._owed = {
            position: bare(action)
            for position, action in enumerate(actions)
            if _owes(bare(action), result)
        }
        owed = [
            Notice(
                run_id=self._run_id,
                position=position,
                checkpoint=result.checkpoint_name,
                action=name_of(action),
                action_type=type_of(action),
                state=NoticeState.SENDING,
                attempts=1,
                due_at=now,
                created_at=now,
                owner=self._owner,
            )
            for position, action in self._owed.items()
        ]
        self._is_found, self.result = True, result
        try:
            is_ours: bool = await self.store.found(
                self._run_id, self._attempt, self._owner, outcome_of(result), owed
            )
        except StoreError as error:
            await self._report(error)
            return True
        if not is_ours:
            result.status, result.error = CheckpointStatus.ERROR, TAKEN
        return is_ours

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Let actions in the block make one attempt each, and hear what they raise."""
        with one_try() as self.errors, kept_in(self.store):
            yield

    def ending(
        self, result: CheckpointResult, *, is_cut: bool
    ) -> tuple[Outcome, list[Settled]]:
        """Return what is written with the end of the run.

        Args:
            result: of the run.
            is_cut: whether it was cut off.
        """
        outcome = outcome_of(result)
        if not self._is_found:
            return outcome, []
        now, results = self.clock.now(), result.action_results
        settlements = [
            settled(
                position,
                results[position],
                self.errors.get(id(action)),
                1,
                now,
                config=getattr(action, "config", None),
                is_cut=is_cut,
            )
            for position, action in self._owed.items()
            if position < len(results)
        ]
        for settlement in settlements:
            if settlement.state == NoticeState.OWED:
                self.owes = True
                results[settlement.position].details["owed"] = True
        ended = list(results)
        stored = dataclasses.replace(
            outcome,
            document=None,
            actions=lambda: [
                r.to_dict() if hasattr(r, "to_dict") else r for r in ended
            ],
        )
        return stored, settlements


def accepted(
    name: str, run_id: str, at: datetime, context: Mapping[str, Any] | None
) -> RunRecord:
    """Return the record of a run that begins at once; its owner is not known yet."""
    return RunRecord(
        run_id=run_id,
        checkpoint=name,
        state=RunState.ACCEPTED,
        owner="",
        accepted_at=at,
        context=context or {},
    )


async def kept(
    place: Any,
    record: RunRecord,
    clock: Clock,
    work: Callable[[Keeper | None], Awaitable[CheckpointResult]],
) -> CheckpointResult:
    """Do a run that belongs to no runner or pool, and write it down.

    What cannot be written is logged, and the run goes on.

    Args:
        place: where: a store, a path, an address, or None for the environment's.
        record: of the run, without its owner.
        clock: tells the time.
        work: does it.
    """
    from truthound.store import store_of

    store: Any = store_of(place)
    try:
        await retained(store)
    except StoreError as error:
        logger.error("%s", error)
        return await work(None)
    try:
        owner = await _owner(store)
        keeper = Keeper(store, owner, record.run_id, 1, clock, _logged)
        await _accepted(store, record, owner)
        store.begin(record.run_id, 1, owner, clock.now())
        state = RunState.CANCELLED
        result: CheckpointResult | None = None
        try:
            result = await work(keeper)
            is_error = result.status == CheckpointStatus.ERROR
            state = RunState.FAILED if is_error else RunState.FINISHED
            return result
        finally:
            await undisturbed(_ended(store, owner, record, keeper, state, result))
    finally:
        await undisturbed(in_thread(store.release, SOURCES))


async def retained(store: Any) -> None:
    """Open a store; whoever is cancelled meanwhile has not.

    Raises:
        StoreError: it is damaged, or cannot be reached.
    """
    opening = asyncio.ensure_future(in_thread(store.retain, SOURCES))
    try:
        await undisturbed(opening)
    except asyncio.CancelledError:
        if not opening.cancelled() and opening.exception() is None:
            await undisturbed(in_thread(store.release, SOURCES))
        raise


async def _owner(store: Any) -> str:
    try:
        found: str = await store.present()
    except StoreError as error:  # it is shown with the next beat
        await _logged(error)
        found = store.own
    return found


async def _accepted(store: Any, record: RunRecord, owner: str) -> None:
    try:
        await store.accept([dataclasses.replace(record, owner=owner)])
    except StoreError as error:
        await _logged(error)


async def _ended(
    store: Any,
    owner: str,
    record: RunRecord,
    keeper: Keeper,
    state: RunState,
    result: CheckpointResult | None,
) -> None:
    outcome = Outcome(status="error", error="cancelled")
    settlements: list[Settled] = []
    if result is not None:
        outcome, settlements = keeper.ending(result, is_cut=False)
    elif keeper.result is not None:  # what was not sent is still owed
        found, settlements = keeper.ending(keeper.result, is_cut=True)
        outcome = dataclasses.replace(found, status="error", error="cancelled")
    now = keeper.clock.now()
    try:
        await store.end(record.run_id, 1, owner, state, now, outcome, settlements)
    except StoreError as error:
        await _logged(error)


async def _logged(error: Exception) -> None:
    logger.error("%s", error)


def _owes(action: Any, result: CheckpointResult) -> bool:
    if not getattr(action, "is_owed", True):
        return False
    asks = getattr(action, "should_run", None)
    try:
        return bool(asks(result.status)) if callable(asks) else True
    except Exception:  # noqa: BLE001 - code of the user's; it raises again in its run
        return True
