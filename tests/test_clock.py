"""The machine's clocks."""

from __future__ import annotations

import time
from pathlib import Path

from truthound._clock import SYSTEM_CLOCK


def test_file_that_is_written_after_a_moment_is_not_stamped_before_it(
    tmp_path: Path,
) -> None:
    for n in range(200):
        file = tmp_path / f"{n}.csv"
        moment = SYSTEM_CLOCK.file_time()
        file.touch()  # what was looked at before is stamped more finely
        assert file.stat().st_mtime_ns >= moment
        time.sleep(0.001)
