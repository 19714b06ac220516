"""Names of sites: data that come from outside, and never options, words or paths."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from urllib.parse import quote

from truthound.errors import ConfigurationError

LONGEST = 1_000  # characters
FILE_NAME = 100  # characters of a file's name that come from a site's


def refuse_name(name: str) -> None:
    """Raise if no process can be given a name.

    Raises:
        ConfigurationError: it is empty, too long, or holds what an argument cannot.
    """
    if not isinstance(name, str):
        raise ConfigurationError(f"a site's name is a text, not {name!r}")
    if not name:
        raise ConfigurationError("a site's name is empty")
    if len(name) > LONGEST:
        raise ConfigurationError(
            f"the site {name[:40]!r}... has {len(name):,} characters; up to "
            f"{LONGEST:,} can be passed"
        )
    if "\0" in name:
        raise ConfigurationError(
            f"the site {name!r} holds a NUL, which no argument may"
        )
    try:
        os.fsencode(name)
        name.encode()
    except UnicodeEncodeError as error:
        raise ConfigurationError(
            f"the site {name!r} holds a character that cannot be encoded: "
            f"{error.reason}"
        ) from None


def refuse_path(name: str, where: str) -> None:
    """Raise if a name would be more than one part of a path.

    Raises:
        ConfigurationError: it would lead to another folder.
    """
    if "/" in name or "\\" in name or name in (".", ".."):
        raise ConfigurationError(
            f"the site {shown_name(name)} cannot be a part of the path {where}"
        )


def checked_names(names: Iterable[str]) -> list[str]:
    """Return the names of sites, each once, in their order.

    Raises:
        ConfigurationError: they are a text instead of a list, or one is no text.
    """
    if isinstance(names, (str, bytes)):
        raise ConfigurationError(f"expected a list of sites, got {names!r}")
    try:
        listed = list(names)
    except TypeError as error:
        raise ConfigurationError(f"expected a list of sites, got {names!r}") from error
    for name in listed:
        if not isinstance(name, str):
            raise ConfigurationError(f"a site's name is a text, not {name!r}")
    return list(dict.fromkeys(listed))


def file_name(site: str) -> str:
    """Return a name for a site's files: readable, and another for every site.

    What is no letter, digit, ``-``, ``_`` or ``.`` is written as in an address.
    """
    quoted = quote(site, safe="").replace("~", "%7E")
    if quoted.startswith("."):
        quoted = "%2E" + quoted[1:]
    if len(quoted) > FILE_NAME:
        digest = hashlib.sha256(site.encode()).hexdigest()[:16]
        quoted = f"{quoted[:FILE_NAME]}-{digest}"
    return quoted


def shown_name(site: str) -> str:
    """Return the name of a site for people: quoted, if it could be misread."""
    if len(site) > LONGEST:
        return f"{site[:40]!r}..."
    return site if site.isprintable() and site.strip() == site != "" else repr(site)
