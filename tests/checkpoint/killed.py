"""A program that checks messages and tells a server of them, and is killed on the way.

It is told ``MODE FOLDER POINT NUMBER REDIS NATS HOOK`` in lines on its standard input,
and forks for each, as the program of ``tests/store`` does: the store is in the folder,
the messages in a Redis stream and a JetStream stream of these names, the webhook is at
the address. The child kills itself at the NUMBER-th passage of the POINT, or ends when
all is told. The answer to a line is how it has ended.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import nats  # noqa: F401 - before the fork
import redis.asyncio  # noqa: F401 - the same

from brokers import NATSBroker, RedisBroker, until
from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint
from truthound.checkpoint import async_checkpoint as _  # noqa: F401 - the same
from truthound.checkpoint._running.entry import Entry
from truthound.checkpoint._running.messages import MessageDriver
from truthound.checkpoint._running.settling import Settling
from truthound.checkpoint.actions import WebhookAction
from truthound.checkpoint.triggers import NATSTrigger, RedisStreamTrigger
from truthound.store import Store, _database

PATIENCE = 25.0  # seconds to come through
SOON = 0.2  # seconds after which what a dead consumer had is delivered again
# The home of a function, its name, and whether the child dies before the call.
POINTS: dict[str, tuple[Any, str, bool]] = {
    "Redis is connected": (RedisStreamTrigger, "connect", False),
    "NATS is connected": (NATSTrigger, "connect", False),
    "received": (MessageDriver, "_fresh", True),
    "run is accepted": (Entry, "start_run", False),
    "result is stored": (Store, "found", False),
    "webhook is sent": (WebhookAction, "_send", True),
    "webhook was sent": (WebhookAction, "_send", False),
    "end is written": (Store, "end", True),
    "commit is counted": (_database, "count_commit", False),
    "acknowledging": (Settling, "_acknowledged", True),
    "acknowledged in Redis": (RedisStreamTrigger, "acknowledge", False),
    "acknowledged in NATS": (NATSTrigger, "acknowledge", False),
    "leaving": (MessageDriver, "_farewell", True),
}
ANY = "at any time"


def die() -> None:
    """End as if somebody had pulled the plug of the process."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(point: str, number: int) -> None:
    """Prepare to die."""
    left = number

    def pass_by() -> None:
        nonlocal left
        left -= 1
        if not left:
            die()

    if point in POINTS:
        home, name, is_before = POINTS[point]
        setattr(home, name, _wrapped(getattr(home, name), pass_by, is_before))
    elif point == ANY:

        def later() -> None:
            time.sleep(number / 1000)
            die()

        threading.Thread(target=later, daemon=True).start()


def _wrapped(real: Any, pass_by: Any, is_before: bool) -> Any:
    if asyncio.iscoroutinefunction(real):

        @functools.wraps(real)
        async def waiting(*arguments: Any, **options: Any) -> Any:
            if is_before:
                pass_by()
            found = await real(*arguments, **options)
            if not is_before:
                pass_by()
            return found

        return waiting

    @functools.wraps(real)
    def direct(*arguments: Any, **options: Any) -> Any:
        if is_before:
            pass_by()
        found = real(*arguments, **options)
        if not is_before:
            pass_by()
        return found

    return direct


async def work(mode: str, folder: Path, places: list[str], hook: str) -> None:
    """Check messages until none is left, and all is told."""
    store = Store(folder / "runs.db")
    runner = AsyncCheckpointRunner(
        store=store, recovery=mode, result_queue_size=None, max_consecutive_failures=999
    )
    one, other = RedisBroker(), NATSBroker()
    common: Any = {"max_attempts": 999, "max_concurrent": 2}
    for broker, place, own in (
        (one, places[0], {"claim_idle_seconds": SOON}),
        (other, places[1], {"ack_wait_seconds": SOON}),
    ):
        broker.place = place
        await broker.attach()
        trigger = broker.trigger(**common, **own)
        action = WebhookAction(url=hook, retry_delay_seconds=0.01)
        runner.add_checkpoint(
            Checkpoint(
                broker.kind,
                data_source={"id": [1, 2]},
                validators=["null"],
                triggers=[trigger],
                actions=[action],
            )
        )

    async def is_through() -> bool:
        return not (await one.pending() or await other.pending() or owed(store))

    async with asyncio.timeout(PATIENCE), runner:
        await until(is_through)
    await one.client.aclose()
    await other.client.close()


def owed(store: Store) -> int:
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
        mode, folder, point, number, *places, hook = line.rstrip("\n").split("\t")
        child = os.fork()
        if not child:
            try:
                arm(point, int(number))
                asyncio.run(work(mode, Path(folder), places, hook))
            except BaseException as error:
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
