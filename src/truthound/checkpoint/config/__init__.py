"""Checkpoints from ``truthound.yaml``, or from JSON of the same form.

Whatever is wrong with a file is said at once, each fault with its line and column.
"""

from __future__ import annotations

import os
from pathlib import Path

from truthound.checkpoint.checkpoint import Checkpoint
from truthound.checkpoint.config._checkpoints import checkpoints_of
from truthound.checkpoint.config._document import Problems, read, scalar
from truthound.errors import ConfigurationFileError
from truthound.store import Baselines
from truthound.store._place import CONFIGURATIONS, find_configuration
from truthound.store.baselines import FOLDER

__all__ = ["FILE_NAMES", "find_configuration", "load_checkpoints", "scalar"]

FILE_NAMES = CONFIGURATIONS


def load_checkpoints(
    path: str | os.PathLike[str] | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> list[Checkpoint]:
    """Return the checkpoints of a configuration file, in its order.

    Relative paths in the file begin at its folder. Each ``${NAME}`` is read from the
    environment when its checkpoint runs or is validated, and never shown. No data is
    looked at.

    Args:
        path: a YAML or JSON file; None for the nearest ``truthound.yaml`` here or
            in a folder above.
        folder: where relative paths in the file begin; None for its own folder.

    Raises:
        ConfigurationFileError: all that is wrong, as ``file:line:column: what``; or
            there is no such file.

    Example:
        >>> import pathlib
        >>> _ = pathlib.Path("truthound.yaml").write_text('''
        ... checkpoints:
        ...   - name: rides
        ...     data_source: rides.parquet
        ...     validators: [null, {range: {column: fare, min: 0}}]
        ... ''')
        >>> load_checkpoints()
        [Checkpoint('rides')]
    """
    file = find_configuration() if path is None else Path(path)
    if file is None:
        raise ConfigurationFileError(
            [f"there is no {FILE_NAMES[0]} here or in a folder above"]
        )
    problems = Problems(shown_path(file))
    root = read(file, problems)
    problems.raise_any()
    found = checkpoints_of(
        root,
        problems,
        file.parent if folder is None else Path(folder),
        Baselines(file.parent / FOLDER),
    )
    problems.raise_any()
    return found


def shown_path(path: Path) -> str:
    """Return a path for messages: relative to the current folder where it can be."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):  # elsewhere; or the current folder is gone
        return str(path)
