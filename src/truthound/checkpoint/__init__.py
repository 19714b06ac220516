"""Checkpoints: what they are, how they run, and what comes of it."""

from truthound.checkpoint.async_checkpoint import (
    AsyncCheckpoint,
    AsyncCheckpointConfig,
    to_async_checkpoint,
)
from truthound.checkpoint.async_runner import (
    AsyncCheckpointRunner,
    AsyncRunnerConfig,
    CheckpointPool,
    run_checkpoint_async,
    run_checkpoints_async,
    run_checkpoints_parallel,
)
from truthound.checkpoint.checkpoint import Checkpoint
from truthound.checkpoint.config import find_configuration, load_checkpoints
from truthound.checkpoint.model import (
    ActionResult,
    ActionStatus,
    CheckpointConfig,
    CheckpointResult,
    CheckpointStatus,
)
from truthound.checkpoint.registry import (
    CheckpointRegistry,
    get_checkpoint,
    list_checkpoints,
    register_checkpoint,
)
from truthound.checkpoint.runner import CheckpointRunner

__all__ = [
    "ActionResult",
    "ActionStatus",
    "AsyncCheckpoint",
    "AsyncCheckpointConfig",
    "AsyncCheckpointRunner",
    "AsyncRunnerConfig",
    "Checkpoint",
    "CheckpointConfig",
    "CheckpointPool",
    "CheckpointRegistry",
    "CheckpointResult",
    "CheckpointRunner",
    "CheckpointStatus",
    "find_configuration",
    "get_checkpoint",
    "list_checkpoints",
    "load_checkpoints",
    "register_checkpoint",
    "run_checkpoint_async",
    "run_checkpoints_async",
    "run_checkpoints_parallel",
    "to_async_checkpoint",
]
