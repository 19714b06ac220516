"""``truthound pipeline``: the pipelines of sites."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from truthound.cli import _options
from truthound.cli._boundary import Exit, printable, stderr, stdout
from truthound.cli._lazy import LazyGroup

if TYPE_CHECKING:
    from truthound.automation import PipelineConfig, PipelineRun


@click.group(
    cls=LazyGroup,
    short_help="Run the pipelines of sites.",
    commands_at={
        "run": ("pipeline:run", "Run the pipelines of sites, side by side."),
        "status": ("pipeline:status", "Show what was found out about sites."),
    },
)
def pipeline() -> None:
    """Run a pipeline for each site, in a process of its own."""


_configuration = click.option(
    "-c",
    "--config",
    metavar="FILE",
    default="automation/config.yaml",
    show_default=True,
    help="The configuration of the pipelines.",
)
_listed = click.option(
    "--from",
    "from_file",
    metavar="FILE",
    multiple=True,
    help="Names of sites from a CSV or JSON file, or a line each (repeatable).",
)


@click.command("run", short_help="Run the pipelines of sites, side by side.")
@click.argument("sites", nargs=-1)
@_configuration
@_listed
@click.option(
    "--max-concurrent",
    metavar="N",
    type=click.IntRange(min=1),
    help="How many run at once; else as the configuration says.",
)
@click.option("--sync", is_flag=True, help="Run them one after the other.")
@_options.output("auto", "table", "json")
@_options.talking
def run(
    sites: tuple[str, ...],
    config: str,
    from_file: tuple[str, ...],
    max_concurrent: int | None,
    sync: bool,
    form: str,
    output: str | None,
    verbose: int,
    quiet: bool,
) -> int:
    """Run the pipelines of sites: those named, or all of the configuration.

    Ctrl-C ends the processes of all sites; a second one does so at once.
    """
    import dataclasses

    from truthound.automation import load_config
    from truthound.cli import _files
    from truthound.cli._pipeline import run_all

    if sync and max_concurrent is not None:
        raise click.UsageError("give either --sync or --max-concurrent, not both")
    _files.refuse_unwritable(output)
    loaded = load_config(config)
    names = _chosen(sites, from_file, loaded)
    if not names:
        stderr(f"{loaded.name}: it names no sites; give their names, or --from FILE")
        return Exit.NOTHING_SELECTED
    if max_concurrent is not None:
        loaded = dataclasses.replace(loaded, max_concurrent_sites=max_concurrent)
    sync = sync or (max_concurrent is None and not loaded.use_async)
    found, signal = run_all(loaded, names, sync=sync, quiet=quiet)
    _deliver(found, form, output, quiet=quiet, verbose=bool(verbose))
    return 128 + signal if signal is not None else code_of(found)


def code_of(run: PipelineRun) -> int:
    """Return the exit code of a run."""
    outcomes = {site.outcome for site in run}
    if outcomes & {"incomplete", "interrupted"}:
        return Exit.INCOMPLETE
    return Exit.FAILED if "failure" in outcomes else Exit.PASSED


def _chosen(
    sites: tuple[str, ...], files: tuple[str, ...], config: PipelineConfig
) -> list[str]:
    from truthound.automation.site_lists import read_site_list

    names = [*sites, *(name for file in files for name in read_site_list(file))]
    return names if sites or files else list(config.sites)


def _deliver(
    run: PipelineRun, form: str, output: str | None, *, quiet: bool, verbose: bool
) -> None:
    from truthound.cli import _files

    is_json = form == "json" or (form == "auto" and (output or "").endswith(".json"))
    if is_json:
        text = json.dumps(run.to_dict(), indent=2)
    else:
        good = [f"ok  {site.summary()}" for site in run if verbose and site.success]
        told = run.error_summary().splitlines()
        text = "\n".join(printable(line) for line in [*good, *told, run.summary()])
    _files.write(text, output, quiet=quiet)
    for problem in run.problems:
        stderr(f"truthound: {problem}")
    if not quiet and run.failures and (is_json or output is not None):
        stderr(run.summary())


@click.command("status", short_help="Show what was found out about sites.")
@click.argument("sites", nargs=-1)
@_configuration
@_listed
@_options.form
def status(
    sites: tuple[str, ...], config: str, from_file: tuple[str, ...], form: str
) -> int:
    """Show the status of sites: those named, or all of the configuration.

    The exit code is 0 if all of them are healthy, 1 if one is not, 3 if nothing is
    known of one, 5 if there are none.
    """
    from truthound.automation import load_config
    from truthound.cli._pipeline import known_of

    loaded = load_config(config)
    names = _chosen(sites, from_file, loaded)
    records = known_of(loaded, names)
    if not records:
        stderr(f"{loaded.name}: nothing is known of any site yet")
        return Exit.NOTHING_SELECTED
    if form == "json":
        stdout(json.dumps(records, indent=2))
    else:
        for line in _table(records):
            stdout(printable(line))
    states = {record["status"] for record in records}
    if "unknown" in states:
        return Exit.INCOMPLETE
    return Exit.PASSED if states <= {"healthy", "success"} else Exit.FAILED


def _table(records: list[dict[str, Any]]) -> list[str]:
    from truthound.automation._names import shown_name

    rows = [("status", "site", "when (UTC)", "reasons")]
    for record in records:
        reasons = record["reasons"]
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        said = reasons[0] + more if reasons else ""
        when = (record["run_time"] or "")[:19].replace("T", " ")  # in UTC
        rows.append((record["status"], shown_name(record["site"]), when, said))
    widths = [max(len(row[n]) for row in rows) for n in range(3)]
    return [
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)
        ).rstrip()
        for row in rows
    ]
