"""``data_source: trigger:file``: a run checks the file that has started it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from truthound.errors import ConfigurationError

ARRIVED = "trigger:file"


def is_arrived(source: object) -> bool:
    """Tell whether a source is the file by which a run is started.

    Raises:
        ConfigurationError: it is another word of that kind.
    """
    if isinstance(source, str) and source.startswith("trigger:") and source != ARRIVED:
        raise ConfigurationError(
            f"data_source: {source!r} is unknown; {ARRIVED} is the file that has "
            "started the run"
        )
    return isinstance(source, str) and source == ARRIVED


def arrived(metadata: Mapping[str, Any]) -> str:
    """Return the file that has started a run.

    Args:
        metadata: what the run was started with.

    Raises:
        ConfigurationError: it was not started by one file.
    """
    file, folders = metadata.get("file"), metadata.get("folders")
    number = len(folders) if folders else metadata.get("file_count", 1)
    if not isinstance(file, str) or not file:
        raise ConfigurationError(
            f"data_source is {ARRIVED}, and no file has started this run: that is for "
            "a file_watch trigger, or give context={'file': PATH}"
        )
    if number != 1:
        raise ConfigurationError(
            f"data_source is {ARRIVED}, and this run is for {number} of them: the "
            "trigger needs per_file: true"
        )
    return file


def shown(source: object, metadata: Mapping[str, Any]) -> object:
    """Return what results call a source: of a file that arrived its path."""
    file = metadata.get("file")
    if isinstance(source, str) and source == ARRIVED and isinstance(file, str):
        return file
    return source
