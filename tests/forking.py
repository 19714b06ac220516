"""Programs that fork for each line they are told, and say how the child has ended."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

Tell = Callable[..., Awaitable[int]]


@contextlib.asynccontextmanager
async def forking(path: Path) -> AsyncIterator[Tell]:
    """Yield what lets a child of a program work; it returns how that has ended."""
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        str(path),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert program.stdin is not None
    assert program.stdout is not None
    lines, answers = program.stdin, program.stdout

    async def tell(*told: Any) -> int:
        lines.write("\t".join(map(str, told)).encode() + b"\n")
        return int(await answers.readline())

    try:
        yield tell
    finally:
        lines.close()
        assert await program.wait() == 0
