"""What a test needs from the machine, and what happens where it is missing."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def skip_or_fail(reason: str) -> NoReturn:
    """Skip a test, or fail it where everything is required to be there."""
    if os.environ.get("TRUTHOUND_REQUIRE_SERVICES") == "1":
        pytest.fail(f"required here: {reason}")
    pytest.skip(reason)


def chromium() -> str:
    """Return the path of a Chromium, or skip the test."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    return found or skip_or_fail("there is no chromium")
