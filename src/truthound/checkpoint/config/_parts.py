"""The actions and triggers of a configuration file: each fault at its own place."""

from __future__ import annotations

import dataclasses
import os
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from truthound.checkpoint import actions, triggers
from truthound.checkpoint._configured import Configured, config_class
from truthound.checkpoint.config._document import Node, Problems
from truthound.checkpoint.config._types import hints, mismatch, shown
from truthound.errors import ConfigurationError, did_you_mean
from truthound.secrets import Secret, references, refers, resolved

# Options that are paths: relative ones begin at the folder of the file.
_PATHS = {"store_path", "site_path", "working_directory", "paths", "config_path"}
_PATHS |= {"ca_file"}
# What may hold a secret if it refers to a variable, and is shown if not.
_MAYBE_HIDDEN = {"environment", "shell_command"}
_MAYBE_PATHS = {"holidays"}  # if it is no list
_HOMES: dict[str, Any] = {"actions": actions, "triggers": triggers}


def find_part(kind: str, name: str) -> type[Configured[Any]]:
    """Return the class of an action or trigger by the word of a configuration file.

    Packages may add words: by entry points of the groups ``truthound.actions`` and
    ``truthound.triggers``.

    Args:
        kind: actions or triggers.
        name: the word, such as ``slack``.

    Raises:
        ConfigurationError: there is none of that name.
    """
    home = _HOMES[kind]
    if name in home.TYPES:
        found: type[Configured[Any]] = getattr(home, home.TYPES[name])
        return found
    added = {point.name: point for point in entry_points(group=f"truthound.{kind}")}
    if name in added:
        loaded: type[Configured[Any]] = added[name].load()
        return loaded
    known = sorted({*home.TYPES, *added})
    raise ConfigurationError(
        f"there is no type of {kind} {name!r}"
        f"{did_you_mean(name, known) or '; there are ' + ', '.join(known)}"
    )


class Parts:
    """Reads actions and triggers and notes what is wrong with them.

    Args:
        problems: where it is noted.
        folder: where relative paths begin.
    """

    def __init__(self, problems: Problems, folder: Path) -> None:
        self.problems = problems
        self.folder = folder

    def listed(self, key: Node, node: Node) -> list[Any]:
        """Return what ``actions:`` or ``triggers:`` says."""
        kind = key.text
        if node.kind == "scalar" and node.scalar is None:
            return []
        if node.kind != "list":
            self.problems.add(
                node, f"{kind}: expected a list, got {shown(node.plain())}"
            )
            return []
        made = [self._one(kind, item) for item in node.items]
        return [part for part in made if part is not None]

    def _one(self, kind: str, node: Node) -> Any:
        named = node.get("type")
        what = kind[:-1]
        if node.kind != "mapping" or named is None:
            self.problems.add(
                node,
                f"an {what} is a mapping with its 'type:'"
                if what == "action"
                else f"a {what} is a mapping with its 'type:'",
            )
            return None
        try:
            cls = find_part(kind, named.text)
        except ConfigurationError as error:
            self.problems.add(named, str(error))
            return None
        before = len(self.problems)
        options = self._options(named.text, cls, node)
        if len(self.problems) > before:
            return None
        try:
            return cls(**options)
        except (ConfigurationError, TypeError) as error:
            first = str(error).partition(" ")[0].rstrip(":,").partition(".")[0]
            self.problems.add(node.get(first) or named, f"{named.text}: {error}")
            return None

    def _options(
        self, name: str, cls: type[Configured[Any]], node: Node
    ) -> dict[str, Any]:
        config: Any = config_class(cls)
        types = hints(config)
        known = [f.name for f in dataclasses.fields(config) if f.init]
        options = {}
        for key, value in node.entries:
            if key.text == "type":
                continue
            plain = value.plain()
            if key.text not in known:
                hint = did_you_mean(key.text, known)
                self.problems.add(
                    key,
                    f"{name} has no option {key.text!r}"
                    f"{hint or '; it knows ' + ', '.join(known)}",
                )
                continue
            try:
                options[key.text] = self._value(types[key.text], key.text, value, plain)
            except ConfigurationError as error:
                self.problems.add(value, f"{name}.{key.text}: {error}")
        return options

    def _value(self, expected: Any, option: str, node: Node, plain: Any) -> Any:
        """Return the value of an option.

        Raises:
            ConfigurationError: it is of another type, or names a variable that is not
                set and that is needed now.
        """
        if "Secret" in str(expected) and option in _MAYBE_HIDDEN:
            return self._hidden_if_it_refers(node, plain)
        if "Secret" in str(expected):
            return self._hidden(node, plain)
        if option != "payload_template" and refers(plain):
            plain = resolved(plain)
        wrong = mismatch(expected, plain)
        if wrong:
            raise ConfigurationError(wrong)
        if option in _PATHS or (option in _MAYBE_PATHS and isinstance(plain, str)):
            return self._located(plain)
        return plain

    def _hidden_if_it_refers(self, node: Node, plain: Any) -> Any:
        """Return texts that refer to a variable as secrets, others as they are."""
        if isinstance(plain, dict):
            return {
                key.text: self._hidden_if_it_refers(value, value.plain())
                for key, value in node.entries
            }
        if isinstance(plain, list):
            return [self._hidden_if_it_refers(n, n.plain()) for n in node.items]
        return self._hidden(node, plain) if refers(plain) else plain

    def _hidden(self, node: Node, plain: Any) -> Any:
        """Return texts as secrets; what they refer to is looked up at their use."""
        if isinstance(plain, str):
            places = {name: self.problems.place(node) for name in references(plain)}
            return Secret(plain, places)
        if isinstance(plain, dict):
            return {key.text: self._hidden(v, v.plain()) for key, v in node.entries}
        if isinstance(plain, list):
            return [self._hidden(item, item.plain()) for item in node.items]
        return plain

    def _located(self, plain: Any) -> Any:
        if isinstance(plain, list):
            return [self._located(item) for item in plain]
        return os.path.join(self.folder, plain) if isinstance(plain, str) else plain  # noqa: PTH118 - no Path: it would take a trailing slash away
