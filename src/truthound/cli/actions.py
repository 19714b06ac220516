"""``truthound actions``: which there are, and whether they arrive."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from truthound.cli import _looking, _options
from truthound.cli._boundary import Exit, printable, stderr, stdout
from truthound.cli._lazy import LazyGroup
from truthound.errors import ConfigurationError, UnknownNameError

if TYPE_CHECKING:
    from truthound.checkpoint.actions._sent import Sent

WRITING = ("store_result", "update_docs")  # they send nothing


@click.group(
    cls=LazyGroup,
    short_help="List actions, or send a test message.",
    commands_at={
        "list": ("actions:list_", "List the actions of all checkpoints."),
        "test": ("actions:test", "Send a test message, and show it."),
    },
)
def actions() -> None:
    """List the configured actions, or send a test message by one."""


@click.command("list", short_help="List the actions of all checkpoints.")
@_options.form
@_options.configuration
def list_(form: str, config: str | None) -> int:
    """List the actions of all checkpoints, and what is wrong with each."""
    from truthound.checkpoint import load_checkpoints

    found = [
        {
            "checkpoint": checkpoint.name,
            "action": action.name,
            "type": action.action_type,
            "notify_on": str(action.config.notify_on),
            "problems": action.validate_config(),
        }
        for checkpoint in load_checkpoints(config)
        for action in checkpoint.actions
    ]
    if not found:
        stderr("truthound: no checkpoint has an action")
        return Exit.NOTHING_SELECTED
    if form == "json":
        stdout(json.dumps(found, indent=2, ensure_ascii=False))
        return Exit.PASSED
    head = [("checkpoint", "left"), ("action", "left"), ("type", "left")]
    head += [("after", "left"), ("", "rest")]
    rows = [
        [
            one["checkpoint"],
            one["action"],
            one["type"],
            one["notify_on"],
            ("; ".join(one["problems"]), "red"),
        ]
        for one in found
    ]
    stdout(_looking.table(head, rows))
    return Exit.PASSED


@click.command(short_help="Send a test message, and show it.")
@click.argument("name")
@click.option("--checkpoint", metavar="NAME", help="Whose action it is.")
@_options.form
@_options.configuration
def test(name: str, checkpoint: str | None, form: str, config: str | None) -> int:
    """Send a test message by the action NAME, and show what was sent.

    NAME is what the configuration calls it, else its type. The message is labelled as
    a test; secrets are shown as ***. The exit code is 4 if it did not arrive.
    """
    import asyncio

    from truthound.checkpoint._trial import try_action

    owner, action = _chosen(name, checkpoint, config)
    if action.action_type in WRITING:
        raise ConfigurationError(
            f"{name} writes files and sends nothing; 'truthound run' writes them"
        )
    found, sent = asyncio.run(try_action(action, owner.name, owner.config.tags))
    if form == "json":
        plain = {
            "status": str(found.status),
            "error": found.error,
            "message": found.message,
            "sent": [_looking.plain(one) for one in sent],
        }
        stdout(json.dumps(plain, indent=2, ensure_ascii=False))
    else:
        for one in sent:
            stdout(_shown(one))
    if found.success:
        stderr(f"truthound: {name}: the test message has arrived")
        return Exit.PASSED
    stderr(f"truthound: {name}: {printable(found.error or found.message)}")
    return Exit.ACTION_FAILED


def _chosen(name: str, checkpoint: str | None, config: str | None) -> tuple[Any, Any]:
    """Return the action of that name, with the checkpoint that has it.

    Raises:
        UnknownNameError: there is none.
        ConfigurationError: there are several that differ.
    """
    from truthound.checkpoint import load_checkpoints

    checkpoints = load_checkpoints(config)
    if checkpoint is not None:
        known = [one.name for one in checkpoints]
        checkpoints = [one for one in checkpoints if one.name == checkpoint]
        if not checkpoints:
            raise UnknownNameError("checkpoint", checkpoint, known)
    there = [(owner, action) for owner in checkpoints for action in owner.actions]
    for called in (_name, _type, _word):
        found = [pair for pair in there if called(pair[1]) == name]
        different = [
            pair
            for number, pair in enumerate(found)
            if not any(_alike(pair[1], other) for _, other in found[:number])
        ]
        if len(different) > 1:
            owners = ", ".join(owner.name for owner, _ in different)
            raise ConfigurationError(
                f"several actions are called {name}, of {owners}; --checkpoint says "
                "which is meant"
            )
        if different:
            return different[0]
    known_names = {called(action) for _, action in there for called in (_name, _word)}
    raise UnknownNameError("action", name, known_names - {""})


def _name(action: Any) -> str:
    return str(action.name)


def _type(action: Any) -> str:
    return str(action.action_type)


def _word(action: Any) -> str:
    """Return how a configuration calls its type."""
    from truthound.checkpoint.actions import TYPES

    words = {cls: word for word, cls in TYPES.items()}
    return words.get(type(action).__name__, "")


def _alike(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one.config == other.config


def _shown(sent: Sent) -> str:
    lines = [f"{sent.way} {sent.address}"]
    lines += [f"{key}: {value}" for key, value in sent.headers.items()]
    try:
        body = json.dumps(json.loads(sent.body), indent=2, ensure_ascii=False)
    except ValueError:
        body = sent.body
    lines += ["", body, ""]
    return "\n".join(printable(line) for text in lines for line in text.split("\n"))
