"""What a run begins with, and what it writes once for all sites at its end."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

from truthound.automation import _matrix, _schema
from truthound.automation._spawner import Spawner
from truthound.automation.config import PipelineConfig
from truthound.automation.results import PipelineRun
from truthound.errors import StoreError

LAST_RUN = "last_run.json"  # of each site, the last result

logger: logging.Logger = logging.getLogger("truthound.automation")


def spawner_of(config: PipelineConfig) -> Spawner:
    """Return what starts the processes of a run."""
    return Spawner(
        config.working_directory,
        warm=config.isolation == "warm",
        has_scratch=config.command is None,
    )


def finish(spawner: Spawner, config: PipelineConfig, run: PipelineRun) -> PipelineRun:
    """End what still runs, and write what there is one of for all sites. Blocks.

    Returns:
        The run, with what could not be written.
    """
    spawner.close()
    problems = _written(config)
    if config.keeps_results:
        problems += _kept(config.output_directory / LAST_RUN, run)
    for problem in problems:
        logger.error("%s", problem)
    return dataclasses.replace(run, problems=tuple(problems))


def _written(config: PipelineConfig) -> list[str]:
    """Write the schema matrix, and return what is wrong with it."""
    output = config.output_directory
    try:
        if config.command is not None or not (output / _schema.FOLDER).is_dir():
            return []
        return _matrix.update(output)
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
