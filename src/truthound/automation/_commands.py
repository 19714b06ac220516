"""Commands of users: where a site's name may stand in one, and what it becomes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from truthound.automation._names import refuse_path, shown_name
from truthound.errors import ConfigurationError
from truthound.secrets import resolved

PLACE = "{site}"
# The letters of an option behind which an interpreter reads code, or in it.
_CODE_LETTERS = {
    re.compile(r"(ba|da|z|k|fi|c|tc)?sh|busybox"): "c",
    re.compile(r"python[\d.]*|pypy[\d.]*"): "c",
    re.compile(r"perl[\d.]*"): "eE",
    re.compile(r"ruby[\d.]*"): "e",
    re.compile(r"nodejs|node|deno|bun"): "ep",
    re.compile(r"pwsh|powershell"): "cC",
    re.compile(r"[gmn]?awk"): "",
}
_LONG = {"--eval", "--print", "--command", "-command", "-encodedcommand"}


def refuse_code(words: Sequence[str]) -> None:
    """Raise if the name of a site would stand in code.

    Raises:
        ConfigurationError: an interpreter would read it; the message says what to do.
    """
    for place, word in enumerate(words):
        for program, letters in _CODE_LETTERS.items():
            if program.fullmatch(Path(word).name):
                code = _code_of(words[place + 1 :], letters)
                if any(PLACE in part for part in code):
                    raise ConfigurationError(
                        f"{PLACE} would be read as code by {Path(word).name}; give it "
                        "as an argument behind the code, or read the variable "
                        "TRUTHOUND_SITE"
                    )


def _code_of(words: Sequence[str], letters: str) -> list[str]:
    """Return what an interpreter takes for code, and the options that say so."""
    found: list[str] = []
    for place, word in enumerate(words):
        if word == "--" or (word == "-m" and not found and letters == "c"):
            break
        is_option = word.startswith(("-", "+")) and len(word) > 1
        if is_option and (found or _says_code(word, letters)):
            found.append(word)
        elif not is_option and found:
            return [*found, word]
        elif not is_option and not letters:  # awk: its program is the first word
            before = words[:place]
            return [] if any(w.startswith(("-f", "--file")) for w in before) else [word]
        elif not is_option and ("." in word or "/" in word):
            break  # a script, and what is behind it is its own
    return found


def _says_code(option: str, letters: str) -> bool:
    if option.startswith("--") or option.lower() in _LONG:
        return option.partition("=")[0].lower() in _LONG
    return bool(set(letters) & set(re.match(r"[A-Za-z]*", option[1:])[0]))  # type: ignore[index]


def filled(command: Sequence[str], site: str) -> list[str]:
    """Return a command with the name of a site in it.

    Raises:
        ConfigurationError: the program would take the name for an option, or it would
            lead out of the path that it is a part of.
    """
    words = []
    options_end = False
    for word in command:
        given = resolved(word)
        if "/" in given and PLACE in given:
            refuse_path(site, word)
        text = given.replace(PLACE, site)
        is_option = text.startswith("-") and not given.startswith("-")
        if is_option and not options_end:
            raise ConfigurationError(
                f"the site {shown_name(site)} would be taken for an option; write "
                f"--name={word} or put -- before {shlex.join([word])} in command"
            )
        options_end = options_end or word == "--"
        words.append(text)
    return words
