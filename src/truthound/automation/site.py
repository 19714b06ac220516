"""The default site command: fetch a site's data, check it, say how the site is.

    python -m truthound.automation.site --site=S --schema-matrix --emit-status

Everything that a run needs is imported with this module or by :func:`prepare`, so that
a fork of a process that has done so begins at once. Neither makes a query: after one a
fork would hang.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from truthound._clock import SYSTEM_CLOCK
from truthound._words import plural
from truthound.automation import _matrix, _schema
from truthound.automation._ending import Exit, Signals, complain, guarded, say
from truthound.automation._schema import SiteSchema
from truthound.automation._source import FETCHING, Source
from truthound.automation._status import SiteStatus, judge, write_status
from truthound.automation._task import MATRIX, VARIABLE, SiteTask, find_task, read_task
from truthound.automation.config import DEFAULT_PATH
from truthound.checkpoint import CheckpointResult, CheckpointStatus
from truthound.checkpoint._threads import in_thread
from truthound.data import ReadOptions
from truthound.errors import (
    CheckError,
    ConfigurationError,
    DataError,
    StoreError,
    TruthoundError,
)
from truthound.profile import Outline, outline
from truthound.secrets import Reference, hidden, references, resolved
from truthound.validators import registry

# Loaded by others where they are first used, and by every run.
_NEEDED = ("yaml", "msgspec", "truthound.data.files", "truthound.data.formats")
for _name in _NEEDED:
    importlib.import_module(_name)
# Loaded by some runs.
_PERHAPS = (
    *FETCHING,
    "encodings.idna",
    "encodings.utf_8_sig",
    "gzip",
)


def main(argv: Sequence[str] | None = None, stdin: TextIO | None = None) -> int:
    """Run one site and return the exit code. Blocks.

    Args:
        argv: the arguments; None for those of the process.
        stdin: what the task is read from where ``TRUTHOUND_PIPELINE_CONFIG`` is
            ``-``; None for standard input.

    Returns:
        0 healthy; 1 degraded or failed; 2 wrong usage or configuration; 3 not
        completed; 130 and 143 interrupted.
    """
    return guarded(lambda signals: _run(argv, stdin, signals))


def prepare() -> None:
    """Import what some runs need: for a process that is forked for each run.

    What users register as plug-ins is left out: it may start threads.
    """
    for name in registry._HOMES:
        registry.find(name)
    for module in _PERHAPS:
        importlib.import_module(module)


def _run(argv: Sequence[str] | None, stdin: TextIO | None, signals: Signals) -> int:
    options = _parser().parse_args(argv)
    run = _Run(_task(options, stdin), options)
    try:
        return run.code(signals)
    except StoreError as error:
        run.broke(error, Exit.INCOMPLETE)
        raise
    except ConfigurationError as error:
        told = ConfigurationError(run.hidden(str(error)))
        run.broke(told, Exit.USAGE)
        raise told from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m truthound.automation.site",
        description="Check the data of one site.",
        allow_abbrev=False,
    )
    parser.add_argument("--site", required=True, help="its name, as --site=NAME")
    parser.add_argument(
        "--schema-matrix",
        action="store_true",
        help="write its schema, and the matrix of the schemas of all sites",
    )
    parser.add_argument(
        "--emit-status", action="store_true", help="write how it is, and why"
    )
    parser.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        help=f"the configuration; by default {VARIABLE}, else {DEFAULT_PATH}",
    )
    return parser


def _task(options: argparse.Namespace, stdin: TextIO | None) -> SiteTask:
    """Return what is to be done.

    Raises:
        ConfigurationError: the configuration is wrong, or does not know the site.
    """
    path = options.config or os.environ.get(VARIABLE) or DEFAULT_PATH
    if options.config or path != "-":
        return find_task(options.site, path)
    try:
        if stdin is not None:
            text = stdin.read()
        else:
            # Whatever the locale says, a task is UTF-8.
            with open(0, "rb", closefd=False) as descriptor:
                text = descriptor.read().decode()
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"standard input: {error}") from error
    return read_task(options.site, text)


class _Run:
    """One run of the command, once it is known what is to be done."""

    def __init__(self, task: SiteTask, options: argparse.Namespace) -> None:
        self.task = task
        self.site = task.site
        self.wants_schema: bool = options.schema_matrix
        self.wants_status: bool = options.emit_status
        self.time = SYSTEM_CLOCK.now()
        config = task.checkpoint.config
        self._written = [
            config.validators,
            config.validator_config,
            config.schema,
            config.read_options,
            str(config.data_source),
        ]

    def hidden(self, message: str, source: Source | None = None) -> str:
        """Return a message without what the environment holds."""
        if source is not None:
            message = source.hidden(message)
        return hidden(message, references(self._written))

    def code(self, signals: Signals) -> int:
        """Check the data, write what was found, and return the exit code."""
        source = self._source()
        with source.room(signals):
            result, found = signals.run(self._checked(source))
        if source.refused is not None:
            raise ConfigurationError(self.hidden(str(source.refused), source))
        result.data_asset = str(source)
        schema = None if found is None else self._schema(result, found)
        status = judge(
            self.site,
            result,
            schema.reasons if schema else (),
            lambda text: self.hidden(text, source),
        )
        try:
            self._write(schema, status)
        finally:
            _tell(status)  # the last lines of the log are what a summary shows
        return status.exit_code

    def _write(self, schema: SiteSchema | None, status: SiteStatus) -> None:
        if schema is not None and status.completed:
            self._write_schema(schema)
        if self.wants_status:
            say(f"wrote {write_status(self.task.output, status)}")
        if schema is not None and status.completed and schema.compared_with is not None:
            # All is written: the next run is compared with this one.
            settled = schema.settled().encoded()
            _schema.write(_schema.path_of(self.task.output, self.site), settled)

    def broke(self, error: TruthoundError, code: Exit) -> None:
        """Write the status of a site whose run ends with an error, if it can be."""
        if not self.wants_status:
            return
        status = SiteStatus(
            site=self.site,
            status="failed",
            completed=False,
            exit_code=int(code),
            reasons=[f"could not be completed: {error}"],
            run_time=self.time.isoformat(),
            source=str(self.task.checkpoint.config.data_source),
        )
        with contextlib.suppress(StoreError):
            write_status(self.task.output, status)

    def _source(self) -> Source:
        """Put the source in its place, and look at the configuration once more.

        Raises:
            ConfigurationError: it is wrong, or a variable is not set.
        """
        checkpoint = self.task.checkpoint
        config = checkpoint.config
        read = dict(resolved(config.read_options, checkpoint.places))
        if config.sample_size is not None:
            read["sample_size"] = config.sample_size
        written: Reference = config.data_source
        source = Source(written, self.task.headers, ReadOptions.of(read))
        config.data_source = source
        if config.validators is None:
            config.validators = []
        # To have no validators is no fault of a site.
        if config.validators or config.schema or config.auto_schema:
            problems = checkpoint.validate()
            if problems:
                raise ConfigurationError("; ".join(problems))
        return source

    async def _checked(self, source: Source) -> tuple[CheckpointResult, Outline | None]:
        result = await self.task.checkpoint.run_async()
        table = source.table
        if not self.wants_schema or table is None or result.validation_run is None:
            return result, None
        try:
            return result, await in_thread(lambda: outline(table))
        except (DataError, CheckError) as error:
            result.status = CheckpointStatus.ERROR
            result.error = f"the schema was not read: {source.hidden(str(error))}"
            return result, None

    def _schema(self, result: CheckpointResult, found: Outline) -> SiteSchema:
        before = None
        try:
            last, _ = _schema.read_schema(_schema.path_of(self.task.output, self.site))
            cut_off = last.compared_with
            before = last.columns if cut_off is None else cut_off
        except FileNotFoundError:
            pass
        except StoreError as error:
            complain(f"truthound: {error}; nothing is compared with it")
        return _schema.schema_of(self.site, result, found, before)

    def _write_schema(self, schema: SiteSchema) -> None:
        output = self.task.output
        path, content = _schema.path_of(output, self.site), schema.encoded()
        _schema.write(path, content)
        say(f"wrote {path}")
        if os.environ.get(MATRIX) == "later":
            return  # whoever runs many sites writes it once for all
        for problem in _matrix.update(output, content):
            complain(f"truthound: {problem}")
        say(f"wrote {output / _matrix.NAME}{', '.join(_matrix.SUFFIXES)}")


def _tell(status: SiteStatus) -> None:
    facts = [f"{status.site}: {status.status}"]
    if status.row_count is not None:
        facts.append(plural(status.row_count, "row"))
    if status.column_count is not None:
        facts.append(plural(status.column_count, "column"))
    say(", ".join(facts))
    for reason in status.reasons:
        say(f"  {reason}")


if __name__ == "__main__":
    sys.exit(main())
