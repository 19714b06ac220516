"""Asynchronous data-quality checkpoints: name data, say what must hold, be told."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from truthound._version import __version__

if TYPE_CHECKING:
    from truthound._check import check
    from truthound.checkpoint import (
        AsyncCheckpoint,
        Checkpoint,
        CheckpointConfig,
        CheckpointResult,
        CheckpointStatus,
    )
    from truthound.validators import Severity, ValidationRun

# Loaded when first used: importing the package must cost next to nothing (PEP 562).
_HOMES = {
    "AsyncCheckpoint": "truthound.checkpoint",
    "Checkpoint": "truthound.checkpoint",
    "CheckpointConfig": "truthound.checkpoint",
    "CheckpointResult": "truthound.checkpoint",
    "CheckpointStatus": "truthound.checkpoint",
    "Severity": "truthound.validators",
    "ValidationRun": "truthound.validators",
    "check": "truthound._check",
}

__all__ = [
    "AsyncCheckpoint",
    "Checkpoint",
    "CheckpointConfig",
    "CheckpointResult",
    "CheckpointStatus",
    "Severity",
    "ValidationRun",
    "__version__",
    "check",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
