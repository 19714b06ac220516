"""Who goes next: runs that wait for a slot and for what they use, by priority."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from truthound.async_core._slots import TaskPriority
from truthound.errors import ConfigurationError


class Waiting(Protocol):
    """Something that waits for its turn.

    Attributes:
        name: of its checkpoint.
        priority: who goes first.
        limits: what it uses, and how many may at once; as it was when it came.
        state: ``waiting`` as long as it does.
    """

    @property
    def name(self) -> str: ...
    @property
    def priority(self) -> TaskPriority: ...
    @property
    def limits(self) -> Mapping[str, int]: ...
    @property
    def state(self) -> str: ...


class Line:
    """Slots and resources, and the runs that wait for them.

    The most urgent goes first, and within a level whoever came first. One that has to
    wait for a resource lets the others pass, and takes no slot meanwhile.

    Args:
        slots: how many run at once.
    """

    def __init__(self, slots: int) -> None:
        self.free = slots
        self.length = 0  # that wait
        self._queues: tuple[deque[Any], ...] = tuple(deque() for _ in TaskPriority)
        self._resources: dict[str, _Resource] = {}

    def check(self, runs: Sequence[Waiting]) -> None:
        """Raise if runs contradict each other, or others that are there.

        Raises:
            ConfigurationError: about how many may use a resource at once.
        """
        known = {name: one.limit for name, one in self._resources.items()}
        for run in runs:
            for name, number in run.limits.items():
                if known.setdefault(name, number) != number:
                    raise contradiction(run.name, name, number, known[name])

    def add(self, run: Waiting) -> None:
        """Let a run wait for its turn."""
        for name, number in run.limits.items():
            resource = self._resources.get(name)
            if resource is None:
                resource = self._resources[name] = _Resource(number)
            resource.users += 1
        self._queues[run.priority].append(run)
        self.length += 1

    def next(self) -> Any:
        """Take the run whose turn it is, with all that it needs; None: nobody's."""
        if self.free <= 0 or not self.length:
            return None
        for queue in self._queues:
            while queue:
                run = queue.popleft()
                if run.state != "waiting":
                    continue  # it was cut off
                lacking = self._lacking(run)
                if lacking is not None:
                    lacking.parked.append(run)
                    continue
                self.free -= 1
                self.length -= 1
                for name in run.limits:
                    self._resources[name].used += 1
                return run
        return None

    def give_up(self, run: Waiting) -> None:
        """Note that a run that waited does not any more; it is still in its queue."""
        self.length -= 1
        self._forget(run)

    def release(self, run: Waiting) -> None:
        """Give back what a run had, but for its slot."""
        for name in run.limits:
            resource = self._resources[name]
            resource.used -= 1
            while resource.parked:  # each before those of its level that came later
                parked = resource.parked.pop()
                self._queues[parked.priority].appendleft(parked)
        self._forget(run)

    def _forget(self, run: Waiting) -> None:
        for name in run.limits:
            resource = self._resources[name]
            resource.users -= 1
            if not resource.users:
                del self._resources[name]

    def _lacking(self, run: Waiting) -> _Resource | None:
        for name in run.limits:
            resource = self._resources[name]
            if resource.used >= resource.limit:
                return resource
        return None


class _Resource:
    """Something that only so many may use at once.

    Attributes:
        limit: how many.
        used: by how many it is.
        users: how many use it or wait for it; without any it is forgotten.
        parked: those that wait for it alone.
    """

    __slots__ = ("limit", "parked", "used", "users")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self.users = 0
        self.parked: deque[Any] = deque()


def limits_of(checkpoint: Any) -> dict[str, int]:
    """Return what a run of a checkpoint uses, and how many may at once."""
    config = getattr(checkpoint, "config", None)
    resources = getattr(config, "resources", None)
    most = getattr(config, "max_concurrent_runs", 0)
    if not resources and not most:
        return {}
    limits = dict(resources or {})
    if most:
        limits[f"runs of {checkpoint.name}"] = most
    return limits


def contradiction(
    checkpoint: str, resource: str, number: int, known: int
) -> ConfigurationError:
    """Return an error that says which two limits contradict each other."""
    return ConfigurationError(
        f"checkpoint {checkpoint!r}: resources: {resource} may be used by {number} at "
        f"once; another checkpoint says {known}"
    )
