"""Options that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

READING = (
    "input_format",
    "delimiter",
    "null_value",
    "encoding",
    "schema_override",
    "no_header",
    "column_name",
    "strict",
    "sample_size",
)


def reading(function: Function) -> Function:
    """Add the options of how data is read."""
    options = [
        click.option(
            "--input-format",
            metavar="NAME",
            help="csv, tsv, parquet, ndjson, json or arrow; by the file's name if left "
            "out.",
        ),
        click.option("--delimiter", metavar="CHAR", help="Between fields; 'tab', too."),
        click.option(
            "--null-value",
            metavar="TEXT",
            multiple=True,
            help="A text that stands for a missing value (repeatable).",
        ),
        click.option(
            "--encoding", metavar="NAME", help="Of a text file, like latin-1."
        ),
        click.option(
            "--schema-override",
            metavar="COLUMN=TYPE",
            multiple=True,
            help="Read a column as a type, like zip=string (repeatable).",
        ),
        click.option(
            "--no-header",
            is_flag=True,
            help="The first line of a text file is a row already.",
        ),
        click.option(
            "--column-name",
            metavar="NAME",
            multiple=True,
            help="Name the columns of a text file, one by one (repeatable).",
        ),
        click.option(
            "--strict", is_flag=True, help="Refuse a text file with rows too short."
        ),
        click.option(
            "--sample-size",
            metavar="N",
            type=click.IntRange(min=1),
            help="Read only N rows, spread evenly over the data.",
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def read_options(given: dict[str, Any]) -> dict[str, Any]:
    """Take the options of reading out of a command's and return them.

    Raises:
        click.BadParameter: ``--schema-override`` is not COLUMN=TYPE.
    """
    values = {name: given.pop(name) for name in READING}
    read: dict[str, Any] = {
        "format": values["input_format"],
        "delimiter": {"tab": "\t", "\\t": "\t"}.get(
            values["delimiter"], values["delimiter"]
        ),
        "null_values": list(values["null_value"]),
        "encoding": values["encoding"],
        "column_names": list(values["column_name"]),
        "strict": values["strict"],
        "sample_size": values["sample_size"],
        "schema_overrides": {},
    }
    for override in values["schema_override"]:
        column, equals, kind = override.rpartition("=")
        if not equals or not column or not kind:
            raise click.BadParameter(
                f"{override!r} is not COLUMN=TYPE", param_hint="--schema-override"
            )
        read["schema_overrides"][column] = kind
    given_ones = {name: value for name, value in read.items() if value}
    return {**given_ones, **({"has_header": False} if values["no_header"] else {})}


def talking(function: Function) -> Function:
    """Add ``-v`` and ``-q``."""

    @click.option("-v", "--verbose", count=True, help="Say more.")
    @click.option("-q", "--quiet", is_flag=True, help="Say less.")
    @click.pass_context
    @functools.wraps(function)
    def wrapped(context: click.Context, /, *args: Any, **options: Any) -> Any:
        verbose, quiet = options["verbose"], options["quiet"]
        if verbose and quiet:
            raise click.UsageError("give either -v or -q, not both")
        if isinstance(context.obj, dict):
            context.obj["verbose"] = verbose
        _log(context, verbose)
        return function(*args, **options)

    return wrapped  # type: ignore[return-value]


def _log(context: click.Context, verbose: int) -> None:
    import logging

    # What the package logs is in the results too; here it is shown for -v only.
    logger = logging.getLogger("truthound")
    handler: logging.Handler = logging.NullHandler()
    if verbose:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    context.call_on_close(lambda: logger.removeHandler(handler))


def output(*formats: str, default: str = "auto") -> Callable[[Function], Function]:
    """Add ``--format`` and ``-o``."""

    def add(function: Function) -> Function:
        function = click.option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write there, as a whole; '-' is standard output.",
        )(function)
        return click.option(
            "-f",
            "--format",
            "form",
            type=click.Choice(formats),
            default=default,
            show_default=True,
            help="How the result looks."
            + (" auto goes by FILE's name, else table." if default == "auto" else ""),
        )(function)

    return add


configuration = click.option(
    "-c",
    "--config",
    metavar="FILE",
    help="The configuration; else the nearest truthound.yaml.",
)

form = click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(("table", "json")),
    default="table",
    show_default=True,
    help="How it looks.",
)


def limit(default: int, help_: str) -> Callable[[Function], Function]:
    """Return a decorator that adds ``-n``, how many there are to be."""
    return click.option(
        "-n",
        "--limit",
        metavar="N",
        type=click.IntRange(min=1),
        default=default,
        show_default=True,
        help=help_,
    )
