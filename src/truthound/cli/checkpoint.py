"""``truthound checkpoint``: the commands that work on configured checkpoints."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from truthound.cli import _options
from truthound.cli._boundary import Exit, printable, stdout
from truthound.cli._lazy import LazyGroup

if TYPE_CHECKING:
    from truthound.checkpoint import Checkpoint


@click.group(
    cls=LazyGroup,
    short_help="Work with configured checkpoints.",
    commands_at={
        "init": ("init:init", "Write a configuration for the data at hand."),
        "list": ("checkpoint:list_", "List the checkpoints of a configuration."),
        "run": ("run:run", "Run configured checkpoints, with their actions."),
        "validate": ("validate:validate", "Look for faults in a configuration."),
    },
)
def checkpoint() -> None:
    """Work with the checkpoints of a configuration."""


@click.command("list", short_help="List the checkpoints of a configuration.")
@click.argument("which", nargs=-1)
@_options.configuration
@_options.form
def list_(which: tuple[str, ...], config: str | None, form: str) -> int:
    """List the checkpoints of a configuration: all, or those that are selected.

    WHICH is a name, a pattern or tag:KEY=VALUE.
    """
    from truthound.cli import check

    checkpoints = check.chosen(config, which)
    if form == "json":
        stdout(json.dumps([c.to_dict() for c in checkpoints], indent=2))
        return Exit.PASSED
    if not checkpoints:
        return Exit.NOTHING_SELECTED
    rows = [("checkpoint", "data", "validators", "tags"), *map(_row, checkpoints)]
    widths = [max(len(row[n]) for row in rows) for n in range(3)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        stdout(printable("  ".join([*cells, row[3]]).rstrip()))
    return Exit.PASSED


def _row(checkpoint: Checkpoint) -> tuple[str, str, str, str]:
    record = checkpoint.to_dict()
    rules = [next(iter(spec)) for spec in record["validators"]]
    shown = ", ".join(dict.fromkeys(rules))
    tags = ", ".join(f"{key}={value}" for key, value in record["tags"].items())
    return (checkpoint.name, str(checkpoint.config.data_source), shown, tags)
