"""The only reader of time in the package, so that a test can hand in another."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime

_REALTIME_COARSE = 5  # CLOCK_REALTIME_COARSE of Linux, which Python has no name for


@dataclass(frozen=True, slots=True)
class Clock:
    """The machine's clocks; subclass it to hand a test's own time in."""

    def monotonic(self) -> float:
        """Return seconds that only ever grow; for durations and limits."""
        return time.perf_counter()

    def now(self) -> datetime:
        """Return the present moment, aware and in UTC; for stamps."""
        return datetime.now(UTC)

    def file_time(self) -> int:
        """Return the stamp that a file changed now gets, in nanoseconds since 1970.

        Linux stamps with a clock that goes in steps of some milliseconds.
        """
        if sys.platform == "linux":
            return time.clock_gettime_ns(_REALTIME_COARSE)
        return time.time_ns()

    def sleep(self, seconds: float) -> None:
        """Wait, and hold up the thread."""
        time.sleep(seconds)


SYSTEM_CLOCK = Clock()
