"""What ``config.yaml`` says of pipelines, checked before anything is started."""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from truthound.automation._commands import refuse_code
from truthound.automation._nodes import node_of
from truthound.automation._site_config import (
    Site,
    Sites,
    check_variables,
    environment_of,
    read_sites,
)
from truthound.checkpoint.config import shown_path
from truthound.checkpoint.config._document import Node, Problems, read
from truthound.checkpoint.config._types import mismatch, shown
from truthound.errors import ConfigurationError, did_you_mean
from truthound.secrets import refers, resolved

DEFAULT_PATH = "automation/config.yaml"
OUTPUT = ".truthound/pipeline"

Backoff = Literal["linear", "exponential", "fixed"]
Isolation = Literal["process", "warm"]

# What the keys of the file have to be.
_TYPES: dict[str, Any] = {
    "timeout": float,
    "retry_count": int,
    "max_concurrent_sites": int,
    "use_async": bool,
    "async_settings": dict[str, Any],
    "command": list[str],
    "retry_on": list[int | str],
    "retry_delay": float,
    "grace": float,
    "environment": dict[str, Any],
    "working_directory": str,
    "output_directory": str,
    "log_directory": str | None,
    "isolation": Isolation,
}
_ASYNC: dict[str, Any] = {
    "semaphore_limit": int,
    "retry_backoff": Backoff,
    "progress_reporting": bool,
    "error_aggregation": bool,
}
_FOLDERS = ("working_directory", "output_directory", "log_directory")
_POSITIVE = {"timeout", "retry_count", "max_concurrent_sites", "semaphore_limit"}
_NOT_NEGATIVE = {"retry_delay", "grace"}
_CHECKED = (*_POSITIVE - {"semaphore_limit"}, *_NOT_NEGATIVE, "retry_backoff")
_WORDS = ("signal", "timeout")
# Read by the interpreter or the linker when a process starts, and never again.
_AT_START = re.compile(r"(PYTHON|LD_|DYLD_)")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PipelineConfig:
    """How the pipelines of sites are run.

    Attributes:
        timeout: seconds for one attempt of a site.
        retry_count: attempts for a site, the first included.
        max_concurrent_sites: how many run at once; ``semaphore_limit`` is the same.
        use_async: whether ``run_pipeline`` runs sites side by side.
        retry_backoff: how the pause before the next attempt grows: exponential (1, 2,
            4 ... times ``retry_delay``), linear (1, 2, 3 ...) or fixed. Up to half of
            it is taken off at random, and it is never longer than a minute.
        retry_delay: seconds of the first pause.
        retry_on: after which ends of an attempt another is made: exit codes, and
            ``signal`` and ``timeout``. None: for the default command 3, signal and
            timeout, for any other every end but exit code 0.
        progress_reporting: whether progress is logged.
        error_aggregation: tell of all failures in one summary at the end, instead of
            each as it comes.
        command: program and arguments, ``{site}`` being the site's name; None for the
            package's own site command. No shell takes part.
        environment: variables added to the environment of every site.
        grace: seconds between asking a site to end (SIGTERM) and ending it (SIGKILL).
        working_directory: where the processes start.
        output_directory: where the default command writes what it finds, and the last
            result of each site is noted.
        keeps_results: whether they are: not of a mapping that has a command and names
            no output_directory.
        log_directory: where each site's output goes, a file a site; None for none.
        isolation: ``process`` starts an interpreter for each attempt; ``warm`` forks
            from one that has the package imported (Linux, default command).
        sites: those that are configured.
        folder: where relative paths begin.
        name: how messages call the configuration.
    """

    timeout: float = 3600.0
    retry_count: int = 3
    max_concurrent_sites: int = 5
    use_async: bool = True
    retry_backoff: Backoff = "exponential"
    retry_delay: float = 1.0
    retry_on: frozenset[int | str] | None = None
    progress_reporting: bool = True
    error_aggregation: bool = True
    command: tuple[str, ...] | None = None
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    grace: float = 5.0
    working_directory: Path = dataclasses.field(default_factory=Path)
    output_directory: Path = dataclasses.field(default_factory=lambda: Path(OUTPUT))
    keeps_results: bool = False
    log_directory: Path | None = None
    isolation: Isolation = "process"
    sites: Sites = dataclasses.field(default_factory=Sites)
    folder: Path = dataclasses.field(default_factory=Path)
    name: str = "the configuration"

    def __post_init__(self) -> None:
        if isinstance(self.command, str):
            raise ConfigurationError(f"command is a list, not {self.command!r}")
        for name in _CHECKED:
            wrong = _wrong(name, {**_TYPES, **_ASYNC}[name], getattr(self, name))
            if wrong:
                raise ConfigurationError(f"{name}: {wrong}")

    def site(self, name: str) -> Site:
        """Return what is said of a site.

        Raises:
            ConfigurationError: the default command knows nothing of it, or no process
                can be given its name.
        """
        return self.sites.find(name, needs_source=self.command is None)


def load_config(
    source: str | os.PathLike[str] | Mapping[str, Any] | PipelineConfig | None = None,
) -> PipelineConfig:
    """Return a configuration. Blocks while it reads the file.

    Args:
        source: a YAML or JSON file, or a mapping with the same keys, either under
            ``pipeline:`` or flat; None for the defaults. Relative paths begin at the
            folder of the file, those of a mapping at the current one.

    Raises:
        ConfigurationFileError: all that is wrong, as ``file:line:column: what``.
    """
    if isinstance(source, PipelineConfig):
        return source
    if source is None:
        source = {}
    if isinstance(source, Mapping):
        problems = Problems("the configuration")
        try:
            folder = Path.cwd()
        except OSError as error:
            raise ConfigurationError("the current folder is gone") from error
        try:
            return _of(node_of(source), problems, folder, is_file=False)
        except RecursionError:
            raise ConfigurationError("the configuration is nested too deep") from None
    path = Path(source)
    problems = Problems(shown_path(path.resolve()))
    root = read(path, problems)
    problems.raise_any()
    return _of(root, problems, path.resolve().parent, is_file=True)


def _of(
    root: Node | None, problems: Problems, folder: Path, *, is_file: bool
) -> PipelineConfig:
    if root is not None and root.kind != "mapping":
        what = shown(root.plain())
        problems.add(root, f"expected a mapping with 'pipeline:', got {what}")
    problems.raise_any()
    node = root or Node("mapping", 1, 1)
    nested = node.get("pipeline")
    if nested is not None:
        for key, _ in node.entries:
            if key.text != "pipeline":
                problems.add(
                    key, f"{key.text!r} stands beside 'pipeline:'; indent it below"
                )
        if nested.kind != "mapping":
            what = shown(nested.plain())
            problems.add(nested, f"pipeline: expected a mapping, got {what}")
        node = nested
    problems.raise_any()
    found = _Reader(node, problems, folder, is_file=is_file).config()
    problems.raise_any()
    assert found is not None  # else there are problems
    return found


class _Reader:
    """Reads the keys under ``pipeline:``, noting what is wrong with them."""

    def __init__(
        self, node: Node, problems: Problems, folder: Path, *, is_file: bool
    ) -> None:
        self.node = node
        self.problems = problems
        self.folder = folder
        self.is_file = is_file

    def config(self) -> PipelineConfig | None:
        """Return the configuration; None if something is wrong with it."""
        given = self._typed(self.node, {**_TYPES, "sites": None, "defaults": None})
        found = {key: value.plain() for key, value in given.items()}
        found.update(self._asynchronous(given, found))
        for key in ("sites", "defaults", "async_settings"):
            found.pop(key, None)
        if "environment" in given:
            check_variables(given["environment"], self.problems)
            found["environment"] = environment_of(given["environment"])
        found.update(self._folders(found))
        if "command" in found:
            self._check_command(given["command"], found["command"])
            found["command"] = tuple(found["command"])
        if "retry_on" in found:
            found["retry_on"] = self._retry_on(given["retry_on"])
        found["sites"] = read_sites(
            self.node,
            self.problems,
            self.folder,
            has_command="command" in found,
        )
        if found.get("isolation") == "warm":
            self._check_warm(given["isolation"], found)
        if len(self.problems):
            return None
        return PipelineConfig(**found, folder=self.folder, name=self.problems.file)

    def _typed(self, node: Node, types: Mapping[str, Any]) -> dict[str, Node]:
        """Return the values of known keys that are of their type."""
        given = {}
        for key, value in node.entries:
            if key.text not in types:
                every = [*_TYPES, *_ASYNC, "sites", "defaults"]
                near = did_you_mean(key.text, types)
                hint = near or f"; there are {', '.join(types)}"
                if key.text in every and not near:
                    hint = f"; it belongs {'under' if key.text in _ASYNC else 'beside'}"
                    hint += " async_settings"
                self.problems.add(key, f"unknown key {key.text!r}{hint}")
                continue
            wrong = _wrong(key.text, types[key.text], value.plain())
            if wrong:
                self.problems.add(value, f"{key.text}: {wrong}")
            else:
                given[key.text] = value
        return given

    def _asynchronous(
        self, given: Mapping[str, Node], found: Mapping[str, Any]
    ) -> dict[str, Any]:
        node = given.get("async_settings")
        if node is None:
            return {}
        settings = self._typed(node, _ASYNC)
        plain = {key: value.plain() for key, value in settings.items()}
        limit = plain.pop("semaphore_limit", None)
        most = found.get("max_concurrent_sites", limit)
        if limit is not None and limit != most:
            self.problems.add(
                settings["semaphore_limit"],
                f"semaphore_limit is {limit} and max_concurrent_sites {most}; they are "
                "the same thing: leave one out",
            )
        return plain if limit is None else {**plain, "max_concurrent_sites": limit}

    def _folders(self, found: Mapping[str, Any]) -> dict[str, Any]:
        folders: dict[str, Path | None] = {}
        texts = {"working_directory": ".", "output_directory": OUTPUT, **found}
        for key in _FOLDERS:
            text = texts.get(key)
            try:
                folders[key] = self.folder / resolved(text) if text else None
            except ConfigurationError as error:
                self.problems.add(self.node.get(key) or self.node, f"{key}: {error}")
        output = folders.get("output_directory")
        keeps = self.is_file or "output_directory" in found or "command" not in found
        if "log_directory" not in found and output is not None and keeps:
            folders["log_directory"] = output / "logs"
        return {**folders, "keeps_results": keeps}

    def _check_command(self, node: Node, words: list[str]) -> None:
        if not words or not words[0].strip():
            self.problems.add(node, "command: expected a program and its arguments")
            return
        if "{site}" in words[0]:
            self.problems.add(node, "command: a site's name cannot be the program")
        try:
            refuse_code(words)
        except ConfigurationError as error:
            self.problems.add(node, f"command: {error}")

    def _retry_on(self, node: Node) -> frozenset[int | str]:
        for item in node.items:
            value = item.scalar
            if isinstance(value, int) and 0 < value < 256:
                continue
            if value not in _WORDS:
                self.problems.add(
                    item,
                    f"retry_on: expected an exit code from 1 to 255, 'signal' or "
                    f"'timeout', got {shown(value)}"
                    f"{did_you_mean(str(value), _WORDS)}",
                )
        return frozenset(node.plain())

    def _check_warm(self, node: Node, found: Mapping[str, Any]) -> None:
        if "command" in found:
            self.problems.add(
                node, "isolation: warm is for the default site command, without command"
            )
        if not sys.platform.startswith("linux"):
            self.problems.add(node, "isolation: warm needs Linux; use process")
        sites: Sites = found["sites"]
        for name in {*found.get("environment", ()), *sites.variables()}:
            if _AT_START.match(name):
                self.problems.add(
                    node,
                    f"isolation: warm cannot heed {name} of environment, which is read "
                    "when an interpreter starts; use process",
                )


def _wrong(name: str, kind: Any, value: Any) -> str | None:
    """Say what is wrong with a value; None if nothing is."""
    if wrong := kind and mismatch(kind, value):
        return str(wrong)
    if name in _POSITIVE and not value > 0:
        return f"expected a number over 0, got {shown(value)}"
    if name in _NOT_NEGATIVE and not value >= 0:
        return f"expected a number, 0 or more, got {shown(value)}"
    if name in _FOLDERS and value is not None and not value.strip():
        return "expected a folder, got an empty text"
    return None


def variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return variables with each ``${NAME}`` in them read from our own environment.

    Raises:
        ConfigurationError: one is not set.
    """
    return {
        key: resolved(value) if refers(value) else value
        for key, value in environment.items()
    }
