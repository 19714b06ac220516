"""``UniversalRunner``: one configuration, both executors."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from typing import Any

from truthound.automation.async_pipeline_executor import AsyncPipelineExecutor
from truthound.automation.config import DEFAULT_PATH, PipelineConfig, load_config
from truthound.automation.pipeline_executor import PipelineExecutor
from truthound.automation.results import PipelineRun

__all__ = ["UniversalRunner"]


class UniversalRunner:
    """Runs the pipelines of sites, side by side or one after the other.

    Args:
        config_path: the configuration, which is read at once; or a mapping with its
            keys.

    Attributes:
        config: what it says.
        sync_executor: runs sites one after the other.
        async_executor: runs them side by side.

    Raises:
        ConfigurationFileError: there is no such file, or all that is wrong with it.

    Example:
        >>> runner = UniversalRunner({"command": ["true"], "log_directory": None})
        >>> runner.run_pipeline(["example1.com", "example2.com"])
        {'example1.com': True, 'example2.com': True}
    """

    def __init__(
        self,
        config_path: str
        | os.PathLike[str]
        | Mapping[str, Any]
        | PipelineConfig = DEFAULT_PATH,
    ) -> None:
        self.config: PipelineConfig = load_config(config_path)
        self.sync_executor: PipelineExecutor = PipelineExecutor(self.config)
        self.async_executor: AsyncPipelineExecutor = AsyncPipelineExecutor(self.config)
        self._last: PipelineExecutor | AsyncPipelineExecutor = self.async_executor

    @property
    def last_run(self) -> PipelineRun | None:
        """The story of the last run of the executor used last; None before its end."""
        return self._last.last_run

    def run_pipeline(
        self, sites: Iterable[str], use_async: bool | None = None
    ) -> dict[str, bool]:
        """Run the pipelines of sites. Blocks.

        Args:
            sites: their names.
            use_async: side by side, or one after the other; None: as the configuration
                says.

        Returns:
            A result for each site, in the order given.

        Raises:
            RuntimeError: it was called where an event loop runs, and would block it.
            ConfigurationError: ``sites`` is no list of texts.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise RuntimeError(
                "Use run_pipeline_async() in async context: "
                "results = await runner.run_pipeline_async(sites)"
            )
        if self.config.use_async if use_async is None else use_async:
            return asyncio.run(self.run_pipeline_async(sites))
        return self.run_pipeline_sync(sites)

    def run_pipeline_sync(self, sites: Iterable[str]) -> dict[str, bool]:
        """Run the pipelines of sites one after the other. Blocks."""
        self._last = self.sync_executor
        return self.sync_executor.run_all(sites)

    async def run_pipeline_async(self, sites: Iterable[str]) -> dict[str, bool]:
        """Run the pipelines of sites side by side."""
        self._last = self.async_executor
        return await self.async_executor.run_all_async(sites)
