"""The store of some runs, while they last: opened, served, and left in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Context
from typing import TYPE_CHECKING, Any

from truthound._clock import Clock
from truthound.async_core._tasks import stop, undisturbed
from truthound.checkpoint._keeping import Keeper
from truthound.checkpoint._threads import SOURCES, in_thread
from truthound.checkpoint.model import CheckpointResult, CheckpointStatus
from truthound.checkpoint.outbox import Sender
from truthound.errors import ConfigurationError, StoreError, did_you_mean
from truthound.store import Recovered, RunRecord, has_store

if TYPE_CHECKING:
    from truthound.store import Store

logger: logging.Logger = logging.getLogger("truthound.checkpoint")

ATTEMPTS = 3  # how often a run may begin whose process ended while it ran
POLICIES = ("interrupted", "rerun")
Known = Callable[[], Mapping[str, Any]]


class Ledger:
    """Opens a store for some runs, delivers what is owed, takes over what was left.

    Args:
        store: which.
        owner: in whose name.
        clock: tells the time.
        policy: what becomes of runs whose process has ended: ``interrupted``, or
            ``rerun`` for those of the checkpoints that are known.
        known: returns the checkpoints that are known, by name.
        report: told what goes wrong.
        on_recovered: given what was taken over, and the checkpoints by name.
        attempt_of: returns how often a run was begun.
    """

    def __init__(
        self,
        store: Store,
        owner: str,
        clock: Clock,
        policy: str,
        known: Known,
        report: Callable[[Exception], Awaitable[None]],
        on_recovered: Callable[[Recovered, Mapping[str, Any]], Awaitable[None]],
        attempt_of: Callable[[str], int],
    ) -> None:
        self.store = store
        self._owner = owner
        self._clock = clock
        self._policy = policy
        self._known = known
        self._report = report
        self._on_recovered = on_recovered
        self._attempt_of = attempt_of
        self._sender = Sender(store, owner, clock, report)
        self._task: asyncio.Task[None] | None = None
        self._nudge = asyncio.Event()
        self._is_present = asyncio.Event()
        self._is_present.set()
        self._said = ""  # the last thing that went wrong with the store

    def keeper(self, run_id: str) -> Keeper:
        """Return what writes down what a run finds and owes."""
        attempt, owner = self._attempt_of(run_id), self._owner
        return Keeper(self.store, owner, run_id, attempt, self._clock, self._report)

    async def open(self) -> None:
        """Open the store and take over what was left.

        Raises:
            StoreError: it is damaged, or cannot be reached.
        """
        try:
            await in_thread(self.store.retain, SOURCES)
            try:
                await self.store.register(self._owner)
                self._is_present.set()
                await self._recover()
            except BaseException:
                await undisturbed(self._leave())
                raise
        finally:
            self._is_present.set()  # whoever waits is not helped by waiting on
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._serve(), context=Context())

    def expect(self) -> None:
        """Let who asks for it wait until :meth:`open` has come that far."""
        self._is_present.clear()

    async def present(self) -> None:
        """Wait until others know that this owner lives: else they take its runs."""
        await self._is_present.wait()

    async def begun(self, run_id: str) -> None:
        """Write down that a run begins, and wait for that.

        Raises:
            StoreError: it cannot be written.
        """
        now, attempt = self._clock.now(), self._attempt_of(run_id)
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

    async def _recover(self) -> None:
        known = self._known()
        is_shared = self.store.url.get_backend_name() == "postgresql"
        found = await self.store.recover(
            self._owner,
            # Others who share the server may have other checkpoints, and other ideas.
            known=list(known) if is_shared else None,
            again=list(known) if self._policy == "rerun" else (),
            attempts=ATTEMPTS,
        )
        if found.again or found.ended:
            await self._on_recovered(found, known)

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
                if await self._sender.round(self._known()):
                    continue
                due = await self.store.next_due(list(self._known()))
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
    if journal is not None or not has_store(place):
        return place
    from truthound.store import store_of

    return store_of(place)


def check_policy(policy: str) -> None:
    """Raise ConfigurationError unless it says what becomes of runs that were left."""
    if policy not in POLICIES:
        raise ConfigurationError(
            f"recovery is {' or '.join(POLICIES)}, not {policy!r}"
            f"{did_you_mean(str(policy), POLICIES)}"
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
