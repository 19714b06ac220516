"""What a process leaves behind is taken over: by whom, how often, and when."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from processes import eventually
from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint
from truthound.store import Owner, RunRecord, RunState, Store
from truthound.store._processes import is_gone, this_process

POISON = """
import asyncio, os, signal, sys
from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint

def dies():
    with open("begun", "a") as file:
        file.write("begun\\n")
    os.kill(os.getpid(), signal.SIGSEGV)

async def main():
    runner = AsyncCheckpointRunner(store="runs.db", recovery="rerun")
    runner.add_checkpoint(Checkpoint("poison", data_source=dies, validators=["null"]))
    good = Checkpoint("good", data_source={"id": [1]}, validators=["null"])
    runner.add_checkpoint(good)
    async with runner:
        if sys.argv[1] == "first":
            await runner.run_now_async("poison")
        await runner.run_once_async("good")
        await runner.wait_for_completion_async()

asyncio.run(main())
"""


def record(run_id: str, owner: str) -> RunRecord:
    return RunRecord(
        run_id=run_id,
        checkpoint="rides",
        state=RunState.ACCEPTED,
        owner=owner,
        accepted_at=datetime.now(UTC),
    )


def states(store: Store) -> dict[str, tuple[str, int, str | None]]:
    with store.reading() as connection:
        rows = connection.exec_driver_sql(
            "SELECT run_id, state, attempt, error FROM runs"
        ).fetchall()
    return {row[0]: tuple(row[1:]) for row in rows}


@pytest.mark.timeout(180)
def test_a_run_that_kills_its_process_is_given_up() -> None:
    codes = []
    for turn in ("first", "again", "again", "again", "again", "again"):
        command = [sys.executable, "-c", POISON, turn]
        codes.append(subprocess.run(command, timeout=60, check=False).returncode)
        if codes[-1] == 0:
            break
    assert codes[-1] == 0
    assert set(codes[:-1]) == {-signal.SIGSEGV}
    # The first begin may not have been written when the process was gone.
    assert 3 <= len(Path("begun").read_text().split()) <= 4
    with Store("runs.db") as store:
        found = states(store)
    poison = [state for run_id, state in found.items() if run_id.startswith("poison")]
    assert poison == [
        (
            "failed",
            3,
            "given up after 3 attempts: each time its process ended while it ran",
        )
    ]
    good = [s[0] for run_id, s in found.items() if run_id.startswith("good")]
    assert "finished" in good
    assert set(good) <= {"finished", "failed"}


async def test_a_run_that_only_waited_was_not_begun() -> None:
    async with Store("runs.db") as store:
        await store.accept([record("r", "gone-0")])
        for turn in range(5):
            found = await store.recover(f"gone-{turn + 1}", again=["rides"])
            assert [run.attempt for run in found.again] == [1]
        await store.begun("r", 1, "gone-5", datetime.now(UTC))
        found = await store.recover("me", again=["rides"])
        assert [run.attempt for run in found.again] == [2]


async def test_runs_that_wait_for_a_slot_are_in_the_store() -> None:
    gate = asyncio.Event()

    class Slow(Checkpoint):
        async def run_async(self, context=None):  # type: ignore[no-untyped-def, override]
            await gate.wait()
            return await super().run_async(context)

    slow = Slow("slow", data_source={"id": [1]}, validators=["null"])
    store = Store("runs.db")
    runner = AsyncCheckpointRunner(store=store, max_concurrent_checkpoints=1)
    runner.add_checkpoint(slow)
    async with runner:
        ids = [await runner.run_now_async("slow") for _ in range(5)]
        ids += [runner.run_now("slow")]
        await runner.run_now_async("slow")
        found = await asyncio.to_thread(states, store)
        assert set(ids) <= set(found)
        gate.set()


def test_a_process_that_nobody_has_waited_for_is_gone() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE
    ) as process:
        mine = this_process("x")
        owner = Owner(name="x", host=mine.host, pid=process.pid)
        assert is_gone(owner) is False
        os.kill(process.pid, signal.SIGKILL)
        assert eventually(lambda: is_gone(owner))  # it is a zombie until the block ends


async def test_of_two_who_ask_at_once_none_is_unknown() -> None:
    async with Store("runs.db") as store:
        names = await asyncio.gather(store.present(), store.present())
        await store.accept([record(f"r{n}", name) for n, name in enumerate(names)])
        assert (await store.recover("me", again=["rides"])).again == ()
