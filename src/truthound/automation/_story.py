"""A run while it lasts: what every executor tells and keeps of it."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence

from truthound._clock import Clock
from truthound.automation._attempts import SiteRun
from truthound.automation._names import shown_name
from truthound.automation.config import PipelineConfig
from truthound.automation.results import PipelineRun, SiteResult

logger: logging.Logger = logging.getLogger("truthound.automation")

# Called with a site, whether it succeeded, how many are done, and of how many.
Progress = Callable[[str, bool, int, int], object]


class Story:
    """What happened so far in one run.

    Attributes:
        names: of all sites, in the order given.
        active: the sites under way.
        ended: the results that there are, in the order in which they came.
    """

    def __init__(
        self,
        names: Sequence[str],
        config: PipelineConfig,
        clock: Clock,
        told: Progress | None = None,
    ) -> None:
        self.names = names
        self.active: dict[str, SiteRun] = {}
        self.ended: dict[str, SiteResult] = {}
        self._config = config
        self._clock = clock
        self._told = told
        now = clock.now()
        self._run_id = f"{now:%Y%m%d_%H%M%S}_{secrets.token_hex(4)}"
        self._started_at = now
        self._began = clock.monotonic()

    def begin(self, site: SiteRun) -> None:
        """Note that a site is under way."""
        self.active[site.name] = site
        logger.info("processing %s", shown_name(site.name))

    def end(self, result: SiteResult) -> None:
        """Note what became of a site, and tell of it."""
        self.active.pop(result.site, None)
        self.ended[result.site] = result
        if not result.success and not self._config.error_aggregation:
            logger.error("%s", result.summary())
        done, total = len(self.ended), len(self.names)
        if self._config.progress_reporting:
            logger.info("Progress: %d/%d sites completed", done, total)
        if self._told is not None:
            try:
                self._told(result.site, result.success, done, total)
            except Exception:
                name = shown_name(result.site)
                logger.exception("the progress callback raised at %s", name)

    def close(self) -> PipelineRun:
        """Return the whole run; what has not ended was interrupted."""
        for site in list(self.active.values()):
            self.ended[site.name] = site.result()
        sites = {}
        for name in self.names:
            found = self.ended.get(name)
            sites[name] = found or SiteResult(
                site=name, outcome="interrupted", error="interrupted before it began"
            )
        run = PipelineRun(
            run_id=self._run_id,
            started_at=self._started_at,
            seconds=self._clock.monotonic() - self._began,
            sites=sites,
            interrupted=any(s.outcome == "interrupted" for s in sites.values()),
        )
        if run.failures and self._config.error_aggregation:
            logger.error("%s\n%s", run.summary(), run.error_summary())
        else:
            logger.info("%s", run.summary())
        return run
