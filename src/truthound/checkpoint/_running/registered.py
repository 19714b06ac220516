"""The checkpoints of a runner: added, removed, paused."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

from truthound.checkpoint._running.entries import Entries

if TYPE_CHECKING:
    from truthound.checkpoint._running.runs import Runs


class Registered:
    """What a runner is told of its checkpoints."""

    _entries: Entries
    _runs: Runs

    @property
    def checkpoints(self) -> dict[str, Any]:
        """The checkpoints by their names; a copy."""
        return {entry.name: entry.checkpoint for entry in self._entries.all()}

    def add_checkpoint(self, checkpoint: Any) -> Self:
        """Add a checkpoint, and return the runner.

        Where the runner runs, the checkpoint's triggers are started soon.

        Raises:
            ConfigurationError: there is one of that name, or its limits contradict
                another's (a ``ValueError``).
            TypeError: it is no checkpoint.
        """
        self._entries.add(checkpoint)
        return self

    def deliver_for(self, checkpoints: Iterable[Any]) -> None:
        """Send, too, what runs of checkpoints owe that this runner does not run.

        Without a store nothing is owed.
        """
        if self._runs.ledger is not None:
            self._runs.ledger.deliver_for(checkpoints)

    def remove_checkpoint(self, name: str) -> bool:
        """Remove a checkpoint; its runs that are under way go on.

        Returns:
            Whether there was one of that name.
        """
        return self._entries.remove(name)

    def pause(self, name: str | None = None) -> None:
        """Let the triggers of a checkpoint, or of all, start no runs.

        What happens meanwhile is kept as while a checkpoint is busy: events and files,
        and one run for the times that were missed with ``catch_up``.
        """
        for entry in self._entries.named(name):
            entry.pause()

    def resume(self, name: str | None = None) -> None:
        """Let them start runs again."""
        for entry in self._entries.named(name):
            entry.resume()
