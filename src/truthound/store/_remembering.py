"""What a store keeps for triggers, notifications and sources that grow."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from truthound.store import _kept
from truthound.store._database import Database
from truthound.store._rows import as_json, as_text
from truthound.store.records import Part

if TYPE_CHECKING:
    from sqlalchemy import Connection


Change = Callable[[Any], tuple[Any, Any]]


class Remembering(Database):
    """Cursors and parts; see :class:`truthound.store.Store`."""

    def cursor(self, name: str) -> Any:
        """Return how far a trigger has come; None if it has not said. Blocks.

        Raises:
            StoreError: the store cannot be read.
        """
        with self.reading() as connection:
            return _kept.cursor(connection, as_text(name))

    async def set_cursor(self, name: str, value: Any) -> None:
        """Write down how far a trigger has come, as plain values.

        Raises:
            StoreError: the store cannot be written.
        """
        key, text, now = as_text(name), as_json(value), self.clock.now()
        await self._call(lambda c: _kept.set_cursor(c, key, text, now))

    async def change_cursor(self, name: str, change: Change) -> Any:
        """Change a cursor; nobody else does meanwhile, in any process.

        Args:
            name: of the cursor.
            change: gets its value, None if there is none; returns the next one, and
                what to answer. It is called on the store's own thread.

        Returns:
            The answer.

        Raises:
            StoreError: the store cannot be written.
        """
        return await self._call(self._changing(name, change))

    def change(self, name: str, change: Change) -> Any:
        """Change a cursor; as :meth:`change_cursor`. Blocks."""
        return self._do(self._changing(name, change))

    def _changing(self, name: str, change: Change) -> Callable[[Connection], Any]:
        key, now = as_text(name), self.clock.now()

        def work(connection: Connection) -> Any:
            before = _kept.cursor(connection, key, is_alone=True)
            value, answer = change(before)
            if value != before:
                _kept.set_cursor(connection, key, as_json(value), now)
            return answer

        return work

    def cursors(self, prefix: str) -> dict[str, Any]:
        """Return the cursors whose names begin so, by their names. Blocks.

        Raises:
            StoreError: the store cannot be read.
        """
        with self.reading() as connection:
            return _kept.cursors_of(connection, as_text(prefix))

    def load(self, source: str) -> list[Part]:
        """Return what is known of the files of a source that grows. Blocks.

        Raises:
            StoreError: the store cannot be read.
        """
        with self.reading() as connection:
            return _kept.parts(connection, as_text(source))

    def save(
        self, source: str, parts: Sequence[Part], removed: Collection[str] = ()
    ) -> None:
        """Keep what is known of some files of a source, and forget others. Blocks.

        Args:
            source: which.
            parts: the files, in place of what was known of them.
            removed: files that are not there any more.

        Raises:
            StoreError: the store cannot be written.
        """
        self._do(lambda c: _kept.save_parts(c, as_text(source), parts, removed))
