"""What a configuration file says of each checkpoint."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from truthound.checkpoint._arrived import is_arrived
from truthound.checkpoint._running.circles import check_circles, upstream_of
from truthound.checkpoint.async_checkpoint import (
    AsyncCheckpoint,
    AsyncCheckpointConfig,
)
from truthound.checkpoint.checkpoint import Checkpoint
from truthound.checkpoint.config._document import Node, Problems
from truthound.checkpoint.config._parts import Parts
from truthound.checkpoint.config._types import hints, mismatch, shown
from truthound.checkpoint.config._validators import Reader
from truthound.checkpoint.model import CheckpointConfig
from truthound.errors import ConfigurationError, did_you_mean
from truthound.secrets import Reference, references, refers, resolved
from truthound.store import Baselines

_PARTS = ("actions", "triggers")
# What the actions of an asynchronous checkpoint are executed with, and no callbacks.
_ASYNC = (
    "execution_strategy",
    "max_concurrent_actions",
    "action_timeout",
    "cancel_on_first_error",
)
_OPTIONS = (*(f.name for f in dataclasses.fields(CheckpointConfig)), *_ASYNC)
# Read when the file is: a checkpoint is chosen by them, and results show them.
_SHOWN = ("name", "tags", "metadata", "run_name_template")


def checkpoints_of(
    root: Node | None, problems: Problems, folder: Path, baselines: Baselines
) -> list[Checkpoint]:
    """Return the checkpoints of a document, noting what is wrong with it."""
    if root is None:
        problems.at(1, 1, "the file is empty; it needs 'checkpoints:'")
        return []
    if root.kind != "mapping":
        problems.add(
            root, f"expected a mapping with 'checkpoints:', got {shown(root.plain())}"
        )
        return []
    for key, _ in root.entries:
        # Keys that begin with x- are for anchors and notes.
        if key.text != "checkpoints" and not key.text.startswith("x-"):
            hint = did_you_mean(key.text, ["checkpoints"])
            problems.add(
                key, f"unknown key {key.text!r}{hint or '; it knows checkpoints'}"
            )
    listed = root.get("checkpoints")
    if listed is None:
        if not len(problems):
            problems.add(root, "'checkpoints:' is missing")
        return []
    return _listed(
        listed,
        lambda node, key: _Entry(node, key, problems, folder, baselines),
        problems,
    )


def _listed(
    listed: Node, entry_of: Callable[[Node, Node | None], _Entry], problems: Problems
) -> list[Checkpoint]:
    found = []
    first: dict[str, Node] = {}
    if listed.kind == "scalar":
        problems.add(
            listed,
            "checkpoints is a list, or a mapping of names to their options, "
            f"not {shown(listed.plain())}",
        )
        return []
    named = [(None, item) for item in listed.items]
    for key, node in [*named, *listed.entries]:
        entry = entry_of(node, key)
        checkpoint = entry.checkpoint()
        name = entry.name
        if name in first:
            problems.add(
                entry.place,
                f"the checkpoint {name!r} is there already, in line {first[name].line}",
            )
        first.setdefault(name, entry.place)
        if checkpoint is not None:
            found.append(checkpoint)
    if not len(problems):
        _check_upstream(found, first, problems)
    return found


def _check_upstream(
    checkpoints: list[Checkpoint], places: dict[str, Node], problems: Problems
) -> None:
    """Note checkpoints that run after one that there is not, or in a circle."""
    after = {c.name: list(upstream_of(c)) for c in checkpoints}
    for name, upstream in after.items():
        for other in upstream:
            if other not in after:
                problems.add(
                    places[name],
                    f"{name}: it runs after a checkpoint {other!r}, which there is not"
                    f"{did_you_mean(other, after)}",
                )
    try:
        check_circles(after)
    except ConfigurationError as error:
        problems.add(places[next(iter(after))], str(error))


class _Entry:
    """One checkpoint as it is written."""

    def __init__(
        self,
        node: Node,
        key: Node | None,
        problems: Problems,
        folder: Path,
        baselines: Baselines,
    ) -> None:
        self.node = node
        self.key = key
        self.problems = problems
        self.folder = folder
        self.baselines = baselines
        self.reader = Reader(problems, folder)
        self.parts = Parts(problems, folder)
        self.types = dict(hints(AsyncCheckpointConfig))
        for option in ("id_columns", "redact"):  # one may stand for itself
            self.types[option] = str | self.types[option]
        named = node.get("name")
        self.place = key or named or node
        self.name = key.text if key else str(named.scalar) if named else _OPTIONS[0]
        if not key and not named:
            self.name = CheckpointConfig.name

    def checkpoint(self) -> Checkpoint | None:
        """Return the checkpoint; None if something is wrong with it."""
        problems, before = self.problems, len(self.problems)
        if self.node.kind != "mapping":
            problems.add(
                self.node,
                f"a checkpoint is a mapping of its options, "
                f"not {shown(self.node.plain())}",
            )
            return None
        config: dict[str, Any] = {"name": self.name}
        made_of: dict[str, Any] = {}
        for key, value in self.node.entries:
            if key.text in _PARTS:
                made_of[key.text] = self.parts.listed(key, value)
            elif key.text not in _OPTIONS:
                hint = did_you_mean(key.text, [*_OPTIONS, *_PARTS])
                listing = f"; a checkpoint knows {', '.join([*_OPTIONS, *_PARTS])}"
                problems.add(key, f"unknown key {key.text!r}{hint or listing}")
            else:
                config[key.text] = self._value(key, value)
        if self.node.get("data_source") is None:
            problems.add(self.place, f"{self.name}: data_source is missing")
        self._unused_options()
        if len(problems) > before:
            return None
        is_async = any(option in config for option in _ASYNC)
        kind = AsyncCheckpoint if is_async else Checkpoint
        try:
            made = kind(
                config=kind.config_class(**config), baselines=self.baselines, **made_of
            )
        except ConfigurationError as error:
            problems.add(self.place, f"{self.name}: {error}")
            return None
        made.places = self._places()
        return made

    def _value(self, key: Node, node: Node) -> Any:
        """Return an option's value, noting what is wrong with it."""
        readers: dict[str, Callable[[Node, Node], Any]] = {
            "name": self._name,
            "data_source": self._data_source,
            "validators": self._validators,
            "validator_config": self._validator_config,
            "tags": self._tags,
            "read_options": self._read_options,
            "schema": self._schema,
        }
        if key.text in readers:
            return readers[key.text](key, node)
        return self._plain(key, node)

    def _plain(self, key: Node, node: Node) -> Any:
        value = node.plain()
        wrong = None if refers(value) else mismatch(self.types[key.text], value)
        if not wrong:
            try:
                if key.text in _SHOWN:
                    value = resolved(value)
                elif refers(value):
                    raise ConfigurationError(
                        "${NAME} stands for no value of this option"
                    )
                # One at a time, so that each option out of range is found.
                AsyncCheckpointConfig(**{key.text: value})
            except ConfigurationError as error:
                wrong = str(error)
        if wrong:
            prefix = "" if wrong.startswith(key.text) else f"{key.text}: "
            self.problems.add(node, prefix + wrong)
        return value

    def _name(self, key: Node, node: Node) -> Any:
        if self.key is not None and node.plain() != self.key.text:
            self.problems.add(
                node, f"name: this checkpoint is already called {self.key.text!r}"
            )
        elif node.kind == "scalar" and not node.text.strip():
            self.problems.add(node, "name: expected a text, got nothing")
        else:
            self.name = str(self._plain(key, node))
        return self.name

    def _data_source(self, key: Node, node: Node) -> Any:
        if not isinstance(node.scalar, str) or not node.scalar.strip():
            self.problems.add(
                node,
                f"data_source: expected a path, pattern, folder or address, "
                f"got {shown(node.plain())}",
            )
            return None
        try:
            if is_arrived(node.scalar):
                return node.scalar
        except ConfigurationError as error:
            self.problems.add(node, str(error))
            return None
        return Reference(node.scalar, self.folder, self._places(node))

    def _schema(self, key: Node, node: Node) -> Any:
        if isinstance(node.scalar, str):
            return Reference(node.scalar, self.folder, self._places(node))
        return node.plain()

    def _validators(self, key: Node, node: Node) -> Any:
        if node.kind == "scalar" and node.scalar is None:
            hint = " (write [null] for the validator of that name)"
            self.problems.add(
                node,
                "validators: expected a list of validators, got nothing"
                + (hint if node.text == "null" else ""),
            )
            return None
        return self.reader.listed(node)

    def _validator_config(self, key: Node, node: Node) -> Any:
        if node.kind != "mapping":
            self.problems.add(
                node,
                "validator_config: expected a mapping of validators to their options, "
                f"got {shown(node.plain())}",
            )
            return {}
        return {k.text: self.reader.options(k, v) or {} for k, v in node.entries}

    def _unused_options(self) -> None:
        options, validators = (
            self.node.get("validator_config"),
            self.node.get("validators"),
        )
        if options is None or validators is None:
            return
        items = validators.items or [validators]
        names = [item.text for item in items if item.kind == "scalar"]
        for key, _ in options.entries:
            if key.text not in names:
                self.problems.add(
                    key,
                    f"validator_config has options for {key.text!r}, which validators "
                    f"does not name{did_you_mean(key.text, names)}",
                )

    def _tags(self, key: Node, node: Node) -> Any:
        if node.kind == "mapping" and all(v.kind == "scalar" for _, v in node.entries):
            # A tag is compared with what stands behind --select, so 1 is "1".
            tags = {k.text: v.text for k, v in node.entries}
            try:
                return resolved(tags)
            except ConfigurationError as error:
                self.problems.add(node, f"tags: {error}")
                return {}
        self.problems.add(
            node, f"tags: expected a mapping of texts, got {shown(node.plain())}"
        )
        return {}

    def _read_options(self, key: Node, node: Node) -> Any:
        return self.reader.read_options(node)

    def _places(self, node: Node | None = None) -> dict[str, str]:
        """Return where each ``${NAME}`` is written."""
        return {
            name: self.problems.place(scalar)
            for scalar in (node or self.node).scalars()
            for name in references(scalar.scalar)
        }
