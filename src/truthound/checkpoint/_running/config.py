"""Options of a runner."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from truthound.async_core._limit import check_count, check_seconds
from truthound.checkpoint._action import check_number
from truthound.errors import ConfigurationError, UnknownOptionError


@dataclass
class AsyncRunnerConfig:
    """Options of an :class:`AsyncCheckpointRunner`.

    Attributes:
        max_concurrent_checkpoints: how many run at once.
        trigger_poll_interval: seconds between two questions to a trigger of one's own.
            Those of the package are not asked: they tell.
        result_queue_size: how many results wait for ``iter_results_async()``. While it
            is full, further runs wait with theirs. None: there is no queue, for
            programs that use only the callback.
        stop_on_error: stop after the first run that ends as error.
        max_consecutive_failures: stop after so many of them in a row.
        graceful_shutdown_timeout: seconds that runs have to end when it is stopped.
    """

    max_concurrent_checkpoints: int = 10
    trigger_poll_interval: float = 1.0
    result_queue_size: int | None = 1000
    stop_on_error: bool = False
    max_consecutive_failures: int = 10
    graceful_shutdown_timeout: float = 30.0

    @classmethod
    def of(
        cls, owner: object, config: AsyncRunnerConfig | None, options: dict[str, Any]
    ) -> AsyncRunnerConfig:
        """Return options that were given all at once, one by one, or both.

        Raises:
            UnknownOptionError: one of them does not exist.
        """
        known = [f.name for f in dataclasses.fields(cls)]
        for option in options:
            if option not in known:
                raise UnknownOptionError(type(owner).__name__, option, known)
        if config is None:
            return cls(**options)
        return dataclasses.replace(config, **options) if options else config

    def __post_init__(self) -> None:
        check_count("max_concurrent_checkpoints", self.max_concurrent_checkpoints)
        check_seconds("trigger_poll_interval", self.trigger_poll_interval)
        if self.result_queue_size is not None:
            check_count("result_queue_size", self.result_queue_size)
        check_count("max_consecutive_failures", self.max_consecutive_failures)
        check_number("graceful_shutdown_timeout", self.graceful_shutdown_timeout)
        if not isinstance(self.stop_on_error, bool):
            raise ConfigurationError(
                f"stop_on_error is True or False, not {self.stop_on_error!r}"
            )
