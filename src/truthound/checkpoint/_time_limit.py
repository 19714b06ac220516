"""The time limit of a validation, which counts while it has a thread."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any


class TimeLimit:
    """Cancels the ``async with`` block when its work took too long.

    What it waits for before that, such as a free thread, is not its fault and does not
    count.

    Args:
        seconds: 0 for no limit.
        at_once: let all the time in the block count.
    """

    def __init__(self, seconds: float, *, at_once: bool = False) -> None:
        self._left = seconds
        self._has_limit = seconds > 0 and not at_once
        self._since: float | None = None
        self._timeout = asyncio.timeout(seconds if at_once and seconds else None)
        self._is_open = False

    async def __aenter__(self) -> TimeLimit:
        self._is_open = True
        self._loop = asyncio.get_running_loop()
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_open = False
        await self._timeout.__aexit__(kind, error, trace)

    def is_over(self) -> bool:
        """Tell whether it has cancelled the block."""
        return self._timeout.expired()

    @contextlib.contextmanager
    def counting(self) -> Iterator[None]:
        """Let the time in the block count."""
        self._begin()
        try:
            yield
        finally:
            self._pause()

    def counted(self, work: Callable[[], Any]) -> Callable[[], Any]:
        """Return work for a thread, whose time counts from when it has one."""
        if not self._has_limit:
            return work

        def begun() -> Any:
            self._tell(self._begin)
            try:
                return work()
            finally:
                self._tell(self._pause)

        return begun

    def _tell(self, what: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(what)

    def _begin(self) -> None:
        if self._has_limit and self._is_active():
            self._since = self._loop.time()
            self._timeout.reschedule(self._since + max(0.0, self._left))

    def _pause(self) -> None:
        if self._since is not None and self._is_active():
            self._left -= self._loop.time() - self._since
            self._since = None
            self._timeout.reschedule(None)

    def _is_active(self) -> bool:
        # What a thread tells may come when the block has been left.
        return self._is_open and not self._timeout.expired()
