"""YAML and JSON as a tree that knows where each of its values stands.

Only the parser of PyYAML is used: it yields events, and no object is ever made of a
tag. Scalars are read as YAML 1.2 has them, so that ``no`` is a text and not false.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

from truthound.errors import ConfigurationFileError

MAX_BYTES = 10_000_000
# Values after aliases are followed: a few lines of aliases can stand for billions.
MAX_VALUES = 100_000
MAX_DEPTH = 50

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
_BASED = re.compile(r"0(o[0-7]+|x[0-9a-fA-F]+)\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?"
    r"(Z|[-+][0-9]{2}:?[0-9]{2})?\Z"
)
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_ESCAPED_PAIR = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)


@dataclass(slots=True, eq=False)
class Node:
    """A value with its place.

    Attributes:
        kind: mapping, list or scalar.
        line: where it begins, from 1.
        column: where it begins, from 1.
        scalar: the value of a scalar.
        text: how a scalar is written.
        items: the values of a list.
        entries: the keys and values of a mapping, in their order.
        size: how many values it is made of.
    """

    kind: Literal["mapping", "list", "scalar"]
    line: int
    column: int
    scalar: Any = None
    text: str = ""
    items: list[Node] = field(default_factory=list)
    entries: list[tuple[Node, Node]] = field(default_factory=list)
    size: int = 1

    def plain(self) -> Any:
        """Return the value without its places; keys are texts as written."""
        if self.kind == "mapping":
            return {key.text: value.plain() for key, value in self.entries}
        if self.kind == "list":
            return [item.plain() for item in self.items]
        return self.scalar

    def get(self, name: str) -> Node | None:
        """Return the value of a key, None if it is not there."""
        for key, value in self.entries:
            if key.text == name:
                return value
        return None

    def scalars(self) -> Iterator[Node]:
        """Yield every scalar in it, keys left out."""
        if self.kind == "scalar":
            yield self
        for item in self.items:
            yield from item.scalars()
        for _, value in self.entries:
            yield from value.scalars()


class Problems:
    """What is wrong with one file, collected until all of it was looked at."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: list[tuple[int, int, str]] = []

    def add(self, place: Node, text: str) -> None:
        """Note that something is wrong at a place."""
        self.at(place.line, place.column, text)

    def at(self, line: int, column: int, text: str) -> None:
        """Note that something is wrong at a line and column, from 1."""
        self._found.append((line, column, text))

    def place(self, node: Node) -> str:
        """Return a place for a message: ``file:line:column``."""
        return _place(self.file, node.line, node.column)

    def __len__(self) -> int:
        return len(self._found)

    @property
    def lines(self) -> list[str]:
        """One line for each problem, in the order of the file."""
        return [
            f"{_place(self.file, line, column)}: {text}"
            for line, column, text in sorted(dict.fromkeys(self._found))
        ]

    def raise_any(self) -> None:
        """Raise if there are problems.

        Raises:
            ConfigurationFileError: with one line for each.
        """
        if self._found:
            raise ConfigurationFileError(self.lines)


def _place(file: str, line: int, column: int) -> str:
    # What was given as a mapping has no lines.
    return f"{file}:{line}:{column}" if line else file


def read(path: Path, problems: Problems) -> Node | None:
    """Read a file; None if it has nothing in it or nothing can be made of it.

    Raises:
        ConfigurationFileError: it cannot be read at all.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigurationFileError(
                [f"{problems.file}: larger than {MAX_BYTES:,} bytes"]
            )
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigurationFileError([f"{problems.file}: {reason}"]) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        column = len(before) - before.rfind(b"\n")
        problems.at(line, column, f"not UTF-8: byte 0x{content[error.start]:02x}")
        return None
    if path.suffix.lower() == ".json":
        return _json(text, problems)
    return read_yaml(text, problems)


def _json(text: str, problems: Problems) -> Node | None:
    try:
        json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        problems.at(error.lineno, error.colno, error.msg)
        return None
    except (ValueError, RecursionError) as error:
        problems.at(1, 1, str(error))
        return None

    # JSON is YAML but for tabs between values and characters written as two halves.
    def joined(pair: re.Match[str]) -> str:
        return str(json.loads(f'"{pair[0]}"'))

    return read_yaml(_ESCAPED_PAIR.sub(joined, text.replace("\t", " ")), problems)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def read_yaml(text: str, problems: Problems) -> Node | None:
    """Read YAML; None if it has nothing in it or nothing can be made of it."""
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        parser = loader(text)
        try:
            return _Composer(problems).compose(_events(parser))
        finally:
            parser.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        problems.at(line, column, _syntax(text, line, column, str(error.problem)))
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line = before.count("\n") + 1
        column = len(before) - before.rfind("\n")
        problems.at(line, column, f"character {error.character!r}: {error.reason}")
    except _RefusedError:
        pass
    return None


def _syntax(text: str, line: int, column: int, problem: str) -> str:
    lines = text.splitlines()
    if line <= len(lines) and "\t" in lines[line - 1][:column]:
        return "a tab cannot indent YAML; use spaces"
    return problem


def _events(parser: Any) -> Iterator[Any]:
    while parser.check_event():
        yield parser.get_event()


class _RefusedError(Exception):
    """Nothing more can be made of the document; the problem is noted."""


class _Composer:
    """Makes nodes of events, without ever following a tag."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.anchors: dict[str, Node] = {}
        self.open: list[tuple[Node, list[Node]]] = []
        self.unfinished: set[int] = set()
        self.root: Node | None = None
        self.documents = 0

    def compose(self, events: Iterator[Any]) -> Node | None:
        import yaml

        starts = {yaml.MappingStartEvent: "mapping", yaml.SequenceStartEvent: "list"}
        for event in events:
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._add(self._scalar(event))
            elif kind in starts:
                self._start(event, starts[kind])
            elif kind in (yaml.MappingEndEvent, yaml.SequenceEndEvent):
                self._end()
            elif kind is yaml.AliasEvent:
                self._add(self._alias(event))
            elif kind is yaml.DocumentStartEvent:
                self.documents += 1
                if self.documents > 1:
                    self._refuse(event, "a second document; a file holds one")
        if self.root is not None and self.root.kind == "scalar":
            return None if self.root.text == "" else self.root
        return self.root

    def _refuse(self, event: Any, text: str) -> None:
        mark = event.start_mark
        self.problems.at(mark.line + 1, mark.column + 1, text)
        raise _RefusedError

    def _scalar(self, event: Any) -> Node:
        value = event.value
        mark = event.start_mark
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            self._tag(event)
        plain = event.implicit[0] and event.tag is None
        meant = scalar(value) if plain else value
        node = Node("scalar", mark.line + 1, mark.column + 1, meant, value)
        return self._anchored(event, node)

    def _tag(self, event: Any) -> None:
        tag = event.tag.replace("tag:yaml.org,2002:", "!!")
        mark = event.start_mark
        self.problems.at(
            mark.line + 1, mark.column + 1, f"the tag {tag} is not allowed here"
        )

    def _anchored(self, event: Any, node: Node) -> Node:
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def _start(self, event: Any, kind: Any) -> None:
        if event.tag not in (None, "!"):
            self._tag(event)
        if len(self.open) >= MAX_DEPTH:
            self._refuse(event, f"nested more than {MAX_DEPTH} deep")
        mark = event.start_mark
        node = Node(kind, mark.line + 1, mark.column + 1)
        self.unfinished.add(id(node))
        self.open.append((self._anchored(event, node), []))

    def _end(self) -> None:
        node, children = self.open.pop()
        self.unfinished.discard(id(node))
        if node.kind == "list":
            node.items = children
        else:
            pairs = zip(children[::2], children[1::2], strict=True)
            node.entries = self._entries(list(pairs))
        self._add(node)

    def _alias(self, event: Any) -> Node:
        node = self.anchors.get(event.anchor)
        if node is None:
            self._refuse(event, f"there is no anchor &{event.anchor}")
        elif id(node) in self.unfinished:
            self._refuse(event, f"*{event.anchor} stands inside itself")
        assert node is not None
        size = sum(parent.size for parent, _ in self.open) + node.size
        if size > MAX_VALUES:
            self._refuse(
                event, f"*{event.anchor}: aliases stand for over {MAX_VALUES:,} values"
            )
        return node

    def _add(self, node: Node) -> None:
        if self.open:
            parent, children = self.open[-1]
            parent.size += node.size
            children.append(node)
        else:
            self.root = node

    def _entries(self, pairs: list[tuple[Node, Node]]) -> list[tuple[Node, Node]]:
        entries: dict[str, tuple[Node, Node]] = {}
        merged: list[tuple[Node, Node]] = []
        for key, value in pairs:
            if key.kind != "scalar":
                self.problems.add(key, "a key is a text")
            elif key.text == "<<":
                merged += self._merged(value)
            elif key.text in entries:
                first = entries[key.text][0].line
                self.problems.add(
                    key, f"the key {key.text!r} is there already, in line {first}"
                )
            else:
                entries[key.text] = (key, value)
        for key, value in merged:
            entries.setdefault(key.text, (key, value))
        return list(entries.values())

    def _merged(self, value: Node) -> list[tuple[Node, Node]]:
        sources = value.items if value.kind == "list" else [value]
        for source in sources:
            if source.kind != "mapping":
                self.problems.add(source, "<< takes a mapping or a list of mappings")
        return [entry for source in sources for entry in source.entries]


def scalar(text: str) -> Any:
    """Return what an unquoted scalar stands for: a number, a date, a text ..."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INTEGER.match(text):
        return int(text) if len(text) < 400 else text
    if _BASED.match(text):
        return int(text, 0)
    if _FLOAT.match(text):
        return float(text)
    if _SPECIAL.match(text):
        return float(text.replace(".", ""))
    try:
        if _DATE.match(text):
            return date.fromisoformat(text)
        if _MOMENT.match(text):
            return datetime.fromisoformat(text.upper())
    except ValueError:  # 2026-02-30 is a text that only looks like a date
        pass
    return text
