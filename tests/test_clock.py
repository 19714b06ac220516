"""The machine's clocks."""

from __future__ import annotations

import time
from pathlib import Path

from truthound._clock import SYSTEM_CLOCK


def test_file_that_is_written_after_a_moment_is_not_stamped_before_it(
    tmp_path: Path,
) -> None:
    file = tmp_path / "a.csv"
    for _ in range(200):
        moment = SYSTEM_CLOCK.file_time()
        file.write_text("x")
        assert file.stat().st_mtime_ns >= moment
        time.sleep(0.001)
