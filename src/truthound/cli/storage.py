"""``truthound store``: looking after the database itself."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from truthound.cli import _looking, _options, _store
from truthound.cli._boundary import Exit, printable, stderr, stdout
from truthound.cli._lazy import LazyGroup


@click.group(
    "store",
    cls=LazyGroup,
    short_help="Look after the store: check, repair, info.",
    commands_at={
        "check": ("storage:check", "Look for damage."),
        "info": ("storage:info", "Say where it is and what is in it."),
        "repair": ("storage:repair", "Save what can be read of a damaged one."),
        "upgrade": ("storage:upgrade", "Bring it up to this release."),
    },
)
def storage() -> None:
    """Look after the store of runs and what they owe."""


def _place(store: str | None, config: str | None) -> str | None:
    """Return the path or address; None: there is nothing, which is said."""
    found = _looking.store_that_is(store, config)
    if found is None:
        return None
    if found.path is not None:
        return str(found.path)
    return found.url.render_as_string(hide_password=False)


@click.command(short_help="Look for damage.")
@_options.form
@_store.place
@_options.configuration
def check(form: str, store: str | None, config: str | None) -> int:
    """Look through every page and row of the store; the exit code is 3 for damage."""
    from truthound.store import check as look

    place = _place(store, config)
    if place is None:
        return Exit.NOTHING_SELECTED
    found = look(place)
    if form == "json":
        plain = {**asdict(found), "is_sound": found.is_sound}
        stdout(json.dumps(plain, indent=2, ensure_ascii=False))
        return Exit.PASSED if found.is_sound else Exit.INCOMPLETE
    lines = [f"{found.place}: {'sound' if found.is_sound else 'damaged'}"]
    lines += [f"  {problem}" for problem in found.problems]
    lines += [f"  note: {note}" for note in found.notes]
    lines += [f"  {name:<20} {number:>12,}" for name, number in found.counts.items()]
    stdout(printable("\n".join(lines)))
    if found.is_sound:
        return Exit.PASSED
    stderr("truthound: 'truthound store repair' saves what can be read")
    return Exit.INCOMPLETE


@click.command(short_help="Save what can be read of a damaged one.")
@_store.place
@_options.configuration
def repair(store: str | None, config: str | None) -> int:
    """Save what can be read of a damaged store into a new one in its place.

    The damaged file stays beside it. End what uses the store before.
    """
    from truthound.store import repair as save

    place = _place(store, config)
    if place is None:
        return Exit.NOTHING_SELECTED
    done = save(place)
    if done.aside is None:
        stdout(printable(f"{done.place} is sound; nothing was changed"))
        return Exit.PASSED
    lines = [f"{done.place}: saved what can be read; the damaged file is {done.aside}"]
    for name, number in done.saved.items():
        lost = f", {done.lost[name]:,} damaged" if name in done.lost else ""
        rest = ", and a part that cannot be read" if name in done.unread else ""
        lines.append(f"  {name:<10} {number:>10,} rows{lost}{rest}")
    stdout(printable("\n".join(lines)))
    return Exit.PASSED


@click.command(short_help="Say where it is and what is in it.")
@_options.form
@_store.place
@_options.configuration
def info(form: str, store: str | None, config: str | None) -> int:
    """Say where the store is, of which version, and how much is in it."""
    found = _looking.store_that_is(store, config)
    if found is None:
        return Exit.NOTHING_SELECTED
    from truthound.store._opening import HEAD

    with found:
        counts = found.counts()
    size = found.path.stat().st_size if found.path is not None else None
    if form == "json":
        told = {"place": found.place, "version": HEAD, "size": size, "counts": counts}
        stdout(json.dumps(told, indent=2, ensure_ascii=False))
        return Exit.PASSED
    lines = [found.place, f"  {'version':<20} {HEAD:>12}"]
    if size is not None:
        lines.append(f"  {'bytes':<20} {size:>12,}")
    lines += [f"  {name:<20} {number:>12,}" for name, number in counts.items()]
    stdout(printable("\n".join(lines)))
    return Exit.PASSED


@click.command(short_help="Bring it up to this release.")
@_store.place
@_options.configuration
def upgrade(store: str | None, config: str | None) -> int:
    """Bring the tables of the store up to this release, as its first use would."""
    found = _looking.store_that_is(store, config)
    if found is None:
        return Exit.NOTHING_SELECTED
    from truthound.store._opening import HEAD

    with found:
        pass
    stdout(printable(f"{found.place} is of version {HEAD}"))
    return Exit.PASSED
