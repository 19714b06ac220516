"""Data that depends on what has started the run: a file, or what a function is told."""

from __future__ import annotations

import functools
import inspect
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


def knowing(source: Any, metadata: Mapping[str, Any]) -> Any:
    """Return a function of the data that is told of its run, if it wants to be.

    Args:
        source: of the data; a function wants to know if it has one parameter that must
            be given.
        metadata: what it is told: what the run was started with.
    """
    if not callable(source) or not _wants_to_know(source):
        return source
    told = functools.partial(source, dict(metadata))
    return functools.update_wrapper(told, source)


def _wants_to_know(source: Any) -> bool:
    try:
        parameters = inspect.signature(source).parameters.values()
    except (TypeError, ValueError):  # some of C have none
        return False
    needed = [
        one
        for one in parameters
        if one.default is one.empty
        and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    return len(needed) == 1
