"""Which of the failing rows are shown, and how much of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from truthound.errors import did_you_mean

REDACTED = "***"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """How failing rows are shown.

    Attributes:
        limit: rows for each failing check; 0 for none.
        with_columns: columns that are shown beside those that were judged.
        redact: columns (names or globs) whose values are shown as ``***``.
    """

    limit: int = 5
    with_columns: tuple[str, ...] = ()
    redact: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        limit: int = 5,
        with_columns: str | Iterable[str] = (),
        redact: str | Iterable[str] = (),
    ) -> Examples:
        """Make one of what a user gives: of columns, a single one or several."""
        return cls(
            limit=limit, with_columns=_names(with_columns), redact=_names(redact)
        )

    def hides(self, column: str) -> bool:
        """Tell whether a column's values must not be shown."""
        return _is_named(column, self.redact)

    def redacted(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row without what must not be shown."""
        return {
            name: REDACTED if self.hides(name) else value for name, value in row.items()
        }

    def unmet(self, columns: Collection[str]) -> list[str]:
        """Say which of the names mean no column at all: most likely a slip."""
        wanted = [("id_columns", name) for name in self.with_columns]
        wanted += [("redact", name) for name in self.redact]
        return [
            f"{option}: there is no column {name!r}{did_you_mean(name, columns)}"
            for option, name in wanted
            if not any(_is_named(column, (name,)) for column in columns)
        ]


def _names(given: str | Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _is_named(column: str, names: Iterable[str]) -> bool:
    return any(column == name or fnmatchcase(column, name) for name in names)
