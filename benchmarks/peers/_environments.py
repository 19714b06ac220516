"""One virtual environment for each peer, made from its pinned requirement file.

An environment is made again when its file or the Python version changes. It never
sees this project: the original truthound has the same import name.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
QUIET = {  # usage statistics that a peer would send
    "GX_ANALYTICS_ENABLED": "false",
    "SODA_CORE_TELEMETRY_ENABLED": "false",
    "OTEL_SDK_DISABLED": "true",
    "DO_NOT_TRACK": "1",
}
OURS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONSTARTUP")


class EnvironmentFailedError(Exception):
    """The installer did not succeed; the text is the end of what it said."""


def clean_variables() -> dict[str, str]:
    """Return the environment variables for a peer: none that lead to our code."""
    kept = {name: value for name, value in os.environ.items() if name not in OURS}
    return {**kept, **QUIET, "PYTHONNOUSERSITE": "1"}


def interpreter(peer: str, cache: Path) -> Path:
    """Return the Python of a peer's environment, making the environment if needed.

    uv is used when it is on the path; if it is missing or fails, venv and pip are.

    Raises:
        EnvironmentFailedError: What the file names could not be installed.
    """
    requirements = HERE / f"{peer}.txt"
    home = cache.resolve() / peer
    python = home / "bin" / "python"
    stamp = home / "made-from"
    recipe = hashlib.sha256(requirements.read_bytes()).hexdigest() + sys.version
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == recipe:
        return python
    uv = shutil.which("uv")
    problems = []
    for install in [_with_uv] * bool(uv) + [_with_pip]:
        shutil.rmtree(home, ignore_errors=True)
        for command in install(home, requirements):
            done = subprocess.run(
                command, env=clean_variables(), capture_output=True, text=True
            )
            if done.returncode:
                problems.append(done.stderr.strip()[-600:])
                break
        else:
            stamp.write_text(recipe, encoding="utf-8")
            return python
    shutil.rmtree(home, ignore_errors=True)
    raise EnvironmentFailedError("\n".join(problems))


def _with_uv(home: Path, requirements: Path) -> list[list[str]]:
    python = str(home / "bin" / "python")
    install = ["uv", "pip", "install", "--quiet", "--python", python]
    return [
        ["uv", "venv", "--quiet", "--python", sys.executable, str(home)],
        [*install, "-r", str(requirements)],
    ]


def _with_pip(home: Path, requirements: Path) -> list[list[str]]:
    python = str(home / "bin" / "python")
    return [
        [sys.executable, "-m", "venv", str(home)],
        [python, "-m", "pip", "install", "--quiet", "-r", str(requirements)],
    ]
