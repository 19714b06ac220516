"""Runs in slots: accepted, begun, ended, delivered. Nothing is lost on the way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import Context
from typing import Any

from truthound._clock import Clock
from truthound.async_core._slots import TaskPriority
from truthound.async_core._tasks import undisturbed, wake
from truthound.checkpoint._callbacks import Callback
from truthound.checkpoint._clients import shared_client
from truthound.checkpoint._running.acceptance import Acceptance
from truthound.checkpoint._running.active import (
    HOLDER,
    INSIDE,
    ActiveRun,
    Once,
    SlotAgain,
    check_checkpoint,
    check_context,
)
from truthound.checkpoint._running.cutting import PATIENCE, cut_off, is_left
from truthound.checkpoint._running.delivery import Delivery
from truthound.checkpoint._running.execution import Execution
from truthound.checkpoint._running.ledger import Ledger, check_policy
from truthound.checkpoint._running.lending import Lending
from truthound.checkpoint._running.line import Line
from truthound.checkpoint.model import CheckpointResult, priority_of
from truthound.errors import ConfigurationError, NotRunningError
from truthound.store import Journal, MemoryJournal, RunState
from truthound.store._processes import new_owner

logger: logging.Logger = logging.getLogger("truthound.checkpoint")

UNBEGUN = "interrupted: stopped before it began"

HandOver = Callable[[ActiveRun, CheckpointResult], Awaitable[None]]


class Runs:
    """Runs in a number of slots, the most urgent first.

    Args:
        most: slots.
        clock: tells the time.
        journal: where the states of runs are written.
        on_result: called with each result, once.
        on_error: called with what went wrong and has no result of its own.
        hand_over: takes each result after that, and may make the run wait.
        on_counted: called with each result before it is told.
        store: where runs, results and what they owe are kept; None: nowhere.
        recovery: what becomes of runs in it whose process has ended: ``interrupted``,
            or ``rerun``.
        registered: returns the checkpoints that are there to stay, by name.
    """

    def __init__(
        self,
        most: int,
        *,
        clock: Clock,
        journal: Journal | None = None,
        on_result: Callback | None = None,
        on_error: Callback | None = None,
        hand_over: HandOver | None = None,
        on_counted: Callable[[ActiveRun, CheckpointResult], None] | None = None,
        store: Any = None,
        recovery: str = "interrupted",
        registered: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        check_policy(recovery)
        if store is not None and journal is not None:
            raise ConfigurationError("give either a store or a journal, not both")
        self.clock = clock
        self.journal: Journal = journal or store or MemoryJournal()
        self.line = Line(most)
        self.active: dict[str, ActiveRun] = {}
        self.is_open = False
        self._owner = new_owner()
        self.delivery = Delivery(
            self.journal, self._owner, clock, on_result, on_error, on_counted, hand_over
        )
        self._execution = Execution(self.journal, self._owner, clock, self.delivery)
        self._lending = Lending(self.line, self._deal_soon)
        self._is_dealing = False  # soon
        self._is_empty: asyncio.Future[None] | None = None
        self._client: Any = None  # held, so that connections stay open between runs
        self._others: set[asyncio.Task[Any]] = set()  # reports, triggers that start
        self.ledger: Ledger | None = None
        if store is not None:
            self.ledger = Ledger(store, self._owner, recovery, registered, self)
        self._acceptance = Acceptance(self.journal, self._owner, self.ledger)

    async def open(self) -> None:
        """Accept runs, from now on or again.

        Raises:
            StoreError: the store is damaged, or cannot be reached.
        """
        if not self.is_open:
            self.is_open = True
            if self.ledger is not None:
                self.ledger.expect()
            self._client = shared_client()
            await self._client.__aenter__()
            if self.ledger is not None:
                try:
                    await self.ledger.open()
                except BaseException:
                    self.is_open = False
                    await undisturbed(self._closed())
                    raise

    def accept(
        self,
        checkpoints: Sequence[Any],
        context: Mapping[str, Any] | None,
        *,
        trigger: str | None = None,
        priority: TaskPriority | None = None,
        has_caller: bool = False,
        is_owed: bool = False,
        slot: tuple[str, bool] | None = None,
    ) -> list[ActiveRun]:
        """Begin runs as soon as there are slots for them.

        Args:
            checkpoints: one run for each.
            context: for the metadata of their results.
            trigger: what starts them; None: a call.
            priority: None: that of each checkpoint.
            has_caller: somebody waits for the result itself.
            is_owed: accept them even while it stops; they then end as interrupted.
            slot: names the due time, and whether its end is that of the process; of
                several processes with one store the first gets it.

        Raises:
            NotRunningError: nothing is accepted.
            TypeError: something is no checkpoint, or ``context`` no mapping.
            ConfigurationError: no such priority, or limits that contradict each other.
        """
        if not self.is_open and not is_owed:
            raise NotRunningError("no run is accepted: it is not started, or stopped")
        check_context(context)
        level = None if priority is None else priority_of(priority)
        for checkpoint in checkpoints:
            check_checkpoint(checkpoint)
        now, loop = self.clock.now(), asyncio.get_running_loop()
        made = [
            ActiveRun.of(checkpoint, context, level, now, loop.create_future())
            for checkpoint in checkpoints
        ]
        self.line.check(made)
        self.delivery.counts.accepted += len(made)
        for run in made:
            run.trigger, run.has_caller, run.slot = trigger, has_caller, slot
        written = self._acceptance.of(made)
        for run in made:
            self.admit(run, written)
        if not self.is_open:
            for run in made:
                self.cut(run, UNBEGUN, RunState.INTERRUPTED)
        return made

    def admit(self, run: ActiveRun, written: Once | None) -> None:
        """Let a run wait for its turn.

        Args:
            run: that is not yet known here.
            written: writes it down as accepted; None if it is.
        """
        run.owner, run.written = self, written
        if self.ledger is not None:
            run.ticket.ledger = self.ledger
            self.ledger.see(run.checkpoint)
        self.active[run.run_id] = run
        self.line.add(run)
        self._deal_soon()

    def _deal_soon(self) -> None:
        if self.line.free > 0 and not self._is_dealing:
            # In the loop's next turn: by then all are there that ask in this one, and
            # the most urgent of them is first.
            self._is_dealing = True
            asyncio.get_running_loop().call_soon(self._deal)

    def _deal(self) -> None:
        """Begin the runs whose turn it is."""
        self._is_dealing = False
        while (run := self.line.next()) is not None:
            if isinstance(run, SlotAgain):
                run.state = "done"
                wake(run.came)
                continue
            run.has_turn = run.has_slot = True
            self._begin(run)

    def _begin(self, run: ActiveRun) -> None:
        # Not cancelled until then: its acceptance is written down in any case.
        run.state = "starting"
        loop = asyncio.get_running_loop()
        run.task = loop.create_task(self._live(run), context=run.variables)

    async def results_of(self, runs: Sequence[ActiveRun]) -> list[CheckpointResult]:
        """Wait for runs; a cancellation cancels them, and goes on when they ended."""
        holder = HOLDER.get()
        lends = holder is not None and holder.owner is self and holder.state != "done"
        if holder is not None and lends:
            self._lending.lend(holder)
        try:
            return [await run.done for run in runs]
        except asyncio.CancelledError:
            left = [run for run in runs if run.state in ("waiting", "running")]
            loop = asyncio.get_running_loop()
            for run in runs:
                run.over = loop.create_future()
                self.cut(run, "cancelled by its caller", RunState.CANCELLED)
            waits = [run.over for run in left if run.over is not None]
            if waits:
                await undisturbed(asyncio.wait(waits))
            raise
        finally:
            if holder is not None and lends:
                await self._lending.take_back(holder)

    def cut(self, run: ActiveRun, why: str, state: RunState) -> bool:
        """Cut a run off; its result says why. False: it has ended already."""
        if run.state in ("delivering", "done"):
            return False
        if run.verdict is None:
            run.verdict = (why, state)
            if run.state == "running" and run.task is not None:
                run.task.cancel()
            elif run.state == "waiting":  # a task of its own delivers its result
                self.line.give_up(run)
                self._begin(run)
        return True

    async def stop(
        self, grace: float | None, closing: Callable[[], None] | None = None
    ) -> None:
        """Begin no more runs, wait for those that run, and cut off the rest.

        If cancelled, they are cut off at once, and the cancellation goes on after that.

        Args:
            grace: seconds to wait; None: as long as it takes.
            closing: called when the waiting begins.
        """
        self.is_open = False
        for run in list(self.active.values()):
            if run.state == "waiting" and not is_left(self, run):
                self.cut(run, UNBEGUN, RunState.INTERRUPTED)
        if closing is not None:
            closing()
        begun = asyncio.get_running_loop().time()
        try:
            await self.idle(grace)
        finally:
            if self.left():
                waited = asyncio.get_running_loop().time() - begun
                why = f"interrupted: cut off after {round(waited, 1):g} s"
                await undisturbed(cut_off(self, why))
            if self._others - {asyncio.current_task()}:
                await undisturbed(self._settled())
            await undisturbed(self._closed())

    async def _closed(self) -> None:
        """Leave the store, and let the connections go."""
        client, self._client = self._client, None
        if self.ledger is not None:
            await self.ledger.close()
        if client is not None:
            await client.__aexit__(None, None, None)

    async def idle(self, seconds: float | None) -> bool:
        """Wait until there are no runs but the caller's own; False: not in time."""
        loop = asyncio.get_running_loop()
        timer = None
        if seconds is not None:
            timer = loop.call_later(max(0, seconds), lambda: wake(self._is_empty))
            end = loop.time() + seconds
        try:
            while self.left():
                if seconds is not None and loop.time() >= end:
                    return False
                if self._is_empty is None or self._is_empty.done():
                    self._is_empty = loop.create_future()
                await asyncio.shield(self._is_empty)
            return True
        finally:
            if timer is not None:
                timer.cancel()

    def described(self) -> list[dict[str, Any]]:
        """Return what waits and what runs."""
        return [run.described() for run in self.active.values()]

    def stats(self) -> dict[str, Any]:
        """Return how many runs there are and were."""
        counts, active = self.delivery.counts, self.active.values()
        return {
            "pending_tasks": len(active),
            "running_runs": sum(run.state == "running" for run in active),
            "waiting_runs": sum(run.state == "waiting" for run in active),
            "accepted_runs": counts.accepted,
            "delivered_results": counts.delivered,
            "by_status": dict(counts.by_status),
        }

    def report_soon(self, error: Exception) -> None:
        """Report an error from where nothing can be awaited."""
        self.spawn(self.delivery.report(error))

    def spawn(self, work: Any) -> asyncio.Task[Any]:
        """Run something beside the runs; :meth:`stop` waits for it."""
        context = Context()
        context.run(INSIDE.set, self)
        loop = asyncio.get_running_loop()
        task: asyncio.Task[Any] = loop.create_task(work, context=context)
        self._others.add(task)
        task.add_done_callback(self._others.discard)
        return task

    async def _live(self, run: ActiveRun) -> None:
        """Take a run from its slot to its delivery, in a task of its own."""
        HOLDER.set(run)
        INSIDE.set(self)
        try:
            result = await self._execution.of(run)
            run.state = "delivering"
            wake(run.over)
            if run.is_refused:
                self.delivery.counts.accepted -= 1  # it is another process's
            elif not run.is_abandoned:
                if self.ledger is not None:
                    self._lending.give_way(run)
                await self.delivery.deliver(run, result)
                self._look_at_owed(run)
        finally:
            self.forget(run)

    def _look_at_owed(self, run: ActiveRun) -> None:
        keeper = run.ticket.keeper
        if self.ledger is not None and keeper is not None and keeper.owes:
            self.ledger.nudge()

    def forget(self, run: ActiveRun) -> None:
        if run.state == "done":
            return
        run.state = "done"
        self.active.pop(run.run_id, None)
        if run.has_slot:
            run.has_slot = False
            self.line.free += 1
        self._lending.late -= run.is_late
        if run.has_turn:
            self.line.release(run)
        self._deal()
        wake(run.over)
        if not run.done.done():
            run.done.cancel()  # the loop ends, and with it everything
        if run.on_gone is not None:
            run.on_gone()
        wake(self._is_empty)

    def left(self) -> list[ActiveRun]:
        """Return the runs that are under way, but for the one that asks this."""
        own = HOLDER.get()
        return [run for run in self.active.values() if run is not own]

    async def written(self, run_id: str) -> None:
        """Wait until a run that was accepted in this turn is written down as such.

        Raises:
            StoreError: it cannot be, for now; the run goes on.
        """
        await self._acceptance.written(self.active[run_id])

    async def _settled(self) -> None:
        left = self._others - {asyncio.current_task()}
        _, pending = await asyncio.wait(left, timeout=PATIENCE) if left else ((), ())
        for task in pending:
            task.cancel()
