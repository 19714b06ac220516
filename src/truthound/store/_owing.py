"""What a store does for those who send what runs owe."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from truthound.store import _outbox
from truthound.store._database import Database
from truthound.store.records import Notice, NoticeState, Settled

if TYPE_CHECKING:
    from sqlalchemy import Connection

NOT_DELIVERED = (NoticeState.OWED, NoticeState.DEAD, NoticeState.DROPPED)


class Owing(Database):
    """The outbox of a store; see :class:`truthound.store.Store`."""

    async def claim(
        self,
        owner: str,
        checkpoints: Collection[str],
        *,
        limit: int = 50,
        only: _outbox.Selection | None = None,
    ) -> list[Notice]:
        """Take notifications that are due, to send them; nobody else gets them.

        Args:
            owner: who sends them.
            checkpoints: of which checkpoints.
            limit: how many at the most.
            only: of these run ids and positions.

        Raises:
            StoreError: the store cannot be read or written.
        """
        now = self.clock.now()

        def work(connection: Connection) -> list[Notice]:
            return _outbox.claim(
                connection, owner, now, checkpoints=checkpoints, limit=limit, only=only
            )

        found: list[Notice] = await self._call(work)
        return found

    async def settle(self, run_id: str, owner: str, settled: Settled) -> bool:
        """Write down what became of a try; False: somebody else has it now.

        Raises:
            StoreError: it cannot be written; it is kept, and written later.
        """
        writer = self._writer or await self._opening()
        row = _outbox.settle_row(run_id, owner, settled, self.clock.now())
        key = row["the_run"], row["the_position"]
        is_ours: bool = await writer.write(
            lambda: {"settled": [row]},
            lambda refused: key not in refused,
            asyncio.get_running_loop(),
        )
        return is_ours

    async def next_due(self, checkpoints: Collection[str]) -> datetime | None:
        """Return when the next notification is due; None: there is none.

        Raises:
            StoreError: the store cannot be read.
        """
        found: datetime | None = await self._call(
            lambda connection: _outbox.next_due(connection, checkpoints)
        )
        return found

    def retry_notices(
        self,
        selection: _outbox.Selection | None = None,
        states: Collection[NoticeState] = NOT_DELIVERED,
    ) -> int:
        """Make notifications owed and due, with all their tries before them. Blocks.

        Args:
            selection: run ids and positions; None: all in one of the states.
            states: in which they may be.

        Returns:
            How many there were.

        Raises:
            StoreError: the store cannot be written.
        """
        now = self.clock.now()
        return int(self._do(lambda c: _outbox.put_back(c, now, selection, states)))

    def drop_notices(
        self,
        selection: _outbox.Selection | None = None,
        states: Collection[NoticeState] = (NoticeState.OWED, NoticeState.DEAD),
    ) -> int:
        """Say of notifications that they need not be sent. Blocks.

        Args:
            selection: run ids and positions; None: all in one of the states.
            states: in which they may be.

        Returns:
            How many there were.

        Raises:
            StoreError: the store cannot be written.
        """
        now = self.clock.now()
        return int(self._do(lambda c: _outbox.drop(c, now, selection, states)))
