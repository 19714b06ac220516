"""What becomes of runs while their store cannot be written, and after that."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from needs import skip_or_fail
from probes import WHOLE, Act, checkpoint
from processes import until
from services import postgres_schema
from store_records import owed, rows, run, states
from truthound.checkpoint import CheckpointPool, CheckpointResult
from truthound.errors import StoreError
from truthound.store import Store
from truthound.store import _engine as engine_module

FULL = sqlite3.OperationalError("database or disk is full")
BACKEND = text("SELECT pg_backend_pid()")
READ_ONLY = sqlite3.OperationalError("attempt to write a readonly database")


class Faulty(Store):
    """A store that fails from its nth transaction on, so many times.

    Args:
        at: from 1.
        times: how often.
        error: what is raised.
        late: raise when the transaction has written, not before.
    """

    def __init__(
        self, place: str, at: int, times: int, error: Exception, late: bool
    ) -> None:
        super().__init__(place)
        self.number = 0
        self._at, self._times, self._error, self._late = at, times, error, late

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Any]:
        self.number += 1
        fails = self._at <= self.number < self._at + self._times
        if fails and not self._late:
            raise self._error
        with super()._transaction() as connection:
            yield connection
            if fails:
                raise self._error


async def scenario(store: Store, errors: list[Any]) -> list[CheckpointResult]:
    """Five checkpoints with two actions each, one of which fails."""
    made = [
        checkpoint(
            f"c{n}",
            WHOLE,
            actions=[
                Act("one", 0.01),
                Act("two", ends_as=OSError("down") if n == 3 else "success"),
            ],
        )
        for n in range(5)
    ]
    async with CheckpointPool(2, None, errors.append, store=store) as pool:
        return await pool.submit_many(made)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    from truthound.store import _writer

    monkeypatch.setattr(_writer, "AGAIN", 0.02)
    monkeypatch.setattr(engine_module, "PATIENCE", 0.05)


async def written(store: Store) -> None:
    """Wait until nothing waits any more."""
    writer: Any = store._writer
    await until(lambda: not writer.waiting)


def check_whole(store: Store, results: list[CheckpointResult]) -> None:
    """Every run has exactly one end and its result, and owes what failed."""
    assert len(results) == 5
    assert {str(r.status) for r in results} == {"success"}
    with store:
        assert states(store) == {r.run_id: "finished" for r in results}
        assert rows(store, "SELECT count(*) FROM results") == [(5,)]
        notices = owed(store)
        failing = next(r.run_id for r in results if r.checkpoint_name == "c3")
        assert len(notices) == 10
        for (run_id, position), state in notices.items():
            expected = "owed" if (run_id, position) == (failing, 1) else "delivered"
            assert state == expected, (run_id, position)
        if store.path:
            assert rows(store, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("error", [FULL, READ_ONLY], ids=["full", "read-only"])
async def test_failing_at_each_transaction_nothing_is_lost(
    error: Exception, late: bool
) -> None:
    at, is_through = 0, False
    while not is_through:
        at += 1
        store, errors = Faulty(f"s{at}.db", at, 2, error, late), []
        try:
            async with store:
                results = await scenario(store, errors)
                await written(store)
        except StoreError as refused:  # it could not begin: nothing has run
            assert str(error) in str(refused)
            assert at <= 2
            continue
        is_through = store.number < at
        told = [e for e in errors if isinstance(e, StoreError)]
        if not is_through and store.number > at + 2:
            assert all(str(error) in str(e) for e in told)
        await asyncio.to_thread(check_whole, Store(f"s{at}.db"), results)
    assert at > 5


async def test_who_waits_is_told_and_the_write_follows() -> None:
    store = Faulty("s.db", 1, 3, FULL, late=False)
    async with store:
        with pytest.raises(StoreError, match="disk is full"):
            await store.accept([run()])
        for _ in range(500):
            if await asyncio.to_thread(states, store):
                break
            await asyncio.sleep(0.01)
        assert await asyncio.to_thread(states, store) == {"r": "accepted"}


async def test_what_could_not_be_written_in_the_end_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Faulty("s.db", 1, 10**6, FULL, late=False)
    async with store:
        with pytest.raises(StoreError, match="disk is full"):
            await store.accept([run()])
    assert "1 writes are lost" in caplog.text


async def test_one_bad_write_costs_no_other_at_the_last_try(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from truthound.store import _writer

    monkeypatch.setattr(_writer, "AGAIN", 60)
    made = [run("a"), run("a"), run("b")]  # the second is there already
    async with Faulty("s.db", 1, 1, FULL, late=False) as store:
        told = await asyncio.gather(
            *(store.accept([one]) for one in made), return_exceptions=True
        )
        assert [type(error) for error in told] == [StoreError] * 3
    assert "writes are lost" not in caplog.text
    async with Store("s.db") as again:
        assert set(await asyncio.to_thread(states, again)) == {"a", "b"}


async def test_a_checkpoint_alone_runs_although_nothing_can_be_written() -> None:
    acted = Act("one")
    store = Faulty("s.db", 1, 10**6, FULL, late=False)
    result = await checkpoint("c", WHOLE, actions=[acted], store=store).run_async()
    assert str(result.status) == "success"
    assert acted.watched.ended == ["one"]


async def test_a_database_that_another_holds_is_waited_for() -> None:
    errors: list[Any] = []
    async with Store("s.db") as store:
        holder = sqlite3.connect("s.db", isolation_level=None, check_same_thread=False)
        holder.execute("BEGIN IMMEDIATE")
        pool = CheckpointPool(2, None, errors.append, store=store)
        starting = asyncio.ensure_future(pool.start())
        with pytest.raises(StoreError, match="locked"):
            await starting
        holder.execute("ROLLBACK")
        await asyncio.sleep(0.03)  # what has just failed is not tried at once
        async with pool:
            running = asyncio.ensure_future(pool.submit(checkpoint("c", WHOLE)))
            holder.execute("BEGIN IMMEDIATE")
            result = await running
            assert str(result.status) == "success"
            assert any("locked" in str(e) for e in errors)
            holder.execute("ROLLBACK")
            holder.close()
        await written(store)
        assert await asyncio.to_thread(states, store) == {result.run_id: "finished"}


# ---------------------------------------------------------------- a real file system


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """Mount a file system of a megabyte."""
    folder = Path("small").absolute()
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "truthound", str(folder)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True).returncode:
        skip_or_fail("cannot mount a small file system here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_on_a_full_disk_runs_go_on_and_are_written_when_there_is_room(
    small_disk: Path,
) -> None:
    store, errors = Store(small_disk / "s.db"), []
    async with store:
        filler = small_disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 4096)
        running = asyncio.ensure_future(scenario(store, errors))
        # The first page may still find room; then the pool cannot even begin.
        try:
            results = await running
        except StoreError as error:
            assert re.search("full|I/O", str(error))
            filler.unlink()
            await asyncio.sleep(0.03)
            results = await scenario(store, errors)
        filler.unlink(missing_ok=True)
        await written(store)
    await asyncio.to_thread(check_whole, Store(small_disk / "s.db"), results)


async def test_on_a_disk_that_becomes_read_only_runs_go_on(small_disk: Path) -> None:
    def mounted(mode: str) -> bool:
        remount = ["mount", "-o", f"remount,{mode}", str(small_disk)]
        return not subprocess.run(remount, capture_output=True).returncode

    place = small_disk / "s.db"
    async with Store(place):
        pass
    assert mounted("ro")
    with pytest.raises(StoreError, match="must be there and be writable") as caught:
        await asyncio.to_thread(Store(place).open)
    assert str(place) in str(caught.value)
    result = await checkpoint("c", WHOLE, store=place).run_async()
    assert str(result.status) == "success"
    assert mounted("rw")
    await checkpoint("c", WHOLE, store=place).run_async()
    async with Store(place) as store:
        assert len(await asyncio.to_thread(states, store)) == 1


# ------------------------------------------------------------------------- PostgreSQL


@pytest.mark.timeout(60)
async def test_a_server_that_cuts_the_connection_loses_nothing() -> None:
    with postgres_schema() as url:
        store, errors, results = Store(url), [], []
        async with store:
            for n in range(30):
                if n > 5 and results:
                    break
                running = asyncio.ensure_future(scenario(store, errors))
                await asyncio.sleep(0.02 * n)
                with contextlib.suppress(StoreError):  # it was just cut off
                    await asyncio.to_thread(cut_off, url, await writer_of(store))
                with contextlib.suppress(StoreError):  # it could not begin
                    results += await running
                with contextlib.suppress(StoreError):  # the lost connection is noticed
                    await writer_of(store)
                await asyncio.sleep(0.05)
            await written(store)
            found = await asyncio.to_thread(states, store)
            assert {r.run_id: "finished" for r in results}.items() <= found.items()
            assert results
            notices = await asyncio.to_thread(owed, store)
            done = [s for (r, _), s in notices.items() if found[r] == "finished"]
            assert set(done) <= {"delivered", "owed"}
            assert len(notices) == 2 * len(results)


QUESTIONS: dict[str, Any] = {
    "accept": lambda store: store.accept([run("r")]),
    "claim": lambda store: store.claim("me", ["rides"]),
    "recover": lambda store: store.recover("me"),
    "register": lambda store: store.register("me"),
    "cursor": lambda store: store.set_cursor("c", 1),
    "read": lambda store: asyncio.to_thread(states, store),
}


async def test_connections_that_the_server_ended_while_idle_are_replaced() -> None:
    with postgres_schema() as url:
        async with Store(url) as store:
            for name, question in QUESTIONS.items():
                await asyncio.to_thread(cut_off, url, *await pids_of(store))
                await question(store)  # it does not fail
                assert not store._writer._failure, name  # type: ignore[union-attr]
            assert await asyncio.to_thread(states, store) == {"r": "interrupted"}


async def test_a_server_that_ends_every_connection_is_an_outage() -> None:
    """It is tried once more, not for ever."""
    with postgres_schema() as url:
        async with Store(url) as store:
            pids = []

            def ask(connection: Any) -> None:
                pids.append(connection.scalar(BACKEND))
                cut_off(url, pids[-1])
                connection.scalar(BACKEND)

            with pytest.raises(StoreError, match="terminating connection"):
                await store._call(ask)
            assert len(set(pids)) == 2
            await asyncio.sleep(0.03)
            await store.accept([run("r")])


async def pids_of(store: Store) -> list[int]:
    """Return the server's processes that the store is connected to."""

    def reader() -> int:
        with store.reading() as connection:
            return int(connection.scalar(BACKEND) or 0)

    return [await writer_of(store), await asyncio.to_thread(reader)]


def cut_off(url: str, *pids: int) -> None:
    """End some of the server's processes, and wait until they have."""
    with psycopg.connect(url, autocommit=True) as connection:
        for pid in pids:
            connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


async def writer_of(store: Store) -> int:
    """Return the server's process that the writer is connected to."""
    found: int = await store._call(lambda connection: connection.scalar(BACKEND))
    return found
