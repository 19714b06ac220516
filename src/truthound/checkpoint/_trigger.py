"""What a trigger is: something that says when a checkpoint is to run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Generic, TypeVar

from truthound._clock import SYSTEM_CLOCK, Clock
from truthound.async_core._limit import check_count
from truthound.checkpoint._action import check_number
from truthound.checkpoint._configured import Configured, Options
from truthound.checkpoint._threads import TRIGGERS, blocking, in_thread


class TriggerStatus(StrEnum):
    """What a trigger is doing."""

    ACTIVE = "active"
    PAUSED = "paused"
    STOPPED = "stopped"
    ERROR = "error"


@dataclass
class TriggerConfig(Options):
    """What can be said about any trigger.

    Attributes:
        name: what results call it; None for its type.
        enabled: whether it is asked at all.
        max_runs: how many runs it may start; 0 for any number.
        run_immediately: run once at the start, too.
        catch_up: times that were missed, because the checkpoint was busy or paused or
            the machine asleep, are made up for by one run.
        max_concurrent: how many runs of its checkpoint may be under way.
        metadata: for whoever reads the configuration.
    """

    name: str | None = None
    enabled: bool = True
    max_runs: int = 0
    run_immediately: bool = False
    catch_up: bool = False
    max_concurrent: int = 1
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        super().check()
        check_number("max_runs", self.max_runs, kind=int)
        check_count("max_concurrent", self.max_concurrent)


@dataclass
class TriggerResult:
    """What a trigger says when it is asked.

    Attributes:
        should_run: whether the checkpoint is to run now.
        reason: why, for people.
        next_run: when to ask again, aware; None: when the runner likes.
        context: goes into the metadata of the run's result.
    """

    should_run: bool
    reason: str = ""
    next_run: datetime | None = None
    context: dict[str, Any] = field(default_factory=dict)


T = TypeVar("T", bound=TriggerConfig)


class BaseTrigger(Configured[T], Generic[T]):
    """Base of triggers: a subclass has ``should_trigger``, which may block.

    A runner asks on a thread, every ``trigger_poll_interval`` seconds, and not while
    the checkpoint has as many runs under way as ``max_concurrent`` allows: what the
    trigger takes from somewhere is never taken in vain.

    Example:
        >>> class NewMoon(BaseTrigger):
        ...     trigger_type = "new_moon"
        ...     def should_trigger(self):
        ...         return TriggerResult(should_run=False, reason="it is waxing")
    """

    trigger_type: str = "base"
    poll_interval: float | None = None  # seconds between two questions; None: runner's
    clock: Clock = SYSTEM_CLOCK
    _base = TriggerConfig
    _kind = "trigger_type"

    def __init__(self, config: T | None = None, **options: Any) -> None:
        super().__init__(config, **options)
        self.status: TriggerStatus = TriggerStatus.STOPPED
        self.run_count: int = 0
        self.last_run: datetime | None = None
        self.checkpoint: Any = None
        self.on_change: Callable[[], None] | None = None  # set by the runner

    def attach(self, checkpoint: Any) -> None:
        """Note whose trigger it is; called when it is added to a checkpoint."""
        self.checkpoint = checkpoint

    def should_trigger(self) -> TriggerResult:
        """Tell whether the checkpoint is to run now. May block."""
        raise NotImplementedError(f"{type(self).__name__} has no should_trigger()")

    async def should_trigger_async(self) -> TriggerResult:
        """Tell whether the checkpoint is to run now, without blocking the loop."""
        answer: TriggerResult = await in_thread(self.should_trigger, TRIGGERS)
        return answer

    def start(self) -> None:
        """Begin; called by the runner."""
        self.status = TriggerStatus.ACTIVE
        self._on_start()

    def stop(self) -> None:
        """End; called by the runner."""
        self.status = TriggerStatus.STOPPED
        self._on_stop()

    def pause(self) -> None:
        """Say no until :meth:`resume`."""
        self.status = TriggerStatus.PAUSED

    def resume(self) -> None:
        """Go on."""
        self.status = TriggerStatus.ACTIVE
        if self.on_change is not None:
            self.on_change()

    def record_run(self) -> None:
        """Note that a run was started because of it."""
        self.run_count += 1
        self.last_run = self.clock.now()

    def should_continue(self) -> bool:
        """Tell whether it may start more runs."""
        most = self._config.max_runs
        return self.enabled and not 0 < most <= self.run_count

    def to_dict(self) -> dict[str, Any]:
        """Return what it is and what it has done, as JSON can hold it."""
        return {
            "trigger_type": self.trigger_type,
            "name": self.name,
            "status": str(self.status),
            "run_count": self.run_count,
            "last_run": self.last_run.isoformat() if self.last_run else None,
            "enabled": self.enabled,
        }

    def _on_start(self) -> None:
        """Begin what takes no time; for subclasses."""

    def _on_stop(self) -> None:
        """End what :meth:`_on_start` began; for subclasses."""

    async def begin(self) -> None:
        """Start it, as the runner does it: on a thread, as it may block."""
        await in_thread(self.start, TRIGGERS)

    async def end(self) -> None:
        """Stop it, as the runner does it."""
        await in_thread(self.stop, TRIGGERS)


class AsyncBaseTrigger(BaseTrigger[T], Generic[T]):
    """Base of triggers that await: a subclass has ``should_trigger_async``.

    It may take its time, such as until a message comes. Otherwise as
    :class:`BaseTrigger`. A class attribute ``poll_interval = 0`` lets the runner ask
    again at once.
    """

    trigger_type: str = "async_base"

    async def should_trigger_async(self) -> TriggerResult:
        """Tell whether the checkpoint is to run now."""
        raise NotImplementedError(
            f"{type(self).__name__} has no should_trigger_async()"
        )

    def should_trigger(self) -> TriggerResult:
        """Ask in a loop of its own. Blocks."""
        answer: TriggerResult = blocking(self.should_trigger_async)
        return answer

    async def start_async(self) -> None:
        """Begin; called by the runner."""
        self.start()
        await self._on_start_async()

    async def stop_async(self) -> None:
        """End; called by the runner."""
        self.stop()
        await self._on_stop_async()

    async def _on_start_async(self) -> None:
        """Open what it needs; for subclasses."""

    async def _on_stop_async(self) -> None:
        """Close what :meth:`_on_start_async` opened; for subclasses."""

    async def begin(self) -> None:
        """Start it, as the runner does it."""
        await self.start_async()

    async def end(self) -> None:
        """Stop it, as the runner does it."""
        await self.stop_async()


class NativeTrigger(BaseTrigger[T], Generic[T]):
    """Base of the package's own triggers, which never block."""

    async def should_trigger_async(self) -> TriggerResult:
        """Tell whether the checkpoint is to run now."""
        return self.should_trigger()

    async def begin(self) -> None:
        """Start it."""
        self.start()

    async def end(self) -> None:
        """Stop it."""
        self.stop()


class TimedTrigger(NativeTrigger[T], Generic[T]):
    """Base of triggers that know when they are due: a runner sets a timer.

    All moments are seconds on the monotonic clock, ``clock.monotonic()``.
    """

    def due_at(self, now: float) -> float | None:
        """Return the moment for which it waits; None if there will be none."""
        raise NotImplementedError

    def advance(self, now: float) -> None:
        """Take the moment that has come as done with: wait for the one after now."""
        raise NotImplementedError

    def grace(self) -> float:
        """Return how many seconds late a run may begin; later it counts as missed."""
        return float("inf")

    def should_trigger(self) -> TriggerResult:
        """Tell whether the moment has come; ``record_run()`` sets the next one."""
        now = self.clock.monotonic()
        if self.status == TriggerStatus.PAUSED or not self.should_continue():
            return TriggerResult(False, "paused or done")
        due = self.due_at(now)
        if due is not None and due <= now:
            return TriggerResult(True, self.reason(), context=self.context())
        return TriggerResult(False, "not yet", self.next_run(now))

    def record_run(self) -> None:
        """Note that a run was started because of it, and wait for the next moment."""
        super().record_run()
        self.advance(self.clock.monotonic())

    def next_run(self, now: float) -> datetime | None:
        """Return when it is due, aware, in UTC."""
        due = self.due_at(now)
        if due is None:
            return None
        return self.clock.now() + timedelta(seconds=due - now)

    def slot(self) -> tuple[str, bool] | None:
        """Name the moment that has come, alike in all processes that run it.

        Returns:
            The name, and whether it counts only as long as the process lives that has
            taken it; None if it cannot be named.
        """
        return None

    def missed_since(self, moment: datetime) -> str | None:
        """Name the last time after a moment at which it was due; None: there is none.

        Args:
            moment: up to which each time has had its run, aware.
        """
        return None

    def closed_for(self) -> float | None:
        """Return the seconds until a missed time may be made up for; None: never."""
        return 0.0

    def reason(self) -> str:
        """Say why it is due."""
        return self.trigger_type

    def context(self) -> dict[str, Any]:
        """Return what a run that it starts is to know."""
        return {}


class PushTrigger(NativeTrigger[T], Generic[T]):
    """Base of triggers to which something happens: a runner waits for that.

    What happens is kept until the checkpoint can run, and then goes into one run.
    """

    watches: bool = False  # whether it has a watch() to be run

    def __init__(self, config: T | None = None, **options: Any) -> None:
        super().__init__(config, **options)
        self.on_news: Callable[[], None] | None = None  # set by the runner

    def wait_for(self, now: float) -> float | None:
        """Return the seconds until there is something to take; None: nothing yet."""
        raise NotImplementedError

    def take(self) -> TriggerResult:
        """Return what has happened, and forget it."""
        raise NotImplementedError

    def should_trigger(self) -> TriggerResult:
        """Tell whether something has happened; that is forgotten with the answer."""
        if self.status == TriggerStatus.PAUSED or not self.should_continue():
            return TriggerResult(False, "paused or done")
        wait = self.wait_for(self.clock.monotonic())
        if wait is None or wait > 0:
            return TriggerResult(False, "nothing has happened")
        return self.take()

    async def watch(self) -> None:
        """Look out for what happens, if that takes looking out, until cancelled."""

    def news(self) -> None:
        """Tell the runner that something has happened; from any thread."""
        if self.on_news is not None:
            self.on_news()
