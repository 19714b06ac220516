"""``PipelineAction``: the pipelines of sites as what comes of a checkpoint."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from typing import Any

from truthound.automation._names import shown_name
from truthound.automation.async_pipeline_executor import AsyncPipelineExecutor
from truthound.automation.config import DEFAULT_PATH, PipelineConfig, load_config
from truthound.checkpoint._action import ActionConfig, NativeAction, check_number
from truthound.checkpoint._threads import ACTIONS, in_thread
from truthound.checkpoint.model import ActionResult, CheckpointResult
from truthound.errors import ConfigurationError


@dataclass
class PipelineActionConfig(ActionConfig):
    """Options of a :class:`PipelineAction`.

    Attributes:
        config_path: the configuration of the pipelines.
        sites: those that are run; None for all that it names.
        max_concurrent_sites: how many at once; None: as it says.
        timeout_seconds: for all of them together; 0: each has its own limit.
    """

    config_path: str | os.PathLike[str] = DEFAULT_PATH
    sites: list[str] | None = None
    max_concurrent_sites: int | None = None
    timeout_seconds: float = 0

    def check(self) -> None:
        super().check()
        if isinstance(self.sites, str):
            raise ConfigurationError(f"sites is a list of names, not {self.sites!r}")
        if self.sites is not None and not self.sites:
            raise ConfigurationError("sites is empty; leave it out for all of them")
        if self.max_concurrent_sites is not None:
            check_number("max_concurrent_sites", self.max_concurrent_sites, kind=int)
            if not self.max_concurrent_sites:
                raise ConfigurationError("max_concurrent_sites is 1 or more")


class PipelineAction(NativeAction[PipelineActionConfig]):
    """Runs the pipelines of sites, each in a process of its own.

    It succeeds if all of them do. The processes know ``TRUTHOUND_CHECKPOINT``,
    ``TRUTHOUND_RUN_ID`` and ``TRUTHOUND_STATUS``. In a configuration file it is
    ``type: site_pipeline``.

    Example:
        >>> action = PipelineAction(config_path="automation/config.yaml")
        >>> action.action_type
        'site_pipeline'
    """

    action_type: str = "site_pipeline"
    is_owed: bool = False  # the pipelines have tries of their own

    def validate_config(self) -> list[str]:
        try:
            self._loaded()
        except ConfigurationError as error:
            return [str(error)]
        return []

    async def _execute_async(self, checkpoint_result: CheckpointResult) -> ActionResult:
        config = await in_thread(self._loaded, ACTIONS)
        told = {
            "TRUTHOUND_CHECKPOINT": checkpoint_result.checkpoint_name,
            "TRUTHOUND_RUN_ID": checkpoint_result.run_id,
            "TRUTHOUND_STATUS": str(checkpoint_result.status),
        }
        told = {name: value.replace("${", "$${") for name, value in told.items()}
        config = dataclasses.replace(config, environment={**config.environment, **told})
        sites = self._config.sites
        executor = AsyncPipelineExecutor(config)
        results = await executor.run_all_async(config.sites if sites is None else sites)
        run = executor.last_run
        assert run is not None  # it has just ended
        details: dict[str, Any] = {"results": results, "seconds": run.seconds}
        if run.success:
            return self.result("success", run.summary(), **details)
        details["errors"] = {r.site: r.error for r in run.failures}
        names = ", ".join(shown_name(r.site) for r in run.failures[:10])
        error = f"{run.summary()}: {names}"
        return self.result("failure", run.summary(), error=error, **details)

    def _loaded(self) -> PipelineConfig:
        config = load_config(self._config.config_path)
        most = self._config.max_concurrent_sites
        if most is not None:
            config = dataclasses.replace(config, max_concurrent_sites=most)
        if self._config.sites is None and not config.sites:
            raise ConfigurationError(f"{config.name}: it names no sites")
        return config
