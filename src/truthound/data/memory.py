"""Whether something fits into memory."""

from __future__ import annotations

import os
from pathlib import Path

# Share of the memory at hand that the columns of one run may take; the select that
# follows needs room too, and so do other runs.
SHARE = 0.5

_LIMITS = (
    # cgroup version 2, then version 1: the limit and what is in use.
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)


def fits(size: float) -> bool:
    """Tell whether so many bytes can be loaded."""
    return size <= available() * SHARE


def available() -> int:
    """Return the bytes of memory that are free for use, as far as can be told."""
    free = _free_of_machine()
    for limit, used in _LIMITS:
        try:
            left = int(Path(limit).read_text()) - int(Path(used).read_text())
        except (OSError, ValueError):  # no such file, or "max": no limit
            continue
        free = min(free, max(left, 0))
    return free


def _free_of_machine() -> int:
    try:
        with Path("/proc/meminfo").open() as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    # macOS counts files it may drop as used memory: half of what is built in.
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
