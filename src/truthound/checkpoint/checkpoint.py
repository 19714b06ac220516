"""A checkpoint: data, what must hold of it, and the rules by which a run ends."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from truthound._clock import SYSTEM_CLOCK, Clock
from truthound._words import numbered
from truthound.checkpoint._run import Run, described
from truthound.checkpoint._threads import VALIDATION, in_thread
from truthound.checkpoint.model import CheckpointConfig, CheckpointResult
from truthound.data import ReadOptions
from truthound.errors import (
    ConfigurationError,
    RunTimeoutError,
    UnknownOptionError,
    did_you_mean,
)
from truthound.secrets import Reference, references, refers, resolved
from truthound.store import Baselines
from truthound.validators import Examples, Severity, Validator
from truthound.validators.registry import build_all
from truthound.validators.validation import DEFAULT_VALIDATORS, Validation

if TYPE_CHECKING:
    from truthound.profile import Profile

Context = Mapping[str, Any]

# A function of the user's may raise it although nobody cancelled the run.
_STRAY = "the data source raised CancelledError({})"


class Checkpoint:
    """Names data and says what must hold of it; ``run()`` finds out whether it does.

    A run always ends as a result: bad data is a ``failure`` or ``warning``, data
    that cannot be read, a check that cannot be evaluated and a run that takes longer
    than ``timeout_seconds`` are an ``error``.

    Args:
        name: how results and baselines call it.
        config: all options at once; or give them one by one.
        data_source: see ``truthound.check``. Nothing is looked at before a run.
        validators: see ``truthound.check``.
        baselines: where learned baselines are kept; None for ``.truthound/baselines``
            beside the nearest ``truthound.yaml``, else in the current folder.
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
        clock: Clock = SYSTEM_CLOCK,
        **options: Any,
    ) -> None:
        if name is not None:
            options["name"] = name
        known = [f.name for f in dataclasses.fields(self.config_class)]
        for option in options:
            if option not in known:
                known += ["actions", "triggers", "baselines", "clock"]
                raise UnknownOptionError(type(self).__name__, option, known)
        if config is None:
            config = self.config_class(**options)
        elif options:
            config = dataclasses.replace(config, **options)
        for what, given in (("actions", actions), ("triggers", triggers)):
            if given:
                raise ConfigurationError(
                    f"{what} are not part of this release; "
                    f"act on the result that run() returns"
                )
        self.config = config
        self.actions: list[Any] = []
        self.triggers: list[Any] = []
        self.baselines = baselines
        self.clock = clock
        # Where each ${NAME} stands, if the configuration came from a file.
        self.places: Mapping[str, str] = {}
        self._built: tuple[tuple[Any, ...], Validation] | None = None
        # What is wrong is said now, not at night; what the environment holds may not
        # be known yet.
        if not self._refers():
            self._validation()

    @property
    def name(self) -> str:
        """The checkpoint's name."""
        return self.config.name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def run(self, context: Context | None = None) -> CheckpointResult:
        """Validate the data and return the result. Blocks.

        A small Polars frame is evaluated in place, all else on a worker thread.
        Interrupted (Ctrl-C), the run is given up and the interrupt goes on.

        Args:
            context: copied into the result's ``metadata``.
        """
        run = Run(self.config, self.clock, context)
        try:
            source = self._source()
            validation = self._validation()
            if validation.runs_in_place(source):
                return run.completed(validation.run(source, run.run_id))
            future = VALIDATION.submit(lambda: validation.run(source, run.run_id))
            try:
                return run.completed(future.result(self.config.timeout_seconds or None))
            except TimeoutError as error:
                if future.done():  # raised by the work itself
                    raise
                raise self._late() from error
            finally:
                VALIDATION.give_up(future)
        except Exception as error:  # noqa: BLE001 - the boundary of a run: Run says it
            return self._broken(run, error)

    async def run_async(self, context: Context | None = None) -> CheckpointResult:
        """Validate the data and return the result, without blocking the loop.

        If cancelled, the run is given up and the cancellation goes on.

        Args:
            context: copied into the result's ``metadata``.
        """
        run = Run(self.config, self.clock, context)
        deadline = asyncio.timeout(self.config.timeout_seconds or None)
        try:
            async with deadline:
                source = self._source()
                if callable(source):
                    # It may block, so it is called in a thread; what it returns may
                    # belong to this loop, so it is awaited here.
                    source = await in_thread(source)
                    if inspect.isawaitable(source):
                        source = await source
                validation = self._validation()
                found = await in_thread(lambda: validation.run(source, run.run_id))
                return run.completed(found)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return self._broken(run, RuntimeError(_STRAY.format(error)))
        except Exception as error:  # noqa: BLE001 - the boundary of a run: Run says it
            return self._broken(run, self._late() if deadline.expired() else error)

    def validate(self) -> list[str]:
        """Return what is wrong with the configuration, in words; empty if nothing.

        The data is not read.
        """
        problems = []
        source = self.config.data_source
        if source is None or (isinstance(source, str) and not source.strip()):
            problems.append(f"{self.name}: data_source is missing")
        try:
            if isinstance(source := self._source(), Reference):
                os.fspath(source)  # what the environment does not hold is said now
        except ConfigurationError as error:
            problems.append(f"{self.name}: {error}")
        try:
            if not self._validation().validators:
                problems.append(f"{self.name}: there are no validators")
        except ConfigurationError as error:
            problems.append(f"{self.name}: {error}")
        return list(dict.fromkeys(problems))

    def explain(self) -> str:
        """Say in words what a run will ask the data; only its columns are looked at.

        Raises:
            DataError: the source cannot be opened.
        """
        return self._validation().plan(self._source()).explain()

    def profile(self) -> Profile:
        """Describe the columns of its data, without the values of ``redact``. Blocks.

        Raises:
            DataError: the data cannot be read.
        """
        from truthound.profile import profile

        redact = self._validation().examples.redact
        return profile(self._source(), redact=redact, **self._reading())

    def write_failing(self, path: str | os.PathLike[str]) -> int:
        """Write all rows that fail a check to a file, so that they can be set aside.

        Blocks; the data is read once more. Before its own columns a row has
        ``_row``, its number from 1, and ``_failed_checks``, the names of the checks
        that it fails. Rows that ``mostly`` puts up with are among them.

        Args:
            path: ends with ``.parquet`` or ``.csv``; an existing file is replaced.

        Returns:
            How many rows were written.

        Raises:
            ConfigurationError: another suffix.
            DataError: the data cannot be read.
            StoreError: the file cannot be written.
        """
        return self._validation().write_failing(self._source(), path)

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as plain values, without any secret."""
        from truthound.validators import to_plain

        record = {
            f.name: getattr(self.config, f.name)
            for f in dataclasses.fields(self.config)
            if f.name not in {"data_source", "validators"}
        }
        record["read_options"] = {
            key: value
            for key, value in self.config.read_options.items()
            if key != "storage_options"
        }
        record["data_source"] = described(self.config.data_source)
        record["validators"] = (
            self.config.validators
            if self._refers()
            else [{v.rule: v.options()} for v in self._validation().validators]
        )
        plain: dict[str, Any] = to_plain(record)
        return plain

    def _broken(self, run: Run, error: Exception) -> CheckpointResult:
        return run.broken(error, self._source(), references(self._texts()))

    def _late(self) -> RunTimeoutError:
        limit = self.config.timeout_seconds
        return RunTimeoutError(
            f"timeout: not finished after {limit:g} {numbered(limit, 'second')}"
        )

    def _validation(self) -> Validation:
        """Return what the configuration says, made anew when it was changed."""
        config = self.config
        settings = (
            config.name,
            config.validators,
            config.validator_config,
            config.min_severity,
            config.schema,
            config.auto_schema,
            config.sample_size,
            config.read_options,
            config.sample_rows,
            config.id_columns,
            config.redact,
            config.allow_empty,
        )
        if self._built is None or _differ(self._built[0], settings):
            frozen = tuple(
                value.copy() if isinstance(value, (list, dict)) else value
                for value in settings
            )
            self._built = (frozen, self._build())
            if self._refers():  # the environment may say something else next time
                validation, self._built = self._built[1], None
                return validation
        return self._built[1]

    def _source(self) -> Any:
        source = self.config.data_source
        if isinstance(source, str) and "${" in source:
            return Reference(source, places=self.places)
        return source

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

    def _build(self) -> Validation:
        config = self.config
        if self._refers():
            specs, by_name, schema, _ = resolved(self._texts(), self.places)
            config = dataclasses.replace(
                config,
                validators=specs,
                validator_config=by_name,
                schema=schema,
            )
        return Validation(
            validators=_validators(config),
            name=config.name,
            read=ReadOptions.of(self._reading()),
            examples=Examples.of(config.sample_rows, config.id_columns, config.redact),
            allow_empty=config.allow_empty,
            min_severity=None
            if config.min_severity is None
            else Severity.parse(config.min_severity),
            baselines=self.baselines,
            clock=self.clock,
        )


def _validators(config: CheckpointConfig) -> list[Validator]:
    specs = DEFAULT_VALIDATORS if config.validators is None else config.validators
    listed = [specs] if isinstance(specs, str) else specs
    unused = set(config.validator_config)
    if isinstance(listed, (list, tuple)) and config.validator_config:
        merged = []
        for spec in listed:
            if isinstance(spec, str) and spec in config.validator_config:
                unused.discard(spec)
                spec = {spec: config.validator_config[spec]}
            merged.append(spec)
        listed = merged
    for name in sorted(unused):
        names = [spec for spec in listed if isinstance(spec, str)]
        raise ConfigurationError(
            f"validator_config has options for {name!r}, which validators does not "
            f"name{did_you_mean(name, names)}"
        )
    validators = build_all(listed)
    if config.schema is not None:
        validators += build_all([{"schema": {"schema": config.schema}}])
    elif config.auto_schema:
        validators += build_all(["schema"])
    return validators


def _differ(left: tuple[Any, ...], right: tuple[Any, ...]) -> bool:
    try:
        return bool(left != right)
    except Exception:  # noqa: BLE001 - a frame or an expression says neither
        return True
