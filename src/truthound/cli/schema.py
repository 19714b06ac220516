"""``truthound schema``: the columns of data as a file for the validator ``schema``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from truthound.cli import _options
from truthound.cli._boundary import Exit


@click.command(short_help="Write the columns of data as a schema file.")
@click.argument("data")
@_options.reading
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(("auto", "yaml", "json")),
    default="auto",
    show_default=True,
    help="How it is written. auto goes by FILE's name, else YAML.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write there, as a whole; '-' is standard output.",
)
@_options.talking
def schema(data: str, form: str, output: str | None, **given: Any) -> int:
    """Write the columns of DATA: names, types, and whether values are missing.

    The validator 'schema' takes the file: schema: {schema: FILE}.
    """
    import json

    from truthound.cli import _files
    from truthound.cli._run import in_thread
    from truthound.data import ReadOptions, open_source
    from truthound.validators.schema_file import describe_schema, schema_as_yaml

    quiet = given["quiet"]
    options = ReadOptions.of(_options.read_options(given))
    _files.refuse_unwritable(output)
    columns = in_thread(
        lambda: describe_schema(open_source(data, options)),
        f"reading {data}",
        quiet=quiet,
    )
    as_json = form == "json" or (
        form == "auto" and Path(output or "").suffix.lower() == ".json"
    )
    text = json.dumps(columns, indent=1, ensure_ascii=False) if as_json else ""
    _files.write(text or schema_as_yaml(columns), output, quiet=quiet)
    return Exit.PASSED
