"""Owners, leases, slots, recovery, and several stores on one database."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from processes import until
from store_records import GOOD, NOW, Moved, notice, owed, rows, run, states
from truthound.errors import StoreError
from truthound.store import MemoryStore, NoticeState, Outcome, RunState, Settled, Store
from truthound.store import _writer as writer_module
from truthound.store.records import MESSAGES


async def looked(call: Any, *args: Any) -> Any:
    return await asyncio.to_thread(call, *args)


def elsewhere(store: Store, owner: str) -> None:
    """Say that an owner runs on another machine, where nobody can look."""
    with store.open()._engine.begin() as connection:  # type: ignore[union-attr]
        statement = "UPDATE owners SET host = 'elsewhere' WHERE owner = :o"
        connection.execute(text(statement), {"o": owner})


# -------------------------------------------------------------------------- recovery


async def test_each_run_of_a_dead_owner_has_its_fate(store: Store) -> None:
    bad = Outcome(status="error", error="broken", document=dict)
    for run_id, said in {
        "good": {},
        "bad": {},
        "fresh": {},
        "tired": {"attempt": 3},
        "other": {"checkpoint": "other"},
        "unknown": {"checkpoint": "unknown"},
    }.items():
        await store.accept([run(run_id, "gone", **said)])
    await store.found("good", 1, "gone", GOOD, [notice("good", owner="gone")])
    await store.found("bad", 1, "gone", bad, [])
    await store.begun("fresh", 1, "gone", NOW)
    await store.begun("tired", 3, "gone", NOW)

    found = await store.recover("me", known=["rides", "other"], again=["rides"])
    assert {r.run_id: str(r.state) for r in found.ended} == {
        "good": "finished",
        "bad": "failed",
        "tired": "failed",
        "other": "interrupted",
    }
    (again,) = found.again
    assert (again.run_id, again.attempt, again.owner) == ("fresh", 2, "me")
    assert again.began_at is None
    assert found.notices == 1
    assert (await looked(owed, store)) == {("good", 0): "owed"}
    assert (await looked(states, store))["unknown"] == "accepted"
    assert not await store.end("fresh", 1, "gone", RunState.FINISHED, NOW, GOOD)
    assert await store.end("fresh", 2, "me", RunState.FINISHED, NOW, GOOD)


@pytest.mark.parametrize("seconds", [7_200, -7_200])
async def test_a_living_owner_is_not_taken_for_dead_by_a_clock_that_jumps(
    address: str, seconds: float
) -> None:
    """Of a process on the same machine it is known that it lives."""
    async with Store(address, lease=1) as one:
        await one.register("a")
        await one.accept([run(owner="a")])
        async with Store(address, lease=1, clock=Moved(seconds)) as other:
            await other.register("b")
            found = await other.recover("b")
        assert (found.again, found.ended) == ((), ())
        assert await looked(states, one) == {"r": "accepted"}


async def test_the_lease_of_another_machine_runs_out(address: str) -> None:
    async with Store(address, lease=0.6) as one:
        await one.register("a")
        await one.accept([run(owner="a")])
        async with Store(address, lease=30) as other:
            await looked(elsewhere, other, "a")
            for _ in range(4):  # its writer renews it, whatever the loop does
                await asyncio.sleep(0.3)
                assert not (await other.recover("b")).ended
            one._living.clear()  # it gives no sign any more
            await asyncio.sleep(0.9)
            (ended,) = (await other.recover("b")).ended
            assert ended.state is RunState.INTERRUPTED
            # It was not dead, and hears that the run is not its own.
            assert not await one.found("r", 1, "a", GOOD, [notice(owner="a")])
            assert not await one.end("r", 1, "a", RunState.FINISHED, NOW, GOOD)
        assert await looked(owed, one) == {}


async def test_an_owner_that_was_forgotten_is_gone(store: Store) -> None:
    await store.register("a")
    await store.accept([run(owner="a")])
    assert not (await store.recover("b")).ended
    await store.forget("a")
    assert [r.run_id for r in (await store.recover("b")).ended] == ["r"]


async def test_a_closed_store_leaves_no_owner(address: str) -> None:
    async with Store(address) as one:
        own = await one.present()
        assert await one.present() == own
        assert await looked(rows, one, "SELECT owner FROM owners") == [(own,)]
    async with Store(address) as two:
        assert await looked(rows, two, "SELECT owner FROM owners") == []


async def test_whoever_stands_for_the_process_is_seen_before_he_is_named(
    store: Store,
) -> None:
    async def named() -> None:
        own = await store.present()
        await store.accept([run(f"r{id(asyncio.current_task())}", own)])
        assert not (await store.recover("other")).ended

    await asyncio.gather(*(named() for _ in range(5)))


# ----------------------------------------------------------------------------- slots


async def test_a_slot_has_one_run_among_several_stores(address: str) -> None:
    async with Store(address) as one, Store(address) as two:
        await one.register("a")
        await two.register("b")
        for ends in (False, True):
            said = {"slot": f"noon {ends}", "slot_ends": ends}
            refused = await asyncio.gather(
                *(
                    store.accept([run(f"{owner}{n}{ends}", owner, **said)])
                    for n in range(10)
                    for store, owner in ((one, "a"), (two, "b"))
                )
            )
            assert sum(len(r) for r in refused) == 19
        assert len(await looked(states, one)) == 2


async def test_a_slot_is_free_again_only_if_it_ends_with_its_process(
    store: Store,
) -> None:
    await store.register("me")
    for ends in (False, True):
        said = {"slot": f"s{ends}", "slot_ends": ends}
        await store.accept([run(f"gone{ends}", "gone", **said)])
        refused = list(await store.accept([run(f"next{ends}", "me", **said)]))
        assert refused == ([] if ends else ["nextFalse"])
        assert list(await store.accept([run(f"more{ends}", "me", **said)])) != []


# ------------------------------------------------------------------ many at one time


async def test_thousands_of_writers_are_written_each_once(store: Store) -> None:
    async def one(n: int) -> None:
        await store.accept([run(f"r{n}")])
        store.begin(f"r{n}", 1, "me", NOW)
        assert await store.found(f"r{n}", 1, "me", GOOD, [notice(f"r{n}")])
        done = Settled(position=0, state=NoticeState.DELIVERED)
        kept = Outcome(status="success")
        end = RunState.FINISHED
        assert await store.end(f"r{n}", 1, "me", end, NOW, kept, [done])

    await asyncio.gather(*(one(n) for n in range(2_000)))
    assert set((await looked(states, store)).values()) == {"finished"}
    assert set((await looked(owed, store)).values()) == {"delivered"}
    count = "SELECT count(*), count(began_at) FROM runs JOIN results USING (seq)"
    assert await looked(rows, store, count) == [(2_000, 2_000)]


async def test_a_writer_that_is_cancelled_is_written_all_the_same(store: Store) -> None:
    tasks = [asyncio.ensure_future(store.accept([run(f"r{n}")])) for n in range(50)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len(await looked(states, store)) == 50


def test_loops_and_threads_use_one_store_at_once(store: Store) -> None:
    async def some(name: str) -> None:
        await asyncio.gather(*(store.accept([run(f"{name}{n}")]) for n in range(50)))

    def blocking(name: str) -> None:
        for n in range(20):
            store.save(name, [], [str(n)])
            asyncio.run(store.set_cursor(name, n))
            assert store.cursor(name) == n

    threads = [
        threading.Thread(target=asyncio.run, args=(some(name),)) for name in "ab"
    ]
    threads += [threading.Thread(target=blocking, args=(name,)) for name in "cd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(states(store)) == 100


async def test_what_waits_is_written_when_it_closes(address: str) -> None:
    store = await looked(Store(address).open)
    writes = [asyncio.ensure_future(store.accept([run(f"r{n}")])) for n in range(200)]
    await asyncio.sleep(0)
    await looked(store.close)
    await asyncio.gather(*writes)
    assert len(await looked(states, store)) == 200  # it opens again
    await looked(store.close)


async def test_it_stays_open_as_long_as_somebody_has_it(address: str) -> None:
    store = Store(address)
    async with store:
        async with store:
            await store.accept([run()])
        assert store._writer is not None
    assert store._writer is None
    store.release()  # once too often
    async with store:
        assert await looked(states, store) == {"r": "accepted"}


async def test_memory_ends_with_its_store() -> None:
    store = MemoryStore()
    async with store:
        await store.accept([run()])
    async with store:
        assert await looked(states, store) == {}


async def test_more_writes_than_may_wait_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer_module, "MOST", 4)
    free = threading.Event()
    async with Store("store.db") as store:
        holding = store._writer.call(lambda _: free.wait())  # type: ignore[union-attr]
        writer: Any = store._writer
        await until(lambda: writer._is_busy and not writer._writes)
        tasks = [asyncio.ensure_future(store.accept([run(f"{n}")])) for n in range(5)]
        await asyncio.sleep(0)
        free.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(f, StoreError) for f in found] == [False] * 3 + [True] * 2
        assert "4 writes wait" in str(found[-1])  # with the one that is under way
        await asyncio.wrap_future(holding)
        assert len(await looked(states, store)) == 3


# ------------------------------------------------------------------------------ forks


def accepted(store: Store, run_id: str) -> None:
    async def accept() -> None:
        await store.accept([run(run_id)])

    asyncio.run(accept())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_opens_anew_and_keeps_what_it_writes(address: str) -> None:
    go, went = os.pipe(), os.pipe()
    with Store(address) as store:
        accepted(store, "parent")
        states(store)
        child = os.fork()
        if not child:
            status = 1
            try:
                accepted(store, "child 1")
                os.write(went[1], b"x")
                os.read(go[0], 1)
                accepted(store, "child 2")
                status = 0 if len(states(store)) == 4 else 2
                store.close()
            finally:
                os._exit(status)
        os.read(went[0], 1)
        accepted(store, "parent 2")
    os.write(go[1], b"x")  # the parent has closed it, the child goes on
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    for end in (*go, *went):
        os.close(end)
    with Store(address) as store:
        assert set(states(store)) == {"parent", "parent 2", "child 1", "child 2"}
    if address == "store.db":
        assert Path("store.db").stat().st_size


# ------------------------------------------------------------------- slots of messages


@pytest.mark.parametrize(
    ("state", "left"),
    [
        (RunState.FINISHED, RunState.FINISHED),
        (RunState.FAILED, None),
        (RunState.INTERRUPTED, None),
        (RunState.CANCELLED, None),
    ],
)
async def test_a_message_is_kept_only_by_a_run_that_finished(
    store: Store, state: RunState, left: RunState | None
) -> None:
    slots = {"r": f"{MESSAGES}one", "s": "noon"}
    for run_id, slot in slots.items():
        await store.accept([run(run_id, slot=slot)])
        at = await asyncio.to_thread(store.state_of_slot, slot)
        assert at is RunState.ACCEPTED
        assert await store.end(run_id, 1, "me", state, NOW, GOOD)
    assert await asyncio.to_thread(store.state_of_slot, f"{MESSAGES}one") is left
    assert await asyncio.to_thread(store.state_of_slot, "noon") is state
    refused = await store.accept([run("t", slot=f"{MESSAGES}one")])
    assert list(refused) == ([] if left is None else ["t"])


async def test_a_message_of_a_process_that_is_gone_is_free_again(
    address: str,
) -> None:
    async with Store(address) as store:
        slots = {"begun": f"{MESSAGES}one", "found": f"{MESSAGES}two"}
        for run_id, slot in slots.items():
            await store.accept([run(run_id, "gone", slot=slot)])
        await store.found("found", 1, "gone", GOOD, [])
        await store.recover("me")
        states = [
            await asyncio.to_thread(store.state_of_slot, slot)
            for slot in slots.values()
        ]
    assert states == [None, RunState.FINISHED]
