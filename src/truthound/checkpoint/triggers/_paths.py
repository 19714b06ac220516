"""Which files a trigger means: folders, files, and patterns of paths."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from pathlib import Path

_MAGIC = re.compile(r"[*?[]")
# What writers call files that they have not finished: editors, browsers, copying
# programs, Spark and Hadoop. A file that is renamed from one of them counts at once.
TEMPORARY = (
    *("*.tmp", "*.temp", "*.part", "*.partial", "*.filepart", "*.crdownload"),
    *("*.download", "*.swp", "*.swx", "*~", ".~*", "._*", "*._COPYING_"),
    "_temporary",
)


@dataclass(frozen=True, slots=True)
class Place:
    """One of the paths that a trigger was given.

    Attributes:
        given: as it was written.
        top: the folder to watch, or the file.
        pattern: of paths below the folder; None: all of them.
    """

    given: str
    top: Path
    pattern: str | None = None

    @property
    def is_deep(self) -> bool:
        """Whether the pattern reaches into folders below."""
        pattern = self.pattern or ""
        return "/" in pattern or "**" in pattern


def place_of(given: str | os.PathLike[str]) -> Place:
    """Return what a path means: one that is there is no pattern, whatever its name."""
    text = os.fspath(given)
    if not _MAGIC.search(text) or os.path.lexists(text):
        return Place(text, Path(text))
    parts = Path(text).parts
    fixed = next(n for n, part in enumerate(parts) if _MAGIC.search(part))
    return Place(text, Path(*parts[:fixed]), "/".join(parts[fixed:]))


Accepts = Callable[[str], bool]


def among(patterns: Sequence[str], *, of_folders: bool = False) -> Accepts:
    """Return what tells whether a path below a folder is of one of some patterns.

    A pattern without a slash is for the name, one with a slash for the whole path: its
    ``*`` stands for a part of one name, ``**`` for any number of folders, also none.

    Args:
        patterns: of them.
        of_folders: those of names are for the folders on the way, too.
    """
    if "*" in patterns:
        return lambda below: True
    # One expression for all names: it is asked of each of 100,000 files.
    names = re.compile(
        "|".join(translate(p) for p in patterns if "/" not in p) or r"\Z."
    )
    paths = [[*p.strip("/").split("/")] for p in patterns if "/" in p]

    def accepts(below: str) -> bool:
        parts = below.split("/")
        if any(map(names.match, parts if of_folders else parts[-1:])):
            return True
        if not paths:
            return False
        return any(_fits(path, parts) for path in paths)

    return accepts


@lru_cache(1_000)
def _compiled(pattern: str) -> Callable[[str], object]:
    return re.compile(translate(pattern)).match


def _fits(pattern: list[str], path: list[str]) -> bool:
    """Tell whether the parts of a path are those of a pattern."""
    if not pattern:
        return not path
    if pattern[0] == "**":
        rest = pattern[1:]
        return any(_fits(rest, path[at:]) for at in range(len(path) + 1))
    if not path or not _compiled(pattern[0])(path[0]):
        return False
    return _fits(pattern[1:], path[1:])


class Marker:
    """What says that a file, or a folder, is complete.

    Args:
        pattern: a name: with ``{name}`` or ``{stem}`` it is beside each file, else one
            for the whole folder.
    """

    def __init__(self, pattern: str) -> None:
        self.of_folder = "{" not in pattern
        self._pattern = pattern
        before, field, after = "", "", ""
        for field in ("{name}", "{stem}"):
            before, found, after = pattern.partition(field)
            if found:
                break
        self._by_stem = field == "{stem}"
        self._ends = (before, after)

    def is_one(self, name: str) -> bool:
        """Tell whether a name is that of a marker."""
        if self.of_folder:
            return name == self._pattern
        before, after = self._ends
        long_enough = len(name) > len(before) + len(after)
        return long_enough and name.startswith(before) and name.endswith(after)

    def of(self, path: str) -> str:
        """Return the marker that a file waits for."""
        folder, name = os.path.split(path)
        word = os.path.splitext(name)[0] if self._by_stem else name  # noqa: PTH122
        before, after = self._ends
        return os.path.join(folder, f"{before}{word}{after}")  # noqa: PTH118

    def files_of(self, marker: str) -> list[str]:
        """Return the files for which a marker stands. Blocks."""
        folder, name = os.path.split(marker)
        before, after = self._ends
        word = name[len(before) : len(name) - len(after)]
        if not self._by_stem:
            return [os.path.join(folder, word)]  # noqa: PTH118
        try:
            with os.scandir(folder) as listing:
                return sorted(
                    entry.path
                    for entry in listing
                    if os.path.splitext(entry.name)[0] == word  # noqa: PTH122
                    and not self.is_one(entry.name)
                    and entry.is_file()
                )
        except OSError:
            return []


def marker_fault(pattern: object) -> str | None:
    """Return what is wrong with a marker, in words."""
    if not isinstance(pattern, str) or not pattern.strip() or "/" in pattern:
        return f"a name such as _SUCCESS or {{name}}.done, not {pattern!r}"
    rest = pattern.replace("{name}", "", 1).replace("{stem}", "", 1)
    if "{" in rest or "}" in rest or pattern in ("{name}", "{stem}"):
        given = f"not {pattern!r}"
        return f"a name with {{name}} or {{stem}} once, such as {{name}}.done, {given}"
    if _MAGIC.search(pattern):
        return f"a name, not a pattern like {pattern!r}"
    return None
