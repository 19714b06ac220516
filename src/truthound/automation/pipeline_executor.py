"""``PipelineExecutor``: sites one after the other, in blocking code."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from truthound._clock import SYSTEM_CLOCK, Clock
from truthound.automation._attempts import SiteRun, complete_blocking
from truthound.automation._findings import finish, spawner_of
from truthound.automation._names import checked_names
from truthound.automation._story import Story
from truthound.automation.config import PipelineConfig, load_config
from truthound.automation.results import PipelineRun

__all__ = ["PipelineExecutor"]


class PipelineExecutor:
    """Runs the pipelines of sites one after the other, each in its own process.

    It treats a site as :class:`AsyncPipelineExecutor` does, and blocks.

    Args:
        config: a file, which is read at once; a mapping with its keys (under
            ``pipeline:`` or flat); or None for the defaults. See
            :class:`PipelineConfig`.
        clock: tells the time; for tests.

    Attributes:
        last_run: the whole story of the run that ended last; None before.
        story: how far the run under way is; None before there was one.

    Raises:
        ConfigurationFileError: all that is wrong with the configuration.
    """

    def __init__(
        self,
        config: Mapping[str, Any]
        | PipelineConfig
        | str
        | os.PathLike[str]
        | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.config: PipelineConfig = load_config(config)
        self.timeout: float = self.config.timeout
        self.retry_count: int = self.config.retry_count
        self.last_run: PipelineRun | None = None
        self.story: Story | None = None
        self._clock = clock

    def run_all(self, sites: Iterable[str]) -> dict[str, bool]:
        """Run the pipelines of sites and tell which of them succeeded. Blocks.

        Interrupted (Ctrl-C), the process under way is ended with all that it started,
        and the interrupt goes on.

        Args:
            sites: their names. One that is there twice is run once.

        Returns:
            A result for each site, in the order given.

        Raises:
            ConfigurationError: ``sites`` is no list of texts.
        """
        names = checked_names(sites)
        story = self.story = Story(names, self.config, self._clock)
        spawner = spawner_of(self.config)
        try:
            for name in story.names:
                site = SiteRun(name, self.config, spawner, self._clock)
                story.begin(site)
                story.end(complete_blocking(site, self._clock))
        finally:
            run = self.last_run = story.close()
            self.last_run = finish(spawner, self.config, run)
        return run.results

    def execute_pipeline(self, site: str) -> bool:
        """Run the pipeline of one site and tell whether it succeeded. Blocks."""
        return self.run_all([site])[site]
