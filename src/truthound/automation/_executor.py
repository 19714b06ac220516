"""What both executors are: a configuration, the story of a run, its last words."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from truthound._clock import SYSTEM_CLOCK, Clock
from truthound.automation import _matrix, _schema
from truthound.automation._spawner import Spawner
from truthound.automation._story import Story
from truthound.automation.config import PipelineConfig, load_config
from truthound.automation.results import PipelineRun
from truthound.errors import StoreError

LAST_RUN = "last_run.json"  # of each site, the last result

logger: logging.Logger = logging.getLogger("truthound.automation")


class Executor:
    """Base of what runs the pipelines of sites.

    Args:
        config: a file, which is read at once; a mapping with its keys (under
            ``pipeline:`` or flat); or None for the defaults. See
            :class:`PipelineConfig`.
        clock: tells the time; for tests.

    Attributes:
        config: what it was made of.
        timeout: seconds for one attempt of a site.
        retry_count: attempts for a site, the first included.
        max_concurrent: how many sites the configuration lets run at once.
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
        self.max_concurrent: int = self.config.max_concurrent_sites
        self.last_run: PipelineRun | None = None
        self.story: Story | None = None
        self._clock = clock

    def _tell(self, story: Story) -> None:
        """Let others see how far a run is."""
        self.story = story

    def _ended(self, story: Story) -> PipelineRun:
        """Return the story of a run that is over; it is the last one."""
        run = story.close()
        self.last_run = run
        return run

    def _spawner(self) -> Spawner:
        """Return what starts the processes of a run."""
        return Spawner(
            self.config.working_directory,
            warm=self.config.isolation == "warm",
            has_scratch=self.config.command is None,
        )

    def _finish(self, spawner: Spawner, run: PipelineRun) -> None:
        """End what still runs, and write what there is one of for all sites. Blocks."""
        spawner.close()
        problems = self._write_matrix()
        if self.config.keeps_results:
            problems += _kept(self.config.output_directory / LAST_RUN, run)
        for problem in problems:
            logger.error("%s", problem)
        self.last_run = dataclasses.replace(run, problems=tuple(problems))

    def _write_matrix(self) -> list[str]:
        """Write the schema matrix, and return what is wrong with it."""
        output = self.config.output_directory
        try:
            if self.config.command is not None:
                return []
            return _matrix.update(output) if (output / _schema.FOLDER).is_dir() else []
        except OSError as error:  # a StoreError is one
            return [str(error)]


def _kept(path: Path, run: PipelineRun) -> list[str]:
    """Note the result of each site, and return what is wrong with that.

    Sites that were not in this run keep what is known of them.
    """
    begun = {name: site for name, site in run.sites.items() if site.ended_at}
    if not begun:
        return []
    problems = []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _matrix.locked(path.with_name(f".{path.name}.lock")):
            try:
                before = PipelineRun.load(path).sites if path.exists() else {}
            except StoreError as error:
                problems.append(f"{error}; it is begun anew")
                before = {}
            dataclasses.replace(run, sites={**before, **begun}).save(path)
    except OSError as error:  # a StoreError is one
        problems.append(f"the results are not noted: {error}")
    return problems
