"""Schema files: the columns of a table as YAML or JSON.

The content is a mapping of each column, in order, to its type, or to a mapping with
``type`` and ``nullable``::

    id: {type: int64, nullable: false}
    fare: float64
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from truthound import _atomic
from truthound.data import ROWS, Batch, Column, Metric, RetypedError, Table
from truthound.errors import ConfigurationError, StoreError, did_you_mean
from truthound.validators.type import TypeValidator

_PARTS = ("type", "nullable")
# Types that a source may have and that nobody would ask for by name.
_FOUND = ("null", "enum", "struct", "object", "unknown")

Columns = dict[str, dict[str, Any]]


def describe_schema(table: Table) -> Columns:
    """Return the columns of a table, as ``SchemaValidator`` and schema files have them.

    A column is nullable if a value is missing. Blocks: text files are read, of other
    sources only the numbers of missing values.

    Raises:
        DataError: the data cannot be read.
    """
    while True:
        names = frozenset(table.schema)
        metrics = [present(name) for name in table.schema]
        try:
            table.prepare(names, names)
            counts = table.measure(Batch([ROWS, *metrics]))[0]
        except RetypedError:  # the schema is another now, of fewer typed columns
            continue
        return described(table.schema, counts[0], counts[1:])


def schema_as_yaml(columns: Mapping[str, Any]) -> str:
    """Return the text of a schema file: a line a column."""
    lines = []
    for name, column in columns.items():
        parts = [f"type: {_scalar(column['type'])}"]
        if "nullable" in column:
            parts.append(f"nullable: {str(column['nullable']).lower()}")
        lines.append(f"{_scalar(name)}: {{{', '.join(parts)}}}\n")
    return "".join(lines)


def write_schema(columns: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write a schema file, whole or not at all: JSON if it ends so, else YAML.

    Raises:
        StoreError: it cannot be written.
    """
    if Path(path).suffix.lower() == ".json":
        text = json.dumps(columns, indent=1, ensure_ascii=False) + "\n"
    else:
        text = schema_as_yaml(columns)
    try:
        _atomic.write_text(path, text)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error


def read_schema(path: str | os.PathLike[str]) -> Columns:
    """Return what a schema file says. Blocks.

    Raises:
        ConfigurationError: it cannot be read, or is not what it should be; the
            message names the file.
    """
    name = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(
            f"schema: cannot read {name}: {error.strerror or error}"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"schema: {name} is not UTF-8: {error}") from error
    try:
        if Path(name).suffix.lower() == ".json":
            content = json.loads(text, object_pairs_hook=_unrepeated)
        else:
            content = _from_yaml(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"schema: {name}: {error}") from error
    try:
        return parse_schema(content)
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error}") from error


def parse_schema(content: object) -> Columns:
    """Return columns in their full form, whichever form they were given in.

    Raises:
        ConfigurationError: naming the column and what was expected.
    """
    if not isinstance(content, Mapping):
        raise ConfigurationError(
            f"schema is a mapping of columns to types, not {content!r:.80}"
        )
    if not content:
        raise ConfigurationError("schema names no column")
    columns: Columns = {}
    for name, said in content.items():
        if not isinstance(name, str):
            raise ConfigurationError(f"schema: {name!r} is no column name; quote it")
        columns[name] = _parsed(name, said)
    return columns


def fits(column: Column, wanted: str) -> bool:
    """Tell whether a column is of a type, which may be a group of types."""
    if column.dtype == wanted:
        return True
    if wanted in _FOUND:
        return wanted == "null"  # nothing is known of its values
    return TypeValidator(type=wanted).fits(column)


def present(column: str) -> Metric:
    """Return the metric of how many values a column has."""
    return Metric(
        ("present", column), lambda ns: ns.col(column).count(), frozenset((column,))
    )


def described(
    schema: Mapping[str, Column], rows: int, counts: tuple[int, ...] | list[int]
) -> Columns:
    """Return columns by their types and how many values each has."""
    return {
        column.name: {"type": column.dtype, "nullable": bool(count < rows)}
        for column, count in zip(schema.values(), counts, strict=True)
    }


def _parsed(name: str, said: object) -> dict[str, Any]:
    if isinstance(said, str):
        said = {"type": said}
    if not isinstance(said, Mapping):
        raise ConfigurationError(
            f"schema: {name!r} needs a type, or type and nullable, not {said!r:.80}"
        )
    for part in said:
        if part not in _PARTS:
            raise ConfigurationError(
                f"schema: {name!r} has no {part!r}{did_you_mean(str(part), _PARTS)}; "
                f"a column has type and nullable"
            )
    nullable = _BOOLEANS.get(str(said.get("nullable", True)).lower())
    if nullable is None:
        raise ConfigurationError(
            f"schema: nullable of {name!r} is true or false, not {said['nullable']!r}"
        )
    wanted = said.get("type", "all")
    if not isinstance(wanted, str):
        raise ConfigurationError(
            f"schema: the type of {name!r} is a name such as int64, not {wanted!r}"
        )
    if wanted not in _FOUND:
        try:
            TypeValidator(type=wanted)
        except ConfigurationError as error:
            raise ConfigurationError(f"schema: {name!r}: {error}") from error
    return {"type": wanted, "nullable": nullable}


_BOOLEANS = {"true": True, "false": False}

_PLAIN = re.compile(r"[^\W\d]\w*")
# What a reader of YAML takes for something else than a text.
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


def _scalar(text: str) -> str:
    """Return a text as YAML has it, in quotes unless it is a plain word."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    escapes = {'"': '\\"', "\\": "\\\\"}
    drawn = (escapes.get(c, c) if c.isprintable() else f"\\U{ord(c):08x}" for c in text)
    return f'"{"".join(drawn)}"'


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} stands there twice")
    return found


def _from_yaml(text: str) -> Any:
    """Return YAML in which every scalar is the text that it is written as.

    A column may be called ``no`` or ``2024``: nothing is made of that.
    """
    import yaml

    base: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

    class Loader(base):  # type: ignore[misc] # a class of either kind
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            pairs = [
                (
                    self.construct_object(k, deep=True),
                    self.construct_object(v, deep=True),
                )
                for k, v in node.value
            ]
            if not all(isinstance(key, str) for key, _ in pairs):
                raise ValueError("a column name is a text")
            return _unrepeated(pairs)

    try:
        return yaml.load(text, Loader)  # makes texts, lists and mappings only
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
