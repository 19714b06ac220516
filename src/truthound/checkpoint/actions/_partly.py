"""Who has got a message, as long as not all of its recipients have."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from truthound.checkpoint._book import BOOK, MemoryBook
from truthound.errors import StoreError

logger: logging.Logger = logging.getLogger("truthound.checkpoint")

PARTLY = "partly sent|"  # before the name of a notification
KEPT = 100  # messages, the last ones


class Partly:
    """Keeps, by message, how it ended for each recipient for whom it has ended.

    In the store of the run if there is one, so that who has it does not get it again
    from another process; else in memory.

    Args:
        name: of the notification.
    """

    def __init__(self, name: str) -> None:
        self._name = f"{PARTLY}{name}"
        self._own = MemoryBook()

    async def ended(self, key: str) -> dict[str, str]:
        """Return why each was refused for good, by recipient; empty: they have it."""

        def look(plain: Any) -> tuple[Any, dict[str, str]]:
            return plain, dict(dict(plain or ()).get(key, {}))

        try:
            found: dict[str, str] = await self._book().change(self._name, look)
            return found
        except StoreError as error:
            logger.warning("%s: who has it is not known: %s", key, error)
            return {}

    async def keep(self, key: str, ended: Mapping[str, str]) -> None:
        """Keep for whom a message has ended; for nobody: forget it."""

        def change(plain: Any) -> tuple[Any, None]:
            others = [[k, v] for k, v in plain or () if k != key]
            one = [[key, dict(ended)]] if ended else []
            return [*others, *one][-KEPT:], None

        try:
            await self._book().change(self._name, change)
        except StoreError as error:
            logger.warning("%s: who has it is not kept: %s", key, error)

    def _book(self) -> MemoryBook:
        return BOOK.get() or self._own
