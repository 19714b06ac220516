"""Results as text, for people and for programs: each format in a file of its own."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from truthound.errors import UnknownNameError
from truthound.report._item import Item, items_of

if TYPE_CHECKING:
    from truthound.profile import Profile

# Where each format is drawn; its module is imported when it is wanted.
_HOMES = {
    "table": "table:render_table",
    "json": "data:render_json",
    "jsonl": "data:render_jsonl",
    "junit": "junit:render_junit",
    "github": "github:render_github",
    "markdown": "markdown:render_markdown",
    "html": "html:render_html",
}
FORMATS = tuple(_HOMES)

__all__ = ["FORMATS", "Item", "items_of", "render", "render_profile"]


def render_profile(profile: Profile, format: str = "table", **options: Any) -> str:
    """Return a profile in a format: table, json, markdown or html.

    Args:
        profile: what ``truthound.profile.profile`` returned.
        format: one of these.
        options: ``color`` and ``width``, for a table.

    Raises:
        UnknownNameError: there is no such format.
    """
    from truthound.report.profiles import render_profile as draw

    return draw(profile, format, **options)


def render(results: Any, format: str = "table", **options: Any) -> str:
    """Return results in a format.

    Args:
        results: a ``CheckpointResult``, a ``ValidationRun``, items, or several of them.
        format: table, json, jsonl, junit, github, markdown or html.
        options: what the format's own function takes: ``color``, ``width`` and
            ``verbose`` for a table, ``profiles`` for html.

    Raises:
        UnknownNameError: there is no such format.

    Example:
        >>> import polars as pl, truthound
        >>> from truthound.report import render
        >>> run = truthound.check(pl.DataFrame({"a": [1, None]}), ["null"])
        >>> print(render(run, "github"), end="")
        ::error title=DataFrame%3A null(a) (high)::expected no missing values (...)
        0 of 1 check passed, 1 failed
    """
    if format not in _HOMES:
        raise UnknownNameError("format", format, _HOMES)
    module, _, name = _HOMES[format].partition(":")
    draw = getattr(importlib.import_module(f"truthound.report.{module}"), name)
    text: str = draw(items_of(results), **options)
    return text
