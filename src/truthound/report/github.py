"""A report as workflow commands of GitHub Actions: one annotation a finding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from truthound.report._item import Item
from truthound.report._words import safe, told, totals

_LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "notice"}


@dataclass(frozen=True, slots=True)
class Annotation:
    """One finding.

    Attributes:
        level: error, warning or notice.
        title: the run and the check.
        message: what was found.
    """

    level: str
    title: str
    message: str

    def command(self, file: str | None = None) -> str:
        """Return it as a command, in which nothing from the data acts.

        Args:
            file: beside which it is shown, from the root of the repository.
        """
        place = f"file={_property(safe(file))}," if file else ""
        title, message = _property(safe(self.title)), _data(safe(self.message))
        return f"::{self.level} {place}title={title}::{message}"


def annotated(item: Item) -> Iterator[Annotation]:
    """Yield what was found in a run, the worst first."""
    if item.run is None:
        yield Annotation("error", item.title, item.error or "no result")
    for check in item.errors:
        yield Annotation("error", f"{item.title}: {check.name}", check.error or "")
    for check in item.issues:
        title = f"{item.title}: {check.name} ({check.severity})"
        yield Annotation(_LEVELS[str(check.severity)], title, told(check))


def render_github(items: Sequence[Item]) -> str:
    """Return ``::error``, ``::warning`` and ``::notice`` lines, and the totals."""
    lines = [one.command() for item in items for one in annotated(item)]
    return "".join(f"{line}\n" for line in [*lines, totals(items)])


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
