"""What a run begins with, and what it writes once for all sites at its end."""

from __future__ import annotations

import logging

from truthound.automation import _matrix, _schema
from truthound.automation._spawner import Spawner
from truthound.automation.config import PipelineConfig

logger: logging.Logger = logging.getLogger("truthound.automation")


def spawner_of(config: PipelineConfig) -> Spawner:
    """Return what starts the processes of a run."""
    return Spawner(
        config.working_directory,
        warm=config.isolation == "warm",
        has_scratch=config.command is None,
    )


def finish(spawner: Spawner, config: PipelineConfig) -> None:
    """End what still runs, and write what there is one of for all sites. Blocks."""
    spawner.close()
    _write_matrix(config)


def _write_matrix(config: PipelineConfig) -> None:
    # What is wrong is logged: the run has been made.
    output = config.output_directory
    try:
        if config.command is not None or not (output / _schema.FOLDER).is_dir():
            return
        problems = _matrix.update(output)
    except OSError as error:  # a StoreError is one
        problems = [str(error)]
    for problem in problems:
        logger.error("%s", problem)
