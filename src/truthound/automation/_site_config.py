"""What a configuration says of each site."""

from __future__ import annotations

import dataclasses
import glob
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from truthound.automation._commands import PLACE
from truthound.automation._names import refuse_name, refuse_path, shown_name
from truthound.automation._nodes import mapping, node_of, without
from truthound.checkpoint import Checkpoint, CheckpointConfig
from truthound.checkpoint.config._checkpoints import checkpoints_of
from truthound.checkpoint.config._document import Node, Problems
from truthound.checkpoint.config._types import mismatch, shown
from truthound.errors import ConfigurationError, did_you_mean
from truthound.store import Baselines

# What the executor reads; the rest is for the default command.
_LIMITS: dict[str, Any] = {
    "timeout": float,
    "retry_count": int,
    "environment": dict[str, Any],
}
_FETCH: dict[str, Any] = {"headers": dict[str, str]}
_CHECKS = tuple(
    field.name
    for field in dataclasses.fields(CheckpointConfig)
    if field.name
    not in {
        *("name", "data_source", "timeout_seconds", "run_name_template"),
        *("priority", "max_concurrent_runs", "resources"),
    }
)
SITE_KEYS = ("source", *_FETCH, *_CHECKS, *_LIMITS)


@dataclasses.dataclass(frozen=True, slots=True)
class Site:
    """One site, with its own limits where it has any.

    Attributes:
        name: as results call it.
        timeout: seconds for an attempt; None for that of all.
        retry_count: attempts; None for that of all.
        environment: variables added to those of all.
        options: what the default command is to check, as it is written.
    """

    name: str
    timeout: float | None = None
    retry_count: int | None = None
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    options: Node | None = dataclasses.field(default=None, repr=False, compare=False)


class Sites(Mapping[str, Site]):
    """The sites of a configuration, in its order.

    Args:
        named: those that are named.
        default: what is said of any other; None if nothing is.
        where: how messages call the configuration.
    """

    def __init__(
        self,
        named: Mapping[str, Site] | None = None,
        default: Site | None = None,
        where: str = "the configuration",
    ) -> None:
        self._named = dict(named or {})
        self._default = default
        self._where = where

    def __getitem__(self, name: str) -> Site:
        return self._named[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._named)

    def __len__(self) -> int:
        return len(self._named)

    def find(self, name: str, *, needs_source: bool) -> Site:
        """Return a site by its name.

        Raises:
            ConfigurationError: nothing says where its data is, and that is needed; or
                no process can be given its name.
        """
        refuse_name(name)
        found = self._named.get(name) or self._default
        if needs_source and not name.strip():
            raise ConfigurationError(f"a site's name is blank: {name!r}")
        if needs_source and (found is None or _source(found) is None):
            hint = did_you_mean(name, self._named) or "; it has no source"
            raise ConfigurationError(
                f"there is no site {shown_name(name)} in {self._where}{hint}"
            )
        if found is None:
            return Site(name)
        options = found.options
        if options is not None and needs_source:
            options = _placed(options, name)
        return dataclasses.replace(found, name=name, options=options)

    def variables(self) -> set[str]:
        """Return the names of the variables that are set for any site."""
        every = [*self._named.values(), *([self._default] if self._default else [])]
        return {name for site in every for name in site.environment}


def read_sites(
    pipeline: Node, problems: Problems, folder: Path, *, has_command: bool
) -> Sites:
    """Return what ``sites:`` and ``defaults:`` say, noting what is wrong with it."""
    reader = _Reader(problems, folder, has_command=has_command)
    general, listed = pipeline.get("defaults"), pipeline.get("sites")
    if general is not None and general.kind != "mapping":
        what = shown(general.plain())
        problems.add(general, f"defaults: expected a mapping, got {what}")
        general = None
    named = {}
    if listed is not None and listed.kind == "scalar" and listed.scalar is not None:
        what = shown(listed.scalar)
        problems.add(listed, f"sites: expected a mapping or a list, got {what}")
    elif listed is not None:
        empty = Node("mapping", 0, 0)
        pairs = listed.entries or [(item, empty) for item in listed.items]
        for key, node in pairs:
            if key.kind != "scalar":
                problems.add(key, "sites: a list is one of names")
                continue
            site = reader.site(key, _merged(node, general))
            if site is not None:
                named[key.text] = site
    default = None
    if general is not None:
        default = reader.site(node_of("defaults"), general, is_default=True)
    return Sites(named, default, problems.file)


def checkpoint_of(
    name: str, options: Node, problems: Problems, folder: Path
) -> Checkpoint | None:
    """Return the checkpoint of a site; None if something is wrong with it."""
    own = without(options, frozenset({*_LIMITS, *_FETCH}))
    entries = [
        (dataclasses.replace(key, text="data_source"), value)
        if key.text == "source"
        else (key, value)
        for key, value in own.entries
    ]
    called = [(node_of("name"), node_of(literal(name)))]
    node = dataclasses.replace(own, entries=[*called, *entries])
    listed = Node("list", node.line, node.column, items=[node])
    kept = Baselines(folder / ".truthound" / "baselines")
    found = checkpoints_of(mapping({"checkpoints": listed}), problems, folder, kept)
    return found[0] if found else None


class _Reader:
    """Reads sites, noting what is wrong with them."""

    def __init__(self, problems: Problems, folder: Path, *, has_command: bool) -> None:
        self.problems = problems
        self.folder = folder
        self.has_command = has_command

    def site(self, key: Node, node: Node, *, is_default: bool = False) -> Site | None:
        """Return one site, or what holds for all; None if something is wrong."""
        problems, before = self.problems, len(self.problems)
        if node.kind != "mapping":
            what = shown(node.plain())
            problems.add(node, f"{key.text}: expected a mapping, got {what}")
            return None
        try:
            refuse_name(key.text)
        except ConfigurationError as error:
            problems.add(key, str(error))
        limits: dict[str, Any] = {}
        for option, value in node.entries:
            kind = {**_LIMITS, **_FETCH}.get(option.text)
            if option.text not in SITE_KEYS:
                hint = did_you_mean(option.text, SITE_KEYS)
                listing = f"; a site knows {', '.join(SITE_KEYS)}"
                problems.add(option, f"unknown key {option.text!r}{hint or listing}")
            elif self.has_command and option.text not in _LIMITS:
                problems.add(
                    option,
                    f"{option.text} is for the default site command, and there is a "
                    "command",
                )
            elif kind is not None:
                self._limit(option.text, kind, value, limits)
        if not self.has_command:
            self._check(key.text, node, needs_source=not is_default)
        if len(problems) > before:
            return None
        return Site(key.text, **limits, options=node)

    def _limit(self, name: str, kind: Any, value: Node, limits: dict[str, Any]) -> None:
        plain = value.plain()
        wrong = mismatch(kind, plain)
        if not wrong and name in ("timeout", "retry_count") and not plain > 0:
            wrong = f"expected a number over 0, got {shown(plain)}"
        if wrong:
            self.problems.add(value, f"{name}: {wrong}")
        elif name == "environment":
            check_variables(value, self.problems)
            limits[name] = environment_of(value)
        elif name in _LIMITS:
            limits[name] = plain

    def _check(self, name: str, node: Node, *, needs_source: bool) -> None:
        source = node.get("source")
        if source is None and not needs_source:
            source = node_of("to be given by each site")
            node = dataclasses.replace(
                node, entries=[*node.entries, (node_of("source"), source)]
            )
        if source is None:
            self.problems.add(node, f"{name}: source is missing")
            return
        if not isinstance(source.scalar, str) or not source.scalar.strip():
            what = shown(source.plain())
            self.problems.add(
                source, f"{name}: source: expected a path or an address, got {what}"
            )
            return
        known = [pair for pair in node.entries if pair[0].text in SITE_KEYS]
        options = dataclasses.replace(node, entries=known)
        checkpoint_of(name, options, self.problems, self.folder)


def environment_of(node: Node) -> dict[str, str]:
    """Return variables as they are written: 1 is the text 1, and so on."""
    return {key.text: value.text for key, value in node.entries}


def check_variables(node: Node, problems: Problems) -> None:
    """Note what cannot be a variable."""
    for key, value in node.entries:
        if value.kind != "scalar" or value.scalar is None:
            what = shown(value.plain())
            problems.add(value, f"environment: {key.text}: expected a text, got {what}")
        elif not key.text or "=" in key.text or "\0" in key.text + value.text:
            problems.add(key, f"environment: {key.text!r} cannot be passed")


def _merged(node: Node, general: Node | None) -> Node:
    """Return a site's own options, and the general ones that it does not have."""
    if node.kind == "scalar" and node.scalar is None:
        node = Node("mapping", node.line, node.column)
    if general is None or node.kind != "mapping":
        return node
    own = {key.text for key, _ in node.entries}
    added = [(key, value) for key, value in general.entries if key.text not in own]
    merged = [_both(key, value, general) for key, value in node.entries]
    return dataclasses.replace(node, entries=[*merged, *added])


def _both(key: Node, value: Node, general: Node) -> tuple[Node, Node]:
    # Variables and headers add up; everything else is taken from one of the two.
    common = general.get(key.text)
    if key.text not in ("environment", "headers") or common is None:
        return key, value
    own = {name.text for name, _ in value.entries}
    more = [pair for pair in common.entries if pair[0].text not in own]
    return key, dataclasses.replace(value, entries=[*value.entries, *more])


def literal(name: str) -> str:
    """Return a name in which nothing refers to the environment."""
    return name.replace("${", "$${")


def _source(site: Site) -> Node | None:
    return site.options.get("source") if site.options else None


def _placed(options: Node, name: str) -> Node:
    """Return options with the site's name in ``source``.

    Raises:
        ConfigurationError: it is to be a part of a path, and is none.
    """
    source = options.get("source")
    if source is None or PLACE not in source.scalar:
        return options
    if "://" in source.scalar:
        part = quote(name, safe="")
    else:
        refuse_path(name, source.scalar)
        part = glob.escape(name)  # a name is no pattern
    text = source.scalar.replace(PLACE, literal(part))
    placed = dataclasses.replace(source, scalar=text, text=text)
    entries = [
        (key, placed if key.text == "source" else value)
        for key, value in options.entries
    ]
    return dataclasses.replace(options, entries=entries)
