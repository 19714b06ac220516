"""Keeping passwords out of everything that is printed or stored."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from truthound.errors import ConfigurationError

_USER_INFO = re.compile(r"(?<=://)([^/@:\s]*):([^/@\s]*)@")
_QUERY = re.compile(
    r"(?i)([?&](?:[\w-]*(?:token|key|secret|signature|password|sig)))=[^&#\s]+"
)
# What chat services put into the path of an address instead of a password.
_PATH = re.compile(
    r"(/bot\d+:|hooks\.slack\.com/(?:services|triggers|workflows)/|/webhooks/\d+/)"
    r"[^\s?#'\"]+"
)
TELLING = 6  # characters of a part of an address that may be a key
# $${ stands for ${ itself.
_REFERENCE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def without_password(address: str) -> str:
    """Return an address with the password and the keys in it as ``***``."""
    hidden = _QUERY.sub(r"\1=***", _USER_INFO.sub(r"\1:***@", address))
    return _PATH.sub(r"\1***", hidden)


def without_path(address: str) -> str:
    """Return an address of which only the host is left."""
    scheme, separator, rest = address.partition("://")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    return f"{scheme}{separator}{host}/***"


def references(value: Any) -> Iterator[str]:
    """Yield the names in every ``${NAME}`` of a text, or of the texts in a value."""
    if isinstance(value, str):
        if "${" in value:
            yield from (m[1] for m in _REFERENCE.finditer(value) if m[1])
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from references(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from references(item)


def refers(value: Any) -> bool:
    """Tell whether a text in a value has a ``${`` that ``resolved`` would replace."""
    if isinstance(value, str):
        return "${" in value
    if isinstance(value, Mapping):
        return any(refers(item) for item in value.values())
    return isinstance(value, (list, tuple)) and any(refers(item) for item in value)


def resolved(value: Any, places: Mapping[str, str] | None = None) -> Any:
    """Return a value with every ``${NAME}`` in its texts read from the environment.

    ``$${`` stands for ``${`` itself. Texts are looked for in mappings and lists too;
    a value without any reference comes back as it is.

    Args:
        value: a text, a mapping, a list or anything else.
        places: where each name was written, for the message.

    Raises:
        ConfigurationError: a variable is not set. Its message names the variable.
    """
    if isinstance(value, str):
        if "${" not in value:
            return value
        return _REFERENCE.sub(
            lambda m: _variable(m[1], places) if m[1] else "${", value
        )
    if isinstance(value, Mapping):
        return {key: resolved(item, places) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(resolved(item, places) for item in value)
    return value


def _variable(name: str, places: Mapping[str, str] | None) -> str:
    value = os.environ.get(name)
    if value is None:
        place = f"{places[name]}: " if places and name in places else ""
        raise ConfigurationError(f"{place}the environment variable {name} is not set")
    return value


def hidden(message: str, names: Iterable[str]) -> str:
    """Return a message with the values of some variables as ``${NAME}``.

    The longest first, as one may be a part of another. Values of less than four
    characters stay: they would be found in any word.
    """
    values = {name: os.environ.get(name, "") for name in names}
    for name, value in sorted(values.items(), key=lambda item: -len(item[1])):
        if len(value) > 3:
            message = message.replace(value, f"${{{name}}}")
    return message


class Secret:
    """A text that prints as ``***`` everywhere; :meth:`reveal` is the way to it.

    Args:
        text: the secret, or ``${NAME}`` for a variable of the environment, which is
            read when it is used.
        places: where each variable was written, for messages.

    Example:
        >>> token = Secret("s3cr3t")
        >>> print(token, repr(token), f"{token}")
        *** Secret(***) ***
        >>> token.reveal()
        's3cr3t'
    """

    __slots__ = ("_text", "places")

    def __init__(
        self, text: str | Secret, places: Mapping[str, str] | None = None
    ) -> None:
        if not isinstance(text, (str, Secret)):
            raise ConfigurationError(f"expected a text, got {type(text).__name__}")
        self._text: str = text._text if isinstance(text, Secret) else text
        if isinstance(text, Secret) and places is None:
            places = text.places
        self.places: Mapping[str, str] | None = places

    def reveal(self) -> str:
        """Return the secret itself.

        Raises:
            ConfigurationError: it refers to a variable that is not set.
        """
        return str(resolved(self._text, self.places))

    def conceal(self, message: str) -> str:
        """Return a message with ``***`` where the secret stands in it."""
        try:
            known = self.reveal()
        except ConfigurationError:
            return message
        forms = {known, known.strip(), repr(known)[1:-1]}
        scheme, _, rest = known.partition("://")
        if rest and scheme.isalpha():  # an address: what is behind the host
            path = "/" + rest.partition("/")[2]
            forms |= {rest, path, path.strip("/")}
            # Of a part that is short there is nothing to guess the rest from.
            parts = re.split(r"[/?&=#:@]", path + "/" + rest.rpartition("@")[0])
            forms |= {part for part in parts if len(part) >= TELLING}
        forms |= {quote(form) for form in forms} | {quote(form, "") for form in forms}
        forms |= {form.replace("/", "\\/") for form in forms}  # as JSON may have it
        for form in sorted(forms, key=len, reverse=True):
            if len(form) > 3:
                message = re.sub(re.escape(form), "***", message, flags=re.IGNORECASE)
        return message

    def mark(self) -> str:
        """Return what two different secrets seldom share, and nobody can go back from.

        Sixteen bits of a digest of the text as it was written.
        """
        said = self._text.encode("utf-8", "replace")
        return hashlib.blake2b(said, digest_size=2).hexdigest()

    def __bool__(self) -> bool:
        return bool(self._text)

    def __str__(self) -> str:
        return "***" if self._text else ""

    def __repr__(self) -> str:
        return "Secret(***)" if self._text else "Secret('')"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Secret):
            return self._text == other._text
        return self._text == other if isinstance(other, str) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._text)


class Reference(os.PathLike[str]):
    """A path or address as it was written, which is looked up when it is used.

    ``str()`` is what was written and is what results show, so that neither what the
    environment holds nor the machine's folders get into them.

    Args:
        text: the path or address, with ``${NAME}`` for variables of the environment.
        folder: where a relative path begins; the current one if empty.
        places: where each variable was written, for messages.

    Example:
        >>> import os
        >>> source = Reference("${LAKE}/rides.parquet")
        >>> os.environ["LAKE"] = "/mnt/lake"
        >>> os.fspath(source), str(source)
        ('/mnt/lake/rides.parquet', '${LAKE}/rides.parquet')
    """

    def __init__(
        self,
        text: str,
        folder: str | os.PathLike[str] = "",
        places: Mapping[str, str] | None = None,
    ) -> None:
        self.text = text
        self.folder: str = os.fspath(folder)
        self.places = places

    def __fspath__(self) -> str:
        path: str = resolved(self.text, self.places)
        return path if "://" in path else os.path.join(self.folder, path)  # noqa: PTH118 - no Path: it would take a trailing slash and ./ away

    def __str__(self) -> str:
        return without_password(self.text)

    def __repr__(self) -> str:
        return repr(str(self))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Reference):
            return NotImplemented
        return (self.text, self.folder) == (other.text, other.folder)

    def __hash__(self) -> int:
        return hash((self.text, self.folder))

    def hidden(self, message: str) -> str:
        """Return a message with what was looked up as it was written."""
        try:
            message = message.replace(os.fspath(self), str(self))
        except ConfigurationError:
            return message
        return hidden(message, references(self.text))
