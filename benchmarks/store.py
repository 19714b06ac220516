"""The store: what writing everything down costs.

Load: 5,000 in-memory checkpoints (100 rows, one validator) through a pool of ten, with
the SQLite store and without; 50,000 run documents of about 1.4 kB, each accepted and
ended with its result, through the writer's groups and through sqlite3 itself with the
same tables, indexes, statements a row and rows a commit; one run after the other.
PostgreSQL beside it, if ``TRUTHOUND_TEST_POSTGRES_URL`` or the local server answers.

Machine: the one it runs on. Comparison: the same without a store, bare sqlite3, or a
limit; in turns, medians of the rounds. Trust the ratios; the one number of documents a
second is this machine's.

    python benchmarks/store.py
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from msgspec.json import encode
from sqlalchemy import create_engine, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateIndex, CreateTable

from _rounds import line
from truthound.checkpoint import Checkpoint, CheckpointPool
from truthound.store import Outcome, RunRecord, RunState, Store
from truthound.store._tables import metadata

FRAME = pl.DataFrame({"id": range(100), "fare": [n * 0.5 for n in range(100)]})
RUNS = 5_000
DOCUMENTS = 50_000
A_GROUP = 100  # runs that are accepted together
AT_ONCE = 5  # groups under way
ROUNDS = 5
POSTGRESQL = os.environ.get(
    "TRUTHOUND_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/test"
)


def on_against_off(folder: Path, server: str | None) -> None:
    print(f"{RUNS:,} in-memory runs, ten at once; ratio to the same without a store")

    def made() -> list[Checkpoint]:
        return [
            Checkpoint(f"c{n}", data_source=FRAME, validators=["null"])
            for n in range(RUNS)
        ]

    async def run(checkpoints: list[Checkpoint], store: Any) -> None:
        async with CheckpointPool(10, store=store) as pool:
            results = await pool.submit_many(checkpoints)
            assert all(result.success for result in results)

    ways: dict[str, Any] = {"off": False, "SQLite": folder / "runs.db"}
    if server is not None:
        ways["PostgreSQL"] = server
    kept = made()
    for kind in ("new ones", "that have run before"):
        spent: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(ROUNDS + 1):
            for name, store in ways.items():
                checkpoints = made() if kind == "new ones" else kept
                gc.collect()
                begun = time.perf_counter()
                asyncio.run(run(checkpoints, store))
                if number:  # the first round warms up
                    spent[name].append(time.perf_counter() - begun)
        median = {name: statistics.median(times) for name, times in spent.items()}
        line(f"SQLite, {kind}", median["SQLite"] / median["off"], 1.5)
        if "PostgreSQL" in median:
            line(f"PostgreSQL, {kind}", median["PostgreSQL"] / median["off"])
    connection = sqlite3.connect(folder / "runs.db")
    (found,) = connection.execute(
        "SELECT count(*) FROM runs JOIN results USING (seq) "
        "WHERE state = 'finished' AND status = 'success'"
    ).fetchone()
    connection.close()
    assert found == 2 * RUNS * (ROUNDS + 1), found


def group_commit(folder: Path) -> None:
    print(f"{DOCUMENTS:,} run documents, {A_GROUP} a group; ratio of sqlite3 to ours")
    result = Checkpoint("c", data_source=FRAME, validators=["null"]).run().to_dict()
    ours, bare = [], []
    for number in range(ROUNDS):
        ids = [f"c_20261129_071730_{n * 0x9E3779B1:016x}" for n in range(DOCUMENTS)]
        bare.append(raw(folder / f"raw{number}.db", ids, result))
        ours.append(asyncio.run(grouped(folder / f"ours{number}.db", ids, result)))
    line("sqlite3 / ours", statistics.median(bare) / statistics.median(ours))
    share = statistics.median(bare) / statistics.median(ours)
    rate = DOCUMENTS / statistics.median(ours)
    told = "" if share >= 0.75 and rate >= 15_000 else "  MISSED"
    print(
        f"  {rate:,.0f} documents a second (at least 15,000), {share:.2f} of sqlite3's "
        f"{DOCUMENTS / statistics.median(bare):,.0f} (at least 0.75){told}"
    )


async def grouped(path: Path, ids: list[str], result: dict[str, Any]) -> float:
    """Return the seconds that a store takes for runs that come a group at a time."""
    now = datetime.now(UTC)
    outcome = Outcome(
        status="success",
        source="DataFrame",
        summary="c: success: 2 of 2 checks passed on DataFrame (100 rows)",
        duration_ms=1.0,
        row_count=100,
        metrics={"rows": 100},
        document=lambda: result,
    )

    def one(store: Store, run_id: str) -> Any:
        store.begin(run_id, 1, "me", now)
        return store.end(run_id, 1, "me", RunState.FINISHED, now, outcome)

    async def one_group(store: Store, some: list[str]) -> None:
        await store.accept(
            [
                RunRecord(
                    run_id=run_id,
                    checkpoint="c",
                    state=RunState.ACCEPTED,
                    owner="me",
                    accepted_at=now,
                )
                for run_id in some
            ]
        )
        assert all(await asyncio.gather(*(one(store, i) for i in some)))

    async with Store(path) as store:
        gc.collect()
        begun = time.perf_counter()
        under_way: set[asyncio.Task[None]] = set()
        for start in range(0, len(ids), A_GROUP):
            some = ids[start : start + A_GROUP]
            under_way.add(asyncio.create_task(one_group(store, some)))
            while len(under_way) >= AT_ONCE:
                _, under_way = await asyncio.wait(
                    under_way, return_when=asyncio.FIRST_COMPLETED
                )
        await asyncio.gather(*under_way)
        return time.perf_counter() - begun


def raw(path: Path, ids: list[str], result: dict[str, Any]) -> float:
    """Return the seconds that sqlite3 takes for the same rows."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    for table in metadata.sorted_tables:
        connection.execute(str(CreateTable(table).compile(dialect=sqlite.dialect())))
        for index in table.indexes:
            made = CreateIndex(index).compile(dialect=sqlite.dialect())
            connection.execute(str(made))
    gc.collect()
    begun = time.perf_counter()
    seq = 0
    for start in range(0, len(ids), A_GROUP):
        some = ids[start : start + A_GROUP]
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO runs (run_id, checkpoint, state, owner, attempt, accepted_at) "
            "VALUES (?, 'c', 'accepted', 'me', 1, 1)",
            [(run_id,) for run_id in some],
        )
        connection.execute("COMMIT")
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO results (seq, metrics, document) VALUES (?, ?, ?)",
            [
                (n, '{"rows":100}', encode(result).decode())
                for n in range(seq + 1, seq + len(some) + 1)
            ],
        )
        connection.executemany(
            "UPDATE runs SET state = 'finished', status = 'success', began_at = 1, "
            "ended_at = 1, source = 'DataFrame', duration_ms = 1.0, row_count = 100, "
            "summary = 'c: success: 2 of 2 checks passed on DataFrame (100 rows)' "
            "WHERE run_id = ? AND attempt = 1 AND owner = 'me' "
            "AND state IN ('accepted', 'running')",
            [(run_id,) for run_id in some],
        )
        connection.execute("COMMIT")
        seq += len(some)
    seconds = time.perf_counter() - begun
    connection.close()
    return seconds


def one_by_one(folder: Path) -> None:
    print("one run after the other, each waited for; ratio to the same without a store")
    checkpoint = Checkpoint("c", data_source=FRAME, validators=["null"])

    async def run(store: Any) -> float:
        async with CheckpointPool(1, store=store) as pool:
            begun = time.perf_counter()
            for _ in range(1_000):
                await pool.submit(checkpoint)
            return time.perf_counter() - begun

    off, on = [], []
    for _ in range(ROUNDS):
        off.append(asyncio.run(run(False)))
        on.append(asyncio.run(run(folder / "one.db")))
    line("SQLite", statistics.median(on) / statistics.median(off))
    print(f"  {statistics.median(on):.2f} ms a run with it")


@contextlib.contextmanager
def schema_of_its_own() -> Iterator[str | None]:
    """Yield the address of an empty schema, dropped at the end; None: no server."""
    address = POSTGRESQL.replace("postgresql://", "postgresql+psycopg://")
    name = f"truthound_bench_{os.getpid()}"
    engine = create_engine(address, connect_args={"connect_timeout": 2})
    try:
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {name}"))
    except DBAPIError:  # nobody answers
        yield None
        return
    try:
        yield f"{POSTGRESQL}?options=-csearch_path%3D{name}"
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
        engine.dispose()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, schema_of_its_own() as server:
        group_commit(Path(folder))
        on_against_off(Path(folder), server)
        one_by_one(Path(folder))


if __name__ == "__main__":
    main()
