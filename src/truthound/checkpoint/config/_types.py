"""Types of values, in the words of someone who writes YAML."""

from __future__ import annotations

import datetime
import functools
import re
import types
import typing
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any

_WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Decimal: "a number",
    str: "a text",
    datetime.date: "a date",
    datetime.datetime: "a date and time",
    datetime.time: "a time",
    datetime.timedelta: "a number of seconds",
    type(None): "nothing",
}
_UNIONS = (typing.Union, types.UnionType)
_BOOLEANS = re.compile(r"(?i)(y|yes|no|n|on|off)\Z")


@functools.cache
def hints(cls: type) -> Mapping[str, Any]:
    """Return the types of a class's fields; looked up once, as it takes its time."""
    return typing.get_type_hints(cls)


def mismatch(expected: Any, value: object) -> str | None:
    """Say what is wrong with the type of a value; None if nothing is.

    A type that the values of a file cannot be compared with takes any of them.
    """
    if _fits(expected, value):
        return None
    hint = ""
    if isinstance(value, str) and _wants(expected, bool) and _BOOLEANS.match(value):
        hint = " (yes, no, on and off are texts)"
    elif isinstance(value, str) and re.match(r"[-+]?[\d_,.]+\Z", value):
        hint = " (quoted, with separators or with leading zeros it is a text)"
    elif _wants(expected, str) and not isinstance(value, (list, dict, type(None))):
        hint = " (quotes make it a text)"
    return f"expected {in_words(expected)}, got {shown(value)}{hint}"


def _fits(expected: Any, value: object) -> bool:
    import msgspec

    if expected is Any:
        return True
    if typing.get_origin(expected) in _UNIONS:
        # One by one: msgspec refuses unions such as a date or a text.
        return any(_fits(item, value) for item in typing.get_args(expected))
    try:
        msgspec.convert(value, type=expected)
    except msgspec.ValidationError:
        return False
    except TypeError:  # a type of which msgspec knows nothing
        return True
    return True


def in_words(expected: Any) -> str:
    """Name a type: ``a number, a date or a text``."""
    words = list(dict.fromkeys(_parts(expected)))
    for word, beside in (("nothing", ""), ("a whole number", "a number")):
        if word in words and len(words) > 1 and (not beside or beside in words):
            words.remove(word)
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _wants(expected: Any, wanted: type) -> bool:
    return _WORDS[wanted] in _parts(expected)


def _parts(expected: Any) -> list[str]:
    origin = typing.get_origin(expected)
    if origin in _UNIONS:
        return [word for item in typing.get_args(expected) for word in _parts(item)]
    if origin is typing.Literal:
        return [", ".join(str(choice) for choice in typing.get_args(expected))]
    if origin is typing.Annotated:
        return _parts(typing.get_args(expected)[0])
    if expected in _WORDS:
        return [_WORDS[expected]]
    kind = origin or expected
    if isinstance(kind, type):
        if issubclass(kind, Enum):
            return [", ".join(str(member.value) for member in kind)]
        if issubclass(kind, Mapping):
            return ["a mapping"]
        if issubclass(kind, Sequence):
            inner = typing.get_args(expected)
            of = f" of {in_words(inner[0])}" if inner and inner[0] is not Any else ""
            return ["a list" + of.replace(" of a text", " of texts")]
    return [str(getattr(expected, "__name__", expected))]


def shown(value: object) -> str:
    """Return a value for a message, not longer than a line can bear."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "a mapping"
    text = f"the text {value!r}" if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
