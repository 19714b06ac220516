"""Pipelines of sites: a process for each, many at once, and nothing left behind."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from truthound.automation.async_pipeline_executor import AsyncPipelineExecutor
    from truthound.automation.config import PipelineConfig, load_config
    from truthound.automation.pipeline_executor import PipelineExecutor
    from truthound.automation.results import Attempt, PipelineRun, SiteResult
    from truthound.automation.universal_runner import UniversalRunner

# Loaded when first used: the processes of sites need only some of it.
_HOMES = {
    "AsyncPipelineExecutor": "async_pipeline_executor",
    "Attempt": "results",
    "PipelineConfig": "config",
    "PipelineExecutor": "pipeline_executor",
    "PipelineRun": "results",
    "SiteResult": "results",
    "UniversalRunner": "universal_runner",
    "load_config": "config",
}

__all__ = [
    "AsyncPipelineExecutor",
    "Attempt",
    "PipelineConfig",
    "PipelineExecutor",
    "PipelineRun",
    "SiteResult",
    "UniversalRunner",
    "load_config",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
