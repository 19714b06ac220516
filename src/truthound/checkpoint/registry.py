"""Checkpoints by their names, for those who only know these."""

from __future__ import annotations

import os
import threading
from typing import Any

from truthound.checkpoint._running.active import check_checkpoint
from truthound.checkpoint.config import load_checkpoints
from truthound.errors import ConfigurationError, UnknownNameError

__all__ = [
    "CheckpointRegistry",
    "get_checkpoint",
    "list_checkpoints",
    "register_checkpoint",
]


class CheckpointRegistry:
    """Checkpoints by their names. Several threads may use it at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._checkpoints: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self._checkpoints)

    def __contains__(self, name: object) -> bool:
        return name in self._checkpoints

    def register(self, checkpoint: Any, replace: bool = False) -> None:
        """Add a checkpoint.

        Args:
            checkpoint: what to add.
            replace: take the place of one of the same name.

        Raises:
            ConfigurationError: there is one of that name (a ``ValueError``).
            TypeError: it is no checkpoint.
        """
        self._add([checkpoint], replace=replace)

    def unregister(self, name: str) -> bool:
        """Remove a checkpoint; tell whether there was one of that name."""
        with self._lock:
            return self._checkpoints.pop(name, None) is not None

    def get(self, name: str) -> Any:
        """Return a checkpoint.

        Raises:
            UnknownNameError: there is none of that name (a ``KeyError``).
        """
        try:
            return self._checkpoints[name]
        except KeyError:
            raise UnknownNameError(
                "registered checkpoint", name, self._checkpoints
            ) from None

    def exists(self, name: str) -> bool:
        """Tell whether there is a checkpoint of that name."""
        return name in self._checkpoints

    def list_names(self) -> list[str]:
        """Return the names, in the order of registering."""
        return list(self._checkpoints)

    def list_all(self) -> list[Any]:
        """Return the checkpoints, in the order of registering."""
        return list(self._checkpoints.values())

    def clear(self) -> None:
        """Remove all."""
        with self._lock:
            self._checkpoints.clear()

    def load_from_yaml(
        self, path: str | os.PathLike[str] | None = None, replace: bool = False
    ) -> list[Any]:
        """Add the checkpoints of a configuration file, YAML or JSON: all or none.

        Args:
            path: the file; None for the nearest ``truthound.yaml``.
            replace: take the places of those of the same names.

        Returns:
            What was added.

        Raises:
            ConfigurationFileError: all that is wrong with the file.
            ConfigurationError: there is one of a name already.
        """
        found = load_checkpoints(path)
        self._add(found, replace=replace)
        return list(found)

    load_from_json = load_from_yaml

    def _add(self, checkpoints: list[Any], *, replace: bool) -> None:
        for checkpoint in checkpoints:
            check_checkpoint(checkpoint)
        with self._lock:
            for checkpoint in checkpoints:
                if checkpoint.name in self._checkpoints and not replace:
                    raise ConfigurationError(
                        f"a checkpoint {checkpoint.name!r} is registered already"
                    )
            self._checkpoints.update({c.name: c for c in checkpoints})


REGISTRY = CheckpointRegistry()


def register_checkpoint(checkpoint: Any, replace: bool = False) -> None:
    """Make a checkpoint known by its name, in this process.

    Raises:
        ConfigurationError: there is one of that name, and not ``replace``.
        TypeError: it is no checkpoint.
    """
    REGISTRY.register(checkpoint, replace)


def get_checkpoint(name: str) -> Any:
    """Return a registered checkpoint.

    Raises:
        UnknownNameError: there is none of that name (a ``KeyError``).
    """
    return REGISTRY.get(name)


def list_checkpoints() -> list[str]:
    """Return the names of the registered checkpoints."""
    return REGISTRY.list_names()
