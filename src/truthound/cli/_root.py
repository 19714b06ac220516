"""The whole command line, as click sees it."""

from __future__ import annotations

import click

from truthound.cli import COMMANDS, HELP, VERSION
from truthound.cli._lazy import LazyGroup


class Root(LazyGroup):
    """The commands, with the help that is given without click, too."""

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help as it stands."""
        formatter.write(HELP)


@click.group(
    cls=Root,
    context_settings={"help_option_names": ["-h", "--help"]},
    commands_at=COMMANDS,
)
@click.version_option(message=VERSION, version="")
def cli() -> None:
    """Check data, in one scan, and say what does not hold of it."""
