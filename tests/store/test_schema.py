"""The tables: as the migrations make them, from any release, and no newer one."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from services import postgres_schema
from store_records import GOOD, NOW, notice, owed, run, states
from truthound import store as store_package
from truthound.errors import StoreError
from truthound.store import Part, RunState, Store
from truthound.store._engine import make_engine, url_of
from truthound.store._opening import HEAD, _migrate
from truthound.store._tables import metadata

SCHEMAS = Path(__file__).parent / "schemas"
RELEASED = sorted(path.stem for path in SCHEMAS.glob("*.sql"))


def scripts() -> ScriptDirectory:
    config = Config()
    folder = Path(store_package.__file__).parent / "_migrations"
    config.set_main_option("script_location", str(folder))
    return ScriptDirectory.from_config(config)


def described(engine: Engine) -> dict[str, Any]:
    """Return what a database says of its tables."""
    found: dict[str, Any] = {}
    looking = inspect(engine)
    for table in set(looking.get_table_names()) - {"alembic_version"}:
        columns = {
            c["name"]: (str(c["type"]), c["nullable"], c["default"])
            for c in looking.get_columns(table)
        }
        indexes = sorted(
            (
                i["name"],
                i["column_names"],
                bool(i["unique"]),
                sorted(
                    (k, str(v)) for k, v in (i.get("dialect_options") or {}).items()
                ),
            )
            for i in looking.get_indexes(table)
        )
        unique = sorted(
            tuple(u["column_names"]) for u in looking.get_unique_constraints(table)
        )
        keys = looking.get_pk_constraint(table)["constrained_columns"]
        foreign = [
            (k["referred_table"], k["referred_columns"], k["options"])
            for k in looking.get_foreign_keys(table)
        ]
        found[table] = (columns, indexes, unique, keys, foreign)
    return found


def test_the_newest_migration_is_the_one_that_is_made() -> None:
    assert scripts().get_heads() == [HEAD]
    assert sorted(s.revision for s in scripts().walk_revisions()) == RELEASED


@pytest.mark.parametrize("kind", ["file", "postgres"])
def test_the_migrations_make_what_the_tables_say(kind: str) -> None:
    if kind == "postgres":
        with postgres_schema() as one, postgres_schema() as two:
            compare(one, two)
    else:
        compare("one.db", "two.db")


def compare(one: str, two: str) -> None:
    made, migrated = make_engine(url_of(one)), make_engine(url_of(two))
    try:
        with made.begin() as connection:
            metadata.create_all(connection)
        with migrated.begin() as connection:
            connection.execute(text("CREATE TABLE alembic_version (version_num text)"))
            _upgrade(connection, two)
        assert described(made) == described(migrated)
        assert set(described(made)) == set(metadata.tables)
    finally:
        made.dispose()
        migrated.dispose()


def _upgrade(connection: Any, place: str) -> None:
    """Let the store migrate from before the first version."""
    from alembic import command

    config = Config()
    folder = Path(store_package.__file__).parent / "_migrations"
    config.set_main_option("script_location", str(folder))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def accepted(store: Store) -> None:
    await store.accept([run("new")])


def dump(place: str) -> str:
    """Return a store of this release with a row in each table, as SQL."""

    async def fill(store: Store) -> None:
        await store.register("me")
        await store.accept([run(slot="noon", context={"n": 1}, trigger="cron")])
        store.begin("r", 1, "me", NOW)
        await store.found("r", 1, "me", GOOD, [notice()])
        await store.accept([run("done")])
        await store.end("done", 1, "me", RunState.FINISHED, NOW, GOOD)
        await store.set_cursor("c", [1])
        # Not this machine: the file is kept for others.
        there = text("UPDATE owners SET host = 'there', pid = 1, process = '1'")
        await store._call(lambda connection: connection.execute(there))

    with Store(place) as store:
        asyncio.run(fill(store))
        store.save("s", [Part(file="f", fingerprint="1", state=b"\0\1")])
        with closing(sqlite3.connect(place)) as connection:
            return "\n".join(connection.iterdump()) + "\n"


@pytest.mark.parametrize("version", RELEASED)
def test_a_store_of_each_release_keeps_its_rows(version: str) -> None:
    with closing(sqlite3.connect("s.db")) as connection:
        connection.executescript((SCHEMAS / f"{version}.sql").read_text("utf-8"))
    with Store("s.db") as store:
        assert states(store) == {"r": "running", "done": "finished"}
        assert owed(store) == {("r", 0): "sending"}
        assert store.cursor("c") == [1]
        assert store.load("s") == [Part(file="f", fingerprint="1", state=b"\0\1")]
        assert store.document("done")["status"] == "success"
        asyncio.run(accepted(store))
        assert states(store)["new"] == "accepted"
    engine, new = make_engine(url_of("s.db")), make_engine(url_of("new.db"))
    with new.begin() as connection:
        metadata.create_all(connection)
    assert described(engine) == described(new)


def test_a_store_of_this_release_is_kept_for_later_ones() -> None:
    """``TRUTHOUND_TEST_DUMP=1`` writes what is missing."""
    said = dump("s.db")
    path = SCHEMAS / f"{HEAD}.sql"
    if os.environ.get("TRUTHOUND_TEST_DUMP") == "1" and not path.exists():
        path.write_text(said, "utf-8")
    tables = sorted(line for line in said.splitlines() if line.startswith("CREATE "))
    kept = path.read_text("utf-8").splitlines()
    assert tables == sorted(line for line in kept if line.startswith("CREATE "))


@pytest.mark.parametrize("kind", ["file", "postgres"])
def test_a_store_of_a_newer_release_is_refused(kind: str) -> None:
    def check(place: str) -> None:
        with Store(place) as store:
            store._do(
                lambda c: c.execute(text("UPDATE alembic_version SET version_num='9'"))
            )
        with pytest.raises(StoreError, match=f"version 9, this one knows .*{HEAD}"):
            Store(place).open()

    if kind == "postgres":
        with postgres_schema() as url:
            check(url)
    else:
        check("s.db")


def test_migrating_names_what_it_does_not_know() -> None:
    engine = make_engine(url_of("sqlite://"))
    with engine.begin() as connection, pytest.raises(StoreError, match="newer release"):
        _migrate(connection, "here", "x")
    engine.dispose()
