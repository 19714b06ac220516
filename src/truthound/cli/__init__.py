"""The command line: parse, call one function, print.

What the program is for is answered here, at once: that takes neither click nor the
commands. Everything else goes to click, which imports the command that is called.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from truthound._version import __version__
from truthound.cli._boundary import Exit, guarded, stdout

__all__ = ["main"]

# By name, the module and object of each command, and what it does.
COMMANDS = {
    "actions": ("actions:actions", "List actions, or send a test message."),
    "alerts": ("alerts:alerts", "List, acknowledge or mute alerts."),
    "baseline": ("baseline:baseline", "Show, accept or reset learned baselines."),
    "check": ("check:check", "Check data and say what does not hold."),
    "checkpoint": ("checkpoint:checkpoint", "Work with configured checkpoints."),
    "diff": ("history:diff", "Say what differs between two runs."),
    "history": ("history:history", "List the runs that were, or export them."),
    "hooks": ("hooks:hooks", "Run checkpoints when requests come over HTTP."),
    "init": ("init:init", "Write a configuration for the data at hand."),
    "outbox": ("outbox:outbox", "List, send or drop owed notifications."),
    "pipeline": ("pipeline:pipeline", "Run the pipelines of sites."),
    "profile": ("profile:profile", "Describe the columns of data."),
    "prune": ("history:prune", "Remove old runs; the last failure stays."),
    "run": ("run:run", "Run configured checkpoints, with their actions."),
    "schema": ("schema:schema", "Write the columns of data as a schema file."),
    "show": ("show:show", "Show one run: its result and its life."),
    "store": ("storage:storage", "Look after the store: check, repair, info."),
    "trend": ("history:trend", "Draw one check over time."),
    "validate": ("validate:validate", "Look for faults in a configuration."),
    "watch": ("watch:watch", "Run checkpoints when their triggers say so."),
}
VERSION = f"truthound {__version__}"
HELP = """\
Usage: truthound [OPTIONS] COMMAND [ARGS]...

  Check data, in one scan, and say what does not hold of it.

  Begin with 'truthound check DATA'. The exit code is 0 if every check passed,
  1 if one failed, 2 for a wrong call or configuration, 3 if a run could not
  be completed, 4 with --strict-actions if an action failed, 5 if nothing was
  selected, 130 or 143 if interrupted.

Options:
  --version   Show the version and exit.
  -h, --help  Show this message and exit.

Commands:
""" + "".join(f"  {name:<12}{line}\n" for name, (_, line) in COMMANDS.items())
_ANSWERS = {"-h": HELP, "--help": HELP, "--version": VERSION}


def main(arguments: Sequence[str] | None = None) -> Any:
    """Run the command line and leave the process with its exit code.

    Args:
        arguments: what stands behind the program's name; None for ``sys.argv``.
    """
    sys.exit(call(sys.argv[1:] if arguments is None else arguments))


def call(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code."""
    return guarded(lambda verbosity: _answer(list(arguments), verbosity))


def _answer(words: list[str], verbosity: dict[str, int]) -> Any:
    if len(words) == 1 and words[0] in _ANSWERS:
        stdout(_ANSWERS[words[0]])
        return Exit.PASSED
    from truthound.cli._root import cli

    return cli.main(
        args=words, prog_name="truthound", standalone_mode=False, obj=verbosity
    )
