"""A program that runs checkpoints with a store, and is killed on the way.

It is told ``MODE FOLDER POINT NUMBER`` in lines on its standard input, and forks for
each: what is imported once need not be again. The child works in the folder, or only
ends what is left there; it kills itself at the NUMBER-th passage of the POINT. The
answer to a line is how the child has ended, as ``os.waitpid`` says it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint
from truthound.checkpoint import async_checkpoint as _  # noqa: F401 - before the fork
from truthound.checkpoint.actions import CustomAction
from truthound.store import _database, _opening, _outbox, _recovery, _writer, database

RUNS = 12  # of one child
PATIENCE = 20.0  # seconds to end what is left
# The name of a function, where it stands, and whether the child dies before the call.
POINTS: dict[str, tuple[Any, str, bool]] = {
    "transaction begins": (database.Store, "_transaction", True),
    "before the commit": (_database, "count_commit", True),
    "commit is counted": (_database, "count_commit", False),
    "after the commit, before the mark": (_opening.Mark, "note", True),
    "after the commit, before they are told": (_writer, "_tell", True),
    "a group is written": (_writer, "write_group", False),
    "recovery begins": (_recovery, "recover", True),
    "recovery before its commit": (_recovery, "recover", False),
    "owner is renewed": (_recovery, "renew", False),
    "notices are claimed": (_outbox, "claim", False),
    "settling": (database.Store, "settle", True),
    "tables are made": (_opening, "_bring_up_to_date", False),
    "store is opened": (_database, "open_tables", False),
    "file takes its place": (os, "link", True),
    "file is there": (os, "link", False),
}
OWN = ("sending", "sent", "at any time")


def die() -> None:
    """End as if somebody had pulled the plug of the process."""
    os.kill(os.getpid(), signal.SIGKILL)


class Count:
    """Dies at the passage of a number."""

    def __init__(self, number: int) -> None:
        self.left = number

    def pass_by(self) -> None:
        """Count."""
        self.left -= 1
        if not self.left:
            die()


def arm(point: str, number: int) -> Count:
    """Prepare to die; returns what counts for the points in the action."""
    count = Count(number)
    if point in POINTS:
        home, name, is_before = POINTS[point]
        real = getattr(home, name)

        def wrapped(*arguments: Any, **options: Any) -> Any:
            if is_before:
                count.pass_by()
            found = real(*arguments, **options)
            if not is_before:
                count.pass_by()
            return found

        setattr(home, name, wrapped)
    elif point == "at any time":

        def later() -> None:
            time.sleep(number / 1000)
            die()

        threading.Thread(target=later, daemon=True).start()
    return count


def noted(path: Path, line: str) -> None:
    """Append a line, whole."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


def checkpoints(folder: Path, point: str, count: Count) -> list[Checkpoint]:
    """Return the checkpoints that all children have."""

    def tell(result: Any) -> None:
        if point == "sending":
            count.pass_by()
        noted(folder / "effects", result.run_id)
        if point == "sent":
            count.pass_by()
        if random.random() < 0.2:
            raise RuntimeError("no answer")

    return [
        Checkpoint(
            f"c{n}",
            data_source={"id": [1, 2, 2 if n % 2 else 3]},
            validators=[{"unique": {"column": "id"}}],
            actions=[CustomAction(callback=tell, retry_delay_seconds=0.01)],
        )
        for n in range(4)
    ]


async def work(mode: str, folder: Path, point: str, number: int) -> None:
    """Run checkpoints, or only end what is left of earlier ones."""
    count = arm(point, number)
    store = database.Store(folder / "runs.db")
    runner = AsyncCheckpointRunner(
        store=store,
        recovery="rerun",
        max_concurrent_checkpoints=2,
        result_queue_size=None,
    )
    for checkpoint in checkpoints(folder, point, count):
        runner.add_checkpoint(checkpoint)

    async def ask(n: int) -> None:
        run_id = await runner.run_now_async(f"c{n % 4}")
        noted(folder / "accepted", run_id)

    async with asyncio.timeout(PATIENCE), runner:
        if mode == "work":
            await asyncio.gather(*map(ask, range(RUNS)))
        await runner.wait_for_completion_async()
        while pending(store):  # noqa: ASYNC110 - a database tells nobody
            await asyncio.sleep(0.01)


def pending(store: Any) -> int:
    """Return how many notifications are owed, or being sent."""
    with store.reading() as connection:
        found = connection.exec_driver_sql(
            "SELECT count(*) FROM notices WHERE state IN ('owed', 'sending')"
        )
        return int(found.scalar())


def main() -> None:
    """Fork for each line."""
    logging.disable()
    for line in sys.stdin:
        mode, folder, point, number = line.rstrip("\n").split("\t")
        child = os.fork()
        if not child:
            try:
                asyncio.run(work(mode, Path(folder), point, int(number)))
            except BaseException as error:
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
