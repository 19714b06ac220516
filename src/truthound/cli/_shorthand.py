"""Validators in one line of the shell: ``null,range:fare:0..500,unique:id+day``.

The grammar, in which ``[ ]`` may be left out::

    list      = item {"," item}
    item      = name [":" columns [":" settings]]
    columns   = column {"+" column}            empty for those the rule takes by itself
    settings  = [value] {";" option "=" value}
    value     = low ".." high                  for rules with min and max; one may miss
              | a {"|" b}                      for rules with a list of values
              | text                           for the rule's own first option

A comma, colon, ``+`` or ``;`` inside quotes (``'…'`` or ``"…"``) or after a backslash
stands for itself. Quotes around a whole part are taken off.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Iterator, Sequence
from typing import Any

from truthound.errors import ConfigurationError, UnknownNameError, did_you_mean

_OPTION = re.compile(r"([a-z_]+)=")
_ESCAPED = re.compile(r"\\([,:+;'\"])")
_COMMON = {"column", "columns", "mostly", "severity", "where", "by", "name"}


class ShorthandError(ConfigurationError):
    """Raised when a list of validators cannot be read; it points at the part."""

    def __init__(self, text: str, position: int, problem: str) -> None:
        self.text, self.position, self.problem = text, position, problem
        # A long list is shown around the fault only.
        start = max(0, position - 40)
        shown = ("…" if start else "") + text[start : start + 76]
        offset = position - start + bool(start)
        super().__init__(f"{problem}\n  {shown}\n  {' ' * offset}^")


@dataclasses.dataclass(frozen=True, slots=True)
class _Part:
    """A piece of the text with its position."""

    text: str
    position: int

    @property
    def bare(self) -> str:
        """The piece without what only protects its signs.

        Quotes around all of it go; quotes within, as in ``where=kind = 'a, b'``, stay.
        """
        text = self.text
        if (
            len(text) > 1
            and text[0] in "'\""
            and text.find(text[0], 1) == len(text) - 1
        ):
            return text[1:-1]
        return _ESCAPED.sub(r"\1", text)

    def _closes(self, index: int) -> bool:
        return self.text.find(self.text[index], index + 1) > 0

    def split(self, separator: str, limit: int = -1) -> list[_Part]:
        """Split at a separator that is not quoted."""
        parts, quote, start, index = [], "", 0, 0
        while index < len(self.text):
            sign = self.text[index]
            if quote:
                quote = "" if sign == quote else quote
            elif sign in "'\"" and self._closes(index):
                quote = sign
            elif sign == "\\" and self.text[index + 1 : index + 2] in tuple(",:+;'\""):
                index += 1
            elif sign == separator and limit:
                parts.append(_Part(self.text[start:index], self.position + start))
                start, limit = index + 1, limit - 1
            index += 1
        parts.append(_Part(self.text[start:], self.position + start))
        return parts

    def strip(self) -> _Part:
        """Return it without blanks around it."""
        blanks = len(self.text) - len(self.text.lstrip())
        return _Part(self.text.strip(), self.position + blanks)


def parse(text: str, where: str | None = None) -> list[dict[str, dict[str, Any]]]:
    """Read a list of validators in short notation.

    Args:
        text: as the module describes it.
        where: a row filter for those that have none of their own.

    Returns:
        Mappings of a name to its options, as ``validators=`` takes them.

    Raises:
        ShorthandError: with the part that cannot be read.
    """
    found = []
    for part in _Part(text, 0).split(","):
        item = part.strip()
        if not item.text:
            raise ShorthandError(text, item.position, "expected a validator")
        name, options = _item(text, item)
        if where is not None:
            options.setdefault("where", where)
        _refuse_wrong(text, item, name, options)
        found.append({name: options})
    return found


def _item(text: str, item: _Part) -> tuple[str, dict[str, Any]]:
    from truthound.validators import registry

    name, *rest = item.split(":", 2)
    try:
        cls = registry.find(name.bare)
    except UnknownNameError as error:
        raise ShorthandError(text, name.position, str(error)) from error
    options: dict[str, Any] = {}
    if rest and rest[0].text.strip():
        columns = [column.strip() for column in rest[0].split("+")]
        for column in columns:
            if not column.text:
                raise ShorthandError(text, column.position, "expected a column")
        names = [column.bare for column in columns]
        if len(names) == 1:
            options["column"] = names[0]
        else:
            options["columns"] = names
    if len(rest) == 2:
        options.update(_settings(text, name.bare, cls, rest[1]))
    return name.bare, options


def _settings(text: str, rule: str, cls: Any, part: _Part) -> Iterator[tuple[str, Any]]:
    from truthound.validators import registry

    known = {f.name for f in dataclasses.fields(cls) if f.init}
    hints = registry.option_types(cls)
    for n, setting in enumerate(part.split(";")):
        match = _OPTION.match(setting.text)
        if match and (n or match[1] in known):
            option = match[1]
            if option not in known:
                problem = f"{rule} has no option {option!r}"
                problem += did_you_mean(option, known) or (
                    f"; it knows {', '.join(sorted(known))}"
                )
                raise ShorthandError(text, setting.position, problem)
            value = _Part(setting.text[match.end() :], setting.position + match.end())
            yield option, _value(hints[option], value.bare)
        elif n:
            problem = "expected option=value"
            raise ShorthandError(text, setting.position, problem)
        elif setting.text:
            if setting.bare in cls.short_forms:
                yield from cls.short_forms[setting.bare].items()
            else:
                own = known - cls.not_own
                yield from _positional(text, rule, own, hints, setting)


def _positional(
    text: str, rule: str, known: set[str], hints: dict[str, Any], part: _Part
) -> Iterator[tuple[str, Any]]:
    if {"min", "max"} <= known and ".." in part.text:
        low, _, high = part.bare.partition("..")
        for option, bound in (("min", low), ("max", high)):
            if bound:
                yield option, _scalar(bound)
        return
    own = [name for name in hints if name in known and name not in _COMMON]
    if {"min", "max"} <= known or not own:
        expected = "bounds such as 0..500" if own else "option=value"
        raise ShorthandError(text, part.position, f"{rule} expects {expected} here")
    yield own[0], _value(hints[own[0]], part.bare)


def _value(hint: Any, text: str) -> Any:
    """Read a value as the type of its option needs it."""
    if _is_list(hint):
        if "|" in text or not _takes(hint, str):
            return [_scalar(item) for item in text.split("|")]
        return text
    return text if hint is str or hint == str | None else _scalar(text)


def _takes(hint: Any, kind: type) -> bool:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return any(_takes(item, kind) for item in typing.get_args(hint))
    return hint is kind


def _is_list(hint: Any) -> bool:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_is_list(item) for item in typing.get_args(hint))
    kind = origin or hint
    return isinstance(kind, type) and kind is not str and issubclass(kind, Sequence)


def _scalar(text: str) -> Any:
    from truthound.checkpoint.config import scalar

    return scalar(text)


def _refuse_wrong(text: str, item: _Part, name: str, options: dict[str, Any]) -> None:
    from truthound.validators import registry

    try:
        registry.make(name, options)
    except ConfigurationError as error:
        raise ShorthandError(text, item.position, str(error)) from error
