"""From a site to its processes: what is started, and whether to try again."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import logging
import random
import signal
import sys

from truthound._clock import SYSTEM_CLOCK, Clock
from truthound.async_core._policy import RetryPolicy
from truthound.automation._child import KEPT, Child, Ended
from truthound.automation._commands import filled
from truthound.automation._ending import Exit
from truthound.automation._logs import Log, headline
from truthound.automation._names import shown_name
from truthound.automation._site_config import Site
from truthound.automation._spawner import Spawner
from truthound.automation._status import path_of, read_status
from truthound.automation._task import MATRIX, VARIABLE, task_of
from truthound.automation.config import PipelineConfig, variables
from truthound.automation.results import Attempt, Outcome, SiteResult
from truthound.errors import ConfigurationError
from truthound.secrets import hidden, references

logger: logging.Logger = logging.getLogger("truthound.automation")

MODULE = "truthound.automation.site"
FLAGS = ("--schema-matrix", "--emit-status")
NAME = "TRUTHOUND_SITE"  # tells any command the site's name
# Exit codes of the default command, for people.
_MEANINGS: dict[int, str] = {
    Exit.UNHEALTHY: "its data is not as it should be",
    Exit.USAGE: "its configuration is wrong",
    Exit.INCOMPLETE: "it could not be completed",
    Exit.INTERRUPTED: "it was interrupted",
    Exit.TERMINATED: "it was terminated",
}
_AGAIN: frozenset[int | str] = frozenset(
    {Exit.INCOMPLETE, Exit.INTERRUPTED, Exit.TERMINATED, "signal", "timeout"}
)
# A program that is not there will not be there in a second.
_FINAL = {errno.ENOENT, errno.EACCES, errno.ENOEXEC, errno.E2BIG, errno.ENOTDIR}
LONGEST_PAUSE = 60.0  # seconds


class _Linear(RetryPolicy):
    """Waits once, twice, three times as long."""

    def get_backoff_delay(self, attempt: int) -> float:
        return self.backoff_factor * (attempt + 1)


def policy_of(config: PipelineConfig, attempts: int) -> RetryPolicy:
    """Return when to make which attempt of a site."""
    kind = _Linear if config.retry_backoff == "linear" else RetryPolicy
    return kind(
        max_retries=attempts - 1,
        backoff_factor=config.retry_delay,
        backoff_base=1.0 if config.retry_backoff == "fixed" else 2.0,
        max_delay=LONGEST_PAUSE,
        random=random.random,
    )


class SiteRun:
    """One site's way through a run: its attempts, one after the other.

    Args:
        name: the site.
        config: how it is run.
        spawner: starts its processes.
        clock: tells the time; for tests.

    Attributes:
        attempts: those that have ended.
        waits: whether it is between two of them.
    """

    def __init__(
        self,
        name: str,
        config: PipelineConfig,
        spawner: Spawner,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.name = name
        self.attempts: list[Attempt] = []
        self._config = config
        self._spawner = spawner
        self._clock = clock
        self._site = Site(name)
        self._is_started = False
        self.waits: bool = False
        self._outcome: Outcome = "interrupted"
        self._error: str | None = None
        self._child: Child | None = None
        self._log = Log(None, name)
        self._began = clock.monotonic()

    def child(self) -> Child | None:
        """Return the process of the next attempt; None if there can be none."""
        self.waits = False
        self._outcome, self._error, self._child = "interrupted", None, None
        try:
            self._site = self._config.site(self.name)
            child = self._child = self._made()
        except ConfigurationError as error:
            self._outcome, self._error = "incomplete", str(error)
            return None
        self._is_started = True
        self._started_at = self._clock.now()
        self._began = self._clock.monotonic()
        return child

    @property
    def number(self) -> int:
        """The number of the attempt under way."""
        return len(self.attempts) + 1

    @property
    def seconds(self) -> float:
        """How long the attempt under way has lasted."""
        return self._clock.monotonic() - self._began

    def ended(self, ended: Ended) -> float | None:
        """Note how a process ended; return the pause before the next, None for none."""
        code = ended.code
        said = _MEANINGS.get(code or 0) if self._is_default() else None
        words = {
            "exit": f"{said} (exit code {code})" if said else f"exit code {code}",
            "signal": f"killed by {_signal_name(ended.signal)}",
            "timeout": f"not finished after {self._limit():g} s",
            "stopped": "interrupted",
            "lost": "its process was lost",
            "crashed": f"it ended without having checked anything (exit code {code})",
        }
        error = None if ended.by == "exit" and not code else words[ended.by]
        self._note(ended, error)
        if ended.by == "stopped":
            self._outcome, self._error = "interrupted", error
            return None
        self._error = error
        if error is None:
            self._outcome = "success"
            return None
        incomplete = ended.by != "exit" or (
            self._is_default() and code != Exit.UNHEALTHY
        )
        self._outcome = "incomplete" if incomplete else "failure"
        return self._pause() if self._is_worth_trying(ended) else None

    def not_started(self, error: OSError) -> float | None:
        """Note that there was no process; return the pause before the next try."""
        reason = error.strerror or str(error)
        what = f" ({error.filename})" if error.filename else ""
        self._outcome = "incomplete"
        self._error = self._hidden(f"not started: {reason}{what}")
        self._note(Ended(by="lost"), self._error)
        return None if error.errno in _FINAL else self._pause()

    def broke(self, error: Exception) -> None:
        """Note an error that is nobody's but ours."""
        logger.exception("%s failed", shown_name(self.name))
        self.waits = False
        self._outcome = "incomplete"
        self._error = self._hidden(f"unexpected {type(error).__name__}: {error}")

    def result(self) -> SiteResult:
        """Return what became of the site, so far."""
        self._log.close()
        error = self._error
        if self._outcome == "interrupted" and self._child and self._child.ended:
            self._note(self._child.ended, "interrupted")
            self._child = None
        if self.waits:
            self._outcome = "interrupted"
            error = f"interrupted between two attempts ({error})"
        elif self._outcome == "interrupted":
            error = "interrupted" if self._is_started else "interrupted before it began"
        return SiteResult(
            site=self.name,
            outcome=self._outcome,
            attempts=tuple(self.attempts),
            error=error,
            ended_at=self._clock.now(),
            log=None if self._log.path is None else str(self._log.path),
        )

    def _note(self, ended: Ended, error: str | None) -> None:
        self.attempts.append(
            Attempt(
                number=len(self.attempts) + 1,
                started_at=self._started_at,
                seconds=ended.seconds,
                exit_code=ended.code,
                signal=_signal_name(ended.signal),
                error=error,
                output=self._hidden(ended.output)[-KEPT:],
                peak_memory=ended.peak,
            )
        )

    def _hidden(self, message: str) -> str:
        texts = [*(self._config.command or ()), *self._config.environment.values()]
        texts += self._site.environment.values()
        if self._site.options is not None:
            texts += [scalar.text for scalar in self._site.options.scalars()]
        return hidden(message, references(texts))

    def _is_default(self) -> bool:
        return self._config.command is None

    def _is_worth_trying(self, ended: Ended) -> bool:
        again = self._config.retry_on
        if again is None and not self._is_default():
            return True
        again = _AGAIN if again is None else again
        if ended.by == "exit":
            return ended.code in again
        # A process that was lost may well have been killed.
        return ("timeout" if ended.by == "timeout" else "signal") in again

    def _pause(self) -> float | None:
        number = len(self.attempts) - 1
        pause = policy_of(self._config, self._most()).wait(number, 0.0)
        self.waits = pause is not None
        return pause

    def _most(self) -> int:
        own = self._site.retry_count
        return self._config.retry_count if own is None else own

    def _limit(self) -> float:
        own = self._site.timeout
        return self._config.timeout if own is None else own

    def _made(self) -> Child:
        config, site = self._config, self._site
        env = {
            **variables(config.environment),
            **variables(site.environment),
            NAME: site.name,
        }
        for name, value in env.items():
            if "\0" in value or "=" in name or not name:
                raise ConfigurationError(f"environment: {name!r} cannot be passed")
        content = b""
        if config.command is None:
            env[VARIABLE], env[MATRIX] = "-", "later"
            env["PYTHONSAFEPATH"] = "1"  # what lies in the folder hides no module
            content = task_of(config, site).encode()
            arguments = [f"--site={site.name}", *FLAGS]
            is_warm = config.isolation == "warm"
            argv = arguments if is_warm else [sys.executable, "-m", MODULE, *arguments]
        else:
            argv = filled(config.command, site.name)
        return Child(
            self._spawner,
            argv,
            env,
            stdin=content,
            seconds=self._limit(),
            grace=config.grace,
            begin=self._begin_log,
            sink=lambda piece: self._log.write(piece),
            judge=self._judged,
            clock=self._clock,
        )

    def _judged(self, ended: Ended) -> Ended:
        # An interpreter that does not get as far as our code ends with 1, too.
        if not self._is_default() or ended.by != "exit" or ended.code != Exit.UNHEALTHY:
            return ended
        path = path_of(self._config.output_directory, self.name)
        with contextlib.suppress(OSError):  # a StoreError is one
            if read_status(path).run_time >= self._started_at.isoformat():
                return ended
        return dataclasses.replace(ended, by="crashed")

    def _begin_log(self) -> None:
        if self._config.log_directory is None:
            return
        if not self.attempts:
            self._log = Log(self._config.log_directory, self.name)
            self._log.open()
        now = self._clock.now().strftime("%Y-%m-%d %H:%M:%S UTC")
        self._log.write(headline(self.number, self._most(), now))


def _signal_name(number: int | None) -> str | None:
    if number is None:
        return None
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def complete_blocking(run: SiteRun, clock: Clock) -> SiteResult:
    """Make the attempts of one site. Blocks.

    Interrupted (Ctrl-C), its process is ended and the interrupt goes on.
    """
    try:
        while (child := run.child()) is not None:
            try:
                pause = run.ended(child.run_blocking())
            except OSError as error:
                pause = run.not_started(error)
            if pause is None:
                break
            clock.sleep(pause)
    except Exception as error:  # noqa: BLE001 - logged and told; others go on
        run.broke(error)
    return run.result()


async def complete(run: SiteRun, slots: asyncio.Semaphore) -> SiteResult:
    """Make the attempts of one site, and give back its slot.

    The slot belongs to others while the site waits for its next attempt. If cancelled,
    its process is ended and the cancellation goes on.

    Args:
        run: the site.
        slots: one of them is held already.
    """
    has_slot = True
    try:
        while (child := run.child()) is not None:
            try:
                pause = run.ended(await child.run())
            except OSError as error:
                pause = run.not_started(error)
            if pause is None:
                break
            slots.release()
            has_slot = False
            await asyncio.sleep(pause)
            await slots.acquire()
            has_slot = True
    except Exception as error:  # noqa: BLE001 - logged and told; others go on
        run.broke(error)
    finally:
        if has_slot:
            slots.release()
    return run.result()
