"""Checkpoints that wait for each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from truthound.checkpoint.triggers.upstream import UpstreamTrigger
from truthound.errors import ConfigurationError


def upstream_of(checkpoint: Any) -> Iterator[str]:
    """Yield the names of the checkpoints after which one runs."""
    for trigger in getattr(checkpoint, "triggers", ()):
        if isinstance(trigger, UpstreamTrigger):
            yield from trigger.config.names()


def check_circles(after: Mapping[str, Sequence[str]]) -> None:
    """Raise if checkpoints wait for each other in a circle.

    Args:
        after: by name, after which others one runs.

    Raises:
        ConfigurationError: which ones.
    """
    done: set[str] = set()
    for start in after:
        # The way to where we are, and what is still to be looked at from each of it.
        way: dict[str, Iterator[str]] = (
            {} if start in done else {start: _next(after, start)}
        )
        while way:
            name, left = next(reversed(way.items()))
            following = next(left, None)
            if following is None:
                del way[name]
                done.add(name)
            elif following in way:
                names = list(way)
                circle = [*names[names.index(following) :], following]
                raise ConfigurationError(
                    "checkpoints wait for each other in a circle: "
                    + " after ".join(repr(name) for name in circle)
                )
            elif following not in done:
                way[following] = _next(after, following)


def _next(after: Mapping[str, Sequence[str]], name: str) -> Iterator[str]:
    return iter(after.get(name, ()))
