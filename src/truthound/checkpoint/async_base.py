"""What asynchronous actions and triggers are made of.

- :class:`AsyncBaseAction`, :class:`AsyncBaseTrigger`, with :class:`ActionConfig`,
  :class:`TriggerConfig`, their results and statuses, and :class:`RunStart`; the
  blocking :class:`BaseAction` and :class:`BaseTrigger`.
- :class:`SyncActionAdapter` and :func:`adapt_to_async` for actions that block.
- :class:`SequentialStrategy`, :class:`ConcurrentStrategy`, :class:`PipelineStrategy`
  and the :class:`AsyncExecutionContext` that their actions share.
- :func:`with_retry`, :func:`with_timeout`, :func:`with_semaphore`.
"""

from __future__ import annotations

from truthound.checkpoint._action import (
    ActionConfig,
    AsyncBaseAction,
    BaseAction,
    NotifyCondition,
)
from truthound.checkpoint._adapter import (
    AsyncExecutable,
    SyncActionAdapter,
    SyncExecutable,
    adapt_to_async,
)
from truthound.checkpoint._decorators import with_retry, with_semaphore, with_timeout
from truthound.checkpoint._strategies import (
    AsyncExecutionContext,
    ConcurrentStrategy,
    ExecutionStrategy,
    PipelineStrategy,
    SequentialStrategy,
)
from truthound.checkpoint._trigger import (
    AsyncBaseTrigger,
    BaseTrigger,
    TriggerConfig,
    TriggerResult,
    TriggerStatus,
)
from truthound.checkpoint.model import ActionResult, ActionStatus, RunStart

__all__ = [
    "ActionConfig",
    "ActionResult",
    "ActionStatus",
    "AsyncBaseAction",
    "AsyncBaseTrigger",
    "AsyncExecutable",
    "AsyncExecutionContext",
    "BaseAction",
    "BaseTrigger",
    "ConcurrentStrategy",
    "ExecutionStrategy",
    "NotifyCondition",
    "PipelineStrategy",
    "RunStart",
    "SequentialStrategy",
    "SyncActionAdapter",
    "SyncExecutable",
    "TriggerConfig",
    "TriggerResult",
    "TriggerStatus",
    "adapt_to_async",
    "with_retry",
    "with_semaphore",
    "with_timeout",
]
