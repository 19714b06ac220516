"""The command line: parse, call one function, print.

This module imports click and nothing of what the commands need; each command is a
module of its own, imported when it is called.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from truthound._version import __version__
from truthound.cli._boundary import guarded
from truthound.cli._lazy import LazyGroup

__all__ = ["cli", "main"]


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    commands_at={
        "baseline": ("baseline:baseline", "Show, accept or reset learned baselines."),
        "check": ("check:check", "Check data and say what does not hold."),
        "checkpoint": ("checkpoint:checkpoint", "Work with configured checkpoints."),
        "init": ("init:init", "Write a configuration for the data at hand."),
        "profile": ("profile:profile", "Describe the columns of data."),
        "schema": ("schema:schema", "Write the columns of data as a schema file."),
        "validate": ("validate:validate", "Look for faults in a configuration."),
    },
)
@click.version_option(__version__, message="truthound %(version)s")
def cli() -> None:
    """Check data, in one scan, and say what does not hold of it.

    Begin with 'truthound check DATA'. The exit code is 0 if every check passed, 1 if
    one failed, 2 for a wrong call or configuration, 3 if a run could not be
    completed, 5 if nothing was selected, 130 or 143 if interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> Any:
    """Run the command line and leave the process with its exit code.

    Args:
        arguments: what stands behind the program's name; None for ``sys.argv``.
    """
    sys.exit(guarded(cli, arguments))
