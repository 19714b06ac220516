"""``PipelineExecutor``: sites one after the other, in blocking code."""

from __future__ import annotations

from collections.abc import Iterable

from truthound.automation._attempts import SiteRun, complete_blocking
from truthound.automation._executor import Executor
from truthound.automation._names import checked_names
from truthound.automation._story import Story

__all__ = ["PipelineExecutor"]


class PipelineExecutor(Executor):
    """Runs the pipelines of sites one after the other, each in its own process.

    It treats a site as :class:`AsyncPipelineExecutor` does, and blocks.

    Args:
        config: a file, which is read at once; a mapping with its keys (under
            ``pipeline:`` or flat); or None for the defaults. See
            :class:`PipelineConfig`.
        clock: tells the time; for tests.

    Raises:
        ConfigurationFileError: all that is wrong with the configuration.
    """

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
        story = Story(names, self.config, self._clock)
        self._tell(story)
        spawner = self._spawner()
        try:
            for name in story.names:
                site = SiteRun(name, self.config, spawner, self._clock)
                story.begin(site)
                story.end(complete_blocking(site, self._clock))
        finally:
            run = self._ended(story)
            self._finish(spawner, run)
        return run.results

    def execute_pipeline(self, site: str) -> bool:
        """Run the pipeline of one site and tell whether it succeeded. Blocks."""
        return self.run_all([site])[site]
