"""The command line as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import truthound

SOURCE = str(Path(truthound.__file__).parents[1])


def environment(**variables: str) -> dict[str, str]:
    """Return an environment in which this very package is found."""
    path = os.pathsep.join(filter(None, [SOURCE, os.environ.get("PYTHONPATH", "")]))
    plain = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "COLUMNS"}}
    return {**plain, "PYTHONPATH": path, **variables}


def command(*arguments: str) -> list[str]:
    """Return the words that start the command line."""
    return [sys.executable, "-m", "truthound", *arguments]


def call(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    return subprocess.run(
        command(*arguments),
        env=environment(**options.pop("env", {})),
        capture_output="stdout" not in options,
        text=True,
        timeout=25,
        check=False,
        **options,
    )
