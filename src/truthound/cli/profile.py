"""``truthound profile``: what is in the columns of data."""

from __future__ import annotations

from typing import Any

import click

from truthound.cli import _options
from truthound.cli._boundary import Exit


@click.command(short_help="Describe the columns of data.")
@click.argument("data")
@click.option(
    "--suggest",
    metavar="FILE",
    help="Write validators that this data passes, as a configuration.",
)
@click.option(
    "--column",
    metavar="COL",
    multiple=True,
    help="Only this column; a name, a pattern or a group (repeatable).",
)
@click.option(
    "--redact",
    metavar="COL",
    multiple=True,
    help="Never show the values of a column; a name or a pattern (repeatable).",
)
@_options.reading
@_options.output("auto", "table", "json", "markdown", "html")
@_options.talking
def profile(
    data: str, suggest: str | None, form: str, output: str | None, **given: Any
) -> int:
    """Describe each column of DATA: type, missing and distinct values, range.

    DATA is a path, pattern, folder or address; it is read once.
    """
    from truthound import profile as room
    from truthound.cli import _files
    from truthound.cli._results import suffix_format, terminal
    from truthound.cli._run import in_thread
    from truthound.cli.init import configuration_of, refuse_existing
    from truthound.report.profiles import render_profile

    quiet = given["quiet"]
    read = _options.read_options(given)
    _files.refuse_unwritable(output)
    _files.refuse_unwritable(suggest)
    if suggest is not None:
        refuse_existing(suggest)
    found = in_thread(
        lambda: room.profile(
            data, columns=given["column"] or None, redact=given["redact"], **read
        ),
        f"reading {data}",
        quiet=quiet,
    )
    form = suffix_format(form, output)
    if not (quiet and form == "table" and output is None):
        options = terminal(output) if form == "table" else {}
        _files.write(render_profile(found, form, **options), output, quiet=quiet)
    if suggest is not None:
        text = in_thread(
            lambda: configuration_of([data], suggest, read),
            f"reading {data}",
            quiet=quiet,
        )
        _files.write(text, suggest, quiet=quiet)
    return Exit.PASSED
