"""One run of a checkpoint while it lasts, and how it may end."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from datetime import datetime
from itertools import count
from typing import Any

from truthound._clock import Clock
from truthound._words import numbered
from truthound.checkpoint._arrived import is_arrived
from truthound.checkpoint.model import (
    CheckpointConfig,
    CheckpointResult,
    CheckpointStatus,
    RunStart,
)
from truthound.errors import RunTimeoutError, TruthoundError
from truthound.secrets import Reference, hidden, without_password
from truthound.validators import Severity, ValidationRun

logger: logging.Logger = logging.getLogger("truthound.checkpoint")


class Ticket:
    """What a runner knows of a run before it begins, and sees of it while it lasts.

    Attributes:
        run_id: which the run will have.
        result: what has been found as yet, from the beginning of its actions on.
        ledger: makes a keeper, if there is a store.
        keeper: writes the run down in that, from the beginning of its actions on.
    """

    __slots__ = ("keeper", "ledger", "result", "run_id")

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.keeper: Any = None
        self.ledger: Any = None
        self.result: CheckpointResult | None = None


# Handed to the run that begins next in this context, whatever class of checkpoint lies
# between; taken by that one only.
TICKET: ContextVar[Ticket | None] = ContextVar("truthound_ticket", default=None)


def new_run_id(name: str, template: str, now: datetime) -> str:
    """Return a run's id: ``{checkpoint}_{time}_{8 hex digits}``.

    No two of a process have the same digits, so that thousands of runs of one
    checkpoint in one second are told apart, too.
    """
    return f"{name}_{now.strftime(template)}_{next(_numbers) * _ODD & 0xFFFFFFFF:08x}"


_ODD = 0x9E3779B1  # odd: different numbers stay different; large: they look it, too


def _number_anew() -> None:
    global _numbers
    _numbers = count(int.from_bytes(os.urandom(4)))


_numbers = count()
_number_anew()
os.register_at_fork(after_in_child=_number_anew)


class Run:
    """One run while it lasts: its id, its beginning, and how it may end."""

    def __init__(
        self,
        config: CheckpointConfig,
        clock: Clock,
        context: Mapping[str, Any] | None,
        full: bool = False,
    ) -> None:
        self.config = config
        self.full = full
        self.clock = clock
        self.began = self.clock.monotonic()
        self.time: datetime = self.clock.now()
        self.ticket: Ticket | None = TICKET.get()
        if self.ticket is not None:
            TICKET.set(None)
            self.run_id = self.ticket.run_id
        else:
            self.run_id = new_run_id(config.name, config.run_name_template, self.time)
        self._keeper: Any = None
        tags = {"tags": dict(config.tags)} if config.tags else {}
        self.metadata = {**tags, **config.metadata, **(context or {})}

    def start(self) -> RunStart:
        """Return what actions are told of it when it begins."""
        return RunStart(
            run_id=self.run_id,
            checkpoint_name=self.config.name,
            run_time=self.time,
            metadata=dict(self.metadata),
        )

    @property
    def has_store(self) -> bool:
        """Whether somebody writes it down."""
        has_ledger = self.ticket is not None and self.ticket.ledger is not None
        return has_ledger or self._keeper is not None

    @property
    def store(self) -> Any:
        """The store in which it is written down; None: there is none."""
        if self._keeper is not None:
            return self._keeper.store
        ledger = None if self.ticket is None else self.ticket.ledger
        return None if ledger is None else ledger.store

    def past(self, source: str, limit: int) -> Any:
        """Return earlier runs of the same checkpoint on a source, the oldest first.

        Of files that arrive, each is compared with those before it.
        """
        asked = None if is_arrived(self.config.data_source) else source
        return self.store.past(self.config.name, asked, limit)

    def keeper(self) -> Any:
        """Return what writes down what it finds; None without a store."""
        ticket = self.ticket
        if self._keeper is None and ticket is not None and ticket.ledger is not None:
            self._keeper = ticket.keeper = ticket.ledger.keeper(self.run_id)
        return self._keeper

    def is_kept_by(self, keeper: Any) -> None:
        """Let something write down what it finds."""
        self._keeper = keeper

    def acts_on(self, result: CheckpointResult) -> None:
        """Let the runner see what was found, before the actions begin."""
        if self.ticket is not None:
            self.ticket.result = result

    def completed(self, run: ValidationRun) -> CheckpointResult:
        """Return the result of a run that was completed."""
        return self._result(
            status=_status(run, self.config),
            validation_run=run,
            data_asset=run.source,
            error=_what_failed(run),
        )

    def late(self) -> RunTimeoutError:
        """Return the error of a run that took too long."""
        seconds = self.config.timeout_seconds
        return RunTimeoutError(
            f"timeout: not finished after {seconds:g} {numbered(seconds, 'second')}"
        )

    def broken(
        self, error: Exception, source: object, secrets_of: Iterable[str]
    ) -> CheckpointResult:
        """Return the result of a run that was not.

        Args:
            error: what was raised.
            source: the data.
            secrets_of: names in the environment whose values must not be shown.
        """
        if not isinstance(error, TruthoundError):
            # The boundary of a run: nothing a user's function or an engine raises
            # may get lost or stop other runs.
            logger.error("%s failed", self.run_id, exc_info=error)
            said = f"{type(error).__name__}: {error}"
        else:
            said = str(error)
        if isinstance(source, Reference):
            said = source.hidden(said)
        said = hidden(said, secrets_of)
        return self._result(
            status=CheckpointStatus.ERROR,
            data_asset=described(source),
            error=said,
        )

    def _result(self, **found: Any) -> CheckpointResult:
        return CheckpointResult(
            run_id=self.run_id,
            checkpoint_name=self.config.name,
            run_time=self.time,
            duration_ms=(self.clock.monotonic() - self.began) * 1000,
            metadata=self.metadata,
            **found,
        )


def _status(run: ValidationRun, config: CheckpointConfig) -> CheckpointStatus:
    if run.errors:
        return CheckpointStatus.ERROR
    issues = run.issues
    if not issues:
        return CheckpointStatus.SUCCESS
    worst = issues[0].severity
    if worst == Severity.CRITICAL and config.fail_on_critical:
        return CheckpointStatus.FAILURE
    high = any(issue.severity == Severity.HIGH for issue in issues)
    if high and config.fail_on_high:
        return CheckpointStatus.FAILURE
    return CheckpointStatus.WARNING


def _what_failed(run: ValidationRun) -> str | None:
    errors = run.errors
    if not errors:
        return None
    return "; ".join(f"{check.name}: {check.error}" for check in errors)


def described(source: object) -> str:
    """Name a source for people, without any password in an address."""
    if isinstance(source, str):
        return without_password(source)
    if hasattr(source, "__fspath__"):
        return str(source)
    return getattr(source, "__qualname__", type(source).__name__)
