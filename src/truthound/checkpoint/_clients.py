"""One HTTP client for the actions that run in a loop, as long as there are any."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from truthound.async_core._tasks import undisturbed

if TYPE_CHECKING:
    from truthound.async_core.http import AsyncHTTPClient

CONNECTIONS = 200  # at once, of all actions of a loop
HAS_AIOHTTP = find_spec("aiohttp") is not None
LARGEST = 2**20  # bytes of an answer; more says nothing to an action


class _Shared:
    """A client, made when it is first used, and how many hold on to it."""

    def __init__(self) -> None:
        self.holders = 0
        self._made: dict[bool, AsyncHTTPClient] = {}

    def client(self, *, verify: bool = True) -> AsyncHTTPClient:
        """Return the client; another one if servers are not asked who they are."""
        made = self._made.get(verify)
        if made is None:
            from truthound.async_core.http import AsyncHTTPClient, RetryPolicy

            # Retries and the limit for the whole are the action's; aiohttp is a
            # fifth of the work where it is installed.
            made = self._made[verify] = AsyncHTTPClient(
                RetryPolicy(max_retries=0),
                timeout=None,
                max_connections=CONNECTIONS,
                max_response_bytes=LARGEST,
                transport="aiohttp" if HAS_AIOHTTP else "httpx2",
                verify=verify,
            )
        return made

    async def close(self) -> None:
        """Close what was made."""
        for client in self._made.values():
            await undisturbed(client.aclose())


def prepare() -> None:
    """Import what a client needs."""

    if HAS_AIOHTTP:
        import truthound.async_core._http_aiohttp  # noqa: F401 - for later


_shared: WeakKeyDictionary[Any, _Shared] = WeakKeyDictionary()


class shared_client:  # noqa: N801 - used like a function
    """Hold on to the client of this loop: its connections stay open in the block."""

    __slots__ = ("_loop", "_shared")

    async def __aenter__(self) -> _Shared:
        self._loop = asyncio.get_running_loop()
        shared = _shared.get(self._loop)
        if shared is None:
            shared = _shared[self._loop] = _Shared()
        shared.holders += 1
        self._shared = shared
        return shared

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shared = self._shared
        shared.holders -= 1
        if not shared.holders:
            if _shared.get(self._loop) is shared:
                del _shared[self._loop]
            await shared.close()
