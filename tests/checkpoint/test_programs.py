"""Generated programs, and a fault at every step: each accepted run has its one result.

The programs add, remove, fire, run, cancel, read, pause, stop and start a runner in any
order, in virtual time; the model counts every run that was accepted to its one result.
The sweep lets a scenario fail, and then be cancelled, at its 1st, 2nd, … nth step.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.shell import environment
from probes import WHOLE, Act, LoopClock, Probe, Said, checkpoint
from truthound._atomic import replacing
from truthound.async_core.runner import TaskPriority
from truthound.checkpoint import (
    AsyncCheckpointRunner,
    CheckpointPool,
    CheckpointResult,
)
from truthound.checkpoint.actions import CustomAction, StoreValidationResult
from truthound.checkpoint.triggers import EventTrigger, ScheduleTrigger
from truthound.store import MemoryJournal
from virtual_clock import VirtualClockLoop

NAMES = ("a", "b", "c")
OPERATIONS = st.one_of(
    st.tuples(st.just("add"), st.sampled_from(NAMES), st.integers(0, 3)),
    st.tuples(st.just("remove"), st.sampled_from(NAMES)),
    st.tuples(st.just("fire"), st.sampled_from(NAMES)),
    st.tuples(st.just("run_now"), st.sampled_from(NAMES)),
    st.tuples(st.just("run_once"), st.sampled_from(NAMES)),
    st.tuples(st.just("run_all")),
    st.tuples(st.just("cancel_run"), st.integers(0, 5)),
    st.tuples(st.just("cancel_caller"), st.integers(0, 5)),
    st.tuples(st.just("read"), st.integers(1, 5)),
    st.tuples(st.just("pause"), st.sampled_from((*NAMES, None))),
    st.tuples(st.just("resume"), st.sampled_from((*NAMES, None))),
    st.tuples(st.just("stop"), st.booleans()),
    st.tuples(st.just("start")),
    st.tuples(st.just("wait"), st.sampled_from((0.0, 0.5, 3.0, 20.0))),
)


class Counting(MemoryJournal):
    """Counts what was accepted and how each run ended."""

    def __init__(self) -> None:
        super().__init__()
        self.accepted: list[str] = []
        self.ends: Counter[str] = Counter()

    async def accept(self, records: Any) -> None:
        self.accepted += [record.run_id for record in records]
        await super().accept(records)

    async def end(self, run_id: str, *rest: Any) -> bool:
        self.ends[run_id] += 1
        return await super().end(run_id, *rest)


class Kept(Probe):
    """Says in its result which run it is."""

    async def run_async(self, context: Any = None) -> CheckpointResult:
        from truthound.checkpoint._run import TICKET

        ticket = TICKET.get()
        result = await super().run_async(context)
        assert ticket is not None
        result.run_id = ticket.run_id
        return result


class Program:
    """A runner, what was done with it, and what came of it."""

    def __init__(self, size: int, most: int) -> None:
        self.journal = Counting()
        self.told: Counter[str] = Counter()
        self.read: Counter[str] = Counter()
        self.errors: list[Exception] = []
        self.callers: list[asyncio.Task[Any]] = []
        self.events: dict[str, EventTrigger] = {}
        self.runner = AsyncCheckpointRunner(
            result_callback=lambda r: self.told.update([r.run_id]),
            error_callback=self.errors.append,
            journal=self.journal,
            clock=LoopClock(),
            result_queue_size=size,
            max_concurrent_checkpoints=most,
            graceful_shutdown_timeout=5,
        )

    async def do(self, operation: tuple[Any, ...]) -> None:
        name, *given = operation
        with contextlib.suppress(ValueError, RuntimeError):  # no such name, not running
            outcome = getattr(self, name)(*given)
            if asyncio.iscoroutine(outcome):
                await outcome

    def add(self, name: str, seconds: int) -> None:
        event = EventTrigger(debounce_seconds=0)
        triggers = [ScheduleTrigger(interval_seconds=7, catch_up=seconds == 2), event]
        if seconds == 3:
            triggers.append(Said(1, OSError("down"), 1))  # type: ignore[arg-type]
        status = "error" if seconds == 1 else "success"
        made = Kept(name, seconds, status, triggers=triggers,
                    priority=TaskPriority(seconds))  # fmt: skip
        self.runner.add_checkpoint(made)
        self.events[name] = event

    def remove(self, name: str) -> None:
        self.runner.remove_checkpoint(name)

    def fire(self, name: str) -> None:
        if name in self.events:
            self.events[name].fire_event()

    def run_now(self, name: str) -> None:
        self.runner.run_now(name)

    def run_once(self, name: str) -> None:
        if name in self.runner.checkpoints:
            self._call(self.runner.run_once_async(name))

    def run_all(self) -> None:
        self._call(self.runner.run_all_async())

    def cancel_run(self, number: int) -> None:
        active = self.runner.active_runs()
        if active:
            self.runner.cancel_run(active[number % len(active)]["run_id"])

    def cancel_caller(self, number: int) -> None:
        if self.callers:
            self.callers[number % len(self.callers)].cancel()

    async def read_one(self) -> bool:
        found = await self.runner.get_results_async(timeout=0.01, max_results=1)
        self.read.update(result.run_id for result in found)
        return bool(found)

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def pause(self, name: str | None) -> None:
        self.runner.pause(name)

    def resume(self, name: str | None) -> None:
        self.runner.resume(name)

    async def stop(self, wait: bool) -> None:
        await self.runner.stop_async(wait)

    async def start(self) -> None:
        await self.runner.start_async()

    def _call(self, coroutine: Any) -> None:
        self.callers.append(asyncio.get_running_loop().create_task(coroutine))

    async def end(self) -> None:
        await self.runner.stop_async()
        await asyncio.gather(*self.callers, return_exceptions=True)
        await self.runner.wait_for_completion_async()
        while await self.read_one():
            pass

    def check(self) -> None:
        accepted = Counter(self.journal.accepted)
        assert max(accepted.values(), default=1) == 1
        assert self.told == accepted  # each result was told, once
        assert self.journal.ends == accepted
        assert self.read <= accepted  # and never came twice out of the queue
        assert self.runner.get_stats()["pending_tasks"] == 0
        for caller in self.callers:
            assert caller.done()
            if not caller.cancelled() and caller.exception() is None:
                result = caller.result()
                for one in result if isinstance(result, list) else [result]:
                    assert self.told[one.run_id] == 1


@given(
    st.lists(OPERATIONS, max_size=25),
    st.integers(1, 4),
    st.integers(1, 3),
)
def test_every_accepted_run_has_its_one_result(
    operations: list[Any], size: int, most: int
) -> None:
    async def main() -> None:
        program = Program(size, most)
        guests_only = True
        for operation in operations:
            if operation[0] == "read":
                for _ in range(operation[1]):
                    await program.read_one()
                continue
            guests_only = guests_only and operation[0] != "start"
            await program.do(operation)
        await program.end()
        program.check()
        if not any(o[0] in ("run_once", "run_all") for o in operations):
            # All that nobody waited for has gone through the queue.
            assert program.read == Counter(program.journal.accepted)

    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        runner.run(main())


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["submit", "many", "cancel", "stop", "start", "wait"]),
            st.integers(0, 4),
        ),
        max_size=20,
    ),
    st.integers(1, 3),
)
def test_every_submit_resolves(operations: list[tuple[str, int]], workers: int) -> None:
    async def main() -> None:
        journal = Counting()
        told: Counter[str] = Counter()
        pool = CheckpointPool(
            workers,
            lambda r: told.update([r.run_id]),
            journal=journal,
            clock=LoopClock(),
            graceful_shutdown_timeout=2,
        )
        tasks: list[asyncio.Task[Any]] = []
        loop = asyncio.get_running_loop()
        await pool.start()
        for what, number in operations:
            if what == "submit":
                tasks.append(loop.create_task(pool.submit(Kept("s", number))))
            elif what == "many":
                probes = [Kept(f"m{n}", n) for n in range(number)]
                tasks.append(loop.create_task(pool.submit_many(probes)))
            elif what == "cancel" and tasks:
                tasks[number % len(tasks)].cancel()
            elif what == "stop":
                await pool.stop(wait=bool(number % 2))
            elif what == "start":
                await pool.start()
            else:
                await asyncio.sleep(number * 0.6)
        await asyncio.sleep(0)
        await pool.stop()
        await asyncio.sleep(0)
        assert all(task.done() for task in tasks)
        for task in tasks:
            if not task.cancelled():
                task.exception()
        assert told == journal.ends == Counter(journal.accepted)

    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        runner.run(main())


# ------------------------------------------------------------------ the sweep


async def one_run(store: Any, seen: list[CheckpointResult]) -> CheckpointResult:
    """A run with three actions: one that awaits, one that blocks, one that writes."""
    one = checkpoint(
        "swept",
        WHOLE,
        actions=[
            Act("awaits", 0.001),
            CustomAction(name="calls", callback=lambda result: {"n": 1}),
            StoreValidationResult(store_path=store),
        ],
    )
    async with CheckpointPool(1, seen.append) as pool:
        return await pool.submit(one)


@pytest.mark.parametrize("when", range(1, 25))
async def test_cancelled_at_every_turn_nothing_is_lost_or_left(
    when: int, tmp_path: Any
) -> None:
    seen: list[CheckpointResult] = []
    task = asyncio.get_running_loop().create_task(one_run(tmp_path / "s", seen))
    for _ in range(when):
        await asyncio.sleep(0.0005 if when % 2 else 0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

    assert len(seen) <= 1
    if seen:  # accepted: then it has ended, once, and says how
        assert seen[0].error in (None, "cancelled by its caller") or (
            seen[0].error or ""
        ).startswith("interrupted")
    files = [p for p in (tmp_path / "s").rglob("*") if p.is_file()]
    assert all(p.suffix == ".json" for p in files) or any(
        t.name.startswith("truthound-action") for t in threading.enumerate()
    )


FAILURES = [OSError(28, "No space left on device"), KeyError("odd"), MemoryError()]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda e: type(e).__name__)
async def test_failing_at_every_call_the_run_still_ends(
    failure: BaseException, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each piece of I/O fails once: the disk, and the way to a thread."""
    from truthound import _atomic
    from truthound.checkpoint import _threads

    calls = {"number": 0, "fail": 0}

    def faulty(function: Any) -> Any:
        def called(*args: Any, **options: Any) -> Any:
            calls["number"] += 1
            if calls["number"] == calls["fail"]:
                raise failure
            return function(*args, **options)

        return called

    monkeypatch.setattr(os, "fsync", faulty(os.fsync))
    monkeypatch.setattr(_atomic, "replacing", faulty(replacing))
    monkeypatch.setattr(_threads.ACTIONS, "submit", faulty(_threads.ACTIONS.submit))
    seen: list[CheckpointResult] = []
    await one_run(tmp_path / "s0", seen)
    number, outcomes = calls["number"], []
    assert number >= 4
    for fail in range(1, number + 1):
        calls.update(number=0, fail=fail)
        seen.clear()
        result = await one_run(tmp_path / f"s{fail}", seen)
        assert seen == [result]
        assert result.status == "success"  # the data is as good as it was
        outcomes.append([str(a.status) for a in result.action_results])
        left = [p.name for p in (tmp_path / f"s{fail}").rglob("*.tmp")]
        assert left == []
    assert any("error" in statuses for statuses in outcomes)
    assert all(len(statuses) == 3 for statuses in outcomes)


class Failing(MemoryJournal):
    """Fails at its nth call."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.left = at

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise OSError("journal")

    async def accept(self, records: Any) -> None:
        self._count()
        await super().accept(records)

    async def end(self, *args: Any) -> bool:
        self._count()
        return await super().end(*args)


@pytest.mark.parametrize("at", [1, 2, 3, 4])
async def test_journal_failing_at_every_call(at: int) -> None:
    errors: list[Exception] = []
    seen: list[Any] = []
    async with CheckpointPool(
        1, seen.append, errors.append, journal=Failing(at)
    ) as pool:
        results = [await pool.submit(Probe(f"p{n}")) for n in range(2)]
    assert results == seen
    assert [str(e) for e in errors] == ["journal"]


# ------------------------------------------------------------------- the soak


@pytest.mark.timeout(120)
@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc")
def test_soak_of_mixed_runs_grows_nothing() -> None:
    """g12: 5,000 runs, ok, failing, timing out, cancelled, in their own process."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent.parent / "soak.py"), "5000"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    growth = json.loads(done.stdout)
    assert growth["runs"] == growth["delivered"] == 5_000
    assert growth["tasks"] <= 0
    assert growth["threads"] <= 2
    assert growth["descriptors"] <= 2
    assert growth["bytes_per_run"] < 1_000
