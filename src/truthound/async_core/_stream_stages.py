"""The stages of a stream that need no task of their own."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterable, Callable, Iterator
from typing import Any, NamedTuple, TypeAlias, TypeVar

from truthound.async_core._stream_sources import (
    CHUNK,
    Chunks,
    Opener,
    Turns,
    Want,
    each,
    is_awaitable,
    opener,
    reading,
)
from truthound.async_core._tasks import reraise

T = TypeVar("T")
U = TypeVar("U")


class Step(NamedTuple):
    """One ``map`` or ``filter``."""

    call: Callable[[Any], Any]
    is_filter: bool


# An awaitable that a function returned, and where: number of the step, item, awaitable.
_Met: TypeAlias = tuple[int, Any, Any]
_Loop: TypeAlias = Callable[
    [Iterator[Any], list[Any], Callable[[Any], Any], Callable[[Any], Any]], _Met | None
]

# A list comprehension is hardly faster than the four loops below. Each ends at the
# first awaitable that a function returns, so that calls which wait are made one by one
# and nothing that was not awaited piles up. The type of the last value is kept, as
# asking each value whether it is awaitable would cost more than all the rest; and a
# loop for a pair saves a list between the two.


def _map(
    items: Iterator[Any],
    out: list[Any],
    change: Callable[[Any], Any],
    _: Callable[[Any], Any],
) -> _Met | None:
    kind: object = None
    for item in items:
        made = change(item)
        if type(made) is not kind:
            if is_awaitable(made):
                return 0, item, made
            kind = type(made)
        out.append(made)
    return None


def _filter(
    items: Iterator[Any],
    out: list[Any],
    holds: Callable[[Any], Any],
    _: Callable[[Any], Any],
) -> _Met | None:
    for item in items:
        answer = holds(item)
        if answer:
            if answer is not True and is_awaitable(answer):
                return 0, item, answer
            out.append(item)
    return None


def _map_filter(
    items: Iterator[Any],
    out: list[Any],
    change: Callable[[Any], Any],
    holds: Callable[[Any], Any],
) -> _Met | None:
    kind: object = None
    for item in items:
        made = change(item)
        if type(made) is not kind:
            if is_awaitable(made):
                return 0, item, made
            kind = type(made)
        answer = holds(made)
        if answer:
            if answer is not True and is_awaitable(answer):
                return 1, made, answer
            out.append(made)
    return None


def _filter_map(
    items: Iterator[Any],
    out: list[Any],
    holds: Callable[[Any], Any],
    change: Callable[[Any], Any],
) -> _Met | None:
    kind: object = None
    for item in items:
        answer = holds(item)
        if not answer:
            continue
        if answer is not True and is_awaitable(answer):
            return 0, item, answer
        made = change(item)
        if type(made) is not kind:
            if is_awaitable(made):
                return 1, item, made
            kind = type(made)
        out.append(made)
    return None


_LOOPS: dict[tuple[bool, ...], _Loop] = {
    (False,): _map,
    (True,): _filter,
    (False, True): _map_filter,
    (True, False): _filter_map,
}


def fits(first: Step, second: Step) -> bool:
    """Tell whether two neighbours run in one loop."""
    return (first.is_filter, second.is_filter) in _LOOPS


async def apply(
    before: Opener[Any], steps: tuple[Step, ...], want: Want
) -> Chunks[Any]:
    """Run one step, or a map and a filter together."""
    loop = _LOOPS[tuple(step.is_filter for step in steps)]
    first, last = steps[0].call, steps[-1].call
    end = len(steps) - 1
    chunk: list[Any] | None = []
    items: Iterator[Any] = iter(())
    met: _Met | Exception | None = None
    try:
        async with reading(before(want)) as upstream:
            while chunk is not None:
                out: list[Any] = []
                try:
                    met = loop(items, out, first, last)
                except Exception as error:  # noqa: BLE001 - raised below, in its turn
                    met = error
                if out:  # before anything else is waited for
                    yield out
                if met is None:
                    chunk = await anext(upstream, None)
                    items = iter(chunk or ())
                    continue
                if isinstance(met, Exception):
                    reraise(met)
                number, item, awaitable = met
                out = _keep(steps[number], item, await awaitable)
                if out and number < end:
                    out = await _finish(steps[end], out[0])
                if out:
                    yield out
    finally:
        if isinstance(met, tuple):
            _discard(met[2])


def _keep(step: Step, item: Any, answer: Any) -> list[Any]:
    if step.is_filter:
        return [item] if answer else []
    return [answer]


async def _finish(step: Step, item: Any) -> list[Any]:
    """Take an item that was waited for through the step after."""
    answer = step.call(item)
    if is_awaitable(answer):
        answer = await answer
    return _keep(step, item, answer)


def _discard(awaitable: object) -> None:
    """Let go of something that nobody is going to await."""
    if inspect.iscoroutine(awaitable):
        awaitable.close()
    elif isinstance(awaitable, asyncio.Future):
        awaitable.cancel()


async def flatten(
    before: Opener[T],
    function: Callable[[T], Any],
    want: Want,
) -> Chunks[Any]:
    """Put in the place of each item the items that the function makes of it."""

    def wanted() -> int:
        # One item may make any number: where the number counts, one at a time.
        return CHUNK if want() >= CHUNK else 1

    turns = Turns()
    async with reading(each(before, wanted)) as items:
        async for item in items:
            made = function(item)
            if is_awaitable(made) and not isinstance(made, AsyncIterable):
                made = await made
            async with reading(_parts(made, want)) as parts:
                async for part in parts:
                    yield part
            await turns.after(1)


def _parts(made: Any, want: Want) -> Chunks[Any]:
    if type(made) is list and len(made) <= min(CHUNK, want()):
        return _whole(made)
    return opener(made, "what the function of flat_map() returns")(want)


async def _whole(made: list[T]) -> Chunks[T]:
    if made:
        yield made[:]


async def take(before: Opener[T], number: int, want: Want) -> Chunks[T]:
    """Let so many items through, then close what comes before."""
    left = number
    if not left:
        return
    async with reading(before(lambda: min(left, want()))) as upstream:
        async for chunk in upstream:
            left -= len(chunk)
            if left <= 0:
                yield chunk[:left] if left else chunk
                return
            yield chunk


async def batch(before: Opener[T], size: int, want: Want) -> Chunks[list[T]]:
    """Group items into lists of a size; the last may be shorter."""
    rest: list[T] = []
    async with reading(before(lambda: want() * size - len(rest))) as upstream:
        async for chunk in upstream:
            rest += chunk
            full = len(rest) - len(rest) % size
            if full:
                out = [rest[at : at + size] for at in range(0, full, size)]
                rest = rest[full:]
                yield out
    if rest:
        yield [rest]


async def window(
    before: Opener[T], size: int, step: int, want: Want
) -> Chunks[list[T]]:
    """Show each run of ``size`` items that begins at a multiple of ``step``."""
    seen: list[T] = []
    skip = 0  # items to come that are in no window
    # Windows repeat items: few of them at once where each is long.
    most = max(1, CHUNK // size)
    turns = Turns()

    def wanted() -> int:
        return skip - len(seen) + size + (want() - 1) * step

    async with reading(before(wanted)) as upstream:
        async for chunk in upstream:
            seen += chunk[skip:] if skip else chunk
            skip = max(0, skip - len(chunk))
            starts = range(0, len(seen) - size + 1, step)
            if not starts:
                continue
            windows, after = seen, starts[-1] + step
            seen, skip = windows[after:], max(0, after - len(windows))
            for at in range(0, len(starts), most):
                some = starts[at : at + most]
                yield [windows[start : start + size] for start in some]
                await turns.after(len(some))
