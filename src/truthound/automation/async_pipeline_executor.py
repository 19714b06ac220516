"""``AsyncPipelineExecutor``: many sites at once, each in a process of its own."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterable
from functools import partial

from truthound import telemetry
from truthound.async_core._tasks import stop, undisturbed
from truthound.automation._attempts import SiteRun, complete
from truthound.automation._child import threaded
from truthound.automation._executor import Executor
from truthound.automation._names import checked_names, shown_name
from truthound.automation._spawner import Spawner
from truthound.automation._story import Progress, Story
from truthound.automation.results import PipelineRun
from truthound.errors import ConfigurationError

__all__ = ["AsyncPipelineExecutor"]


class AsyncPipelineExecutor(Executor):
    """Runs the pipelines of sites side by side, each in a process of its own.

    A site that could not be completed is tried again, after a pause in which its place
    belongs to others. What goes wrong at one site stays with it. If a run is
    cancelled, every process and all that it started are asked to end, and ended after
    ``grace`` seconds; if it is cancelled again, or the program itself is killed, at
    once.

    Args:
        config: a file, which is read at once; a mapping with its keys (under
            ``pipeline:`` or flat); or None for the defaults. See
            :class:`PipelineConfig`.
        clock: tells the time; for tests.

    Raises:
        ConfigurationFileError: all that is wrong with the configuration.
    """

    async def run_all_async(self, sites: Iterable[str]) -> dict[str, bool]:
        """Run the pipelines of sites and tell which of them succeeded.

        Args:
            sites: their names. One that is there twice is run once.

        Returns:
            A result for each site, in the order given.

        Raises:
            ConfigurationError: ``sites`` is no list of texts.
        """
        return await self.run_with_progress(sites)

    async def run_with_progress(
        self, sites: Iterable[str], progress: Progress | None = None
    ) -> dict[str, bool]:
        """Run the pipelines of sites, and tell of each when it is done.

        Args:
            sites: their names. One that is there twice is run once.
            progress: called in the loop with a site, whether it succeeded, how many
                are done and how many there are. What it raises is logged.

        Returns:
            A result for each site, in the order given.

        Raises:
            ConfigurationError: ``sites`` is no list of texts.
        """
        if inspect.iscoroutinefunction(progress):
            raise ConfigurationError("progress is a plain function, and is not awaited")
        names = checked_names(sites)
        story = Story(names, self.config, self._clock, progress)
        self._tell(story)
        spawner = self._spawner()
        try:
            async with telemetry.span("pipeline.run", sites=len(names)):
                await self._run(story, spawner)
        finally:
            run = self._ended(story)
            await undisturbed(self._finished(spawner, run))
        return run.results

    async def _run(self, story: Story, spawner: Spawner) -> None:
        slots = asyncio.Semaphore(self.max_concurrent)
        tasks: set[asyncio.Task[None]] = set()
        loop = asyncio.get_running_loop()
        try:
            for name in story.names:
                await slots.acquire()
                task = loop.create_task(self._site(name, story, spawner, slots))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            if tasks:
                await asyncio.wait(tasks)
        finally:
            await stop(tasks)

    async def _site(
        self, name: str, story: Story, spawner: Spawner, slots: asyncio.Semaphore
    ) -> None:
        site = SiteRun(name, self.config, spawner, self._clock)
        story.begin(site)
        async with telemetry.span("pipeline.site", site=shown_name(name)):
            story.end(await complete(site, slots))

    async def _finished(self, spawner: Spawner, run: PipelineRun) -> None:
        work = partial(self._finish, spawner, run)
        try:
            await threaded(work)
        except OSError:  # no thread can be had: better to hold up the loop than to leak
            work()
