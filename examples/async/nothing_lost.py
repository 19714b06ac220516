"""A runner is killed again and again under load, and nothing is lost.

A child of this program runs checkpoints with a store, and is killed (SIGKILL) at random
moments, also while it takes over what the one before it has left. Some of its data is
wrong, so that notifications are owed to an endpoint here, which is busy, slow, or hangs
up. What was accepted is noted in a file outside of the store. The last child may end
what there is, and then all is accounted for.

    python examples/async/nothing_lost.py --kills 20 --seed 1
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

CHECKPOINTS = 24
PATIENCE = 120.0  # seconds for the last child
ENDS = ("finished", "failed", "interrupted", "cancelled")


# ------------------------------------------------------------------------- the child


async def work(place: str, folder: Path, hook: str, most: int) -> None:
    """Run checkpoints until ``most`` were accepted, and end all that is under way."""
    from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint
    from truthound.checkpoint.actions import WebhookAction
    from truthound.store import Store

    store = Store(place)
    note = (folder / "accepted").open("a")
    runner = AsyncCheckpointRunner(
        store=store,
        recovery="rerun",
        max_concurrent_checkpoints=4,
        max_consecutive_failures=1_000_000,
        result_queue_size=None,
    )
    for n in range(CHECKPOINTS):
        runner.add_checkpoint(
            Checkpoint(
                f"rides-{n}",
                data_source=str(folder / ("good.csv" if n % 3 else "bad.csv")),
                validators=[{"unique": {"column": "id", "severity": "critical"}}],
                actions=[
                    WebhookAction(
                        url=hook, notify_on="failure", retry_delay_seconds=0.05
                    )
                ],
            )
        )
    print("started", flush=True)
    async with runner:
        for n in range(most):
            run_id = await runner.run_now_async(f"rides-{n % CHECKPOINTS}")
            note.write(f"{run_id}\n")  # the store has it: from now on it must not lack
            note.flush()
            await asyncio.sleep(0.002)
        await runner.wait_for_completion_async()
        while ask(store, OPEN)[0][0]:  # noqa: ASYNC110 - a database tells nobody
            await asyncio.sleep(0.05)


OPEN = "SELECT count(*) FROM notices WHERE state IN ('owed', 'sending')"


def ask(store: Any, text: str) -> list[Any]:
    """Ask the database of a store."""
    with store.reading() as connection:
        return list(connection.exec_driver_sql(text).fetchall())


# ---------------------------------------------------------------------- the endpoint


class Endpoint:
    """Counts deliveries by their key; is busy now and then, or hangs up."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.arrived: Counter[str] = Counter()
        self.refused = 0

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer the requests of one connection."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self.answer(reader, writer):
                pass
        writer.close()

    async def answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request; False: hang up."""
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines[1:])
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        await asyncio.sleep(self.chance.uniform(0, 0.02))
        luck = self.chance.random()
        if luck < 0.15:
            self.refused += 1
            writer.write(b"HTTP/1.1 503 busy\r\nContent-Length: 0\r\n\r\n")
            return True
        self.arrived[json.loads(body)["run_id"], headers["idempotency-key"]] += 1
        if luck < 0.25:
            return False  # it has arrived, and nobody is told
        writer.write(b"HTTP/1.1 200 ok\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        return True


# ------------------------------------------------------------------------ the parent


async def campaign(options: argparse.Namespace, folder: Path) -> bool:
    """Kill and start again, then account for all; tell whether nothing is lost."""
    chance = random.Random(options.seed)
    endpoint = Endpoint(random.Random(options.seed + 1))
    (folder / "good.csv").write_text("id,fare\n1,12.5\n2,8.0\n3,9.5\n")
    (folder / "bad.csv").write_text("id,fare\n1,12.5\n1,8.0\n3,9.5\n")
    (folder / "accepted").touch()
    place = options.store or str(folder / "runs.db")
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    hook = f"http://127.0.0.1:{port}/hook"
    starting = 0
    async with server:
        for kill in range(options.kills):
            starting += await killed(chance, place, folder, hook, kill, options.runs)
        child = await begun(place, folder, hook, options.runs)
        try:
            async with asyncio.timeout(PATIENCE):
                code = await child.wait()
        finally:
            await end(child)
    print(f"killed {options.kills} times, {starting} of them while it started")
    if code:
        print(f"the last child ended with {code}")
    return account(place, folder, endpoint) and not code


async def begun(
    place: str, folder: Path, hook: str, runs: int
) -> asyncio.subprocess.Process:
    """Start a child."""
    command = [sys.executable, __file__, "--child", place, str(folder), hook, str(runs)]
    with (folder / "log").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=log
        )


async def killed(
    chance: random.Random, place: str, folder: Path, hook: str, kill: int, runs: int
) -> bool:
    """Start a child and kill it; tell whether it was while it started."""
    child = await begun(place, folder, hook, runs)
    is_early = kill % 4 == 3
    try:
        assert child.stdout is not None
        await child.stdout.readline()
        wait = chance.uniform(0, 0.1) if is_early else chance.uniform(0.05, 1.5)
        await asyncio.sleep(wait)
    finally:
        await end(child)
    return is_early


async def end(child: asyncio.subprocess.Process) -> None:
    """End a child, if it has not ended, by its process id."""
    with contextlib.suppress(ProcessLookupError):
        if child.returncode is None:
            child.kill()
    await child.wait()


def account(place: str, folder: Path, endpoint: Endpoint) -> bool:
    """Compare what was accepted with the store and the endpoint; print it."""
    from truthound.store import Store

    accepted = (folder / "accepted").read_text().split()
    with Store(place) as store:
        runs = dict(ask(store, "SELECT run_id, state FROM runs"))
        owed = ask(store, "SELECT run_id, state, error FROM notices")
        unread = 0
        for run_id in (r for r in accepted if runs.get(r) == "finished"):
            try:
                unread += store.document(run_id)["run_id"] != run_id
            except Exception as error:  # noqa: BLE001 - counted, and shown
                print(f"{run_id}: {error}")
                unread += 1
        fine = "ok"
        if store.path is not None:
            fine = ask(store, "PRAGMA integrity_check")[0][0]
    arrived = Counter(run_id for run_id, _ in endpoint.arrived)
    open_now = [row for row in owed if row[1] in ("owed", "sending")]
    silent = [row[0] for row in owed if row[1] == "delivered" and not arrived[row[0]]]
    for run_id, state, error in owed:
        if state in ("dead", "owed", "sending"):
            print(f"  {state}: {run_id}: {error}")
    lost = {
        "accepted runs that the store does not have": len(set(accepted) - set(runs)),
        "runs without an end": sum(state not in ENDS for state in runs.values()),
        "finished runs whose result cannot be read": unread,
        "notifications that have not arrived": len(silent),
        "notifications that nobody sends any more": len(open_now),
        "notifications with more than one key": sum(n > 1 for n in arrived.values()),
        "faults in the file": int(fine != "ok"),
    }
    states = Counter(runs.values())
    told = {
        "accepted runs": len(accepted),
        **{f"  {state}": states[state] for state in ENDS if states[state]},
        "notifications owed": len(owed),
        "  arrived": len(arrived),
        "  sent again, with the same key": sum(
            n - 1 for n in endpoint.arrived.values()
        ),
        "  refused (503)": endpoint.refused,
        **lost,
    }
    for name, number in told.items():
        print(f"{name:46}{number:8,}")
    is_fine = not any(lost.values())
    print("nothing is lost" if is_fine else "SOMETHING IS LOST")
    return is_fine


def main() -> int:
    """Run it; 0: nothing is lost."""
    if sys.argv[1:2] == ["--child"]:
        place, folder, hook, runs = sys.argv[2:]
        asyncio.run(work(place, Path(folder), hook, int(runs)))
        return 0
    parser = argparse.ArgumentParser(description="Kill a runner again and again.")
    parser.add_argument("--kills", type=int, default=20, help="how often (20)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (1)")
    parser.add_argument("--runs", type=int, default=300, help="of each child (300)")
    parser.add_argument("--store", help="a path or an address; else a new file")
    options = parser.parse_args()
    os.environ.pop("TRUTHOUND_STORE", None)
    with tempfile.TemporaryDirectory() as name:
        return 0 if asyncio.run(campaign(options, Path(name))) else 1


if __name__ == "__main__":
    sys.exit(main())
