"""The checkpoints of a runner, with their triggers."""

from __future__ import annotations

import asyncio
from typing import Any

from truthound._clock import Clock
from truthound.checkpoint._running.active import ActiveRun, check_checkpoint
from truthound.checkpoint._running.circles import check_circles, upstream_of
from truthound.checkpoint._running.entry import Entry
from truthound.checkpoint._running.line import contradiction
from truthound.checkpoint._running.runs import Runs
from truthound.checkpoint._running.timetable import Timetable
from truthound.checkpoint.model import CheckpointResult
from truthound.checkpoint.triggers.upstream import UpstreamTrigger
from truthound.errors import ConfigurationError, UnknownNameError, did_you_mean

TURN = 200  # checkpoints that are started or stopped before the loop gets its turn


class Entries:
    """The checkpoints of a runner by their names.

    Args:
        runs: what runs them.
        clock: tells the time.
        poll_interval: seconds between two questions to a trigger of a user's own.
    """

    def __init__(self, runs: Runs, clock: Clock, poll_interval: float) -> None:
        self._runs = runs
        self._clock = clock
        self._poll_interval = poll_interval
        self._by_name: dict[str, Entry] = {}
        self._leaving: dict[int, asyncio.Task[Any]] = {}  # by checkpoint
        self._limits: dict[str, tuple[int, int]] = {}  # of resources, and how often
        self._owners: dict[int, str] = {}  # of triggers
        self._missed = 0  # of entries that were removed
        self._downstream: dict[str, list[UpstreamTrigger]] = {}
        self._timetable: Timetable | None = None

    def __len__(self) -> int:
        return len(self._by_name)

    def all(self) -> list[Entry]:
        """Return them, in the order of adding."""
        return list(self._by_name.values())

    def get(self, name: str) -> Entry:
        """Return one.

        Raises:
            UnknownNameError: there is none of that name.
        """
        if name not in self._by_name:
            raise UnknownNameError("checkpoint", name, self._by_name)
        return self._by_name[name]

    def named(self, name: str | None) -> list[Entry]:
        """Return one, or all for None.

        Raises:
            UnknownNameError: there is none of that name.
        """
        return self.all() if name is None else [self.get(name)]

    def add(self, checkpoint: Any) -> None:
        """Add a checkpoint, and start its triggers soon if the others run.

        Raises:
            ConfigurationError: there is one of that name, its limits contradict
                another's, or it waits for others in a circle.
            TypeError: it is no checkpoint.
        """
        check_checkpoint(checkpoint)
        if checkpoint.name in self._by_name:
            raise ConfigurationError(
                f"there is a checkpoint {checkpoint.name!r} in this runner already"
            )
        entry = Entry(checkpoint, self._runs, self._clock, self._poll_interval)
        self._claim(entry)
        self._by_name[checkpoint.name] = entry
        if self._timetable is not None:
            try:
                self.check_circles()
            except ConfigurationError:
                del self._by_name[checkpoint.name]
                self._disclaim(entry)
                raise
            self._runs.spawn(self._begin(entry))

    def remove(self, name: str) -> bool:
        """Remove a checkpoint; tell whether there was one of that name."""
        entry = self._by_name.pop(name, None)
        if entry is None:
            return False
        self._disclaim(entry)
        for trigger in entry.upstream():
            for triggers in self._downstream.values():
                if trigger in triggers:
                    triggers.remove(trigger)
        if self._timetable is not None:
            entry.is_paused = True
            self._leaving[id(entry.checkpoint)] = self._runs.spawn(entry.end())
        self._missed += entry.missed
        return True

    @property
    def missed(self) -> int:
        """How many times no run was started for."""
        return self._missed + sum(entry.missed for entry in self.all())

    async def begin(self) -> None:
        """Start the triggers."""
        self._timetable = Timetable(self._clock, self._wall_was_set)
        names = set(self._by_name)
        for number, entry in enumerate(self.all(), 1):
            await self._begin(entry)
            for unknown in set(upstream_of(entry.checkpoint)) - names:
                self._runs.report_soon(
                    ConfigurationError(
                        f"{entry.name}: it runs after a checkpoint {unknown!r}, which "
                        f"there is not{did_you_mean(unknown, names)}"
                    )
                )
            if not number % TURN:
                await asyncio.sleep(0)

    async def end(self) -> None:
        """Stop the triggers, all at once; those that hang are left behind."""
        entries, loop = self.all(), asyncio.get_running_loop()
        tasks = [
            loop.create_task(entry.end()) for entry in entries if entry.ends_slowly()
        ]
        self._downstream.clear()
        if self._timetable is not None:
            self._timetable.close()
            self._timetable = None
        for number, entry in enumerate(entries, 1):
            if not entry.ends_slowly():
                await entry.end()
                if not number % TURN:
                    await asyncio.sleep(0)
        if tasks:
            await asyncio.wait(tasks)  # each has its time limit

    def count(self, run: ActiveRun) -> None:
        """Count a run that was called for as one of its checkpoint's."""
        entry = self._by_name.get(run.name)
        if entry is not None and entry.checkpoint is run.checkpoint:
            entry.count(run)

    def has_ended(self, result: CheckpointResult) -> None:
        """Tell the triggers that wait for a checkpoint that a run of it has ended."""
        for trigger in list(self._downstream.get(result.checkpoint_name, ())):
            trigger.has_ended(result)

    def check_circles(self) -> None:
        """Raise if checkpoints wait for each other in a circle.

        Raises:
            ConfigurationError: which ones.
        """
        check_circles(
            {
                name: list(upstream_of(entry.checkpoint))
                for name, entry in self._by_name.items()
            }
        )

    async def _begin(self, entry: Entry) -> None:
        leaving = self._leaving.pop(id(entry.checkpoint), None)
        if leaving is not None:
            await asyncio.wait([leaving])
        if self._timetable is None or entry.name not in self._by_name:
            return
        await entry.begin(self._timetable)
        for trigger in entry.upstream():
            for name in trigger.config.names():
                self._downstream.setdefault(name, []).append(trigger)

    def _wall_was_set(self) -> None:
        if self._timetable is not None:
            self._timetable.fill(m for e in self.all() for m in e.moments())

    def _claim(self, new: Entry) -> None:
        """Note what a checkpoint has for itself, and what it shares with others."""
        for name, number in new.limits.items():
            known, _ = self._limits.get(name, (number, 0))
            if known != number:
                raise contradiction(new.name, name, number, known)
        for trigger in new.triggers:
            if id(trigger) in self._owners:
                raise ConfigurationError(
                    f"the trigger {trigger.name!r} of {new.name!r} is one of "
                    f"{self._owners[id(trigger)]!r} already; each checkpoint needs "
                    "its own"
                )
        for name, number in new.limits.items():
            self._limits[name] = (number, self._limits.get(name, (0, 0))[1] + 1)
        self._owners.update((id(trigger), new.name) for trigger in new.triggers)

    def _disclaim(self, old: Entry) -> None:
        for name, number in old.limits.items():
            users = self._limits[name][1] - 1
            if users:
                self._limits[name] = (number, users)
            else:
                del self._limits[name]
        for trigger in old.triggers:
            self._owners.pop(id(trigger), None)
