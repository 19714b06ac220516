"""Choosing checkpoints by name, pattern or tag."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from typing import TYPE_CHECKING

from truthound.errors import UnknownNameError

if TYPE_CHECKING:
    from truthound.checkpoint import Checkpoint


def selected(
    checkpoints: Sequence[Checkpoint], wanted: Sequence[str]
) -> list[Checkpoint]:
    """Return the checkpoints to which one of the selections applies, in order.

    A selection is a name, a pattern with ``*``, ``?`` or ``[…]``, ``tag:KEY`` or
    ``tag:KEY=VALUE``, whose value may be a pattern. None selects all.

    Raises:
        UnknownNameError: a name that no checkpoint has.
    """
    if not wanted:
        return list(checkpoints)
    names = [checkpoint.name for checkpoint in checkpoints]
    for item in wanted:
        plain = not item.startswith("tag:") and not any(sign in item for sign in "*?[")
        if plain and item not in names:
            raise UnknownNameError("checkpoint", item, names)
    return [c for c in checkpoints if any(_applies(item, c) for item in wanted)]


def _applies(item: str, checkpoint: Checkpoint) -> bool:
    if not item.startswith("tag:"):
        return item == checkpoint.name or fnmatch.fnmatchcase(checkpoint.name, item)
    key, equals, value = item.removeprefix("tag:").partition("=")
    tags = checkpoint.config.tags
    if key not in tags:
        return False
    return not equals or fnmatch.fnmatchcase(str(tags[key]), value)
