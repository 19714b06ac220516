"""Checkpoints and their results."""

from truthound.checkpoint.async_checkpoint import (
    AsyncCheckpoint,
    AsyncCheckpointConfig,
    to_async_checkpoint,
)
from truthound.checkpoint.checkpoint import Checkpoint
from truthound.checkpoint.config import find_configuration, load_checkpoints
from truthound.checkpoint.model import (
    CheckpointConfig,
    CheckpointResult,
    CheckpointStatus,
)

__all__ = [
    "AsyncCheckpoint",
    "AsyncCheckpointConfig",
    "Checkpoint",
    "CheckpointConfig",
    "CheckpointResult",
    "CheckpointStatus",
    "find_configuration",
    "load_checkpoints",
    "to_async_checkpoint",
]
