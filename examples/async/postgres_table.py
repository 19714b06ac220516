"""Rows of a PostgreSQL table start checks, as soon as their transaction is over.

    pip install 'truthound-async[postgres]'
    python examples/async/postgres_table.py [postgresql://localhost/test]

It needs a PostgreSQL. The table is one of its own, and is dropped in the end.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import tempfile
from pathlib import Path

import polars as pl
import psycopg
from psycopg import sql

from truthound.checkpoint import AsyncCheckpointRunner, Checkpoint
from truthound.checkpoint.triggers import PostgresNotifyTrigger

URL = "postgresql://localhost/test"


async def checked(runner: AsyncCheckpointRunner, loads: Loads) -> None:
    """Check what was loaded before, and load something else meanwhile."""
    async with runner:
        (result,) = await runner.get_results_async(timeout=20)
        print(f"{result.metadata['message']['body']['file']}: {result.status}")
        await loads.load("tuesday.csv")
        print("loaded tuesday.csv")
        (result,) = await runner.get_results_async(timeout=20)
        print(f"{result.metadata['message']['body']['file']}: {result.status}")


class Loads:
    """The table into which a loader writes what it has loaded."""

    def __init__(self, link: psycopg.AsyncConnection, name: str) -> None:
        self.link, self.name = link, name
        self.table = sql.Identifier(name)

    async def __aenter__(self) -> Loads:
        await self.link.execute(PostgresNotifyTrigger.schema(self.name, "loaded"))
        return self

    async def __aexit__(self, *_: object) -> None:
        drop = sql.SQL("DROP TABLE {}; DROP FUNCTION {}")
        function = sql.Identifier(f"{self.name}_notify")
        await self.link.execute(drop.format(self.table, function))

    async def load(self, file: str) -> None:
        """Load a file, and say so in the same transaction."""
        insert = sql.SQL("INSERT INTO {} (body) VALUES (%s)").format(self.table)
        async with self.link.transaction():
            await self.link.execute(insert, [json.dumps({"file": file})])

    async def tell(self) -> None:
        """Print what became of the rows."""
        select = sql.SQL("SELECT id, state, attempts FROM {} ORDER BY id")
        rows = await self.link.execute(select.format(self.table))
        async for number, state, attempts in rows:
            print(f"row {number}: {state} after {attempts} attempt")


async def main(url: str, folder: Path) -> None:
    """Load something twice: before the runner starts, and while it runs."""
    name = f"loaded_{secrets.token_hex(4)}"
    orders = Checkpoint(
        "orders",
        data_source=pl.DataFrame({"id": [1, 2, 3]}),
        validators=["null"],
        triggers=[PostgresNotifyTrigger(url=url, channels="loaded", table=name)],
    )
    runner = AsyncCheckpointRunner(store=str(folder / "runs.db"), error_callback=print)
    runner.add_checkpoint(orders)
    link = await psycopg.AsyncConnection.connect(url, autocommit=True)
    async with link, Loads(link, name) as loads:
        await loads.load("monday.csv")
        await checked(runner, loads)
        await loads.tell()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        asyncio.run(main(sys.argv[1] if sys.argv[1:] else URL, Path(place)))
