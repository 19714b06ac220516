"""A program that watches a folder with a store, and is killed on the way.

It is told ``FOLDER MILLISECONDS`` in lines on its standard input, and forks for each:
what is imported once need not be again. The child watches, and kills itself after that
time; 0: it goes on until each file has a finished run. The answer to a line is how the
child has ended, as ``os.waitpid`` says it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint
from truthound.checkpoint.triggers import FileWatchTrigger
from truthound.store import database

PATIENCE = 100.0  # seconds to end what is left


def die_after(milliseconds: int) -> None:
    """End as if somebody had pulled the plug of the process."""

    def later() -> None:
        time.sleep(milliseconds / 1000)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=later, daemon=True).start()


def finished(store: Any) -> set[str]:
    """Return the files with a finished run."""
    runs = store.runs(states=["finished"], limit=None)
    return {Path(run.context["file"]).name for run in runs}


async def work(folder: Path, milliseconds: int) -> None:
    """Watch, and check each file."""
    landing = folder / "landing"
    trigger = FileWatchTrigger(
        paths=landing, per_file=True, settle_seconds=0.02, max_concurrent=2
    )
    checkpoint = Checkpoint(
        "c",
        data_source="trigger:file",
        validators=[{"unique": {"column": "id"}}],
        triggers=[trigger],
    )
    store = database.Store(folder / "runs.db")
    runner = AsyncCheckpointRunner(
        store=store, recovery=os.environ["RECOVERY"], result_queue_size=None
    ).add_checkpoint(checkpoint)
    if milliseconds % 2:  # maybe before it has begun to watch
        die_after(milliseconds)
    async with asyncio.timeout(PATIENCE), runner:
        (folder / "watching").touch()
        if milliseconds and not milliseconds % 2:
            die_after(milliseconds)
        wanted = {path.name for path in landing.glob("*.csv")}
        done: set[str] = set()
        while milliseconds or not wanted <= done:
            await asyncio.sleep(0.2)
            done = set() if milliseconds else await asyncio.to_thread(finished, store)


def main() -> None:
    """Fork for each line."""
    logging.disable()
    for line in sys.stdin:
        folder, milliseconds = line.rstrip("\n").split("\t")
        child = os.fork()
        if not child:
            try:
                asyncio.run(work(Path(folder), int(milliseconds)))
            except BaseException as error:
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
