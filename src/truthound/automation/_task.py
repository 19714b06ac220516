"""What the default command is to do for one site, and how it is told."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

from truthound.automation._nodes import as_yaml, mapping
from truthound.automation._site_config import Site, checkpoint_of
from truthound.automation.config import PipelineConfig, load_config
from truthound.checkpoint import Checkpoint
from truthound.checkpoint.config._document import Node, Problems, read_yaml
from truthound.errors import ConfigurationError
from truthound.secrets import Secret

# The configuration that the default command reads; - is for standard input.
VARIABLE = "TRUTHOUND_PIPELINE_CONFIG"
# "later": another process will write the schema matrix of all sites.
MATRIX = "TRUTHOUND_PIPELINE_MATRIX"


@dataclasses.dataclass(frozen=True, slots=True)
class SiteTask:
    """What is to be checked, and where the findings go.

    Attributes:
        site: its name.
        checkpoint: the data and the validators.
        headers: sent along when the data is fetched.
        output: the folder of findings.
    """

    site: str
    checkpoint: Checkpoint
    headers: Mapping[str, Secret]
    output: Path


def task_of(config: PipelineConfig, site: Site) -> str:
    """Return one site's part of a configuration, for :func:`read_task`."""
    assert site.options is not None  # a site that the default command knows
    return as_yaml(
        mapping(
            {
                "folder": str(config.folder),
                "output": str(config.output_directory),
                "site": site.options,
            }
        )
    )


def read_task(name: str, text: str) -> SiteTask:
    """Return what :func:`task_of` has written.

    Raises:
        ConfigurationFileError: it is damaged.
    """
    problems = Problems("standard input")
    root = read_yaml(text, problems)
    problems.raise_any()
    parts = [root.get(key) if root else None for key in ("folder", "output", "site")]
    folder, output, options = parts
    if folder is None or output is None or options is None:
        raise ConfigurationError("standard input: expected the task of one site")
    return _task(name, options, problems, Path(folder.text), Path(output.text))


def find_task(name: str, path: str | os.PathLike[str]) -> SiteTask:
    """Return what a configuration file says of a site.

    Raises:
        ConfigurationError: the file is wrong, or there is no such site in it.
    """
    config = load_config(path)
    if config.command is not None:
        raise ConfigurationError(f"{config.name}: its sites are run by its command")
    site = config.site(name)
    assert site.options is not None  # else it is not known
    problems = Problems(config.name)
    return _task(name, site.options, problems, config.folder, config.output_directory)


def _task(
    name: str, options: Node, problems: Problems, folder: Path, output: Path
) -> SiteTask:
    checkpoint = checkpoint_of(name, options, problems, folder)
    problems.raise_any()
    assert checkpoint is not None  # else there are problems
    headers = options.get("headers")
    pairs = headers.entries if headers else []
    secret = {key.text: Secret(value.text) for key, value in pairs}
    return SiteTask(name, checkpoint, secret, output)
