"""``truthound history``, ``diff``, ``trend`` and ``prune``: looking back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from truthound._words import plural
from truthound.cli import _looking, _options, _store
from truthound.cli._boundary import Exit, stderr, stdout

if TYPE_CHECKING:
    from truthound.store import RunRecord

STATUSES = ("success", "warning", "failure", "error")
STATES = (
    *("accepted", "running", "finished", "failed", "interrupted", "cancelled"),
    "missed",
)


@click.command(short_help="List the runs that were, or export them.")
@click.argument("name", required=False)
@click.option(
    "--status",
    "statuses",
    type=click.Choice(("bad", *STATUSES)),
    multiple=True,
    help="Only with this status (repeatable); bad: all but success.",
)
@click.option(
    "--state",
    "states",
    type=click.Choice(STATES),
    multiple=True,
    help="Only in this state (repeatable).",
)
@click.option(
    "--since", metavar="WHEN", help="Accepted since then: 7d, 12h, 2026-11-01."
)
@click.option("--until", metavar="WHEN", help="Accepted before then.")
@click.option("--source", metavar="DATA", help="Only of this data.")
@click.option(
    "-n",
    "--limit",
    metavar="N",
    type=click.IntRange(min=1),
    help="How many at the most; 50, and all with --export.",
)
@click.option(
    "--export",
    "file",
    metavar="FILE",
    help="Write them to a .parquet or .jsonl file, whole.",
)
@click.option(
    "--documents", is_flag=True, help="Export the whole result of each run, too."
)
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(("table", "json", "jsonl")),
    default="table",
    show_default=True,
    help="How it looks.",
)
@_store.place
@_options.configuration
def history(
    name: str | None,
    statuses: tuple[str, ...],
    states: tuple[str, ...],
    file: str | None,
    documents: bool,
    form: str,
    store: str | None,
    config: str | None,
    **given: Any,
) -> int:
    """List the runs of the checkpoint NAME, or of all, the newest first."""
    if documents and file is None:
        raise click.UsageError("--documents goes with --export")
    bad = STATUSES[1:] if "bad" in statuses else ()
    filters: dict[str, Any] = {
        "checkpoint": name,
        "statuses": {*bad, *statuses} - {"bad"},
        "states": states,
        "source": given["source"],
        "limit": given["limit"],
    }
    for side in ("since", "until"):
        if given[side] is not None:
            filters[side] = _looking.moment_of(given[side])
    found = _looking.store_that_is(store, config)
    if found is None:
        return Exit.NOTHING_SELECTED
    with found:
        _refuse_unknown(found, name)
        if file is not None:
            number = found.export(file, documents=documents, **filters)
            stderr(f"wrote {plural(number, 'run')} to {file}")
            return Exit.PASSED
        listed = found.runs(**{**filters, "limit": filters["limit"] or 50})
    return _show(listed, form, with_names=name is None)


def _refuse_unknown(store: Any, name: str | None) -> None:
    from truthound.errors import UnknownNameError

    if name is None or store.runs(name, limit=1):
        return
    raise UnknownNameError("run of a checkpoint", name, store.checkpoints())


def _show(listed: list[RunRecord], form: str, *, with_names: bool) -> int:
    if form == "json":
        stdout(
            json.dumps(
                [_looking.plain(r) for r in listed], indent=2, ensure_ascii=False
            )
        )
    elif form == "jsonl":
        lines = (json.dumps(_looking.plain(r), ensure_ascii=False) for r in listed)
        stdout("\n".join(lines))
    elif listed:
        stdout(_as_table(listed, with_names=with_names))
    if not listed:
        stderr("truthound: no run is selected")
        return Exit.NOTHING_SELECTED
    return Exit.PASSED


def _as_table(listed: list[RunRecord], *, with_names: bool) -> str:
    short = _looking.short_ids([run.run_id for run in listed])
    head = [("when", "left"), ("run", "left")]
    head += [("checkpoint", "left")] if with_names else []
    head += [
        ("status", "left"),
        ("rows", "right"),
        ("ms", "right"),
        ("", "rest"),
    ]
    rows: list[list[Any]] = []
    for run in listed:
        status = _looking.status_of(run)
        style = _looking.STYLES.get(status, "cyan")
        rows.append(
            [
                (_looking.when(run.accepted_at)[:16], "dim"),
                short[run.run_id],
                *([(run.checkpoint, "bold")] if with_names else []),
                (f"{_looking.SIGNS.get(status, '·')} {status}", style),
                "" if run.row_count is None else f"{run.row_count:,}",
                "" if run.duration_ms is None else f"{run.duration_ms:,.0f}",
                _looking.summary_of(run),
            ]
        )
    return _looking.table(head, rows)


@click.command(short_help="Say what differs between two runs.")
@click.argument("before")
@click.argument("after")
@_options.form
@_store.place
@_options.configuration
def diff(
    before: str, after: str, form: str, store: str | None, config: str | None
) -> int:
    """Say what differs between the runs BEFORE and AFTER.

    A run is its id, the beginning or the end of it, latest, the name of a checkpoint
    for its latest run, or NAME~2 for the one two runs before that.
    """
    from truthound.checkpoint.history import diff as compare
    from truthound.cli._changes import as_text

    found = _looking.store_that_is(store, config)
    if found is None:
        return Exit.NOTHING_SELECTED
    with found:
        differs = compare(found, before, after)
    if form == "json":
        stdout(json.dumps(differs.to_dict(), indent=2, ensure_ascii=False))
    else:
        stdout(as_text(differs))
    return Exit.PASSED


@click.command(short_help="Draw one check over time.")
@click.argument("check")
@click.option("--checkpoint", metavar="NAME", help="Whose check it is.")
@_options.limit(60, "Of how many runs, the latest.")
@_options.form
@_store.place
@_options.configuration
def trend(
    check: str,
    checkpoint: str | None,
    limit: int,
    form: str,
    store: str | None,
    config: str | None,
) -> int:
    """Draw the numbers of CHECK over time: what it observed, or how many rows failed.

    CHECK is the name of a check, as results have it: 'null(fare)'.
    """
    from truthound.checkpoint.history import trend as over_time
    from truthound.cli._changes import drawn

    found = _looking.store_that_is(store, config)
    if found is None:
        return Exit.NOTHING_SELECTED
    with found:
        points = over_time(found, check, checkpoint, limit)
    if form == "json":
        stdout(json.dumps(points.to_dict(), indent=2, ensure_ascii=False))
    else:
        stdout(drawn(points))
    return Exit.PASSED


@click.command(short_help="Remove old runs; the last failure stays.")
@click.argument("name", required=False)
@click.option("--older-than", metavar="SPAN", help="Of a greater age: 90d, 12h, 2w.")
@click.option(
    "--keep",
    metavar="N",
    type=click.IntRange(min=0),
    help="Keep the newest N of each checkpoint.",
)
@click.option("--dry-run", is_flag=True, help="Only say how many it would be.")
@_store.place
@_options.configuration
def prune(
    name: str | None,
    older_than: str | None,
    keep: int | None,
    dry_run: bool,
    store: str | None,
    config: str | None,
) -> int:
    """Remove old runs of the checkpoint NAME, or of all, with their results.

    With both limits a run goes that is beyond either. Of each checkpoint the latest run
    stays and the last that was no success, and whatever has not ended or owes a
    notification.
    """
    if older_than is None and keep is None:
        raise click.UsageError("say --older-than SPAN, --keep N, or both")
    age = None if older_than is None else _looking.span_of(older_than)
    found = _looking.store_that_is(store, config)
    if found is None:
        return Exit.NOTHING_SELECTED
    with found:
        _refuse_unknown(found, name)
        number = found.prune(older_than=age, keep=keep, checkpoint=name, trial=dry_run)
    stdout(f"{'would remove' if dry_run else 'removed'} {plural(number, 'run')}")
    return Exit.PASSED
