"""``truthound baseline``: what first runs learned, and how it is changed on purpose."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from truthound._words import plural
from truthound.cli import _options
from truthound.cli._boundary import Exit, printable, stderr, stdout
from truthound.cli._lazy import LazyGroup

if TYPE_CHECKING:
    from truthound.checkpoint import Checkpoint
    from truthound.store import Baseline, Baselines


@click.group(
    cls=LazyGroup,
    short_help="Show, accept or reset learned baselines.",
    commands_at={
        "accept": ("baseline:accept", "Learn anew from the data at hand."),
        "reset": ("baseline:reset", "Forget what was learned."),
        "show": ("baseline:show", "Show what was learned."),
    },
)
def baseline() -> None:
    """Show, accept or reset what first runs learned."""


_source = click.option(
    "--source", metavar="DATA", help="Only of this data, as results call it."
)


@click.command(short_help="Show what was learned.")
@click.argument("name", required=False)
@_source
@_options.configuration
@_options.form
def show(name: str | None, source: str | None, config: str | None, form: str) -> int:
    """Show what was learned: of the checkpoint NAME, or of all."""
    import dataclasses

    found = _matching(_store(config), name, source)
    if form == "json":
        records = [dataclasses.asdict(one) for one in found]
        stdout(json.dumps(records, indent=2, ensure_ascii=False, default=str))
        return Exit.PASSED
    if not found:
        stderr("truthound: no baseline is kept")
        return Exit.NOTHING_SELECTED
    stdout("\n\n".join(_as_text(one) for one in found))
    return Exit.PASSED


@click.command(short_help="Learn anew from the data at hand.")
@click.argument("name", required=False)
@_source
@_options.configuration
@click.option("-q", "--quiet", is_flag=True, help="Say less.")
def accept(
    name: str | None, source: str | None, config: str | None, quiet: bool
) -> int:
    """Learn anew from the data at hand, in place of what was learned before.

    NAME is a checkpoint of the configuration; without it every checkpoint that
    learns something is accepted. What was learned stays if the data cannot be read.
    """
    from truthound.checkpoint import load_checkpoints
    from truthound.cli._run import problems_of
    from truthound.cli._select import selected

    chosen = selected(load_checkpoints(config), () if name is None else (name,))
    if source is not None:
        chosen = [c for c in chosen if str(c.config.data_source) == source]
    if not chosen:
        stderr("truthound: nothing is selected")
        return Exit.NOTHING_SELECTED
    if problems := problems_of(chosen):
        stderr("\n".join(problems))
        return Exit.USAGE
    code = Exit.PASSED
    for one in chosen:
        if not _accept(one, quiet=quiet):
            code = Exit.INCOMPLETE
    return code


@click.command(short_help="Forget what was learned.")
@click.argument("name", required=False)
@_source
@_options.configuration
@click.option("--all", "everything", is_flag=True, help="Of every checkpoint.")
def reset(
    name: str | None, source: str | None, config: str | None, everything: bool
) -> int:
    """Forget what was learned of the checkpoint NAME; its next run learns anew."""
    if (name is None) == (not everything):
        raise click.UsageError("name a checkpoint, or say --all")
    store = _store(config)
    found = _matching(store, name, source)
    for one in found:
        store.remove(one.checkpoint, one.source)
        stdout(printable(f"{one.checkpoint}: forgot {_count(one)} of {one.source}"))
    if not found:
        stderr("truthound: no baseline is kept")
        return Exit.NOTHING_SELECTED
    return Exit.PASSED


def _store(config: str | None) -> Baselines:
    from truthound.checkpoint import find_configuration
    from truthound.store import Baselines
    from truthound.store.baselines import FOLDER

    file = Path(config) if config is not None else find_configuration()
    return Baselines(file.parent / FOLDER) if file else Baselines.near()


def _matching(store: Baselines, name: str | None, source: str | None) -> list[Baseline]:
    from truthound.errors import UnknownNameError

    found = store.all()
    names = {one.checkpoint for one in found}
    if name is not None and found and name not in names:
        raise UnknownNameError("baseline of a checkpoint", name, names)
    return [
        one
        for one in found
        if name in (None, one.checkpoint) and source in (None, one.source)
    ]


def _accept(one: Checkpoint, *, quiet: bool) -> bool:
    """Run a checkpoint as if nothing were known and keep what it learns."""
    import asyncio

    from truthound.checkpoint import Checkpoint
    from truthound.cli._run import run_all
    from truthound.store import Baselines

    kept: list[Baseline] = []

    class Unwritten(Baselines):
        def get(self, checkpoint: str, source: str) -> None:
            return None

        def put(self, baseline: Baseline) -> None:
            kept.append(baseline)

    learner = Checkpoint(config=one.config, baselines=Unwritten(os.devnull))
    learner.places = one.places
    (result,) = asyncio.run(run_all([learner], quiet=quiet))
    if result.validation_run is None or result.error:
        stderr(f"truthound: {one.name}: nothing was learned: {result.error}")
        return False
    store: Any = one.baselines
    for baseline in kept:
        store.put(baseline)
        if not quiet:
            stdout(
                printable(
                    f"{one.name}: learned {_count(baseline)} of {baseline.source}"
                )
            )
    if not kept and not quiet:
        stdout(f"{one.name}: has no validator that learns")
    return True


def _count(baseline: Baseline) -> str:
    return plural(len(baseline.values), "value")


def _as_text(baseline: Baseline) -> str:
    lines = [f"{baseline.checkpoint}: {baseline.source}, learned {baseline.learned_at}"]
    width = max((len(key) for key in baseline.values), default=0)
    lines += [
        f"  {key.ljust(width)}  {_shortened(value)}"
        for key, value in baseline.values.items()
    ]
    return printable("\n".join(lines))


def _shortened(value: Any) -> str:
    if isinstance(value, dict):
        text = ", ".join(
            f"{key} ({len(item)})"
            if isinstance(item, (dict, list))
            else f"{key} {item}"
            for key, item in value.items()
        )
    else:
        text = str(value)
    return text if len(text) <= 100 else text[:97] + "…"
