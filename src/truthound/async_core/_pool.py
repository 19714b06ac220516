"""Resources that are dear to make, made once and handed round."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, TypeVar, cast, overload

from truthound.async_core._limit import check_count, check_seconds, limit
from truthound.async_core._slots import Slots, TaskPriority
from truthound.async_core._tasks import undisturbed
from truthound.errors import NotRunningError

T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStats:
    """What a pool holds, and what it has made so far.

    Attributes:
        max_resources: how many there may be at once.
        in_use: how many are handed out or being made.
        idle: how many wait to be used again.
        waiting: who waits for one.
        made: how many were made in all.
        cleaned_up: how many of these were cleaned up.
    """

    max_resources: int
    in_use: int
    idle: int
    waiting: int
    made: int
    cleaned_up: int


class ResourcePool(Generic[T]):
    """Hand out at most ``max_resources`` resources, made when they are needed.

    A resource that comes back is used again, the last one first; whoever waits longest
    gets the next. Several may be made at the same time, so that a slow factory holds
    up only those who wait for it. Everything that was made is cleaned up exactly once:
    by ``close()``, or when it comes back after that.

    Args:
        max_resources: 1 or more.
        factory: makes a resource; a function or a coroutine function.
        cleanup: called with a resource that is no longer needed; either kind, too. It
            runs to its end even if whoever triggered it is cancelled.
        check: asked about a resource before it is handed out again; either kind. If it
            returns False or raises, the resource is cleaned up and a new one made.

    Raises:
        ConfigurationError: ``max_resources`` is less than 1.

    Example:
        >>> async def connect():
        ...     return {"open": True}
        >>> async def main():
        ...     close = lambda connection: connection.update(open=False)
        ...     async with ResourcePool(2, connect, close) as pool:
        ...         async with pool.acquire() as connection:
        ...             pass
        ...     return connection
        >>> asyncio.run(main())
        {'open': False}
    """

    @overload
    def __init__(
        self,
        max_resources: int,
        factory: Callable[[], Awaitable[T]],
        cleanup: Callable[[T], Any] | None = None,
        *,
        check: Callable[[T], Any] | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self,
        max_resources: int,
        factory: Callable[[], T],
        cleanup: Callable[[T], Any] | None = None,
        *,
        check: Callable[[T], Any] | None = None,
    ) -> None: ...
    def __init__(
        self,
        max_resources: int,
        factory: Callable[[], Any],
        cleanup: Callable[[T], Any] | None = None,
        *,
        check: Callable[[T], Any] | None = None,
    ) -> None:
        check_count("max_resources", max_resources)
        self.max_resources = max_resources
        self._factory = factory
        self._cleanup = cleanup
        self._check = check
        self._slots = Slots(max_resources)
        self._idle: list[T] = []
        self._is_closed = False
        self._made = self._cleaned_up = 0

    @contextlib.asynccontextmanager
    async def acquire(self, timeout: float | None = None) -> AsyncIterator[T]:  # noqa: ASYNC109 - the field's name
        """Lend a resource to the block.

        If the block raises, the resource goes back all the same: what is broken is for
        ``check`` to find. If cancelled while it waits, nothing is taken.

        Args:
            timeout: seconds to wait for a resource, its making included; None: as long
                as it takes.

        Raises:
            NotRunningError: the pool is closed, or was closed while this waited.
            TimeoutError: ``timeout`` went by.
            Exception: whatever the factory raises.
        """
        if timeout is None:
            resource = await self._take()
        else:
            check_seconds("timeout", timeout)
            message = f"none of {self.max_resources} resources came free in"
            async with limit(timeout, f"{message} {{seconds}} s"):
                resource = await self._take()
        try:
            yield resource
        finally:
            await self._give_back(resource)

    async def close(self) -> None:
        """Hand out nothing more, and clean up.

        What is lent at the time is cleaned up when it comes back. Closing twice is
        fine. If cancelled, the clean-up under way ends first.

        Raises:
            ExceptionGroup: of what ``cleanup`` raised; the others are cleaned up.
        """
        self._is_closed = True
        for waiter in self._slots.waiters():
            waiter.set_exception(NotRunningError("the pool was closed meanwhile"))
        errors = []
        cancelled: asyncio.CancelledError | None = None
        while self._idle:
            try:
                await self._clean_up(self._idle.pop())
            except asyncio.CancelledError as error:
                cancelled = error
            except Exception as error:  # noqa: BLE001 - raised together
                errors.append(error)
        if cancelled is not None:
            raise cancelled
        if errors:
            raise ExceptionGroup("resources could not be cleaned up", errors)

    async def __aenter__(self) -> ResourcePool[T]:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def stats(self) -> PoolStats:
        """Return what the pool holds and has made."""
        return PoolStats(
            max_resources=self.max_resources,
            in_use=self.max_resources - self._slots.free,
            idle=len(self._idle),
            waiting=self._slots.waiting,
            made=self._made,
            cleaned_up=self._cleaned_up,
        )

    async def _take(self) -> T:
        if self._is_closed:
            raise NotRunningError("the pool is closed")
        if not self._slots.take():
            await self._slots.acquire(TaskPriority.NORMAL)
        try:
            while self._idle:
                resource = self._idle.pop()
                if await self._is_usable(resource):
                    return resource
            made = self._factory()
            resource = cast("T", await made if inspect.isawaitable(made) else made)
            self._made += 1
            if self._is_closed:
                await self._clean_up_and_log(resource)
                raise NotRunningError("the pool was closed meanwhile")
            return resource
        except BaseException:
            self._slots.release()
            raise

    async def _give_back(self, resource: T) -> None:
        try:
            if self._is_closed:
                await self._clean_up_and_log(resource)
            else:
                self._idle.append(resource)
        finally:
            self._slots.release()

    async def _is_usable(self, resource: T) -> bool:
        """Ask about a resource; if it is of no use, or nobody can say, clean it up."""
        is_usable = False
        try:
            if self._check is None:
                is_usable = True
            else:
                answer = self._check(resource)
                is_usable = bool(
                    await answer if inspect.isawaitable(answer) else answer
                )
        except Exception:
            logger.info("a resource could not be checked", exc_info=True)
        finally:
            if not is_usable or self._is_closed:
                await self._clean_up_and_log(resource)
        if self._is_closed:
            raise NotRunningError("the pool was closed meanwhile")
        return is_usable

    async def _clean_up(self, resource: T) -> None:
        """Clean up to the end; a cancellation goes on after that."""
        self._cleaned_up += 1
        if self._cleanup is None:
            return
        outcome = self._cleanup(resource)
        if inspect.isawaitable(outcome):
            await undisturbed(outcome)

    async def _clean_up_and_log(self, resource: T) -> None:
        try:
            await self._clean_up(resource)
        except Exception:  # what the block did or raised matters more
            logger.exception("a resource could not be cleaned up")
