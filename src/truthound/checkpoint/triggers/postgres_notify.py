"""``PostgresNotifyTrigger``: when a PostgreSQL server notifies, or a table has rows."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from truthound.async_core._limit import check_seconds
from truthound.async_core._tasks import stop
from truthound.checkpoint.triggers._links import Inbox, apart, texts, translated
from truthound.checkpoint.triggers._outbox_table import OutboxTable
from truthound.checkpoint.triggers.messages import (
    MessageConfig,
    MessageTrigger,
    Received,
    check_text,
    checked_address,
    needed,
)
from truthound.errors import ConfigurationError
from truthound.secrets import Secret

SCHEMES = ("postgresql", "postgres")
CONNECT = 10  # seconds
DEAD = ".dead"
LONGEST_CHANNEL = 63  # bytes, says PostgreSQL
LONGEST_PAYLOAD = 7_999  # bytes, says PostgreSQL
LONGEST_REASON = 1_000  # characters
LOST = "the connection was lost"


@dataclass
class PostgresNotifyConfig(MessageConfig):
    """Options of a :class:`PostgresNotifyTrigger`.

    Attributes:
        channels: to be listened to.
        url: of the database, ``postgresql://user:password@host/name``; a secret, also
            as ``${NAME}``.
        table: whose rows are the messages, so that none is lost; see :meth:`schema
            <PostgresNotifyTrigger.schema>`. None: the notifications themselves are.
        delete_done: rows are deleted when they are done with, not marked.
        poll_seconds: between two looks at the table when nobody notifies.
    """

    channels: str | Sequence[str] = ()
    url: Secret | str = "postgresql://localhost"
    table: str | None = None
    delete_done: bool = False
    poll_seconds: float = 30.0

    def check(self) -> None:
        super().check()
        self.channels = texts("channels", self.channels, missing="give one or more")
        longest = LONGEST_CHANNEL - len(DEAD)
        for channel in self.channels:
            if len(channel.encode()) > longest:
                raise ConfigurationError(
                    f"channels: {channel!r} is longer than {longest} bytes"
                )
        self.url = checked_address(self.url, SCHEMES)
        check_seconds("poll_seconds", self.poll_seconds)
        if self.table is not None:
            check_text("table", self.table)
            if self.dead_letter is not None:
                raise ConfigurationError(
                    "dead_letter is for notifications; the dead rows of a table stay "
                    "in it, with the state 'dead'"
                )
        elif self.delete_done:
            raise ConfigurationError("delete_done is for a table; give it, too")


class PostgresNotifyTrigger(MessageTrigger[PostgresNotifyConfig]):
    """Runs when something is sent with ``NOTIFY``, or for each row of a table.

    PostgreSQL keeps no notification for who does not listen: what is sent while the
    connection is down never comes, and what was received is lost with the process.
    With ``table`` a notification only says that there are rows: those are read at the
    start, at each notification and after each reconnection, and marked when the run is
    over.

    Example:
        >>> PostgresNotifyTrigger(channels="rides", url="postgresql://me:pw@db/x").url
        Secret(***)
    """

    trigger_type: str = "postgres_notify"

    def __init__(
        self, config: PostgresNotifyConfig | None = None, **options: Any
    ) -> None:
        super().__init__(config, **options)
        self._inbox = Inbox()
        self._listening: Any = None  # a connection that does nothing else
        self._working: Any = None  # the other one
        self._watch: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._rows: OutboxTable | None = None

    @staticmethod
    def schema(table: str, channel: str) -> str:
        """Return the SQL that makes a table of messages which notifies of its rows.

        Args:
            table: its name, with or without that of a schema.
            channel: that is notified of each insertion.
        """
        return OutboxTable.schema(table, channel)

    def library(self) -> Any:
        with needed("psycopg", "postgres"):
            import psycopg
        return psycopg

    def source(self) -> str:
        return self._config.table or ", ".join(self._config.channels)

    async def connect(self) -> None:
        library, config = self.library(), self._config
        self._inbox.go_on()  # nobody else has what is in it
        address: Any = config.url
        options = {"autocommit": True, "connect_timeout": CONNECT, **ALIVE}
        with self._translated():
            for name in ("_listening", "_working"):
                link = await library.AsyncConnection.connect(
                    address.reveal(), application_name="truthound", **options
                )
                setattr(self, name, link)
            for channel in config.channels:
                name = library.sql.Identifier(channel)
                await self._listening.execute(library.sql.SQL("LISTEN {}").format(name))
            if config.table is not None:
                self._rows = OutboxTable(
                    library, self._working, config.table, is_deleted=config.delete_done
                )
                await self._rows.look()
        loop = asyncio.get_running_loop()
        self._watch = loop.create_task(self._listen(self._listening))

    async def receive(self, most: int) -> list[Received]:
        if self._config.table is None:
            found: list[Received] = await self._inbox.take(most)
            return found
        while True:
            self._inbox.check()
            self._news.clear()
            with self._translated():
                taken = await self._outbox().taken(most)
                if not taken:
                    due = await self._outbox().next_due()
                    # What has come to be due between the two is in neither of them.
                    taken = await self._outbox().taken(most)
                if taken:
                    return taken
                pause = min(self._config.poll_seconds, due)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._news.wait()

    def key(self, message: Received) -> str:
        if message.raw is None:
            return super().key(message)
        # With its birth: a table that was emptied may count from 1 again.
        return super().key(apart(message, message.raw[1]))

    async def acknowledge(self, messages: Sequence[Received]) -> None:
        if self._config.table is not None:
            with self._translated():
                await self._outbox().done([message.raw[0] for message in messages])

    async def give_back(self, messages: Sequence[Received], delay: float) -> None:
        if self._config.table is None:
            self._inbox.put_later(messages, delay)
            return
        numbers = [message.raw[0] for message in messages]
        with self._translated():
            await self._outbox().give_back(numbers, delay)
        self._news.set()

    async def bury(self, message: Received, why: str) -> None:
        if self._config.table is not None:
            with self._translated():
                await self._outbox().bury(message.raw[0], why[:LONGEST_REASON])
            return
        place = self._config.dead_letter or f"{message.place}{DEAD}"
        payload = message.body.decode("utf-8", "replace")
        told = json.dumps({"why": why[:LONGEST_REASON], "payload": payload})
        if len(told.encode()) > LONGEST_PAYLOAD:
            told = payload  # what it says is more than why
        if self._working is None:
            raise ConnectionError(LOST)
        link = self._working
        try:
            with self._translated():
                await link.execute("SELECT pg_notify(%s, %s)", [place, told])
        except ConnectionError as error:
            if link.closed and link is self._working:
                self._inbox.fail(error)  # both are made anew
            raise

    async def disconnect(self) -> None:
        self._rows = None
        watch, self._watch = self._watch, None
        links = [link for link in (self._listening, self._working) if link is not None]
        self._listening = self._working = None
        try:
            await stop([watch] if watch is not None else [])
        finally:
            for link in links:
                await link.close()

    def _on_stop(self) -> None:
        self._inbox.close()

    def _translated(self) -> contextlib.AbstractContextManager[None]:
        return translated(self.library().Error)

    def _outbox(self) -> OutboxTable:
        if self._rows is None:
            raise ConnectionError(LOST)
        return self._rows

    async def _listen(self, link: Any) -> None:
        """Take notifications until the connection is lost."""
        error: BaseException = ConnectionError("the server has ended the connection")
        try:
            async for notification in link.notifies():
                if self._config.table is None:
                    self._inbox.put(_received(notification))
                self._news.set()
        except self.library().Error as broken:
            error = broken
        self._inbox.fail(error)
        self._news.set()


# The operating system notices within a minute that the server is not there any more.
ALIVE = {
    "keepalives": 1,
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 4,
}


def _received(notification: Any) -> Received:
    return Received(
        id=uuid.uuid4().hex,  # two may say the same, and none comes a second time
        body=notification.payload.encode(),
        place=notification.channel,
        headers={"pid": str(notification.pid)},
    )
