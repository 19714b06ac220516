"""Processes that a test has started, directly or not, and how to wait for them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

VARIABLE = "TRUTHOUND_TEST_FAMILY"
PATIENCE = 25.0  # seconds; the machine may stall for some


class Family:
    """All processes that have inherited a variable from this one."""

    def __init__(self) -> None:
        self.mark = f"{VARIABLE}={secrets.token_hex(8)}"

    def alive(self) -> set[int]:
        """Return those that run, however far they went."""
        found: set[int] = set()
        if not Path("/proc/self").exists():
            return found
        for name in os.listdir("/proc"):  # noqa: PTH208 - names, not paths
            if name.isdigit() and int(name) != os.getpid():
                with contextlib.suppress(OSError):
                    if (
                        self.mark.encode()
                        in Path("/proc", name, "environ").read_bytes()
                    ):
                        found.add(int(name))
        return found

    def left(self) -> set[int]:
        """Return those that still run after some patience."""
        eventually(lambda: not self.alive(), patience=3)
        return self.alive()


def eventually(condition: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Wait until a condition holds; return what it said last."""
    give_up = time.monotonic() + patience
    while not (found := condition()) and time.monotonic() < give_up:
        time.sleep(0.01)
    return found


async def until(condition: Callable[[], Any]) -> None:
    """Let the loop go on until a condition holds."""
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up, "it does not come about"
        await asyncio.sleep(0.01)


def descriptors() -> int:
    """Return how many files this process has open."""
    return len(os.listdir("/dev/fd"))  # noqa: PTH208 - names, not paths


def site_threads() -> list[str]:
    """Return the threads that run sites."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("pipeline-site")]


def sites(script: str = "", **options: Any) -> dict[str, Any]:
    """Return a configuration whose sites run a shell script, without pauses."""
    return {
        "command": ["sh", "-c", script],
        "retry_count": 1,
        "retry_delay": 0,
        "grace": 0.3,
        "timeout": 60,
        "log_directory": None,
        **options,
    }
