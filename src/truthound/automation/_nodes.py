"""Plain values as nodes, and nodes as YAML: how a configuration goes to a child."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from truthound.checkpoint.config._document import Node
from truthound.errors import ConfigurationError


def node_of(value: Any, where: str = "") -> Node:
    """Return a plain value as a node without a place.

    Args:
        value: what YAML can hold: mappings, lists, texts, numbers, dates, None.
        where: its keys, for messages.

    Raises:
        ConfigurationError: it holds something else, or a key is no text.
    """
    if isinstance(value, Mapping):
        entries = []
        for key, item in value.items():
            if not isinstance(key, (str, int)) or isinstance(key, bool):
                raise ConfigurationError(f"{where}{key!r}: a key is a text")
            name = Node("scalar", 0, 0, str(key), str(key))
            entries.append((name, node_of(item, f"{where}{key}.")))
        return Node("mapping", 0, 0, entries=entries)
    if isinstance(value, (list, tuple)):
        items = [node_of(item, where) for item in value]
        return Node("list", 0, 0, items=items)
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str):
        text = str.__str__(value)  # a subclass, such as an enum, may say another
        return Node("scalar", 0, 0, text, text)
    if value is None or isinstance(value, bool):
        word = {None: "null", True: "true", False: "false"}[value]
        return Node("scalar", 0, 0, value, word)
    if isinstance(value, (int, float)):
        plain = int(value) if isinstance(value, int) else float(value)
        text = repr(plain).replace("inf", ".inf").replace("nan", ".nan")
        return Node("scalar", 0, 0, value, text)
    if isinstance(value, (date, datetime)):
        return Node("scalar", 0, 0, value, value.isoformat())
    kind = type(value).__name__
    raise ConfigurationError(
        f"{where.rstrip('.') or 'the configuration'}: a {kind} cannot be passed to "
        "another process; use names, mappings, lists and numbers"
    )


def as_yaml(node: Node) -> str:
    """Return a node as YAML in one line, from which the same node can be read."""
    if node.kind == "mapping":
        # Without the ? a key may have no more than 1,024 characters.
        pairs = (f"? {_quoted(key.text)} : {as_yaml(v)}" for key, v in node.entries)
        return "{" + ", ".join(pairs) + "}"
    if node.kind == "list":
        return "[" + ", ".join(map(as_yaml, node.items)) + "]"
    if isinstance(node.scalar, str):
        return _quoted(node.scalar)
    return node.text or "null"


def mapping(entries: Mapping[str, Node | str]) -> Node:
    """Return a mapping node of nodes and texts."""
    nodes = {k: node_of(v) if isinstance(v, str) else v for k, v in entries.items()}
    return Node("mapping", 0, 0, entries=[(node_of(k), v) for k, v in nodes.items()])


def without(node: Node, keys: frozenset[str]) -> Node:
    """Return a mapping node without some of its keys."""
    kept = [(key, value) for key, value in node.entries if key.text not in keys]
    return dataclasses.replace(node, entries=kept)


def _quoted(text: str) -> str:
    # Characters that YAML does not let stand as they are.
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else _escaped(c) for c in quoted)


def _escaped(character: str) -> str:
    return f"\\U{ord(character):08x}"
