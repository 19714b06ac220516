"""The validators of a configuration file: each fault at its own place."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from truthound._words import plural
from truthound.checkpoint.config._document import Node, Problems
from truthound.checkpoint.config._types import hints, mismatch, shown
from truthound.data import ReadOptions
from truthound.errors import ConfigurationError, did_you_mean
from truthound.secrets import Reference, references, refers
from truthound.validators import Validator, registry

# Options that name other data or files: by themselves, or under "source".
SOURCES = {
    "distribution": "reference",
    "referential": "references",
    "row_count": "same_as",
    "schema": "schema",
}


class Reader:
    """Reads validators and notes what is wrong with them.

    Args:
        problems: where it is noted.
        folder: where relative paths begin.
    """

    def __init__(self, problems: Problems, folder: str | os.PathLike[str]) -> None:
        self.problems = problems
        self.folder = folder

    def listed(self, node: Node) -> list[Any]:
        """Return what ``validators:`` says: names, and mappings of names to options."""
        if node.kind == "mapping":
            return [self._one(key, value) for key, value in node.entries]
        if node.kind == "scalar":
            if not isinstance(node.scalar, str):
                self._refuse(node)
                return []
            return [self._one(node, None)]
        found = []
        for item in node.items:
            if item.kind == "scalar" and isinstance(item.scalar, str):
                found.append(self._one(item, None))
            elif item.kind == "scalar" and item.text == "null":
                # The word for nothing is a validator's name, too.
                found.append(self._one(item, None))
            elif item.kind == "mapping" and len(item.entries) == 1:
                found.append(self._one(*item.entries[0]))
            else:
                self._refuse(item)
        return found

    def options(self, name: Node, node: Node | None) -> dict[str, Any] | None:
        """Return a validator's options; None if something is wrong with it."""
        before = len(self.problems)
        try:
            cls = registry.find(name.text)
        except ConfigurationError as error:
            self.problems.add(name, str(error))
            return None
        if node is not None and node.kind == "scalar" and node.text in cls.short_forms:
            return dict(cls.short_forms[node.text])
        if node is not None and node.kind != "mapping" and node.scalar is not None:
            self.problems.add(
                node,
                f"{name.text}: expected its options as a mapping, "
                f"got {shown(node.plain())}",
            )
            return None
        given = node.entries if node is not None else []
        types = hints(cls)
        known = {f.name for f in dataclasses.fields(cls) if f.init}
        options: dict[str, Any] = {}
        for key, value in given:
            if key.text not in known:
                self.problems.add(
                    key,
                    f"{name.text} has no option {key.text!r}"
                    f"{did_you_mean(key.text, known) or _listing(known)}",
                )
                continue
            plain = value.plain()
            wrong = None if refers(plain) else mismatch(types.get(key.text), plain)
            if wrong:
                self.problems.add(value, f"{name.text}.{key.text}: {wrong}")
                continue
            options[key.text] = self._located(name.text, key.text, value, plain)
        if len(self.problems) == before:
            self._try(cls, name, options, {k.text: v for k, v in given})
        return options

    def _one(self, name: Node, node: Node | None) -> Any:
        options = self.options(name, node)
        return name.text if node is None else {name.text: options or {}}

    def _located(self, rule: str, option: str, node: Node, plain: Any) -> Any:
        if SOURCES.get(rule) != option:
            return plain
        if isinstance(plain, str):
            return self._reference(node, plain)
        return self._source(node) if isinstance(plain, dict) else plain

    def _source(self, node: Node) -> dict[str, Any]:
        """Return a mapping with its path found from the folder of the file."""
        plain: dict[str, Any] = node.plain()
        source, options = node.get("source"), node.get("read_options")
        if source is not None and source.kind == "mapping":
            plain["source"] = self._source(source)
        elif source is not None and isinstance(source.scalar, str):
            plain["source"] = self._reference(source, source.scalar)
        if options is not None and source is not None:
            self.read_options(options)
        return plain

    def read_options(self, node: Node) -> dict[str, Any]:
        """Return what ``read_options:`` says, noting what is wrong with it."""
        if node.kind != "mapping":
            self.problems.add(
                node, f"read_options: expected a mapping, got {shown(node.plain())}"
            )
            return {}
        types = hints(ReadOptions)
        known = [f.name for f in dataclasses.fields(ReadOptions) if f.init]
        for option, value in node.entries:
            plain = value.plain()
            if option.text not in known:
                hint = did_you_mean(option.text, known) or _listing(set(known))
                self.problems.add(
                    option, f"reading has no option {option.text!r}{hint}"
                )
            elif not refers(plain) and (
                wrong := mismatch(types[option.text], plain)
                or _refusal(option.text, plain)
            ):
                self.problems.add(value, f"read_options.{option.text}: {wrong}")
        options: dict[str, Any] = node.plain()
        return options

    def _reference(self, node: Node, text: str) -> Reference:
        places = {name: self.problems.place(node) for name in references(text)}
        return Reference(text, self.folder, places)

    def _try(
        self,
        cls: type[Validator],
        name: Node,
        options: dict[str, Any],
        places: dict[str, Node],
    ) -> None:
        """Make the validator to see whether its options make sense together."""
        if refers(options):
            return  # what the environment holds is looked at when it is used
        try:
            cls(**options)
        except ConfigurationError as error:
            first = str(error).partition(" ")[0].rstrip(":,")
            self.problems.add(places.get(first, name), f"{name.text}: {error}")

    def _refuse(self, item: Node) -> None:
        names = [key.text for key, _ in item.entries]
        if item.kind == "mapping" and "name" in names and item.get("name") is not None:
            rule = item.get("name")
            assert rule is not None
            hint = f"; write '{rule.text}:' with its options indented below"
        elif names:
            hint = f"; indent the options below '{names[0]}:'"
        else:
            hint = ""
        self.problems.add(
            item,
            f"a validator is a name, or one name with its options, "
            f"not {_described(item)}{hint}",
        )


def _refusal(option: str, value: object) -> str | None:
    try:
        ReadOptions.of({option: value})
    except ConfigurationError as error:
        return str(error)
    return None


def _described(item: Node) -> str:
    if item.kind == "mapping":
        keys = ", ".join(key.text for key, _ in item.entries)
        return f"a mapping of {plural(len(item.entries), 'key')} ({keys})"
    return shown(item.plain())


def _listing(known: set[str]) -> str:
    return f"; it knows {', '.join(sorted(known))}"
