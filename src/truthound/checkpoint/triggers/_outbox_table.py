"""A table of PostgreSQL whose rows are messages."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from truthound.async_core._tasks import undisturbed
from truthound.checkpoint.triggers._links import digest_of
from truthound.checkpoint.triggers.messages import Received
from truthound.errors import ConfigurationError

# Its columns; there may be others.
COLUMNS = {"id", "body", "headers", "state", "attempts", "due_at", "why", "changed_at"}

SCHEMA = """\
CREATE TABLE {table} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    body text NOT NULL,
    headers jsonb NOT NULL DEFAULT '{{}}',
    state text NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'done', 'dead')),
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    why text,
    changed_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON {table} (id) WHERE state = 'waiting';
CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN PERFORM pg_notify({channel}, ''); RETURN NULL; END$$;
CREATE TRIGGER {trigger} AFTER INSERT ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION {function}();
"""

# A row is taken with the advisory lock of its number, which is there as long as the
# connection: when the process dies or the connection is lost, others can take it. The
# attempt is written down before the run begins, so that one that kills its process is
# counted, too.
TAKE = """
WITH found AS MATERIALIZED (
    SELECT id FROM {table}
    WHERE state = 'waiting' AND due_at <= now() AND id <> ALL(%(held)s)
        AND NOT EXISTS (
            SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted
                AND objsubid = 2 AND pid <> pg_backend_pid()
                AND database = (
                    SELECT oid FROM pg_database WHERE datname = current_database()
                )
                AND classid = %(space)s::bigint::oid
                AND objid = (id & 4294967295)::oid
        )
    ORDER BY id LIMIT %(most)s FOR UPDATE SKIP LOCKED
), locked AS MATERIALIZED (
    SELECT id FROM found WHERE pg_try_advisory_lock(%(key)s, {low})
)
UPDATE {table} AS rows SET attempts = attempts + 1, changed_at = now()
FROM locked WHERE rows.id = locked.id
RETURNING rows.id, rows.body, rows.headers, rows.attempts, {birth}
"""
# The lower half of a row's number, as a signed integer.
LOW = "(id << 32 >> 32)::integer"
UNLOCK = f"SELECT pg_advisory_unlock(%(key)s, {LOW}) FROM unnest(%(ids)s::bigint[]) id"
NEXT = """
SELECT extract(epoch FROM min(due_at) - now())::float8 FROM {table}
WHERE state = 'waiting' AND due_at > now()
"""
KNOWN = """
SELECT attname, atttypid::regtype::text FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0
"""
# When a row was made, alike whatever the time zone of the connection: a table that is
# emptied may count from 1 again.
BIRTH = "extract(epoch FROM rows.created_at)::text"


class OutboxTable:
    """Takes the rows of a table by a connection, and marks what became of them.

    Args:
        library: psycopg.
        link: the connection, for this alone.
        name: of the table, with or without that of a schema.
        is_deleted: rows that are done with are deleted, not marked.
    """

    def __init__(self, library: Any, link: Any, name: str, *, is_deleted: bool) -> None:
        self._library = library
        self._link = link
        self._name = name
        self._is_deleted = is_deleted
        self._table = library.sql.Identifier(*name.split("."))
        self._held: set[int] = set()
        self._left: deque[Received] = deque()
        self._birth = "NULL"
        self._key = 0  # of the advisory locks: the number of the table

    @staticmethod
    def schema(name: str, channel: str) -> str:
        """Return the SQL that makes such a table."""
        parts = [_quoted(part) for part in name.split(".")]
        last = name.split(".")[-1]
        function = [*parts[:-1], _quoted(f"{last}_notify")]
        return SCHEMA.format(
            table=".".join(parts),
            function=".".join(function),
            trigger=_quoted(f"{last}_notify"),
            channel="'" + channel.replace("'", "''") + "'",
        )

    async def look(self) -> None:
        """See that the table is there, and has the columns.

        Raises:
            ConfigurationError: it is not, or has not.
        """
        name = self._table.as_string(self._link)
        cursor = await self._link.execute("SELECT to_regclass(%s)::oid", [name])
        found = (await cursor.fetchone())[0]
        if found is None:
            raise ConfigurationError(
                f"table: there is no {self._name}; PostgresNotifyTrigger.schema() "
                "returns the SQL for it"
            )
        cursor = await self._link.execute(KNOWN, [name])
        known = dict(await cursor.fetchall())
        if known.get("created_at", "").startswith("timestamp"):
            self._birth = BIRTH
        if missing := sorted(COLUMNS - set(known)):
            raise ConfigurationError(
                f"table: {self._name} has no column {', '.join(missing)}; "
                "PostgresNotifyTrigger.schema() returns the SQL for it"
            )
        self._key = found if found < 2**31 else found - 2**32

    async def taken(self, most: int) -> list[Received]:
        """Return rows that are due, the oldest first; nobody else gets them now.

        What is taken when it is cancelled is returned the next time.
        """
        if not self._left:
            await undisturbed(self._take(most))
        number = min(most, len(self._left))
        return [self._left.popleft() for _ in range(number)]

    async def _take(self, most: int) -> None:
        cursor = await self._execute(
            TAKE,
            held=list(self._held),
            space=self._key % 2**32,
            key=self._key,
            most=most,
        )
        rows = sorted(await cursor.fetchall(), key=itemgetter(0))
        self._held.update(row[0] for row in rows)
        self._left.extend(self._received(*row) for row in rows)

    def _received(
        self, number: int, body: Any, headers: Any, attempt: int, birth: str | None
    ) -> Received:
        told, said = headers if isinstance(headers, dict) else {}, _bytes(body)
        return Received(
            id=str(number),
            body=said,
            place=self._name,
            headers={str(key): str(value) for key, value in told.items()},
            attempt=attempt,
            raw=(number, birth or digest_of(said)),
        )

    async def next_due(self) -> float:
        """Return the seconds until a row is due that was given back."""
        cursor = await self._execute(NEXT)
        found = (await cursor.fetchone())[0]
        return float("inf") if found is None else max(0.01, found)

    async def done(self, ids: Sequence[int]) -> None:
        """Mark or delete rows that are done with."""
        if self._is_deleted:
            await self._settle("DELETE FROM {table}", ids)
        else:
            await self._settle("UPDATE {table} SET state = 'done', why = NULL", ids)

    async def give_back(self, ids: Sequence[int], delay: float) -> None:
        """Let rows be taken again after so many seconds."""
        due = "UPDATE {table} SET due_at = now() + make_interval(secs => %(delay)s)"
        await self._settle(due, ids, delay=delay)

    async def bury(self, number: int, why: str) -> None:
        """Mark a row as dead."""
        dead = "UPDATE {table} SET state = 'dead', why = %(why)s"
        await self._settle(dead, [number], why=why.replace("\0", ""))

    async def _settle(self, change: str, ids: Sequence[int], **values: Any) -> None:
        """Change rows, and let go of them."""
        if change.startswith("UPDATE"):
            change += ", changed_at = now()"
        change += " WHERE id = ANY(%(ids)s) AND state = 'waiting'"
        await self._execute(change, ids=list(ids), **values)
        ours = [number for number in ids if number in self._held]
        self._held.difference_update(ours)
        await self._link.execute(UNLOCK, {"key": self._key, "ids": ours})

    async def _execute(self, statement: str, **values: Any) -> Any:
        sql = self._library.sql
        parts = {"low": sql.SQL(LOW), "birth": sql.SQL(self._birth)}
        query = sql.SQL(statement).format(table=self._table, **parts)
        return await self._link.execute(query, values)


def _bytes(body: Any) -> bytes:
    """Return what a column of text, bytea or json holds."""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, (bytes, memoryview)):
        return bytes(body)
    return json.dumps(body).encode()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
