"""``truthound check``: data that is named here, or the configured checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from truthound.cli import _options, _store
from truthound.cli._boundary import Exit, stderr

if TYPE_CHECKING:
    from truthound.checkpoint import Checkpoint, CheckpointResult

FORMATS = ("auto", "table", "json", "jsonl", "junit", "github", "markdown", "html")
BARS = ("any", "low", "medium", "high", "critical", "never")
# Options that make sense for data named on the command line only.
AD_HOC = ("validators", "where", "name", *_options.READING)


def running(function: Any) -> Any:
    """Add the options of a run and of what becomes of its result."""
    for option in reversed(
        [
            click.option(
                "--fail-on",
                type=click.Choice(BARS),
                default="any",
                show_default=True,
                help="The least severity of an issue that makes the exit code 1.",
            ),
            click.option(
                "--failed-rows",
                metavar="FILE",
                help="Write all failing rows, with the checks that they fail, to a "
                "Parquet or CSV file.",
            ),
            click.option(
                "--sample-rows",
                metavar="N",
                type=click.IntRange(min=0),
                help="Example rows for each failing check; 0 for none.  [default: 5]",
            ),
            click.option(
                "--id-column",
                metavar="COL",
                multiple=True,
                help="Show this column with each example row (repeatable).",
            ),
            click.option(
                "--redact",
                metavar="COL",
                multiple=True,
                help="Never show the values of a column; a name or a pattern "
                "(repeatable).",
            ),
            click.option(
                "--min-severity",
                type=click.Choice(BARS[1:-1]),
                help="Failures below it are no issues.",
            ),
            click.option("--allow-empty", is_flag=True, help="Accept no rows."),
            click.option(
                "--full",
                is_flag=True,
                help="Read all files, also where the configuration says incremental.",
            ),
            click.option(
                "--timeout",
                metavar="S",
                type=click.FloatRange(min=0),
                help="Seconds for each checkpoint; 0 for no limit.  [default: 3600]",
            ),
            click.option(
                "--explain",
                is_flag=True,
                help="Say what would be asked of the data, and run nothing.",
            ),
        ]
    ):
        function = option(function)
    function = _options.output(*FORMATS)(function)
    return _options.talking(function)


@click.command(short_help="Check data and say what does not hold.")
@click.argument("data", required=False)
@click.option(
    "--validators",
    "-V",
    metavar="LIST",
    multiple=True,
    help="What must hold, like null,range:fare:0..500,unique:id+day.  "
    "[default: null,blank,duplicate]",
)
@click.option(
    "--where", metavar="SQL", help="Judge only the rows for which it is true."
)
@click.option("--name", metavar="NAME", help="Under which baselines are kept.")
@_options.reading
@_options.configuration
@click.option(
    "--select",
    "-s",
    metavar="WHICH",
    multiple=True,
    help="Checkpoints by name, pattern or tag:KEY=VALUE (repeatable).",
)
@_store.recording
@running
def check(data: str | None, config: str | None, **given: Any) -> int:
    """Check data and say what does not hold of it.

    DATA is a path, pattern, folder or address. Without it, the checkpoints of the
    configuration are validated; their actions are not executed ('truthound run' does).
    """
    select = given.pop("select")
    if data is not None:
        if config is not None or select:
            raise click.UsageError(
                "DATA stands for itself: leave --config and --select out"
            )
        checkpoints = [_ad_hoc(data, given)]
    else:
        for option in AD_HOC:
            if given.pop(option):
                flag = "--" + option.replace("_", "-")
                raise click.UsageError(f"{flag} goes with DATA, which is missing")
        checkpoints = chosen(config, select)
    return run(checkpoints, config, **given)


def chosen(config: str | None, select: tuple[str, ...]) -> list[Checkpoint]:
    """Return the configured checkpoints that are selected."""
    from truthound.checkpoint import load_checkpoints
    from truthound.cli._select import selected

    return selected(load_checkpoints(config), select)


def _ad_hoc(data: str, given: dict[str, Any]) -> Checkpoint:
    from truthound.checkpoint import Checkpoint
    from truthound.cli._shorthand import parse

    where, lists = given.pop("where"), given.pop("validators")
    name = given.pop("name")
    read = _options.read_options(given)
    specs: Any = None
    if lists:
        specs = [spec for text in lists for spec in parse(text, where)]
    elif where is not None:
        from truthound.validators.validation import DEFAULT_VALIDATORS

        specs = [{rule: {"where": where}} for rule in DEFAULT_VALIDATORS]
    return Checkpoint(
        name or "check", data_source=data, validators=specs, read_options=read
    )


def run(checkpoints: list[Checkpoint], config: str | None, **given: Any) -> int:
    """Validate the data of checkpoints, print what was found, return the exit code."""
    import asyncio

    from truthound.cli._results import code_of
    from truthound.cli._run import run_all, write_failing

    quiet, file = given["quiet"], given["failed_rows"]
    found = selection(checkpoints, given)
    if isinstance(found, int):
        return found
    for checkpoint in found:
        checkpoint.actions.clear()  # somebody only wants to see
    with _store.opened(given, config) as recording:
        for checkpoint in found:
            checkpoint.store = recording.store
        results = asyncio.run(run_all(found, quiet=quiet))
    deliver(found, results, given)
    if file is not None:
        write_failing(found[0], results[0], file, quiet=quiet)
    return recording.worst(code_of(results, given["fail_on"]))


def selection(
    checkpoints: list[Checkpoint], given: dict[str, Any]
) -> list[Checkpoint] | int:
    """Return the checkpoints that are to run, or the exit code if there is no run."""
    from truthound.cli import _files
    from truthound.cli._run import problems_of, refuse_rows_file, with_options

    if not checkpoints:
        stderr("truthound: nothing is selected")
        return Exit.NOTHING_SELECTED
    _files.refuse_unwritable(given["output"])
    refuse_rows_file(checkpoints, given["failed_rows"])
    checkpoints = [with_options(checkpoint, given) for checkpoint in checkpoints]
    for checkpoint in checkpoints:
        checkpoint.full = given["full"]
    if problems := problems_of(checkpoints):
        stderr("\n".join(problems))
        return Exit.USAGE
    if given["explain"]:
        _files.write("\n\n".join(c.explain() for c in checkpoints), given["output"])
        return Exit.PASSED
    return checkpoints


def deliver(
    checkpoints: list[Checkpoint],
    results: list[CheckpointResult],
    given: dict[str, Any],
) -> None:
    """Print results, or write them to a file."""
    from truthound.cli import _files
    from truthound.cli._results import profiles_of, render, suffix_format
    from truthound.cli._run import in_thread

    output, quiet = given["output"], given["quiet"]
    form = suffix_format(given["form"], output)
    if quiet and form == "table" and output is None:
        for result in results:
            if result.error:
                stderr(f"truthound: {result.checkpoint_name}: {result.error}")
        return
    profiles = None
    if form == "html":
        profiles = in_thread(
            lambda: profiles_of(checkpoints, results), "drawing", quiet=quiet
        )
    text = render(results, form, output, verbose=given["verbose"], profiles=profiles)
    _files.write(text, output, quiet=quiet)
    if output not in (None, "-") and not quiet:
        for result in results:
            stderr(result.summary())
