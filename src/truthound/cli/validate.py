"""``truthound validate``: look for faults in a configuration; no data is read."""

from __future__ import annotations

import click

from truthound._words import plural
from truthound.cli._boundary import Exit, stderr, stdout


@click.command(short_help="Look for faults in a configuration.")
@click.argument("file", required=False)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing if there are none.")
def validate(file: str | None, quiet: bool) -> int:
    """Look for faults in a configuration and say all of them at once.

    FILE is a YAML or JSON file; without it the nearest truthound.yaml is taken. No
    data is read. Variables of the environment that the configuration names must be
    set.
    """
    from truthound.checkpoint import load_checkpoints
    from truthound.cli._run import problems_of

    checkpoints = load_checkpoints(file)
    if problems := problems_of(checkpoints):
        stderr("\n".join(problems))
        return Exit.USAGE
    if not quiet:
        stdout(f"OK, {plural(len(checkpoints), 'checkpoint')}")
    return Exit.PASSED
