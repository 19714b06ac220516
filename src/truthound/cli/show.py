"""``truthound show``: one run, with its result and its life."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from truthound.cli import _looking, _options, _store
from truthound.cli._boundary import Exit, printable, stdout
from truthound.cli._results import terminal

if TYPE_CHECKING:
    from truthound.store import Notice, RunRecord


@click.command(short_help="Show one run: its result and its life.")
@click.argument("which", default="latest")
@click.option("-v", "--verbose", is_flag=True, help="List what passed, too.")
@_options.form
@_store.place
@_options.configuration
def show(
    which: str, verbose: bool, form: str, store: str | None, config: str | None
) -> int:
    """Show the run WHICH: what it found, when it ran, and whom it told.

    WHICH is its id, the beginning or the end of it, latest, the name of a checkpoint
    for its latest run, or NAME~2 for the one two runs before that.
    """
    from truthound import report
    from truthound.checkpoint.history import result

    found = _looking.store_that_is(store, config)
    if found is None:
        return Exit.NOTHING_SELECTED
    with found:
        run = found.run(which)
        notices = found.notices(run_id=run.run_id)
        if form == "json":
            document = {
                **_looking.plain(run),
                "notices": [_looking.plain(notice) for notice in notices],
                "result": found.document(run.run_id),
            }
            stdout(json.dumps(document, indent=2, ensure_ascii=False, default=str))
            return Exit.PASSED
        drawn = report.render(
            result(found, run.run_id), "table", verbose=verbose, **terminal(None)
        )
    stdout(f"{drawn}\n{_life(run)}\n{_owed(notices)}".rstrip())
    return Exit.PASSED


def _life(run: RunRecord) -> str:
    moments = [
        f"{word} {_looking.when(moment)}"
        for word, moment in (
            ("accepted", run.accepted_at),
            ("began", run.began_at),
            (str(run.state) if run.state.is_end else "ended", run.ended_at),
        )
        if moment is not None
    ]
    lines = [f"  run      {run.run_id}", f"  life     {moments[0]}"]
    lines += [f"           {moment}" for moment in moments[1:]]
    if not run.state.is_end:
        lines.append(f"           {run.state}")
    if run.trigger:
        lines.append(f"  trigger  {run.trigger}")
    lines.append(f"  owner    {run.owner}, attempt {run.attempt}")
    return printable("\n".join(lines))


def _owed(notices: list[Notice]) -> str:
    lines = []
    for notice in notices:
        tries = f"{notice.attempts} {'try' if notice.attempts == 1 else 'tries'}"
        said: list[Any] = [notice.action, notice.state, tries, notice.error]
        lines.append(f"  notice   {', '.join(str(s) for s in said if s)}")
    return printable("\n".join(lines))
