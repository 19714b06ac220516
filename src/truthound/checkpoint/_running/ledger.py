"""The store of some runs, while they last: opened, served, and left in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any

from truthound.async_core._slots import TaskPriority
from truthound.async_core._tasks import stop, undisturbed
from truthound.checkpoint._keeping import Keeper, retained
from truthound.checkpoint._run import Ticket, new_run_id
from truthound.checkpoint._running.active import TEMPLATE, ActiveRun, Once
from truthound.checkpoint._running.line import limits_of
from truthound.checkpoint._threads import SOURCES, in_thread
from truthound.checkpoint.model import CheckpointResult, CheckpointStatus
from truthound.checkpoint.outbox import Sender
from truthound.errors import ConfigurationError, StoreError, did_you_mean
from truthound.store import Outcome, Recovered, RunRecord, RunState, has_store

if TYPE_CHECKING:
    from truthound.checkpoint._running.runs import Runs
    from truthound.store import Store

logger: logging.Logger = logging.getLogger("truthound.checkpoint")

SEEN = 10_000  # checkpoints that are remembered for what they still owe
ATTEMPTS = 3  # how often a run may begin whose process ended while it ran
POLICIES = ("interrupted", "rerun")
Known = Callable[[], Mapping[str, Any]]


class Ledger:
    """Opens a store for some runs, delivers what is owed, takes over what was left.

    Args:
        store: which.
        owner: in whose name.
        policy: what becomes of runs whose process has ended: ``interrupted``, or
            ``rerun`` for those of the checkpoints that are known.
        registered: returns the checkpoints that are there to stay, by name.
        runs: get what is taken over, and hear what goes wrong.
    """

    def __init__(
        self, store: Store, owner: str, policy: str, registered: Known, runs: Runs
    ) -> None:
        self.store = store
        self._owner = owner
        self._policy = policy
        self._registered = registered
        self._runs = runs
        self._clock = runs.clock
        self._report = runs.delivery.report
        self._seen: dict[str, Any] = {}  # checkpoints that were run, the last ones
        self._others: dict[str, Any] = {}  # that are not run, and what they owe is sent
        self._sender = Sender(store, owner, self._clock, self._report)
        self._task: asyncio.Task[None] | None = None
        self._nudge = asyncio.Event()
        self._is_present = asyncio.Event()
        self._is_present.set()
        self._said = ""  # the last thing that went wrong with the store

    def keeper(self, run_id: str) -> Keeper:
        """Return what writes down what a run finds and owes."""
        attempt, owner = self._runs.active[run_id].attempt, self._owner
        return Keeper(self.store, owner, run_id, attempt, self._clock, self._report)

    async def cursor(self, name: str) -> Any:
        """Return how far a trigger has come; None: unknown, or not to be had."""
        try:
            return await in_thread(lambda: self.store.cursor(name), SOURCES)
        except StoreError as error:
            await self._tell(error)
            return None

    async def set_cursor(self, name: str, value: Any) -> None:
        """Write down how far a trigger has come; that it cannot be is reported."""
        try:
            await self.store.set_cursor(name, value)
        except StoreError as error:
            await self._tell(error)

    async def missed(
        self, name: str, trigger: str, why: str, slot: tuple[str, bool] | None
    ) -> None:
        """Write down that a due time had no run, unless another process had one.

        Args:
            name: of the checkpoint.
            trigger: its name.
            why: there was none.
            slot: names the time.
        """
        now = self._clock.now()
        error = f"missed: {why}"
        record = RunRecord(
            run_id=new_run_id(name, TEMPLATE, now),
            checkpoint=name,
            state=RunState.ACCEPTED,
            owner=self._owner,
            accepted_at=now,
            trigger=trigger,
            slot=slot and slot[0],
            slot_ends=slot is not None and slot[1],
        )
        outcome = Outcome(status="error", error=error, summary=f"{name}: {error}")
        try:
            if record.run_id in await self.store.accept([record]):
                return
            await self.store.end(
                record.run_id, 1, self._owner, RunState.MISSED, now, outcome
            )
        except StoreError as failure:
            await self._tell(failure)

    async def run_of(self, slot: str) -> str | None:
        """Return the id of the run that has a slot; None: there is none, or unknown."""
        try:
            found: str | None = await in_thread(
                lambda: self.store.run_with_slot(slot), SOURCES
            )
            return found
        except StoreError as error:
            await self._tell(error)
            return None

    def see(self, checkpoint: Any) -> None:
        """Remember a checkpoint: what its runs owe can be sent."""
        self._seen.pop(checkpoint.name, None)
        self._seen[checkpoint.name] = checkpoint
        if len(self._seen) > SEEN:
            del self._seen[next(iter(self._seen))]

    def deliver_for(self, checkpoints: Iterable[Any]) -> None:
        """Send what runs of checkpoints owe, too, that are not run here."""
        self._others.update((checkpoint.name, checkpoint) for checkpoint in checkpoints)

    def _owing(self) -> Mapping[str, Any]:
        """Return the checkpoints whose notifications are sent."""
        return {**self._others, **self._known()}

    def _known(self) -> Mapping[str, Any]:
        """Return the checkpoints whose runs can be taken over."""
        return {**self._seen, **self._registered()}

    async def open(self) -> None:
        """Open the store and take over what was left.

        Raises:
            StoreError: it is damaged, or cannot be reached.
        """
        try:
            await retained(self.store)
            try:
                await self.store.register(self._owner)
                await self._recover(is_start=True)
            except BaseException:
                await undisturbed(self._leave())
                raise
        finally:
            self._is_present.set()  # whoever waits is not helped by waiting on
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._serve(), context=Context())

    def runs_again(self, name: str) -> bool:
        """Tell whether the next start runs what is accepted of a checkpoint."""
        return self._policy == "rerun" and name in self._registered()

    def expect(self) -> None:
        """Let who asks for it wait until :meth:`open` has come that far."""
        self._is_present.clear()

    @property
    def is_present(self) -> bool:
        """Whether others know that this owner lives."""
        return self._is_present.is_set()

    async def present(self) -> None:
        """Wait until others know that this owner lives: else they take its runs."""
        await self._is_present.wait()

    async def begun(self, run_id: str) -> None:
        """Write down that a run begins, and wait for that.

        Raises:
            StoreError: it cannot be written.
        """
        now, attempt = self._clock.now(), self._runs.active[run_id].attempt
        await self.store.begun(run_id, attempt, self._owner, now)

    async def close(self) -> None:
        """Stop delivering, and leave the store."""
        task, self._task = self._task, None
        if task is not None:
            await stop([task])
            await self._leave()

    def nudge(self) -> None:
        """Look again at what is due: something has come to be owed."""
        self._nudge.set()

    async def _leave(self) -> None:
        try:
            await self.store.forget(self._owner)
        except StoreError as error:
            logger.error("%s", error)
        await in_thread(self.store.release, SOURCES)

    async def _recover(self, *, is_start: bool = False) -> None:
        known = self._known()
        is_shared = self.store.url.get_backend_name() == "postgresql"
        found = await self.store.recover(
            self._owner,
            # Others who share the server may have other checkpoints, and other ideas.
            known=list(known) if is_shared else None,
            again=list(known) if self._policy == "rerun" else (),
            attempts=ATTEMPTS,
            is_start=is_start,
        )
        self._take_over(found, known)

    def _take_over(self, found: Recovered, known: Mapping[str, Any]) -> None:
        """Run again what is to be, and deliver what has come to its end."""
        counts, loop = self._runs.delivery.counts, asyncio.get_running_loop()
        counts.accepted += len(found.again) + len(found.ended)
        for record in found.again:
            logger.warning("%s is run again: its process has ended", record.run_id)
            run = _run_of(record, known[record.checkpoint], loop)
            self._runs.admit(run, Once(partial(self._begun_again, run), True))
        for record in found.ended:
            logger.warning("%s: %s", record.run_id, record.summary)
            self._runs.spawn(self._tell_of(record, loop))

    async def _begun_again(self, run: ActiveRun) -> None:
        """Write down that a run begins, before it does: it may end this process, too.

        What is not written down is not counted, and would come back for ever.
        """
        if run.verdict is None:
            await self.begun(run.run_id)

    async def _tell_of(
        self, record: RunRecord, loop: asyncio.AbstractEventLoop
    ) -> None:
        """Deliver the result of a run whose process has ended before it could."""
        document = None
        with contextlib.suppress(StoreError):  # there is none, or it is damaged
            document = await in_thread(
                lambda: self.store.document(record.run_id), SOURCES
            )
        run = _run_of(record, None, loop)
        run.verdict = (record.error or "", record.state)
        await self._runs.delivery.tell(run, result_of(record, document))

    async def _serve(self) -> None:
        """Deliver what is due, and see with each beat whether somebody has gone.

        However much there is to deliver: a look is never put off for that.
        """
        beat, clock = self.store.lease / 3, self._clock
        look_at = clock.monotonic() + beat
        while True:
            self._nudge.clear()
            pause = beat
            try:
                if clock.monotonic() >= look_at:
                    look_at = clock.monotonic() + beat
                    await self._recover()
                if await self._sender.round(self._owing()):
                    continue
                due = await self.store.next_due(list(self._owing()))
                if due is not None:
                    pause = max(0.01, (due - clock.now()).total_seconds())
                self._said = ""
            except StoreError as error:
                await self._tell(error)
            await self._nudged(min(pause, max(0.01, look_at - clock.monotonic())))

    async def _nudged(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._nudge.wait()

    async def _tell(self, error: StoreError) -> None:
        """Report what goes wrong with the store, once for each thing."""
        if str(error) != self._said:
            self._said = str(error)
            logger.error("%s", error)
            await self._report(error)


def used_store(place: Any, journal: Any) -> Any:
    """Return the store of a runner or pool; None if it has none.

    Args:
        place: as the user gives it.
        journal: given in its place.
    """
    if not has_store(place) or (journal is not None and place is None):
        return None
    from truthound.store import store_of

    return store_of(place)


def check_policy(policy: str) -> None:
    """Raise ConfigurationError unless it says what becomes of runs that were left."""
    if policy not in POLICIES:
        raise ConfigurationError(
            f"recovery is {' or '.join(POLICIES)}, not {policy!r}"
            f"{did_you_mean(str(policy), POLICIES)}"
        )


def _run_of(
    record: RunRecord, checkpoint: Any, loop: asyncio.AbstractEventLoop
) -> ActiveRun:
    """Return a run that somebody else has begun."""
    config = getattr(checkpoint, "config", None)
    return ActiveRun(
        checkpoint,
        record.checkpoint,
        Ticket(record.run_id),
        record.context,
        getattr(config, "priority", TaskPriority.NORMAL),
        record.accepted_at,
        loop.create_future(),
        limits_of(checkpoint),
        trigger=record.trigger,
        attempt=record.attempt,
        slot=None if record.slot is None else (record.slot, False),
        is_stored=True,
    )


def result_of(record: RunRecord, document: Mapping[str, Any] | None) -> Any:
    """Return the result of a run that somebody else has begun.

    Args:
        record: of the run.
        document: its result, if it was stored.
    """
    if document is not None:
        try:
            return CheckpointResult.from_dict(document)
        except (ValueError, KeyError, TypeError, AttributeError):
            logger.error("%s: its stored result makes no sense", record.run_id)
    return CheckpointResult(
        run_id=record.run_id,
        checkpoint_name=record.checkpoint,
        run_time=record.began_at or record.accepted_at,
        status=CheckpointStatus.ERROR,
        data_asset=record.source,
        error=record.error,
        metadata=dict(record.context),
    )
