"""``GitHubAction``: summary, annotations and outputs of a step of GitHub Actions."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from truthound._atomic import appending
from truthound._words import plural
from truthound.async_core._limit import check_count
from truthound.checkpoint._action import ActionConfig, NativeAction, check_number
from truthound.checkpoint._threads import ACTIONS, in_thread
from truthound.checkpoint.model import ActionResult, CheckpointResult
from truthound.errors import ActionError, ConfigurationError, did_you_mean
from truthound.report import Item, items_of
from truthound.report.github import annotated
from truthound.report.markdown import render_markdown

SUMMARY = 2**20  # bytes of the summary of a step; GitHub takes no larger one
SHOWN = 10  # annotations of one level that GitHub shows for a step
STEPS = 100  # for which it is remembered what was shown
STREAMS = ("stdout", "stderr")
CUT = "\n\n_The rest is left out: a summary has at most 1 MiB._\n"


@dataclass
class GitHubConfig(ActionConfig):
    """Options of a :class:`GitHubAction`.

    Attributes:
        summary: add the result to the summary of the step.
        include_examples: so many example rows of each failed check in it; 0 for none.
            Whoever sees the repository sees the summary.
        annotations: annotate what has failed.
        max_annotations: of one level in a step, the worst of each run first; GitHub
            shows ten.
        stream: where they are printed: stdout or stderr; GitHub reads both.
        outputs: set the outputs ``status``, ``success`` and ``run_id`` of the step.
        output_prefix: stands before their names, such as ``rides_``.
    """

    summary: bool = True
    include_examples: int = 0
    annotations: bool = True
    max_annotations: int = SHOWN
    stream: str = "stdout"
    outputs: bool = True
    output_prefix: str = ""

    def check(self) -> None:
        super().check()
        check_number("include_examples", self.include_examples, kind=int)
        check_count("max_annotations", self.max_annotations)
        if self.stream not in STREAMS:
            raise ConfigurationError(
                f"stream is {' or '.join(STREAMS)}, not {self.stream!r}"
                f"{did_you_mean(str(self.stream), STREAMS)}"
            )
        prefix = self.output_prefix
        if prefix and not prefix.replace("-", "_").isidentifier():
            raise ConfigurationError(
                f"output_prefix is made of letters, digits, _ and -, not {prefix!r}"
            )


class GitHubAction(NativeAction[GitHubConfig]):
    """Tells the step of GitHub Actions in which it runs; elsewhere it is skipped.

    The result becomes a part of the step's summary, what failed becomes annotations,
    and the status an output for later steps. It needs no token. It is not owed: when
    the step is over there is nobody to tell.

    Example:
        >>> GitHubAction(output_prefix="rides_").max_annotations
        10
    """

    action_type: str = "github"
    is_owed = False

    async def _execute_async(self, checkpoint_result: CheckpointResult) -> ActionResult:
        if os.environ.get("GITHUB_ACTIONS") != "true":
            return self.result("skipped", "it does not run in GitHub Actions")
        (item,) = items_of(checkpoint_result)
        details, config = {}, self._config
        if config.summary:
            short = _with_examples(item, config.include_examples)
            written = await in_thread(lambda: _summarise(short), ACTIONS)
            details["summary_bytes"] = written
        if config.outputs:
            await in_thread(lambda: self._set_outputs(checkpoint_result), ACTIONS)
        if config.annotations:
            details["annotations"] = await in_thread(
                lambda: self._annotate(item), ACTIONS
            )
        return self.result("success", "told", **details)

    def _annotate(self, item: Item) -> int:
        """Print annotations; return how many. Blocks."""
        found, left = _room(list(annotated(item)), self._config.max_annotations)
        file = _in_repository(item.source)
        lines = [one.command(file) for one in found]
        if left:
            lines.append(f"{plural(left, 'more finding')} of {item.title!r} not shown")
        stream = sys.stdout if self._config.stream == "stdout" else sys.stderr
        if lines and stream is not None:
            # In one piece: others print, too, and a command has to begin its line.
            text = "".join(f"{line}\n" for line in lines)
            with contextlib.suppress(BrokenPipeError):
                stream.write(text.encode("utf-8", "replace").decode())
                stream.flush()
        return len(found)

    def _set_outputs(self, result: CheckpointResult) -> None:
        """Write the outputs. Blocks."""
        values = {
            "status": str(result.status),
            "success": "true" if result.success else "false",
            "run_id": result.run_id,
        }
        parts = []
        for name, value in values.items():
            # No value can hold an end that nobody can guess.
            end = f"end_{secrets.token_hex(16)}"
            name = f"{self._config.output_prefix}{name}"
            parts.append(f"{name}<<{end}\n{value}\n{end}\n")
        _append("GITHUB_OUTPUT", "".join(parts), None)


# By the summary of a step: how many of each level were printed for it.
_printed: OrderedDict[str, Counter[str]] = OrderedDict()
_lock = threading.Lock()


def _room(found: Sequence[Any], most: int) -> tuple[list[Any], int]:
    """Return the findings for which the step has room, and how many are left."""
    step = os.environ.get("GITHUB_STEP_SUMMARY", "")
    with _lock:
        printed = _printed.setdefault(step, Counter())
        if len(_printed) > STEPS:
            _printed.popitem(last=False)
        taken = []
        for one in found:
            if printed[one.level] < most:
                printed[one.level] += 1
                taken.append(one)
    return taken, len(found) - len(taken)


def _in_repository(source: str) -> str | None:
    """Return the path of data in the repository that is checked out, if it is there."""
    root = os.environ.get("GITHUB_WORKSPACE")
    if not root or "://" in source:
        return None
    try:
        path = Path(source).resolve()
        return (
            path.relative_to(Path(root).resolve()).as_posix()
            if path.is_file()
            else None
        )
    except (OSError, ValueError):
        return None


def _with_examples(item: Item, most: int) -> Item:
    """Return a run with so many example rows of each check."""
    if item.run is None:
        return item
    checks = [replace(c, examples=c.examples[:most]) for c in item.run.checks]
    return replace(item, run=replace(item.run, checks=checks))


def _summarise(item: Item) -> int:
    """Add a run to the summary of the step; return how many bytes. Blocks."""
    return _append("GITHUB_STEP_SUMMARY", render_markdown([item]) + "\n", SUMMARY)


def _append(variable: str, text: str, most: int | None) -> int:
    """Append a text, in one piece, to the file that a variable names. Blocks.

    Args:
        variable: of the environment.
        text: what to add.
        most: bytes that the file may have; what is too much is left out, with a word.

    Returns:
        How many bytes were added.

    Raises:
        ActionError: there is no such file, or it cannot be written.
    """
    path = os.environ.get(variable)
    if not path:
        raise ActionError(f"{variable} is not set", is_final=True)
    data = text.encode("utf-8", "replace")
    try:
        with appending(path) as file:
            if most is not None:
                data = _fitting(data, most - os.fstat(file.fileno()).st_size)
            file.write(data)
    except OSError as error:
        raise ActionError(f"{variable}: {error.strerror or error}") from error
    return len(data)


def _fitting(data: bytes, room: int) -> bytes:
    """Return a text, or what fits of it in whole lines, with a word about the rest."""
    if len(data) <= room:
        return data
    end = data.rfind(b"\n", 0, max(0, room - len(CUT.encode())))
    return data[:end] + CUT.encode() if end > 0 else b""
