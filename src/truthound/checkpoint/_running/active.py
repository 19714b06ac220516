"""A run from its acceptance to its delivery."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from truthound._clock import Clock
from truthound.async_core._slots import TaskPriority
from truthound.checkpoint._arrived import shown
from truthound.checkpoint._run import Ticket, described, new_run_id
from truthound.checkpoint._running.line import limits_of
from truthound.checkpoint.model import CheckpointResult, CheckpointStatus
from truthound.store import RunState

TEMPLATE = "%Y%m%d_%H%M%S"  # of a run's id, for what has none of its own


class Once:
    """Something that several wait for and one does."""

    __slots__ = ("_is_alone", "_make", "_task")

    def __init__(self, make: Callable[[], Awaitable[None]], is_alone: bool) -> None:
        self._is_alone = is_alone
        self._make: Callable[[], Awaitable[None]] | None = make
        self._task: asyncio.Future[None] | None = None

    def begin(self) -> None:
        """Do it now, whoever waits for it."""
        make, self._make = self._make, None
        if make is not None:
            self._task = asyncio.ensure_future(make())

    async def done(self) -> None:
        """Do it, or wait until it is done."""
        if self._make is not None and self._is_alone:
            make, self._make = self._make, None
            await make()
            return
        self.begin()
        if self._task is not None:
            await asyncio.shield(self._task)


@dataclass(eq=False, slots=True)
class ActiveRun:
    """A run from its acceptance to its delivery.

    Attributes:
        checkpoint: what is run.
        name: of the checkpoint.
        ticket: its id, and what it has found as yet.
        context: for the metadata of its result.
        priority: who goes first when slots are short.
        accepted_at: when, aware, in UTC.
        done: gets its result; waited for by the caller.
        limits: what it uses, and how many may at once.
        variables: the context variables of who asked for it.
        trigger: what started it; None: a call.
        began: when it got its slot, in seconds of the monotonic clock.
        began_at: the same, aware, in UTC.
        state: waiting, starting, running, delivering or done.
        verdict: why it was cut off, and how that is written down.
        is_outside: whether code of others is awaited in its delivery.
        is_hurried: whether its delivery was told to come to an end.
        is_mute: whether error_callback hung and is not called again.
        is_abandoned: whether it did not end when it was cut off.
        has_caller: whether somebody waits for the result itself.
        is_guest: whether its runner was not started when it was accepted.
        has_turn: whether it got its slot and resources.
        has_slot: whether it has the slot now, and has not lent it.
        nested: runs of the same runner that it waits for; its slot is theirs.
        owner: the runs to which it belongs.
        written: its acceptance, as the journal has it.
        task: takes it from its slot to its delivery.
        over: wakes who waits for its end, not for its delivery.
        on_gone: called when it is over.
        attempt: how often it was begun, in whichever process.
        slot: names the due time for which it was started, and whether that is free
            again when the process is gone.
        is_refused: whether another run has its slot.
        is_stored: whether a store has it as accepted.
        is_late: whether it has given its slot up while its end is written down.
        is_kept: whether its end was written down, as its own.
    """

    checkpoint: Any
    name: str
    ticket: Ticket
    context: Mapping[str, Any] | None
    priority: TaskPriority
    accepted_at: datetime
    done: asyncio.Future[CheckpointResult]
    limits: Mapping[str, int] = field(default_factory=dict)
    variables: Context | None = None
    trigger: str | None = None
    began: float = 0.0
    began_at: datetime | None = None
    state: str = "waiting"
    verdict: tuple[str, RunState] | None = None
    is_outside: bool = False
    is_hurried: bool = False
    is_mute: bool = False
    is_abandoned: bool = False
    has_caller: bool = False
    is_guest: bool = False
    has_turn: bool = False
    has_slot: bool = False
    nested: int = 0
    owner: Any = None
    written: Once | None = None
    task: asyncio.Task[None] | None = None
    over: asyncio.Future[None] | None = None
    on_gone: Callable[[], None] | None = None
    attempt: int = 1
    slot: tuple[str, bool] | None = None
    is_refused: bool = False
    is_stored: bool = False
    is_late: bool = False
    is_kept: bool = False

    @classmethod
    def of(
        cls,
        checkpoint: Any,
        context: Mapping[str, Any] | None,
        priority: TaskPriority | None,
        now: datetime,
        done: asyncio.Future[CheckpointResult],
    ) -> ActiveRun:
        """Make a run of a checkpoint that is accepted now.

        Args:
            checkpoint: of any class.
            context: for the metadata of its result.
            priority: None: that of the checkpoint.
            now: aware, in UTC.
            done: gets its result.
        """
        config = getattr(checkpoint, "config", None)
        name = checkpoint.name
        if priority is None:
            priority = getattr(config, "priority", TaskPriority.NORMAL)
        template = getattr(config, "run_name_template", TEMPLATE)
        return cls(
            checkpoint,
            name,
            Ticket(new_run_id(name, template, now)),
            context,
            priority,
            now,
            done,
            limits_of(checkpoint),
            copy_context(),
        )

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self.ticket.run_id

    def described(self) -> dict[str, Any]:
        """Return what others may know of it."""
        return {
            "run_id": self.run_id,
            "checkpoint": self.name,
            "state": self.state,
            "trigger": self.trigger,
            "accepted_at": self.accepted_at,
            "began_at": self.began_at,
        }


# The run to which the current context belongs.
HOLDER: ContextVar[ActiveRun | None] = ContextVar("truthound_run", default=None)
# The runs to which code of others belongs that is called from here: callbacks, actions,
# triggers. Such code cannot wait for the end of what waits for it.
INSIDE: ContextVar[Any] = ContextVar("truthound_inside", default=None)


@dataclass(eq=False, slots=True)
class SlotAgain:
    """A run that had lent its slot, and waits for one."""

    run: ActiveRun
    came: asyncio.Future[None]
    limits: Mapping[str, int] = field(default_factory=dict)
    state: str = "waiting"

    @property
    def name(self) -> str:
        """That of its run."""
        return self.run.name

    @property
    def priority(self) -> TaskPriority:
        """That of its run."""
        return self.run.priority


def cut_result(run: ActiveRun, clock: Clock) -> CheckpointResult:
    """Return the result of a run that was cut off, with what it has found."""
    why = run.verdict[0] if run.verdict else "interrupted"
    found = run.ticket.result
    if found is not None:
        found.status, found.error = CheckpointStatus.ERROR, why
        return found
    return broken_result(run, clock, why)


def broken_result(run: ActiveRun, clock: Clock, why: str) -> CheckpointResult:
    """Return the result of a run that made none itself."""
    config = getattr(run.checkpoint, "config", None)
    spent = clock.monotonic() - run.began if run.began else 0.0
    source = shown(getattr(config, "data_source", ""), run.context or {})
    return CheckpointResult(
        run_id=run.run_id,
        checkpoint_name=run.name,
        run_time=run.began_at or run.accepted_at,
        status=CheckpointStatus.ERROR,
        data_asset=described(source),
        duration_ms=spent * 1000,
        error=why,
        metadata={**getattr(config, "metadata", {}), **(run.context or {})},
    )


def checked(result: Any) -> CheckpointResult:
    """Return the result of a run if it is one.

    Raises:
        TypeError: it is none, or its status is.
    """
    if not isinstance(result, CheckpointResult):
        raise TypeError(f"run_async() returned {result!r}, expected a CheckpointResult")
    try:
        result.status = CheckpointStatus(result.status)
    except ValueError:
        known = ", ".join(CheckpointStatus)
        raise TypeError(
            f"the run ended with the status {result.status!r}, expected one of {known}"
        ) from None
    return result


def check_checkpoint(checkpoint: Any) -> None:
    """Raise TypeError for what cannot be run."""
    if callable(getattr(checkpoint, "run_async", None)) and hasattr(checkpoint, "name"):
        return
    hint = ""
    if isinstance(checkpoint, str):
        hint = f"; get_checkpoint({checkpoint!r}) looks one up by its name"
    raise TypeError(f"expected a Checkpoint, got {type(checkpoint).__name__}{hint}")


def check_context(context: Any) -> None:
    """Raise TypeError for what cannot become the metadata of a result."""
    if context is not None and not isinstance(context, Mapping):
        raise TypeError(f"context: expected a mapping, got {type(context).__name__}")
