"""A checkpoint: data, what must hold of it, and the rules by which a run ends."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from truthound._clock import SYSTEM_CLOCK, Clock
from truthound.checkpoint._acting import act
from truthound.checkpoint._adapter import adapt_to_async, check_told_apart, name_of
from truthound.checkpoint._arrived import arrived, is_arrived, knowing, shown
from truthound.checkpoint._asked import Asked
from truthound.checkpoint._keeping import Keeper, accepted, kept
from truthound.checkpoint._run import Run
from truthound.checkpoint._settings_of import as_record, differ, validation_of
from truthound.checkpoint._starting import telling, told_of_start
from truthound.checkpoint._strategies import (
    AsyncExecutionContext,
    ExecutionStrategy,
    SequentialStrategy,
)
from truthound.checkpoint._threads import (
    SOURCES,
    VALIDATION,
    blocking,
    in_batch,
    in_thread,
)
from truthound.checkpoint._time_limit import TimeLimit
from truthound.checkpoint._trigger import BaseTrigger
from truthound.checkpoint.model import (
    CheckpointConfig,
    CheckpointResult,
    CheckpointStatus,
)
from truthound.errors import (
    ConfigurationError,
    UnknownOptionError,
)
from truthound.secrets import (
    Reference,
    references,
    refers,
    resolved,
)
from truthound.store import Baselines, has_store
from truthound.validators import ValidationRun
from truthound.validators.validation import Validation

if TYPE_CHECKING:
    from truthound.store.database import Place

__all__ = ["Checkpoint", "CheckpointConfig", "CheckpointResult", "CheckpointStatus"]

Context = Mapping[str, Any]

# The options from which a validation is made.
_VALIDATING = (
    *("name", "validators", "validator_config", "min_severity", "schema"),
    *("auto_schema", "sample_size", "read_options", "sample_rows", "id_columns"),
    *("redact", "allow_empty", "incremental"),
)

# A function of the user's may raise it although nobody cancelled the run.
_STRAY = "the data source raised CancelledError({})"


class Checkpoint(Asked):
    """Names data, says what must hold of it, and whom to tell.

    ``run()`` finds out whether it holds, and then executes the actions, one after the
    other, blocking and asynchronous ones in any mixture. A run always ends as a result:
    bad data is a ``failure`` or ``warning``, data that cannot be read, a check that
    cannot be evaluated and a validation that takes longer than ``timeout_seconds`` are
    an ``error``.

    Args:
        name: how results and baselines call it.
        config: all options at once; or give them one by one.
        data_source: see ``truthound.check``; ``trigger:file`` is the file that has
            started the run. Nothing is looked at before a run.
        validators: see ``truthound.check``.
        actions: what to do with each result; see ``truthound.checkpoint.actions``.
        triggers: when a runner is to run it; see ``truthound.checkpoint.triggers``.
        baselines: where learned baselines are kept; None for ``.truthound/baselines``
            beside the nearest ``truthound.yaml``, else in the current folder.
        store: where runs are written down that no runner or pool does: a ``Store``, a
            path or an address; None for ``TRUTHOUND_STORE``, and if that is not set
            for none; False for none in any case.
        clock: tells the time; for tests.
        options: fields of :class:`CheckpointConfig`.

    Raises:
        UnknownOptionError: an option that does not exist (a ``TypeError``).
        ConfigurationError: an option out of range (a ``ValueError``).
        UnknownNameError: a validator that does not exist.
    """

    config_class: type[CheckpointConfig] = CheckpointConfig

    def __init__(
        self,
        name: str | None = None,
        config: CheckpointConfig | None = None,
        *,
        actions: Sequence[Any] = (),
        triggers: Sequence[Any] = (),
        baselines: Baselines | None = None,
        store: Place = None,
        clock: Clock = SYSTEM_CLOCK,
        **options: Any,
    ) -> None:
        if name is not None:
            options["name"] = name
        known = [f.name for f in dataclasses.fields(self.config_class)]
        for option in options:
            if option not in known:
                known += ["actions", "triggers", "baselines", "store", "clock"]
                raise UnknownOptionError(type(self).__name__, option, known)
        if config is None:
            config = self.config_class(**options)
        elif options:
            config = dataclasses.replace(config, **options)
        self.config = config
        self.actions: list[Any] = []
        self.triggers: list[BaseTrigger[Any]] = []
        self.baselines = baselines
        self.store = store
        self.clock = clock
        self.full: bool = False  # read all files in every run
        # Told of each trigger that is added: by runners that run this checkpoint.
        self.listeners: list[Callable[[BaseTrigger[Any]], None]] = []
        # Where each ${NAME} stands, if the configuration came from a file.
        self.places: Mapping[str, str] = {}
        self._built: tuple[tuple[Any, ...], Validation] | None = None
        # What is wrong is said now, not at night; what the environment holds may not
        # be known yet.
        if not self._refers():
            self._validation()
        for action in actions:
            self.add_action(action)
        for trigger in triggers:
            self.add_trigger(trigger)

    @property
    def name(self) -> str:
        """The checkpoint's name."""
        return self.config.name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def add_action(self, action: Any) -> Self:
        """Add an action, after those that are there, and return the checkpoint.

        Raises:
            TypeError: it has neither ``execute()`` nor ``execute_async()``.
            ConfigurationError: another notification with a policy has its name.
        """
        adapt_to_async(action)
        check_told_apart([*self.actions, action])
        self.actions.append(action)
        return self

    def add_trigger(self, trigger: BaseTrigger[Any]) -> Self:
        """Add a trigger, and return the checkpoint.

        Raises:
            TypeError: it is no trigger.
        """
        if not isinstance(trigger, BaseTrigger):
            raise TypeError(
                f"expected a trigger, derived from BaseTrigger or AsyncBaseTrigger, "
                f"got {type(trigger).__name__}"
            )
        trigger.attach(self)
        self.triggers.append(trigger)
        for came in list(self.listeners):
            came(trigger)
        return self

    def run(
        self, context: Context | None = None, *, full: bool = False
    ) -> CheckpointResult:
        """Validate the data, execute the actions and return the result. Blocks.

        A small Polars frame is evaluated in place, all else on a worker thread.
        Interrupted (Ctrl-C), the run is given up and the interrupt goes on.

        Args:
            context: copied into the result's ``metadata``.
            full: read all files of an incremental checkpoint.
        """
        if has_store(self.store) or told_of_start(self.actions):
            kept: CheckpointResult = blocking(
                lambda: self.run_async(context, full=full)
            )
            return kept
        run = Run(self.config, self.clock, context, full or self.full)
        result = self._validated(run)
        if self.actions:
            blocking(lambda: self._act(run, result))
        return result

    async def run_async(
        self, context: Context | None = None, *, full: bool = False
    ) -> CheckpointResult:
        """Validate the data, execute the actions and return the result.

        The loop is not blocked. If cancelled, the run is given up and the cancellation
        goes on.

        Args:
            context: copied into the result's ``metadata``.
            full: read all files of an incremental checkpoint.
        """
        run = Run(self.config, self.clock, context, full or self.full)
        # Whoever runs it has already asked the environment, or was told not to.
        is_said = self.store is not None or run.ticket is None
        if is_said and has_store(self.store) and not run.has_store:
            return await self._kept(run, context)
        return await self._whole(run)

    async def _whole(self, run: Run) -> CheckpointResult:
        told = told_of_start(self.actions)
        if not told:
            return await self._judged_and_acted_on(run)
        async with telling(told, run.start()):
            return await self._judged_and_acted_on(run)

    async def _judged_and_acted_on(self, run: Run) -> CheckpointResult:
        result = await self._validated_async(run)
        if self.actions:
            await self._act(run, result)
        return result

    async def _kept(self, run: Run, context: Context | None) -> CheckpointResult:
        """Do a run that belongs to no runner, and write it down."""

        async def work(keeper: Keeper | None) -> CheckpointResult:
            run.is_kept_by(keeper)
            return await self._whole(run)

        record = accepted(self.name, run.run_id, run.time, context)
        return await kept(self.store, record, self.clock, work)

    def _validated(self, run: Run) -> CheckpointResult:
        try:
            source = self._source(run)
            validation = self._validation()
            judge = partial(self._judged, run, validation, source)
            if validation.runs_in_place(source):
                return run.completed(judge())
            future = VALIDATION.submit(judge)
            try:
                return run.completed(future.result(self.config.timeout_seconds or None))
            except TimeoutError as error:
                if future.done():  # raised by the work itself
                    raise
                raise run.late() from error
            finally:
                VALIDATION.give_up(future)
        except Exception as error:  # noqa: BLE001 - the boundary of a run: Run says it
            return self._broken(run, error)

    async def _validated_async(self, run: Run) -> CheckpointResult:
        task = asyncio.current_task()
        before = task.cancelling() if task else 0
        limit = TimeLimit(self.config.timeout_seconds)
        try:
            return run.completed(await self._found(run, limit))
        except asyncio.CancelledError as error:
            if task is not None and task.cancelling() > before:
                raise
            return self._broken(run, RuntimeError(_STRAY.format(error)))
        except Exception as error:  # noqa: BLE001 - the boundary of a run: Run says it
            return self._broken(run, run.late() if limit.is_over() else error)

    async def _found(self, run: Run, limit: TimeLimit) -> Any:
        source, validation = self._source(run), self._validation()
        if validation.runs_in_place(source):
            # Microseconds on columns in memory: there is nothing to limit.
            return await in_batch(partial(self._judged, run, validation, source))
        async with limit:
            if callable(source):
                # It may block, so it is called in a thread; what it returns may belong
                # to this loop, so it is awaited here.
                source = await in_thread(limit.counted(source), SOURCES)
                if inspect.isawaitable(source):
                    with limit.counting():
                        source = await source
            work = partial(self._judged, run, validation, source)
            return await in_thread(limit.counted(work))

    def _judged(self, run: Run, validation: Validation, source: Any) -> ValidationRun:
        store = run.store
        return validation.run(
            source,
            run.run_id,
            parts=store,
            full=run.full,
            past=None if store is None else run.past,
        )

    async def _act(self, run: Run, result: CheckpointResult) -> None:
        """Execute the actions on a result, and note in it how they ended."""
        run.acts_on(result)
        context = self._execution_context()
        await act(self.actions, self._strategy(), context, result, run.keeper())

    def _strategy(self) -> ExecutionStrategy:
        return SequentialStrategy()

    def _execution_context(self) -> AsyncExecutionContext:
        return AsyncExecutionContext()

    def validate(self) -> list[str]:
        """Return what is wrong with the configuration, in words; empty if nothing.

        The data is not read.
        """
        problems = []
        source = self.config.data_source
        if source is None or (isinstance(source, str) and not source.strip()):
            problems.append("data_source is missing")
        try:
            if isinstance(source := self._source(), Reference):
                os.fspath(source)  # what the environment does not hold is said now
        except ConfigurationError as error:
            problems.append(str(error))
        try:
            if not self._validation().validators:
                problems.append("there are no validators")
        except ConfigurationError as error:
            problems.append(str(error))
        for part in (*self.actions, *self.triggers):
            check = getattr(part, "validate_config", None)
            found = check() if callable(check) else ()
            problems += [f"{name_of(part)}: {text}" for text in found]
        return [f"{self.name}: {problem}" for problem in dict.fromkeys(problems)]

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as plain values, without any secret."""
        return as_record(self)

    def _broken(self, run: Run, error: Exception) -> CheckpointResult:
        source = shown(self.config.data_source, run.metadata)
        if isinstance(source, str) and "${" in source:
            source = self._source()
        return run.broken(error, source, references(self._texts()))

    def _validation(self) -> Validation:
        """Return what the configuration says, made anew when it was changed."""
        config = self.config
        settings = tuple(getattr(config, option) for option in _VALIDATING)
        if self._built is None or differ(self._built[0], settings):
            frozen = tuple(
                value.copy() if isinstance(value, (list, dict)) else value
                for value in settings
            )
            self._built = (frozen, validation_of(self, self._reading()))
            if self._refers():  # the environment may say something else next time
                validation, self._built = self._built[1], None
                return validation
        return self._built[1]

    def _source(self, run: Run | None = None) -> Any:
        source = self.config.data_source
        if is_arrived(source):
            return source if run is None else arrived(run.metadata)
        if isinstance(source, str) and "${" in source:
            return Reference(source, places=self.places)
        return source if run is None else knowing(source, run.metadata)

    def _refers(self) -> bool:
        return refers(self._texts())

    def _texts(self) -> list[Any]:
        """Return the settings in which ``${NAME}`` is read from the environment."""
        config = self.config
        return [
            config.validators,
            config.validator_config,
            config.schema,
            config.read_options,
        ]

    def _reading(self) -> dict[str, Any]:
        config = self.config
        read: dict[str, Any] = dict(resolved(config.read_options, self.places))
        if config.sample_size is not None:
            read["sample_size"] = config.sample_size
        return read
