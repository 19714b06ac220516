"""What a test may leave behind (nothing), and how to see it."""

from __future__ import annotations

import gc
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import uvloop

# Threads of the package that live as long as the process, those of a pool that end on
# their own soon after, and those of a loop, which ends them when it is closed.
_LASTING = ("truthound-", "pytest_timeout", "ThreadPoolExecutor-pyarrow", "asyncio_")
_DESCRIPTORS = Path("/proc/self/fd")
_CHILDREN = Path("/proc/self/task")


@dataclass(frozen=True)
class Note:
    """What there was before a test."""

    threads: frozenset[int]
    descriptors: frozenset[tuple[str, str]]
    children: frozenset[str]


def note() -> Note:
    """Look at the threads, open files and child processes there are."""
    return Note(
        frozenset(_threads()), frozenset(_descriptors()), frozenset(_children())
    )


def left_behind(before: Note, patience: float = 3.0) -> list[str]:
    """Return what there is now beside what there was, after some patience."""
    give_up = time.monotonic() + patience
    while True:
        now = note()
        left = [
            *(
                name
                for ident, name in _threads().items()
                if ident not in before.threads
            ),
            *(f"file {target}" for _, target in now.descriptors - before.descriptors),
            *(f"process {child}" for child in now.children - before.children),
        ]
        if not left or time.monotonic() > give_up:
            return left
        gc.collect()
        time.sleep(0.01)


def warm_up() -> None:
    """Have the engine open what it keeps open for the life of the process."""
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    frame.lazy().filter(pl.col("a") > 1).collect(engine="streaming")
    frame.select(pl.col("a").sum(), pl.col("b").n_unique())
    uvloop.new_event_loop().close()  # its pipe for signals, one for the process


def _threads() -> dict[int, str]:
    return {
        thread.ident or 0: f"thread {thread.name}"
        for thread in threading.enumerate()
        if not thread.name.startswith(_LASTING)
    }


def _descriptors() -> set[tuple[str, str]]:
    found = set()
    if _DESCRIPTORS.exists():
        for number in os.listdir(_DESCRIPTORS):  # noqa: PTH208 - names, not paths
            try:
                target = str((_DESCRIPTORS / number).readlink())
            except OSError:
                continue  # the one by which the folder was read
            # Epoll and event descriptors belong to the engine's own runtime; it locks
            # its cache of files once, for as long as the process lives.
            if not target.startswith(
                ("anon_inode:", "/proc/", "/dev/")
            ) and not target.endswith("/file-cache/.process-lock"):
                found.add((number, target))
    return found


def _children() -> set[str]:
    found: set[str] = set()
    if _CHILDREN.exists():
        for task in os.listdir(_CHILDREN):  # noqa: PTH208 - names, not paths
            try:
                text = (_CHILDREN / task / "children").read_text()
            except OSError:
                continue  # the thread has ended
            found.update(text.split())
    return found
